"""Where frames come from: a camera, a video file, a folder of pictures, memory.

A live source does not wait: who is late misses frames. OpenCV's BGR ends here.
"""

import contextlib
import itertools
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.files import list_files
from seglib.images import as_image, read_image

USUAL_FPS = 30.0  # where a source does not say its rate, or says something impossible
PICTURES = (".jpg", ".jpeg", ".png", ".webp")

BACKENDS = {
    name: getattr(cv2, f"CAP_{name.upper()}")
    for name in ("any", "v4l2", "ffmpeg", "gstreamer", "avfoundation", "dshow", "msmf")
}
"""What OpenCV can open a camera with, by name."""

# What a capture gives, by its number of channels from one on; two are a camera's raw YUYV.
_TO_RGB = (
    cv2.COLOR_GRAY2RGB, cv2.COLOR_YUV2RGB_YUY2, cv2.COLOR_BGR2RGB, cv2.COLOR_BGRA2RGB
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a stream.

    Attributes:
        index: its number at the source, from 0, without gaps.
        time: seconds since the first frame.
        image: uint8 RGB, H x W x 3; nobody writes to it.
        arrived: when it came, by `time.monotonic`.
    """

    index: int
    time: float
    image: np.ndarray
    arrived: float = field(default_factory=time.monotonic)


class Source(Protocol):
    """What `seglib.video.process` reads.

    Attributes:
        name: how messages call it.
        fps: frames a second.
        count: how many frames there will be, or None where nobody knows.
        live: whether frames come by themselves and are lost when nobody takes them.
        note: what went wrong without stopping the stream, or an empty text.
    """

    name: str
    fps: float
    count: int | None = None
    live: bool = False
    note: str = ""

    def read(self) -> Frame | None:
        """Return the next frame, or None after the last one."""

    def close(self) -> None:
        """Let go of the device or file; a second call does nothing."""


class Frames(Source):
    """Pictures in memory, in any form that `seglib.images.as_image` takes."""

    name = "the frames"

    def __init__(self, images: Sequence[np.ndarray], fps: float = USUAL_FPS) -> None:
        """Take pictures and how many of them are seen a second."""
        self.fps, self.count = checked_rate(fps), len(images)
        self._frames = (
            Frame(index, index / self.fps, as_image(image, f"frame {index}"))
            for index, image in enumerate(self._readable(images))
        )

    def read(self) -> Frame | None:
        """Return the next picture, or None at the end."""
        return next(self._frames, None)

    def close(self) -> None:
        """Forget the pictures that are left."""
        self._frames = iter(())

    def _readable(self, images: Sequence[Any]) -> Iterable[Any]:
        return images


class PictureFolder(Frames):
    """The pictures of a folder, in the order of their names, where frame2 comes before frame10.

    A picture that cannot be read is left out, and `note` says so.
    """

    def __init__(self, folder: str | Path, fps: float = USUAL_FPS) -> None:
        """List the JPEG, PNG and WebP files of a folder; folders in it are not searched."""
        files = list_files(folder, PICTURES)
        if not files:
            raise SeglibError(f"{folder} holds no pictures ({', '.join(PICTURES)}); add some")
        super().__init__(sorted(files, key=_natural), fps)
        self.name = str(folder)

    def _readable(self, images: Sequence[Path]) -> Iterator[np.ndarray]:
        errors = []
        for file in images:
            try:
                yield read_image(file)
            except SeglibError as error:
                errors.append(error)
                count = f"{len(errors)} unreadable picture(s)"
                self.note = f"{self.name} has {count}, left out: {errors[0]}"
        if len(errors) == self.count:
            raise SeglibError(f"{self.note}; add pictures that can be read")


class RealTimeSource(Source):
    """Another source at its own pace, as if it were a camera: who is late misses frames."""

    live = True

    def __init__(self, source: Source) -> None:
        """Take over a source that is not live."""
        self._source = source
        self.name, self.fps, self.count = source.name, source.fps, source.count
        self._start: float | None = None

    @property
    def note(self) -> str:
        """What the source says."""
        return self._source.note

    def read(self) -> Frame | None:
        """Return the next frame when its time has come."""
        frame = self._source.read()
        if frame is None:
            return None
        if self._start is None:
            self._start = time.monotonic() - frame.time
        time.sleep(max(0.0, self._start + frame.time - time.monotonic()))
        return replace(frame, arrived=time.monotonic())

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class _Captured(Source):
    """What OpenCV opens."""

    def close(self) -> None:
        """Let go of the camera or file."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _open(self, capture: Callable[..., Any] | None, *what: Any) -> bool:
        with quiet():
            self._capture: Any = (capture or cv2.VideoCapture)(*what)
        return self._capture.isOpened()

    def _decode(self) -> np.ndarray | None:
        """Return the next picture as it comes, or None where there is none now."""
        if self._capture is None:
            return None
        with quiet():
            ok, picture = self._capture.read()
        return picture if ok and picture is not None and picture.size else None

    def _rate(self) -> float:
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        return float(fps) if math.isfinite(fps) and 1 <= fps <= 1000 else USUAL_FPS


class Camera(_Captured):
    """A camera by its number, device path or URL."""

    live = True

    def __init__(
        self,
        index: int | str = 0,
        size: tuple[int, int] | None = None,
        mirror: bool = False,
        patience: float = 2.0,
        capture: Callable[..., Any] | None = None,
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
            capture: what opens the camera instead of `cv2.VideoCapture`, with its `isOpened`,
                `read`, `get`, `set` and `release`, but no subclass (OpenCV 5.0 crashes with those).
            fps: frames a second to ask for.
            pixel_format: four characters to ask for, such as "MJPG" (often faster than "YUYV").
            backend: one of `BACKENDS`; by default the system's first.
        """
        if pixel_format is not None and len(pixel_format) != 4:
            raise SeglibError(f"the pixel format is {pixel_format!r}; give four characters: MJPG")
        if backend is not None and backend not in BACKENDS:
            raise SeglibError(f"no backend {backend!r}; choose one of {', '.join(BACKENDS)}")
        wanted = {
            # The format first: it decides which sizes and rates there are.
            cv2.CAP_PROP_FOURCC: pixel_format and cv2.VideoWriter_fourcc(*pixel_format),
            # One frame of buffer: an older one would be stale before it is looked at.
            cv2.CAP_PROP_BUFFERSIZE: 1,
            cv2.CAP_PROP_FRAME_HEIGHT: size and size[0],
            cv2.CAP_PROP_FRAME_WIDTH: size and size[1],
            cv2.CAP_PROP_FPS: None if fps is None else checked_rate(fps),
        }
        self.name = f"camera {index}"
        self._mirror, self._patience = mirror, patience
        if not self._open(capture, index, *([] if backend is None else [BACKENDS[backend]])):
            self.close()
            raise SeglibError(
                f"no {self.name} can be opened; connect one, allow its use, close other programs "
                "that use it, or give another number"
            )
        for prop, value in wanted.items():
            if value:
                self._capture.set(prop, value)
        self.fps, self._given = self._rate(), 0

    def read(self) -> Frame | None:
        """Return the next frame; it waits until the camera has one."""
        asked = time.monotonic()
        while self._capture is not None:
            picture, now = self._decode(), time.monotonic()
            if picture is not None:
                image = _rgb(picture)
                if not self._given:
                    self._start = now
                self._given += 1
                image = cv2.flip(image, 1) if self._mirror else image
                return Frame(self._given - 1, now - self._start, image)
            if now - asked > self._patience:
                raise SeglibError(
                    f"{self.name} gave no picture for {self._patience:g} seconds after frame "
                    f"{self._given - 1}; see whether it was unplugged and start again"
                    if self._given
                    else f"{self.name} opens but gives no picture; close other programs that use "
                    "it or give another number"
                )
            time.sleep(0.01)
        return None


class VideoFile(_Captured):
    """A video file that OpenCV can decode; sound is not read.

    Times are the file's; where they do not rise, they are taken from its rate, and `note` says so.
    `size` is (height, width) of the first frame.
    """

    def __init__(self, path: str | Path, capture: Callable[[str], Any] | None = None) -> None:
        """Open a file, by `cv2.VideoCapture` or another `capture`, and decode its first frame."""
        if not Path(path).is_file():
            raise SeglibError(f"there is no video {path}; check the name and the folder")
        self.name = str(path)
        first = self._decode() if self._open(capture, self.name) else None
        if first is None:
            self.close()
            raise SeglibError(
                f"{path} cannot be decoded: it is damaged, no video, or in a codec that OpenCV "
                "lacks; convert it, for example with: ffmpeg -i FILE -c:v mpeg4 -q:v 2 NEW.mp4"
            )
        self.fps, self.size = self._rate(), first.shape[:2]
        self._frames = self._all(first)
        said = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        # Containers without an index give a guess, which may be negative or absurd.
        self.count = int(said) if 0 < said < 1e8 else None

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end; `note` says when that came too early."""
        return next(self._frames, None)

    def _all(self, picture: np.ndarray) -> Iterator[Frame]:
        start, time = self._moment(), 0.0
        for index in itertools.count():
            yield Frame(index, time, _rgb(picture))
            picture = self._decode()
            if picture is None:
                break
            moment = None if start is None else self._moment()
            if moment is not None and moment - start > time:
                time = moment - start
                continue
            if start is not None:
                self.note = f"{self.name} gives no rising times; they are taken from its rate"
            start, time = None, time + 1 / self.fps
        # Counts in files may be off by a few.
        if self._capture is not None and index + 1 < 0.98 * (self.count or 0) - 2:
            self.note = (
                f"{self.name} announces {self.count} frames, but only {index + 1} can be decoded; "
                "the rest is damaged or missing"
            )

    def _moment(self) -> float | None:
        """Return the time that the file gives the frame decoded last, in seconds."""
        said = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        return said / 1000 if math.isfinite(said) and said >= 0 else None


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


def checked_rate(fps: float) -> float:
    """Return a rate as a float if it can be one."""
    if not 0 < fps <= 1000:
        raise SeglibError(f"fps is {fps:g}; give frames a second, above 0 and up to 1000")
    return float(fps)


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


def _rgb(picture: np.ndarray) -> np.ndarray:
    """Turn what a capture gives into our own image."""
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    if channels > len(_TO_RGB) or picture.dtype != np.uint8:
        raise SeglibError(
            f"the camera gives {picture.dtype} frames of shape {picture.shape}; ask it for another "
            'format, for example pixel_format="MJPG"'
        )
    return cv2.cvtColor(np.ascontiguousarray(picture), _TO_RGB[channels - 1])


def _natural(file: Path) -> list[int | str]:
    """Order names by the numbers in them."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]
