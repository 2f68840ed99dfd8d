"""Where each pixel goes: one affine map, drawn once, applied to a photo and to its masks.

Soft masks are interpolated like the photo, class numbers take the nearest pixel. Each output pixel
is interpolated once, however many changes are combined.

The one-map idea is that of Keras' `ImageDataGenerator`; the older projects ran it twice, with one
generator for photos and one for masks, and had to keep their seeds and settings equal by hand.

Chapter: augmentation and synthetic portraits.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from seglib.data.augment import AugmentConfig

# From here on, pixels are averaged before the map, since bilinear weights would skip some.
SHRINK = 1.5


def affine(
    chances: Mapping[str, np.ndarray], shapes: np.ndarray, size: int, config: "AugmentConfig"
) -> np.ndarray:
    """Return the maps from source pixels to result pixels, float64 (count, 2, 3).

    Args:
        chances: what `draw` returns.
        shapes: (count, 2), height and width of each photo.
        size: side of the results.
        config: the ranges.

    Both sides count from pixel centres, as OpenCV does; the photo's edges, at -0.5 and width - 0.5,
    meet the frame's edges when nothing is changed.
    """

    def spread(name: str, largest: float) -> np.ndarray:
        return (2 * chances[name] - 1) * largest

    angle = np.deg2rad(spread("rotate", config.rotate))
    low, high = np.log(config.zoom)
    zoom = np.exp(low + (high - low) * chances["zoom"])
    stretch = np.exp(spread("stretch", config.stretch) / 2)
    shear = spread("shear", config.shear)
    mirror = np.where(chances["flip"] < config.flip, -1.0, 1.0)
    kept = config.crop[0] + (config.crop[1] - config.crop[0]) * chances["crop"]
    # Around the centre, in units of the frame, so that a frame of any shape fills the square.
    cos, sin = np.cos(angle), np.sin(angle)
    across, down = mirror * zoom * stretch, zoom / stretch
    linear = np.array(
        [[cos * across, cos * shear - sin * down], [sin * across, sin * shear + cos * down]]
    ).transpose(2, 0, 1)
    sides = shapes[:, ::-1]
    linear = linear * (size / (sides * kept[:, None]))[:, None, :]
    window = np.stack([chances["crop_x"], chances["crop_y"]], axis=1)
    centre = sides * (0.5 + (1 - kept[:, None]) * (window - 0.5))
    shift = np.stack([spread("shift_x", config.shift), spread("shift_y", config.shift)], axis=1)
    # OpenCV counts from pixel centres, hence the halves.
    offset = size * (0.5 + shift) - (linear @ (centre - 0.5)[..., None])[..., 0] - 0.5
    return np.concatenate([linear, offset[..., None]], axis=2)


def warp_pair(
    image: np.ndarray, masks: np.ndarray, matrix: np.ndarray, size: int, labels: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Send a photo and its masks through one map.

    Returns:
        image uint8 (size, size, 3), masks uint8 (size, size, channels).
    """
    layers = masks[..., None] if masks.ndim == 2 else masks
    if labels:
        parts = [warp(layers[..., c], matrix, size, True) for c in range(layers.shape[2])]
        return warp(image, matrix, size), np.stack(parts, axis=-1)
    # The first mask rides as the photo's fourth channel: OpenCV warps four faster than three.
    joined = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    joined[..., 3] = layers[..., 0]
    joined = warp(joined, matrix, size)
    rest = [warp(layers[..., c], matrix, size) for c in range(1, layers.shape[2])]
    return cv2.cvtColor(joined, cv2.COLOR_RGBA2RGB), np.stack([joined[..., 3], *rest], axis=-1)


def warp(array: np.ndarray, matrix: np.ndarray, size: int, labels: bool = False) -> np.ndarray:
    """Apply the map, bilinear; beyond the border the picture is mirrored.

    Where the map shrinks by 1.5 or more, blocks of pixels are averaged first: bilinear
    interpolation looks at four pixels only and would skip the others. With `labels` the nearest
    pixel is taken, since the mean of two class numbers is a third class.

    Args:
        array: uint8 (height, width) or (height, width, up to 4).
        matrix: (2, 3), from source pixels to result pixels, both counted from centres.
        size: side of the square result.
        labels: whether the values are class numbers.
    """
    nearest = cv2.INTER_NEAREST if labels else cv2.INTER_LINEAR
    if not labels:
        array, matrix = _shrunk(np.ascontiguousarray(array), matrix)
    return cv2.warpAffine(
        np.ascontiguousarray(array),
        matrix,
        (size, size),
        flags=nearest,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def _shrunk(array: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average blocks of pixels so that the map that is left hardly shrinks; adapt the map."""
    across, down = np.hypot(matrix[0, :2], matrix[1, :2])
    if min(across, down) * SHRINK > 1:
        return array, matrix
    height, width = array.shape[:2]
    # Whole factors, which OpenCV averages twenty times faster than broken ones.
    new_width = max(1, round(width / max(1, round(1 / across))))
    new_height = max(1, round(height / max(1, round(1 / down))))
    small = cv2.resize(array, (new_width, new_height), interpolation=cv2.INTER_AREA)
    ratio = np.array([width / new_width, height / new_height])
    offset = matrix[:, 2] + matrix[:, :2] @ (ratio / 2 - 0.5)
    return small, np.column_stack([matrix[:, :2] * ratio, offset])
