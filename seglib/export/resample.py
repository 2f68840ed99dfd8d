"""Three ways to place pixels when a picture is resized, and which of them a runtime follows.

The output pixel i of m reads an input of n pixels at

- half-pixel: (i + 1/2) * n/m - 1/2; pixels are squares, and the pictures' outer edges coincide;
- aligned corners: i * (n-1)/(m-1); the centres of the corner pixels coincide;
- legacy: i * n/m; the upper left corners coincide, so everything moves up and to the left.

A network that was trained with one and runs with another gives masks that are off by a fraction of
a coarse pixel, which nothing reports.

Source: the flags `half_pixel_centers` and `align_corners` of TensorFlow's `ResizeBilinear`; Hale,
"How TensorFlow's tf.image.resize stole 60 days of my life" (2018).

Chapter: the GPU delegate and flattened output.
"""

from collections.abc import Callable

import numpy as np

from seglib.errors import SeglibError

CONVENTIONS = ("half-pixel", "aligned corners", "legacy")


def positions(convention: str, size: int, out: int) -> np.ndarray:
    """Return where `out` output pixels read an axis of `size` pixels, float64 (out,), not clipped.

    Raises:
        SeglibError: there is no such convention.
    """
    index = np.arange(out, dtype=np.float64)
    if convention == "half-pixel":
        return (index + 0.5) * size / out - 0.5
    if convention == "aligned corners":
        return index * (size - 1) / max(out - 1, 1)
    if convention == "legacy":
        return index * size / out
    raise SeglibError(f"there is no convention {convention!r}; take one of {CONVENTIONS}")


def bilinear(array: np.ndarray, size: tuple[int, int], convention: str) -> np.ndarray:
    """Resize (H, W) to `size` by linear interpolation, written as the definition: float64.

    Nothing is averaged: a picture made smaller is sampled, as in `RESIZE_BILINEAR`.

    Raises:
        SeglibError: there is no such convention.
    """
    rows, columns = (
        _weights(positions(convention, n, m), n) for n, m in zip(array.shape, size, strict=True)
    )
    return rows @ array.astype(np.float64) @ columns.T


def nearest(array: np.ndarray, size: tuple[int, int], convention: str) -> np.ndarray:
    """Resize (H, W) to `size` by taking the pixel whose square the position falls into.

    Aligned corners round to the closest centre, halves upwards, as TensorFlow does.

    Raises:
        SeglibError: there is no such convention.
    """
    axes = []
    for n, m in zip(array.shape, size, strict=True):
        place = positions(convention, n, m)
        # The square of pixel k begins at k - 1/2, except that legacy positions count from corners.
        place = place if convention == "legacy" else place + 0.5
        axes.append(np.floor(place + 1e-9).astype(int).clip(0, n - 1))
    return array[np.ix_(*axes)]


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

    Raises:
        SeglibError: no such method, or the function gave another size.
    """
    if method not in ("bilinear", "nearest"):
        raise SeglibError(f"there is no method {method!r}; take bilinear or nearest")
    picture = four_by_four()
    found = np.asarray(resize(picture.copy(), size), np.float64)
    if found.shape != tuple(size):
        raise SeglibError(f"the function gave shape {found.shape} where {size} was asked for")
    for convention in CONVENTIONS:
        if method == "nearest":
            same = _takes_nearest(found, convention)
        else:
            same = np.abs(found - bilinear(picture, size, convention)).max() <= atol
        if same:
            return convention
    return None


def _takes_nearest(found: np.ndarray, convention: str) -> bool:
    """Tell whether every pixel is one that the convention allows; at a tie it allows both."""
    rows, columns = np.divmod(np.round(found), 4)
    for taken, out in ((rows, found.shape[0]), (columns.T, found.shape[1])):
        off = taken - positions(convention, 4, out).clip(0, 3)[:, None]
        low, high = (-1 + 1e-6, 1e-6) if convention == "legacy" else (-0.5 - 1e-6, 0.5 + 1e-6)
        if off.min() < low or off.max() > high:
            return False
    return True


def four_by_four() -> np.ndarray:
    """Return the picture of the worked example: 4 x 4, float32, the numbers 0 to 15 by rows."""
    return np.arange(16, dtype=np.float32).reshape(4, 4)


def _weights(places: np.ndarray, size: int) -> np.ndarray:
    places = places.clip(0, size - 1)[:, None]
    return np.maximum(1 - np.abs(places - np.arange(size)), 0)
