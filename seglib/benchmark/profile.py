"""Which operations the time goes to: profiled here, or read from a phone's file.

`profile` asks LiteRT's own profiler after each run and takes the median of every operation, so that
one interruption by another program does not make an innocent operation look slow. `read_profile`
reads what TensorFlow Lite's `benchmark_model --enable_op_profiling=true` prints on a phone; there
the tool has averaged already (tensorflow/lite/tools/benchmark/README.md, StatsCalculator).

Chapter: measuring on the device.
"""

import csv
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np

from seglib.benchmark._litert import KNOWN_VERSION
from seglib.benchmark.phone import read_log
from seglib.errors import SeglibError
from seglib.export.audit import ops
from seglib.metadata import check_tflite

# How XNNPACK names what a file calls otherwise; operations of other names keep their shapes empty.
_MEANT = {
    "IGEMM": ("CONV_2D", "TRANSPOSE_CONV"),
    "GEMM": ("CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"),
    "DWConv": ("DEPTHWISE_CONV_2D",),
    "Resize Bilinear": ("RESIZE_BILINEAR",),
    "Sigmoid": ("LOGISTIC",),
    "Add": ("ADD",),
    "Multiply": ("MUL",),
    "Copy": ("CONCATENATION", "RESHAPE"),
}


@dataclass(frozen=True)
class OpTime:
    """The time of one operation.

    Attributes:
        kind: what it is, such as "Convolution (NHWC, F32) DWConv" or "CONV_2D".
        ms: milliseconds of a run: the median over runs, or a phone tool's average.
        delegated: whether a delegate ran it; None where a file does not say.
        shape: shape of its output, or () where it is not known.
    """

    kind: str
    ms: float
    delegated: bool | None = None
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Profile:
    """The operations of one model in the order they run."""

    file: str
    ops: tuple[OpTime, ...]

    @property
    def total_ms(self) -> float:
        """The sum over all operations, in milliseconds."""
        return sum(op.ms for op in self.ops)

    @property
    def pieces(self) -> int:
        """How many runs of operations went to a delegate; between two of them LiteRT takes over.

        Each change of hands has a price. 0 where no delegate ran, or a file does not say.
        """
        ran = [bool(op.delegated) for op in self.ops]
        return sum(now and not before for before, now in pairwise([False, *ran]))

    @property
    def own_ms(self) -> float:
        """Milliseconds of the operations that no delegate took."""
        return sum(op.ms for op in self.ops if op.delegated is False)

    def by_kind(self) -> dict[str, tuple[int, float]]:
        """Return for each kind how many operations it has and their milliseconds, slowest first."""
        return self._grouped(lambda op: op.kind)

    def by_size(self) -> dict[str, tuple[int, float]]:
        """Return the same for each "height x width" of the outputs; "" where it is not known."""
        return self._grouped(lambda op: " x ".join(map(str, op.shape[1:3] * (len(op.shape) == 4))))

    def table(self) -> str:
        """Return the kinds as a Markdown table, slowest first."""
        lines = ["| kind | operations | ms | share |", "|---|---:|---:|---:|"]
        for kind, (count, ms) in self.by_kind().items():
            lines.append(f"| {kind} | {count} | {ms:.3f} | {ms / max(self.total_ms, 1e-9):.0%} |")
        return "\n".join(lines)

    def _grouped(self, key: Callable[[OpTime], str]) -> dict[str, tuple[int, float]]:
        groups: dict[str, list[float]] = defaultdict(list)
        for op in self.ops:
            groups[key(op)].append(op.ms)
        rows = sorted(groups.items(), key=lambda item: -sum(item[1]))
        return {name: (len(times), sum(times)) for name, times in rows}


