"""Edges that follow the photo: the guided and the joint bilateral filter, while they enlarge.

A network's mask is small, and enlarged it is smooth where the photo is sharp. Both filters move it
towards the photo's own edges. Chapter: post-processing.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from seglib.images import as_image, as_mask, resize
from seglib.postprocess.masks import check_number, in_bands


def as_pair(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a photo and a mask of its size, as `as_image` and `as_mask` read them."""
    image = as_image(image)
    return image, as_mask(mask, shape=image.shape[:2])


def taller(planes: Iterable[np.ndarray], height: int) -> list[np.ndarray]:
    """Enlarge float32 maps linearly along one axis; `wider` does the other, band by band."""
    return [cv2.resize(plane, (plane.shape[1], height)) for plane in planes]


def wider(plane: np.ndarray, width: int) -> np.ndarray:
    """Enlarge a map linearly to the full width; see `taller`."""
    return cv2.resize(plane, (width, len(plane)))


def guided_upsample(
    mask: np.ndarray, image: np.ndarray, radius: int = 6, eps: float = 1e-3
) -> np.ndarray:
    """Enlarge a small mask to the photo's size along the photo's edges, float32 in [0, 1], H x W.

    Inside each window of 2 `radius` + 1 pixels a side the mask is written as a linear function of
    the photo's colours, mask = a * colour + b (least squares, with `eps` to keep `a` small), and
    a and b are averaged over the windows (He, Sun and Tang, PAMI 2013). They are found at the
    mask's size, enlarged linearly, and applied to the photo itself (fast guided filter, He and Sun
    2015). Where the photo has no edge, a is near 0 and the result is a box blur of a box blur; a
    large `eps` makes it so everywhere. A mask of the photo's own size is filtered the same way.

    Args:
        mask: in [0, 1], h x w; 128 x 128, say, straight from the network.
        image: the photo, uint8 RGB, H x W x 3.
        radius: half the window, in pixels of the mask.
        eps: variance of the photo, whose values count from 0 to 1, below which there is no edge.
    """
    image, mask = _fitted(image, mask)
    height, width = image.shape[:2]
    planes = _guided_coefficients(mask, shrink(image, mask.shape), radius, eps)
    *slopes, offset = taller(planes, height)
    result = np.empty((height, width), np.float32)

    def band(rows: slice) -> None:
        alpha = wider(offset[rows], width)
        for channel, slope in zip(cv2.split(image[rows]), slopes, strict=True):
            product = wider(slope[rows], width)
            product *= channel
            alpha += product
        np.clip(alpha, 0, 1, out=result[rows])

    in_bands(band, height, width)
    return result


