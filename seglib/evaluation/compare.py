"""How far a mean would move had other photos been drawn: the bootstrap of Efron (1979).

The photos at hand are drawn anew, with repetition, thousands of times; the middle 95 % of the means
are the interval. Two models on the same photos are compared photo by photo: what makes a photo hard
is hard for both and cancels out, so a difference is known far better than either mean. Photos of
one person are drawn together, since the second tells little that the first did not.

The interval speaks of other photos of the same kind. It knows nothing of another training seed, nor
of photos of another kind, nor of wrong masks. Chapter: evaluation and error analysis.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seglib.errors import SeglibError

DRAWS = 2000
"""Enough for two digits of an interval's ends."""


@dataclass(frozen=True)
class Interval:
    """A mean over photos, and the ends between which `level` of the redrawn means lie."""

    mean: float
    low: float
    high: float
    level: float = 0.95

    @property
    def clear(self) -> bool:
        """Whether zero lies outside: the sign of a difference is not an accident of the photos."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        """Return the three numbers with three decimals."""
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval(
    values: Sequence[float],
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
    groups: Sequence | None = None,
) -> Interval:
    """Return the mean of some scores, two at least, with its percentile bootstrap interval.

    Args:
        values: one score a photo.
        level: fraction of the redrawn means inside, 0..1.
        draws: how often the photos are drawn anew.
        seed: of the draws; the same seed gives the same interval.
        groups: one value a photo; photos with equal values are drawn together.
    """
    return _between(float(np.mean(values)), _redrawn(values, draws, seed, groups), level)


def paired(first: Sequence[float], second: Sequence[float], **how: object) -> Interval:
    """Return the mean of `first - second`, scores of the same photos in one order, with interval.

    `how` is the level, draws, seed and groups of `interval`.
    """
    if len(first) != len(second):
        raise SeglibError(
            f"{len(first)} and {len(second)} scores do not pair up; score the same photos twice"
        )
    return interval(np.subtract(first, second), **how)


def unpaired(
    first: Sequence[float],
    second: Sequence[float],
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Return mean(first) - mean(second) of different photos, each drawn anew on its own."""
    # Another seed for the second: equal draws of two groups of one size would move together.
    means = _redrawn(first, draws, seed, None) - _redrawn(second, draws, seed + 1, None)
    return _between(float(np.mean(first) - np.mean(second)), means, level)


def subjects(stems: Sequence[str]) -> tuple[str, ...]:
    """Return whom each photo shows, for sets named like LFW: `Tim_Henman_0003` -> `Tim_Henman`.

    A stem without `_` and a number at its end stands for itself.
    """
    return tuple(re.sub(r"(?<=\w)_\d+$", "", stem) for stem in stems)


def _redrawn(values: Sequence[float], draws: int, seed: int, groups: Sequence | None) -> np.ndarray:
    values = np.asarray(values, float)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise SeglibError("an interval needs a list of scores that are all numbers")
    names = np.arange(len(values)) if groups is None else np.asarray(groups)
    if len(names) != len(values):
        raise SeglibError(f"{len(names)} groups for {len(values)} scores; give one for each")
    _, index = np.unique(names, return_inverse=True)
    sums, sizes = np.bincount(index, values), np.bincount(index)
    if len(sums) < 2 or draws < 1:
        raise SeglibError(
            f"no interval of {len(sums)} photos or persons and {draws} draws; two and one at least"
        )
    rng = np.random.default_rng(seed)
    # How often each photo comes up in a draw, which is all that a mean needs to know.
    counts = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
    return (counts @ sums) / (counts @ sizes)


def _between(mean: float, means: np.ndarray, level: float) -> Interval:
    if not 0 < level < 1:
        raise SeglibError(f"level is {level}; use a number between 0 and 1, such as 0.95")
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), level)
