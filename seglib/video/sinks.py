"""Where finished frames go: a video file, a folder, memory, a virtual camera, a window.

A sink is written to by the thread that called `seglib.video.process`: windows belong to it.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.files import atomic_path, new_folder
from seglib.images import as_image, resize
from seglib.video.sources import USUAL_FPS, checked_rate, quiet

CODECS = dict.fromkeys((".mp4", ".m4v", ".mov", ".mkv"), "mp4v") | {".avi": "MJPG", ".webm": "VP80"}
"""Which codec a suffix stands for: those that every build of OpenCV with FFmpeg can write."""


class Sink(Protocol):
    """What `seglib.video.process` writes to."""

    def write(self, picture: np.ndarray, time: float | None = None) -> bool:
        """Take a picture, uint8 RGB, H x W x 3, and its time in s; False asks for the end."""

    def close(self) -> None:
        """Finish: what was written is kept."""

    def abort(self) -> None:
        """Give up: a half-written result disappears."""
        self.close()


class VideoWriter(Sink):
    """A video file, written under another name and renamed when whole.

    The first picture decides about the size (even numbers, which codecs ask for); later ones of
    another size are fitted into it. Where pictures come with their times, the one before is
    repeated over a gap, and one that comes too soon is left out, so that the film lasts as long as
    what it shows: `count` frames are written and `skipped` left out. `note` says what is missing.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float = USUAL_FPS,
        codec: str | None = None,
        sound_from: str | Path | None = None,
    ) -> None:
        """Prepare a file.

        Args:
            path: the file; its suffix chooses the container and, by `CODECS`, the codec.
            fps: frames a second.
            codec: another codec, as four characters such as "MJPG".
            sound_from: a file whose sound is taken over, where `ffmpeg` is at hand.
        """
        self.path = Path(path)
        self._fps = checked_rate(fps)
        suffix = self.path.suffix.lower()
        if suffix not in CODECS:
            raise SeglibError(f"cannot write {path}; its name must end in {', '.join(CODECS)}")
        self._codec = codec or CODECS[suffix]
        if len(self._codec) != 4 or not self._codec.isascii():
            raise SeglibError(f"the codec is {codec!r}; four characters such as MJPG are expected")
        self.count = self.skipped = 0
        self.note, self._sound_from = "", sound_from
        self._writer: cv2.VideoWriter | None = None
        self._start: float | None = None
        self._file = contextlib.ExitStack()
        self._temporary = self._file.enter_context(atomic_path(self.path))

    def write(self, picture: np.ndarray, time: float | None = None) -> bool:
        """Add a picture that is seen from `time` on; without one it follows the one before."""
        if np.ndim(picture) == 3 and np.shape(picture)[2] == 4:
            raise SeglibError(
                f"{self.path} cannot keep transparency; write the frames to a folder (PNG) instead"
            )
        picture = as_image(picture, "frame")
        if self._writer is None:
            self._open(picture.shape)
        if time is not None:
            if self._start is None:
                self._start = time - self.count / self._fps
            place = round((time - self._start) * self._fps)
            if place < self.count:
                self.skipped += 1
                return True
            while self.count < place:
                self._add()
        self._last = cv2.cvtColor(fit(picture, self._size), cv2.COLOR_RGB2BGR)
        self._add()
        return True

    def close(self) -> None:
        """Finish the file and give it its name."""
        if not self.count:
            self.abort()
            raise SeglibError(f"{self.path} was not written, since there was no frame to write")
        self._writer.release()
        # OpenCV does not say that a write failed, so what was written is looked at.
        with quiet():
            written = cv2.VideoCapture(str(self._temporary))
            frames = written.get(cv2.CAP_PROP_FRAME_COUNT) if written.isOpened() else 0
            written.release()
        if frames < 0.98 * self.count - 1:
            self.abort()
            raise SeglibError(
                f"{self.path} was not written, since the disk or the codec lost frames; free some "
                "space, or choose another folder or codec"
            )
        if self._sound_from is not None:
            self._add_sound()
        if self.skipped:
            self.note += f"{self.skipped} frames came faster than {self._fps:g} a second and are "
            self.note += "left out; give a higher rate to keep them. "
        self._file.close()

    def abort(self) -> None:
        """Remove what was written; a file that stood at the path before is still there."""
        if self._writer is not None:
            self._writer.release()
        _give_up(self._file)

    def _open(self, shape: tuple[int, ...]) -> None:
        self._size = tuple(max(2, side - side % 2) for side in shape[:2])
        code = cv2.VideoWriter_fourcc(*self._codec)
        with quiet():
            writer = cv2.VideoWriter(str(self._temporary), code, self._fps, self._size[::-1])
        if not writer.isOpened():
            raise SeglibError(
                f"cannot write {self.path} in the codec {self._codec}; leave the codec out, or "
                "choose a name that ends in .avi"
            )
        self._writer = writer

    def _add(self) -> None:
        with quiet():
            self._writer.write(self._last)
        self.count += 1

    def _add_sound(self) -> None:
        """Copy the other file's sound into what was written; without ffmpeg say so."""
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            self.note = f"{self.path} has no sound, since ffmpeg is not installed. "
            return
        joined = self._temporary.with_name(f".sound-{self._temporary.name}")
        command = [ffmpeg, "-y", "-loglevel", "error", "-i", self._temporary, "-i"]
        command += [self._sound_from, "-map", "0:v", "-map", "1:a?", "-c:v", "copy", "-shortest"]
        try:
            done = subprocess.run(
                [*command, joined], capture_output=True, encoding="utf-8", errors="replace"
            )
            if done.returncode == 0:
                os.replace(joined, self._temporary)
            else:
                said = " ".join(done.stderr.split())[-200:]
                self.note = f"{self.path} is without sound, since ffmpeg failed: {said}. "
        finally:
            joined.unlink(missing_ok=True)


