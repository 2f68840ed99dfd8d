"""A series of synthetic portraits, drawn by several processes straight into the caller's arrays.

Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from seglib.data._workers import each

if TYPE_CHECKING:
    from seglib.data.synthetic import PortraitConfig


def fill_arrays(arrays: tuple[np.ndarray, ...], seed: int, config: PortraitConfig,
                workers: int) -> None:
    """Draw a whole series into arrays (images, labels, alphas) by several processes.

    Args:
        arrays: uint8 (N, s, s, 3), (N, s, s), (N, s, s); filled in place.
        seed: which series.
        config: what is drawn how often.
        workers: how many processes, at least 1.

    Raises:
        SeglibError: a process died before its share was drawn.
    """
    count, size = arrays[1].shape[:2]

    def take(number: int, planes: tuple[np.ndarray, ...]) -> None:
        for array, plane in zip(arrays, planes, strict=True):
            array[number] = plane

    # The caller has weighed already whether processes are worth their start.
    each(partial(_drawn, int(seed), size, config), range(count), take, workers, few=0)


def _drawn(seed: int, size: int, config: PortraitConfig, number: int) -> tuple[np.ndarray, ...]:
    from seglib.data.synthetic import draw_bytes

    return draw_bytes((seed, number), size, config)
