import AVFoundation
import CoreGraphics

/// The front camera's frames with the background blurred; each mask stays with its own frame.
final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    /// Called on the camera's queue with each finished frame and its milliseconds.
    var onFrame: ((CGImage, Double) -> Void)?

    private let session = AVCaptureSession()
    private let queue = DispatchQueue(label: "book.segmentation.camera")
    private let segmenter: Segmenter

    init(segmenter: Segmenter) {
        self.segmenter = segmenter
    }

    /// Call it once `AVCaptureDevice.requestAccess(for: .video)` has said yes.
    func start() throws {
        guard
            let device = AVCaptureDevice.default(
                .builtInWideAngleCamera, for: .video, position: .front)
        else {
            throw CoreError(errorDescription: "this device has no front camera")
        }
        let input = try AVCaptureDeviceInput(device: device)
        let output = AVCaptureVideoDataOutput()
        let format = kCVPixelBufferPixelFormatTypeKey as String
        output.videoSettings = [format: kCVPixelFormatType_32BGRA]
        // While a frame is worked on, newer ones are dropped: no queue, no lag.
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: queue)
        session.beginConfiguration()
        session.sessionPreset = .vga640x480
        guard session.canAddInput(input), session.canAddOutput(output) else {
            throw CoreError(errorDescription: "the camera is in use or gives no frames")
        }
        session.addInput(input)
        session.addOutput(output)
        // A network for upright people finds nobody who lies on their side.
        output.connection(with: .video)?.videoOrientation = .portrait
        session.commitConfiguration()
        queue.async { self.session.startRunning() }
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput sample: CMSampleBuffer, from: AVCaptureConnection
    ) {
        guard let buffer = CMSampleBufferGetImageBuffer(sample), let photo = Photo(bgra: buffer)
        else { return }
        let started = DispatchTime.now().uptimeNanoseconds
        do {
            let frame = try Core.blur(photo, mask: segmenter.mask(of: photo))
            let done = DispatchTime.now().uptimeNanoseconds
            if let image = frame.image() {
                onFrame?(image, Double(done - started) / 1e6)
            }
        } catch {
            print("no frame: \(error.localizedDescription)")
        }
    }
}

extension Photo {
    /// Copies a camera's buffer, whose rows have gaps.
    init?(bgra buffer: CVPixelBuffer) {
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
        guard let base = CVPixelBufferGetBaseAddress(buffer) else { return nil }
        let stride = CVPixelBufferGetBytesPerRow(buffer)
        height = CVPixelBufferGetHeight(buffer)
        width = CVPixelBufferGetWidth(buffer)
        rgb = [UInt8](repeating: 0, count: height * width * 3)
        for y in 0..<height {
            let row = base.advanced(by: y * stride).assumingMemoryBound(to: UInt8.self)
            for x in 0..<width {
                let to = (y * width + x) * 3
                rgb[to] = row[4 * x + 2]
                rgb[to + 1] = row[4 * x + 1]
                rgb[to + 2] = row[4 * x]
            }
        }
    }

    /// A picture for the screen.
    func image() -> CGImage? {
        guard let provider = CGDataProvider(data: Data(rgb) as CFData) else { return nil }
        return CGImage(
            width: width, height: height, bitsPerComponent: 8, bitsPerPixel: 24,
            bytesPerRow: width * 3, space: CGColorSpaceCreateDeviceRGB(),
            bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.none.rawValue),
            provider: provider, decode: nil, shouldInterpolate: true, intent: .defaultIntent)
    }
}
