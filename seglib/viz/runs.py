"""Training graphs: several runs beside each other, and one run while it goes on.

Chapter: training on Colab.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from seglib.errors import SeglibError
from seglib.notebook import in_notebook
from seglib.viz.plots import curves
from seglib.viz.style import grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seglib.training import Progress


def compare_runs(
    runs: Mapping[str, Iterable[Mapping[str, float]]],
    names: Sequence[str] = ("loss", "val_loss", "val_iou"),
    x: str = "epoch",
) -> "Figure":
    """Draw the logs of several runs, a panel for each column and a line for each run.

    Args:
        runs: rows by the run's name, such as ``{p.name: read_history(p).rows for p in folders}``
            with `seglib.training.read_history`.
        names: the columns to draw; those that no run has are left out.
        x: the column of the horizontal axis.

    Returns:
        The figure.

    Raises:
        SeglibError: there is no run, or none has one of the columns.
    """
    logs = {name: list(rows) for name, rows in runs.items()}
    known = list(dict.fromkeys(key for rows in logs.values() for row in rows for key in row))
    shown = [name for name in names if name in known]
    if not shown:
        there = ", ".join(known) or "no rows"
        raise SeglibError(f"no run has one of {', '.join(names)} (there are {there}); name others")
    figure, axes = grid(1, len(shown), 0.75, 3.4, bare=False)
    for ax, column in zip(axes, shown, strict=True):
        marks = zip(logs.items(), "os^Dv<>" * len(logs), strict=False)
        for index, ((name, rows), mark) in enumerate(marks):
            points = [
                (row.get(x, i), row[column]) for i, row in enumerate(rows, 1) if column in row
            ]
            if points:
                # Different marks too, so that the lines can be told apart in grey.
                # Thinner and thinner, so that lines which lie on each other are all seen.
                width = max(1.2, 4 - 1.4 * index)
                columns = zip(*points, strict=True)
                ax.plot(*columns, marker=mark, markersize=2 * width, linewidth=width, label=name)
        ax.set_title(column)
        ax.set_xlabel(x)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(True)
    axes[0].legend()
    return figure


def live_curves(names: Sequence[str] | None = None) -> "Callable[[Progress], None] | None":
    """Return what draws a training's curves into a notebook's cell while it runs.

    Hand it to `seglib.training.fit` as `watch`. The one picture of the cell is drawn anew after
    each epoch and every ten seconds; its title says how far the run is and how long it still
    takes. Outside a notebook the result is None, with which `fit` draws its bar.

    Args:
        names: the columns to draw, as for `curves`.
    """
    if not in_notebook():
        return None
    from IPython.display import display

    shown, rows, drawn = None, 0, 0.0

    def watch(progress: "Progress") -> None:
        nonlocal shown, rows, drawn
        if not progress.rows or (len(progress.rows) == rows and time.monotonic() - drawn < 10):
            return
        rows, drawn = len(progress.rows), time.monotonic()
        figure = curves(progress.rows, names)
        figure.suptitle(str(progress))
        if shown is None:
            shown = display(figure, display_id=True)
        else:
            shown.update(figure)

    return watch
