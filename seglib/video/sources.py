"""Where frames come from: memory or a folder of pictures; `capture` has files and cameras.

A source is read by one thread, one frame after the other, and says three things about itself: how
many frames a second it has, how many in all (None where nobody knows), and whether it is live. A
live source does not wait: who is late misses frames.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from seglib.errors import SeglibError
from seglib.files import list_files
from seglib.images import as_image, read_image

USUAL_FPS = 30.0
"""Taken where a source does not say its rate, or says something impossible."""

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
"""Suffixes of the files that a folder is searched for."""


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
        count: how many frames there will be, or None.
        live: whether frames come by themselves and are lost when nobody takes them.
        note: what went wrong without stopping the stream, or an empty text.
    """

    name: str
    fps: float
    count: int | None
    live: bool
    note: str

    def read(self) -> Frame | None:
        """Return the next frame, or None after the last one."""

    def close(self) -> None:
        """Let go of the device or file; a second call does nothing."""


class Frames:
    """Pictures in memory. Attributes: those of `Source`."""

    live = False
    note = ""
    name = "the frames"

    def __init__(self, images: Sequence[np.ndarray], fps: float = USUAL_FPS) -> None:
        """Take pictures, uint8 RGB H x W x 3, and a rate."""
        self.fps, self.count = checked_rate(fps), len(images)
        self._images, self._next = images, 0

    def read(self) -> Frame | None:
        """Return the next picture, or None at the end."""
        index = self._next
        if index >= len(self._images):
            return None
        self._next += 1
        return Frame(index, index / self.fps, as_image(self._images[index], f"frame {index}"))

    def close(self) -> None:
        """Forget the pictures."""
        self._images = ()


class RealTimeSource:
    """Another source at its own pace, as if it were a camera: who is late misses frames.

    Attributes: those of `Source`.
    """

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


def checked_rate(fps: float) -> float:
    """Return a rate as a float if it can be one."""
    if not 0 < fps <= 1000:
        raise SeglibError(f"fps is {fps:g}; give frames a second, above 0 and up to 1000")
    return float(fps)


class PictureFolder:
    """The pictures of a folder, in the order of their names, where frame2 comes before frame10.

    A picture that cannot be read is left out, and `note` says so. Attributes: those of `Source`.

    """

    live = False

    def __init__(self, folder: str | Path, fps: float = USUAL_FPS) -> None:
        """List a folder.

        Args:
            folder: where JPEG, PNG or WebP files lie; folders in it are not searched.
            fps: at how many a second they are to be shown.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise SeglibError(f"there is no folder {folder}; give one with pictures")
        files = list_files(folder, PICTURES)
        if not files:
            raise SeglibError(f"{folder} holds no pictures ({', '.join(PICTURES)}); add some")
        self.name, self.note = str(folder), ""
        self.fps, self.count = checked_rate(fps), len(files)
        self._files = sorted(files, key=_natural)
        self._place = self._given = self._broken = 0
        self._first = ""

    def read(self) -> Frame | None:
        """Return the next picture, or None at the end."""
        while self._place < len(self._files):
            file = self._files[self._place]
            self._place += 1
            try:
                image = read_image(file)
            except SeglibError as error:
                self._broken += 1
                self._first = self._first or str(error)
                self.note = (
                    f"{self.name} has {self._broken} unreadable picture(s), left out: {self._first}"
                )
                continue
            self._given += 1
            return Frame(self._given - 1, (self._given - 1) / self.fps, image)
        if not self._given:
            raise SeglibError(f"{self.note}; add pictures that can be read")
        return None

    def close(self) -> None:
        """Forget the files that are left."""
        self._files = self._files[: self._place]


def _natural(file: Path) -> list[tuple[int, str]]:
    """Order names by the numbers in them."""
    return [
        (int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", file.name)
    ]
