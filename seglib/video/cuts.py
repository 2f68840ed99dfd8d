"""Where one scene ends and another begins, for networks that read the mask of the frame before.

On the other side of a cut the mask before shows somebody else. A network that was trained with
wrong masks doubts it, but not at once; to forget it costs nothing.

Chapter: real-time video.
"""

from collections.abc import Callable

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.runtime import reset_state

_SIDE = 16


class CutDetector:
    """Tells whether a frame belongs to another scene than the frame before.

    Frames are reduced to a few large cells, in which motion from frame to frame is small and noise
    cancels; the mean brightness is taken out, so that a lamp or the camera's exposure is no cut.
    Histograms, the usual way, do not see where in the picture the colours are. Chapter: real-time
    video.
    """

    def __init__(self, threshold: float = 24.0) -> None:
        """Set what counts as a cut.

        Args:
            threshold: mean absolute difference of the cells, of 255, from which on it is one.

        Raises:
            SeglibError: `threshold` is not above 0.
        """
        if not threshold > 0:
            raise SeglibError(f"threshold is {threshold:g}; give a number above 0")
        self._threshold = threshold
        self.reset()

    def __call__(self, image: np.ndarray) -> bool:
        """Return whether a cut lies before this frame (uint8 RGB); the first one has none."""
        cells = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        cells -= cells.mean()
        before, shape = self._cells, self._shape
        self._cells, self._shape = cells, image.shape
        if before is None:
            return False
        return shape != image.shape or self.distance(cells, before) >= self._threshold

    @staticmethod
    def distance(cells: np.ndarray, before: np.ndarray) -> float:
        """Return the mean absolute difference of two frames' cells, of 255."""
        return float(np.abs(cells - before).mean())

    def reset(self) -> None:
        """Forget the frame before."""
        self._cells: np.ndarray | None = None
        self._shape: tuple[int, ...] | None = None


def for_film(
    segment: Callable[[np.ndarray], np.ndarray], cuts: CutDetector | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """Prepare a segmenter for the frames of one film, in order.

    Where the network reads the mask of the frame before, that mask is forgotten now and at every
    cut; other segmenters are returned as they are. `process` does this by itself.

    Args:
        segment: a `Segmenter`, its `raw`, or a function.
        cuts: how cuts are found; a new `CutDetector` by default.

    Chapter: real-time video.
    """
    if not getattr(getattr(segment, "__self__", segment), "stateful", False):
        return segment
    reset_state(segment)
    found = cuts or CutDetector()

    def watched(image: np.ndarray) -> np.ndarray:
        if found(image):
            reset_state(segment)
        return segment(image)

    return watched
