"""Frames from a camera or a video file, through OpenCV; BGR ends here.

OpenCV's capture stands behind a small interface, so that a test, or another library, can be the
camera.
"""

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.video.sources import USUAL_FPS, Frame, PictureFolder, Source, checked_rate

BACKENDS = {
    name: getattr(cv2, f"CAP_{name.upper()}")
    for name in ("any", "v4l2", "ffmpeg", "gstreamer", "avfoundation", "dshow", "msmf")
}
"""What OpenCV can open a camera with, by name."""


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used here.

    A stand-in is a class of its own, not a subclass of OpenCV's: those crash Python as soon as they
    have attributes (OpenCV 5.0).
    """

    def isOpened(self) -> bool:
        """Tell whether frames can be read."""

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Return (True, uint8 BGR H x W x 3), or (False, anything)."""

    def get(self, prop: int) -> float:
        """Return a property such as `cv2.CAP_PROP_FPS`, 0 or -1 where it is unknown."""

    def set(self, prop: int, value: float) -> bool:
        """Ask for a property; False where the device refuses."""

    def release(self) -> None:
        """Close the device or file."""


class Camera:
    """A camera by its number, device path or URL.

    Attributes: those of `Source`.
    """

    live = True
    count = None
    note = ""

    def __init__(
        self,
        index: int | str = 0,
        size: tuple[int, int] | None = None,
        mirror: bool = False,
        patience: float = 2.0,
        capture: Callable[..., Capture] | None = None,
        fps: float | None = None,
        pixel_format: str | None = None,
        backend: str | None = None,
    ) -> None:
        """Open a camera.

        Args:
            index: 0 is the first one; or a device's path, or the URL of a network camera.
            size: (height, width) to ask for; a camera that cannot takes its nearest.
            mirror: flip left and right, as people are used to see themselves.
            patience: seconds without a frame after which the camera counts as gone.
            capture: what opens the camera; `cv2.VideoCapture` by default.
            fps: frames a second to ask for.
            pixel_format: four characters to ask for, such as "MJPG" (often faster than "YUYV").
            backend: one of `BACKENDS`; by default the system's first.
        """
        if pixel_format is not None and len(pixel_format) != 4:
            raise SeglibError(f"the pixel format is {pixel_format!r}; give four characters: MJPG")
        if backend is not None and backend not in BACKENDS:
            raise SeglibError(f"no backend {backend!r}; choose one of {', '.join(BACKENDS)}")
        self.name = f"camera {index}"
        self._mirror, self._patience = mirror, patience
        with quiet():
            code = () if backend is None else (BACKENDS[backend],)
            self._capture: Capture | None = (capture or cv2.VideoCapture)(index, *code)
        if not self._capture.isOpened():
            self.close()
            raise SeglibError(
                f"no {self.name} can be opened; connect one, allow its use, close other programs "
                "that use it, or give another number"
            )
        # The format first: it decides which sizes and rates there are.
        if pixel_format is not None:
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*pixel_format))
        # One frame of buffer: an older one would be stale before it is looked at.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if size is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])
        if fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, checked_rate(fps))
        self.fps = _rate(self._capture)
        self._count = 0
        self._start = 0.0

    def read(self) -> Frame | None:
        """Return the next frame; it waits until the camera has one."""
        asked = time.monotonic()
        while self._capture is not None:
            with quiet():
                ok, picture = self._capture.read()
            now = time.monotonic()
            if ok and picture is not None and picture.size:
                if not self._count:
                    self._start = now
                frame = Frame(self._count, now - self._start, _rgb(picture, self._mirror))
                self._count += 1
                return frame
            if now - asked > self._patience:
                raise self._gone()
            time.sleep(0.01)
        return None

    def close(self) -> None:
        """Release the camera."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _gone(self) -> SeglibError:
        if not self._count:
            return SeglibError(
                f"{self.name} opens but gives no picture; close other programs that use it or give "
                "another number"
            )
        return SeglibError(
            f"{self.name} gave no picture for {self._patience:g} seconds after frame "
            f"{self._count - 1}; see whether it was unplugged and start again"
        )


class VideoFile:
    """A video file that OpenCV can decode; sound is not read.

    Times are those that the file gives its frames, so a changing rate is kept; where a file gives
    none that rise, they are the frame's number over the rate, and `note` says so. Attributes: those
    of `Source`, and `size`, (height, width) of the first frame.
    """

    live = False

    def __init__(self, path: str | Path, capture: Callable[[str], Capture] | None = None) -> None:
        """Open a file and decode its first frame.

        Args:
            path: the file.
            capture: what opens the file; `cv2.VideoCapture` by default.
        """
        path = Path(path)
        if not path.is_file():
            raise SeglibError(f"there is no video {path}; check the name and the folder")
        self.name, self.note = str(path), ""
        with quiet():
            self._capture: Capture | None = (capture or cv2.VideoCapture)(str(path))
        picture = self._decode() if self._capture.isOpened() else None
        if picture is None:
            self.close()
            raise SeglibError(
                f"{path} cannot be decoded: it is damaged, no video, or in a codec that OpenCV "
                "lacks; convert it, for example with: ffmpeg -i FILE -c:v mpeg4 -q:v 2 NEW.mp4"
            )
        self.fps = _rate(self._capture)
        said = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        # Containers without an index give a guess, which may be negative or absurd.
        self.count = int(said) if 0 < said < 1e8 else None
        self.size = picture.shape[:2]
        self._next: np.ndarray | None = picture
        self._read, self._time = 0, 0.0
        self._first = self._moment()
        self._timed = self._first is not None

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end; `note` says when that came too early."""
        picture = self._next
        if picture is None:
            return None
        frame = Frame(self._read, self._time, _rgb(picture))
        self._read += 1
        self._next = self._decode()
        if self._next is not None:
            self._time = self._following()
        # Counts in files may be off by a few.
        if self._next is None and self.count and self._read < 0.98 * self.count - 2:
            self.note = (
                f"{self.name} announces {self.count} frames, but only {self._read} can be decoded; "
                "the rest is damaged or missing"
            )
        return frame

    def close(self) -> None:
        """Close the file."""
        capture, self._capture, self._next = self._capture, None, None
        if capture is not None:
            capture.release()

    def _moment(self) -> float | None:
        """Return the time that the file gives the frame decoded last, in seconds."""
        said = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        return said / 1000 if math.isfinite(said) and said >= 0 else None

    def _following(self) -> float:
        """Return the time of the frame after the one at `_time`."""
        moment = self._moment() if self._timed else None
        if moment is not None and moment - self._first > self._time:
            return moment - self._first
        if self._timed:
            self._timed = False
            self.note = f"{self.name} gives no rising times; they are taken from its rate"
        return self._time + 1 / self.fps

    def _decode(self) -> np.ndarray | None:
        with quiet():
            ok, picture = self._capture.read() if self._capture is not None else (False, None)
        return picture if ok and picture is not None and picture.size else None


