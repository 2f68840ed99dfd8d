"""Edges that follow the photo: guided and joint bilateral filters.

A network's mask is small, and enlarged it is smooth where the photo is sharp. Both filters here
move it towards the photo's own edges; both can do so while they enlarge.

Chapter: post-processing.
"""

import math

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask, resize
from seglib.postprocess.bands import Grower, bands
from seglib.postprocess.masks import check_radius


def guided_filter(
    mask: np.ndarray, guide: np.ndarray, radius: int = 8, eps: float = 1e-3, reduce: int = 1
) -> np.ndarray:
    """Return the mask with the edges of `guide`, float32 in [0, 1], H x W.

    Inside each window of 2 `radius` + 1 pixels a side the mask is written as a linear function of
    the guide's colours, mask = a * colour + b (least squares, with `eps` to keep `a` small), and
    a and b are averaged over the windows and applied (He, Sun and Tang, PAMI 2013). Where the guide
    has no edge, a is near 0 and the result is a box blur of a box blur; a large `eps` makes it so
    everywhere.

    Args:
        mask: float, H x W, in [0, 1].
        guide: the photo, uint8 RGB, H x W x 3.
        radius: half the window, in pixels of the mask.
        eps: variance of the guide, whose values count from 0 to 1, below which there is no edge.
        reduce: fit on copies reduced by this factor and enlarge a and b (fast guided filter, He and
            Sun 2015); the work falls with its square.

    Raises:
        SeglibError: mask and guide do not fit, or radius, eps or reduce is out of range.

    Chapter: post-processing.
    """
    guide = as_image(guide, "guide")
    mask = as_mask(mask, shape=guide.shape)
    if reduce < 1 or reduce != int(reduce):
        raise SeglibError(f"reduce is {reduce}; a whole number from 1 is expected")
    size = tuple(math.ceil(side / reduce) for side in mask.shape)
    window = math.ceil(check_radius(radius) / reduce)
    return guided_upsample(resize(mask, size), guide, window, eps)


def guided_upsample(
    mask: np.ndarray, image: np.ndarray, radius: int = 6, eps: float = 1e-3
) -> np.ndarray:
    """Enlarge a small mask to the photo's size along the photo's edges, float32 in [0, 1], H x W.

    The guided filter's a and b are found at the mask's size, where they cost next to nothing,
    enlarged linearly, and applied to the photo itself (fast guided filter, He and Sun 2015).

    Args:
        mask: float, h x w, in [0, 1]; 128 x 128, say, straight from the network.
        image: the photo, uint8 RGB, H x W x 3.
        radius: half the window, in pixels of the mask.
        eps: variance of the photo, whose values count from 0 to 1, below which there is no edge.

    Raises:
        SeglibError: not a mask or not an image, or radius or eps is out of range.

    Chapter: post-processing.
    """
    image = as_image(image)
    guided = Guided(mask, image, radius, eps)
    result = np.empty(image.shape[:2], np.float32)
    for rows in bands(*result.shape):
        guided.rows(image, rows, result[rows])
    return result


class Guided:
    """A small mask fitted to a photo, to be enlarged some rows at a time; see `guided_upsample`.

    Chapter: post-processing.
    """

    def __init__(
        self,
        mask: np.ndarray,
        image: np.ndarray,
        radius: int,
        eps: float,
        out: np.ndarray | None = None,
    ) -> None:
        """Fit the mask, at its own size, to the photo.

        Args:
            mask: see `guided_upsample`, as are image, radius and eps.
            image: uint8 RGB, H x W x 3.
            radius: in pixels of the mask.
            eps: variance.
            out: float32 4 x H x W, where a and b are kept, see `Grower`.

        Raises:
            SeglibError: not a mask or not an image, or radius or eps is out of range.
        """
        image = as_image(image)
        size = image.shape[:2]
        mask = as_mask(mask)
        if mask.shape[0] > size[0] or mask.shape[1] > size[1]:
            mask = resize(mask, (min(mask.shape[0], size[0]), min(mask.shape[1], size[1])))
        planes = guided_coefficients(mask, shrink(image, mask.shape), radius, eps)
        planes[:3] *= np.float32(1 / 255)
        *self._slopes, self._offset = (
            Grower(plane, size, keep)
            for plane, keep in zip(planes, [None] * 4 if out is None else out, strict=True)
        )

    def rows(self, image: np.ndarray, rows: slice, out: np.ndarray) -> None:
        """Write these rows of the enlarged mask, cut to [0, 1], to `out`, float32."""
        np.copyto(out, self._offset.rows(rows))
        product = np.empty_like(out)
        for channel, slope in zip(cv2.split(image[rows]), self._slopes, strict=True):
            # NumPy, since OpenCV 4 takes 60 times as long where the types differ.
            np.multiply(channel, slope.rows(rows), out=product)
            out += product
        np.clip(out, 0, 1, out=out)


