"""Light and colour: linear light, CIE Lab, and a person lit like the scene they are set before.

A picture's numbers are not amounts of light: sRGB spreads the dark ones (IEC 61966-2-1), and a half
of white's light has the level 188, not 128. So what a lens or a lamp does is computed in linear
light. Chapter: post-processing.
"""

import functools
import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import ImageColor

from seglib.errors import SeglibError
from seglib.images import as_image
from seglib.postprocess.edges import as_pair
from seglib.postprocess.masks import check_number, in_bands

_SAMPLES = 20_000


def to_linear(levels: np.ndarray) -> np.ndarray:
    """Return sRGB levels (uint8) as linear light, float32 in [0, 1]."""
    return _linear_table()[levels]


def from_linear(light: np.ndarray) -> np.ndarray:
    """Return linear light (float, cut to [0, 1]) as sRGB levels, uint8, to the nearest.

    It goes through a table of 65536 entries, the exact curve to half a level.
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
    clothes are no sign of dark light. `strength` goes from 0 (nothing) to 1.
    """
    image, mask = as_pair(image, mask)
    background = as_image(background, "background")
    return cv2.LUT(image, light_curves(image, mask, background, strength))


def light_curves(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, strength: float
) -> np.ndarray:
    """Return the curves of `match_light` as a table for cv2.LUT, uint8 1 x 256 x 3."""
    check_number("strength", strength, 1)
    pixels, weights = samples(image, mask)
    person = _mean(to_linear(pixels), weights)
    scene = _mean(to_linear(samples(background)[0]))
    gain = ((scene + 1e-3) / (person + 1e-3)) ** strength
    gain = gain.clip(0.5, 2.0).astype(np.float32)
    light = _linear_table()[None, :, None]
    return from_linear(gain * light / (1 + (gain - 1) * light))


def transfer_colour(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, strength: float = 1.0
) -> np.ndarray:
    """Return the photo with the mean and spread of another scene's colours, in CIE Lab.

    Colour transfer of Reinhard et al. (IEEE CGA 2001), as `segvideo.py` of Portrait-Segmentation
    (anilsathyan7) has it. At full strength skin takes the scene's hue; `match_light`, which has the
    same arguments, is gentler.
    """
    image, mask = as_pair(image, mask)
    background = as_image(background, "background")
    check_number("strength", strength, 1)
    pixels, weights = samples(image, mask)
    person, scene = to_lab(pixels), to_lab(samples(background)[0])
    mean, goal = _mean(person, weights), _mean(scene)
    spread = np.sqrt(_mean((person - mean) ** 2, weights))
    wanted = np.sqrt(_mean((scene - goal) ** 2))
    scale = 1 + strength * (wanted / np.maximum(spread, 1e-3) - 1)
    centre = mean + strength * (goal - mean)
    change = np.column_stack([np.diag(scale), centre - scale * mean])
    result = np.empty_like(image)

    def band(rows: slice) -> None:
        result[rows] = from_lab(cv2.transform(to_lab(image[rows]), change))

    in_bands(band, *mask.shape)
    return result


def to_lab(image: np.ndarray) -> np.ndarray:
    """Return uint8 RGB as CIE Lab, float32: L in 0..100, a and b about -128..127."""
    return cv2.cvtColor(image * np.float32(1 / 255), cv2.COLOR_RGB2LAB)


def from_lab(lab: np.ndarray) -> np.ndarray:
    """Return CIE Lab (float32) as uint8 RGB, to the nearest level."""
    # One pass rounds and cuts what lies beyond 0 and 1.
    return cv2.multiply(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), (255.0,) * 4, dtype=cv2.CV_8U)


def as_color(color: str | Sequence[int]) -> np.ndarray:
    """Return "#00ff00", "lime" or (0, 255, 0) as a picture of one pixel, uint8 1 x 1 x 3."""
    try:
        values = ImageColor.getrgb(color)[:3] if isinstance(color, str) else tuple(color)
        if len(values) == 3 and all(0 <= value <= 255 for value in values):
            return np.array(values, np.uint8).reshape(1, 1, 3)
    except (TypeError, ValueError):
        pass
    raise SeglibError(
        f"the colour {color!r} is not red, green and blue from 0 to 255; write for example "
        '255 0 0 or "#ff0000"'
    )


def samples(
    image: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return about 20,000 evenly spaced pixels of the mask's bounding box, and the mask there.

    Means over a picture need no more. Both are h x w (x 3); without a mask the whole counts.
    """
    top, left, bottom, right = (0, 0, *image.shape[:2]) if mask is None else bounding_box(mask)
    step = max(1, math.ceil(math.sqrt((bottom - top) * (right - left) / _SAMPLES)))
    place = np.s_[top:bottom:step, left:right:step]
    pixels = np.ascontiguousarray(image[place])
    return pixels, None if mask is None else np.ascontiguousarray(mask[place])


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return top, left, bottom and right of what is above 0; of the whole where nothing is."""
    left, top, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    return (top, left, top + height, left + width) if width else (0, 0, *mask.shape)


def _mean(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
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
