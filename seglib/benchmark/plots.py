"""Pictures of times: models and phones side by side, the first runs, the operations.

Every function returns a matplotlib `Figure` that is already closed for pyplot, as those of
`seglib.viz` do.

Chapter: measuring on the device.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seglib.benchmark.phone import PhoneRun, as_run
from seglib.benchmark.profile import Profile
from seglib.benchmark.timing import Latency
from seglib.errors import SeglibError
from seglib.viz import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_latency(
    rows: Sequence[Latency | PhoneRun], labels: Sequence[str] | None = None
) -> "Figure":
    """Draw steady time, first run and init of several rows over one logarithmic axis.

    Args:
        rows: what `compare` and `read_phone` gave, in any mixture.
        labels: one for each row; None takes file and device.

    Raises:
        SeglibError: no rows, or not as many labels.
    """
    if not rows:
        raise SeglibError("there are no times to draw; hand in at least one row")
    if labels is not None and len(labels) != len(rows):
        raise SeglibError(f"{len(rows)} rows and {len(labels)} labels; hand in one for each row")
    runs = [as_run(row) for row in rows]
    names = labels or [f"{run.file}\n{run.device}" for run in runs]
    figure, ax = _figure(8, 0.8 + 0.5 * len(runs))
    places = np.arange(len(runs))
    ax.hlines(
        places, [run.low_ms for run in runs], [run.high_ms for run in runs],
        color=COLOURS["sky"], linewidth=7, label="low to high",
    )  # fmt: skip
    ax.plot([run.typical_ms for run in runs], places, "o", color=COLOURS["blue"], label="steady")
    for name, mark, colour in (("first", "s", "orange"), ("init", "^", "vermilion")):
        values = [getattr(run, f"{name}_ms") for run in runs]
        points = [(v, p) for v, p in zip(values, places, strict=True) if v]
        if points:
            ax.plot(*zip(*points, strict=True), mark, color=COLOURS[colour], label=name)
    ax.set(
        yticks=places, yticklabels=names, ylim=(len(runs) - 0.4, -0.6), xlabel="milliseconds",
        xscale="log",
    )  # fmt: skip
    _plain_numbers(ax)
    ax.grid(axis="x")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")
    return figure


def plot_start(rows: Sequence[Latency]) -> "Figure":
    """Draw the runs of each row one after the other, from the very first, behind its init.

    Raises:
        SeglibError: no rows.
    """
    if not rows:
        raise SeglibError("there are no times to draw; hand in at least one row")
    figure, ax = _figure(8, 3.2)
    for row, colour in zip(rows, list(COLOURS.values()) * len(rows), strict=False):
        times = np.asarray(row.times_ms)
        # Points: on a busy machine a line between them would be nothing but its interruptions.
        ax.plot(np.arange(1, len(times) + 1), times, ".", color=colour, label=row.file)
        ax.plot([0], [row.init_ms], "^", color=colour)
    ax.set(xlabel="run (the triangle at 0 is the init)", ylabel="milliseconds", yscale="log")
    _plain_numbers(ax)
    ax.grid(axis="y")
    ax.legend(fontsize="small")
    return figure


def plot_profile(profile: Profile, most: int = 8) -> "Figure":
    """Draw a profile: what the kinds take in all, and each operation in the order they run.

    Args:
        profile: of `profile` or `read_profile`.
        most: kinds that get a colour of their own; the others are drawn together.
    """
    figure, (left, right) = _figure(9.5, 3.4, 2)
    kinds = profile.by_kind()
    shown = list(kinds)[:most]
    colours = dict(zip(shown, list(COLOURS.values()), strict=False))
    bars = {kind: kinds[kind][1] for kind in shown}
    if len(kinds) > most:
        bars["all others"] = sum(ms for kind, (_, ms) in kinds.items() if kind not in shown)
    left.barh(
        [f"{kind} ({kinds[kind][0]})" if kind in kinds else kind for kind in bars],
        list(bars.values()), color=[colours.get(kind, "#999999") for kind in bars],
    )  # fmt: skip
    left.invert_yaxis()
    left.tick_params(axis="y", labelsize="small")
    left.set(xlabel="milliseconds in all")
    right.bar(
        np.arange(len(profile.ops)), [op.ms for op in profile.ops], width=1,
        color=[colours.get(op.kind, "#999999") for op in profile.ops],
    )  # fmt: skip
    right.set(xlabel="operation, in the order they run", ylabel="milliseconds")
    return figure


def _figure(width: float, height: float, panels: int = 1) -> tuple:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, panels, figsize=(width, height), layout="constrained")
    plt.close(figure)
    return figure, axes


def _plain_numbers(ax: "Axes") -> None:
    """Write 0.5 and 20 beside a logarithmic axis instead of powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())
