plugins {
    // Version 9 compiles Kotlin itself; the plugin org.jetbrains.kotlin.android is refused.
    id("com.android.application") version "9.2.0" apply false
}
