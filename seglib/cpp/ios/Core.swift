import Foundation
import SeglibCore

/// A mistake, in the core's own words.
struct CoreError: LocalizedError {
    let errorDescription: String?
}

/// RGB bytes without gaps, rows from the top.
struct Photo {
    let height: Int
    let width: Int
    var rgb: [UInt8]
}

/// Values from 0 to 1, rows from the top; 1 where the person is.
struct Mask {
    let height: Int
    let width: Int
    var values: [Float]
}

/// The C++ core. Swift owns every array; the core keeps none after a call.
enum Core {
    /// The photo as a network of `height` x `width` reads it.
    static func prepare(
        _ photo: Photo, height: Int, width: Int, low: Float = 0, high: Float = 255
    ) throws -> [Float] {
        var input = [Float](repeating: 0, count: height * width * 3)
        try withImage(photo) {
            try check(seglib_prepare($0, low, high, Int32(height), Int32(width), &input))
        }
        return input
    }

    /// The photo with its background blurred by `share` of its shorter side.
    static func blur(_ photo: Photo, mask: Mask, share: Float = 0.025) throws -> Photo {
        var frame = photo
        var alpha = [Float](repeating: 0, count: photo.height * photo.width)
        try withImage(photo) { image in
            try withMask(mask.values, mask.height, mask.width) {
                try check(seglib_alpha($0, image, &alpha))
            }
            try withMask(alpha, photo.height, photo.width) {
                try check(seglib_blur(image, $0, share, &frame.rgb))
            }
        }
        return frame
    }

    private static func check(_ status: Int32) throws {
        if status != 0 {
            throw CoreError(errorDescription: String(cString: seglib_error()))
        }
    }

    private static func withImage(_ photo: Photo, _ work: (seglib_image) throws -> Void) rethrows {
        try photo.rgb.withUnsafeBufferPointer {
            try work(
                seglib_image(
                    rgb: $0.baseAddress, height: Int32(photo.height), width: Int32(photo.width)))
        }
    }

    private static func withMask(
        _ values: [Float], _ height: Int, _ width: Int, _ work: (seglib_mask) throws -> Void
    ) rethrows {
        try values.withUnsafeBufferPointer {
            try work(
                seglib_mask(values: $0.baseAddress, height: Int32(height), width: Int32(width)))
        }
    }
}