class FolderSink(Sink):
    """A new folder of PNG files, whole or absent: frame_000000.png on; transparency is kept."""

    def __init__(self, folder: str | Path) -> None:
        """Prepare a folder of that name, which must not exist yet."""
        self.count = 0
        self._file = contextlib.ExitStack()
        self._folder = self._file.enter_context(new_folder(folder))

    def write(self, picture: np.ndarray, time: float | None = None) -> bool:
        """Add a picture, uint8 RGB or RGBA."""
        if np.ndim(picture) == 3 and np.shape(picture)[2] == 4:
            coded = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGBA2BGRA)
        else:
            coded = cv2.cvtColor(as_image(picture, "frame"), cv2.COLOR_RGB2BGR)
        path = self._folder / f"frame_{self.count:06d}.png"
        path.write_bytes(cv2.imencode(".png", coded)[1].tobytes())
        self.count += 1
        return True

    def close(self) -> None:
        """Give the folder its name."""
        self._file.close()

    def abort(self) -> None:
        """Remove what was written."""
        _give_up(self._file)


class ListSink(Sink):
    """Pictures kept in memory: `pictures` is the list."""

    def __init__(self) -> None:
        """Start empty."""
        self.pictures: list[np.ndarray] = []

    def write(self, picture: np.ndarray, time: float | None = None) -> bool:
        """Add a picture."""
        self.pictures.append(picture)
        return True


class MultiSink(Sink):
    """Several sinks as one; the first that has had enough ends the run."""

    def __init__(self, *sinks: Sink) -> None:
        """Join sinks."""
        self._sinks = sinks

    @property
    def note(self) -> str:
        """What the sinks say."""
        return "".join(getattr(sink, "note", "") for sink in self._sinks)

    def write(self, picture: np.ndarray, time: float | None = None) -> bool:
        """Hand a picture to all of them."""
        # A list, since all() over a generator would leave out those after the first refusal.
        return all([sink.write(picture, time) for sink in self._sinks])

    def close(self) -> None:
        """Finish all, even where one of them fails."""
        self._all(lambda sink: sink.close())

    def abort(self) -> None:
        """Give all up."""
        self._all(lambda sink: sink.abort())

    def _all(self, end: Callable[[Sink], None]) -> None:
        with contextlib.ExitStack() as stack:
            for sink in self._sinks:
                stack.callback(end, sink)


class VirtualCamera(Sink):
    """A camera that other programs can choose, through `pyvirtualcam` (tried with a stand-in only).

    It needs a driver: v4l2loopback on Linux, OBS on macOS and Windows.
    """

    def __init__(self, fps: float = USUAL_FPS) -> None:
        """Open nothing yet: the first picture decides about the size."""
        try:
            import pyvirtualcam
        except ImportError as error:
            raise SeglibError("a virtual camera needs pyvirtualcam; pip install it") from error
        self._open, self._fps = pyvirtualcam.Camera, checked_rate(fps)
        self._camera: Any = None

    def write(self, picture: np.ndarray, time: float | None = None) -> bool:
        """Send a picture."""
        picture = as_image(picture, "frame")
        if self._camera is None:
            try:
                self._camera = self._open(picture.shape[1], picture.shape[0], self._fps)
            except RuntimeError as error:
                raise SeglibError(f"no virtual camera can be opened: {error}") from error
        self._camera.send(fit(picture, (self._camera.height, self._camera.width)))
        return True

    def close(self) -> None:
        """Let go of the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()


class Window(Sink):
    """A window on the screen; the key q, Escape or closing it ends the run."""

    def __init__(self, title: str = "seglib") -> None:
        """Open nothing yet: the first picture does."""
        if not has_display():
            raise SeglibError(
                "there is no display for a window here; write a video file instead (--output)"
            )
        self._title = title
        self._open = False

    def write(self, picture: np.ndarray, time: float | None = None) -> bool:
        """Show a picture; False once the user has had enough."""
        if self._open and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            return False
        picture = as_image(picture, "frame")
        if not self._open:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL)
            cv2.resizeWindow(self._title, picture.shape[1], picture.shape[0])
            self._open = True
        cv2.imshow(self._title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF not in (ord("q"), 27)

    def close(self) -> None:
        """Close the window."""
        # Nobody minds where it was never opened.
        with contextlib.suppress(cv2.error):
            cv2.destroyWindow(self._title)


def has_display() -> bool:
    """Tell whether a window can be opened here."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return False
    # Asked in another process: Qt ends the whole process where the display does not answer.
    code = "import cv2; cv2.namedWindow('seglib'); cv2.destroyAllWindows()"
    try:
        asked = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def fit(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring a picture to (height, width) without changing its proportions, with black borders.

    A difference of one pixel is cut off, not scaled.
    """
    height, width = size
    rows, columns = picture.shape[:2]
    if 0 <= rows - height <= 1 and 0 <= columns - width <= 1:
        return picture[:height, :width]
    scale = min(height / rows, width / columns)
    inner = max(1, round(rows * scale)), max(1, round(columns * scale))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    sides = top, height - inner[0] - top, left, width - inner[1] - left
    return cv2.copyMakeBorder(resize(picture, inner), *sides, cv2.BORDER_CONSTANT)


def _give_up(file: contextlib.ExitStack) -> None:
    """Leave a half-written file or folder behind, which is removed then."""
    with contextlib.suppress(SeglibError):
        file.__exit__(SeglibError, SeglibError("given up"), None)
