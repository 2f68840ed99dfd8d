"""Composing the frame: blending, a grey or another background, a seamless clone.

Every function takes a uint8 RGB photo of any size and a float mask of the same size, and returns a
new uint8 RGB picture.

Chapter: post-processing.
"""

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask, resize
from seglib.postprocess.bands import bands
from seglib.postprocess.foreground import estimate_foreground
from seglib.postprocess.light import from_linear, light_table, to_linear


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
    front = as_image(front, "front image")
    back = as_image(back, "back image")
    if front.shape != back.shape:
        raise SeglibError(
            f"the front image is {front.shape[1]}x{front.shape[0]} and the back image "
            f"{back.shape[1]}x{back.shape[0]}; bring both to one size with seglib.images.resize"
        )
    mask = as_mask(mask, shape=front.shape)
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


def grey_background(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Take the colour out of what the mask does not cover.

    Raises:
        SeglibError: image and mask do not fit.

    Chapter: post-processing.
    """
    image = as_image(image)
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
    image = as_image(image)
    background = as_image(background, "background")
    mask = as_mask(mask, shape=image.shape)
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
    image = as_image(image)
    background = as_image(background, "background")
    mask = as_mask(mask, shape=image.shape)
    scene = cover(background, mask.shape)
    # One pixel more on all sides: OpenCV's solver wants known colours around what it fills.
    inside = np.pad((mask >= level).astype(np.uint8) * 255, 1)
    if not inside.any():
        return scene
    left, top, width, height = cv2.boundingRect(inside)
    centre = (left + width // 2, top + height // 2)
    edges = ((1, 1), (1, 1), (0, 0))
    front, back = np.pad(image, edges, mode="edge"), np.pad(scene, edges, mode="edge")
    # A copy of the cut, since OpenCV writes to the one it is given.
    cloned = cv2.seamlessClone(front, back, inside.copy(), centre, cv2.NORMAL_CLONE)
    # The solver's rounding reaches the whole bounding box; beyond the cut nothing shall change.
    return np.where(inside[1:-1, 1:-1, None] > 0, cloned[1:-1, 1:-1], scene)


def cover(background: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Crop a picture about its centre to the proportions of `size` and resize it to that size.

    Args:
        background: uint8 RGB of any size; one of this size comes back as it is, not copied.
        size: (height, width).

    Raises:
        SeglibError: not an image, or a side is below 1.

    Chapter: post-processing.
    """
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
