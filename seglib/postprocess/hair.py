"""A new hair colour, in Lab, in HSV, and by multiplying as the older projects did.

Every function takes a photo, its hair mask (H x W in [0, 1], soft), the colour as red, green, blue
from 0 to 255 or as "#a02840", and a strength from 0 (nothing) to 1 (full dye), and returns a new
uint8 RGB picture; where the mask is 0 it is the photo. Chapter: post-processing.
"""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from seglib.postprocess.background import alpha_blend
from seglib.postprocess.colour import as_color, bounding_box, from_lab, samples, to_lab
from seglib.postprocess.edges import as_pair
from seglib.postprocess.masks import check_number, in_bands


def recolour_hair(
    image: np.ndarray,
    mask: np.ndarray,
    color: str | Sequence[int],
    strength: float = 1.0,
    lift: float = 0.5,
) -> np.ndarray:
    """Dye what the mask covers: take the colour from `color`, the light and shade from the photo.

    Multiplying the photo by the colour, as realtime-hair-segmentation does, cannot brighten:
    whatever it is multiplied by, black hair stays black. Here the work is done in CIE Lab, where
    lightness L is an axis of its own:

    - a and b, the colour axes, go to those of `color`, scaled down towards black and towards white
      so that shadows stay deep and highlights stay white;
    - L goes through one curve, L' = 101 ((L + 1) / 101)^g - 1, with g chosen so that the hair's
      mean lightness moves the fraction `lift` (0 to 1) of its way to the lightness of `color`.
      Black and white ends stay apart, no two strands change places in lightness, and the faint
      detail of dark hair is spread, not shifted as a flat fog. `lift` 0 keeps L as it is, which
      suits light hair and leaves black hair nearly black.
    """
    image, mask = as_pair(image, mask)
    check_number("lift", lift, 1)
    goal, new_a, new_b = to_lab(as_color(color))[0, 0].tolist()
    pixels, weights = samples(image, mask)
    # Kept off the ends, where the logarithm of white is 0 and no exponent moves it.
    start = min(max(_weighted_mean(to_lab(pixels)[..., 0], weights), 0.0), 98.0)
    end = min(max(start + lift * (goal - start), 0.0), 98.0)
    exponent = math.log((end + 1) / 101) / math.log((start + 1) / 101)

    def dye(part: np.ndarray, weight: np.ndarray) -> np.ndarray:
        old, old_a, old_b = cv2.split(to_lab(part))
        lightness = cv2.pow((np.maximum(old, 0) + 1) * np.float32(1 / 101), exponent) * 101 - 1
        # Down to nothing at black, and at white, in straight lines.
        towards_white = (100 - lightness) * np.float32(1 / max(100 - goal, 1.0))
        chroma = np.minimum(lightness * np.float32(1 / max(goal, 1.0)), towards_white).clip(0, 1)
        planes = ((old, lightness), (old_a, chroma * new_a), (old_b, chroma * new_b))
        levels = from_lab(cv2.merge([plane + (new - plane) * weight for plane, new in planes]))
        # Where the mask is 0 the way to Lab and back could still cost a level.
        return np.where(weight[..., None] > 0, levels, part)

    return _where_hair_is(image, mask, strength, dye)


def recolour_hair_hsv(
    image: np.ndarray,
    mask: np.ndarray,
    color: str | Sequence[int],
    strength: float = 1.0,
    lift: float = 0.5,
) -> np.ndarray:
    """Dye in HSV: hue and saturation of `color`, value from the photo.

    Cheap enough for a shader, and what most apps do. V is the largest of red, green and blue, not
    lightness: at the same V blue looks far darker than yellow, so a dye changes how light the hair
    looks, and a highlight at full V takes the full colour. `recolour_hair` has neither fault.
    V goes through V' = V^g, with g chosen so that the hair's mean V moves the fraction `lift` of
    its way to that of `color`; without that black hair stays black.
    """
    image, mask = as_pair(image, mask)
    check_number("lift", lift, 1)
    target = as_color(color)[0, 0].astype(np.float64) / 255
    pixels, weights = samples(image, mask)
    # As in Lab, kept off both ends; 1/101 stands for the darkest black that can be told apart.
    start = min(max(_weighted_mean(pixels.max(axis=2), weights) / 255, 1 / 101), 0.98)
    goal = min(max(start + lift * (float(target.max()) - start), 1 / 101), 0.98)
    values = np.arange(256) / 255
    # Black has no entry of its own in a power law, so the curve starts one step above it.
    curve = 255 * np.maximum(values, 1 / 255) ** (math.log(goal) / math.log(start))
    curve[0] *= lift > 0
    # Hue and saturation alone fix the proportions of red, green and blue to the value.
    proportions = target / target.max() if target.max() > 0 else np.ones(3)
    table = np.rint(curve[None, :, None] * proportions).astype(np.uint8)

    def dye(part: np.ndarray, weight: np.ndarray) -> np.ndarray:
        value = cv2.cvtColor(part.max(axis=2), cv2.COLOR_GRAY2RGB)
        return alpha_blend(cv2.LUT(value, table), part, weight)

    return _where_hair_is(image, mask, strength, dye)


def multiply_hair(
    image: np.ndarray, mask: np.ndarray, color: str | Sequence[int], strength: float = 1.0
) -> np.ndarray:
    """Multiply the photo by `color` / 255 where the mask is 1.

    The rule of realtime-hair-segmentation with the colour brought to 0..1 (there it counts 0..255,
    and any hair that is not black saturates), to be compared with: it can only darken.
    """
    image, mask = as_pair(image, mask)
    factors = as_color(color)[0, 0] / 255
    table = np.rint(np.arange(256)[None, :, None] * factors).astype(np.uint8)

    def dye(part: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return alpha_blend(cv2.LUT(part, table), part, weight)

    return _where_hair_is(image, mask, strength, dye)


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> float:
    total = max(float(weights.sum(dtype=np.float64)), 1e-6)
    return float((values * weights).sum(dtype=np.float64)) / total


def _where_hair_is(
    image: np.ndarray,
    mask: np.ndarray,
    strength: float,
    dye: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return the photo with `dye(part, mask * strength)` in the mask's bounding box."""
    check_number("strength", strength, 1)
    top, left, bottom, right = bounding_box(mask)
    place = np.s_[top:bottom, left:right]
    result = image.copy()
    part = result[place]

    def band(rows: slice) -> None:
        weight = mask[place][rows] * np.float32(strength)
        if weight.any():
            part[rows] = dye(np.ascontiguousarray(part[rows]), weight)

    in_bands(band, *part.shape[:2])
    return result
