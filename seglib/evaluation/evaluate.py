"""Score a model on a data set, photo by photo, at the photos' own size.

Choose epochs, blends and thresholds on the val part of a set, and score its test part once, for the
final model: what was chosen on photos flatters itself on them. Photos that show nothing are counted
apart: their IoU is 1 or 0 and says nothing of outlines.

Chapters: dice loss and metrics; evaluation and error analysis.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from seglib import metrics
from seglib.data.dataset import Dataset
from seglib.errors import SeglibError
from seglib.evaluation.compare import Interval, interval, paired, subjects
from seglib.images import as_mask
from seglib.runtime import reset_state

Segment = Callable[[np.ndarray], np.ndarray]
"""uint8 RGB (h, w, 3) -> a mask (h, w) as `seglib.images.as_mask` reads it, as of a `Segmenter`."""

PERSONS = ("lfw_hair", "lfw_parts")
"""Sets whose photos are named after the persons they show, some of them several times."""


@dataclass(frozen=True)
class Scores:
    """A model's scores on a set.

    Attributes:
        dataset: the set's name.
        kind: what its masks show.
        rows: per photo that shows something: stem, iou, dice, precision, recall, boundary_iou.
        empty_rows: per photo whose true mask is empty: stem, and marked, the fraction of the
            pixels that the model marks all the same.
    """

    dataset: str
    kind: str
    rows: tuple[dict, ...]
    empty_rows: tuple[dict, ...] = ()

    @property
    def stems(self) -> tuple[str, ...]:
        """The names of the photos that show something, in order."""
        return tuple(row["stem"] for row in self.rows)

    @property
    def persons(self) -> tuple[str, ...] | None:
        """Whom each photo shows, where the set's names tell, to be the `groups` of an interval."""
        return subjects(self.stems) if self.dataset in PERSONS else None

    @property
    def means(self) -> dict[str, float]:
        """Mean of each score over the photos that show something, large or small."""
        names = [name for name in (self.rows or ({},))[0] if name != "stem"]
        return {name: float(self.values(name).mean()) for name in names}

    @property
    def empty(self) -> dict[str, float]:
        """Photos that show nothing: how many, how many with a false alarm, mean marked fraction."""
        marked = [row["marked"] for row in self.empty_rows]
        alarms = sum(fraction > 0 for fraction in marked)
        mean = float(np.mean(marked)) if marked else 0.0
        return {"photos": len(marked), "false_alarms": alarms, "marked": mean}

    def values(self, name: str = "iou") -> np.ndarray:
        """Return one score of every photo that shows something, float64 (count,)."""
        if not self.rows:
            raise SeglibError(f"no photo of {self.dataset} shows anything; look at .empty instead")
        if name == "stem" or name not in self.rows[0]:
            names = ", ".join(key for key in self.rows[0] if key != "stem")
            raise SeglibError(f"no score is called {name!r}; use one of {names}")
        return np.array([row[name] for row in self.rows], float)

    def quantiles(
        self, name: str = "iou", fractions: Sequence[float] = (0.0, 0.05, 0.25, 0.5, 0.75, 1.0)
    ) -> dict[float, float]:
        """Return below which score each fraction of the photos lies; 0 is the worst, 1 the best."""
        found = np.quantile(self.values(name), list(fractions)).tolist()
        return dict(zip(fractions, found, strict=True))

    def worst(self, count: int = 8) -> list[dict]:
        """Return the rows with the lowest IoU, worst first."""
        return sorted(self.rows, key=lambda row: row["iou"])[:count]

    def interval(
        self, name: str = "iou", groups: Sequence | None = None, **how: object
    ) -> Interval:
        """Return a score's mean and where it would lie with other photos; see `interval`.

        `groups`: one value a photo, equal where photos belong together; such as `persons`.
        """
        return interval(self.values(name), groups=groups, **how)

    def against(
        self, other: "Scores", name: str = "iou", groups: Sequence | None = None, **how: object
    ) -> Interval:
        """Return by how much this model is better than another on the same photos; see `paired`."""
        if self.stems != other.stems or (self.dataset, self.kind) != (other.dataset, other.kind):
            raise SeglibError(
                f"scores on {self.dataset} ({self.kind}, {len(self.rows)} photos) and on "
                f"{other.dataset} ({other.kind}, {len(other.rows)} photos) do not pair up; score "
                "both models on the same data set"
            )
        return paired(self.values(name), other.values(name), groups=groups, **how)


