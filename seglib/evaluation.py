"""Score a model on a data set, photo by photo, at the photos' own size.

Chapter: dice loss and metrics.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from seglib import metrics
from seglib.data.dataset import Dataset


@dataclass(frozen=True)
class Scores:
    """One row per photo: stem, iou, dice, precision, recall, boundary_iou."""

    dataset: str
    kind: str
    rows: tuple[dict, ...]

    @property
    def means(self) -> dict[str, float]:
        """Mean of each score over the photos; every photo counts the same, large or small."""
        names = [name for name in self.rows[0] if name != "stem"]
        return {name: float(np.mean([row[name] for row in self.rows])) for name in names}

    def worst(self, count: int = 8) -> list[dict]:
        """Return the rows with the lowest IoU, worst first."""
        return sorted(self.rows, key=lambda row: row["iou"])[:count]


def evaluate(
    segment: Callable[[np.ndarray], np.ndarray],
    dataset: Dataset,
    threshold: float = 0.5,
    progress: bool = True,
) -> Scores:
    """Run anything that turns a photo into a mask over a data set and score it.

    Args:
        segment: uint8 RGB (h, w, 3) -> float32 (h, w) in 0..1, such as a `Segmenter`.
        dataset: photos and true masks.
        threshold: cut that makes pixels of probabilities.
        progress: show a bar.
    """
    rows = []
    pairs = zip(dataset.stems, dataset, strict=True)
    for stem, (image, truth) in tqdm(
        pairs, total=len(dataset), desc=f"scoring {dataset.name}", disable=not progress
    ):
        rows.append({"stem": stem, **metrics.scores(segment(image), truth, threshold)})
    return Scores(dataset.name, dataset.kind, tuple(rows))
