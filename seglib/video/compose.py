"""From a photo and its mask to the picture that is shown, with a background that fits any frame."""

from pathlib import Path

import numpy as np

from seglib.images import as_image
from seglib.postprocess import Pipeline, PostprocessConfig, cover
from seglib.video.capture import VideoFile


class VideoBackground:
    """The frames of a video by time; it starts again where it ends."""

    def __init__(self, path: str | Path) -> None:
        """Open the file and decode its first frame."""
        self._path = path
        self._start = 0.0
        self._open()

    def at(self, time: float) -> np.ndarray:
        """Return the frame that is seen `time` seconds after the start, uint8 RGB.

        Times come in order; an earlier one starts the video again.
        """
        if time < self._start + self._now.time:
            self._source.close()
            self._start = time
            self._open()
        while self._next is None or self._start + self._next.time <= time:
            if self._next is None:
                end = self._start + self._now.time + 1 / self._source.fps
                if time < end:
                    break
                self._source.close()
                self._start = end
                self._open()
            else:
                self._now, self._next = self._next, self._source.read()
        return self._now.image

    def _open(self) -> None:
        self._source = VideoFile(self._path)
        self._now = self._source.read()
        self._next = self._source.read()


class Composer:
    """A pipeline with its background: the `compose` of `seglib.video.process`.

    The background is brought to the frame's size once for each size that comes.
    """

    timed = True

    def __init__(
        self,
        config: PostprocessConfig | None = None,
        background: np.ndarray | VideoBackground | None = None,
    ) -> None:
        """Prepare a pipeline.

        Args:
            config: its settings.
            background: uint8 RGB of any size, or a video, for the effects "replace" and "clone".
        """
        self._pipeline = Pipeline(config)
        moves = isinstance(background, VideoBackground)
        self._video = background if moves else None
        self._background = None if background is None or moves else as_image(background)
        self._fitted = self._background
        # Said now, and not by a thread after the camera was opened.
        self(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.float32))

    def __call__(self, image: np.ndarray, mask: np.ndarray, time: float = 0.0) -> np.ndarray:
        """Return the finished frame, uint8 RGB, H x W x 3, with the background of that time."""
        if self._video is not None:
            self._fitted = cover(self._video.at(time), image.shape[:2])
        elif self._fitted is not None and self._fitted.shape != image.shape:
            self._fitted = cover(self._background, image.shape[:2])
        return self._pipeline(image, mask, self._fitted)
