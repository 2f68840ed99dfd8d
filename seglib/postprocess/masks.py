"""Cleaning a mask value by value: cuts, curves and blurs.

Every function takes a mask of any size, float in [0, 1], height x width, and returns a new float32
mask of the same size in [0, 1].

Chapter: post-processing.
"""

import math

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_mask
from seglib.postprocess.bands import bands


def threshold(mask: np.ndarray, level: float = 0.5) -> np.ndarray:
    """Return 1 where `mask` is at least `level` and 0 elsewhere, as float32, H x W.

    A hard mask has jagged edges, since it can only follow the pixel grid. The published demos of
    Portrait-Segmentation (anilsathyan7) and mobile_unet_segmentation (rusito-23) cut at 0.5, 0.7 or
    0.8. Chapter: post-processing.
    """
    return (as_mask(mask) >= level).astype(np.float32)


def drop_below(mask: np.ndarray, level: float = 0.5) -> np.ndarray:
    """Return 0 where `mask` is below `level` and the mask's own value elsewhere.

    OpenCV calls it THRESH_TOZERO; the second Android app of Portrait-Segmentation (anilsathyan7)
    puts it on a slider, 0.5 at first. Chapter: post-processing.
    """
    mask = as_mask(mask)
    return np.where(mask >= level, mask, np.float32(0))


def smoothstep(mask: np.ndarray, low: float = 0.3, high: float = 0.5) -> np.ndarray:
    """Return `mask` with 0 below `low`, 1 above `high` and the cubic 3t^2 - 2t^3 between.

    It firms up the unsure middle of a soft mask and has slope 0 at both ends, so no edge shows
    where it sets in. Portrait-Segmentation (anilsathyan7) uses 0.3 and 0.5 after a blur.
    Chapter: post-processing.

    Raises:
        SeglibError: not a mask, or `low` is not below `high`.
    """
    if not low < high:
        raise SeglibError(f"smoothstep needs low < high, not {low:g} and {high:g}")
    mask = as_mask(mask)
    result = np.empty_like(mask)
    for rows in bands(*mask.shape):
        t = ((mask[rows] - np.float32(low)) / np.float32(high - low)).clip(0, 1)
        result[rows] = t * t * (3 - 2 * t)
    return result


def soft_gain(mask: np.ndarray, gain: float = 2.0, power: float = 2.0) -> np.ndarray:
    """Return min(gain * mask, 1) ** power: a curve of cheap operations, like a smoothstep.

    The first Android app of Portrait-Segmentation (anilsathyan7) uses 2 and 2. Chapter:
    post-processing.

    Raises:
        SeglibError: not a mask, or gain or power is not above 0.
    """
    for name, value in (("gain", gain), ("power", power)):
        if not 0 < value < math.inf:
            raise SeglibError(f"{name} is {value:g}; a number above 0 is expected")
    mask = as_mask(mask)
    return np.minimum(mask * np.float32(gain), 1) ** np.float32(power)


def stretch(mask: np.ndarray) -> np.ndarray:
    """Return the mask with its smallest value moved to 0 and its largest to 1.

    A mask of one value comes back as it is. The browser demo of Portrait-Segmentation
    (anilsathyan7) stretches after its blur; where nobody is in the picture, that turns noise into
    a person. Chapter: post-processing.
    """
    mask = as_mask(mask)
    low, high = float(mask.min()), float(mask.max())
    if high - low < 1e-6:
        return mask.copy()
    return ((mask - np.float32(low)) / np.float32(high - low)).clip(0, 1)


def blur(mask: np.ndarray, sigma: float) -> np.ndarray:
    """Return `mask` after a Gaussian blur of `sigma` pixels, float32 in [0, 1].

    Pixels beyond the frame are taken to be like those at its edge; with zeros there, a person cut
    off by the frame would fade along the bottom. Portrait-Segmentation blurs with sigma 1 in a
    window of 5 or 7 pixels. Chapter: post-processing.

    Raises:
        SeglibError: not a mask, or a negative sigma.
    """
    mask = as_mask(mask)
    check_sigma(sigma)
    if sigma == 0:
        return mask.copy()
    blurred = cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.clip(blurred, 0, 1, out=blurred)


def box_blur(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return the mean over squares of 2 `radius` + 1 pixels a side, float32 in [0, 1].

    Its cost does not grow with the radius; its corners show. mobile_unet_segmentation (rusito-23)
    takes 31 x 31 pixels for its mask. Chapter: post-processing.

    Raises:
        SeglibError: not a mask, or the radius is not a whole number from 0.
    """
    mask = as_mask(mask)
    side = 2 * check_radius(radius) + 1
    if side == 1:
        return mask.copy()
    blurred = cv2.blur(mask, (side, side), borderType=cv2.BORDER_REPLICATE)
    return np.clip(blurred, 0, 1, out=blurred)


def check_sigma(sigma: float) -> float:
    """Return `sigma` if it is a number of pixels from 0 upwards. Chapter: post-processing.

    Raises:
        SeglibError: it is not.
    """
    if not 0 <= sigma < math.inf:
        raise SeglibError(f"sigma is {sigma:g}; a number of pixels from 0 upwards is expected")
    return sigma


def check_radius(radius: float) -> int:
    """Return `radius` if it is a whole number of pixels from 0 upwards. Chapter: post-processing.

    Raises:
        SeglibError: it is not.
    """
    if not 0 <= radius < math.inf or radius != int(radius):
        raise SeglibError(f"the radius is {radius}; a whole number of pixels from 0 is expected")
    return int(radius)
