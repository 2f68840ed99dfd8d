"""Scores of one mask against the truth, in NumPy, at the photo's own size.

Contract: `mask` and `truth` are (height, width), values 0..1; both are cut at `threshold` (a value
equal to it counts as the thing). Scores lie in 0..1, 1 is best. Two empty masks agree: 1.

Chapters: dice loss and metrics; evaluation and error analysis.
"""

import cv2
import numpy as np

from seglib.errors import SeglibError


def iou(mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> float:
    """Intersection over union (Jaccard): shared pixels / pixels in either mask."""
    mask, truth = _binary(mask, truth, threshold)
    return _ratio(np.count_nonzero(mask & truth), np.count_nonzero(mask | truth))


def dice(mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> float:
    """Dice (F1): twice the shared pixels / pixels of both masks; 2 IoU / (1 + IoU)."""
    mask, truth = _binary(mask, truth, threshold)
    both = np.count_nonzero(mask) + np.count_nonzero(truth)
    return _ratio(2 * np.count_nonzero(mask & truth), both)


def precision(mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> float:
    """Share of the marked pixels that are right. An empty mask marks nothing wrong: 1."""
    mask, truth = _binary(mask, truth, threshold)
    return _ratio(np.count_nonzero(mask & truth), np.count_nonzero(mask))


def recall(mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> float:
    """Share of the thing's pixels that are marked. An empty truth misses nothing: 1."""
    mask, truth = _binary(mask, truth, threshold)
    return _ratio(np.count_nonzero(mask & truth), np.count_nonzero(truth))


def boundary_iou(
    mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5, width: float = 0.02
) -> float:
    """IoU of the two contours' inner bands (Cheng et al., Boundary IoU, CVPR 2021).

    A big head forgives a ragged edge in plain IoU; here only the edge counts.

    Args:
        mask: predicted probabilities.
        truth: true coverage.
        threshold: cut for both.
        width: the band's width as a share of the picture's diagonal, at least one pixel.
    """
    mask, truth = _binary(mask, truth, threshold)
    pixels = max(1, round(width * float(np.hypot(*mask.shape))))
    mask_band, truth_band = _inner_band(mask, pixels), _inner_band(truth, pixels)
    return _ratio(
        np.count_nonzero(mask_band & truth_band), np.count_nonzero(mask_band | truth_band)
    )


def scores(mask: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """All five scores by name."""
    return {
        score.__name__: score(mask, truth, threshold)
        for score in (iou, dice, precision, recall, boundary_iou)
    }


def reliability(
    mask: np.ndarray, truth: np.ndarray, bins: int = 10, threshold: float = 0.5
) -> np.ndarray:
    """Sort a mask's pixels by value and count how many of each bin are the thing.

    Args:
        mask: predicted probabilities, 0..1, which are not cut here.
        truth: true coverage; it is cut at `threshold`.
        bins: equal steps of the mask value; 1 belongs to the last.
        threshold: cut of the truth.

    Returns:
        float64 (bins, 3): share of the photo's pixels in the bin, their summed values and how many
        of them are the thing, all divided by the photo's pixels. Tables of photos can be averaged.

    Raises:
        SeglibError: the shapes differ, or `bins` is below 1.
    """
    _, inside = _binary(mask, truth, threshold)
    if bins < 1:
        raise SeglibError(f"bins is {bins}; use 1 or more")
    values = np.asarray(mask, float).ravel()
    place = np.clip((values * bins).astype(int), 0, bins - 1)
    columns = (None, values, inside.ravel().astype(float))
    return np.stack([np.bincount(place, c, bins) for c in columns], axis=1) / values.size


def _binary(mask: np.ndarray, truth: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    mask, truth = np.asarray(mask), np.asarray(truth)
    if mask.shape != truth.shape or mask.ndim != 2:
        raise SeglibError(
            f"masks of shapes {mask.shape} and {truth.shape} cannot be compared; "
            "resize the prediction to the truth's height and width first"
        )
    return mask >= threshold, truth >= threshold


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _inner_band(mask: np.ndarray, pixels: int) -> np.ndarray:
    # The border of zeros makes the picture's edge a contour, as in the paper's reference code.
    padded = np.pad(mask.astype(np.uint8), 1)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=pixels)
    return mask & ~eroded[1:-1, 1:-1].astype(bool)
