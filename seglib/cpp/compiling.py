"""Compiling the C++ core with CMake.

Chapter: shipping.
"""

import dataclasses
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from seglib.errors import SeglibError

SOURCES = Path(__file__).parent
"""The folder of the C++ sources, with their CMakeLists.txt."""

LITERT = "2.3"
"""The version of LiteRT whose C functions `core/litert_api.h` declares."""


@dataclasses.dataclass(frozen=True)
class Build:
    """What was compiled.

    Attributes:
        library: the core with its C functions, for `Core`.
        segment_ppm: the program for one photo.
        segment: the program over OpenCV; None where OpenCV's C++ files are not installed.
        jni: the library that Kotlin and Java load; None unless it was asked for.

    Chapter: shipping.
    """

    library: Path
    segment_ppm: Path
    segment: Path | None = None
    jni: Path | None = None


def lacking() -> str:
    """Return what this machine lacks to compile and run the core; empty where nothing is missing.

    Chapter: shipping.
    """
    if not sys.platform.startswith("linux"):
        return f"the core runs LiteRT on Linux only, this is {sys.platform}"
    if shutil.which("cmake") is None:
        return "CMake is not installed"
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return "no C++ compiler is installed"
    if not any(map(shutil.which, ("ninja", "make", "gmake"))):
        return "neither make nor ninja is installed"
    try:
        litert_library()
    except SeglibError as error:
        return str(error)
    return ""


def litert_library() -> Path:
    """Return libLiteRt.so of the installed Python package `ai-edge-litert`.

    Its C functions carry no version and change between releases, so only the release whose
    declarations the core has is taken.

    Raises:
        SeglibError: the package is missing, has another version, or brings no library.

    Chapter: shipping.
    """
    package = importlib.util.find_spec("ai_edge_litert")
    if package is None or package.origin is None:
        raise SeglibError("ai-edge-litert is not installed; install it with pip")
    version = importlib.metadata.version("ai-edge-litert")
    if not version.startswith(LITERT + "."):
        raise SeglibError(f"ai-edge-litert is {version}; the C++ core needs {LITERT}, install that")
    library = Path(package.origin).parent / "libLiteRt.so"
    if not library.is_file():
        raise SeglibError(f"there is no file {library}; install ai-edge-litert again")
    return library


def build(
    folder: str | Path, sanitize: bool = False, opencv: bool = True, jni: bool = False
) -> Build:
    """Compile the core in `folder`; a second call compiles what has changed.

    Args:
        folder: where the results go, made when missing. Nothing is written elsewhere.
        sanitize: with the address and undefined-behaviour sanitizers; slower, stops at mistakes.
            `library` can then not be loaded into Python.
        opencv: compile the program over OpenCV too, where OpenCV is installed.
        jni: compile the library for Kotlin and Java too; needs a JDK.

    Raises:
        SeglibError: something is missing here, or the compiler fails; the message ends in what it
            said.

    Chapter: shipping.
    """
    if missing := lacking():
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
        done = subprocess.run(command, capture_output=True, text=True)
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
