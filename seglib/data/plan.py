"""Which pictures make up which batch, for one process or several, without a word between them.

Every process works out the same order from the seed and the epoch, and takes its own part of each
step. Nothing is stored: to go on anywhere, the number of the step suffices.

Chapter: training on Colab.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seglib.errors import SeglibError


@dataclass
class Plan:
    """The batches of endless epochs.

    Attributes:
        count: pictures in the set.
        batch_size: pictures a batch, for each process; capped by its share of the set.
        seed: start of all chance.
        shuffle: draw a new order each epoch and drop what does not fill the last step.
        shard: (index, count) of this process.
    """

    count: int
    batch_size: int
    seed: int = 0
    shuffle: bool = False
    shard: tuple[int, int] = (0, 1)
    _order: tuple[int, np.ndarray] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.shard = tuple(self.shard)
        if self.batch_size < 1:
            raise SeglibError(f"batch_size is {self.batch_size}; use 1 or more")
        if not 0 <= self.shard[0] < self.shard[1] <= self.count:
            raise SeglibError(
                f"shard is {self.shard} for {self.count} pictures; use (index, count) with "
                "0 <= index < count, and at least one picture for each process"
            )
        self.batch_size = min(self.batch_size, self.count // self.shard[1])

    @property
    def steps(self) -> int:
        """Steps an epoch, the same for every process."""
        whole, rest = divmod(self.count, self.batch_size * self.shard[1])
        if self.shuffle:
            return whole
        # A last step too small to give every process a picture is spread over the others.
        return min(whole + (rest > 0), self.count // self.shard[1])

    @property
    def identity(self) -> dict[str, Any]:
        """What another plan must share to make the same batches, ready for JSON."""
        return {
            "seed": self.seed,
            "pictures": self.count,
            "batch_size": self.batch_size,
            "processes": self.shard[1],
            "shuffle": self.shuffle,
        }

    def pictures(self, epoch: int, index: int) -> tuple[np.ndarray, slice]:
        """Return the pictures of one step, of all processes together, and which are this one's.

        Whole batches follow each other in the epoch's order. Several processes that must show every
        picture once cut the order into equal parts instead, whose sizes differ by one at most.
        """
        mine, processes = self.shard
        if self.shuffle or processes == 1:
            edges = np.arange(processes + 1) * self.batch_size
            edges = np.minimum(edges + index * processes * self.batch_size, self.count)
        else:
            parts = np.arange(index * processes, (index + 1) * processes + 1)
            edges = parts * self.count // (self.steps * processes)
        step = self.order(epoch)[edges[0] : edges[-1]]
        return step, slice(edges[mine] - edges[0], edges[mine + 1] - edges[0])

    def order(self, epoch: int) -> np.ndarray:
        """Return all pictures' numbers in the order of one epoch."""
        known = self._order
        if known is None or known[0] != epoch:
            order = np.arange(self.count)
            if self.shuffle:
                np.random.default_rng([self.seed, epoch]).shuffle(order)
            # Replaced as a whole: another thread sees the old pair or the new one.
            self._order = known = (epoch, order)
        return known[1]
