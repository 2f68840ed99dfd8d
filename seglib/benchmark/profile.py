"""Which operations the time goes to: profiled here, or read from a phone's file.

`profile` asks LiteRT's own profiler after each run and takes the median of every operation, so that
one interruption by another program does not make an innocent operation look slow. `read_profile`
reads what TensorFlow Lite's `benchmark_model --enable_op_profiling=true` prints on a phone, as text
or as CSV; there the tool has averaged already.

Source of the two layouts: tensorflow/lite/tools/benchmark/README.md and StatsCalculator, which
writes them.

Chapter: measuring on the device.
"""

import csv
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np

from seglib.benchmark import _litert
from seglib.errors import SeglibError
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
        return self._grouped(
            lambda op: f"{op.shape[1]} x {op.shape[2]}" if len(op.shape) == 4 else ""
        )

    def table(self) -> str:
        """Return the kinds as a Markdown table, slowest first."""
        lines = ["| kind | operations | ms | share |", "|---|---:|---:|---:|"]
        for kind, (count, ms) in self.by_kind().items():
            lines.append(f"| {kind} | {count} | {ms:.3f} | {ms / max(self.total_ms, 1e-9):.0%} |")
        return "\n".join(lines)

    def _grouped(self, key) -> dict[str, tuple[int, float]]:
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

    Raises:
        SeglibError: the file is missing or no model, another version of `ai-edge-litert` is
            installed than the one whose profiler is known, or the profiler fails.
    """
    path = Path(path)
    check_tflite(path)
    if runs < 1 or threads < 1:
        raise SeglibError(f"runs ({runs}) and threads ({threads}) must be at least 1")
    _check_version()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "events.json")
        command = [sys.executable, "-m", "seglib.benchmark._litert"]
        command += [str(path), str(runs), str(threads), str(result)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=timeout
            )
        except subprocess.TimeoutExpired as error:
            raise SeglibError(
                f"{path}: the profiler gave no answer in {timeout:g} s; allow it more time or "
                "fewer runs"
            ) from error
        if done.returncode or not result.exists():
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise SeglibError(
                f"{path} cannot be profiled ({reason}); time the whole file with `benchmark`"
            )
        runs_of_ops = json.loads(result.read_text(encoding="utf-8"))
    return Profile(path.name, tuple(_medians(runs_of_ops, path)))


def read_profile(path: str | Path) -> Profile:
    """Read the operations from what a phone's `benchmark_model` wrote, as text or as CSV.

    The text is what `--enable_op_profiling=true` prints, the CSV what
    `--op_profiling_output_mode=csv` (earlier: `--profiling_output_csv_file`) writes. The last table
    named "Run Order" is taken: an earlier one is that of the initialisation.

    Raises:
        SeglibError: the file cannot be read or holds no such table.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise SeglibError(f"cannot read {path} ({error.strerror}); give a phone's file") from error
    starts = [i for i, line in enumerate(lines) if re.search(r"=+ Run Order =+", line)]
    ops = tuple(_rows(lines[starts[-1] + 1 :])) if starts else ()
    if not ops:
        raise SeglibError(
            f"{path} holds no table named Run Order; run benchmark_model with "
            "--enable_op_profiling=true"
        )
    return Profile(path.name, ops)


def _check_version() -> None:
    try:
        found = metadata.version("ai-edge-litert")
    except metadata.PackageNotFoundError:
        found = "none"
    if found != _litert.KNOWN_VERSION or not sys.platform.startswith("linux"):
        raise SeglibError(
            f"profiling operations is known to work with ai-edge-litert {_litert.KNOWN_VERSION} on "
            f"Linux, and here is {found} on {sys.platform}; install that version, or time whole "
            "files with `benchmark`"
        )


def _medians(runs: list[list], path: Path) -> Iterator[OpTime]:
    from seglib.export.audit import ops

    # A run whose log is cut short would shift every operation behind the gap.
    length = max(len(run) for run in runs)
    whole = [run for run in runs if len(run) == length]
    times = np.median([[us for _, _, us in run] for run in whole], axis=0) / 1000
    kinds = [kind for kind, _, _ in whole[0]]
    named = [op for op in ops(path)]
    shapes = _shapes(kinds, [(op.name, op.shape) for op in named])
    for (kind, delegated, _), ms, shape in zip(whole[0], times, shapes, strict=True):
        yield OpTime(kind, float(ms), delegated, shape)


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


def _rows(lines: list[str]) -> Iterator[OpTime]:
    header: list[str] | None = None
    for line in lines:
        if header is None:
            comma = "," in line
            cells = _cells(line, comma)
            names = [re.sub(r"[\[\]]", "", cell).replace("_", " ").lower() for cell in cells]
            if names and names[0] == "node type" and "avg ms" in names:
                header = names
            continue
        cells = _cells(line, comma)
        if len(cells) < len(header) - 1:
            return
        row = dict(zip(header, cells, strict=False))
        kind = row["node type"].strip('"')
        yield OpTime(kind.removeprefix("Delegate/"), float(row["avg ms"]))


def _cells(line: str, comma: bool) -> list[str]:
    if comma:
        return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True), [])]
    return re.split(r"\t\s*|\s{2,}", line.strip())
