"""Several models on several sets: the table that shows what a network learned by heart.

A network scores highest on the set that trained it, since the val photos share their photographer,
their framing and the hand that drew the masks. What a reader's own photos will get is nearer to the
columns that it never saw (Torralba and Efros, Unbiased Look at Dataset Bias, CVPR 2011).

Chapter: evaluation and error analysis.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seglib.data.dataset import Dataset
from seglib.errors import SeglibError
from seglib.evaluation.scoring import Scores, evaluate


@dataclass(frozen=True)
class CrossTable:
    """Scores of each model (row) on each set (column).

    Attributes:
        models: names of the rows.
        sets: names of the columns.
        scores: by (model, set).
        home: by model, the sets that trained it.
    """

    models: tuple[str, ...]
    sets: tuple[str, ...]
    scores: dict[tuple[str, str], Scores]
    home: dict[str, tuple[str, ...]]

    def means(self, name: str = "iou") -> np.ndarray:
        """Return one score's means, float64 (models, sets)."""
        return np.array(
            [[self.scores[model, one].means[name] for one in self.sets] for model in self.models]
        )

    def markdown(self, name: str = "iou", intervals: bool = True) -> str:
        """Return a Markdown table; sets that trained the model are marked with a star."""
        lines = ["| | " + " | ".join(self.sets) + " |", "|---|" + "---|" * len(self.sets)]
        for model in self.models:
            cells = []
            for one in self.sets:
                scores = self.scores[model, one]
                text = str(scores.interval(name)) if intervals else f"{scores.means[name]:.3f}"
                cells.append(text + (" *" if one in self.home.get(model, ()) else ""))
            lines.append(f"| {model} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


def cross_table(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    sets: Sequence[Dataset],
    home: Mapping[str, Sequence[str]] | None = None,
    progress: bool = True,
) -> CrossTable:
    """Score every model on every set.

    Args:
        models: by name, uint8 RGB (h, w, 3) -> float32 (h, w) in 0..1.
        sets: data sets with different names and one kind of mask.
        home: by model, names of the sets whose photos trained it.
        progress: show a bar for each cell.

    Raises:
        SeglibError: no model, no set, two sets of one name, or sets of different kinds.
    """
    names = tuple(dataset.name for dataset in sets)
    if not models or not sets:
        raise SeglibError("a table needs a model and a data set at least")
    if len(set(names)) < len(names) or len({dataset.kind for dataset in sets}) > 1:
        listed = ", ".join(f"{dataset.name} ({dataset.kind})" for dataset in sets)
        raise SeglibError(f"the sets {listed} cannot share a table; use other names and one kind")
    scores = {
        (model, dataset.name): evaluate(segment, dataset, progress=progress)
        for model, segment in models.items()
        for dataset in sets
    }
    known = {model: tuple(trained) for model, trained in (home or {}).items()}
    return CrossTable(tuple(models), names, scores, known)
