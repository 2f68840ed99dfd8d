"""Masks that do not flicker: averages over time, and what they cost in lag.

Their settings are in seconds and hertz, so they mean the same at any frame rate. The first mask
comes back as it is, and so does the first one after `reset` or of another size.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_mask, resize
from seglib.runtime import reset_state


class Smoother:
    """What steadies masks: called with one after the other, it gives masks of the same size."""

    _mask: np.ndarray | None = None
    _time = 0.0

    def __call__(
        self, mask: np.ndarray, time: float, image: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the steadied mask, float32 in [0, 1], h x w.

        Args:
            mask: float in [0, 1], h x w, the newest.
            time: seconds; later than that of the mask before.
            image: uint8 RGB of any size, for smoothers that look at the picture.
        """
        mask = as_mask(mask)
        # Two frames at one time would divide by zero; clocks may also be set back.
        passed = max(time - self._time, 1e-3)
        if self._mask is None or self._mask.shape != mask.shape:
            self._mask, passed = mask, math.inf
        self._mask, self._time = self._step(mask, passed, image), time
        return self._mask.clip(0, 1)

    def reset(self) -> None:
        """Forget everything: the next mask is a first one."""
        self._mask = None

    def _step(self, mask: np.ndarray, passed: float | None, image: np.ndarray | None) -> np.ndarray:
        """Return what to keep; `passed` is in seconds, infinite where `_mask` is `mask` itself."""
        raise NotImplementedError


class Ema(Smoother):
    """The exponential moving average: takes flicker out everywhere, and makes all of it late."""

    def __init__(self, half_life: float = 0.05) -> None:
        """Set in how many seconds the old result fades by half."""
        self._half_life = _positive("half_life", half_life)

    def _step(self, mask: np.ndarray, passed: float | None, image: np.ndarray | None) -> np.ndarray:
        keep = 0.5 ** (passed / self._half_life)
        return cv2.addWeighted(self._mask, keep, mask, 1 - keep, 0)


class MotionEma(Smoother):
    """An average that lets go where the picture moves.

    Where the picture is as it was the frame before, a change of the mask is flicker and is averaged
    over a long time; where it moves, the new mask is taken.
    """

    def __init__(self, half_life: float = 0.15) -> None:
        """Set in how many seconds the old result fades by half where nothing moves."""
        self._half_life = _positive("half_life", half_life)

    def _step(self, mask: np.ndarray, passed: float | None, image: np.ndarray | None) -> np.ndarray:
        if image is None:
            raise SeglibError("the motion-aware average needs the frame; hand in image=...")
        grey = cv2.cvtColor(resize(image, mask.shape), cv2.COLOR_RGB2GRAY).astype(np.float32)
        # Over a neighbourhood, since noise cancels there and motion does not.
        grey = cv2.GaussianBlur(grey, (0, 0), max(0.8, 0.012 * min(mask.shape)))
        moved = np.abs(grey - (grey if math.isinf(passed) else self._grey))
        # Up to 3 grey levels are noise of the camera; from 12 on only the new mask counts.
        share = ((moved - 3) / 9).clip(0, 1)
        # What moves uncovers what is beside it.
        side = max(3, round(0.03 * min(grey.shape)) | 1)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        keep = 0.5 ** (passed / self._half_life) * (1 - cv2.dilate(share, kernel))
        self._grey = grey
        return keep * self._mask + (1 - keep) * mask


class OneEuro(Smoother):
    """The one-euro filter, a value per pixel: slow changes are averaged long, fast ones hardly.

    The cutoff frequency of a low-pass rises with the speed of the value itself, which is averaged
    too (Casiez, Roussel and Vogel, "1 Euro Filter", CHI 2012).
    """

    def __init__(
        self, min_cutoff: float = 1.0, beta: float = 2.0, speed_cutoff: float = 3.0
    ) -> None:
        """Set the filter.

        Args:
            min_cutoff: hertz; what changes slowly is averaged over about 0.16 / min_cutoff s.
            beta: by how many hertz the cutoff rises where a value crosses 0 to 1 in one second.
            speed_cutoff: hertz, of the average of the speed.
        """
        self._min_cutoff = _positive("min_cutoff", min_cutoff)
        self._speed_cutoff = _positive("speed_cutoff", speed_cutoff)
        if not 0 <= beta < math.inf:
            raise SeglibError(f"beta is {beta:g}; give a number from 0 up")
        self._beta = beta

    def _step(self, mask: np.ndarray, passed: float | None, image: np.ndarray | None) -> np.ndarray:
        if math.isinf(passed):
            self._speed, self._last = np.zeros_like(mask), mask
        speed = (mask - self._last) / np.float32(passed)
        self._speed += _share(self._speed_cutoff, passed) * (speed - self._speed)
        cutoff = self._min_cutoff + self._beta * np.abs(self._speed)
        self._last = mask.copy()
        return self._mask + _share(cutoff, passed) * (mask - self._mask)


class CutDetector:
    """Tells whether a frame belongs to another scene than the frame before.

    Frames are reduced to a few large cells, in which motion from frame to frame is small and noise
    cancels; the mean brightness is taken out, so that a lamp or the camera's exposure is no cut.
    """

    def __init__(self, threshold: float = 24.0) -> None:
        """Set from which mean absolute difference of the cells on, of 255, it is a cut."""
        self._threshold = _positive("threshold", threshold)
        self.reset()

    def __call__(self, image: np.ndarray) -> bool:
        """Return whether a cut lies before this frame (uint8 RGB); the first one has none."""
        cells = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
        cells -= cells.mean()
        before, self._before = self._before, (cells, image.shape)
        if before is None:
            return False
        return before[1] != image.shape or np.abs(cells - before[0]).mean() >= self._threshold

    def reset(self) -> None:
        """Forget the frame before."""
        self._before: tuple[np.ndarray, tuple[int, ...]] | None = None


def for_video(
    segment: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray], np.ndarray]:
    """Prepare a `Segmenter`, its `raw` or a function for the frames of one video, in order.

    Where the network reads the mask of the frame before, that mask is forgotten now and at every
    cut; other segmenters are returned as they are. `process` does this by itself.
    """
    if not getattr(getattr(segment, "__self__", segment), "stateful", False):
        return segment
    reset_state(segment)
    is_cut = CutDetector()

    def watched(image: np.ndarray) -> np.ndarray:
        if is_cut(image):
            reset_state(segment)
        return segment(image)

    return watched


SMOOTHERS = {"ema": Ema, "motion": MotionEma, "one-euro": OneEuro}
"""Name -> smoother with its usual settings."""


def smoother(name: str) -> Smoother | None:
    """Return a new smoother by its name, or None for "none"."""
    if name not in ("none", *SMOOTHERS):
        raise SeglibError(f"there is no smoother {name!r}; choose none or {', '.join(SMOOTHERS)}")
    return None if name == "none" else SMOOTHERS[name]()


def _share(cutoff: np.ndarray | float, passed: float) -> np.ndarray | np.float32:
    """Return the new value's weight in a low-pass of the first order."""
    return np.float32(1) / (1 + np.float32(1 / (2 * math.pi * passed)) / np.float32(cutoff))


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise SeglibError(f"{name} is {value:g}; give a number above 0")
    return value