def evaluate(
    segment: Segment, dataset: Dataset, threshold: float = 0.5, progress: bool = True
) -> Scores:
    """Run anything that turns a photo into a mask over a data set and score it.

    Args:
        segment: see `Segment`. What it keeps from the frame before is forgotten for each photo.
        dataset: photos and true masks.
        threshold: cut that makes pixels of probabilities.
        progress: show a bar.
    """
    rows, empty = [], []
    for stem, mask, truth in _masks(segment, dataset, "scoring", progress):
        if (truth >= threshold).any():
            rows.append({"stem": stem, **metrics.scores(mask, truth, threshold)})
        else:
            empty.append({"stem": stem, "marked": float((mask >= threshold).mean())})
    return Scores(dataset.name, dataset.kind, tuple(rows), tuple(empty))


@dataclass(frozen=True)
class Calibration:
    """The reliability curve of one model on one set. All arrays are float64.

    Attributes:
        edges: (bins + 1,), where the bins begin and end.
        share: (bins,), how many of all pixels fall into each; photos count the same.
        confidence: (bins,), mean mask value, NaN where the bin is empty.
        observed: (bins,), fraction of the bin's pixels that are the foreground, NaN likewise.
    """

    edges: np.ndarray
    share: np.ndarray
    confidence: np.ndarray
    observed: np.ndarray

    def error(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return the expected calibration error over the bins between two mask values, 0..1.

        The mean distance of confidence and observed, weighted by pixels; 0 without pixels. In a
        mask nearly all pixels are certain and right, which makes it small for every network: 0.1
        to 0.9 takes the doubtful ones alone.
        """
        slack = 1e-9  # tenths are no binary fractions
        inside = (self.edges[:-1] >= low - slack) & (self.edges[1:] <= high + slack)
        inside &= self.share > 0
        weight = self.share[inside]
        gaps = np.abs(self.confidence[inside] - self.observed[inside])
        return float(weight @ gaps / weight.sum()) if weight.size else 0.0


def calibration(
    segment: Segment, dataset: Dataset, bins: int = 10, progress: bool = True
) -> Calibration:
    """Compare a model's mask values with the truth: of pixels valued 0.7, are 7 in 10 foreground?

    The curve is the reliability diagram of DeGroot and Fienberg (1983), its error that of Naeini,
    Cooper and Hauskrecht (2015). The mask values go into `bins` equal steps.
    """
    table = np.zeros((bins, 3))
    for _, mask, truth in _masks(segment, dataset, "calibration,", progress):
        table += metrics.reliability(mask, truth, bins)
    share, confidence, observed = (table / len(dataset)).T
    filled = np.where(share > 0, share, np.nan)
    return Calibration(np.linspace(0, 1, bins + 1), share, confidence / filled, observed / filled)


def cross_table(
    models: Mapping[str, Segment],
    sets: Sequence[Dataset],
    home: Mapping[str, Sequence[str]] | None = None,
    name: str = "iou",
    progress: bool = True,
) -> str:
    """Score every model on every set: the table that shows what a network learned by heart.

    A network scores highest on the set that trained it, since the other photos of the set share
    photographer, framing and the hand that drew the masks. What a reader's own photos will get is
    nearer to the columns that it never saw (Torralba and Efros, CVPR 2011).

    Args:
        models: by name.
        sets: data sets with different names and one kind of mask.
        home: by model, names of the sets whose photos trained it.
        name: the score.
        progress: show a bar for each cell.

    Returns:
        Markdown: a row a model, means with intervals, a star where the set trained the model.
    """
    if not models or not sets:
        raise SeglibError("a table needs a model and a data set at least")
    if len({one.name for one in sets}) < len(sets) or len({one.kind for one in sets}) > 1:
        listed = ", ".join(f"{dataset.name} ({dataset.kind})" for dataset in sets)
        raise SeglibError(f"the sets {listed} cannot share a table; use other names and one kind")
    lines = ["| | " + " | ".join(one.name for one in sets) + " |", "|---|" + "---|" * len(sets)]
    for model, segment in models.items():
        line = f"| {model} |"
        for dataset in sets:
            star = " *" if dataset.name in (home or {}).get(model, ()) else ""
            line += f" {evaluate(segment, dataset, progress=progress).interval(name)}{star} |"
        lines.append(line)
    return "\n".join(lines)


def _masks(
    segment: Segment, dataset: Dataset, doing: str, progress: bool
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield each photo's name, the model's mask and the true one."""
    pairs = zip(dataset.stems, dataset, strict=True)
    bar = {"total": len(dataset), "desc": f"{doing} {dataset.name}", "disable": not progress}
    for stem, (image, truth) in tqdm(pairs, **bar):
        reset_state(segment)
        yield stem, as_mask(segment(image), f"mask of {stem}", image.shape), truth
