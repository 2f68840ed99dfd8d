"""The parity matrix: every target of one model, run in every way that this machine can.

The same pictures go through Keras and through each file in each runtime. A row says how far the
masks are from Keras's, how well they fit the true ones, how large the file is and how its time
compares with the float32 `.tflite` in the same run. What cannot be run here is listed with the
reason; what is broken fails.

Chapter: TFLite conversion.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import MissingPackage
from seglib.export.parity import expected_masks, precision_of, row
from seglib.export.targets import TARGETS, target_named, to
from seglib.export.ways import Run, Unavailable, Way, time_ratios, ways
from seglib.metrics import iou

if TYPE_CHECKING:
    import keras

NAN = float("nan")


@dataclass(frozen=True)
class Cell:
    """One file in one runtime.

    Attributes:
        target: key of `TARGETS`, or the name of a file that was given.
        way: what ran it, for example "XNNPACK, 1 thread".
        precision: as found in the file.
        kib: size of what an app carries.
        max_diff, mean_diff: absolute differences of probabilities to Keras.
        iou_agreement: IoU of both masks cut at 0.5.
        task_iou: mean IoU with the true masks, NaN where there are none.
        ratio: time of one picture / time of the float32 `.tflite` on one thread, NaN where it says
            nothing.
        problem: what is wrong with the file, "" where nothing is.
        skipped: why it was not run, "" where it was.
    """

    target: str
    way: str
    precision: str = ""
    kib: float = NAN
    max_diff: float = NAN
    mean_diff: float = NAN
    iou_agreement: float = NAN
    task_iou: float = NAN
    ratio: float = NAN
    problem: str = ""
    skipped: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it; a cell that was skipped is no failure."""
        return not self.problem


@dataclass(frozen=True)
class Matrix:
    """All cells of one model, and the task IoU of the Keras model itself."""

    cells: tuple[Cell, ...]
    task_iou: float = NAN

    @property
    def ok(self) -> bool:
        """Whether every file that was run is within its thresholds."""
        return all(cell.ok for cell in self.cells)

    def check(self) -> None:
        """Do nothing where every file is fine.

        Raises:
            SeglibError: names each broken file and what is wrong with it.
        """
        broken = [f"{c.target} with {c.way} ({c.problem})" for c in self.cells if not c.ok]
        if broken:
            raise SeglibError(f"exports unlike the Keras model: {'; '.join(broken)}")

    def rows(self) -> list[dict[str, Any]]:
        """Return the cells as dicts that JSON can hold: numbers that do not exist are None."""
        return [
            {key: None if value != value else value for key, value in asdict(cell).items()}
            for cell in self.cells
        ]

    def table(self) -> str:
        """Return the matrix as a Markdown table, skipped cells with their reason at its end."""
        lines = [
            "| target | run by | KiB | max. difference | mean difference | agreement (IoU) "
            "| IoU with the truth | time | verdict |",
            "|---|---|---:|---:|---:|---:|---:|---:|---|",
        ]
        if self.task_iou == self.task_iou:
            lines.append(f"| the model | Keras |  |  |  |  | {self.task_iou:.4f} |  |  |")
        for cell in sorted(self.cells, key=lambda cell: bool(cell.skipped)):
            verdict = "as the model" if cell.ok else f"**{cell.problem}**"
            if cell.skipped:
                verdict = f"not run: {cell.skipped}"
            numbers = (
                f"{cell.kib:.0f}", f"{cell.max_diff:.2g}", f"{cell.mean_diff:.2g}",
                f"{cell.iou_agreement:.4f}", f"{cell.task_iou:.4f}", f"{cell.ratio:.2f}",
            )  # fmt: skip
            shown = " | ".join("" if number == "nan" else number for number in numbers)
            lines.append(f"| {cell.target} | {cell.way} | {shown} | {verdict} |")
        return "\n".join(lines)


