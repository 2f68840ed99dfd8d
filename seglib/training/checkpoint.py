"""One file that holds all a stopped training needs to go on, at any step.

It holds every number that a step reads (weights, BatchNorm's statistics, dropout's state, the
optimizer with its step count, running means and loss scale), the sums behind the epoch's log so
far, the log, and which batch is due. The rate follows from the step or the log
(`seglib.training.schedules`) and the pictures from the batch's number (`seglib.data.batches`).

Chapter: training on Colab.
"""

import json
import os
import signal
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.training.config import FREE, TrainConfig

NAME = "checkpoint.npz"


def numbers(model: keras.Model) -> list:
    """Return every variable that a training step reads."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def values(variables: Iterable[keras.Variable]) -> list[np.ndarray]:
    """Return copies of the numbers that variables hold, on one device or mirrored on several."""
    found = [variable.value for variable in variables]
    # A mirrored variable of TensorFlow turns into an array only by way of a tensor.
    found = [one.read_value() if hasattr(one, "read_value") else one for one in found]
    return [np.array(keras.ops.convert_to_numpy(one)) for one in found]


def write(
    folder: Path,
    variables: Sequence[keras.Variable],
    sums: Sequence[keras.Variable],
    config: TrainConfig,
    rows: list[dict[str, float]],
    position: dict[str, Any],
) -> None:
    """Replace the folder's checkpoint, whole or not at all.

    Args:
        folder: the run's.
        variables: what a step reads.
        sums: what the epoch's log is worked out from.
        config: how the run is trained.
        rows: its log so far.
        position: `Batches.state` of the batch that is due.
    """
    arrays = {f"v{i}": value for i, value in enumerate(values(variables))}
    arrays |= {f"m{i}": value for i, value in enumerate(values(sums))}
    state = json.dumps({"config": asdict(config), "rows": rows, "position": position})
    with atomic_path(folder / NAME) as temporary:
        with open(temporary, "wb") as file:
            np.savez(file, state=np.array(state), **arrays)
            file.flush()
            # On the disk before it takes the old one's place: power may fail too.
            os.fsync(file.fileno())


def read(
    folder: Path,
    variables: Sequence[keras.Variable],
    sums: Sequence[keras.Variable],
    config: TrainConfig,
) -> dict[str, Any] | None:
    """Fill the variables from the folder's checkpoint and return `rows` and `position`, or None.

    Raises:
        SeglibError: the checkpoint is damaged, or belongs to another config or network.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with np.load(path) as saved:
            state = json.loads(str(saved["state"]))
            found = [
                [saved[f"{kind}{i}"] for i in range(sum(n[0] == kind for n in saved.files))]
                for kind in "vm"
            ]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise SeglibError(
            f"{path} cannot be read ({error}); delete it to start this run again"
        ) from error
    # A field that the stored config does not know was added since; its default changes nothing.
    stored = {**asdict(TrainConfig()), **state["config"]}
    other = [
        name
        for name, value in asdict(config).items()
        if name not in FREE and stored.get(name) != value
    ]
    if other:
        old = ", ".join(f"{name}={stored[name]!r}" for name in other)
        raise SeglibError(
            f"{folder} holds a run with another config; choose a new folder, "
            f"or use the old config: {old}"
        )
    numbers_found, totals = found
    if [tuple(v.shape) for v in variables] != [value.shape for value in numbers_found]:
        raise SeglibError(f"{path} belongs to another network; choose a new folder for this one")
    for variable, value in zip(variables, numbers_found, strict=True):
        variable.assign(value)
    # An older file has no sums: it was written between two epochs, where they are zero.
    for variable, value in zip(sums, totals, strict=False):
        variable.assign(value)
    return {"rows": state["rows"], "position": state.get("position")}


@contextmanager
def one_writes(path: Path, writes: bool, room: int = 0) -> Iterator[Path]:
    """Yield where to write a file: beside its place, or where it is thrown away.

    Keras on JAX brings weights together from all processes when it saves, so each of them has to
    save, though only one file is wanted. `room` is that of `atomic_path`.
    """
    if writes:
        with atomic_path(path, room) as temporary:
            yield temporary
    else:
        with tempfile.TemporaryDirectory() as elsewhere:
            yield Path(elsewhere) / path.name


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """Yield an event that is set when the system asks this process to end (SIGTERM).

    Clusters and rented machines send it some time before they take the machine away: time to
    finish the step and save.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
