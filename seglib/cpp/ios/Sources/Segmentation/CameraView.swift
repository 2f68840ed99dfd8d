import AVFoundation
import SwiftUI

/// The camera's picture with its background blurred, or the reason why there is none.
public struct CameraView: View {
    @State private var frame: CGImage?
    @State private var camera: Camera?
    @State private var message = "Starting the camera"

    public init() {}

    public var body: some View {
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
            let camera = Camera(segmenter: try Segmenter())
            camera.onFrame = { image in
                DispatchQueue.main.async { frame = image }
            }
            try camera.start()
            self.camera = camera
        } catch {
            message = error.localizedDescription
        }
    }
}
