"""Composing the frame: what is behind the person is blurred, greyed, replaced or taken away.

Every function takes a photo (RGB, H x W x 3) and a mask of its size (in [0, 1], 1 = the person), as
`seglib.images.as_image` and `as_mask` read them, and returns a new uint8 picture.
Chapter: post-processing.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask, resize
from seglib.postprocess.colour import as_color, from_linear, light_curves, to_linear
from seglib.postprocess.edges import as_pair, shrink, taller, wider
from seglib.postprocess.masks import check_number, in_bands

REDUCE = 4
"""By how much the copies are reduced on which a replaced frame's own colours are found."""

_SMALL_PIXELS = 24_000_000


def alpha_blend(
    front: np.ndarray, back: np.ndarray, mask: np.ndarray, linear: bool = False
) -> np.ndarray:
    """Return `front * mask + back * (1 - mask)`, uint8 RGB, rounded to the nearest level.

    With `linear`, amounts of light are mixed, as a lens does, not levels: half-covered pixels
    between black and white come out as level 188, not 128, and fine hair before a bright background
    looks thinner. Most apps mix levels.
    """
    front, back = as_image(front, "front image"), as_image(back, "back image")
    if front.shape != back.shape:
        raise SeglibError(
            f"the front image is {front.shape[1]}x{front.shape[0]} and the back image "
            f"{back.shape[1]}x{back.shape[0]}; bring both to one size with seglib.images.resize"
        )
    mask = as_mask(mask, shape=front.shape[:2])

    result = np.empty_like(front)

    def band(rows: slice) -> None:
        result[rows] = _mix(front[rows], back[rows], mask[rows])
        if linear:
            between = np.nonzero((mask[rows] > 0) & (mask[rows] < 1))
            light = to_linear(back[rows][between])
            light += (to_linear(front[rows][between]) - light) * mask[rows][between][:, None]
            result[rows][between] = from_linear(light)

    in_bands(band, *mask.shape)
    return result


