package book.segmentation

import android.Manifest
import android.graphics.Bitmap
import android.os.Bundle
import android.os.SystemClock
import android.util.Log
import android.widget.ImageView
import android.widget.Toast
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.core.content.ContextCompat
import java.nio.ByteBuffer
import java.util.concurrent.Executors

/** The camera's picture with its background blurred. Each mask is shown with its own frame. */
class MainActivity : ComponentActivity() {
    private val worker = Executors.newSingleThreadExecutor()
    private lateinit var view: ImageView
    private lateinit var segmenter: Segmenter
    private var frame: ByteBuffer = ByteBuffer.allocateDirect(0)

    private val permission =
        registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
            if (granted) {
                start()
            } else {
                Toast.makeText(this, "No camera: permission was refused", Toast.LENGTH_LONG).show()
            }
        }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        view = ImageView(this)
        view.scaleX = -1f // people expect a mirror; the frames themselves stay as they are
        setContentView(view)
        permission.launch(Manifest.permission.CAMERA)
    }

    private fun start() {
        // Made on the thread that uses it: a GPU's context belongs to one thread.
        worker.execute { segmenter = Segmenter(assets) }
        val future = ProcessCameraProvider.getInstance(this)
        future.addListener({
            val analysis = ImageAnalysis.Builder()
                .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
                // A network for upright people finds nobody who lies on their side.
                .setOutputImageRotationEnabled(true)
                // While a frame is worked on, newer ones replace each other: no queue, no lag.
                .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
                .build()
            analysis.setAnalyzer(worker) { image -> image.use(::show) }
            val provider = future.get()
            provider.unbindAll()
            provider.bindToLifecycle(this, CameraSelector.DEFAULT_FRONT_CAMERA, analysis)
        }, ContextCompat.getMainExecutor(this))
    }

    private fun show(image: ImageProxy) {
        val started = SystemClock.elapsedRealtimeNanos()
        val plane = image.planes[0]
        val (height, width) = image.height to image.width
        val mask = segmenter.mask(plane.buffer, height, width, plane.rowStride)
        val masked = SystemClock.elapsedRealtimeNanos()
        if (frame.capacity() != 4 * height * width) {
            frame = ByteBuffer.allocateDirect(4 * height * width)
        }
        Core.blur(
            plane.buffer, height, width, plane.rowStride,
            mask, segmenter.height, segmenter.width, 0.025f, frame,
        )
        val done = SystemClock.elapsedRealtimeNanos()
        val times = listOf(masked - started, done - masked).map { it / 1_000_000 }
        Log.d("segmentation", "mask ${times[0]} ms, frame ${times[1]} ms")
        // A bitmap of its own for each frame, since the screen may still draw the last one.
        val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
        frame.rewind()
        bitmap.copyPixelsFromBuffer(frame)
        runOnUiThread { view.setImageBitmap(bitmap) }
    }

    override fun onDestroy() {
        super.onDestroy()
        worker.execute { if (::segmenter.isInitialized) segmenter.close() }
        worker.shutdown()
    }
}
