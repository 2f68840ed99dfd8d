"""Going through a large picture in bands of rows, so that floating-point copies stay small.

A photo of 108 megapixels then costs hundreds of megabytes in place of several gigabytes, and a
video frame stays in the processor's cache.

Chapter: post-processing.
"""

from collections.abc import Iterator

import numpy as np

from seglib.images import resize

BAND_PIXELS = 2_000_000
"""Pixels that the functions of `seglib.postprocess` turn into floats at a time."""

_WHOLE_PIXELS = 4_000_000


def bands(height: int, width: int, multiple: int = 1, pixels: int | None = None) -> Iterator[slice]:
    """Cut the rows into bands of about `pixels`, each starting at a multiple of `multiple`.

    Args:
        height: rows of the picture.
        width: its columns.
        multiple: what each band's first row is a multiple of.
        pixels: how large a band is; `BAND_PIXELS` by default.

    Yields:
        The rows of one band, from top to bottom.

    Chapter: post-processing.
    """
    step = max(1, (pixels or BAND_PIXELS) // (width * multiple)) * multiple
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


class Grower:
    """A small map that is enlarged linearly, some rows at a time, with half-pixel centres.

    What it gives equals the same rows of `seglib.images.resize` (to rounding), whatever the ratio
    of the sizes. Up to 4 megapixels it enlarges the map at once, which is faster; above, it costs
    the memory of the wanted rows alone. Axes along which the map is larger than the wanted size
    are averaged down at the start. Chapter: post-processing.
    """

    def __init__(self, small: np.ndarray, size: tuple[int, int]) -> None:
        """Prepare to enlarge `small`, h x w or h x w x C with C up to 4, to (height, width)."""
        height, width = size
        self._whole = height * width <= _WHOLE_PIXELS or height <= small.shape[0]
        if self._whole:
            self._wide = resize(small, size)
            return
        # One axis now; the other one is left for `rows`, since it is the one that is cut.
        self._wide = resize(small, (small.shape[0], width))
        last = small.shape[0] - 1
        place = ((np.arange(height) + 0.5) * (small.shape[0] / height) - 0.5).clip(0, last)
        self._above = place.astype(np.intp)
        self._below = np.minimum(self._above + 1, last)
        share = (place - self._above).astype(np.float32)
        self._share = share.reshape(-1, *[1] * (small.ndim - 1))

    def rows(self, rows: slice) -> np.ndarray:
        """Return these rows of the enlarged map, float32; not to be written to."""
        if self._whole:
            return self._wide[rows]
        above = self._wide.take(self._above[rows], axis=0)
        below = self._wide.take(self._below[rows], axis=0)
        below -= above
        below *= self._share[rows]
        below += above
        return below
