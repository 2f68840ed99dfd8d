"""What an image and a mask are in memory, and how they change size.

Chapter: data preparation.
"""

import cv2
import numpy as np

from seglib.errors import SeglibError

_RESIZABLE = (np.uint8, np.uint16, np.float32, np.float64)


def check_image(image: np.ndarray, name: str = "image") -> np.ndarray:
    """Return `image` if it is uint8 RGB, H x W x 3, with at least one pixel.

    Raises:
        SeglibError: it is anything else; the message calls it `name`.
    """
    if not isinstance(image, np.ndarray):
        raise SeglibError(
            f"the {name} is a {type(image).__name__}, not a NumPy array; "
            "read files with seglib.read_image"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise SeglibError(
            f"the {name} has shape {image.shape}; height x width x 3 (RGB) is expected"
        )
    if image.dtype != np.uint8:
        raise SeglibError(f"the {name} holds {image.dtype} values; uint8 from 0 to 255 is expected")
    return image


def check_mask(
    mask: np.ndarray, name: str = "mask", shape: tuple[int, int] | None = None
) -> np.ndarray:
    """Return `mask` as float32 if it is H x W with values in [0, 1]; booleans are taken as 0 and 1.

    Args:
        mask: the mask to look at.
        name: what the message calls it.
        shape: (height, width) it must have, where that matters.

    Raises:
        SeglibError: wrong type, shape or values (NaN included).
    """
    if not isinstance(mask, np.ndarray):
        raise SeglibError(f"the {name} is a {type(mask).__name__}, not a NumPy array")
    if mask.ndim != 2 or mask.size == 0:
        raise SeglibError(f"the {name} has shape {mask.shape}; height x width is expected")
    if shape is not None and mask.shape != tuple(shape[:2]):
        raise SeglibError(
            f"the {name} is {mask.shape[1]}x{mask.shape[0]} but the image is "
            f"{shape[1]}x{shape[0]}; bring it to the image's size with seglib.images.resize"
        )
    if mask.dtype != np.bool_ and not np.issubdtype(mask.dtype, np.floating):
        raise SeglibError(
            f"the {name} holds {mask.dtype} values; floats from 0 to 1 are expected "
            "(divide 0..255 by 255)"
        )
    # Written so that NaN, which fails every comparison, is refused as well.
    if not (mask.min() >= 0 and mask.max() <= 1):
        raise SeglibError(
            f"the {name} has values from {mask.min():g} to {mask.max():g}; 0 to 1 is expected"
        )
    return mask.astype(np.float32, copy=False)


def resize(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize H x W or H x W x C to `size` = (height, width), keeping the type.

    Each axis that shrinks is averaged over the area a new pixel covers, which neither aliases nor
    shifts; each axis that grows is interpolated linearly. Both use half-pixel centres: the centre
    of pixel i lies at i + 0.5, so the picture's edges stay where they are. The older convention
    (`align_corners`, or no offset) shifts a mask by up to half a source pixel.

    Chapter: data preparation.

    Raises:
        SeglibError: the size is not positive or the type cannot be averaged (labels, booleans).
    """
    height, width = size
    if height < 1 or width < 1:
        raise SeglibError(f"cannot resize to {width}x{height}; both sides must be at least 1 pixel")
    if array.ndim not in (2, 3) or array.size == 0:
        raise SeglibError(f"cannot resize an array of shape {array.shape}; H x W or H x W x C")
    if array.dtype not in _RESIZABLE:
        raise SeglibError(
            f"cannot resize {array.dtype} values by averaging; convert them to float32 first"
        )
    channels = array.shape[2] if array.ndim == 3 else 1
    if channels > 4:
        # OpenCV's limit; masks of many labels have more.
        planes = [resize(array[..., channel], size) for channel in range(channels)]
        return np.stack(planes, axis=-1)
    # Area first and linear second, since OpenCV's area filter is another thing on a growing axis.
    resized = array
    shrunk = (min(height, array.shape[0]), min(width, array.shape[1]))
    if shrunk != array.shape[:2]:
        resized = cv2.resize(resized, shrunk[::-1], interpolation=cv2.INTER_AREA)
    if shrunk != (height, width):
        resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_LINEAR)
    if resized is array:
        return array.copy()
    if array.dtype.kind == "f":
        # Rounding in OpenCV's sums may end a hair outside, and 1.0000001 is no mask any more.
        np.clip(resized, array.min(), array.max(), out=resized)
    # OpenCV drops a last axis of length 1.
    return resized.reshape(height, width, *array.shape[2:])
