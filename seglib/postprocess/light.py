"""Light: mixing in linear light, and a person lit like the scene they are set before.

A picture's numbers are not amounts of light: sRGB spreads the dark ones (IEC 61966-2-1). A half of
white's light has the level 188, not 128. So sums and averages of light are done on linear values.

Chapter: post-processing.
"""

import functools
import math

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask
from seglib.postprocess.bands import bands

_SAMPLES = 20_000


def to_linear(levels: np.ndarray) -> np.ndarray:
    """Return sRGB levels (uint8) as linear light, float32 in [0, 1]. Chapter: post-processing."""
    return _linear_table()[levels]


def from_linear(light: np.ndarray) -> np.ndarray:
    """Return linear light (float, cut to [0, 1]) as sRGB levels, uint8, to the nearest.

    It goes through a table of 65536 entries, the exact curve to half a level. Chapter:
    post-processing.
    """
    steps = (np.clip(light, 0, 1) * np.float32(65535) + np.float32(0.5)).astype(np.uint16)
    return _level_table()[steps]


def match_light(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, strength: float = 0.5
) -> np.ndarray:
    """Return the photo with its exposure and tint moved towards the light of another scene.

    For each of red, green and blue the person's mean is moved towards the scene's mean, in linear
    light, as another lamp would (von Kries), along x' = g x / (1 + (g - 1) x), which leaves black
    and white where they are. g stays between 1/2 and 2, so nobody is made unrecognisable: dark
    clothes are no sign of dark light. Chapter: post-processing.

    Args:
        image: uint8 RGB, H x W x 3.
        mask: the person, float, H x W, in [0, 1].
        background: the scene, uint8 RGB of any size.
        strength: 0 (nothing) to 1.

    Raises:
        SeglibError: a value is out of its range, or image and mask do not fit.
    """
    image = as_image(image)
    background = as_image(background, "background")
    mask = as_mask(mask, shape=image.shape)
    return cv2.LUT(image, light_table(image, mask, background, strength))


def light_table(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, strength: float
) -> np.ndarray:
    """Return the curves of `match_light` as a table for cv2.LUT, uint8 1 x 256 x 3.

    Raises:
        SeglibError: the strength is out of range.

    Chapter: post-processing.
    """
    check_share("strength", strength)
    pixels, weights = samples(image, mask)
    person = _mean(to_linear(pixels), weights)
    scene = _mean(to_linear(samples(background)[0]), None)
    gain = ((scene + 1e-3) / (person + 1e-3)) ** strength
    gain = gain.clip(0.5, 2.0).astype(np.float32)
    light = _linear_table()[None, :, None]
    return from_linear(gain * light / (1 + (gain - 1) * light))


def transfer_colour(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, strength: float = 1.0
) -> np.ndarray:
    """Return the photo with the mean and spread of another scene's colours, in CIE Lab.

    Colour transfer of Reinhard et al. (IEEE CGA 2001), as `segvideo.py` of Portrait-Segmentation
    (anilsathyan7) has it. At full strength skin takes the scene's hue; `match_light` is gentler.
    Chapter: post-processing.

    Args:
        image: uint8 RGB, H x W x 3.
        mask: the person, float, H x W, in [0, 1].
        background: the scene, uint8 RGB of any size.
        strength: 0 (nothing) to 1.

    Raises:
        SeglibError: a value is out of its range, or image and mask do not fit.
    """
    image = as_image(image)
    background = as_image(background, "background")
    check_share("strength", strength)
    mask = as_mask(mask, shape=image.shape)
    pixels, weights = samples(image, mask)
    scene = to_lab(samples(background)[0])
    person = to_lab(pixels)
    mean, goal = _mean(person, weights), _mean(scene, None)
    spread = np.sqrt(_mean((person - mean) ** 2, weights))
    wanted = np.sqrt(_mean((scene - goal) ** 2, None))
    scale = 1 + strength * (wanted / np.maximum(spread, 1e-3) - 1)
    centre = mean + strength * (goal - mean)
    change = np.column_stack([np.diag(scale), centre - scale * mean])
    result = np.empty_like(image)
    for rows in bands(*mask.shape):
        result[rows] = from_lab(cv2.transform(to_lab(image[rows]), change))
    return result


def to_lab(image: np.ndarray) -> np.ndarray:
    """Return uint8 RGB as CIE Lab, float32: L in 0..100, a and b about -128..127.

    Chapter: post-processing.
    """
    values = image.astype(np.float32)
    values *= np.float32(1 / 255)
    return cv2.cvtColor(values, cv2.COLOR_RGB2LAB)


def from_lab(lab: np.ndarray) -> np.ndarray:
    """Return CIE Lab (float32) as uint8 RGB, to the nearest level. Chapter: post-processing."""
    # One pass rounds and cuts what lies beyond 0 and 1.
    return cv2.multiply(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), (255.0,) * 4, dtype=cv2.CV_8U)


def samples(
    image: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return at most about 20,000 evenly spaced pixels, and the mask's values there.

    Means over a picture need no more. The pixels are taken from the mask's bounding box, so a small
    person is not missed.

    Args:
        image: H x W x 3.
        mask: H x W, or None for the whole picture.

    Returns:
        The pixels, h x w x 3, and the mask's values, h x w, or None.

    Chapter: post-processing.
    """
    top, left, bottom, right = (0, 0, *image.shape[:2]) if mask is None else box(mask)
    step = max(1, math.ceil(math.sqrt((bottom - top) * (right - left) / _SAMPLES)))
    place = np.s_[top:bottom:step, left:right:step]
    pixels = np.ascontiguousarray(image[place])
    return pixels, None if mask is None else np.ascontiguousarray(mask[place])


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return top, left, bottom and right of what is above 0; of the whole where nothing is.

    Chapter: post-processing.
    """
    rows = np.flatnonzero(mask.max(axis=1) > 0)
    if rows.size == 0:
        return 0, 0, *mask.shape
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[top:bottom].max(axis=0) > 0)
    return top, int(columns[0]), bottom, int(columns[-1]) + 1


def check_share(name: str, value: float) -> float:
    """Return `value` if it is from 0 to 1. Chapter: post-processing.

    Raises:
        SeglibError: it is not; the message calls it `name`.
    """
    if not 0 <= value <= 1:
        raise SeglibError(f"{name} is {value:g}; a number from 0 to 1 is expected")
    return value


def _mean(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the mean colour, float64 (3,)."""
    if weights is None or not weights.any():
        return values.mean(axis=(0, 1), dtype=np.float64)
    return np.einsum("ijk,ij->k", values, weights, dtype=np.float64) / weights.sum(dtype=np.float64)


@functools.cache
def _linear_table() -> np.ndarray:
    levels = np.arange(256) / 255
    curve = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return curve.astype(np.float32)


@functools.cache
def _level_table() -> np.ndarray:
    light = np.arange(65536) / 65535
    curve = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(curve * 255).astype(np.uint8)