def profile(path: str | Path, runs: int = 40, threads: int = 1, timeout: float = 120) -> Profile:
    """Time every operation of a `.tflite` file on this machine's CPU.

    Args:
        path: the model; its inputs are filled with noise.
        runs: profiled runs after the warm-up, at least 1.
        threads: CPU threads, at least 1.
        timeout: seconds.
    """
    path = Path(path)
    check_tflite(path)
    if runs < 1 or threads < 1:
        raise SeglibError(f"runs ({runs}) and threads ({threads}) must be at least 1")
    found = metadata.version("ai-edge-litert")
    if found != KNOWN_VERSION or not sys.platform.startswith("linux"):
        raise SeglibError(
            f"profiling operations is known to work with ai-edge-litert {KNOWN_VERSION} on Linux, "
            f"and here is {found} on {sys.platform}; install that version, or time whole files "
            "with `benchmark`"
        )
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "events.json")
        command = [sys.executable, "-m", "seglib.benchmark._litert"]
        command += map(str, (path, runs, threads, result))
        try:
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", timeout=timeout
            )
            events = json.loads(result.read_text(encoding="utf-8"))
        except subprocess.TimeoutExpired as error:
            raise SeglibError(
                f"{path}: the profiler gave no answer in {timeout:g} s; allow it more time or "
                "fewer runs"
            ) from error
        except (OSError, ValueError) as error:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise SeglibError(
                f"{path} cannot be profiled ({reason}); time the whole file with `benchmark`"
            ) from error
    # A run whose log is cut short would shift every operation behind the gap.
    whole = [run for run in events if len(run) == max(map(len, events))]
    times = np.median([[us for _, _, us in run] for run in whole], axis=0) / 1000
    shapes = _shapes([kind for kind, _, _ in whole[0]], [(op.name, op.shape) for op in ops(path)])
    rows = zip(whole[0], times.tolist(), shapes, strict=True)
    return Profile(
        path.name, tuple(OpTime(kind, ms, ran, shape) for (kind, ran, _), ms, shape in rows)
    )


def read_profile(path: str | Path) -> Profile:
    """Read the operations from what a phone's `benchmark_model` wrote, as text or as CSV.

    The text is what `--enable_op_profiling=true` prints, the CSV what
    `--op_profiling_output_mode=csv` (earlier: `--profiling_output_csv_file`) writes. The last table
    named "Run Order" is taken: an earlier one is that of the initialisation.
    """
    _, _, table = read_log(path).rpartition("= Run Order =")
    found = tuple(_rows(table.splitlines()[1:]))
    if not found:
        raise SeglibError(
            f"{path} holds no table named Run Order; run benchmark_model with "
            "--enable_op_profiling=true"
        )
    return Profile(Path(path).name, found)


def _rows(lines: list[str]) -> Iterator[OpTime]:
    if not lines:
        return
    columns = [re.split(r"\t\s*|\s{2,}", line.strip()) for line in lines]
    cells = list(csv.reader(lines, skipinitialspace=True)) if "," in lines[0] else columns
    names = [re.sub(r"[\[\]]", "", cell).replace("_", " ") for cell in cells[0]]
    for row in cells[1:]:
        told = dict(zip(names, row, strict=False))
        if "avg ms" not in told:
            return
        yield OpTime(told["node type"].removeprefix("Delegate/"), float(told["avg ms"]))


def _shapes(kinds: list[str], file: list[tuple[str, tuple[int, ...]]]) -> list[tuple[int, ...]]:
    """Walk down the file beside the profile; a reshape that costs nothing has no line there."""
    found: list[tuple[int, ...]] = []
    place = 0
    for kind in kinds:
        meant = next((names for part, names in _MEANT.items() if part in kind), (kind,))
        ahead = [i for i in range(place, len(file)) if file[i][0] in meant]
        skipped = {file[i][0] for i in range(place, ahead[0])} if ahead else {""}
        if skipped - {"RESHAPE", "DEQUANTIZE"}:
            found.append(())
            continue
        found.append(file[ahead[0]][1])
        place = ahead[0] + 1
    return found
