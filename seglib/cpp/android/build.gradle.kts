plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "book.segmentation"
    compileSdk = 35

    defaultConfig {
        applicationId = "book.segmentation"
        minSdk = 26
        targetSdk = 35
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

    // The folder of the core, copied or added as a submodule beside the app's own.
    externalNativeBuild { cmake { path = file("src/main/cpp/CMakeLists.txt") } }

    // Stored as it is, so that LiteRT can map the file in place of unpacking it.
    androidResources { noCompress += "tflite" }
}

dependencies {
    implementation("com.google.ai.edge.litert:litert:2.3.0")
    // The GPU accelerator; without it Accelerator.GPU throws and the CPU is taken.
    implementation("com.google.ai.edge.litert:litert-gpu:2.3.0")
    implementation("androidx.activity:activity-ktx:1.9.3")
    implementation("androidx.camera:camera-camera2:1.4.1")
    implementation("androidx.camera:camera-lifecycle:1.4.1")
}
