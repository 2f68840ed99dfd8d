"""Cleaning a mask: cuts, curves and blurs, then morphology, pieces and holes.

Every function takes a mask of any size as `seglib.images.as_mask` reads it and returns a new
float32 mask of the same height and width, in [0, 1]. Chapter: post-processing.
"""

import functools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_mask

BAND_PIXELS = 120_000
"""Pixels of a photo that are worked on in floating point at a time."""


def in_bands(work: Callable[[slice], Any], height: int, width: int, multiple: int = 1) -> list[Any]:
    """Return what `work` makes of a picture's bands of rows, from top to bottom, on two threads.

    A band has about `BAND_PIXELS` and begins at a multiple of a number. Its floats stay in the
    processor's cache, and those of a photo of 108 megapixels cost megabytes, not gigabytes.
    """
    step = max(1, BAND_PIXELS // (width * multiple)) * multiple
    parts = [slice(top, min(top + step, height)) for top in range(0, height, step)]
    return list(map(work, parts) if len(parts) < 2 else _threads(os.getpid()).map(work, parts))


def threshold(mask: np.ndarray, level: float = 0.5) -> np.ndarray:
    """Return 1 where the mask is at least `level` and 0 elsewhere.

    A hard mask has jagged edges, since it can only follow the pixel grid. The published demos of
    Portrait-Segmentation (anilsathyan7) and mobile_unet_segmentation (rusito-23) cut at 0.5 to 0.8.
    """
    return (as_mask(mask) >= level).astype(np.float32)


def drop_below(mask: np.ndarray, level: float = 0.5) -> np.ndarray:
    """Return 0 where the mask is below `level` and its own value elsewhere (THRESH_TOZERO)."""
    mask = as_mask(mask)
    return np.where(mask >= level, mask, np.float32(0))


def smoothstep(
    mask: np.ndarray, low: float = 0.3, high: float = 0.5, out: np.ndarray | None = None
) -> np.ndarray:
    """Return 0 below `low`, 1 above `high` and the cubic 3t^2 - 2t^3 between.

    It firms up the unsure middle of a soft mask and has slope 0 at both ends, so no edge shows
    where it sets in. Portrait-Segmentation (anilsathyan7) uses 0.3 and 0.5 after a blur. `out`,
    which may be the mask, is written to in place of a new array.
    """
    if not low < high:
        raise SeglibError(f"smoothstep needs low < high, not {low:g} and {high:g}")
    mask = as_mask(mask)
    out = np.empty_like(mask) if out is None else out

    def band(rows: slice) -> None:
        t = mask[rows] - np.float32(low)
        t *= np.float32(1 / (high - low))
        np.clip(t, 0, 1, out=t)
        bend = t * np.float32(-2)
        bend += 3
        t *= t
        np.multiply(t, bend, out=out[rows])

    in_bands(band, *mask.shape)
    return out


def soft_gain(mask: np.ndarray, gain: float = 2.0, power: float = 2.0) -> np.ndarray:
    """Return min(gain * mask, 1) ** power: cheap operations in place of a smoothstep.

    The first Android app of Portrait-Segmentation (anilsathyan7) uses 2 and 2.
    """
    check_number("gain", gain, above=True)
    check_number("power", power, above=True)
    return np.minimum(as_mask(mask) * np.float32(gain), 1) ** np.float32(power)


def stretch(mask: np.ndarray) -> np.ndarray:
    """Return the mask with its smallest value moved to 0 and its largest to 1.

    A mask of one value comes back as it is. The browser demo of Portrait-Segmentation
    (anilsathyan7) does it; where nobody is in the picture, it turns noise into a person.
    """
    mask = as_mask(mask)
    low, high = float(mask.min()), float(mask.max())
    if high - low < 1e-6:
        return mask.copy()
    return ((mask - np.float32(low)) / np.float32(high - low)).clip(0, 1)


def blur(mask: np.ndarray, sigma: float) -> np.ndarray:
    """Return the mask after a Gaussian blur of `sigma` pixels.

    Pixels beyond the frame are taken to be like those at its edge; with zeros there, a person cut
    off by the frame would fade along the bottom.
    """
    mask = as_mask(mask)
    if check_number("sigma", sigma) == 0:
        return mask.copy()
    return cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE).clip(0, 1)