def joint_bilateral_upsample(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Enlarge a small mask to the photo's size, float32 in [0, 1], H x W.

    Each pixel of the photo averages the mask's values up to two pixels around its place, near ones
    and those over which the photo has a similar brightness the most (Kopf et al., SIGGRAPH 2007):
    weight = exp(-distance^2 / 2) * exp(-difference^2 / 2 * 0.1^2), in pixels of the mask and in
    brightness from 0 to 1.
    """
    image, mask = _fitted(image, mask)
    height, width = image.shape[:2]
    small = cv2.cvtColor(resize(image, mask.shape), cv2.COLOR_RGB2GRAY)
    differences = np.arange(256, dtype=np.float32) / np.float32(255 * 0.1)
    # A floor, so that a pixel unlike all its neighbours takes their plain average.
    similar = np.maximum(np.exp(-0.5 * differences**2), np.float32(1e-6))
    down, down_weight = _neighbours(height, mask.shape[0])
    right, right_weight = _neighbours(width, mask.shape[1])
    result = np.empty((height, width), np.float32)

    def band(rows: slice) -> None:
        grey = cv2.cvtColor(image[rows], cv2.COLOR_RGB2GRAY)
        total, weights = np.zeros((2, *grey.shape), np.float32)
        for columns, column_weight in zip(right, right_weight, strict=True):
            greys, values = small[:, columns], mask[:, columns]
            for lines, line_weight in zip(down[:, rows], down_weight[:, rows], strict=True):
                weight = cv2.LUT(cv2.absdiff(grey, greys[lines]), similar)
                weight *= line_weight[:, None]
                weight *= column_weight
                weights += weight
                weight *= values[lines]
                total += weight
        np.clip(total / weights, 0, 1, out=result[rows])

    in_bands(band, height, width)
    return result


def shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Average a picture down to `size` = (height, width), by halves as far as that goes.

    Halves of even sides are several times faster than one step of an uneven ratio; each rounds to
    whole levels.
    """
    height, width = image.shape[:2]
    while height >= 2 * size[0] and width >= 2 * size[1] and height % 2 == width % 2 == 0:
        height, width = height // 2, width // 2
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return resize(image, size)


def _fitted(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the checked image and the checked mask, no larger than the image."""
    image, mask = as_image(image), as_mask(mask)
    size = (min(mask.shape[0], image.shape[0]), min(mask.shape[1], image.shape[1]))
    return image, mask if mask.shape == size else resize(mask, size)


def _guided_coefficients(
    mask: np.ndarray, guide: np.ndarray, radius: int, eps: float
) -> list[np.ndarray]:
    """Return the filter's averaged a (for red, green, blue, per level) and b, float32 H x W each.

    Mask and guide have one size; the guide's levels count from 0 to 1 for `eps`.
    """
    check_number("eps", eps, above=True)
    side = 2 * check_number("radius", radius, whole=True) + 1

    def mean(plane: np.ndarray) -> np.ndarray:
        return cv2.blur(plane, (side, side), borderType=cv2.BORDER_REPLICATE)

    # About a middle, since a variance as a difference of large squares loses its digits.
    red, green, blue = (
        channel.astype(np.float32) * np.float32(1 / 255) - np.float32(0.5)
        for channel in cv2.split(guide)
    )
    means = [mean(channel) for channel in (red, green, blue)]
    mean_mask = mean(mask)
    to_mask = [
        mean(channel * mask) - average * mean_mask
        for channel, average in zip((red, green, blue), means, strict=True)
    ]
    rr, gg, bb = (
        mean(channel * channel) - average * average + np.float32(eps)
        for channel, average in zip((red, green, blue), means, strict=True)
    )
    rg = mean(red * green) - means[0] * means[1]
    rb = mean(red * blue) - means[0] * means[2]
    gb = mean(green * blue) - means[1] * means[2]
    # The symmetric 3 x 3 matrix is inverted by its cofactors, at all pixels at once.
    first = (gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb)
    second = (first[1], rr * bb - rb * rb, rb * rg - rr * gb)
    third = (first[2], second[2], rr * gg - rg * rg)
    scale = 1 / (rr * first[0] + rg * first[1] + rb * first[2])
    slopes = [
        (row[0] * to_mask[0] + row[1] * to_mask[1] + row[2] * to_mask[2]) * scale
        for row in (first, second, third)
    ]
    offset = mean_mask - sum(
        slope * (average + np.float32(0.5)) for slope, average in zip(slopes, means, strict=True)
    )
    return [*(mean(slope) * np.float32(1 / 255) for slope in slopes), mean(offset)]


def _neighbours(large: int, small: int) -> tuple[np.ndarray, np.ndarray]:
    """Return, per axis, the small pixels around each large one and their weights, 5 x large both.

    Beyond the frame its edge is repeated.
    """
    place = (np.arange(large) + 0.5) * (small / large) - 0.5
    nearest = np.rint(place).astype(np.intp) + np.arange(-2, 3)[:, None]
    weight = np.exp(-0.5 * (nearest - place) ** 2)
    return nearest.clip(0, small - 1), weight.astype(np.float32)
