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
from seglib.export.graph import check_model, difference, in_float32
from seglib.export.operations import ops
from seglib.export.tflite import run_tflite

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


# Quantised masks may differ fully in single pixels at an edge, so their maximum is not bounded.
THRESHOLDS = {
    "float32": Threshold(max_diff=1e-3, mean_diff=1e-5, iou_agreement=0.9999),
    "float16": Threshold(max_diff=0.1, mean_diff=5e-3, iou_agreement=0.99),
    "dynamic": Threshold(max_diff=1.0, mean_diff=0.01, iou_agreement=0.98),
    "int8": Threshold(max_diff=1.0, mean_diff=0.02, iou_agreement=0.96),
}


@dataclass(frozen=True)
class ParityRow:
    """One exported file beside the Keras model.

    Attributes:
        file: name of the file.
        format: "TFLite" or "Core ML".
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
        model: the Keras model, input (None, H, W, 3) of raw values.
        files: `.tflite` files and `.mlpackage` folders, from any converter. Core ML packages are
            executed again by `run_coreml`, on any system.
        images: uint8 (N, H, W, 3) of the model's size; 8 to 32 real pictures are a good choice.

    Returns:
        One row per file. A broken file makes `ok` false and never passes for rounding.

    Raises:
        SeglibError: a file or the pictures cannot be used, or the Keras model itself gives NaN.
    """
    input_shape, _ = check_model(model)
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != input_shape or not len(images):
        raise SeglibError(
            f"parity needs uint8 pictures (N, {', '.join(map(str, input_shape))}), "
            f"not {images.dtype} of shape {images.shape}"
        )
    expected = in_float32(model).predict(images.astype(np.float32), verbose=0)
    if not np.isfinite(expected).all():
        raise SeglibError(f"the model {model.name} itself gives NaN; there is nothing to compare")
    files = [files] if isinstance(files, (str, Path)) else files
    return ParityReport(tuple(_row(Path(file), images, expected) for file in files))


def precision_of(path: str | Path) -> str:
    """Return the precision of a `.tflite` file as its operations show it, whatever its name says.

    Raises:
        SeglibError: the file is missing or no TFLite model.
    """
    every = ops(path)
    if any(op.dtype == "int8" and op.name != "QUANTIZE" for op in every):
        return "int8"
    types = {kind for op in every for kind in op.inputs}
    return "dynamic" if "int8" in types else "float16" if "float16" in types else "float32"


def _row(path: Path, images: np.ndarray, expected: np.ndarray) -> ParityRow:
    problem = ""
    if path.suffix == ".mlpackage":
        program = Program(path)
        kind, precision, masks = "Core ML", program.precision, program.masks(images)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    else:
        kind, precision, problem = "TFLite", precision_of(path), _weights_lost(path)
        masks = expected if problem else run_tflite(path, images)
        size = path.stat().st_size
    problem = problem or difference(masks, expected)
    worst = mean = agreement = float("nan")
    if not problem:
        masks = masks.reshape(expected.shape)
        gaps = np.abs(masks - expected)
        worst, mean = float(gaps.max()), float(gaps.mean())
        agreement = _agreement(masks >= 0.5, expected >= 0.5)
        problem = _beyond(THRESHOLDS[precision], worst, mean, agreement)
    return ParityRow(path.name, kind, precision, size / 1024, worst, mean, agreement, problem)


def _weights_lost(path: Path) -> str:
    """Name the fault of a file that reads variables: it holds none, whatever its masks look like.

    What such a file computes depends on what lay in memory, so its masks may even be right once.
    """
    if any(op.name == "VAR_HANDLE" for op in ops(path)):
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
