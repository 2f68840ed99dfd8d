import AVFoundation
import CoreImage

/// The front camera's frames with the background blurred; each mask stays with its own frame.
final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    /// Called on the camera's queue with each finished frame.
    var onFrame: ((CGImage) -> Void)?

    private let session = AVCaptureSession()
    private let queue = DispatchQueue(label: "book.segmentation.camera")
    private let context = CIContext()
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
            throw SegmentationError(errorDescription: "this device has no front camera")
        }
        let input = try AVCaptureDeviceInput(device: device)
        let output = AVCaptureVideoDataOutput()
        let format = kCVPixelBufferPixelFormatTypeKey as String
        output.videoSettings = [format: kCVPixelFormatType_32BGRA]
        // While a frame is worked on, newer ones are dropped: no queue, no lag.
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: queue)
        session.beginConfiguration()
        session.sessionPreset = .hd1280x720
        guard session.canAddInput(input), session.canAddOutput(output) else {
            throw SegmentationError(errorDescription: "the camera is in use or gives no frames")
        }
        session.addInput(input)
        session.addOutput(output)
        if let connection = output.connection(with: .video) {
            // A network for upright people finds nobody who lies on their side.
            if connection.isVideoRotationAngleSupported(90) {
                connection.videoRotationAngle = 90
            }
            connection.automaticallyAdjustsVideoMirroring = false
            connection.isVideoMirrored = true  // people expect a mirror
        }
        session.commitConfiguration()
        queue.async { self.session.startRunning() }
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput sample: CMSampleBuffer, from: AVCaptureConnection
    ) {
        guard let buffer = CMSampleBufferGetImageBuffer(sample) else { return }
        do {
            let frame = CIImage(cvPixelBuffer: buffer)
            let done = blurredBackground(of: frame, mask: try segmenter.mask(of: buffer))
            if let image = context.createCGImage(done, from: done.extent) {
                onFrame?(image)
            }
        } catch {
            print("no frame: \(error.localizedDescription)")
        }
    }
}
