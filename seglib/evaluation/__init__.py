"""Evaluation that can be trusted: scores with intervals, hard cases, other sets.

A mean over a few hundred photos moves when other photos are drawn, hides the photos that fail, and
is highest on the set that trained the network. So `evaluate` scores photo by photo and says whether
a mask value of 0.7 is right in 7 of 10 pixels, `compare` says how far a mean or a difference of two
models would move with other photos, and `robustness`, which is imported by its name, what blur,
noise, darkness or hard photos do to a score. Chapter: evaluation and error analysis.
"""

from seglib.errors import renamed
from seglib.evaluation.compare import Interval, interval, paired, subjects, unpaired
from seglib.evaluation.evaluate import (
    Calibration,
    Scores,
    calibration,
    cross_table,
    evaluate,
)

__all__ = ["evaluate", "interval", "paired", "unpaired", "subjects", "calibration", "cross_table",
           "Scores", "Interval", "Calibration"]  # fmt: skip

_MOVED = {"by_difficulty": "hard_subsets", "traits": "attributes", "Group": "HardSubset",
          "DAMAGES": "CORRUPTIONS", "damage": "corrupt", "Damaged": "Corrupted"}  # fmt: skip
__getattr__ = renamed(
    __name__,
    {old: f"{__name__}.robustness.{new}" for old, new in _MOVED.items()}
    | {"CrossTable": "cross_table, which returns the table's text"},
)
