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
    """Return a flat mask (H*W*C,) or (1, H*W*C) as (H, W, C), the shape in its metadata.

    A square mask hides an exchange of H and W: test with a picture that is not square.
    """
    flat = np.asarray(flat)
    if flat.size != int(np.prod(shape)):
        raise SeglibError(
            f"{flat.size} values do not make a mask of shape {tuple(shape)}; "
            "read the shape from the model's metadata (output_shape)"
        )
    return flat.reshape(shape)


def deinterleave(flat: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a flat mask of the shape (H, W, C) as one plane for each channel: (C, H, W).

    Three classes are written pixel by pixel, b h s b h s: a picture of one takes every third value.
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
