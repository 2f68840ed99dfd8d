"""Pictures of times: models and phones side by side, the first runs, the operations.

Every function returns a matplotlib `Figure` that is already closed for pyplot. Colours are those of
the style in use, such as `seglib.viz.use_style`.

Chapter: measuring on the device.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seglib.benchmark.profile import Profile
from seglib.benchmark.timing import Latency
from seglib.errors import SeglibError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OTHER = "#999999"


def plot_latency(rows: Sequence[Latency], labels: Sequence[str] | None = None) -> "Figure":
    """Draw steady time, first run and init of several rows over one logarithmic axis.

    Args:
        rows: what `compare` and `read_phone` gave, in any mixture; at least one.
        labels: one for each row; None takes file and device.
    """
    names = labels or [f"{row.file}\n{row.device}" for row in rows]
    if not rows or len(names) != len(rows):
        raise SeglibError(
            f"there are {len(rows)} rows of times and {len(names)} labels; hand in at least one "
            "row, and a label for each"
        )
    figure, ax = _figure(8, 0.8 + 0.5 * len(rows))
    places = np.arange(len(rows))
    ax.hlines(
        places, [row.low_ms for row in rows], [row.high_ms for row in rows],
        color="C5", linewidth=7, label="low to high",
    )  # fmt: skip
    for label, name, mark, colour in (
        ("steady", "steady_ms", "o", "C0"),
        ("first", "first_ms", "s", "C1"),
        ("init", "init_ms", "^", "C3"),
    ):
        points = [(getattr(row, name), p) for row, p in zip(rows, places, strict=True)]
        points = [(ms, p) for ms, p in points if ms]
        if points:
            ax.plot(*zip(*points, strict=True), mark, color=colour, label=label)
    ax.set(yticks=places, yticklabels=names, ylim=(len(rows) - 0.4, -0.6), xscale="log")
    ax.set(xlabel="milliseconds")
    _write_plain_numbers(ax)
    ax.grid(axis="x")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")
    return figure


def plot_start(rows: Sequence[Latency]) -> "Figure":
    """Draw the runs of each row one after the other, from the very first, behind its init."""
    figure, ax = _figure(8, 3.2)
    for number, row in enumerate(rows):
        # Points: on a busy machine a line between them would be nothing but its interruptions.
        runs = np.arange(1, len(row.times_ms) + 1)
        ax.plot(runs, row.times_ms, ".", color=f"C{number}", label=row.file)
        ax.plot([0], [row.init_ms], "^", color=f"C{number}")
    ax.set(xlabel="run (the triangle at 0 is the init)", ylabel="milliseconds", yscale="log")
    _write_plain_numbers(ax)
    ax.grid(axis="y")
    ax.legend(fontsize="small")
    return figure


def plot_profile(profile: Profile, most: int = 6) -> "Figure":
    """Draw a profile: what the kinds take in all, and each operation in the order they run.

    Args:
        profile: of `profile` or `read_profile`.
        most: kinds that get a colour of their own; the others are drawn together.
    """
    figure, (left, right) = _figure(9.5, 3.4, 2)
    kinds = list(profile.by_kind().items())
    colours = {kind: f"C{number}" for number, (kind, _) in enumerate(kinds[:most])}
    bars = [(f"{kind} ({count})", ms, colours[kind]) for kind, (count, ms) in kinds[:most]]
    if len(kinds) > most:
        bars.append(("all others", sum(ms for _, (_, ms) in kinds[most:]), _OTHER))
    names, times, shades = zip(*bars, strict=True)
    left.barh(names, times, color=shades)
    left.invert_yaxis()
    left.tick_params(axis="y", labelsize="small")
    left.set(xlabel="milliseconds in all")
    shades = [colours.get(op.kind, _OTHER) for op in profile.ops]
    right.bar(range(len(profile.ops)), [op.ms for op in profile.ops], width=1, color=shades)
    right.set(xlabel="operation, in the order they run", ylabel="milliseconds")
    return figure


def _figure(width: float, height: float, panels: int = 1) -> tuple:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, panels, figsize=(width, height), layout="constrained")
    plt.close(figure)
    return figure, axes


def _write_plain_numbers(ax: "Axes") -> None:
    """Write 0.5 and 20 beside a logarithmic axis instead of powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())
