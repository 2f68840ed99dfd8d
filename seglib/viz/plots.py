"""Curves of training logs and of evaluations.

Different marks and dashes besides the colours, so that lines can be told apart in grey.

Chapters: training on Colab; evaluation and error analysis.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seglib.errors import SeglibError
from seglib.viz.style import COLOURS, grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seglib.evaluation import Calibration, Damaged, Interval, Scores


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

    Returns:
        The figure.

    Raises:
        SeglibError: no rows, or none of the columns is there.
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

    Raises:
        SeglibError: nothing to show.
    """
    if not scores:
        raise SeglibError("there are no scores to show; hand in one model's at least")
    figure, (ax,) = grid(1, 1, 0.62, 5.2, bare=False)
    for (model, one), colour, dash in zip(scores.items(), _colours(), _dashes(), strict=False):
        values = np.sort(one.values(name))
        share = np.arange(1, len(values) + 1) / len(values)
        ax.step(values, share, where="post", color=colour, linestyle=dash, label=model)
        ax.axvline(values.mean(), color=colour, linestyle=":", linewidth=1)
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

    Returns:
        The figure.

    Raises:
        SeglibError: nothing to show.
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

    Raises:
        SeglibError: nothing to show.
    """
    if not curves:
        raise SeglibError("there are no curves to show; hand in one model's at least")
    figure, (ax, below) = grid(1, 2, 0.85, 3.6, bare=False)
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=1, label="as it says")
    marks = zip(curves.items(), _colours(), _dashes(), "os^Dv<>", strict=False)
    for (model, one), colour, dash, mark in marks:
        look = {"color": colour, "linestyle": dash, "marker": mark, "markersize": 4}
        ax.plot(one.confidence, one.observed, label=model, **look)
        filled = one.share > 0
        below.plot(one.confidence[filled], one.share[filled], **look)
    ax.set(xlabel="mask value", ylabel="share that is the thing", xlim=(0, 1), ylim=(0, 1))
    below.set(xlabel="mask value", ylabel="share of pixels", yscale="log", xlim=(0, 1))
    ax.legend()
    for panel in (ax, below):
        panel.grid(True)
    return figure


def strengths(models: Mapping[str, Sequence["Damaged"]], name: str = "iou") -> "Figure":
    """Draw a score against the strength of each kind of damage.

    Args:
        models: by name, what `seglib.evaluation.robustness` returns.
        name: the score.

    Returns:
        The figure: a panel for each kind, the unchanged photos at its left.

    Raises:
        SeglibError: nothing to show.
    """
    from seglib.evaluation import DAMAGES

    first = next(iter(models.values()), ())
    kinds = list(dict.fromkeys(row.kind for row in first if row.kind != "none"))
    if not kinds:
        raise SeglibError("there is no damage to show; hand in what robustness returns")
    columns = min(3, len(kinds))
    figure, axes = grid(-(-len(kinds) // columns), columns, 0.75, 2.8, bare=False)
    for ax, kind in zip(axes, kinds, strict=False):
        looks = zip(models.items(), _colours(), _dashes(), "os^Dv<>", strict=False)
        for (model, rows), colour, dash, mark in looks:
            shown = [row for row in rows if row.kind in ("none", kind)]
            values = [row.scores.means[name] for row in shown]
            look = {"color": colour, "linestyle": dash, "marker": mark, "markersize": 4}
            ax.plot(range(len(shown)), values, label=model, **look)
        labels = ["none", *(f"{row.level:g}" for row in shown[1:])]
        ax.set_xticks(range(len(labels)), labels)
        ax.set(title=kind, xlabel=DAMAGES[kind].unit, ylim=(0, 1))
        ax.grid(True, axis="y")
    for ax in axes[len(kinds) :]:
        ax.set_visible(False)
    for ax in axes[::columns]:
        ax.set_ylabel(_title(name))
    axes[0].legend(fontsize="small")
    return figure


def _title(name: str) -> str:
    return {"iou": "IoU", "boundary_iou": "boundary IoU"}.get(name, name)


def _colours() -> list[str]:
    return list(COLOURS.values())[:-2]


def _dashes() -> list[str | tuple]:
    return ["-", "--", "-.", (0, (1, 1)), (0, (5, 1)), (0, (3, 1, 1, 1))]
