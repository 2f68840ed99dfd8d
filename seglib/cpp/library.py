"""The C++ core called from Python, to be compared with `seglib.postprocess`.

Chapter: shipping.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image


class _Picture(ctypes.Structure):
    """`seglib_image` and `seglib_mask` of core/c_api.h, which have the same layout."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("height", ctypes.c_int),
        ("width", ctypes.c_int),
    )


class Core:
    """The C functions of core/c_api.h with NumPy arrays: what Swift and Kotlin call.

    Images are uint8 RGB, H x W x 3; masks float32 in [0, 1]. Each method raises `SeglibError` with
    the core's own sentence.

    Chapter: shipping.
    """

    def __init__(self, library: str | Path) -> None:
        """Load the library that `seglib.cpp.build` compiled.

        Raises:
            SeglibError: it cannot be loaded.
        """
        try:
            self._library = ctypes.CDLL(str(library))
        except OSError as error:
            raise SeglibError(
                f"cannot load the C++ core from {library}; compile it with seglib.cpp.build"
            ) from error
        self._library.seglib_error.restype = ctypes.c_char_p

    def prepare(
        self,
        photo: np.ndarray,
        size: tuple[int, int],
        value_range: tuple[float, float] = (0, 255),
    ) -> np.ndarray:
        """Return the photo as a network of `size` (height, width) reads it, float32."""
        prepared = np.empty((*size, 3), np.float32)
        low, high = map(ctypes.c_float, value_range)
        self._call("prepare", _image(photo), low, high, *size, _place(prepared))
        return prepared

    def alpha(self, mask: np.ndarray, photo: np.ndarray) -> np.ndarray:
        """Return a small mask enlarged along the photo's edges and firmed up, H x W."""
        alpha = np.empty(photo.shape[:2], np.float32)
        self._call("alpha", _mask(mask), _image(photo), _place(alpha))
        return alpha

    def blur(self, photo: np.ndarray, alpha: np.ndarray, share: float = 0.025) -> np.ndarray:
        """Return the photo with its background blurred by `share` of its shorter side."""
        return self._frame("blur", photo, alpha, ctypes.c_float(share))

    def replace(self, photo: np.ndarray, alpha: np.ndarray, scene: np.ndarray) -> np.ndarray:
        """Return the person before another picture of any size."""
        return self._frame("replace", photo, alpha, _image(scene))

    def recolour(
        self,
        photo: np.ndarray,
        alpha: np.ndarray,
        color: Sequence[int],
        strength: float = 1.0,
        lift: float = 0.5,
    ) -> np.ndarray:
        """Return the photo with its hair in another colour."""
        levels = (ctypes.c_uint8 * 3)(*color)
        numbers = ctypes.c_float(strength), ctypes.c_float(lift)
        return self._frame("recolour", photo, alpha, levels, *numbers)

    def _frame(self, name: str, photo: np.ndarray, alpha: np.ndarray, *more: Any) -> np.ndarray:
        if alpha.shape != photo.shape[:2]:
            raise SeglibError(
                f"alpha has shape {alpha.shape}, the photo {photo.shape}; use Core.alpha"
            )
        frame = np.empty(photo.shape, np.uint8)
        self._call(name, _image(photo), _mask(alpha), *more, _place(frame))
        return frame

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, f"seglib_{name}")(*arguments):
            raise SeglibError(self._library.seglib_error().decode())


def _image(image: np.ndarray) -> _Picture:
    return _picture(as_image(image))


def _mask(mask: np.ndarray) -> _Picture:
    return _picture(np.ascontiguousarray(mask, dtype=np.float32))


def _picture(array: np.ndarray) -> _Picture:
    picture = _Picture(array.ctypes.data, *array.shape[:2])
    # Only a pointer goes into the structure, so the array has to live as long as it does.
    picture.array = array
    return picture


def _place(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
