"""Photo in, mask of the same size out: `.tflite` and ONNX files, and Keras models the same way.

Chapters: TFLite conversion; real-time video.
"""

from seglib.runtime.keras_model import forget, keras_segmenter
from seglib.runtime.segmenter import Segmenter

__all__ = ["Segmenter", "forget", "keras_segmenter"]
