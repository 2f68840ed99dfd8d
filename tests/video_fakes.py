"""A camera, a network and films that tests can drive."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np


class FakeCamera:
    """What `cv2.VideoCapture` is to seglib, with faults on demand.

    `picture` makes frame i as uint8 BGR, or None for a read that fails; the read of frame `hang_at`
    waits for `go_on`; `times` are the milliseconds that it names for the frames.
    """

    def __init__(
        self,
        picture: Callable[[int], np.ndarray | None],
        opened: bool = True,
        fps: float = 30.0,
        hang_at: int | None = None,
        times: Sequence[float] = (),
    ) -> None:
        self.picture, self.opened, self.fps, self.hang_at = picture, opened, fps, hang_at
        self.times, self.reads, self.released = times, 0, False
        self.asked: dict[int, float] = {}
        self.go_on = threading.Event()

    def __call__(self, *_index: int | str) -> "FakeCamera":
        return self

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        assert not self.released, "a released camera is read"
        if self.reads == self.hang_at:
            self.go_on.wait(30)
        picture = self.picture(self.reads)
        self.reads += 1
        return picture is not None, picture

    def get(self, prop: int) -> float:
        known = {cv2.CAP_PROP_FPS: self.fps, cv2.CAP_PROP_FRAME_COUNT: len(self.times)}
        if self.times:
            known[cv2.CAP_PROP_POS_MSEC] = self.times[min(self.reads, len(self.times)) - 1]
        return known.get(prop, 0.0)

    def set(self, prop: int, value: float) -> bool:
        self.asked[prop] = value
        return True

    def release(self) -> None:
        self.released = True


def numbered(index: int, shape: tuple[int, int] = (24, 32)) -> np.ndarray:
    """A grey picture whose every value is its number, up to 255."""
    return np.full((*shape, 3), index, np.uint8)


def own_number(image: np.ndarray) -> np.ndarray:
    """The mask of a numbered picture: the number as a share of 255, at half the size."""
    return np.full((image.shape[0] // 2, image.shape[1] // 2), image[0, 0, 0] / 255, np.float32)


def shown_number(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A frame whose first channel is the picture's number and whose second is the mask's."""
    frame = image.copy()
    frame[..., 1] = np.rint(mask[0, 0] * 255)
    return frame


def film(path: Path, count: int = 20, shape: tuple[int, int] = (48, 64), fps: float = 25) -> Path:
    """Write a film of a bright square that wanders, by OpenCV, in the codec of the suffix."""
    codec = {".avi": "MJPG", ".webm": "VP80"}.get(path.suffix, "mp4v")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, shape[::-1])
    assert writer.isOpened()
    for index in range(count):
        picture = np.full((*shape, 3), (40, 90, 30), np.uint8)
        left = 4 + index % (shape[1] - 20)
        picture[10:22, left : left + 12] = (200, 60, 250)
        writer.write(picture)
    writer.release()
    return path


def frames_of(path: Path) -> list[np.ndarray]:
    """Decode a film with OpenCV, RGB."""
    reader, found = cv2.VideoCapture(str(path)), []
    while (read := reader.read())[0]:
        found.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return found
