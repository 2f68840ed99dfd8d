"""How a mask lies in memory: rows of pixels on the CPU, slices of four channels on a GPU.

A CPU tensor (H, W, C) is row-major: all channels of a pixel, then the next pixel of the row. GPU
delegates keep tensors as textures, whose texels have four components, so channels are cut into
slices of four and the last slice is filled up with zeros ("PHWC4": slice, height, width, 4). A mask
of one channel then takes four times its room, and code that reads such memory as if it were
row-major sees stripes. A flat output (1, H*W*C) leaves nothing to interpret: its order is the
row-major one in every runtime.

Source: TensorFlow Lite GPU delegate (delegates/gpu/common/convert.h, `ConvertToPHWC4`).

Chapter: the GPU delegate and flattened output.
"""

import numpy as np

from seglib.errors import SeglibError

SLICE = 4


def flatten(array: np.ndarray) -> np.ndarray:
    """Return (H, W, C) as one row (H*W*C,): pixel by pixel, row by row."""
    _check_rank3(array)
    return np.ascontiguousarray(array).reshape(-1)


def unflatten(flat: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a flat mask (H*W*C,) or (1, H*W*C) as (H, W, C).

    Args:
        flat: what a model exported with `flat=True` gives.
        shape: (H, W, C). A square mask hides an exchange of H and W, other shapes do not: test with
            an asymmetric picture.

    Raises:
        SeglibError: the number of values is not H*W*C.
    """
    flat = np.asarray(flat)
    if flat.size != int(np.prod(shape)):
        raise SeglibError(
            f"{flat.size} values do not make a mask of shape {tuple(shape)}; "
            "read the shape from the model's metadata (output_shape)"
        )
    return flat.reshape(shape)


def to_phwc4(array: np.ndarray) -> np.ndarray:
    """Return (H, W, C) as a GPU stores it: (ceil(C/4), H, W, 4), filled up with zeros."""
    _check_rank3(array)
    height, width, channels = array.shape
    slices = -(-channels // SLICE)
    padded = np.zeros((height, width, slices * SLICE), array.dtype)
    padded[..., :channels] = array
    return np.ascontiguousarray(padded.reshape(height, width, slices, SLICE).transpose(2, 0, 1, 3))


def from_phwc4(stored: np.ndarray, channels: int) -> np.ndarray:
    """Return the (H, W, channels) array that `to_phwc4` stored.

    Raises:
        SeglibError: the slices do not hold exactly this number of channels.
    """
    if stored.ndim != 4 or stored.shape[3] != SLICE or stored.shape[0] != -(-channels // SLICE):
        raise SeglibError(
            f"shape {stored.shape} does not hold {channels} channels in slices of four; "
            f"give ({-(-channels // SLICE)}, height, width, 4)"
        )
    slices, height, width, _ = stored.shape
    pixels = stored.transpose(1, 2, 0, 3).reshape(height, width, slices * SLICE)
    return np.ascontiguousarray(pixels[..., :channels])


def stored_bytes(height: int, width: int, channels: int, itemsize: int = 2) -> int:
    """Return the bytes a GPU keeps for a tensor (H, W, C), its filling included.

    Args:
        height: rows.
        width: columns.
        channels: channels, rounded up to slices of four.
        itemsize: bytes of one value: 2 for float16 (what GPU delegates prefer), 4 for float32.
    """
    return -(-channels // SLICE) * SLICE * height * width * itemsize


def _check_rank3(array: np.ndarray) -> None:
    if array.ndim != 3 or not array.size:
        raise SeglibError(f"shape {array.shape} is no mask; give (height, width, channels)")
