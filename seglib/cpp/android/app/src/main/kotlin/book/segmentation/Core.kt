package book.segmentation

import java.nio.ByteBuffer

/**
 * The C++ core. Pictures are direct buffers of four bytes a pixel (red, green, blue, alpha), rows
 * `stride` bytes apart; frames come back without gaps. A mistake throws IllegalArgumentException.
 */
object Core {
    init {
        System.loadLibrary("seglib_jni")
    }

    /** Writes the photo, as a network of toHeight x toWidth reads it, to `input`. */
    external fun prepare(
        rgba: ByteBuffer, height: Int, width: Int, stride: Int,
        toHeight: Int, toWidth: Int, low: Float, high: Float, input: FloatArray,
    )

    /** Writes the photo with its background blurred by `share` of its shorter side to `frame`. */
    external fun blur(
        rgba: ByteBuffer, height: Int, width: Int, stride: Int,
        mask: FloatArray, maskHeight: Int, maskWidth: Int, share: Float, frame: ByteBuffer,
    )

    /** Writes the photo with its hair in another colour to `frame`; the mask is one of hair. */
    external fun recolour(
        rgba: ByteBuffer, height: Int, width: Int, stride: Int,
        mask: FloatArray, maskHeight: Int, maskWidth: Int,
        red: Int, green: Int, blue: Int, frame: ByteBuffer,
    )
}
