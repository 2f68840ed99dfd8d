"""What the explorers share: ipywidgets when it is there, settings as code, pictures as bytes.

Chapter: post-processing.
"""

import io
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from seglib.errors import SeglibError


def import_ipywidgets() -> ModuleType:
    """Return the library of sliders.

    Raises:
        SeglibError: it is not installed.
    """
    try:
        import ipywidgets
    except ImportError as error:
        raise SeglibError("the explorer needs ipywidgets; run pip install ipywidgets") from error
    return ipywidgets


def short(value: Any) -> Any:
    """Take the dust of floating-point steps off a setting."""
    if isinstance(value, tuple):
        return tuple(map(short, value))
    return round(value, 4) if isinstance(value, float) else value


def png(image: np.ndarray) -> bytes:
    """Return an image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(image: np.ndarray) -> bytes:
    """Return an image as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
