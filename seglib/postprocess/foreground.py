"""The person's own colour at an edge, without the old background's.

Chapter: post-processing.
"""

import math

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask, resize
from seglib.postprocess.bands import Grower, bands
from seglib.postprocess.edges import shrink


def estimate_foreground(
    image: np.ndarray, mask: np.ndarray, radius: float | None = None, reduce: int = 1
) -> np.ndarray:
    """Return the photo with the old background taken out of its half-covered pixels, uint8 RGB.

    At an edge the camera saw a mixture, image = mask * front + (1 - mask) * back. Before a new
    background the old one shines through, unless `front` is used in place of the photo. It is found
    by blur fusion (Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021): both colours
    are averaged around each pixel, each over its own part of the photo, and what the mixture then
    leaves unexplained is given to the front in proportion to the mask; a second, narrower pass
    starts from there. Where the mask is 1 the photo comes back, where it is 0 the average of the
    person's colours nearby.

    Args:
        image: uint8 RGB, H x W x 3.
        mask: float, H x W, in [0, 1].
        radius: half the window of the first pass in pixels; by default 1/16 of the shorter side,
            45 in a frame of 720 rows, as in the paper. The second pass takes a fifteenth of it.
        reduce: average on copies reduced by this factor, which is faster by its square.

    Raises:
        SeglibError: image and mask do not fit, or radius or reduce is out of range.

    Chapter: post-processing.
    """
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    front, back = (
        Grower(colours, mask.shape) for colours in local_colours(image, mask, radius, reduce)
    )
    result = np.empty_like(image)
    for rows in bands(*mask.shape):
        old = image[rows].astype(np.float32)
        colours = unmix(old, mask[rows], front.rows(rows), back.rows(rows))
        result[rows] = np.rint(colours)
    return result


def local_colours(
    image: np.ndarray, mask: np.ndarray, radius: float | None = None, reduce: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return the person's and the background's colours around each pixel, at the reduced size.

    Args:
        image: uint8 RGB, H x W x 3.
        mask: float32, H x W, in [0, 1].
        radius: half the first pass's window in pixels of `image`.
        reduce: by what the copies are reduced.

    Returns:
        Two float32 arrays, ceil(H / reduce) x ceil(W / reduce) x 3, 0 to 255.

    Raises:
        SeglibError: radius or reduce is out of range.

    Chapter: post-processing.
    """
    if reduce < 1 or reduce != int(reduce):
        raise SeglibError(f"reduce is {reduce}; a whole number from 1 is expected")
    radius = min(mask.shape) / 16 if radius is None else radius
    if not 0 <= radius < math.inf:
        raise SeglibError(f"the radius is {radius:g}; a number of pixels from 0 is expected")
    size = (math.ceil(mask.shape[0] / reduce), math.ceil(mask.shape[1] / reduce))
    image = shrink(image, size).astype(np.float32)
    inside = resize(mask, size)
    outside = 1 - inside
    front, back = image, image
    for reach in (radius / reduce, radius / 15 / reduce):
        side = 2 * max(1, round(reach)) + 1
        near_front = _local_mean(front, inside, side)
        near_back = _local_mean(back, outside, side)
        front, back = unmix(image, inside, near_front, near_back), near_back
    return near_front, near_back


def unmix(image: np.ndarray, mask: np.ndarray, front: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Return front + mask * (image - what front and back explain of it), 0 to 255, float32.

    Args:
        image: RGB 0 to 255, float32, H x W x 3.
        mask: float32 in [0, 1], H x W.
        front: the person's colours around each pixel, H x W x 3.
        back: the background's.

    Chapter: post-processing.
    """
    share = cv2.cvtColor(mask, cv2.COLOR_GRAY2RGB)
    rest = cv2.subtract(image, back)
    rest -= share * cv2.subtract(front, back)
    rest *= share
    rest += front
    return np.clip(rest, 0, 255, out=rest)


def at_places(
    small: np.ndarray, size: tuple[int, int], rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Return a map's values, enlarged linearly to `size`, at some pixels only, N x C.

    They equal those of `seglib.images.resize`, to rounding.

    Args:
        small: float32, h x w x C, no larger than `size`.
        size: (height, width).
        rows: N row numbers in the large picture.
        columns: N column numbers.

    Chapter: post-processing.
    """
    height, width = small.shape[:2]
    flat = small.reshape(height * width, -1)
    y = ((rows + 0.5) * (height / size[0]) - 0.5).clip(0, height - 1)
    x = ((columns + 0.5) * (width / size[1]) - 0.5).clip(0, width - 1)
    top, left = y.astype(np.intp), x.astype(np.intp)
    down = (y - top).astype(np.float32)[:, None]
    right = (x - left).astype(np.float32)[:, None]
    # A step to the next row or column, none at the last one.
    below = np.where(top < height - 1, width, 0)
    beside = (left < width - 1).astype(np.intp)
    corner = top * width + left
    upper = flat[corner] * (1 - right) + flat[corner + beside] * right
    corner += below
    lower = flat[corner] * (1 - right) + flat[corner + beside] * right
    return upper * (1 - down) + lower * down


def _local_mean(colours: np.ndarray, weight: np.ndarray, side: int) -> np.ndarray:
    """Return the weighted mean over windows; windows without weight keep the colours they had."""
    sums = cv2.blur(colours * cv2.cvtColor(weight, cv2.COLOR_GRAY2RGB), (side, side))
    weights = cv2.blur(weight, (side, side))
    empty = (weights <= 1e-4).astype(np.uint8)
    sums *= cv2.cvtColor(1 / np.maximum(weights, 1e-4), cv2.COLOR_GRAY2RGB)
    return cv2.copyTo(colours, empty, sums)
