"""Frames from a camera or a video file, through OpenCV.

OpenCV's capture stands behind a small interface, so that a test, or another library, can be the
camera. BGR ends here: everything that leaves is RGB.

Chapter: real-time video.
"""

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.video.frames import USUAL_FPS, Frame


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used here.

    A stand-in is a class of its own, not a subclass of OpenCV's: those crash Python as soon as they
    have attributes (OpenCV 5.0). Chapter: real-time video.
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
    """A camera by its number.

    Attributes: those of `Source`. Chapter: real-time video.
    """

    live = True
    count = None
    note = ""

    def __init__(
        self,
        index: int = 0,
        size: tuple[int, int] | None = None,
        mirror: bool = False,
        patience: float = 2.0,
        capture: Callable[[int], Capture] | None = None,
    ) -> None:
        """Open a camera.

        Args:
            index: 0 is the first one.
            size: (height, width) to ask for; a camera that cannot takes its nearest.
            mirror: flip left and right, as people are used to see themselves.
            patience: seconds without a frame after which the camera counts as gone.
            capture: what opens the camera; `cv2.VideoCapture` by default.

        Raises:
            SeglibError: there is no such camera.
        """
        self.name = f"camera {index}"
        self._mirror, self._patience = mirror, patience
        with quiet():
            self._capture: Capture | None = (capture or cv2.VideoCapture)(index)
        if not self._capture.isOpened():
            self.close()
            raise SeglibError(
                f"no {self.name} can be opened; connect one, allow its use, close other programs "
                "that use it, or give another number"
            )
        # One frame of buffer: an older one would be stale before it is looked at.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if size is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])
        self.fps = _rate(self._capture)
        self._count = 0
        self._start = 0.0

    def read(self) -> Frame | None:
        """Return the next frame; it waits until the camera has one.

        Raises:
            SeglibError: the camera gives nothing any more.
        """
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

    Its time is the frame's number over the rate, so a file with changing rates is taken as even.
    Attributes: those of `Source`, and `size`, (height, width) of the first frame. Chapter:
    real-time video.
    """

    live = False

    def __init__(self, path: str | Path, capture: Callable[[str], Capture] | None = None) -> None:
        """Open a file and decode its first frame.

        Args:
            path: the file.
            capture: what opens the file; `cv2.VideoCapture` by default.

        Raises:
            SeglibError: there is no such file, or nothing in it can be decoded.
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
        self._read = 0

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end; `note` says when that came too early."""
        picture = self._next
        if picture is None:
            return None
        frame = Frame(self._read, self._read / self.fps, _rgb(picture))
        self._read += 1
        self._next = self._decode()
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

    Chapter: real-time video.
    """
    global _quiet_depth, _quiet_before
    # Read by OpenCV at its first use of FFmpeg: -8 is FFmpeg's AV_LOG_QUIET.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    logging = cv2.utils.logging
    with _quiet_lock:
        if not _quiet_depth:
            _quiet_before = logging.getLogLevel()
            logging.setLogLevel(logging.LOG_LEVEL_SILENT)
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if not _quiet_depth:
                logging.setLogLevel(_quiet_before)


def _rgb(picture: np.ndarray, mirror: bool = False) -> np.ndarray:
    """Turn what a capture gives into our own image."""
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return cv2.flip(image, 1) if mirror else image


def _rate(capture: Capture) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    return float(fps) if math.isfinite(fps) and 1 <= fps <= 1000 else USUAL_FPS
