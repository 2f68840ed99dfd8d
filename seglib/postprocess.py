"""From a raw mask to a finished frame: clean the mask, then recolour, blur or replace.

Every function takes pictures of any size. Work that needs floating-point copies of the picture goes
through it in bands of rows, so a photo of 108 megapixels costs hundreds of megabytes, not several
gigabytes.

The constants that the older projects settled on are named where they belong; none of their code is
used here.

Chapter: post-processing.
"""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import check_image, check_mask, resize

_BAND_PIXELS = 2_000_000
_SMALL_PIXELS = 24_000_000


def threshold(mask: np.ndarray, level: float = 0.5) -> np.ndarray:
    """Return 1 where `mask` is at least `level` and 0 elsewhere, as float32, H x W.

    A hard mask has jagged edges, since it can only follow the pixel grid. The published demos of
    Portrait-Segmentation (anilsathyan7) and mobile_unet_segmentation (rusito-23) cut at 0.5, 0.7 or
    0.8. Chapter: post-processing.
    """
    return (check_mask(mask) >= level).astype(np.float32)


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
    mask = check_mask(mask)
    result = np.empty_like(mask)
    for rows in _bands(*mask.shape):
        t = ((mask[rows] - np.float32(low)) / np.float32(high - low)).clip(0, 1)
        result[rows] = t * t * (3 - 2 * t)
    return result


def blur(mask: np.ndarray, sigma: float) -> np.ndarray:
    """Return `mask` after a Gaussian blur of `sigma` pixels, float32 in [0, 1].

    Pixels beyond the frame are taken to be like those at its edge; with zeros there, a person cut
    off by the frame would fade along the bottom. Portrait-Segmentation blurs with sigma 1 in a
    window of 5 or 7 pixels. Chapter: post-processing.

    Raises:
        SeglibError: not a mask, or a negative sigma.
    """
    mask = check_mask(mask)
    _check_sigma(sigma)
    if sigma == 0:
        return mask.copy()
    blurred = cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.clip(blurred, 0, 1, out=blurred)


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


