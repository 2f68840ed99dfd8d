// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Segmentation",
    platforms: [.iOS(.v17)],
    products: [.library(name: "Segmentation", targets: ["Segmentation"])],
    targets: [
        // Put model.mlpackage, exported with output_type="image", into Sources/Segmentation.
        .target(name: "Segmentation", resources: [.process("model.mlpackage")])
    ],
    swiftLanguageModes: [.v5]
)
