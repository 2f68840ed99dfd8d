"""A new hair colour, in Lab, in HSV, and by multiplying as the older projects did.

Chapter: post-processing.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask
from seglib.postprocess.bands import bands
from seglib.postprocess.light import check_share, from_lab, samples, to_lab


class Tone(NamedTuple):
    """What `recolour_hair` does to a colour: the new one in Lab and the exponent of the curve."""

    lightness: float
    a: float
    b: float
    exponent: float


def recolour_hair(
    image: np.ndarray,
    mask: np.ndarray,
    color: Sequence[int],
    strength: float = 1.0,
    lift: float = 0.5,
) -> np.ndarray:
    """Dye what the mask covers: take the colour from `color`, the light and shade from the photo.

    Multiplying the photo by the colour, as realtime-hair-segmentation does, cannot brighten:
    whatever it is multiplied by, black hair stays black (and with a colour of 0..255 in place of
    0..1, as in that project, any hair that is not black saturates). Here the work is done in CIE
    Lab, where lightness L is an axis of its own:

    - a and b, the colour axes, go to those of `color`, scaled down towards black and towards white
      so that shadows stay deep and highlights stay white;
    - L goes through one curve, L' = 101 ((L + 1) / 101)^g - 1, with g chosen so that the hair's
      mean lightness moves the fraction `lift` of its way to the lightness of `color`. Black and
      white ends stay apart, no two strands change places in lightness, and the faint detail of dark
      hair is spread, not shifted as a flat fog. `lift` 0 keeps L as it is, which suits light hair
      and leaves black hair nearly black.

    Pixels where the mask is 0 come back unchanged. Chapter: post-processing.

    Args:
        image: uint8 RGB photo.
        mask: soft hair mask, float H x W in [0, 1].
        color: red, green, blue, 0 to 255 each.
        strength: 0 (nothing) to 1 (full dye).
        lift: 0 to 1, see above.

    Raises:
        SeglibError: a value is out of its range, or image and mask do not fit.
    """
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    check_share("strength", strength)
    tone = find_tone(image, mask, color, lift)
    result = image.copy()
    for rows in bands(*mask.shape):
        weight = mask[rows] * np.float32(strength)
        if weight.any():
            result[rows] = dye(image[rows], weight, tone)
    return result


def find_tone(image: np.ndarray, mask: np.ndarray, color: Sequence[int], lift: float) -> Tone:
    """Return the new colour in Lab and the lightness curve's exponent, see `recolour_hair`.

    Raises:
        SeglibError: `color` is no colour or `lift` is out of range.

    Chapter: post-processing.
    """
    check_share("lift", lift)
    lightness, a, b = to_lab(check_color(color))[0, 0].tolist()
    pixels, weights = samples(image, mask)
    total = weights.sum(dtype=np.float64)
    mean = (to_lab(pixels)[..., 0] * weights).sum(dtype=np.float64) / max(total, 1e-6)
    # Kept off the ends, where the logarithm of white is 0 and no exponent moves it.
    start = min(max(float(mean), 0.0), 98.0)
    goal = min(max(start + lift * (lightness - start), 0.0), 98.0)
    exponent = math.log((goal + 1) / 101) / math.log((start + 1) / 101)
    return Tone(lightness, a, b, exponent)


def dye(image: np.ndarray, weight: np.ndarray, tone: Tone) -> np.ndarray:
    """Return a part of the photo dyed, uint8 RGB; where the weight is 0 it comes back unchanged.

    Args:
        image: uint8 RGB, H x W x 3.
        weight: mask times strength, float32, H x W, in [0, 1].
        tone: from `find_tone`.

    Chapter: post-processing.
    """
    lab = to_lab(image)
    old, old_a, old_b = cv2.split(lab)
    lightness = np.maximum(old, 0)
    lightness += 1
    lightness *= np.float32(1 / 101)
    cv2.pow(lightness, tone.exponent, dst=lightness)
    lightness *= 101
    lightness -= 1
    # Down to nothing at black, and at white, in straight lines.
    chroma = lightness * np.float32(1 / max(tone.lightness, 1.0))
    towards_white = (100 - lightness) * np.float32(1 / max(100 - tone.lightness, 1.0))
    np.minimum(chroma, towards_white, out=chroma)
    np.clip(chroma, 0, 1, out=chroma)
    for plane, new in ((old, lightness), (old_a, chroma * tone.a), (old_b, chroma * tone.b)):
        new = new.astype(np.float32, copy=False)
        new -= plane
        new *= weight
        plane += new
    levels = from_lab(cv2.merge([old, old_a, old_b]))
    # Where the mask is 0 the way to Lab and back could still cost a level.
    touched = (weight > 0).astype(np.uint8)
    result = image.copy()
    cv2.copyTo(levels, touched, result)
    return result


def recolour_hair_hsv(
    image: np.ndarray,
    mask: np.ndarray,
    color: Sequence[int],
    strength: float = 1.0,
    lift: float = 0.5,
) -> np.ndarray:
    """Dye in HSV: hue and saturation of `color`, value from the photo.

    Cheap enough for a shader, and what most apps do. V is the largest of red, green and blue, not
    lightness: at the same V blue looks far darker than yellow, so a dye changes how light the hair
    looks, and a highlight at full V takes the full colour. `recolour_hair` has neither fault.
    V goes through V' = V^g, with g chosen so that the hair's mean V moves the fraction `lift` of
    its way to that of `color`; without that black hair stays black.

    Args:
        image: uint8 RGB photo.
        mask: soft hair mask, float H x W in [0, 1].
        color: red, green, blue, 0 to 255 each.
        strength: 0 (nothing) to 1 (full dye).
        lift: 0 to 1, see above.

    Raises:
        SeglibError: a value is out of its range, or image and mask do not fit.

    Chapter: post-processing.
    """
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    target = check_color(color)[0, 0].astype(np.float64) / 255
    check_share("strength", strength)
    check_share("lift", lift)
    pixels, weights = samples(image, mask)
    total = max(float(weights.sum(dtype=np.float64)), 1e-6)
    mean = float((pixels.max(axis=2) * weights).sum(dtype=np.float64)) / total / 255
    # As in Lab, kept off both ends; 1/101 stands for the darkest black that can be told apart.
    start = min(max(mean, 1 / 101), 0.98)
    goal = min(max(start + lift * (float(target.max()) - start), 1 / 101), 0.98)
    exponent = math.log(goal) / math.log(start)
    # Hue and saturation alone fix the proportions of red, green and blue to the value.
    proportions = (target / target.max() if target.max() > 0 else np.ones(3)).astype(np.float32)
    values = np.arange(256, dtype=np.float32) / 255
    # Black has no entry of its own in a power law, so the curve starts one step above it.
    curve = 255 * np.maximum(values, np.float32(1 / 255)) ** np.float32(exponent)
    curve[0] *= lift > 0
    result = image.copy()
    for rows in bands(*mask.shape):
        part = image[rows].astype(np.float32)
        weight = mask[rows, :, None] * np.float32(strength)
        dyed = curve[image[rows].max(axis=2)][..., None] * proportions
        result[rows] = np.rint(part + (dyed - part) * weight)
    return result


def multiply_hair(
    image: np.ndarray, mask: np.ndarray, color: Sequence[int], strength: float = 1.0
) -> np.ndarray:
    """Multiply the photo by `color` / 255 where the mask is 1, uint8 RGB.

    It is the rule of realtime-hair-segmentation with the colour brought to 0..1, and here to be
    compared with: it can only darken, so black hair stays black. Chapter: post-processing.

    Args:
        image: uint8 RGB photo.
        mask: soft hair mask, float H x W in [0, 1].
        color: red, green, blue, 0 to 255 each.
        strength: 0 (nothing) to 1.

    Raises:
        SeglibError: a value is out of its range, or image and mask do not fit.
    """
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    check_share("strength", strength)
    change = check_color(color)[0, 0].astype(np.float32) / 255 - 1
    result = np.empty_like(image)
    for rows in bands(*mask.shape):
        weight = mask[rows, :, None] * np.float32(strength)
        result[rows] = np.rint(image[rows] * (1 + weight * change))
    return result


def check_color(color: Sequence[int]) -> np.ndarray:
    """Return a colour as an image of one pixel, float32 1 x 1 x 3, 0 to 255.

    Raises:
        SeglibError: it is not three numbers from 0 to 255.

    Chapter: post-processing.
    """
    values = tuple(color)
    if len(values) != 3 or not all(0 <= value <= 255 for value in values):
        raise SeglibError(
            f"the colour {values} is not red, green and blue from 0 to 255; "
            "write for example 255 0 0"
        )
    return np.array(values, np.float32).reshape(1, 1, 3)
