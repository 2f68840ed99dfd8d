"""The order of a flat output: (H, W, C) as one row, pixel by pixel, row by row.

Chapter: the GPU delegate and flattened output.
"""

import numpy as np

from seglib.errors import SeglibError


def flatten(array: np.ndarray) -> np.ndarray:
    """Return (H, W, C) as one row (H*W*C,): pixel by pixel, row by row."""
    check_rank3(array)
    return np.ascontiguousarray(array).reshape(-1)


def unflatten(flat: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a flat mask (H*W*C,) or (1, H*W*C) as (H, W, C).

    Args:
        flat: what a model exported with `flat=True` gives.
        shape: (H, W, C). A square mask hides an exchange of H and W, other shapes do not: test with
            an asymmetric picture.
    """
    flat = np.asarray(flat)
    if flat.size != int(np.prod(shape)):
        raise SeglibError(
            f"{flat.size} values do not make a mask of shape {tuple(shape)}; "
            "read the shape from the model's metadata (output_shape)"
        )
    return flat.reshape(shape)


def deinterleave(flat: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a flat mask of several channels as one plane for each: (C, H, W).

    A network with the classes background, hair and skin writes them pixel by pixel: b h s b h s.
    A picture of one class needs every third value, not the second third of the values.

    Args:
        flat: (H*W*C,) or (1, H*W*C), row-major.
        shape: (H, W, C) of the mask.
    """
    return np.ascontiguousarray(unflatten(flat, shape).transpose(2, 0, 1))


def interleave(planes: np.ndarray) -> np.ndarray:
    """Return planes (C, H, W) as one row (H*W*C,), pixel by pixel: the way back."""
    check_rank3(planes, "(channels, height, width)")
    return flatten(planes.transpose(1, 2, 0))


def check_rank3(array: np.ndarray, wanted: str = "(height, width, channels)") -> None:
    """Refuse what has not three axes."""
    if array.ndim != 3 or not array.size:
        raise SeglibError(f"shape {array.shape} is no mask; give {wanted}")
