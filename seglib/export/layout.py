"""How a mask lies in memory, and where pixels land when it is resized: what chapter 09 teaches.

A CPU tensor (H, W, C) is row-major. GPU delegates keep tensors as textures, whose texels have four
components: channels are cut into slices of four, the last one filled up with zeros ("PHWC4": slice,
height, width, 4). A mask of one channel takes four times its room, and code that reads such memory
as row-major sees stripes. A flat output (1, H*W*C) leaves nothing to interpret.

The output pixel i of m, when a picture is resized, reads an input of n pixels at

- half-pixel: (i + 1/2) * n/m - 1/2; pixels are squares, and the pictures' outer edges coincide;
- aligned corners: i * (n-1)/(m-1); the centres of the corner pixels coincide;
- legacy: i * n/m; the upper left corners coincide, so everything moves up and to the left.

A network that was trained with one and runs with another gives masks that are a little off.

Sources: TensorFlow Lite GPU delegate (delegates/gpu/common/convert.h, `ConvertToPHWC4`); the flags
`half_pixel_centers` and `align_corners` of TensorFlow's `ResizeBilinear`; Hale, "How TensorFlow's
tf.image.resize stole 60 days of my life" (2018).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from seglib.errors import SeglibError
from seglib.export import mil_kernels
from seglib.export.tflite import check_rank3

SLICE = 4
# What Core ML calls them.
CONVENTIONS = {
    "half-pixel": "UNALIGN_CORNERS",
    "aligned corners": "STRICT_ALIGN_CORNERS",
    "legacy": "DEFAULT",
}


def pack(array: np.ndarray) -> np.ndarray:
    """Return (H, W, C) with four neighbouring values of a row in one pixel: (H, ceil(W*C/4), 4).

    A GPU then stores nothing in vain but the filling at the end of each row.
    """
    check_rank3(array)
    rows = np.ascontiguousarray(array).reshape(len(array), -1)
    filling = -rows.shape[1] % SLICE
    return np.pad(rows, ((0, 0), (0, filling))).reshape(len(array), -1, SLICE)


def to_phwc4(array: np.ndarray) -> np.ndarray:
    """Return (H, W, C) as a GPU stores it: (ceil(C/4), H, W, 4), filled up with zeros."""
    check_rank3(array)
    height, width, channels = array.shape
    padded = np.pad(array, ((0, 0), (0, 0), (0, -channels % SLICE)))
    return np.ascontiguousarray(padded.reshape(height, width, -1, SLICE).transpose(2, 0, 1, 3))


def from_phwc4(stored: np.ndarray, channels: int) -> np.ndarray:
    """Return the (H, W, channels) array that `to_phwc4` stored."""
    slices = -(-channels // SLICE)
    if stored.ndim != 4 or stored.shape[3] != SLICE or stored.shape[0] != slices:
        raise SeglibError(
            f"shape {stored.shape} does not hold {channels} channels in slices of four; "
            f"give ({slices}, height, width, 4)"
        )
    pixels = stored.transpose(1, 2, 0, 3).reshape(*stored.shape[1:3], slices * SLICE)
    return np.ascontiguousarray(pixels[..., :channels])


def stored_bytes(height: int, width: int, channels: int, itemsize: int = 2) -> int:
    """Return the bytes that a GPU keeps for a tensor with its filling; `itemsize` 2 is float16."""
    return -(-channels // SLICE) * SLICE * height * width * itemsize


class Footprint(NamedTuple):
    """What a tensor (H, W, C) costs on its way between a GPU and the CPU."""

    shape: tuple[int, int, int]
    useful_bytes: int  # of the values alone
    stored_bytes: int  # of the slices, filling included
    # Unbroken runs of values that lie apart in one order and together in the other: one piece is a
    # block copy, a piece for each pixel is a loop over all pixels.
    pieces: int


def footprint(shape: tuple[int, int, int], itemsize: int = 2) -> Footprint:
    """Return what a tensor (H, W, C) costs; `itemsize` as in `stored_bytes`.

    >>> footprint((128, 128, 1)).stored_bytes, footprint((1, 1, 128 * 128)).stored_bytes
    (131072, 32768)
    """
    height, width, channels = shape
    # Slices of one pixel follow each other on the CPU and lie a whole picture apart on the GPU.
    whole = channels == SLICE or height * width == 1
    pieces = 1 if whole else height * width * -(-channels // SLICE)
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
    """Return a capital F (H, W, 1), 0 and 1, which every flip, turn and exchange of axes shows."""
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

    The four sums over every fourth column are about alike in any picture; where three of four
    columns are filling, three of the sums are zero.
    """
    mask = np.abs(np.asarray(mask, np.float64)).reshape(mask.shape[:2])
    width = mask.shape[1] // SLICE * SLICE
    sums = mask[:, :width].reshape(len(mask), -1, SLICE).sum((0, 1))
    return float((sums.max() - sums.min()) / sums.max()) if sums.any() else 0.0


