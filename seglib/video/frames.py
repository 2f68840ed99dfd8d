"""A stream of frames: what one is, what gives them, and streams from memory.

A source is read by one thread, one frame after the other, and says three things about itself: how
many frames a second it has, how many in all (None where nobody knows), and whether it is live. A
live source does not wait: who is late misses frames.

Chapter: real-time video.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image

USUAL_FPS = 30.0
"""Taken where a source does not say its rate, or says something impossible."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a stream.

    Attributes:
        index: its number at the source, from 0, without gaps.
        time: seconds since the first frame.
        image: uint8 RGB, H x W x 3; nobody writes to it.
        arrived: when it came, by `time.monotonic`.

    Chapter: real-time video.
    """

    index: int
    time: float
    image: np.ndarray
    arrived: float = field(default_factory=time.monotonic)


class Source(Protocol):
    """What `seglib.video.process` reads. Chapter: real-time video.

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
    """Pictures in memory. Attributes: those of `Source`. Chapter: real-time video."""

    live = False
    note = ""
    name = "the frames"

    def __init__(self, images: Sequence[np.ndarray], fps: float = USUAL_FPS) -> None:
        """Take pictures, uint8 RGB H x W x 3, and a rate.

        Raises:
            SeglibError: `fps` is not above 0.
        """
        self.fps, self.count = checked_rate(fps), len(images)
        self._images, self._next = images, 0

    def read(self) -> Frame | None:
        """Return the next picture, or None at the end.

        Raises:
            SeglibError: the next one is not an image.
        """
        index = self._next
        if index >= len(self._images):
            return None
        self._next += 1
        return Frame(index, index / self.fps, as_image(self._images[index], f"frame {index}"))

    def close(self) -> None:
        """Forget the pictures."""
        self._images = ()


class Paced:
    """Another source at its own pace, as if it were a camera: who is late misses frames.

    Attributes: those of `Source`. Chapter: real-time video.
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
    """Return a rate as a float if it can be one.

    Raises:
        SeglibError: it is not above 0, or above 1000.

    Chapter: real-time video.
    """
    if not 0 < fps <= 1000:
        raise SeglibError(f"fps is {fps:g}; give frames a second, above 0 and up to 1000")
    return float(fps)
