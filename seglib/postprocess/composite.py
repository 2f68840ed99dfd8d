"""Composing the frame: blending, a blurred, grey or other background, a seamless clone.

Every function takes a uint8 RGB photo of any size and a float mask of the same size, and returns a
new uint8 RGB picture.

Chapter: post-processing.
"""

import math

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import check_image, check_mask, resize
from seglib.postprocess.bands import Grower, bands
from seglib.postprocess.edges import estimate_foreground
from seglib.postprocess.light import from_linear, light_table, to_linear
from seglib.postprocess.masks import check_sigma

_SMALL_PIXELS = 24_000_000


def alpha_blend(
    front: np.ndarray, back: np.ndarray, mask: np.ndarray, linear: bool = False
) -> np.ndarray:
    """Return `front * mask + back * (1 - mask)`, uint8 RGB, rounded to the nearest level.

    Args:
        front: the image seen where the mask is 1.
        back: the image seen where the mask is 0, of the same size.
        mask: float, H x W, in [0, 1].
        linear: mix amounts of light, as a lens does, not levels: half-covered pixels between black
            and white then come out as level 188, not 128, and fine hair before a bright
            background looks thinner. The older projects and most apps mix levels.

    Raises:
        SeglibError: not images or not a mask, or their sizes differ.

    Chapter: post-processing.
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
    for rows in bands(*mask.shape):
        result[rows] = mix(front[rows], back[rows], mask[rows, :, None], linear)
    return result


def mix(front: np.ndarray, back: np.ndarray, mask: np.ndarray, linear: bool) -> np.ndarray:
    """Return the blend of pixels, uint8 ... x 3; see `alpha_blend`.

    Args:
        front: uint8 RGB, ... x 3.
        back: the same.
        mask: float32, ... x 1.
        linear: mix light in place of levels.

    Chapter: post-processing.
    """
    if linear:
        below = to_linear(back)
        return from_linear(below + (to_linear(front) - below) * mask)
    below = back.astype(np.float32)
    return np.rint(below + (front - below) * mask).astype(np.uint8)


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
    sigma = min(mask.shape) / 40 if sigma is None else sigma
    check_sigma(sigma)
    if sigma == 0:
        return image.copy()
    factor = blur_factor(sigma, mask.shape)
    small = blur_small(_weighted_background(image, mask, factor), sigma, factor)
    return _over(image, mask, small, factor)


def bokeh_background(
    image: np.ndarray, mask: np.ndarray, radius: float | None = None
) -> np.ndarray:
    """Throw the background out of focus as a lens does: each point becomes a disc of light.

    Like `blur_background`, with two differences: the average is over a disc, not a Gaussian, and it
    is one of light, not of levels, so that a lamp becomes a bright disc and not a grey fog. The
    person is left out of the average. It is taken on a copy reduced by about radius / 6.

    Args:
        image: uint8 RGB photo.
        mask: soft mask of the person, float H x W in [0, 1].
        radius: of the disc in pixels; by default 1/25 of the shorter side.

    Raises:
        SeglibError: a negative radius, or image and mask do not fit.

    Chapter: post-processing.
    """
    check_image(image)
    mask = check_mask(mask, shape=image.shape)
    radius = min(mask.shape) / 25 if radius is None else radius
    if not 0 <= radius < math.inf:
        raise SeglibError(f"the radius is {radius:g}; a number of pixels from 0 is expected")
    if radius == 0:
        return image.copy()
    factor = bokeh_factor(radius, mask.shape)
    small = bokeh_small(_weighted_background(image, mask, factor), radius, factor)
    return _over(image, mask, small, factor)


def grey_background(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Take the colour out of what the mask does not cover.

    Raises:
        SeglibError: image and mask do not fit.

    Chapter: post-processing.
    """
    check_image(image)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return alpha_blend(image, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), mask)


def replace_background(
    image: np.ndarray,
    mask: np.ndarray,
    background: np.ndarray,
    light: float = 0.0,
    foreground: bool = False,
    linear: bool = False,
) -> np.ndarray:
    """Set the person the mask covers before another picture.

    The background is cropped about its centre to the photo's proportions and resized ("cover"), so
    it fills the frame undistorted.

    Args:
        image: uint8 RGB photo.
        mask: soft mask of the person, float H x W in [0, 1].
        background: uint8 RGB picture of any size.
        light: strength of `match_light`, 0 (leave the person's light) to 1.
        foreground: take the old background out of half-covered pixels, see `estimate_foreground`.
        linear: mix in linear light, see `alpha_blend`.

    Raises:
        SeglibError: not images or not a mask, or image and mask do not fit.

    Chapter: post-processing.
    """
    check_image(image)
    check_image(background, "background")
    mask = check_mask(mask, shape=image.shape)
    scene = cover(background, mask.shape)
    front = estimate_foreground(image, mask, reduce=4) if foreground else image
    if light:
        # Judged by the photo: a few pixels more or less of the person do not change their light.
        front = cv2.LUT(front, light_table(image, mask, scene, light))
    return alpha_blend(front, scene, mask, linear)


