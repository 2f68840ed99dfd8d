"""Real-time portrait and hair segmentation for phones: the library behind the book.

    >>> import seglib
    >>> photo = seglib.sample_photo()            # uint8 RGB, H x W x 3
    >>> mask = seglib.load("portrait")(photo)    # float32 in [0, 1], H x W

Every room (`seglib.data`, `seglib.models`, ...) is loaded when it is first named, so a program that
only runs a `.tflite` never pays for TensorFlow.

An image is uint8 RGB, H x W x 3; a mask is float32 in [0, 1], H x W, 1 where the foreground is.
Functions also take what can be read one way only: paths, PIL images, grey, RGBA, floats from 0 to
1, masks of 0 and 255 (see `seglib.images`). Whatever a caller hands in that cannot be used raises
`SeglibError`, whose one sentence says what was wrong, where, and what to do.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from seglib.errors import SeglibError
from seglib.registry import register_engine

if TYPE_CHECKING:
    from seglib.images import read_image, sample_photo, write_image
    from seglib.pretrained import load
    from seglib.runtime import Segmenter

__version__ = "0.1.0"

__all__ = [
    "SeglibError",
    "Segmenter",
    "__version__",
    "load",
    "read_image",
    "sample_photo",
    "write_image",
]

_ROOMS = {room.name for room in pkgutil.iter_modules(__path__) if not room.name.startswith("_")}
_HOMES = {
    "Segmenter": "runtime",
    "load": "pretrained",
    "read_image": "images",
    "sample_photo": "images",
    "write_image": "images",
}

# Files that are opened in rooms which the runtime does not know.
register_engine(".weights.h5", "seglib.models.build:open_engine")
register_engine(".keras", "seglib.models.build:open_engine")
register_engine(".h5", "seglib.models.build:open_engine")
register_engine(".onnx", "seglib.export.onnx:OnnxEngine")
register_engine(".pb", "seglib.export.onnx:TensorFlowEngine")
register_engine("saved_model.pb", "seglib.export.onnx:TensorFlowEngine")
register_engine(".ncnn.param", "seglib.export.ncnn:NcnnEngine")
register_engine(".mlpackage", "seglib.export.coreml_run:Program")
register_engine(".mlmodel", "seglib.export.coreml_run:Program")


def __getattr__(name: str) -> Any:
    """Load a public name or a room on first use (PEP 562)."""
    if name in _HOMES:
        globals()[name] = getattr(importlib.import_module(f"seglib.{_HOMES[name]}"), name)
        return globals()[name]
    if name in _ROOMS:
        return importlib.import_module(f"seglib.{name}")
    raise AttributeError(f"module 'seglib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_ROOMS})
