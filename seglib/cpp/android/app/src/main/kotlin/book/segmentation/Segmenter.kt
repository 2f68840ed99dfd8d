package book.segmentation

import android.content.res.AssetManager
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import java.nio.ByteBuffer
import java.util.zip.ZipInputStream
import org.json.JSONObject

/** What the file says about itself: `seglib.json` in the zip archive behind the model. */
fun readMetadata(file: ByteArray): JSONObject {
    val start = (file.size - 4 downTo 0).first {
        file[it] == 'P'.code.toByte() && file[it + 1] == 'K'.code.toByte() &&
            file[it + 2] == 3.toByte() && file[it + 3] == 4.toByte()
    }
    ZipInputStream(file.inputStream(start, file.size - start)).use { zip ->
        check(zip.nextEntry?.name == "seglib.json") { "the model carries no metadata" }
        return JSONObject(zip.readBytes().decodeToString())
    }
}

/** A flat `.tflite` on the phone: on the GPU where that works, else on the CPU. */
class Segmenter(assets: AssetManager, file: String = "model.tflite") : AutoCloseable {
    private val facts = readMetadata(assets.open(file).use { it.readBytes() })
    val height = facts.getJSONArray("output_shape").getInt(0)
    val width = facts.getJSONArray("output_shape").getInt(1)
    private val low = facts.getJSONArray("value_range").getDouble(0).toFloat()
    private val high = facts.getJSONArray("value_range").getDouble(1).toFloat()

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

    init {
        check(facts.getString("layout") == "flat") { "export the model with flat=True" }
    }

    /** The mask of a photo, row by row, `height` x `width` values from 0 to 1. One thread only. */
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
