import AVFoundation
import SwiftUI

@main
struct SegmentationApp: App {
    var body: some Scene {
        WindowGroup {
            CameraView()
        }
    }
}

/// The camera's picture with its background blurred, or the reason why there is none.
struct CameraView: View {
    @State private var frame: CGImage?
    @State private var camera: Camera?
    @State private var message = "Starting the camera"

    var body: some View {
        Group {
            if let frame {
                Image(decorative: frame, scale: 1).resizable().scaledToFit()
            } else {
                Text(message)
            }
        }
        .task { await start() }
    }

    private func start() async {
        guard await AVCaptureDevice.requestAccess(for: .video) else {
            message = "No camera: permission was refused"
            return
        }
        do {
            guard let path = Bundle.main.path(forResource: "portrait", ofType: "tflite") else {
                throw CoreError(errorDescription: "portrait.tflite is not in the app")
            }
            let camera = Camera(segmenter: try LiteRTSegmenter(path: path))
            camera.onFrame = { image, _ in
                DispatchQueue.main.async { frame = image }
            }
            try camera.start()
            self.camera = camera
        } catch {
            message = error.localizedDescription
        }
    }
}
