"""A run's log: rows in memory, a CSV file, TensorBoard.

Chapter: training on Colab.
"""

import csv
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seglib.errors import SeglibError
from seglib.files import atomic_path

NAME = "history.csv"


@dataclass
class History:
    """One row per epoch.

    Each has ``epoch``, ``loss``, ``iou``, with a val set ``val_loss`` and ``val_iou``, and
    ``learning_rate``, the rate at the epoch's end.
    """

    rows: list[dict[str, float]] = field(default_factory=list)

    @property
    def best(self) -> dict[str, float]:
        """The row with the highest validation IoU (training IoU where there is no val set)."""
        return max(self.rows, key=score)


def score(row: Mapping[str, float]) -> float:
    """Return what the best epoch is chosen by."""
    return row.get("val_iou", row.get("iou", 0.0))


def write_csv(folder: Path, rows: list[dict[str, float]]) -> None:
    """Replace the folder's `history.csv`."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_path(folder / NAME) as temporary:
        with open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=names)
            writer.writeheader()
            writer.writerows(rows)


def read_history(run: str | Path) -> History:
    """Read the log of a run from its folder or its `history.csv`.

    Raises:
        SeglibError: there is no log, or the file is none.
    """
    path = Path(run)
    path = path / NAME if path.is_dir() else path
    try:
        with open(path, newline="") as file:
            rows = [
                {name: float(value) for name, value in row.items() if value}
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SeglibError(
            f"{path} is no training log ({error}); give the folder of a run that has ended an epoch"
        ) from error
    if not rows or "epoch" not in rows[0]:
        raise SeglibError(f"{path} is no training log: it has no rows with an epoch")
    return History([{**row, "epoch": int(row["epoch"])} for row in rows])


class TensorBoard:
    """Writes a run's log for TensorBoard, on every Keras backend and without TensorFlow.

    Training and validation become two runs with the same names of values, so that TensorBoard
    draws them into one graph. A row that is written twice is drawn twice at the same place.
    """

    def __init__(self, folder: Path | None) -> None:
        """Open `folder/logs`.

        Raises:
            SeglibError: there is no folder, or the `tensorboard` package is missing.
        """
        if folder is None:
            raise SeglibError("tensorboard=True needs a folder to write to; hand one to fit")
        try:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError as error:
            raise SeglibError(
                "tensorboard=True needs the tensorboard package; pip install tensorboard"
            ) from error
        self._open = lambda part: EventFileWriter(str(folder / "logs" / part))
        self._writers: dict[str, EventFileWriter] = {}

    def add(self, row: Mapping[str, float]) -> None:
        """Write one epoch's row."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        for name, value in row.items():
            part = "validation" if name.startswith("val_") else "train"
            if name == "epoch":
                continue
            if part not in self._writers:
                self._writers[part] = self._open(part)
            tag = f"epoch_{name.removeprefix('val_')}"
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            event = Event(wall_time=time.time(), step=int(row["epoch"]), summary=summary)
            self._writers[part].add_event(event)
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
