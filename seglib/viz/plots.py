"""Curves of training logs and of evaluations.

Lines differ in marks and dashes besides their colours, so that they can be told apart in grey.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.notebook import in_notebook
from seglib.viz.photos import COLOURS, grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seglib.evaluation import Calibration, Interval, Scores
    from seglib.evaluation.robustness import Corrupted
    from seglib.training import Progress


def curves(
    rows: Iterable[Mapping[str, float]],
    names: Sequence[str] | None = None,
    x: str = "epoch",
) -> "Figure":
    """Draw a training log: losses in one panel, scores in the other.

    Args:
        rows: one mapping per epoch, as `seglib.training.fit` returns them.
        names: the columns to draw; None takes all columns with "loss", "iou" or "dice" in the name.
        x: the column of the horizontal axis.
    """
    rows = list(rows)
    known = list(dict.fromkeys(key for row in rows for key in row))
    if names is None:
        names = [name for name in known if any(part in name for part in ("loss", "iou", "dice"))]
    names = [name for name in names if name in known]
    if not names:
        there = ", ".join(known) or "no rows"
        raise SeglibError(f"no column to draw among {there}; name one of them")
    losses = [name for name in names if "loss" in name]
    panels = [part for part in (losses, [n for n in names if n not in losses]) if part]
    figure, axes = grid(1, len(panels), 0.7, 4.2, bare=False)
    for ax, part in zip(axes, panels, strict=True):
        for name, mark in zip(part, "os^Dv<>" * len(part), strict=False):
            points = [(row.get(x, i), row[name]) for i, row in enumerate(rows, 1) if name in row]
            ax.plot(*zip(*points, strict=True), marker=mark, markersize=4, label=name)
        ax.set_xlabel(x)
        ax.grid(True)
        ax.legend()
    return figure


def distribution(scores: Mapping[str, "Scores"], name: str = "iou") -> "Figure":
    """Draw the share of photos below each score, one line a model.

    Args:
        scores: by the model's name.
        name: the score.

    Returns:
        The figure; the mean of each model is the dotted vertical line.
    """
    if not scores:
        raise SeglibError("there are no scores to show; hand in one model's at least")
    figure, (ax,) = grid(1, 1, 0.62, 5.2, bare=False)
    for (model, one), look in zip(scores.items(), _looks(), strict=False):
        values = np.sort(one.values(name))
        share = np.arange(1, len(values) + 1) / len(values)
        ax.step(values, share, where="post", label=model, **{**look, "marker": ""})
        ax.axvline(values.mean(), color=look["color"], linestyle=":", linewidth=1)
    ax.set(xlabel=f"{_title(name)} of a photo", ylabel="share of photos below", ylim=(0, 1))
    ax.grid(True)
    ax.legend()
    return figure


def intervals(rows: Mapping[str, "Interval | None"], xlabel: str, zero: bool = False) -> "Figure":
    """Draw means with their intervals, one row each, the first on top.

    Args:
        rows: by name; None leaves the row empty.
        xlabel: what is measured.
        zero: draw a line at zero, for differences.
    """
    if not any(rows.values()):
        raise SeglibError("there are no intervals to show; hand in one at least")
    figure, (ax,) = grid(1, 1, 0.12 + 0.055 * len(rows), 5.6, bare=False)
    for place, one in enumerate(rows.values()):
        if one is not None:
            spread = [[one.mean - one.low], [one.high - one.mean]]
            ax.errorbar(one.mean, place, xerr=spread, fmt="o", color=COLOURS["blue"], capsize=3)
    if zero:
        ax.axvline(0, color=COLOURS["black"], linewidth=0.8)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5))
    ax.grid(True, axis="x")
    return figure


def reliability(curves: Mapping[str, "Calibration"]) -> "Figure":
    """Draw reliability curves and how many pixels stand behind each point.

    Args:
        curves: by the model's name.

    Returns:
        The figure: observed share against mask value, and the share of pixels, logarithmic.
    """
    if not curves:
        raise SeglibError("there are no curves to show; hand in one model's at least")
    figure, (ax, below) = grid(1, 2, 0.85, 3.6, bare=False)
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=1, label="as it says")
    for (model, one), look in zip(curves.items(), _looks(), strict=False):
        ax.plot(one.confidence, one.observed, label=model, **look)
        filled = one.share > 0
        below.plot(one.confidence[filled], one.share[filled], **look)
    ax.set(xlabel="mask value", ylabel="share that is the thing", xlim=(0, 1), ylim=(0, 1))
    below.set(xlabel="mask value", ylabel="share of pixels", yscale="log", xlim=(0, 1))
    ax.legend()
    for panel in (ax, below):
        panel.grid(True)
    return figure


def strengths(models: Mapping[str, Sequence["Corrupted"]], name: str = "iou") -> "Figure":
    """Draw a score against the strength of each kind of corruption.

    Args:
        models: by name, what `seglib.evaluation.robustness.evaluate_corrupted` returns.
        name: the score.

    Returns:
        The figure: a panel for each kind, the unchanged photos at its left.
    """
    from seglib.evaluation.robustness import CORRUPTIONS

    first = next(iter(models.values()), ())
    kinds = list(dict.fromkeys(row.kind for row in first if row.kind != "none"))
    if not kinds:
        raise SeglibError("there is nothing to show; hand in what evaluate_corrupted returns")
    columns = min(3, len(kinds))
    figure, axes = grid(-(-len(kinds) // columns), columns, 0.75, 2.8, bare=False)
    for ax, kind in zip(axes, kinds, strict=False):
        for (model, rows), look in zip(models.items(), _looks(), strict=False):
            shown = [row for row in rows if row.kind in ("none", kind)]
            values = [row.scores.means[name] for row in shown]
            ax.plot(range(len(shown)), values, label=model, **look)
        labels = ["none", *(f"{row.level:g}" for row in shown[1:])]
        ax.set_xticks(range(len(labels)), labels)
        ax.set(title=kind, xlabel=CORRUPTIONS[kind].unit, ylim=(0, 1))
        ax.grid(True, axis="y")
    for ax in axes[len(kinds) :]:
        ax.set_visible(False)
    for ax in axes[::columns]:
        ax.set_ylabel(_title(name))
    axes[0].legend(fontsize="small")
    return figure


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
            points = [(r.get(x, i), r[column]) for i, r in enumerate(rows, 1) if column in r]
            if points:
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


def _title(name: str) -> str:
    return {"iou": "IoU", "boundary_iou": "boundary IoU"}.get(name, name)


def _looks() -> Iterator[dict[str, Any]]:
    """Yield how the line of each model is drawn."""
    dashes = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1)), (0, (3, 1, 1, 1)))
    for colour, dash, mark in zip(list(COLOURS.values())[:-2], dashes, "os^Dv<", strict=True):
        yield {"color": colour, "linestyle": dash, "marker": mark, "markersize": 4}
