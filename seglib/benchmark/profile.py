"""Which operations the time goes to: profiled here, or read from a phone's file.

The Python interface of LiteRT 2.3 has no profiler, but the library behind it has. The C functions
are declared nowhere in the wheel and their arguments have changed between versions, so `profile`
asks for exactly the version that they were tried with, and calls them in a process of its own: a
wrong guess would end that process and not the caller's. It takes the median over the runs, so that
one interruption does not make an innocent operation look slow; phones' tools have averaged.
"""

import csv
import ctypes
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.benchmark.phone import read_log
from seglib.benchmark.timing import figure_of
from seglib.errors import SeglibError
from seglib.export.audit import ops
from seglib.metadata import check_tflite

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KNOWN_VERSION = "2.3.0"
_WARM_UP = 10
_CPU = 1  # the bit of `HardwareAccelerator.CPU`
_WRITE = 1  # the lock mode that lets a buffer be filled
_KERNEL, _DELEGATE = 2, 8  # event types: an operation's own kernel, and one inside a delegate

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
    """Time every operation of a `.tflite` file, fed with noise, on this machine's CPU.

    Args:
        path: the model.
        runs: profiled runs after the warm-up, at least 1.
        threads: CPU threads, at least 1.
        timeout: seconds after which it is given up.
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
        command = [sys.executable, "-c", f"from {__name__} import _record; _record()"]
        command += map(str, (path, runs, threads, result))
        try:
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", timeout=timeout
            )
            events = json.loads(result.read_text(encoding="utf-8"))
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            late = isinstance(error, subprocess.TimeoutExpired)
            said = [f"no answer in {timeout:g} s"] if late else done.stderr.strip().splitlines()
            reason = (said or ["no reason given"])[-1]
            raise SeglibError(
                f"{path} cannot be profiled ({reason}); time the whole file with `benchmark`"
            ) from error
    # A run whose log is cut short would shift every operation behind the gap.
    whole = [run for run in events if len(run) == max(map(len, events))]
    times = np.median([[us for _, _, us in run] for run in whole], axis=0) / 1000
    shapes = _shapes([kind for kind, _, _ in whole[0]], [(op.name, op.shape) for op in ops(path)])
    rows = zip(whole[0], times.tolist(), shapes, strict=True)
    found = tuple(OpTime(kind, ms, ran, shape) for (kind, ran, _), ms, shape in rows)
    return Profile(path.name, found)


def read_profile(path: str | Path) -> Profile:
    """Read the operations from what a phone's `benchmark_model` wrote, as text or as CSV.

    The text is what `--enable_op_profiling=true` prints, the CSV what
    `--op_profiling_output_mode=csv` (earlier: `--profiling_output_csv_file`) writes.
    """
    # The last table of that name: an earlier one is that of the initialisation.
    lines = read_log(path).rpartition("= Run Order =")[2].splitlines()[1:] or [""]
    columns = (re.split(r"\t\s*|\s{2,}", line.strip()) for line in lines)
    cells = csv.reader(lines, skipinitialspace=True) if "," in lines[0] else columns
    names = [re.sub(r"[\[\]]", "", cell).replace("_", " ") for cell in next(cells)]
    found = []
    for row in cells:
        told = dict(zip(names, row, strict=False))
        if "avg ms" not in told:
            break
        found.append(OpTime(told["node type"].removeprefix("Delegate/"), float(told["avg ms"])))
    if not found:
        raise SeglibError(
            f"{path} holds no table named Run Order; run benchmark_model with "
            "--enable_op_profiling=true"
        )
    return Profile(Path(path).name, tuple(found))


def plot_profile(profile: Profile, most: int = 6) -> "Figure":
    """Draw a profile: what the kinds take in all, and each operation in the order they run.

    Args:
        profile: of `profile` or `read_profile`.
        most: kinds that get a colour of their own; the others are drawn together.
    """
    figure, (left, right) = figure_of(9.5, 3.4, 2)
    kinds = list(profile.by_kind().items())
    colours = {kind: f"C{number}" for number, (kind, _) in enumerate(kinds[:most])}
    bars = [(f"{kind} ({count})", ms, colours[kind]) for kind, (count, ms) in kinds[:most]]
    if len(kinds) > most:
        bars.append(("all others", sum(ms for _, (_, ms) in kinds[most:]), "#999999"))
    names, times, shades = zip(*bars, strict=True)
    left.barh(names[::-1], times[::-1], color=shades[::-1])
    left.tick_params(axis="y", labelsize="small")
    left.set(xlabel="milliseconds in all")
    shades = [colours.get(op.kind, "#999999") for op in profile.ops]
    right.bar(range(len(profile.ops)), [op.ms for op in profile.ops], width=1, color=shades)
    right.set(xlabel="operation, in the order they run", ylabel="milliseconds")
    return figure


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


# What follows is done in the other process.

# An opaque option frees its payload by this; ours belongs to Python, so nothing is freed.
_keep = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _pointer: None)


class _Event(ctypes.Structure):
    """One entry of the profiler's log, as `LiteRtGetProfilerEvents` fills it in 2.3.0."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_uint64),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory_and_origin", ctypes.c_uint64 * 9),
    )


