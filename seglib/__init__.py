"""Real-time portrait and hair segmentation for phones: the library behind the book.

`import seglib` is light (NumPy at most): every room below is loaded when it is first named, so a
program which only runs a `.tflite` never pays for TensorFlow. A first use:

    >>> import seglib
    >>> photo = seglib.sample_photo()            # uint8 RGB, H x W x 3
    >>> mask = seglib.load("portrait")(photo)    # float32 in [0, 1], H x W
"""

import importlib
from typing import TYPE_CHECKING, Any

from seglib.errors import SeglibError

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

_ATTRIBUTES = {
    "Segmenter": "runtime",
    "load": "pretrained",
    "read_image": "images",
    "sample_photo": "images",
    "write_image": "images",
}

_SUBMODULES = frozenset(
    {
        "benchmark",
        "check",
        "cpp",
        "data",
        "evaluation",
        "export",
        "files",
        "images",
        "losses",
        "matting",
        "metadata",
        "metrics",
        "models",
        "notebook",
        "postprocess",
        "pretrained",
        "project",
        "runtime",
        "training",
        "video",
        "viz",
        "widgets",
    }
)


def __getattr__(name: str) -> Any:
    """Load a public name or a room on first use (PEP 562)."""
    if name in _ATTRIBUTES:
        value = getattr(importlib.import_module(f"seglib.{_ATTRIBUTES[name]}"), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f"seglib.{name}")
    raise AttributeError(f"module 'seglib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ATTRIBUTES, *_SUBMODULES})
