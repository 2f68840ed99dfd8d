"""The C++ core: the same network and the same finishing of a frame, without Python.

Phones, desktops and servers take these sources; nothing in seglib needs them.

- `core/`: a `Segmenter` that loads a `.tflite` and returns masks through LiteRT's C functions, and
  the finishing of a frame with the formulas of `seglib.postprocess`.
- `programs/`: `segment_ppm` for one photo without any library, `segment` for pictures, videos and
  cameras over OpenCV.
- `android/`: a Gradle project whose app runs a flat `.tflite` and this core.
- `ios/`: a Swift package that runs a `.mlpackage`; Core Image does there what the core does.

The idea of such a core is that of mobile_unet_segmentation (rusito-23).
"""

import ctypes
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seglib.errors import SeglibError, renamed
from seglib.images import as_image

__all__ = ["SOURCES", "build", "missing_tools", "litert_library", "Core"]

__getattr__ = renamed(__name__, {"lacking": "missing_tools"})

SOURCES = Path(__file__).parent
"""The folder of the C++ sources, with their CMakeLists.txt."""

LITERT = "2.3"
"""The version of LiteRT whose C functions `core/litert_api.h` declares."""


class Build(NamedTuple):
    """What was compiled."""

    library: Path  # the core with its C functions, for `Core`
    segment_ppm: Path  # the program for one photo
    segment: Path | None  # the program over OpenCV; None without OpenCV's C++ files
    jni: Path | None  # the library that Kotlin and Java load; None unless it was asked for


def missing_tools() -> str:
    """Return what is missing here to compile and run the core; empty where nothing is."""
    if not sys.platform.startswith("linux"):
        return f"the core runs LiteRT on Linux only, this is {sys.platform}"
    for programs in (("cmake",), ("c++", "g++", "clang++"), ("ninja", "make", "gmake")):
        if not any(map(shutil.which, programs)):
            return f"{' or '.join(programs)} is not installed"
    try:
        litert_library()
    except SeglibError as error:
        return str(error)
    return ""


def litert_library() -> Path:
    """Return libLiteRt.so of the installed Python package `ai-edge-litert`, in the core's release.

    Its C functions carry no version and change between releases.
    """
    package = importlib.util.find_spec("ai_edge_litert")
    version = importlib.metadata.version("ai-edge-litert") if package else "not installed"
    if not version.startswith(LITERT + "."):
        raise SeglibError(f"ai-edge-litert is {version}; the C++ core needs {LITERT}, install that")
    return Path(package.origin).parent / "libLiteRt.so"


def build(
    folder: str | Path, sanitize: bool = False, opencv: bool = True, jni: bool = False
) -> Build:
    """Compile the core in `folder`; a second call compiles what has changed.

    Args:
        folder: where the results go, made when missing.
        sanitize: with the address and undefined-behaviour sanitizers; Python cannot load that.
        opencv: compile the program over OpenCV too, where OpenCV is installed.
        jni: compile the library for Kotlin and Java too; needs a JDK.
    """
    if missing := missing_tools():
        raise SeglibError(f"cannot compile the C++ core: {missing}")
    folder = Path(folder).resolve()
    configure = ["cmake", "-S", str(SOURCES), "-B", str(folder)]
    options = {"SANITIZE": sanitize, "OPENCV": opencv, "JNI": jni}
    configure += [f"-DSEGLIB_{name}={'ON' if on else 'OFF'}" for name, on in options.items()]
    configure += [f"-DSEGLIB_LITERT_LIBRARY={litert_library()}"]
    # A folder keeps the generator it was made with.
    if shutil.which("ninja") and not (folder / "CMakeCache.txt").exists():
        configure += ["-G", "Ninja"]
    for command in (configure, ["cmake", "--build", str(folder), "--parallel"]):
        done = subprocess.run(command, capture_output=True, encoding="utf-8")
        if done.returncode:
            said = " ".join((done.stdout + done.stderr).split())[-2000:]
            raise SeglibError(f"compiling the C++ core in {folder} failed: {said}")
    segment, glue = folder / "segment", folder / "libseglib_jni.so"
    return Build(
        folder / "libseglib_c.so",
        folder / "segment_ppm",
        segment if opencv and segment.exists() else None,
        glue if jni else None,
    )


class _Picture(ctypes.Structure):
    """`seglib_image` and `seglib_mask` of core/c_api.h, which have the same layout."""

    _fields_ = (("values", ctypes.c_void_p), ("height", ctypes.c_int), ("width", ctypes.c_int))


class Core:
    """The C functions of core/c_api.h with NumPy arrays: what Swift and Kotlin call.

    Images are uint8 RGB, H x W x 3; masks float32 in [0, 1].
    """

    def __init__(self, library: str | Path) -> None:
        """Load the library that `seglib.cpp.build` compiled."""
        try:
            self._library = ctypes.CDLL(str(library))
        except OSError as error:
            raise SeglibError(
                f"cannot load the C++ core from {library}; compile it with seglib.cpp.build"
            ) from error
        self._library.seglib_error.restype = ctypes.c_char_p

    def prepare(
        self, photo: np.ndarray, size: tuple[int, int], value_range: tuple[float, float] = (0, 255)
    ) -> np.ndarray:
        """Return the photo as a network of `size` (height, width) reads it, float32."""
        prepared = np.empty((*size, 3), np.float32)
        low, high = map(ctypes.c_float, value_range)
        self._call("prepare", _picture(as_image(photo)), low, high, *size, prepared.ctypes)
        return prepared

    def alpha(self, mask: np.ndarray, photo: np.ndarray) -> np.ndarray:
        """Return a small mask enlarged along the photo's edges and firmed up, H x W."""
        alpha = np.empty(photo.shape[:2], np.float32)
        self._call("alpha", _mask(mask), _picture(as_image(photo)), alpha.ctypes)
        return alpha

    def blur(self, photo: np.ndarray, alpha: np.ndarray, share: float = 0.025) -> np.ndarray:
        """Return the photo with its background blurred by `share` of its shorter side."""
        return self._frame("blur", photo, alpha, ctypes.c_float(share))

    def replace(self, photo: np.ndarray, alpha: np.ndarray, scene: np.ndarray) -> np.ndarray:
        """Return the person before another picture of any size."""
        return self._frame("replace", photo, alpha, _picture(as_image(scene)))

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
        self._call(name, _picture(as_image(photo)), _mask(alpha), *more, frame.ctypes)
        return frame

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, f"seglib_{name}")(*arguments):
            raise SeglibError(self._library.seglib_error().decode())


def _mask(mask: np.ndarray) -> _Picture:
    return _picture(np.ascontiguousarray(mask, dtype=np.float32))


def _picture(array: np.ndarray) -> _Picture:
    picture = _Picture(array.ctypes.data, *array.shape[:2])
    picture.array = array  # lives as long as the pointer to it
    return picture
