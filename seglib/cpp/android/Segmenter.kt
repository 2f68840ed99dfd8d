package book.segmentation

import android.content.res.AssetManager
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import java.nio.ByteBuffer

/**
 * The network on the phone: the book's own .tflite, on the GPU where that works, else on the CPU.
 *
 * The numbers are those of the file's metadata (`unzip -p portrait.tflite seglib.json`).
 */
class Segmenter(assets: AssetManager, file: String = "portrait.tflite") : AutoCloseable {
    val height = 128
    val width = 128
    private val low = 0f
    private val high = 255f

    /** What the network runs on, to be shown and logged. */
    var accelerator = Accelerator.GPU
        private set

    private val model = try {
        CompiledModel.create(assets, file, CompiledModel.Options(Accelerator.GPU))
    } catch (error: Exception) {
        accelerator = Accelerator.CPU
        CompiledModel.create(assets, file, CompiledModel.Options(Accelerator.CPU))
    }
    private val inputs = model.createInputBuffers()
    private val outputs = model.createOutputBuffers()
    private val input = FloatArray(height * width * 3)

    /** The mask of a photo, `height` x `width` values from 0 to 1. One thread at a time. */
    fun mask(rgba: ByteBuffer, height: Int, width: Int, stride: Int): FloatArray {
        Core.prepare(rgba, height, width, stride, this.height, this.width, low, high, input)
        inputs[0].writeFloat(input)
        model.run(inputs, outputs)
        val mask = outputs[0].readFloat()
        // A GPU that rounds to half precision may end a hair outside.
        for (i in mask.indices) mask[i] = mask[i].coerceIn(0f, 1f)
        return mask
    }

    override fun close() {
        inputs.forEach { it.close() }
        outputs.forEach { it.close() }
        model.close()
    }
}
