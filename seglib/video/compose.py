"""From a photo and its mask to the picture that is shown, with a background that fits any frame."""

from pathlib import Path

import numpy as np

from seglib.images import as_image
from seglib.postprocess import Pipeline, PostprocessConfig, cover
from seglib.video.sources import VideoFile


class VideoBackground:
    """The frames of a video by time; it starts again where it ends."""

    def __init__(self, path: str | Path) -> None:
        """Open the file and decode its first frame."""
        self._path = path
        self._open(0.0)

    def at(self, time: float) -> np.ndarray:
        """Return the frame that is seen `time` seconds after the start, uint8 RGB.

        Times come in order; an earlier one starts the video again.
        """
        if time < self._start + self._now.time:
            self._open(time)
        while self._until <= time:
            if self._next is None:
                self._open(self._until)
            else:
                self._step()
        return self._now.image

    def _open(self, start: float) -> None:
        if hasattr(self, "_source"):
            self._source.close()
        self._source, self._start = VideoFile(self._path), start
        self._next = self._source.read()
        self._step()

    def _step(self) -> None:
        self._now, self._next = self._next, self._source.read()
        last = self._start + self._now.time + 1 / self._source.fps
        self._until = last if self._next is None else self._start + self._next.time


class Composer:
    """A pipeline with its background: the `compose` of `seglib.video.process`."""

    timed = True

    def __init__(
        self,
        config: PostprocessConfig | None = None,
        background: np.ndarray | VideoBackground | None = None,
    ) -> None:
        """Prepare a pipeline; its effects "replace" and "clone" need a background of any size."""
        self._pipeline = Pipeline(config)
        moves = background is None or isinstance(background, VideoBackground)
        self._background = background if moves else as_image(background)
        self._fitted: np.ndarray | None = None
        # What is wrong is said now, and not by a thread after the camera was opened.
        self(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.float32))

    def __call__(self, image: np.ndarray, mask: np.ndarray, time: float = 0.0) -> np.ndarray:
        """Return the finished frame, uint8 RGB, H x W x 3, with the background of that time."""
        if isinstance(self._background, VideoBackground):
            self._fitted = cover(self._background.at(time), image.shape[:2])
        elif self._background is not None and np.shape(self._fitted) != image.shape:
            # Once for each size that comes.
            self._fitted = cover(self._background, image.shape[:2])
        return self._pipeline(image, mask, self._fitted)
