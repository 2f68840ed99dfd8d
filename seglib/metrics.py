"""Scores of one mask against the ground truth, in NumPy, at the photo's own size.

`mask` and `truth` are masks of one size (see `seglib.images.as_mask`); both are cut at `threshold`,
where a value equal to it counts as foreground. Scores lie in 0..1, 1 is best. Two empty masks
agree: 1.

Chapters: dice loss and metrics; evaluation and error analysis.
"""

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_mask

__all__ = ["iou", "dice", "precision", "recall", "boundary_iou", "scores", "reliability"]


def iou(mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> float:
    """Intersection over union (Jaccard): shared pixels / pixels in either mask."""
    mask, truth = _binary(mask, truth, threshold)
    return _ratio(mask & truth, mask | truth)


def dice(mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> float:
    """Dice (F1): twice the shared pixels / pixels of both masks; 2 IoU / (1 + IoU)."""
    overlap = iou(mask, truth, threshold)
    return 2 * overlap / (1 + overlap)


def precision(mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> float:
    """Fraction of the marked pixels that are right. An empty mask marks nothing wrong: 1."""
    mask, truth = _binary(mask, truth, threshold)
    return _ratio(mask & truth, mask)


def recall(mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> float:
    """Fraction of the foreground that is marked. An empty truth misses nothing: 1."""
    return precision(truth, mask, threshold)


def boundary_iou(
    mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5, width: float = 0.02
) -> float:
    """IoU of the two contours' inner bands (Cheng et al., Boundary IoU, CVPR 2021).

    A big head forgives a ragged edge in plain IoU; here only the edge counts. The bands are `width`
    of the picture's diagonal wide, at least one pixel.
    """
    mask, truth = _binary(mask, truth, threshold)
    pixels = max(1, round(width * float(np.hypot(*mask.shape))))
    mask, truth = _inner_band(mask, pixels), _inner_band(truth, pixels)
    return _ratio(mask & truth, mask | truth)


def scores(mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """All five scores by name."""
    mask, truth = _binary(mask, truth, threshold)
    return {
        score.__name__: score(mask, truth)
        for score in (iou, dice, precision, recall, boundary_iou)
    }


def reliability(
    mask: np.ndarray, truth: np.ndarray, bins: int = 10, threshold: float = 0.5
) -> np.ndarray:
    """Sort a mask's pixels by value and count how many of each bin are foreground.

    Args:
        mask: predicted probabilities, which are not cut here.
        truth: true coverage; it is cut at `threshold`.
        bins: equal steps of the mask value; 1 belongs to the last.
        threshold: cut of the truth.

    Returns:
        float64 (bins, 3): fraction of the photo's pixels in the bin, their summed values and how
        many of them are foreground, all divided by the photo's pixels. Tables can be averaged.
    """
    _, inside = _binary(mask, truth, threshold)
    if bins < 1:
        raise SeglibError(f"bins is {bins}; use 1 or more")
    values = as_mask(mask).ravel().astype(float)
    place = np.clip((values * bins).astype(int), 0, bins - 1)
    columns = (None, values, inside.ravel().astype(float))
    return np.stack([np.bincount(place, c, bins) for c in columns], axis=1) / values.size


def _binary(mask: np.ndarray, truth: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    mask, truth = as_mask(mask), as_mask(truth, "truth")
    if mask.shape != truth.shape:
        raise SeglibError(
            f"masks of shapes {mask.shape} and {truth.shape} cannot be compared; "
            "resize the prediction to the truth's height and width first"
        )
    return mask >= threshold, truth >= threshold


def _ratio(part: np.ndarray, whole: np.ndarray) -> float:
    pixels = np.count_nonzero(whole)
    return np.count_nonzero(part) / pixels if pixels else 1.0


def _inner_band(mask: np.ndarray, pixels: int) -> np.ndarray:
    # The border of zeros makes the picture's edge a contour, as in the paper's reference code.
    padded = np.pad(mask.astype(np.uint8), 1)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=pixels)
    return mask & ~eroded[1:-1, 1:-1].astype(bool)
