"""Does the exported file still give the model's masks? One table for every format and backend.

Three numbers say how far apart the masks of a file and of the Keras model are: the largest
difference catches a single wrong pixel, the mean tells rounding from damage, and the agreement of
the thresholded masks tells what a user would see. What cannot be run here is listed with the
reason; what is broken fails.

Chapters: TFLite conversion; Core ML conversion.
"""

import functools
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from seglib.errors import SeglibError
from seglib.export.audit import Op, ops, run_gpu
from seglib.export.convert import TARGETS, convert, target_named
from seglib.export.converters import Unavailable, difference
from seglib.export.coreml_run import Program
from seglib.export.graph import Reading, exportable
from seglib.metrics import iou
from seglib.runtime.engines import KerasEngine, TFLiteEngine, open_engine, run_images
from seglib.runtime.reading import checked_reading, model_input

if TYPE_CHECKING:
    import keras

NAN = float("nan")

# What runs a file, by what its name ends in, and how many threads that is told to take.
_BACKENDS = {
    ".tflite": {"XNNPACK, 1 thread": 1, "XNNPACK, 2 threads": 2, "no delegate, 1 thread": 1},
    ".mlpackage": {"re-executed": 0},
    ".mlmodel": {"re-executed": 0},
    ".onnx": {"ONNX Runtime, 1 thread": 1, "ONNX Runtime, 2 threads": 2},
    ".param": {"ncnn, 1 thread": 1, "ncnn, 2 threads": 2},
    ".pb": {"TensorFlow": 0},
    "saved_model.pb": {"TensorFlow": 0},
}
_BASE = ("XNNPACK, 1 thread", "float32")  # what times are compared with

Run = Callable[[np.ndarray, dict[str, Any]], np.ndarray]


class Threshold(NamedTuple):
    """What a precision may cost."""

    max_diff: float  # of a probability
    mean_diff: float
    iou_agreement: float  # between the masks of both, each cut at 0.5


# Quantised masks may differ fully in single pixels at an edge, so their maximum is not bounded.
THRESHOLDS = {
    "float32": Threshold(max_diff=1e-3, mean_diff=1e-5, iou_agreement=0.9999),
    "float16": Threshold(max_diff=0.1, mean_diff=5e-3, iou_agreement=0.99),
    **dict.fromkeys(("dynamic", "int8-weights"), Threshold(1.0, 0.01, 0.98)),
    **dict.fromkeys(("int8", "palettised"), Threshold(1.0, 0.02, 0.96)),
}


@dataclass(frozen=True)
class ParityRow:
    """One file in one backend, beside the Keras model; numbers that do not exist are NaN."""

    target: str  # key of `TARGETS`, or the name of a file that was given
    backend: str  # what ran it, for example "XNNPACK, 1 thread"
    precision: str = ""  # a key of `THRESHOLDS`, of a `.tflite` as its operations show it
    kib: float = NAN  # size of what an app carries
    max_diff: float = NAN  # absolute differences of probabilities to Keras
    mean_diff: float = NAN
    iou_agreement: float = NAN  # of both masks cut at 0.5, over all pictures together
    task_iou: float = NAN  # mean IoU with the true masks
    ratio: float = NAN  # time of one picture / that of the float32 `.tflite` on one thread
    problem: str = ""  # what is wrong with the file
    skipped: str = ""  # why it was not run

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it; a row that was skipped is no failure."""
        return not self.problem


@dataclass(frozen=True)
class Parity:
    """The rows of a comparison, and the task IoU of the Keras model itself."""

    rows: tuple[ParityRow, ...]
    task_iou: float = NAN

    @property
    def ok(self) -> bool:
        """Whether every file that was run is within its thresholds."""
        return all(row.ok for row in self.rows)

    def check(self) -> None:
        """Do nothing where every file is fine; else name each broken one and what is wrong."""
        broken = [f"{r.target} with {r.backend} ({r.problem})" for r in self.rows if not r.ok]
        if broken:
            raise SeglibError(f"exports unlike the Keras model: {'; '.join(broken)}")

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as dicts that JSON can hold: numbers that do not exist are None."""
        rows = map(asdict, self.rows)
        return [{key: v if v == v else None for key, v in row.items()} for row in rows]

    def table(self) -> str:
        """Return a Markdown table, skipped rows with their reason at its end."""
        lines = [
            "| file | run by | precision | KiB | max. difference | mean difference "
            "| agreement (IoU) | IoU with the truth | time | verdict |",
            "|---|---|---|---:|---:|---:|---:|---:|---:|---|",
        ]
        if not np.isnan(self.task_iou):
            lines.append(f"| the model | Keras |  |  |  |  |  | {self.task_iou:.4f} |  |  |")
        for row in sorted(self.rows, key=lambda row: bool(row.skipped)):
            verdict = "as the model" if row.ok else f"**{row.problem}**"
            numbers = (
                f"{row.kib:.0f}", f"{row.max_diff:.2g}", f"{row.mean_diff:.2g}",
                f"{row.iou_agreement:.4f}", f"{row.task_iou:.4f}", f"{row.ratio:.2f}",
            )  # fmt: skip
            shown = ("" if number == "nan" else number for number in numbers)
            verdict = f"not run: {row.skipped}" if row.skipped else verdict
            cells = (row.target, row.backend, row.precision, *shown, verdict)
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)


