"""Evaluation that can be trusted: scores with intervals, hard cases and other sets.

A mean over a few hundred photos moves when other photos are drawn, hides the photos that fail, and
is highest on the set that trained the network. Each module answers one of these objections:

* `scoring`: one row of scores a photo, their spread and the worst of them
* `intervals`: how far a mean, or a difference between two models, would move with other photos
* `difficulty`: groups of hard photos, found from photo and mask without further labels
* `calibration`: whether a mask value of 0.7 is right in 7 of 10 pixels
* `robustness`: what blur, noise, compression, darkness, rotation and crops do to a score
* `cross`: several models on several sets

Chapter: evaluation and error analysis.
"""

from seglib.evaluation.calibration import Calibration, calibration
from seglib.evaluation.cross import CrossTable, cross_table
from seglib.evaluation.difficulty import Group, by_difficulty, traits
from seglib.evaluation.intervals import Interval, interval, paired, subjects, unpaired
from seglib.evaluation.robustness import DAMAGES, Damaged, damage, robustness
from seglib.evaluation.scoring import Scores, evaluate

__all__ = [
    "Scores",
    "evaluate",
    "Interval",
    "interval",
    "paired",
    "unpaired",
    "subjects",
    "Group",
    "by_difficulty",
    "traits",
    "Calibration",
    "calibration",
    "DAMAGES",
    "Damaged",
    "damage",
    "robustness",
    "CrossTable",
    "cross_table",
]
