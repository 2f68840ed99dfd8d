"""Going through a large picture in bands of rows, so that floating-point copies stay small.

A photo of 108 megapixels then costs hundreds of megabytes in place of several gigabytes, and a
video frame stays in the processor's cache.

Chapter: post-processing.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import resize

BAND_PIXELS = 2_000_000
"""Pixels that the functions of `seglib.postprocess` turn into floats at a time."""

WHOLE_PIXELS = 4_000_000
"""Up to this size a map is enlarged at once, above it row by row."""

_CACHED_PIXELS = 120_000


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

    def __init__(
        self, small: np.ndarray, size: tuple[int, int], out: np.ndarray | None = None
    ) -> None:
        """Prepare to enlarge a map.

        Args:
            small: h x w or h x w x C, C up to 4.
            size: (height, width).
            out: where the enlarged map is kept, of its shape and type, for use frame after frame:
                the first touch of fresh memory costs more than the enlargement.
        """
        height, width = size
        small = resize(small, (min(height, small.shape[0]), min(width, small.shape[1])))
        rows = small.shape[0]
        self._whole = height * width <= WHOLE_PIXELS or height == rows
        if self._whole:
            self._wide = cv2.resize(small, (width, height), dst=out)
            return
        # One axis now; the other one is left for `rows`, since it is the one that is cut.
        self._wide = resize(small, (rows, width))
        place = ((np.arange(height) + 0.5) * (rows / height) - 0.5).clip(0, rows - 1)
        self._above = place.astype(np.intp)
        self._below = np.minimum(self._above + 1, rows - 1)
        share = (place - self._above).astype(np.float32)
        self._share = share.reshape(-1, *[1] * (small.ndim - 1))

    def rows(self, rows: slice) -> np.ndarray:
        """Return these rows of the enlarged map, of the map's type; not to be written to."""
        if self._whole:
            return self._wide[rows]
        above = self._wide.take(self._above[rows], axis=0)
        below = self._wide.take(self._below[rows], axis=0)
        grown = below.astype(np.float32)
        grown -= above
        grown *= self._share[rows]
        grown += above
        return grown if above.dtype == np.float32 else np.rint(grown).astype(above.dtype)


class Workers:
    """Threads that go through a picture band by band, and arrays that last from frame to frame.

    OpenCV and NumPy let other threads run while they compute. Chapter: post-processing.
    """

    def __init__(self, threads: int | None = None) -> None:
        """Start the threads.

        Args:
            threads: how many; by default 2, or 1 on a single core.

        Raises:
            SeglibError: `threads` is below 1.
        """
        threads = min(2, os.cpu_count() or 1) if threads is None else threads
        if threads < 1:
            raise SeglibError(f"threads is {threads}; give 1 or more")
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._buffers: dict[str, np.ndarray] = {}

    def each(self, work: Callable[[slice], None], size: tuple[int, ...]) -> None:
        """Do the work on every band of rows of a picture of `size` (height, width)."""
        parts = bands(size[0], size[1], pixels=_CACHED_PIXELS)
        if self._pool is None:
            for rows in parts:
                work(rows)
        else:
            # The list waits for all and hands on what one of them raises.
            list(self._pool.map(work, parts))

    def buffer(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Return the array kept under this name, a new one where shape or type have changed."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != shape or buffer.dtype != dtype:
            buffer = self._buffers[name] = np.empty(shape, dtype)
        return buffer
