"""From a photo and its mask to the picture that is shown, with a background that fits any frame.

Chapter: real-time video.
"""

import numpy as np

from seglib.images import as_image
from seglib.postprocess import Pipeline, PostprocessConfig, cover


class Composer:
    """A pipeline with its background: the `compose` of `seglib.video.process`.

    The background is brought to the frame's size once for each size that comes. Chapter: real-time
    video.
    """

    def __init__(
        self, config: PostprocessConfig | None = None, background: np.ndarray | None = None
    ) -> None:
        """Prepare a pipeline.

        Args:
            config: its settings.
            background: uint8 RGB of any size, for the effects "replace" and "clone".

        Raises:
            SeglibError: the background is not an image, is missing or has no use.
        """
        self._pipeline = Pipeline(config)
        self._background = None if background is None else as_image(background, "background")
        self._fitted = self._background
        # Said now, and not by a thread after the camera was opened.
        tiny = np.zeros((2, 2), np.float32)
        self(np.zeros((2, 2, 3), np.uint8), tiny)

    def __call__(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the finished frame, uint8 RGB, H x W x 3.

        Raises:
            SeglibError: not an image or not a mask.
        """
        if self._fitted is not None and self._fitted.shape != image.shape:
            self._fitted = cover(self._background, image.shape[:2])
        return self._pipeline(image, mask, self._fitted)