_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_before = 0


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep OpenCV's own lines off the standard error: the caller says it in one sentence.

    Several threads may be in it at once; the last one to leave restores the level.
    """
    global _quiet_depth, _quiet_before
    # Read by OpenCV at its first use of FFmpeg: -8 is FFmpeg's AV_LOG_QUIET.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    logging = getattr(cv2.utils, "logging", cv2)  # before OpenCV 4.13 they stood in cv2 itself
    with _quiet_lock:
        if not _quiet_depth:
            _quiet_before = logging.getLogLevel()
            logging.setLogLevel(0)
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if not _quiet_depth:
                logging.setLogLevel(_quiet_before)


def _rgb(picture: np.ndarray, mirror: bool = False) -> np.ndarray:
    """Turn what a capture gives into our own image: BGR, BGRA, grey, or a camera's raw YUYV."""
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    code = {
        1: cv2.COLOR_GRAY2RGB,
        2: cv2.COLOR_YUV2RGB_YUY2,
        3: cv2.COLOR_BGR2RGB,
        4: cv2.COLOR_BGRA2RGB,
    }.get(channels)
    if code is None or picture.dtype != np.uint8:
        raise SeglibError(
            f"the camera gives {picture.dtype} frames of shape {picture.shape}; ask it for another "
            'format, for example pixel_format="MJPG"'
        )
    image = cv2.cvtColor(np.ascontiguousarray(picture), code)
    return cv2.flip(image, 1) if mirror else image


def _rate(capture: Capture) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    return float(fps) if math.isfinite(fps) and 1 <= fps <= 1000 else USUAL_FPS


def open_source(what: int | str | Path, fps: float = USUAL_FPS, **camera: Any) -> Source:
    """Open a camera by its number, device path or URL, a folder of pictures, or a video file.

    Args:
        what: 0, "0", "/dev/video0", "rtsp://...", a folder or a file.
        fps: the rate of a folder.
        camera: further arguments of `Camera`.
    """
    text = str(what)
    if isinstance(what, int) or (text.isdigit() and not Path(text).exists()):
        return Camera(int(what), **camera)
    if "://" in text or text.startswith("/dev/"):
        return Camera(text, **camera)
    return PictureFolder(what, fps) if Path(what).is_dir() else VideoFile(what)
