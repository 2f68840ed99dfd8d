"""Score a model on a data set, photo by photo, at the photos' own size.

Chapters: dice loss and metrics; evaluation and error analysis.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm.auto import tqdm

from seglib import metrics
from seglib.data.dataset import Dataset
from seglib.errors import SeglibError
from seglib.evaluation.intervals import Interval, interval, paired, subjects
from seglib.runtime import reset_state

PERSONS = ("lfw_hair", "lfw_parts")
"""Sets whose photos are named after the persons they show, some of them several times."""

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Scores:
    """One row per photo: stem, iou, dice, precision, recall, boundary_iou."""

    dataset: str
    kind: str
    rows: tuple[dict, ...]

    @property
    def stems(self) -> tuple[str, ...]:
        """The photos' names, in order."""
        return tuple(row["stem"] for row in self.rows)

    @property
    def persons(self) -> tuple[str, ...] | None:
        """Whom each photo shows, where the set's names tell, to be the `groups` of an interval."""
        return subjects(self.stems) if self.dataset in PERSONS else None

    @property
    def means(self) -> dict[str, float]:
        """Mean of each score over the photos; every photo counts the same, large or small."""
        names = [name for name in self.rows[0] if name != "stem"]
        return {name: float(np.mean([row[name] for row in self.rows])) for name in names}

    def values(self, name: str = "iou") -> np.ndarray:
        """Return one score of every photo, float64 (count,).

        Raises:
            SeglibError: there is no such score.
        """
        if name == "stem" or name not in self.rows[0]:
            names = ", ".join(key for key in self.rows[0] if key != "stem")
            raise SeglibError(f"no score is called {name!r}; use one of {names}")
        return np.array([row[name] for row in self.rows], float)

    def quantiles(
        self, name: str = "iou", shares: Sequence[float] = QUANTILES
    ) -> dict[float, float]:
        """Return below which score each share of the photos lies; 0 is the worst, 1 the best."""
        found = np.quantile(self.values(name), list(shares))
        return {share: float(value) for share, value in zip(shares, found, strict=True)}

    def worst(self, count: int = 8) -> list[dict]:
        """Return the rows with the lowest IoU, worst first."""
        return sorted(self.rows, key=lambda row: row["iou"])[:count]

    def interval(self, name: str = "iou", groups: Sequence | None = None, **how: float) -> Interval:
        """Return a score's mean and where it would lie with other photos.

        Args:
            name: the score.
            groups: one value a photo, equal where photos belong together; such as `persons`.
            how: level, draws and seed of `intervals.interval`.
        """
        return interval(self.values(name), groups=groups, **how)

    def against(
        self, other: "Scores", name: str = "iou", groups: Sequence | None = None, **how: float
    ) -> Interval:
        """Return by how much this model is better than another on the same photos, with interval.

        Args:
            other: the other model's scores.
            name: the score.
            groups: see `interval`.
            how: level, draws and seed of `intervals.paired`.

        Raises:
            SeglibError: the two did not see the same photos in the same order.
        """
        if self.stems != other.stems or (self.dataset, self.kind) != (other.dataset, other.kind):
            raise SeglibError(
                f"scores on {self.dataset} ({self.kind}, {len(self.rows)} photos) and on "
                f"{other.dataset} ({other.kind}, {len(other.rows)} photos) do not pair up; score "
                "both models on the same data set"
            )
        return paired(self.values(name), other.values(name), groups=groups, **how)

    def where(self, keep: np.ndarray) -> "Scores":
        """Return the rows of some photos.

        Args:
            keep: bool (count,).

        Raises:
            SeglibError: it has another length.
        """
        if len(keep) != len(self.rows):
            raise SeglibError(f"{len(keep)} choices for {len(self.rows)} photos; give one each")
        rows = tuple(row for row, kept in zip(self.rows, keep, strict=True) if kept)
        return replace(self, rows=rows)


def evaluate(
    segment: Callable[[np.ndarray], np.ndarray],
    dataset: Dataset,
    threshold: float = 0.5,
    progress: bool = True,
) -> Scores:
    """Run anything that turns a photo into a mask over a data set and score it.

    Args:
        segment: uint8 RGB (h, w, 3) -> float32 (h, w) in 0..1, such as a `Segmenter`. The mask of
            the frame before, where it keeps one, is forgotten before each photo.
        dataset: photos and true masks.
        threshold: cut that makes pixels of probabilities.
        progress: show a bar.
    """
    rows = []
    pairs = zip(dataset.stems, dataset, strict=True)
    for stem, (image, truth) in tqdm(
        pairs, total=len(dataset), desc=f"scoring {dataset.name}", disable=not progress
    ):
        reset_state(segment)
        rows.append({"stem": stem, **metrics.scores(segment(image), truth, threshold)})
    return Scores(dataset.name, dataset.kind, tuple(rows))