def positions(convention: str, size: int, out: int) -> np.ndarray:
    """Return where `out` output pixels read an axis of `size` pixels, float64 (out,), unclipped."""
    if convention not in CONVENTIONS:
        raise SeglibError(f"there is no convention {convention!r}; take one of {[*CONVENTIONS]}")
    return mil_kernels.GRIDS[CONVENTIONS[convention]](np.arange(out), size, out)


def bilinear(array: np.ndarray, size: tuple[int, int], convention: str) -> np.ndarray:
    """Resize (H, W) to `size` by linear interpolation without averaging, float64."""
    return mil_kernels.bilinear(array.astype(np.float64), size, CONVENTIONS[convention])


def which_convention(
    resize: Callable[[np.ndarray, tuple[int, int]], np.ndarray],
    method: str = "bilinear",
    size: tuple[int, int] = (11, 11),
    atol: float = 1e-3,
) -> str | None:
    """Resize a 4 x 4 picture with any function and name the convention that gives the same.

    Args:
        resize: takes a float32 picture (4, 4) and a size (rows, columns), returns that size.
        method: "bilinear" or "nearest".
        size: what to ask for. To twice or three times the size "nearest" is the same in half-pixel
            and legacy; 11 tells all three apart, wherever a runtime breaks ties.
        atol: allowed difference; the picture's values are 0..15.

    Returns:
        One of `CONVENTIONS`, or None where it is none of them, for example a filter that averages.
    """
    if method not in ("bilinear", "nearest"):
        raise SeglibError(f"there is no method {method!r}; take bilinear or nearest")
    found = np.asarray(resize(four_by_four(), size), np.float64)
    if found.shape != tuple(size):
        raise SeglibError(f"the function gave shape {found.shape} where {size} was asked for")

    def same(convention: str) -> bool:
        if method == "nearest":
            return _takes_nearest(found, convention)
        return bool(np.abs(found - bilinear(four_by_four(), size, convention)).max() <= atol)

    return next(filter(same, CONVENTIONS), None)


def four_by_four() -> np.ndarray:
    """Return the picture of the worked example: 4 x 4, float32, the numbers 0 to 15 by rows."""
    return np.arange(16, dtype=np.float32).reshape(4, 4)


def _takes_nearest(found: np.ndarray, convention: str) -> bool:
    """Tell whether every pixel is one that the convention allows; at a tie it allows both."""
    rows, columns = np.divmod(np.round(found), 4)
    for taken, out in ((rows, found.shape[0]), (columns.T, found.shape[1])):
        off = taken - positions(convention, 4, out).clip(0, 3)[:, None]
        low, high = (-1 + 1e-6, 1e-6) if convention == "legacy" else (-0.5 - 1e-6, 0.5 + 1e-6)
        if off.min() < low or off.max() > high:
            return False
    return True
