"""How long a `.tflite` takes, and how long beside another one.

A machine that does other things slows down and speeds up within seconds, so a run of each model is
taken in turn, and the ratio is formed within each turn; from processor time where one thread
computes, because a longer run is more often interrupted than a shorter one. What is measured is the
interpreter's `invoke` on the CPU, without resizing the photo or copying it in.
"""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.metadata import check_tflite
from seglib.runtime.engines import TFLiteEngine, one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WARM_UP = 5


@dataclass(frozen=True)
class Latency:
    """Times of one model on one device, in milliseconds; None and () where not measured.

    Attributes:
        file: name of the file, or of a phone's test.
        device: where it ran and on what, as far as is known.
        steady_ms: a run in the steady state.
        statistic: what that is: "median" or "mean".
        low_ms, high_ms: between which values the runs were.
        spread: which these are, such as "p10 to p90".
        runs: number of steady runs.
        init_ms: loading the model and making the interpreter with its memory.
        first_ms: the first run.
        cpu_ms: median processor time of a run; with several threads their sum.
        ratio: see `time_ratios`; 1 for the first model.
        times_ms: every run in order: the first one, `WARM_UP` more, then the steady ones.
    """

    file: str
    device: str
    steady_ms: float
    statistic: str
    low_ms: float
    high_ms: float
    spread: str
    runs: int
    init_ms: float | None = None
    first_ms: float | None = None
    cpu_ms: float | None = None
    ratio: float | None = None
    times_ms: tuple[float, ...] = field(default=(), repr=False)


def table(rows: Iterable[Latency]) -> str:
    """Return rows of `compare` and of `read_phone` as one Markdown table, in milliseconds."""
    lines = [
        "| file | device | init | first | steady | | from | to | | runs | CPU | ratio |",
        "|---|---|---:|---:|---:|---|---:|---:|---|---:|---:|---:|",
    ]
    for row in rows:
        times = row.init_ms, row.first_ms, row.steady_ms, row.low_ms, row.high_ms, row.cpu_ms
        init, first, steady, low, high, cpu, ratio = (
            "" if x is None else f"{x:.2f}" for x in (*times, row.ratio)
        )
        cells = row.file, row.device, init, first, steady, row.statistic, low, high, row.spread
        lines.append(f"| {' | '.join(cells)} | {row.runs} | {cpu} | {ratio} |")
    return "\n".join(lines)


def take_turns(calls: Sequence[Callable[[], Any]], turns: int) -> np.ndarray:
    """Call all functions in each turn; milliseconds by wall and CPU, (2, turns, len(calls))."""
    took = np.empty((2, turns, len(calls)))
    for turn in range(turns):
        for position in range(len(calls)):
            # Who comes after a large model finds the cache emptied: share that out.
            index = (turn + position) % len(calls)
            wall, processor = time.perf_counter(), time.process_time()
            calls[index]()
            took[:, turn, index] = time.perf_counter() - wall, time.process_time() - processor
    return 1000 * took


def time_ratios(times: np.ndarray, threads: Sequence[int]) -> list[float]:
    """Return the median over the turns of each one's time of `take_turns` / the first one's.

    Processor time is compared where all have one of `threads`, else time on the wall.
    """
    # Windows counts processor time in steps of 16 ms, too coarse for a run.
    chosen = times[1 if set(threads) == {1} and sys.platform != "win32" else 0]
    return np.median(chosen / chosen[:, :1], axis=0).tolist()


def benchmark(path: str | Path, runs: int = 100, threads: int = 1) -> Latency:
    """Measure one `.tflite` file, see `compare`."""
    return compare([path], runs, threads)[0]