class Backend(NamedTuple):
    """One way to run one file."""

    name: str  # what runs it and how
    threads: int  # of the CPU, 0 where the backend chooses
    # Loads the file and returns a function from uint8 RGB images (N, H, W, 3), and how the model
    # reads them (`seglib.runtime.reading`), to masks (N, ...).
    open: Callable[[], Run]


def parity(
    model: "keras.Model",
    files: Sequence[str | Path] | str | Path,
    images: np.ndarray,
    **reading: Unpack[Reading],
) -> Parity:
    """Compare exported files with the Keras model that they were made from.

    Args:
        model: the Keras model. To one that reads the mask of the frame before, the pictures are a
            film.
        files: of any format, from any converter. Each is run by one backend, see `matrix` for all
            of them; Core ML files are executed again, on any system.
        images: uint8 RGB (N, H, W, 3) of the model's size; 8 to 32 real pictures are a good choice.
        reading: what was given to the exporter, where the files do not record it.

    Returns:
        One row per file. A broken file makes `ok` false and never passes for rounding.
    """
    paths = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
    known = _Expected(model, images, reading)
    return Parity(tuple(_row(path.name, path, backends(path)[0], known) for path in paths))


def matrix(
    model: "keras.Model",
    images: np.ndarray,
    masks: np.ndarray | None = None,
    representative: Any = None,
    targets: Sequence[str] | None = None,
    files: Sequence[str | Path] = (),
    folder: str | Path | None = None,
    turns: int = 20,
    gpu: bool = True,
    progress: Callable[[str], object] = str,
    **reading: Unpack[Reading],
) -> Parity:
    """Export a model to every target, run every file in every backend and compare it with Keras.

    Args:
        model, images, reading: as in `parity`.
        masks: the true masks, uint8 or float (N, h, w) of the mask's size, for one channel.
        representative: pictures for the int8 targets; by default `images`, whose masks int8 then
            knows better than those of new pictures.
        targets: keys of `TARGETS` to make; all by default.
        files: further files, which exist already.
        folder: where to keep what is made; by default it is deleted.
        turns: of the stop-watch, 0 for none.
        gpu: ask LiteRT's GPU accelerator too, where there is a Vulkan device.
        progress: called with the name of each target.
    """
    known = _Expected(model, images, reading, masks)
    given = {"representative": images if representative is None else representative}
    rows: list[ParityRow] = []
    timed: list[tuple[int, Backend]] = []

    def failed(target: str, backend: str, error: SeglibError) -> ParityRow:
        kind = "skipped" if isinstance(error, Unavailable) else "problem"
        return ParityRow(target, backend, **{kind: str(error)})

    with tempfile.TemporaryDirectory() as temporary:
        made = []
        for target in TARGETS if targets is None else targets:
            progress(target)
            chosen = target_named(target)
            path = Path(folder or temporary) / f"{target}{chosen.suffix}"
            options = {key: value for key, value in given.items() if key in chosen.options}
            try:
                made.append((target, convert(model, target, path, **options, **reading)))
            except SeglibError as error:
                rows.append(failed(target, "", error))
        for name, path in [*made, *((Path(file).name, Path(file)) for file in files)]:
            for backend in backends(path, gpu):
                try:
                    row = _row(name, path, backend, known)
                except SeglibError as error:
                    row = failed(name, backend.name, error)
                # On a busy machine ncnn's second thread is waited for, and not ncnn.
                says = backend.threads and backend.name != "ncnn, 2 threads"
                if says and row.ok and not row.skipped:
                    timed.append((len(rows), backend))
                rows.append(row)
        base = [n for n, (i, b) in enumerate(timed) if (b.name, rows[i].precision) == _BASE]
        if turns and base:
            ratios = _time_ratios([backend for _, backend in timed], base[0], known, turns)
            for (index, _), ratio in zip(timed, ratios, strict=True):
                rows[index] = replace(rows[index], ratio=ratio)
    return Parity(tuple(rows), known.task_iou(known.of({})[1]))