def largest_component(mask: np.ndarray, level: float = 0.5) -> np.ndarray:
    """Keep the largest connected region where `mask` is at least `level`; set the rest to 0.

    Pixels touch at sides and corners. The soft fringe is shared out: a pixel below `level`
    goes with the region it lies nearest to, so the kept region keeps its soft edge and a removed
    one leaves no ghost. Where nothing reaches `level`, the result is all 0.
    Chapter: post-processing.
    """
    mask = check_mask(mask)
    outside = (mask < level).astype(np.uint8)
    if outside.all():
        return np.zeros_like(mask)
    _, nearest = cv2.distanceTransformWithLabels(
        outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    areas = np.zeros(int(nearest.max()) + 1, np.int64)
    for rows in _bands(*mask.shape):
        inside = nearest[rows][outside[rows] == 0]
        areas += np.bincount(inside, minlength=areas.size)
    return np.where(nearest == areas.argmax(), mask, np.float32(0))


def alpha_blend(front: np.ndarray, back: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return `front * mask + back * (1 - mask)`, uint8 RGB, rounded to the nearest level.

    Args:
        front: the image seen where the mask is 1.
        back: the image seen where the mask is 0, of the same size.
        mask: float, H x W, in [0, 1].

    Raises:
        SeglibError: not images or not a mask, or their sizes differ.
    """
    check_image(front, "front image")
    check_image(back, "back image")
    if front.shape != back.shape:
        raise SeglibError(
            f"the front image is {front.shape[1]}x{front.shape[0]} and the back image "
            f"{back.shape[1]}x{back.shape[0]}; bring both to one size with seglib.images.resize"
        )
    mask = check_mask(mask, shape=front.shape)
    result = np.empty_like(front)
    for rows in _bands(*mask.shape):
        below = back[rows].astype(np.float32)
        result[rows] = np.rint(below + (front[rows] - below) * mask[rows, :, None])
    return result


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
    check_image(image)
    mask = check_mask(mask, shape=image.shape)
    target = _check_color(color)
    for name, value in (("strength", strength), ("lift", lift)):
        if not 0 <= value <= 1:
            raise SeglibError(f"{name} is {value:g}; a number from 0 to 1 is expected")
    target_l, target_a, target_b = _to_lab(target)[0, 0].tolist()
    exponent = _tone_exponent(_mean_lightness(image, mask), target_l, lift)
    result = image.copy()
    for rows in _bands(*mask.shape):
        weight = mask[rows] * np.float32(strength)
        touched = weight > 0
        if not touched.any():
            continue
        lab = _to_lab(image[rows])
        lightness = 101 * ((lab[..., 0].clip(0, 100) + 1) / 101) ** np.float32(exponent) - 1
        chroma = np.minimum(
            lightness / max(target_l, 1.0), (100 - lightness) / max(100 - target_l, 1.0)
        ).clip(0, 1)
        dyed = np.dstack([lightness, chroma * target_a, chroma * target_b]).astype(np.float32)
        mixed = lab + (dyed - lab) * weight[..., None]
        rgb = cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB)
        levels = np.rint(rgb.clip(0, 1) * 255).astype(np.uint8)
        # Where the mask is 0 the way to Lab and back could still cost a level.
        result[rows] = np.where(touched[..., None], levels, image[rows])
    return result


def blur_background(image: np.ndarray, mask: np.ndarray, sigma: float | None = None) -> np.ndarray:
    """Blur what the mask does not cover, without smearing the person into the background.

    A plain blur of the photo carries the person's colours outwards, and a glow surrounds the head.
    Normalised convolution (Knutsson and Westin, CVPR 1993) leaves the person out of the average:
    background = blur(image * (1 - mask)) / blur(1 - mask).

    The average is taken on a copy reduced by about sigma / 4, where a Gaussian that wide loses
    nothing one could see; so a wide blur costs no more than a narrow one. (mobile_unet_segmentation
    by rusito-23 averages 91 x 91 pixels at full size.) On pictures above 24 megapixels the copy is
    always reduced, and there the finest blur is about half the reduction, 1.5 pixels at 108
    megapixels. Chapter: post-processing.

    Args:
        image: uint8 RGB photo.
        mask: soft mask of the person, float H x W in [0, 1].
        sigma: width of the Gaussian in pixels; by default 1/40 of the shorter side.

    Raises:
        SeglibError: a negative sigma, or image and mask do not fit.
    """
    check_image(image)
    mask = check_mask(mask, shape=image.shape)
    height, width = mask.shape
    sigma = min(height, width) / 40 if sigma is None else sigma
    _check_sigma(sigma)
    if sigma == 0:
        return image.copy()
    factor = max(1, int(sigma / 4), math.ceil(math.sqrt(height * width / _SMALL_PIXELS)))
    small = _weighted_background(image, mask, factor)
    # Averaging over blocks and growing back linearly blur too; the rest is left to the Gaussian.
    own = factor**2 / 4 if factor > 1 else 0.0
    rest = math.sqrt(max(sigma**2 - own, 0.01)) / factor
    small = cv2.GaussianBlur(small, (0, 0), rest, borderType=cv2.BORDER_REPLICATE)
    result = np.empty_like(image)
    for rows in _bands(height, width, factor):
        # One more row of blocks on either side: interpolation reaches across the band's edge.
        first = max(rows.start // factor - 1, 0)
        last = min(math.ceil(rows.stop / factor) + 1, small.shape[0])
        grown = resize(small[first:last], ((last - first) * factor, small.shape[1] * factor))
        offset = rows.start - first * factor
        grown = grown[offset : offset + rows.stop - rows.start, :width]
        background = grown[..., :3] / np.maximum(grown[..., 3:], 1e-6)
        person = mask[rows, :, None]
        result[rows] = np.rint((background + (image[rows] - background) * person).clip(0, 255))
    return result


def replace_background(image: np.ndarray, mask: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Set the person the mask covers before another picture.

    The background is cropped about its centre to the photo's proportions and resized ("cover"), so
    it fills the frame undistorted. Chapter: post-processing.

    Raises:
        SeglibError: not images or not a mask, or image and mask do not fit.
    """
    check_image(image)
    check_image(background, "background")
    mask = check_mask(mask, shape=image.shape)
    height, width = mask.shape
    rows, columns = background.shape[:2]
    scale = max(height / rows, width / columns)
    keep_rows = min(rows, max(1, round(height / scale)))
    keep_columns = min(columns, max(1, round(width / scale)))
    top, left = (rows - keep_rows) // 2, (columns - keep_columns) // 2
    cropped = background[top : top + keep_rows, left : left + keep_columns]
    return alpha_blend(image, resize(cropped, (height, width)), mask)


def _bands(height: int, width: int, multiple: int = 1) -> Iterator[slice]:
    """Cut the rows into bands of about `_BAND_PIXELS`, starting at multiples of `multiple`."""
    step = max(1, _BAND_PIXELS // (width * multiple)) * multiple
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _weighted_background(image: np.ndarray, mask: np.ndarray, factor: int) -> np.ndarray:
    """Return image * (1 - mask) and 1 - mask averaged over factor x factor blocks, h x w x 4."""
    height, width = mask.shape
    columns = math.ceil(width / factor)
    parts = []
    for rows in _bands(height, width, factor):
        weight = 1 - mask[rows, :, None]
        band = np.concatenate([image[rows] * weight, weight], axis=2)
        if factor > 1:
            missing = (-band.shape[0] % factor, columns * factor - width)
            band = np.pad(band, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
            band = resize(band, (band.shape[0] // factor, columns))
        parts.append(band)
    return np.concatenate(parts)


def _to_lab(image: np.ndarray) -> np.ndarray:
    """Return uint8 RGB as CIE Lab, float32: L in 0..100, a and b about -128..127."""
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _mean_lightness(image: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean L under the mask, from at most about a million evenly spaced pixels."""
    step = max(1, math.isqrt(mask.size // 1_000_000))
    weight = mask[::step, ::step]
    lightness = _to_lab(image[::step, ::step])[..., 0]
    return float(
        (lightness * weight).sum(dtype=np.float64) / max(weight.sum(dtype=np.float64), 1e-6)
    )


def _tone_exponent(mean: float, target: float, lift: float) -> float:
    """Return g of the curve in `recolour_hair` that takes lightness `mean` towards `target`."""
    # Kept off the ends, where the logarithm of white is 0 and no exponent moves it.
    start = min(max(mean, 0.0), 98.0)
    goal = min(max(start + lift * (target - start), 0.0), 98.0)
    return math.log((goal + 1) / 101) / math.log((start + 1) / 101)


def _morphology(mask: np.ndarray, radius: int, operation: int) -> np.ndarray:
    mask = check_mask(mask)
    if radius < 0 or radius != int(radius):
        raise SeglibError(f"the radius is {radius}; a whole number of pixels from 0 is expected")
    side = 2 * int(radius) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(mask, operation, disc)


def _check_sigma(sigma: float) -> None:
    if not 0 <= sigma < math.inf:
        raise SeglibError(f"sigma is {sigma:g}; a number of pixels from 0 upwards is expected")


def _check_color(color: Sequence[int]) -> np.ndarray:
    values = list(color)
    if len(values) != 3 or not all(0 <= value <= 255 for value in values):
        raise SeglibError(
            f"the colour {tuple(values)} is not red, green and blue from 0 to 255; "
            "write for example 255 0 0"
        )
    return np.array(values, np.float32).reshape(1, 1, 3)
