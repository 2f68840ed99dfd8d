"""What the studies beside this file share: real photos, plain errors, results in a CSV file."""

import csv
import functools
import math
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import comparable

from seglib import data
from seglib.errors import SeglibError
from seglib.files import atomic_path

if TYPE_CHECKING:
    from seglib.runtime import Segmenter


def real_set(name: str, split: str, kind: str) -> data.Dataset:
    """Load a set whose stand-in would not do; "synthetic" is taken by its name.

    Raises:
        SeglibError: it is not under $SEGLIB_DATA.
    """
    dataset = data.load(name, split, kind)
    if dataset.name == "synthetic" and name != "synthetic":
        raise SeglibError(f"the photos of {name} are missing; set SEGLIB_DATA to their folder")
    return dataset


def gpu_bytes(cost: Any) -> dict[str, float]:
    """Return what a network's maps take on a GPU, and the fraction of it that is filling.

    A GPU stores channels in slices of four values (PHWC4); float16 takes two bytes each.
    """
    shapes = [layer.shape for layer in cost.layers]
    stored = sum(math.prod(shape[:-1]) * -(-shape[-1] // 4) * 8 for shape in shapes)
    return {"gpu_bytes": stored, "gpu_padding": round(1 - cost.bytes / 2 / stored, 3)}


def plain_errors(main: Callable[[], int]) -> Callable[[], int]:
    """Let a study end with one line and 2 where something that it needs is missing."""

    @functools.wraps(main)
    def told() -> int:
        try:
            return main()
        except SeglibError as error:
            print(error, file=sys.stderr)
            return 2

    return told


def one_thread() -> None:
    """Hold OpenCV and TensorFlow to one thread: results repeat, and the machine stays usable.

    To be called before TensorFlow does anything.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import cv2
    import tensorflow as tf

    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def as_shipped(weights: Path) -> "Segmenter":
    """Return saved weights as the float16 `.tflite` that would ship."""
    from seglib import export, models
    from seglib.runtime import Segmenter

    with tempfile.TemporaryDirectory() as folder:
        path = export.to_tflite(models.load(weights), Path(folder) / "net.tflite", "float16")
        return Segmenter(path)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of an earlier run, none where there was none."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[dict]) -> None:
    """Write all rows, under the names of their columns; the file appears whole.

    Rows that may not be compared say why in one more column, see `comparable`.
    """
    rows, columns = comparable.marked(rows, columns)
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