def compare(
    paths: Sequence[str | Path], runs: int = 100, threads: int | Sequence[int] = 1
) -> list[Latency]:
    """Measure several `.tflite` files turn by turn, so that their ratios hold on a busy machine.

    Args:
        paths: the models, the one to compare with first; their inputs are filled with noise.
        runs: turns after the warm-up, at least 1.
        threads: CPU threads, at least 1: one number for all, or one for each path.
    """
    if not paths or isinstance(paths, str | Path):
        raise SeglibError("compare needs a list of .tflite files, the one to compare with first")
    counts = [threads] * len(paths) if isinstance(threads, int) else list(threads)
    if len(counts) != len(paths):
        raise SeglibError(f"{len(paths)} files and {len(counts)} threads; give one for each file")
    if runs < 1 or min(counts) < 1:
        raise SeglibError(f"runs ({runs}) and threads ({threads}) must be at least 1")
    engines, init, early = [], [], []
    for path, count in zip(paths, counts, strict=True):
        content, start = check_tflite(path), time.perf_counter()
        engines.append(TFLiteEngine(content, count, name=str(path)))
        init.append((time.perf_counter() - start) * 1000)
        early.append(_warm_up(engines[-1]))
    times = take_turns([engine.interpreter.invoke for engine in engines], runs)
    rows = []
    for i, ratio in enumerate(time_ratios(times, counts)):
        wall, cpu = times[0, :, i], times[1, :, i]
        low, median, high = np.percentile(wall, [10, 50, 90]).tolist()
        device = f"this machine, CPU, {counts[i]} thread{'s' if counts[i] > 1 else ''}"
        every = (*early[i], *wall.tolist())
        rows.append(
            Latency(
                Path(paths[i]).name, device, median, "median", low, high, "p10 to p90", runs,
                init[i], every[0], float(np.median(cpu)), ratio, every,
            )
        )  # fmt: skip
    return rows


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
    figure, ax = figure_of(8, 0.8 + 0.5 * len(rows))
    places = np.arange(len(rows))
    ax.hlines(
        places, [row.low_ms for row in rows], [row.high_ms for row in rows],
        color="C5", linewidth=7, label="low to high",
    )  # fmt: skip
    for name, mark, colour in (("steady", "o", "C0"), ("first", "s", "C1"), ("init", "^", "C3")):
        points = [(getattr(row, f"{name}_ms"), place) for place, row in enumerate(rows)]
        points = [point for point in points if point[0]]
        if points:
            ax.plot(*zip(*points, strict=True), mark, color=colour, label=name)
    ax.set(yticks=places, yticklabels=names, ylim=(len(rows) - 0.4, -0.6), xscale="log")
    ax.set(xlabel="milliseconds")
    _write_plain_numbers(ax.xaxis)
    ax.grid(axis="x")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")
    return figure


def plot_start(rows: Sequence[Latency]) -> "Figure":
    """Draw the runs of each row one after the other, from the very first, behind its init."""
    figure, ax = figure_of(8, 3.2)
    for number, row in enumerate(rows):
        # Points: on a busy machine a line between them would be nothing but its interruptions.
        runs = np.arange(1, len(row.times_ms) + 1)
        ax.plot(runs, row.times_ms, ".", color=f"C{number}", label=row.file)
        ax.plot([0], [row.init_ms], "^", color=f"C{number}")
    ax.set(xlabel="run (the triangle at 0 is the init)", ylabel="milliseconds", yscale="log")
    _write_plain_numbers(ax.yaxis)
    ax.grid(axis="y")
    ax.legend(fontsize="small")
    return figure


def figure_of(width: float, height: float, panels: int = 1) -> tuple["Figure", Any]:
    """Return a figure that is closed for pyplot, and its axes."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, panels, figsize=(width, height), layout="constrained")
    plt.close(figure)
    return figure, axes


def _write_plain_numbers(axis: Any) -> None:
    """Write 0.5 and 20 beside a logarithmic axis instead of powers of ten."""
    from matplotlib.ticker import LogLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def _warm_up(engine: TFLiteEngine) -> list[float]:
    """Fill a model's inputs with noise and return the times of its first runs."""
    rng = np.random.default_rng(0)
    details = engine.interpreter.get_input_details()
    for tensor, one in zip(engine.inputs, details, strict=True):
        noise = tensor.encode(rng.uniform(0, 255, one["shape"]))
        engine.interpreter.set_tensor(one["index"], noise)
    try:
        return take_turns([engine.interpreter.invoke], 1 + WARM_UP)[0, :, 0].tolist()
    except RuntimeError as error:
        raise SeglibError(f"{engine.name} cannot be run ({one_line(error)})") from error
