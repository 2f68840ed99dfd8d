"""Batches of photos as if each were a frame of a film.

Chapter: real-time video.
"""

from dataclasses import astuple
from typing import Any

import numpy as np

from seglib.data.batches import Batches
from seglib.data.previous import KINDS, PreviousConfig, previous_mask
from seglib.errors import SeglibError

_USUAL = PreviousConfig()


class FilmBatches(Batches):
    """`Batches` with a mask of the frame before for every photo.

    Each batch is (x, y): x is {"image": as in `Batches`, "previous": float32 (batch, size, size,
    channels) in 0..1}, y as in `Batches`. The mask before is made from the very view that is handed
    out; where the photo's own mask is unknown it is empty. Everything else, resuming included, is
    that of `Batches`.

    Args:
        arguments: of `Batches`.
        previous: how often a mask before is of which kind.
        options: of `Batches`, without `labels`.
    """

    def __init__(self, *arguments: Any, previous: PreviousConfig = _USUAL, **options: Any) -> None:
        if options.get("labels"):
            raise SeglibError("class numbers have no mask before; leave labels out")
        super().__init__(*arguments, **options)
        self.previous = previous

    def _batch(self, step: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        images, y = super()._batch(step)
        epoch, index = divmod(step, len(self))
        together, mine = self.plan.pictures(epoch, index)
        # Drawn for all processes' pictures, and apart from what `Batches` draws for the step.
        rng = np.random.default_rng([self.plan.seed, epoch, index, 1])
        kinds = rng.choice(KINDS, len(together), p=astuple(self.previous))[mine]
        seeds = rng.integers(2**32, size=len(together))[mine]
        known = np.maximum(y, 0)
        previous = np.empty_like(y)
        for row, mask in enumerate(known):
            # The row before; of this process' pictures, since others' are not read here.
            before = known[row - 1] if len(known) > 1 else np.zeros_like(mask)
            rng = np.random.default_rng(seeds[row])
            previous[row] = previous_mask(mask, kinds[row], rng, before)
        return {"image": images, "previous": previous}, y