def clone_background(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, level: float = 0.5
) -> np.ndarray:
    """Set the person before another picture by their gradients: Poisson image editing.

    Inside the cut the result has the photo's gradients, and along it the background's colours
    (Perez, Gangnet and Blake, SIGGRAPH 2003; OpenCV's NORMAL_CLONE), so no edge shows, but the
    person takes on the background's colours, all the more where the frame cuts them off.
    `segvideo.py` of Portrait-Segmentation (anilsathyan7) offers it. Far slower than a blend.

    Args:
        image: uint8 RGB photo.
        mask: mask of the person, float H x W in [0, 1].
        background: uint8 RGB picture of any size, cropped and resized as in `replace_background`.
        level: where the mask is cut.

    Raises:
        SeglibError: not images or not a mask, or image and mask do not fit.

    Chapter: post-processing.
    """
    check_image(image)
    check_image(background, "background")
    mask = check_mask(mask, shape=image.shape)
    scene = cover(background, mask.shape)
    # One pixel more on all sides: OpenCV's solver wants known colours around what it fills.
    inside = np.pad((mask >= level).astype(np.uint8) * 255, 1)
    if not inside.any():
        return scene
    left, top, width, height = cv2.boundingRect(inside)
    centre = (left + width // 2, top + height // 2)
    edges = ((1, 1), (1, 1), (0, 0))
    front, back = np.pad(image, edges, mode="edge"), np.pad(scene, edges, mode="edge")
    return cv2.seamlessClone(front, back, inside, centre, cv2.NORMAL_CLONE)[1:-1, 1:-1].copy()


def cover(background: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Crop a picture about its centre to the proportions of `size` and resize it to that size.

    Args:
        background: uint8 RGB of any size; one of this size comes back as it is, not copied.
        size: (height, width).

    Raises:
        SeglibError: not an image, or a side is below 1.

    Chapter: post-processing.
    """
    check_image(background, "background")
    height, width = size
    rows, columns = background.shape[:2]
    if (rows, columns) == (height, width):
        return background
    if min(size) < 1:
        raise SeglibError(f"cannot fill {width}x{height} pixels; both sides must be at least 1")
    scale = max(height / rows, width / columns)
    keep_rows = min(rows, max(1, round(height / scale)))
    keep_columns = min(columns, max(1, round(width / scale)))
    top, left = (rows - keep_rows) // 2, (columns - keep_columns) // 2
    cropped = background[top : top + keep_rows, left : left + keep_columns]
    return resize(cropped, (height, width))


def blur_factor(sigma: float, size: tuple[int, int]) -> int:
    """Return by how much `blur_background` reduces the picture. Chapter: post-processing."""
    return max(1, int(sigma / 4), math.ceil(math.sqrt(size[0] * size[1] / _SMALL_PIXELS)))


def blur_small(small: np.ndarray, sigma: float, factor: int) -> np.ndarray:
    """Blur a reduced, weighted background as wide as `sigma` pixels of the whole picture.

    Args:
        small: image * (1 - mask) and 1 - mask, float32 h x w x 4.
        sigma: pixels of the whole picture.
        factor: by what the picture was reduced.

    Returns:
        The same, blurred.

    Chapter: post-processing.
    """
    # Averaging over blocks and growing back linearly blur too; the rest is left to the Gaussian.
    own = factor**2 / 4 if factor > 1 else 0.0
    rest = math.sqrt(max(sigma**2 - own, 0.01)) / factor
    return cv2.GaussianBlur(small, (0, 0), rest, borderType=cv2.BORDER_REPLICATE)


def bokeh_factor(radius: float, size: tuple[int, int]) -> int:
    """Return by how much `bokeh_background` reduces the picture. Chapter: post-processing."""
    return max(1, int(radius / 6), math.ceil(math.sqrt(size[0] * size[1] / _SMALL_PIXELS)))


def bokeh_small(small: np.ndarray, radius: float, factor: int) -> np.ndarray:
    """Spread the light of a reduced, weighted background over discs; see `blur_small`.

    Chapter: post-processing.
    """
    weight = small[..., 3:]
    levels = (small[..., :3] / np.maximum(weight, 1e-6)).clip(0, 255)
    light = to_linear(np.rint(levels).astype(np.uint8)) * weight
    reach = math.ceil(radius / factor)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    # The rim's pixels count by the part of them that the disc covers.
    disc = (radius / factor + 0.5 - np.hypot(x, y)).clip(0, 1).astype(np.float32)
    spread = cv2.filter2D(
        np.concatenate([light, weight], axis=2),
        -1,
        disc / disc.sum(),
        borderType=cv2.BORDER_REPLICATE,
    ).clip(0, None)
    share = np.maximum(spread[..., 3:], 1e-6)
    spread[..., :3] = from_linear(spread[..., :3] / share) * spread[..., 3:]
    return spread


def _over(image: np.ndarray, mask: np.ndarray, small: np.ndarray, factor: int) -> np.ndarray:
    """Lay the person over a weighted background, h x w x 4, reduced by `factor`."""
    height, width = mask.shape
    grown = Grower(small, (small.shape[0] * factor, small.shape[1] * factor))
    result = np.empty_like(image)
    for rows in bands(height, width):
        part = grown.rows(rows)[:, :width]
        background = part[..., :3] / np.maximum(part[..., 3:], 1e-6)
        person = mask[rows, :, None]
        result[rows] = np.rint((background + (image[rows] - background) * person).clip(0, 255))
    return result


def _weighted_background(image: np.ndarray, mask: np.ndarray, factor: int) -> np.ndarray:
    """Return image * (1 - mask) and 1 - mask averaged over factor x factor blocks, h x w x 4."""
    height, width = mask.shape
    columns = math.ceil(width / factor)
    parts = []
    for rows in bands(height, width, factor):
        weight = 1 - mask[rows, :, None]
        band = np.concatenate([image[rows] * weight, weight], axis=2)
        if factor > 1:
            missing = (-band.shape[0] % factor, columns * factor - width)
            band = np.pad(band, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
            band = resize(band, (band.shape[0] // factor, columns))
        parts.append(band)
    return np.concatenate(parts)
