plugins {
    id("com.android.application")
}

android {
    namespace = "book.segmentation"
    compileSdk = 36
    ndkVersion = "28.2.13676358" // from r28 on, libraries load on devices with pages of 16 KB

    defaultConfig {
        applicationId = "book.segmentation"
        minSdk = 26
        targetSdk = 36
        versionCode = 1
        versionName = "1.0"
        externalNativeBuild {
            cmake {
                arguments += listOf("-DSEGLIB_JNI=ON", "-DSEGLIB_OPENCV=OFF")
                targets += "seglib_jni"
            }
        }
        ndk { abiFilters += "arm64-v8a" }
    }

    externalNativeBuild { cmake { path = file("../../CMakeLists.txt") } }

    // Stored as it is, so that LiteRT can map the file in place of unpacking it.
    androidResources { noCompress += "tflite" }
}

dependencies {
    implementation("com.google.ai.edge.litert:litert:2.3.0")
    // The GPU accelerator; without it Accelerator.GPU throws and the CPU is taken.
    implementation("com.google.ai.edge.litert:litert-gpu:2.3.0")
    implementation("androidx.activity:activity:1.11.0")
    implementation("androidx.camera:camera-camera2:1.5.1")
    implementation("androidx.camera:camera-lifecycle:1.5.1")
}
