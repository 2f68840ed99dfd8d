"""A background out of focus, by a Gaussian or by discs, that does not carry the person along.

Chapter: post-processing.
"""

import math

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask, resize
from seglib.postprocess.bands import Grower, bands
from seglib.postprocess.light import from_linear, to_linear
from seglib.postprocess.masks import check_sigma

_SMALL_PIXELS = 24_000_000


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
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
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
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    radius = min(mask.shape) / 25 if radius is None else radius
    if not 0 <= radius < math.inf:
        raise SeglibError(f"the radius is {radius:g}; a number of pixels from 0 is expected")
    if radius == 0:
        return image.copy()
    factor = bokeh_factor(radius, mask.shape)
    small = bokeh_small(_weighted_background(image, mask, factor), radius, factor)
    return _over(image, mask, small, factor)


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