def grey_background(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Take the colour out of what the mask does not cover."""
    image = as_image(image)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return alpha_blend(image, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), mask)


def blur_background(image: np.ndarray, mask: np.ndarray, sigma: float | None = None) -> np.ndarray:
    """Blur what the mask does not cover, without smearing the person into the background.

    A plain blur of the photo carries the person's colours outwards, and a glow surrounds the head.
    Normalised convolution (Knutsson and Westin, CVPR 1993) leaves the person out of the average:
    background = blur(image * (1 - mask)) / blur(1 - mask).

    `sigma`, the width of the Gaussian in pixels, is 1/40 of the shorter side by default. The
    average is taken on a copy reduced by about sigma / 4, where a Gaussian that wide loses nothing
    one could see; so a wide blur costs no more than a narrow one. On pictures above 24 megapixels
    the copy is always reduced: at 108 megapixels the finest blur is 1.5 pixels.
    """
    image, mask = as_pair(image, mask)
    sigma = check_number("sigma", min(mask.shape) / 40 if sigma is None else sigma)
    if sigma == 0:
        return image.copy()
    factor = _reduction(sigma / 4, mask.shape)
    # Averaging over blocks and growing back linearly blur too; the rest is left to the Gaussian.
    own = factor**2 / 4 if factor > 1 else 0.0
    rest = math.sqrt(max(sigma**2 - own, 0.01)) / factor

    def spread(small: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(small, (0, 0), rest, borderType=cv2.BORDER_REPLICATE)

    return _defocus(image, mask, factor, spread)


def bokeh_background(
    image: np.ndarray, mask: np.ndarray, radius: float | None = None
) -> np.ndarray:
    """Throw the background out of focus as a lens does: each point becomes a disc of light.

    Like `blur_background`, with two differences: the average is over a disc, its `radius` in pixels
    by default 1/25 of the shorter side, and it is one of light, not of levels, so that a lamp
    becomes a bright disc and not a grey fog. It is taken on a copy reduced by about radius / 6.
    """
    image, mask = as_pair(image, mask)
    radius = check_number("radius", min(mask.shape) / 25 if radius is None else radius)
    if radius == 0:
        return image.copy()
    factor = _reduction(radius / 6, mask.shape)
    reach = math.ceil(radius / factor)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    # The rim's pixels count by the part of them that the disc covers.
    disc = (radius / factor + 0.5 - np.hypot(x, y)).clip(0, 1).astype(np.float32)
    disc /= disc.sum()

    def spread(small: np.ndarray) -> np.ndarray:
        weight = small[..., 3:]
        levels = (small[..., :3] / np.maximum(weight, 1e-6)).clip(0, 255)
        light = to_linear(np.rint(levels).astype(np.uint8)) * weight
        light = np.concatenate([light, weight], axis=2)
        light = cv2.filter2D(light, -1, disc, borderType=cv2.BORDER_REPLICATE).clip(0, None)
        weight = light[..., 3:]
        light[..., :3] = from_linear(light[..., :3] / np.maximum(weight, 1e-6)) * weight
        return light

    return _defocus(image, mask, factor, spread)


def replace_background(
    image: np.ndarray,
    mask: np.ndarray,
    background: np.ndarray,
    light: float = 0.0,
    foreground: bool = False,
    linear: bool = False,
) -> np.ndarray:
    """Set the person the mask covers before another picture, which fills the frame (`cover`).

    Args:
        image: uint8 RGB photo.
        mask: of the person, H x W in [0, 1].
        background: RGB picture of any size, or a colour such as "#00ff00".
        light: strength of `match_light`, 0 (leave the person's light) to 1.
        foreground: take the old background out of half-covered pixels, see `estimate_foreground`.
        linear: mix in linear light, see `alpha_blend`.
    """
    image, mask = as_pair(image, mask)
    scene = cover(background, mask.shape)
    front = estimate_foreground(image, mask, reduce=REDUCE) if foreground else image
    if light:
        # Judged by the photo: a few pixels more or less of the person do not change their light.
        front = cv2.LUT(front, light_curves(image, mask, scene, light))
    return alpha_blend(front, scene, mask, linear)


def cut_out(image: np.ndarray, mask: np.ndarray, foreground: bool = True) -> np.ndarray:
    """Return the person before nothing: uint8 RGBA, H x W x 4, straight (not premultiplied) alpha.

    Where the mask is 0 the colour is black, so that nothing of the old background is left in a
    file; `foreground` takes it out of half-covered pixels too, see `estimate_foreground`.
    """
    image, mask = as_pair(image, mask)
    front = estimate_foreground(image, mask, reduce=REDUCE) if foreground else image
    alpha = cv2.convertScaleAbs(mask, alpha=255)
    return cv2.merge([*cv2.split(cv2.copyTo(front, alpha)), alpha])


def clone_background(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, level: float = 0.5
) -> np.ndarray:
    """Set the person before another picture by their gradients: Poisson image editing.

    Inside the cut, where the mask is at least `level`, the result has the photo's gradients, and
    along it the background's colours (Perez, Gangnet and Blake, SIGGRAPH 2003; OpenCV's
    NORMAL_CLONE), so no edge shows, but the person takes on the background's colours, all the more
    where the frame cuts them off. `segvideo.py` of Portrait-Segmentation (anilsathyan7) offers it.
    Far slower than a blend.
    """
    image, mask = as_pair(image, mask)
    scene = cover(background, mask.shape)
    # One pixel more on all sides: OpenCV's solver wants known colours around what it fills.
    inside = np.pad((mask >= level).astype(np.uint8) * 255, 1)
    left, top, width, height = cv2.boundingRect(inside)
    edges = ((1, 1), (1, 1), (0, 0))
    cloned, back = np.pad(image, edges, mode="edge"), np.pad(scene, edges, mode="edge")
    # A cut of two pixels has no inside, and OpenCV's solver fails on it.
    if min(width, height) > 2:
        centre = (left + width // 2, top + height // 2)
        # A copy of the cut, since OpenCV writes to the one it is given.
        cloned = cv2.seamlessClone(cloned, back, inside.copy(), centre, cv2.NORMAL_CLONE)
    # The solver's rounding reaches the whole bounding box; beyond the cut nothing shall change.
    return np.where(inside[1:-1, 1:-1, None] > 0, cloned[1:-1, 1:-1], scene)


def cover(background: np.ndarray | str, size: tuple[int, int]) -> np.ndarray:
    """Crop a picture about its centre to the proportions of (height, width), and resize it to that.

    One of this size comes back as it is, not copied; a colour such as "#00ff00" fills the size.
    """
    if isinstance(background, str) and background.startswith("#"):
        return np.broadcast_to(as_color(background), (*size, 3)).copy()
    background = as_image(background, "background")
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


def estimate_foreground(image: np.ndarray, mask: np.ndarray, reduce: int = 1) -> np.ndarray:
    """Return the photo with the old background taken out of its half-covered pixels, uint8 RGB.

    At an edge the camera saw a mixture, image = mask * front + (1 - mask) * back. Before a new
    background the old one shines through, unless `front` is used in place of the photo. It is found
    by blur fusion (Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021): both colours
    are averaged around each pixel, each over its own part of the photo, and what the mixture then
    leaves unexplained is given to the front in proportion to the mask; a second, narrower pass
    starts from there. Where the mask is 1 the photo comes back, where it is 0 the average of the
    person's colours nearby.

    The windows reach 1/16 of the shorter side (45 pixels in a frame of 720 rows, as in the paper),
    then a fifteenth of that. `reduce`: average on copies reduced by this factor, which is faster by
    its square.
    """
    image, mask = as_pair(image, mask)
    check_number("reduce", reduce, whole=True, above=True)
    radius = min(mask.shape) / 16 / reduce
    size = (math.ceil(mask.shape[0] / reduce), math.ceil(mask.shape[1] / reduce))
    inside = resize(mask, size)
    channels = cv2.split(shrink(image, size).astype(np.float32))
    fronts = backs = channels
    for reach in (radius, radius / 15):
        side = 2 * max(1, round(reach)) + 1
        near = _local_means(fronts, inside, side)
        backs = _local_means(backs, 1 - inside, side)
        fronts = [_unmix(*four) for four in zip(channels, [inside] * 3, near, backs, strict=True)]
    near, backs = taller(near, mask.shape[0]), taller(backs, mask.shape[0])
    result = np.empty_like(image)

    def band(rows: slice) -> None:
        planes = []
        for channel, *colours in zip(cv2.split(image[rows]), near, backs, strict=True):
            front, back = (wider(colour[rows], mask.shape[1]) for colour in colours)
            planes.append(cv2.convertScaleAbs(_unmix(channel, mask[rows], front, back)))
        cv2.merge(planes, dst=result[rows])

    in_bands(band, *mask.shape)
    return result


def _reduction(wanted: float, size: tuple[int, int]) -> int:
    return max(1, int(wanted), math.ceil(math.sqrt(size[0] * size[1] / _SMALL_PIXELS)))


def _defocus(
    image: np.ndarray,
    mask: np.ndarray,
    factor: int,
    spread: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Lay the person over the background that `spread` makes of a copy reduced by `factor`.

    `spread` is given image * (1 - mask) and 1 - mask as one float32 array, h x w x 4.
    """
    height, width = mask.shape

    def blocks(plane: np.ndarray) -> np.ndarray:
        beyond = (-plane.shape[0] % factor, -plane.shape[1] % factor)
        if any(beyond):
            plane = cv2.copyMakeBorder(plane, 0, beyond[0], 0, beyond[1], cv2.BORDER_REPLICATE)
        size = (plane.shape[1] // factor, plane.shape[0] // factor)
        return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)

    def weighted(rows: slice) -> np.ndarray:
        weight = 1 - mask[rows]
        planes = [blocks(channel * weight) for channel in cv2.split(image[rows])]
        return cv2.merge([*planes, blocks(weight)])

    parts = in_bands(weighted, height, width, factor)
    *colours, weight = cv2.split(spread(np.concatenate(parts)))
    grown = (weight.shape[0] * factor, weight.shape[1] * factor)
    weight = 1 / np.maximum(weight, np.float32(1e-6))
    tall = taller([colour * weight for colour in colours], grown[0])
    result = np.empty_like(image)

    def band(rows: slice) -> None:
        back = cv2.merge([wider(plane[rows], grown[1])[:, :width] for plane in tall])
        result[rows] = _mix(image[rows], back, mask[rows])

    in_bands(band, height, width)
    return result


def _mix(front: np.ndarray, back: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return the blend of two pictures, of levels or floats, as levels."""
    mixed = front.astype(np.float32)
    mixed -= back
    mixed *= cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB)
    mixed += back
    return cv2.convertScaleAbs(mixed)


def _unmix(colour: np.ndarray, mask: np.ndarray, front: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Return front + mask * (colour - what front and back explain of it), 0 to 255, float32."""
    rest = colour - back
    rest -= mask * (front - back)
    rest *= mask
    rest += front
    return np.clip(rest, 0, 255, out=rest)


def _local_means(colours: list[np.ndarray], weight: np.ndarray, side: int) -> list[np.ndarray]:
    """Return weighted means over windows; windows without weight keep the colours they had."""
    weights = cv2.blur(weight, (side, side))
    scale = 1 / np.maximum(weights, np.float32(1e-4))
    means = [cv2.blur(colour * weight, (side, side)) * scale for colour in colours]
    return [
        np.where(weights <= 1e-4, colour, mean) for colour, mean in zip(colours, means, strict=True)
    ]
