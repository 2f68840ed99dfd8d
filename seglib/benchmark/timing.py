"""How long a `.tflite` takes, and how long beside another one.

Three times matter to a user: making the interpreter (once), the first frame (memory is touched,
kernels are packed) and the steady state. A machine that does other things slows down and speeds up
within seconds, so two models measured one after the other are not comparable. `compare` therefore
takes one run of each model in turn, in an order that rotates, and forms the ratio within each turn.
It forms it from processor time where one thread computes: a run of some milliseconds is more often
interrupted by other programs than a shorter one, and by the clock on the wall would look far worse.

What is measured is the interpreter's `invoke` on the CPU through LiteRT, without resizing the photo
or copying it in.

Chapter: measuring on the device.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seglib.errors import SeglibError
from seglib.metadata import check_tflite

WARM_UP = 5

# Windows counts processor time in steps of 16 ms, too coarse for one run.
_FINE_CPU_CLOCK = sys.platform != "win32"


@dataclass(frozen=True)
class Latency:
    """Times of one model in milliseconds.

    Attributes:
        file: name of the file.
        init_ms: making the interpreter and its memory.
        first_ms: the first run.
        median_ms, p10_ms, p90_ms, p99_ms: the runs after the warm-up.
        cpu_ms: median processor time of a run, which waiting for other programs does not count
            in; with several threads their sum.
        runs: number of those runs.
        threads: CPU threads.
        ratio: median over the turns of this model's time / the first model's time; 1 for the first.
            Processor time with one thread, time on the wall with more.
        times_ms: every run in order: the first one, `WARM_UP` more, then the measured ones.
    """

    file: str
    init_ms: float
    first_ms: float
    median_ms: float
    p10_ms: float
    p90_ms: float
    p99_ms: float
    cpu_ms: float
    runs: int
    threads: int
    ratio: float = 1.0
    times_ms: tuple[float, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Comparison:
    """Several models measured turn by turn; the first one is what the others are compared with."""

    rows: tuple[Latency, ...]

    def table(self) -> str:
        """Return the comparison as a Markdown table, times in milliseconds."""
        lines = [
            "| file | threads | init | first | median | p10 | p90 | p99 | CPU | ratio |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {row.file} | {row.threads} | {row.init_ms:.1f} | {row.first_ms:.2f} "
            f"| {row.median_ms:.2f} | {row.p10_ms:.2f} | {row.p90_ms:.2f} | {row.p99_ms:.2f} "
            f"| {row.cpu_ms:.2f} | {row.ratio:.2f} |"
            for row in self.rows
        ]
        return "\n".join(lines)


def benchmark(path: str | Path, runs: int = 100, threads: int = 1) -> Latency:
    """Measure one `.tflite` file.

    Args:
        path: the model; its inputs are filled with random values of their own type.
        runs: measured runs after the warm-up, at least 1.
        threads: CPU threads, at least 1. More are often slower for networks this small.

    Raises:
        SeglibError: the file is missing, is no TFLite model or cannot be run; or an argument is
            below 1.
    """
    return compare([path], runs, threads).rows[0]


def compare(
    paths: Sequence[str | Path], runs: int = 100, threads: int | Sequence[int] = 1
) -> Comparison:
    """Measure several `.tflite` files turn by turn, so that their ratios hold on a busy machine.

    Args:
        paths: the models; ratios are to the first of them.
        runs: turns after the warm-up, at least 1.
        threads: CPU threads, at least 1: one number for all, or one for each path. The same path
            may be given several times.

    Raises:
        SeglibError: see `benchmark`, or no path is given, or not as many threads as paths.
    """
    if not paths or isinstance(paths, (str, Path)):
        raise SeglibError("compare needs a list of .tflite files, the one to compare with first")
    counts = [threads] * len(paths) if isinstance(threads, int) else list(threads)
    if len(counts) != len(paths):
        raise SeglibError(f"{len(paths)} files and {len(counts)} threads; give one for each file")
    if runs < 1 or min(counts) < 1:
        raise SeglibError(f"runs ({runs}) and threads ({threads}) must be at least 1")
    models = [_Model(Path(path), count) for path, count in zip(paths, counts, strict=True)]
    for model in models:
        model.early_ms += [model.invoke()[0] for _ in range(WARM_UP)]
    wall, cpu = np.empty((2, runs, len(models)))
    for turn in range(runs):
        for position in range(len(models)):
            # The model that comes after a large one finds the cache emptied: share that out.
            index = (turn + position) % len(models)
            wall[turn, index], cpu[turn, index] = models[index].invoke()
    times = cpu if max(counts) == 1 and _FINE_CPU_CLOCK else wall
    ratios = np.median(times / times[:, :1], axis=0)
    p10, median, p90, p99 = np.percentile(wall, [10, 50, 90, 99], axis=0)
    return Comparison(
        tuple(
            Latency(
                file=model.path.name,
                init_ms=model.init_ms,
                first_ms=model.early_ms[0],
                median_ms=float(median[i]),
                p10_ms=float(p10[i]),
                p90_ms=float(p90[i]),
                p99_ms=float(p99[i]),
                cpu_ms=float(np.median(cpu[:, i])),
                runs=runs,
                threads=counts[i],
                ratio=float(ratios[i]),
                times_ms=(*model.early_ms, *(float(ms) for ms in wall[:, i])),
            )
            for i, model in enumerate(models)
        )
    )


class _Model:
    """An interpreter with filled inputs and its own stop-watch."""

    def __init__(self, path: Path, threads: int) -> None:
        content = check_tflite(path)
        # Imported before the watch starts: loading the library is not the model's time.
        from ai_edge_litert.interpreter import Interpreter

        self.path = path
        try:
            start = time.perf_counter()
            self.interpreter = Interpreter(model_content=content, num_threads=threads)
            self.interpreter.allocate_tensors()
            self.init_ms = (time.perf_counter() - start) * 1000
            self._fill()
            self.early_ms = [self.invoke()[0]]
        except (ValueError, RuntimeError) as error:
            raise SeglibError(
                f"{path} cannot be run ({' '.join(str(error).split())[:200]}); "
                "give a model which LiteRT runs"
            ) from error

    def invoke(self) -> tuple[float, float]:
        """Run once and return the milliseconds it took: on the wall, and of the processor."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.interpreter.invoke()
        return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000

    def _fill(self) -> None:
        rng = np.random.default_rng(0)
        for tensor in self.interpreter.get_input_details():
            dtype = np.dtype(tensor["dtype"])
            if dtype.kind == "f":
                values = rng.uniform(0, 1, tensor["shape"])
            else:
                limits = np.iinfo(dtype)
                values = rng.integers(limits.min, limits.max, tensor["shape"], endpoint=True)
            self.interpreter.set_tensor(tensor["index"], values.astype(dtype))