def guided_coefficients(mask: np.ndarray, guide: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """Return the guided filter's averaged a (for red, green, blue) and b, float32 4 x H x W.

    Args:
        mask: float32, H x W, in [0, 1].
        guide: uint8 RGB of the same size; its values count from 0 to 1.
        radius: half the window, in pixels.
        eps: see `guided_filter`.

    Raises:
        SeglibError: radius or eps is out of range.

    Chapter: post-processing.
    """
    if not 0 < eps < math.inf:
        raise SeglibError(f"eps is {eps:g}; a number above 0 is expected")
    side = 2 * check_radius(radius) + 1
    # About a middle, since a variance as a difference of large squares loses its digits.
    red, green, blue = (
        channel.astype(np.float32) * np.float32(1 / 255) - np.float32(0.5)
        for channel in cv2.split(guide)
    )

    def mean(plane: np.ndarray) -> np.ndarray:
        return cv2.blur(plane, (side, side), borderType=cv2.BORDER_REPLICATE)

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
    offset = mean_mask.copy()
    for slope, average in zip(slopes, means, strict=True):
        offset -= slope * (average + np.float32(0.5))
    return np.stack([mean(plane) for plane in (*slopes, offset)])


def shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Average a picture down to `size` = (height, width), by halves as far as that goes.

    Halves of even sides are several times faster than one step of an uneven ratio; each rounds to
    whole levels. Chapter: post-processing.
    """
    height, width = image.shape[:2]
    while height >= 2 * size[0] and width >= 2 * size[1] and height % 2 == width % 2 == 0:
        height, width = height // 2, width // 2
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return resize(image, size)


def joint_bilateral_upsample(
    mask: np.ndarray,
    image: np.ndarray,
    sigma: float = 1.0,
    sigma_colour: float = 0.1,
    radius: int = 2,
) -> np.ndarray:
    """Enlarge a small mask to the photo's size, float32 in [0, 1], H x W.

    Each pixel of the photo averages the mask's values around its place, near ones and those over
    which the photo has a similar brightness the most (Kopf et al., SIGGRAPH 2007):
    weight = exp(-distance^2 / 2 sigma^2) * exp(-difference^2 / 2 sigma_colour^2).

    Args:
        mask: float, h x w, in [0, 1].
        image: the photo, uint8 RGB, H x W x 3.
        sigma: reach in pixels of the mask.
        sigma_colour: reach in brightness, which counts from 0 to 1.
        radius: how many pixels of the mask to either side are looked at.

    Raises:
        SeglibError: not a mask or not an image, or sigma, sigma_colour or radius is out of range.

    Chapter: post-processing.
    """
    image = as_image(image)
    mask = as_mask(mask)
    for name, value in (("sigma", sigma), ("sigma_colour", sigma_colour)):
        if not 0 < value < math.inf:
            raise SeglibError(f"{name} is {value:g}; a number above 0 is expected")
    reach = check_radius(radius)
    height, width = image.shape[:2]
    if mask.shape[0] > height or mask.shape[1] > width:
        mask = resize(mask, tuple(map(min, mask.shape, (height, width))))
    small = cv2.cvtColor(resize(image, mask.shape), cv2.COLOR_RGB2GRAY)
    differences = np.arange(256, dtype=np.float32) / np.float32(255 * sigma_colour)
    similar = np.exp(-0.5 * differences**2)
    # A floor, so that a pixel unlike all its neighbours takes their plain average.
    similar = np.maximum(similar, np.float32(1e-6))
    # Each axis: which small pixels a large pixel looks at, and what their distance is worth.
    down, down_worth = _taps(height, mask.shape[0], reach, sigma)
    right, right_worth = _taps(width, mask.shape[1], reach, sigma)
    result = np.empty((height, width), np.float32)
    # Columns are repeated once for the whole picture; rows, which lie in one piece, as needed.
    wide = [(small[:, columns], mask[:, columns]) for columns in right]
    for rows in bands(height, width):
        grey = cv2.cvtColor(image[rows], cv2.COLOR_RGB2GRAY)
        total = np.zeros(grey.shape, np.float32)
        weights = np.zeros(grey.shape, np.float32)
        for i in range(2 * reach + 1):
            for j in range(2 * reach + 1):
                greys, values = (plane.take(down[i, rows], axis=0) for plane in wide[j])
                weight = cv2.LUT(cv2.absdiff(grey, greys), similar)
                weight *= down_worth[i, rows][:, None]
                weight *= right_worth[j]
                weights += weight
                values *= weight
                total += values
        result[rows] = total / weights
    return result.clip(0, 1)


def _taps(large: int, small: int, reach: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the small pixels around each large one and their weights by distance.

    Both are (2 reach + 1) x large; beyond the frame its edge is repeated.
    """
    place = (np.arange(large) + 0.5) * (small / large) - 0.5
    offsets = np.arange(-reach, reach + 1)[:, None]
    nearest = np.rint(place).astype(np.intp) + offsets
    worth = np.exp(-0.5 * ((nearest - place) / sigma) ** 2)
    return nearest.clip(0, small - 1), worth.astype(np.float32)
