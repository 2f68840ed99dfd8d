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

from collections.abc import Mapping
from dataclasses import dataclass

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


def deinterleave(flat: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a flat mask of several channels as one plane for each: (C, H, W).

    A network with the classes background, hair and skin writes them pixel by pixel: b h s b h s.
    A picture of one class needs every third value, not the second third of the values.

    Args:
        flat: (H*W*C,) or (1, H*W*C), row-major.
        shape: (H, W, C) of the mask.

    Raises:
        SeglibError: the number of values is not H*W*C.
    """
    return np.ascontiguousarray(unflatten(flat, shape).transpose(2, 0, 1))


def interleave(planes: np.ndarray) -> np.ndarray:
    """Return planes (C, H, W) as one row (H*W*C,), pixel by pixel: the way back."""
    _check_rank3(planes, "(channels, height, width)")
    return flatten(planes.transpose(1, 2, 0))


def pack(array: np.ndarray) -> np.ndarray:
    """Return (H, W, C) with four neighbouring values of a row in one pixel: (H, ceil(W*C/4), 4).

    A GPU then stores nothing in vain but the filling at the end of each row. The older Android
    projects did this to one-channel masks by reshaping in the last layer.
    """
    _check_rank3(array)
    height = array.shape[0]
    rows = np.ascontiguousarray(array).reshape(height, -1)
    filling = -rows.shape[1] % SLICE
    return np.pad(rows, ((0, 0), (0, filling))).reshape(height, -1, SLICE)


def unpack(packed: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the (H, W, C) array that `pack` packed.

    Raises:
        SeglibError: rows or row length do not fit the shape.
    """
    height, width, channels = shape
    if packed.shape != (height, -(-width * channels // SLICE), SLICE):
        raise SeglibError(
            f"shape {packed.shape} does not hold a packed mask of shape {tuple(shape)}; "
            f"give ({height}, {-(-width * channels // SLICE)}, {SLICE})"
        )
    rows = packed.reshape(height, -1)[:, : width * channels]
    return np.ascontiguousarray(rows).reshape(shape)


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


@dataclass(frozen=True)
class Footprint:
    """What a tensor (H, W, C) costs on its way between a GPU and the CPU.

    Attributes:
        shape: (H, W, C).
        useful_bytes: of the values alone: what the CPU has in the end.
        stored_bytes: of the slices, filling included: what the GPU writes, and what is read back
            where a program maps the GPU's own buffer.
        pieces: unbroken runs of values that lie apart in one order and together in the other. One
            piece is a block copy; a piece for each pixel is a loop over all pixels.
    """

    shape: tuple[int, int, int]
    useful_bytes: int
    stored_bytes: int
    pieces: int


def footprint(shape: tuple[int, int, int], itemsize: int = 2) -> Footprint:
    """Return what a tensor (H, W, C) costs; `itemsize` as in `stored_bytes`.

    >>> footprint((128, 128, 1)).stored_bytes, footprint((1, 1, 128 * 128)).stored_bytes
    (131072, 32768)
    """
    height, width, channels = shape
    slices = -(-channels // SLICE)
    # Slices of one pixel follow each other on the CPU and lie a whole picture apart on the GPU.
    whole = (slices == 1 and channels == SLICE) or height * width == 1
    pieces = 1 if whole else height * width * slices
    useful = height * width * channels * itemsize
    return Footprint(tuple(shape), useful, stored_bytes(*shape, itemsize), pieces)


def byte_table(shapes: Mapping[str, tuple[int, int, int]], itemsize: int = 2) -> str:
    """Return the footprints of named shapes (H, W, C) as a Markdown table."""
    lines = [
        "| tensor | shape | values | stored | filling | pieces |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, shape in shapes.items():
        cost = footprint(shape, itemsize)
        filling = 1 - cost.useful_bytes / cost.stored_bytes
        lines.append(
            f"| {name} | {' x '.join(map(str, shape))} | {cost.useful_bytes / 1024:,.1f} KiB "
            f"| {cost.stored_bytes / 1024:,.1f} KiB | {filling:.0%} | {cost.pieces:,} |"
        )
    return "\n".join(lines)


def letter_f(height: int = 24, width: int = 36) -> np.ndarray:
    """Return a capital F as a mask (H, W, 1), float32 of 0 and 1: a picture for testing layouts.

    It is the same under no flip, no turn and no exchange of rows and columns.

    Raises:
        SeglibError: fewer than 8 rows or columns.
    """
    if min(height, width) < 8:
        raise SeglibError(f"an F needs at least 8 rows and columns, not {height} x {width}")
    mask = np.zeros((height, width, 1), np.float32)
    bar = max(height // 6, 1)
    mask[bar : height - bar, width // 7 : 2 * width // 7] = 1
    mask[bar : 2 * bar, width // 7 : 6 * width // 7] = 1
    mask[3 * bar : 4 * bar, width // 7 : 4 * width // 7] = 1
    return mask


def stripes(mask: np.ndarray) -> float:
    """Return how much a mask (H, W) looks like GPU memory read as rows: from 0 to 1, all stripes.

    The sums over every fourth column, from each of the four first columns on, are about the same in
    any picture; where three of four columns are filling, three of the sums are zero.
    """
    mask = np.abs(np.asarray(mask, np.float64)).reshape(mask.shape[:2])
    width = mask.shape[1] // SLICE * SLICE
    sums = mask[:, :width].reshape(len(mask), -1, SLICE).sum((0, 1))
    return float((sums.max() - sums.min()) / sums.max()) if sums.any() else 0.0


def _check_rank3(array: np.ndarray, wanted: str = "(height, width, channels)") -> None:
    if array.ndim != 3 or not array.size:
        raise SeglibError(f"shape {array.shape} is no mask; give {wanted}")
