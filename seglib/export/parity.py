"""Does the exported file still give the model's masks? One table for every format and precision.

A conversion may fail without an error: weights lost, layers fused wrongly, values clipped. So every
file is run beside the Keras model on the same pictures, and three numbers say how far apart the
masks are. The largest difference catches a single wrong pixel; the mean tells rounding from damage;
the agreement of the thresholded masks tells what a user would see.

Chapter: TFLite conversion; Core ML conversion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seglib.errors import SeglibError
from seglib.export.coreml_run import Program
from seglib.export.graph import check_model, in_float32
from seglib.export.operations import ops
from seglib.export.proof import difference, own_masks
from seglib.export.ways import Way, ways

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Threshold:
    """What a precision may cost.

    Attributes:
        max_diff: largest absolute difference of a probability.
        mean_diff: mean absolute difference.
        iou_agreement: least IoU between the masks of both, each cut at 0.5.
    """

    max_diff: float
    mean_diff: float
    iou_agreement: float


# With this number ncnn marks weights that it keeps as float16.
_NCNN_FLOAT16 = (0x01306B47).to_bytes(4, "little")

# Quantised masks may differ fully in single pixels at an edge, so their maximum is not bounded.
THRESHOLDS = {
    "float32": Threshold(max_diff=1e-3, mean_diff=1e-5, iou_agreement=0.9999),
    "float16": Threshold(max_diff=0.1, mean_diff=5e-3, iou_agreement=0.99),
    "dynamic": Threshold(max_diff=1.0, mean_diff=0.01, iou_agreement=0.98),
    "int8": Threshold(max_diff=1.0, mean_diff=0.02, iou_agreement=0.96),
    "int8-weights": Threshold(max_diff=1.0, mean_diff=0.01, iou_agreement=0.98),
    "palettised": Threshold(max_diff=1.0, mean_diff=0.02, iou_agreement=0.96),
}


@dataclass(frozen=True)
class ParityRow:
    """One exported file beside the Keras model.

    Attributes:
        file: name of the file.
        format: "TFLite", "Core ML", "ONNX", "ncnn", "GraphDef" or "SavedModel".
        precision: as found in the file itself, a key of `THRESHOLDS`.
        kib: size in KiB.
        max_diff, mean_diff: absolute differences of probabilities; NaN where the file is broken.
        iou_agreement: IoU of both masks cut at 0.5, over all pictures together.
        problem: what is wrong, "" where the file is within its thresholds.
    """

    file: str
    format: str
    precision: str
    kib: float
    max_diff: float
    mean_diff: float
    iou_agreement: float
    problem: str

    @property
    def ok(self) -> bool:
        """Whether the file is within its thresholds."""
        return not self.problem


@dataclass(frozen=True)
class ParityReport:
    """The rows of a comparison, in the order the files were given."""

    rows: tuple[ParityRow, ...]

    @property
    def ok(self) -> bool:
        """Whether every file is within its thresholds."""
        return all(row.ok for row in self.rows)

    def check(self) -> None:
        """Do nothing where every file is fine.

        Raises:
            SeglibError: names each broken file and what is wrong with it.
        """
        broken = [f"{row.file} ({row.problem})" for row in self.rows if not row.ok]
        if broken:
            raise SeglibError(
                f"exports unlike the Keras model: {', '.join(broken)}; export them again"
            )

    def table(self) -> str:
        """Return the report as a Markdown table."""
        lines = [
            "| file | format | precision | KiB | max. difference | mean difference "
            "| agreement (IoU) | verdict |",
            "|---|---|---|---:|---:|---:|---:|---|",
        ]
        lines += [
            f"| {row.file} | {row.format} | {row.precision} | {row.kib:.0f} | {row.max_diff:.2g} "
            f"| {row.mean_diff:.2g} | {row.iou_agreement:.4f} "
            f"| {'as the model' if row.ok else f'**{row.problem}**'} |"
            for row in self.rows
        ]
        return "\n".join(lines)


def parity(
    model: "keras.Model", files: Sequence[str | Path] | str | Path, images: np.ndarray
) -> ParityReport:
    """Compare exported files with the Keras model that they were made from.

    Args:
        model: the Keras model, input (None, H, W, 3) of raw values. To one that reads the mask of
            the frame before, the pictures are a film.
        files: `.tflite`, `.mlpackage`, `.mlmodel`, `.onnx`, `.ncnn.param`, `.pb` and SavedModels,
            from any converter. Each is run in one way, see `seglib.export.matrix` for all of them;
            Core ML files are executed again by `run_coreml`, on any system.
        images: uint8 (N, H, W, 3) of the model's size; 8 to 32 real pictures are a good choice.

    Returns:
        One row per file. A broken file makes `ok` false and never passes for rounding.

    Raises:
        SeglibError: a file or the pictures cannot be used, or the Keras model itself gives NaN.
    """
    expected = expected_masks(model, images)
    files = [files] if isinstance(files, (str, Path)) else files
    images = np.asarray(images)
    return ParityReport(tuple(row(ways(file)[0], file, images, expected) for file in files))


def expected_masks(model: "keras.Model", images: np.ndarray) -> np.ndarray:
    """Return the Keras model's own masks (N, H, W, C) of uint8 images.

    Raises:
        SeglibError: the pictures do not fit the model, or it gives NaN.
    """
    input_shape, _ = check_model(model, previous=True)
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != input_shape or not len(images):
        raise SeglibError(
            f"parity needs uint8 pictures (N, {', '.join(map(str, input_shape))}), "
            f"not {images.dtype} of shape {images.shape}"
        )
    if len(model.inputs) == 2:
        expected = own_masks(in_float32(model), images.astype(np.float32))
    else:
        expected = in_float32(model).predict(images.astype(np.float32), verbose=0)
    if not np.isfinite(expected).all():
        raise SeglibError(f"the model {model.name} itself gives NaN; there is nothing to compare")
    return expected


def precision_of(path: str | Path) -> str:
    """Return the precision of a file as its content shows it, whatever its name says.

    A `.tflite` is asked for its operations, a Core ML file and ncnn's weights for their types. What
    the other formats hold is taken for float32.

    Raises:
        SeglibError: the file is missing or damaged.
    """
    path = Path(path)
    if path.suffix in (".mlpackage", ".mlmodel"):
        return Program(path).precision
    if path.suffix == ".param":
        weights = path.with_suffix(".bin")
        half = weights.is_file() and _NCNN_FLOAT16 in weights.read_bytes()
        return "float16" if half else "float32"
    if path.suffix != ".tflite":
        return "float32"
    every = ops(path)
    if any(op.dtype == "int8" and op.name != "QUANTIZE" for op in every):
        return "int8"
    if any("int8" in op.inputs for op in every if op.name != "DEQUANTIZE"):
        return "dynamic"
    types = {kind for op in every for kind in op.inputs}
    return "int8-weights" if "int8" in types else "float16" if "float16" in types else "float32"


def row(way: Way, path: str | Path, images: np.ndarray, expected: np.ndarray) -> ParityRow:
    """Run a file in one way and say how far its masks are from the expected ones."""
    path = Path(path)
    precision, problem = precision_of(path), _weights_lost(path)
    masks = expected if problem else way.run(images)
    problem = problem or difference(masks, expected)
    worst = mean = agreement = float("nan")
    if not problem:
        masks = masks.reshape(expected.shape)
        gaps = np.abs(masks - expected)
        worst, mean = float(gaps.max()), float(gaps.mean())
        agreement = _agreement(masks >= 0.5, expected >= 0.5)
        problem = _beyond(THRESHOLDS[precision], worst, mean, agreement)
    kib = size_of(path) / 1024
    return ParityRow(path.name, way.format, precision, kib, worst, mean, agreement, problem)


def size_of(path: str | Path) -> int:
    """Return the bytes that an app has to carry: a file, a folder's files, or ncnn's two files."""
    path = Path(path)
    if path.suffix == ".param":
        return path.stat().st_size + path.with_suffix(".bin").stat().st_size
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _weights_lost(path: Path) -> str:
    """Name the fault of a file that reads variables: it holds none, whatever its masks look like.

    What such a file computes depends on what lay in memory, so its masks may even be right once.
    """
    if path.suffix == ".tflite" and any(op.name == "VAR_HANDLE" for op in ops(path)):
        return "its weights are missing: it reads variables that it does not hold"
    return ""


def _agreement(one: np.ndarray, other: np.ndarray) -> float:
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def _beyond(limit: Threshold, worst: float, mean: float, agreement: float) -> str:
    if worst > limit.max_diff:
        return f"max. difference {worst:.2g} above {limit.max_diff:g}"
    if mean > limit.mean_diff:
        return f"mean difference {mean:.2g} above {limit.mean_diff:g}"
    if agreement < limit.iou_agreement:
        return f"agreement {agreement:.4f} below {limit.iou_agreement:g}"
    return ""