def backends(path: str | Path, gpu: bool = False) -> list[Backend]:
    """Return every backend for a file, here or not; with `gpu`, LiteRT's GPU accelerator too."""
    path = Path(path)
    kind = "saved_model.pb" if (path / "saved_model.pb").is_file() else path.suffix
    if kind not in _BACKENDS:
        raise SeglibError(
            f"{path} is no file that seglib can run; give a .tflite, .mlpackage, .mlmodel, .onnx, "
            ".ncnn.param or .pb file or a SavedModel folder"
        )
    chosen = _BACKENDS[kind] | ({"GPU": 0} if gpu and kind == ".tflite" else {})
    return [Backend(name, n, functools.partial(_open, path, name, n)) for name, n in chosen.items()]


def _precision(every: Sequence[Op]) -> str:
    """Return the precision of a `.tflite` as its operations show it."""
    if any(op.dtype == "int8" and op.name != "QUANTIZE" for op in every):
        return "int8"
    if any("int8" in op.inputs for op in every if op.name != "DEQUANTIZE"):
        return "dynamic"
    types = {kind for op in every for kind in op.inputs}
    return "int8-weights" if "int8" in types else "float16" if "float16" in types else "float32"


class _Expected:
    """The model's own masks of some pictures, computed once for each way to read them."""

    def __init__(
        self, model: "keras.Model", images: np.ndarray, reading: Reading,
        masks: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        self.stated: dict[str, Any] = {k: v for k, v in reading.items() if k != "size"}
        self.model = exportable(model, previous=True, size=reading.get("size"))
        self.images, self._known = np.asarray(images), {}
        wanted = tuple(self.model.inputs[0].shape[1:])
        if self.images.dtype != np.uint8 or self.images.shape[1:] != wanted or not len(images):
            raise SeglibError(
                f"parity needs uint8 pictures (N, {', '.join(map(str, wanted))}), "
                f"not {self.images.dtype} of shape {self.images.shape}"
            )
        shape = (len(images), *self.model.outputs[0].shape[1:])
        self.truths = None if masks is None else np.asarray(masks)
        if masks is not None and (shape[3] != 1 or self.truths.shape not in (shape, shape[:3])):
            raise SeglibError(
                f"the true masks have the shape {self.truths.shape}, the model's {shape}; give one "
                "mask of that size for each picture, for a model with one output channel"
            )

    def of(self, metadata: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """How a file reads a picture, as stated or as it records, and the masks it should give."""
        said = {**metadata, **self.stated}
        reading = checked_reading(said, f"the model {self.model.name}")
        key = json.dumps([reading, said.get("activation")])
        if key not in self._known:
            model = exportable(self.model, previous=True, activation=said.get("activation"))
            masks = run_images(KerasEngine(model), model_input(self.images, reading))
            if not np.isfinite(masks).all():
                raise SeglibError(f"the model {model.name} itself gives NaN: nothing to compare")
            self._known[key] = masks
        return reading, self._known[key]

    def task_iou(self, found: np.ndarray) -> float:
        """The mean IoU of masks (N, H, W, 1) with the true ones."""
        if self.truths is None:
            return NAN
        truths = self.truths.reshape(found.shape[:3])
        truths = truths / np.float32(255) if truths.dtype == np.uint8 else truths
        pairs = zip(found[..., 0].clip(0, 1), truths, strict=True)
        return float(np.mean([iou(mask, truth) for mask, truth in pairs]))


def _row(name: str, path: Path, backend: Backend, known: _Expected) -> ParityRow:
    """Run a file in one backend and say how far its masks are from the model's."""
    engine = open_engine(path)
    # A Core ML file may do the reading itself; what it records is how the model reads.
    recorded = getattr(engine, "recorded", engine.metadata) or {}
    reading, expected = known.of(recorded)
    more = [path.with_suffix(".bin")] if path.suffix == ".param" else path.rglob("*")
    kib = sum(file.stat().st_size for file in (path, *more) if file.is_file()) / 1024
    every = ops(path) if path.suffix == ".tflite" else []
    precision = getattr(engine, "precision", recorded.get("precision", "float32"))
    row = ParityRow(name, backend.name, _precision(every) if every else precision, kib)
    if any(op.name == "VAR_HANDLE" for op in every):
        return replace(row, problem="its weights are missing: it reads variables it does not hold")
    masks = backend.open()(known.images, reading)
    if problem := difference(masks, expected):
        return replace(row, problem=problem)
    masks = masks.reshape(expected.shape)
    gaps = np.abs(masks - expected)
    worst, mean, limit = float(gaps.max()), float(gaps.mean()), THRESHOLDS[row.precision]
    ours, theirs = masks >= 0.5, expected >= 0.5
    union = np.count_nonzero(ours | theirs)
    agreement = np.count_nonzero(ours & theirs) / union if union else 1.0
    if agreement < limit.iou_agreement:
        problem = f"agreement {agreement:.4f} below {limit.iou_agreement:g}"
    for what, gap, most in (("mean", mean, limit.mean_diff), ("max.", worst, limit.max_diff)):
        problem = f"{what} difference {gap:.2g} above {most:g}" if gap > most else problem
    return replace(
        row, max_diff=worst, mean_diff=mean, iou_agreement=agreement, problem=problem,
        task_iou=known.task_iou(masks),
    )  # fmt: skip


def _open(path: Path, name: str, threads: int) -> Run:
    if name == "GPU":
        return functools.partial(_run_gpu, path)
    if name == "re-executed":
        program = Program(path)
        return lambda images, reading: program.masks(images)
    plain = name.startswith("no delegate")
    engine = TFLiteEngine(path, delegate=False) if plain else open_engine(path, max(threads, 1))
    return lambda images, reading: run_images(engine, model_input(images, reading))


def _run_gpu(path: Path, images: np.ndarray, reading: dict[str, Any]) -> np.ndarray:
    if ops(path)[0].inputs[0] == "int8":
        raise Unavailable("its input is int8, and the accelerator is fed floats here")
    found = run_gpu(path, model_input(images, reading))
    if found.masks is None:
        raise Unavailable(f"the GPU accelerator refuses it: {'; '.join(found.refusals)}")
    return found.masks


def _time_ratios(chosen: Sequence[Backend], base: int, known: _Expected, turns: int) -> list[float]:
    """Return times relative to the base's: of the processor with one thread, else of the wall."""
    reading = known.of({})[0]
    runs = [backend.open() for backend in chosen]
    took = np.empty((turns, len(runs), 2))
    for turn in range(-1, turns):  # the first one warms up
        image = known.images[turn % len(known.images)][None]
        # Who comes after a large model finds the cache emptied: share that out.
        for index in np.roll(range(len(runs)), -turn):
            start = np.array([time.perf_counter(), time.process_time()])
            runs[index](image, reading)
            took[turn, index] = [time.perf_counter(), time.process_time()] - start
    ratios = np.median(took / took[:, [base]], axis=0)
    return [float(ratios[i, int(backend.threads == 1)]) for i, backend in enumerate(chosen)]