def _record() -> None:
    """Write each run's operations into a file: name, whether a delegate ran it, microseconds."""
    path, runs, threads, result = sys.argv[1:]
    environment = _get("CreateEnvironment", 0, None)
    model = _get("CreateModelFromFile", environment, path.encode())
    options = _get("CreateOptions")
    _call("SetOptionsHardwareAccelerators", options, _CPU)
    payloads = []  # the library reads them later: they must live as long as it does
    for name, text in (
        (b"runtime_options_string", "enable_profiling = true\n"),
        (b"xnnpack", f"num_threads = {threads}\n"),
    ):
        payloads.append(ctypes.create_string_buffer(text.encode()))
        option = _get("CreateOpaqueOptions", name, payloads[-1], _keep)
        _call("AddOpaqueOptions", options, option)
    compiled = _get("CreateCompiledModel", environment, model, options)
    signature = _get("GetModelSignature", model, 0)
    given, found = (_buffers(environment, compiled, signature, s) for s in ("Input", "Output"))
    for buffer in given:
        _fill(ctypes.c_void_p(buffer))
    profiler = _get("CompiledModelGetProfiler", compiled)
    logs = []
    for _ in range(_WARM_UP + int(runs)):
        _call("ResetProfiler", profiler)
        _call("StartProfiler", profiler)
        _call("RunCompiledModel", compiled, 0, len(given), given, len(found), found)
        _call("StopProfiler", profiler)
        logs.append(_log(profiler))
    Path(result).write_text(json.dumps(logs[_WARM_UP:]), encoding="utf-8")


def _call(name: str, *arguments: Any) -> None:
    """Call a function, which returns a status; Python's integers go as sizes."""
    import ai_edge_litert

    library = ctypes.CDLL(str(Path(ai_edge_litert.__file__).with_name("libLiteRt.so")))
    sizes = (ctypes.c_size_t(one) if isinstance(one, int) else one for one in arguments)
    status = getattr(library, f"LiteRt{name}")(*sizes)
    if status:
        sys.exit(f"LiteRt{name} gave status {status}")


def _get(name: str, *arguments: Any, kind: type = ctypes.c_void_p) -> Any:
    """Call a function that hands back what it made through its last argument."""
    made = kind()
    _call(name, *arguments, ctypes.byref(made))
    return made


def _log(profiler: Any) -> list[tuple[str, bool, int]]:
    count = _get("GetNumProfilerEvents", profiler, kind=ctypes.c_int)
    found = (_Event * count.value)()
    _call("GetProfilerEvents", profiler, count, found)
    return [
        ((event.tag or b"").decode(errors="replace"), kind == _DELEGATE, event.elapsed_us)
        for event in found
        # The upper half of the field is not written.
        if (kind := event.kind & 0xFFFFFFFF) in (_KERNEL, _DELEGATE)
    ]


def _buffers(environment: Any, compiled: Any, signature: Any, side: str) -> Any:
    made = []
    for index in range(_get(f"GetNumSignature{side}s", signature, kind=ctypes.c_size_t).value):
        tensor = _get(f"GetSignature{side}TensorByIndex", signature, index)
        tensor_type = ctypes.create_string_buffer(512)  # more than the structure of any version
        _call("GetRankedTensorType", tensor, tensor_type)
        needs = _get(f"GetCompiledModel{side}BufferRequirements", compiled, 0, index)
        made.append(
            _get("CreateManagedTensorBufferFromRequirements", environment, tensor_type, needs)
        )
    return (ctypes.c_void_p * len(made))(*made)


def _fill(buffer: Any) -> None:
    """Fill an input with noise: zeros can be faster than what a camera gives."""
    size = _get("GetTensorBufferPackedSize", buffer, kind=ctypes.c_size_t).value
    place = ctypes.c_void_p()
    _call("LockTensorBuffer", buffer, ctypes.byref(place), _WRITE)
    # Float32 noise of 0..255 fits every float input, and its bytes are valid integers too.
    noise = np.random.default_rng(0).random(size // 4 + 1, np.float32) * np.float32(255)
    ctypes.memmove(place, noise.tobytes(), size)
    _call("UnlockTensorBuffer", buffer)