def box_blur(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return the mean over squares of 2 `radius` + 1 pixels a side.

    Its cost does not grow with the radius; its corners show. mobile_unet_segmentation (rusito-23)
    takes 31 x 31 pixels.
    """
    side = 2 * check_number("radius", radius, whole=True) + 1
    return cv2.blur(as_mask(mask), (side, side), borderType=cv2.BORDER_REPLICATE).clip(0, 1)


def dilation(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return the maximum over discs of `radius` pixels: the foreground grows."""
    return _morphology(mask, radius, cv2.MORPH_DILATE)


def opening(mask: np.ndarray, radius: int) -> np.ndarray:
    """Remove bright specks and threads thinner than a disc of `radius` pixels (erode, dilate).

    Soft masks stay soft: minimum and maximum take the place of "and" and "or" (grey morphology).
    """
    return _morphology(mask, radius, cv2.MORPH_OPEN)


def closing(mask: np.ndarray, radius: int) -> np.ndarray:
    """Fill dark holes and gaps narrower than a disc of `radius` pixels (dilate, erode)."""
    return _morphology(mask, radius, cv2.MORPH_CLOSE)


def hysteresis(mask: np.ndarray, low: float = 0.3, high: float = 0.7) -> np.ndarray:
    """Remove regions of at least `low` that nowhere reach `high`; keep the others as they are.

    Two thresholds are safer than one (Canny, PAMI 1986): a faint strand that hangs on to a sure
    region stays, a faint blob on its own goes. Values below `low` go with the region that they lie
    nearest to, so kept edges stay soft and removed blobs leave no ghost.
    """
    if not low <= high:
        raise SeglibError(f"hysteresis needs low <= high, not {low:g} and {high:g}")
    mask = as_mask(mask)
    nearest = _nearest_region(mask, low)
    keep = np.bincount(nearest[mask >= high], minlength=nearest.max() + 1) > 0
    return np.where(keep[nearest], mask, np.float32(0))


def largest_component(mask: np.ndarray, level: float = 0.5) -> np.ndarray:
    """Keep the largest connected region where the mask is at least `level`; set the rest to 0.

    Pixels touch at sides and corners. The soft fringe is shared out as in `hysteresis`. Where
    nothing reaches `level`, the result is all 0.
    """
    mask = as_mask(mask)
    nearest = _nearest_region(mask, level)
    areas = _areas(mask, nearest, level)
    return np.where((nearest == areas.argmax()) & areas.any(), mask, np.float32(0))


def fill_holes(mask: np.ndarray, largest: float = 0.01, level: float = 0.5) -> np.ndarray:
    """Set holes to 1: regions below `level` that do not touch the frame, with their grey rims.

    Not every hole is a mistake, as between an arm and a hip the background shows. So holes of more
    than the fraction `largest` of the picture's area stay (0 fills nothing, 1 every hole).
    """
    check_number("largest, a fraction of the picture,", largest, 1)
    mask = as_mask(mask)
    absent = 1 - mask
    # A pixel exactly at the level belongs to the foreground, here as elsewhere.
    beyond = float(np.nextafter(np.float32(1 - level), np.float32(2)))
    nearest = _nearest_region(absent, beyond)
    keep = _areas(absent, nearest, beyond) > largest * absent.size
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        keep[nearest[edge][absent[edge] >= beyond]] = True
    # Number 0 is given out only where there is no hole at all.
    keep[0] = True
    return np.where(keep[nearest], mask, np.float32(1))


def check_number(
    name: str, value: float, high: float = math.inf, whole: bool = False, above: bool = False
) -> float:
    """Return a number from 0 to `high`, if it is one; `above`: not 0 itself, `whole`: no parts."""
    fits = 0 <= value <= high and value < math.inf and (value > 0 or not above)
    if fits and (not whole or value == int(value)):
        return int(value) if whole else value
    kind = f"{'whole ' if whole else ''}number {'above' if above else 'from'} 0"
    end = "" if high == math.inf else f" to {high:g}"
    raise SeglibError(f"{name} is {value:g}; a {kind}{end} is needed")


def _morphology(mask: np.ndarray, radius: int, operation: int) -> np.ndarray:
    side = 2 * check_number("radius", radius, whole=True) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(as_mask(mask), operation, disc)


def _nearest_region(mask: np.ndarray, level: float) -> np.ndarray:
    """Number every pixel by the region of at least `level` nearest to it, from 1; 0 if none is."""
    outside = (mask < level).astype(np.uint8)
    if outside.all():
        return np.zeros(mask.shape, np.int32)
    kind = cv2.DIST_LABEL_CCOMP
    return cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=kind)[1]


def _areas(mask: np.ndarray, nearest: np.ndarray, level: float) -> np.ndarray:
    return np.bincount(nearest[mask >= level], minlength=nearest.max() + 1)


@functools.cache
def _threads(_process: int) -> ThreadPoolExecutor:
    """Return two threads for each process, since they do not survive a fork."""
    return ThreadPoolExecutor(min(2, os.cpu_count() or 1))


if hasattr(os, "register_at_fork"):
    # OpenCV's own threads do not survive one either, and waiting for them would never end.
    os.register_at_fork(after_in_child=lambda: cv2.setNumThreads(0))
