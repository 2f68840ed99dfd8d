import CoreImage
import CoreML
import Vision

/// A mistake, in one sentence.
struct SegmentationError: LocalizedError {
    let errorDescription: String?
}

/// The model, run by Core ML through Vision; one thread at a time.
final class Segmenter {
    private let request: VNCoreMLRequest

    init() throws {
        guard let url = Bundle.module.url(forResource: "model", withExtension: "mlmodelc") else {
            throw SegmentationError(errorDescription: "model.mlpackage is not in the package")
        }
        let settings = MLModelConfiguration()
        settings.computeUnits = .all
        let model = try MLModel(contentsOf: url, configuration: settings)
        request = VNCoreMLRequest(model: try VNCoreMLModel(for: model))
        request.imageCropAndScaleOption = .scaleFill  // stretched, as in training
    }

    /// The mask of a frame as a grey image of the model's size: white is the person.
    func mask(of frame: CVPixelBuffer) throws -> CIImage {
        try VNImageRequestHandler(cvPixelBuffer: frame).perform([request])
        guard let found = request.results?.first as? VNPixelBufferObservation else {
            throw SegmentationError(errorDescription: "export the model with output_type=\"image\"")
        }
        return CIImage(cvPixelBuffer: found.pixelBuffer)
    }
}
