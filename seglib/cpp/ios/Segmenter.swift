import CoreML
import Foundation
import TensorFlowLite

/// A network that finds a person; one thread at a time.
protocol Segmenter {
    func mask(of photo: Photo) throws -> Mask
}

/// The book's .tflite, on the GPU through Metal.
final class LiteRTSegmenter: Segmenter {
    private let interpreter: Interpreter
    private let size = 128

    init(path: String) throws {
        interpreter = try Interpreter(modelPath: path, delegates: [MetalDelegate()])
        try interpreter.allocateTensors()
    }

    func mask(of photo: Photo) throws -> Mask {
        let input = try Core.prepare(photo, height: size, width: size)
        try interpreter.copy(input.withUnsafeBufferPointer { Data(buffer: $0) }, toInputAt: 0)
        try interpreter.invoke()
        let output = try interpreter.output(at: 0).data
        let values = output.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        return Mask(height: size, width: size, values: values.map { min(max($0, 0), 1) })
    }
}

/// The book's .mlpackage, exported with `input_type="array"`, on what Core ML chooses.
final class CoreMLSegmenter: Segmenter {
    private let model: MLModel
    private let size = 128

    /// `url`: the model as Xcode compiled it into the app, `portrait.mlmodelc`.
    init(url: URL) throws {
        model = try MLModel(contentsOf: url)
    }

    func mask(of photo: Photo) throws -> Mask {
        let side = NSNumber(value: size)
        let input = try MLMultiArray(shape: [1, side, side, 3], dataType: .float32)
        let prepared = try Core.prepare(photo, height: size, width: size)
        prepared.withUnsafeBufferPointer {
            input.dataPointer.copyMemory(from: $0.baseAddress!, byteCount: 4 * prepared.count)
        }
        let features = try MLDictionaryFeatureProvider(dictionary: ["image": input])
        let output = try model.prediction(from: features)
        guard let mask = output.featureValue(for: "mask")?.multiArrayValue else {
            throw CoreError(errorDescription: "the model gives no multi-array named mask")
        }
        // By subscript, since Core ML may pad the rows of its arrays.
        var values = [Float](repeating: 0, count: size * size)
        for i in values.indices {
            values[i] = min(max(mask[i].floatValue, 0), 1)
        }
        return Mask(height: size, width: size, values: values)
    }
}
