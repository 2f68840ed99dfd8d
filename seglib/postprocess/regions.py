"""Cleaning a mask by regions: morphology, pieces and holes.

Every function takes a mask of any size, float in [0, 1], height x width, and returns a new float32
mask of the same size in [0, 1].

Chapter: post-processing.
"""

from collections.abc import Callable

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_mask
from seglib.postprocess.bands import bands
from seglib.postprocess.masks import check_radius


def erosion(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return the minimum over discs of `radius` pixels: the thing grows smaller.

    Chapter: post-processing.
    """
    return _morphology(mask, radius, cv2.MORPH_ERODE)


def dilation(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return the maximum over discs of `radius` pixels: the thing grows larger.

    Chapter: post-processing.
    """
    return _morphology(mask, radius, cv2.MORPH_DILATE)


def opening(mask: np.ndarray, radius: int) -> np.ndarray:
    """Remove bright specks and threads thinner than a disc of `radius` pixels (erode, dilate).

    Works on soft masks as well as on hard ones: minimum and maximum take the place of "and" and
    "or" (grey morphology). Chapter: post-processing.
    """
    return _morphology(mask, radius, cv2.MORPH_OPEN)


def closing(mask: np.ndarray, radius: int) -> np.ndarray:
    """Fill dark holes and gaps narrower than a disc of `radius` pixels (dilate, erode).

    Works on soft masks as well as on hard ones. Chapter: post-processing.
    """
    return _morphology(mask, radius, cv2.MORPH_CLOSE)


def hysteresis(mask: np.ndarray, low: float = 0.3, high: float = 0.7) -> np.ndarray:
    """Remove regions of at least `low` that nowhere reach `high`; keep the others as they are.

    Two thresholds are safer than one (Canny, PAMI 1986): a faint strand that hangs on to a sure
    region stays, a faint blob on its own goes. As in `largest_component`, values below `low` go
    with the region that they lie nearest to, so kept edges stay soft and removed blobs leave no
    ghost. Chapter: post-processing.

    Raises:
        SeglibError: not a mask, or `low` is above `high`.
    """
    if not low <= high:
        raise SeglibError(f"hysteresis needs low <= high, not {low:g} and {high:g}")
    mask = as_mask(mask)

    def sure(nearest: np.ndarray, count: int) -> np.ndarray:
        return np.bincount(nearest[mask >= high], minlength=count) > 0

    return np.where(_kept(mask, low, sure), mask, np.float32(0))


def largest_component(mask: np.ndarray, level: float = 0.5) -> np.ndarray:
    """Keep the largest connected region where `mask` is at least `level`; set the rest to 0.

    Pixels touch at sides and corners. The soft fringe is shared out: a pixel below `level`
    goes with the region it lies nearest to, so the kept region keeps its soft edge and a removed
    one leaves no ghost. Where nothing reaches `level`, the result is all 0.
    Chapter: post-processing.
    """
    mask = as_mask(mask)

    def largest(nearest: np.ndarray, count: int) -> np.ndarray:
        return np.arange(count) == _areas(mask, nearest, count, level).argmax()

    return np.where(_kept(mask, level, largest), mask, np.float32(0))


def fill_holes(mask: np.ndarray, largest: float = 0.01, level: float = 0.5) -> np.ndarray:
    """Set holes to 1: regions below `level` that do not touch the frame.

    Not every hole is a mistake, as between an arm and a hip the background shows. So holes of more
    than the share `largest` of the picture stay. The values around a filled hole go with it, so no
    grey ring remains. Chapter: post-processing.

    Args:
        mask: float, H x W, in [0, 1].
        largest: share of the picture's area, 0 (fill nothing) to 1 (fill every hole).
        level: what is below it is a hole.

    Raises:
        SeglibError: not a mask, or `largest` is no share.
    """
    if not 0 <= largest <= 1:
        raise SeglibError(f"largest is {largest:g}; a share of the picture, 0 to 1, is expected")
    mask = as_mask(mask)
    absent = 1 - mask
    # A pixel exactly at the level belongs to the thing, here as elsewhere.
    beyond = float(np.nextafter(np.float32(1 - level), np.float32(2)))

    def open_or_large(nearest: np.ndarray, count: int) -> np.ndarray:
        keep = _areas(absent, nearest, count, beyond) > largest * absent.size
        for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
            keep[nearest[edge][absent[edge] >= beyond]] = True
        return keep

    return np.where(_kept(absent, beyond, open_or_large), mask, np.float32(1))


def _kept(
    mask: np.ndarray, level: float, choose: Callable[[np.ndarray, int], np.ndarray]
) -> np.ndarray:
    """Return where the regions of at least `level` lie that `choose` keeps, fringe and all.

    `choose` is given for each pixel the number of the region nearest to it (regions count from 1)
    and how many numbers there are, and returns for each number whether it stays.
    """
    outside = (mask < level).astype(np.uint8)
    if outside.all():
        return np.zeros(mask.shape, bool)
    _, nearest = cv2.distanceTransformWithLabels(
        outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    return choose(nearest, int(nearest.max()) + 1)[nearest]


def _areas(mask: np.ndarray, nearest: np.ndarray, count: int, level: float) -> np.ndarray:
    """Return each region's number of pixels of at least `level`."""
    areas = np.zeros(count, np.int64)
    for rows in bands(*mask.shape):
        areas += np.bincount(nearest[rows][mask[rows] >= level], minlength=count)
    return areas


def _morphology(mask: np.ndarray, radius: int, operation: int) -> np.ndarray:
    mask = as_mask(mask)
    side = 2 * check_radius(radius) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(mask, operation, disc)
