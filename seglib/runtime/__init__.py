"""Photo in, mask of the same size out: model files of any format, and Keras models the same way.

Chapters: TFLite conversion; real-time video.
"""

from seglib.errors import renamed
from seglib.registry import register_engine
from seglib.runtime.engines import Engine, open_engine, run_images
from seglib.runtime.segmenter import Segmenter, keras_segmenter, reset_state

__all__ = [
    "Segmenter",
    "keras_segmenter",
    "reset_state",
    "open_engine",
    "run_images",
    "register_engine",
    "Engine",
]

__getattr__ = renamed(__name__, {"forget": "reset_state"})