def matrix(
    model: "keras.Model",
    images: np.ndarray,
    masks: np.ndarray | None = None,
    representative: np.ndarray | None = None,
    targets: Sequence[str] | None = None,
    files: Sequence[str | Path] = (),
    folder: str | Path | None = None,
    turns: int = 20,
    gpu: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Matrix:
    """Export a model to every target, run every file in every way and compare it with Keras.

    Args:
        model: the Keras model, input (None, H, W, 3) of raw values.
        images: uint8 (N, H, W, 3) of the model's size; 8 to 32 real pictures are a good choice.
        masks: their true masks, uint8 or float (N, h, w) of the mask's size, for models with one
            output channel.
        representative: other pictures for the int8 targets; by default `images`, whose masks int8
            then knows better than those of new pictures.
        targets: keys of `TARGETS` to make; all by default.
        files: further files, which exist already.
        folder: where to keep what is made; by default it is deleted.
        turns: of the stop-watch, 0 for none.
        gpu: ask LiteRT's GPU accelerator too, where there is a Vulkan device.
        progress: called with the name of each target.

    Raises:
        SeglibError: the pictures, masks or targets cannot be used, or the model itself gives NaN.
            What is wrong with a file is in its cell.
    """
    expected = expected_masks(model, images)
    truths = _truths(masks, expected)
    targets = list(TARGETS) if targets is None else list(targets)
    calibration = images if representative is None else representative
    cells: list[Cell] = []
    timed: list[tuple[int, Way]] = []
    with tempfile.TemporaryDirectory() as temporary:
        made: list[tuple[str, Path]] = []
        for target in targets:
            if progress:
                progress(target)
            chosen = target_named(target)
            path = Path(folder or temporary) / f"{target}{chosen.suffix}"
            options = {"representative": calibration} if "representative" in chosen.options else {}
            try:
                made.append((target, to(model, target, path, **options)))
            except MissingPackage as error:
                cells.append(Cell(target, "", skipped=str(error)))
            except SeglibError as error:
                cells.append(Cell(target, "", problem=str(error)))
        made += [(Path(file).name, Path(file)) for file in files]
        for name, path in made:
            for way in ways(path, gpu):
                cells.append(_cell(name, way, path, images, expected, truths))
                if way.open and not cells[-1].skipped and cells[-1].ok:
                    timed.append((len(cells) - 1, way))
        _add_times(cells, timed, images, turns)
    return Matrix(tuple(cells), _task_iou(expected, truths))


def _cell(
    name: str, way: Way, path: Path, images: np.ndarray, expected: np.ndarray,
    truths: np.ndarray | None,
) -> Cell:  # fmt: skip
    kept: list[np.ndarray] = []

    def run(pictures: np.ndarray) -> np.ndarray:
        kept.append(way.run(pictures))
        return kept[0]

    try:
        found = row(Way(way.format, way.name, way.threads, run), path, images, expected)
    except (Unavailable, MissingPackage) as error:
        return Cell(name, way.name, precision_of(path), skipped=str(error))
    except SeglibError as error:
        return Cell(name, way.name, problem=str(error))
    fits = kept and kept[0].size == expected.size
    task = _task_iou(kept[0].reshape(expected.shape), truths) if fits else NAN
    return Cell(
        name, way.name, found.precision, found.kib, found.max_diff, found.mean_diff,
        found.iou_agreement, task, NAN, found.problem,
    )  # fmt: skip


def _add_times(
    cells: list[Cell], timed: list[tuple[int, Way]], images: np.ndarray, turns: int
) -> None:
    """Write the ratios to the first float32 `.tflite` on one thread into the cells."""
    base = next(
        (
            entry
            for entry in timed
            if (entry[1].format, cells[entry[0]].precision) == ("TFLite", "float32")
        ),
        None,
    )
    if base is None or turns < 1:
        return
    order = [base, *(entry for entry in timed if entry is not base)]
    runs: list[tuple[Run, int]] = [(way.open(), way.threads) for _, way in order]
    for (index, _), ratio in zip(order, time_ratios(runs, images, turns), strict=True):
        values = {**asdict(cells[index]), "ratio": ratio}
        cells[index] = Cell(**values)


def _truths(masks: np.ndarray | None, expected: np.ndarray) -> np.ndarray | None:
    if masks is None:
        return None
    masks = np.asarray(masks)
    if (
        expected.shape[3] != 1
        or masks.shape[:3] != expected.shape[:3]
        or masks.size != expected.size
    ):
        raise SeglibError(
            f"the true masks have the shape {masks.shape}, the model's {expected.shape}; give one "
            "mask of that height and width for each picture, for a model with one output channel"
        )
    masks = masks.reshape(expected.shape)
    return masks / np.float32(255) if masks.dtype == np.uint8 else masks


def _task_iou(found: np.ndarray, truths: np.ndarray | None) -> float:
    if truths is None or not np.isfinite(found).all():
        return NAN
    pairs = zip(found[..., 0].clip(0, 1), truths[..., 0], strict=True)
    return float(np.mean([iou(mask, truth) for mask, truth in pairs]))
