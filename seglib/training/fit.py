"""Training that can be stopped and started again without losing or changing anything.

Chapter: training on Colab.
"""

import csv
import json
import math
import os
import pkgutil
import signal
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm.auto import tqdm

from seglib.data.batches import Batches
from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.models.build import weights_bytes
from seglib.training import objective
from seglib.training.config import FREE, TrainConfig, make_optimizer, plateau

CHECKPOINT, BEST, LOG = "checkpoint.npz", "best.weights.h5", "history.csv"
ADDED: dict[str, str] = {}
"""Where `fit` finds what it tells others by, "tensorboard" and "notify", as "module:name"."""
DEFAULT = TrainConfig()
Row = dict[str, float]


@dataclass
class History:
    """One row per epoch.

    Each has ``epoch``, ``loss``, ``iou``, with a val set ``val_loss`` and ``val_iou``, and
    ``learning_rate``, the rate at the epoch's end.
    """

    rows: list[Row] = field(default_factory=list)

    @property
    def best(self) -> Row:
        """The row with the highest validation IoU (training IoU where there is no val set)."""
        return max(self.rows, key=lambda row: row.get("val_iou", row.get("iou", 0.0)))


@dataclass(frozen=True)
class Progress:
    """Where a training stands: the `rows` of its whole epochs, and how far it is.

    `step` counts those before a stop, too; `seconds_left` is by the pace since this start,
    validation included, and None before there is one.
    """

    rows: Sequence[Row]
    step: int
    steps: int
    seconds_left: float | None

    def __str__(self) -> str:
        """Word it for a title: the fraction that is done and the time left."""
        text = f"{self.step / self.steps:.0%} of {self.steps} steps"
        if self.seconds_left is None:
            return text
        minutes, seconds = divmod(round(self.seconds_left), 60)
        return f"{text}, {minutes}:{seconds:02} left"


Watch = Callable[[Progress], None]


def fit(
    model: keras.Model,
    train: Batches,
    val: Batches | None = None,
    config: TrainConfig = DEFAULT,
    folder: str | Path | None = None,
    watch: Watch | None = None,
    notify: Sequence[str] = (),
) -> History:
    """Train a network; leave its best weights in it.

    With a `folder`, each epoch writes `checkpoint.npz` (all that is needed to go on),
    `best.weights.h5`, `history.csv` and, when asked for, TensorBoard logs under `logs/`. Called
    again with the same folder and config, a training that was stopped at whatever moment begins the
    epoch anew that was cut off, and takes the same steps as if it had never stopped. A process that
    is asked to end (SIGTERM) does so after its present step, with code 143.

    Args:
        model: a network from "image" to "mask", probabilities; trained in place.
        train: batches with shuffling and augmentation; a new run begins at their first epoch.
        val: batches without either, or None.
        config: how to train.
        folder: where to keep the run, or None to keep nothing.
        watch: told where the training stands, such as `seglib.viz.live_curves()`; None draws a bar.
        notify: addresses of services that are told of the end or of a failure, see
            `seglib.training.logs.notifications`.
    """
    folder = Path(folder) if folder is not None else None
    name = folder.name if folder else "seglib"
    telling = _added("notify")(notify, name) if notify else nullcontext()
    # The initial weights are the caller's; from here on, chance starts at the config's seed.
    keras.utils.set_random_seed(config.seed)
    with telling as tell, objective.frozen(model, config.freeze), _asked_to_end() as asked:
        trained = compiled(model, train, val, config)
        keeper = CheckpointCallback(folder, config, train, model, asked)
        board = [_added("tensorboard")(folder, keeper.rows)] if config.tensorboard else []
        keeper.resume(trained)
        with nullcontext(watch) if watch else _bar(keeper) as keeper.watch:
            if keeper.finished:
                keeper.tell()
            else:
                trained.fit(
                    train,
                    validation_data=val,
                    epochs=config.epochs,
                    initial_epoch=len(keeper.rows),
                    callbacks=[keeper, *(board if keeper.writes else ())],
                    shuffle=False,
                    verbose=0,
                )
        keeper.restore_best()
        if config.bn_batches:
            # The same images after a training and after reading a finished run back.
            train.set_epoch(config.epochs)
            objective.reestimate_batchnorm(model, train, config.bn_batches)
    history = History(keeper.rows)
    if tell is not None:
        best = ", ".join(f"{name} {value:.4g}" for name, value in history.best.items())
        tell("training finished", f"best of {len(history.rows)} epochs: {best}")
    return history


def _added(name: str) -> Any:
    if name not in ADDED:
        raise SeglibError(f"this copy of seglib cannot do {name}: seglib.training.logs is missing")
    return pkgutil.resolve_name(ADDED[name])


def compiled(
    model: keras.Model, train: Batches, val: Batches | None, config: TrainConfig
) -> keras.Model:
    """Return what is trained, ready to be: the network, or one around it that gives more masks."""
    for batches in (train, train if val is None else val):
        if not isinstance(batches, Batches):
            raise SeglibError(f"fit takes seglib.data.Batches; make some of the {type(batches)}")
    coarse, second = bool(config.deep_supervision), bool(config.auxiliary)
    objective.check_fit(model, *train[0], second)
    channels, masks, trained = model.output_shape[-1], 1, model
    if coarse or second:
        trained, masks = objective.auxiliary_heads(model, coarse, second)
    metrics = [objective.MeanIoU(channels=channels)]
    if channels > 1:
        metrics += [objective.MeanIoU(channel, f"iou_{channel}") for channel in range(channels)]
    compile_more: bool | str = "auto"
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # XLA compiles for a minute and then runs slower on a CPU.
        compile_more = "auto" if tf.config.list_physical_devices("GPU") else False
    trained.compile(
        make_optimizer(config, config.epochs * len(train)),
        objective.make_loss(train, config, channels, masks),
        metrics=metrics,
        jit_compile=compile_more,
    )
    return trained


@contextmanager
def _asked_to_end() -> Iterator[threading.Event]:
    """Yield an event that is set by SIGTERM, which clusters send before they take a machine."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)


class CheckpointCallback(keras.callbacks.Callback):
    """Writes the run's folder and reads it back, tells where it stands, and stops it.

    It keeps the best weights of `network`, which what is trained may have more than.
    """

    def __init__(
        self,
        folder: Path | None,
        config: TrainConfig,
        train: Batches,
        network: keras.Model,
        asked: threading.Event,
    ) -> None:
        super().__init__()
        self.folder, self.config, self.train = folder, config, train
        self.network, self.asked = network, asked
        # Several processes train together; one of them writes.
        self.writes = folder is not None and train.shard[0] == 0
        self.identity = train.identity
        self.rows: list[Row] = []
        self.best_weights: list[np.ndarray] | None = None
        self.raw: list[np.ndarray] | None = None
        self.watch: Watch = lambda progress: None
        self.steps, self.done = config.epochs * len(train), 0

    def resume(self, model: keras.Model) -> None:
        """Load the checkpoint, if there is one, and begin the epoch that is due."""
        if self.folder is not None and (self.folder / CHECKPOINT).exists():
            self.rows[:] = self._read(self.folder / CHECKPOINT, _variables(model))
        self.train.set_epoch(len(self.rows))
        self.before = self.done = self.steps if self.finished else len(self.rows) * len(self.train)
        self.began = self.told = time.monotonic()

    def _read(self, path: Path, variables: Sequence[keras.Variable]) -> list[Row]:
        """Fill the variables from a checkpoint and return its rows."""
        try:
            with np.load(path) as saved:
                state = json.loads(str(saved["state"]))
                count = sum(name[0] == "v" for name in saved.files)
                found = [saved[f"v{index}"] for index in range(count)]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise SeglibError(
                f"{path} cannot be read ({error}); delete it to start this run again"
            ) from error
        # What a file does not say was added since, and changes nothing by its default. "batch" is
        # a place within an epoch, where edition 0.1 saved as well.
        other = []
        for now, before in (
            (asdict(self.config), {**asdict(DEFAULT), **state["config"]}),
            ({**self.identity, "batch": 0}, state.get("position") or {}),
        ):
            for name, value in now.items():
                if name not in FREE and before.get(name, value) != value:
                    other.append(f"{name}={before[name]!r}")
        if other:
            raise SeglibError(
                f"{path.parent} holds a run with another config or other batches; choose a new "
                f"folder, or go on as it began, with {', '.join(other)}"
            )
        if [tuple(v.shape) for v in variables] != [value.shape for value in found]:
            raise SeglibError(f"{path} is of another network; choose a new folder for this one")
        _assign(variables, found)
        return state["rows"]

    @property
    def finished(self) -> bool:
        """Whether no epoch is left, or too many brought nothing."""
        since = len(self.rows) - (History(self.rows).best["epoch"] if self.rows else 0)
        return len(self.rows) >= self.config.epochs or 0 < self.config.patience <= since

    def tell(self) -> None:
        """Tell where the training stands."""
        self.told = time.monotonic()
        taken, left = self.done - self.before, self.steps - self.done
        pace = (self.told - self.began) / taken if taken else None
        seconds = 0.0 if not left else None if pace is None else pace * left
        self.watch(Progress(self.rows, self.done, self.steps, seconds))

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Draw dropout on PyTorch from the step's number."""
        # Elsewhere its state is one of the network's variables; PyTorch has one generator for all.
        if keras.backend.backend() == "torch":
            import torch

            torch.manual_seed(self.config.seed * 2**32 + self.done)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """End where the process is asked to, but for the last step, whose epoch is kept."""
        self.done += 1
        if time.monotonic() - self.told >= 1:
            self.tell()
        if self.asked.is_set() and batch + 1 < len(self.train):
            raise SystemExit(143)

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Validate the running mean of the weights, where there is one."""
        if not self.config.ema:
            return
        variables = self.model.trainable_variables
        self.raw = _values(variables)
        self.model.optimizer.finalize_variable_values(variables)
        # On JAX the optimizer would share these arrays, which the next step uses up.
        _assign(variables, _values(variables))

    def on_test_end(self, logs: dict | None = None) -> None:
        """Go on with the weights themselves."""
        if self.raw is not None:
            _assign(self.model.trainable_variables, self.raw)
        self.raw = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Add a row; keep the best weights; save."""
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in (logs or {}).items()}}
        row["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if not math.isfinite(row["loss"]):
            raise SeglibError(
                f"the loss became {row['loss']} in epoch {epoch + 1}; train again with a lower "
                "learning_rate, or with clip=1"
            )
        self.rows.append(row)
        if History(self.rows).best is row:
            self.on_test_begin()
            self._keep_best()
            self.on_test_end()
        if self.config.schedule == "plateau":
            self.model.optimizer.learning_rate = plateau(self.config, self.rows)
        if self.writes:
            with atomic_path(self.folder / LOG) as temporary:
                with open(temporary, "w", newline="", encoding="utf-8") as file:
                    names = dict.fromkeys(name for one in self.rows for name in one)
                    writer = csv.DictWriter(file, list(names))
                    writer.writeheader()
                    writer.writerows(self.rows)
            # Last, since its presence says that the epoch is whole.
            self._write()
        self.tell()
        if self.finished:
            self.model.stop_training = True
        elif self.asked.is_set():
            raise SystemExit(143)

    def _write(self) -> None:
        """Replace the folder's checkpoint, whole or not at all."""
        arrays = {f"v{i}": value for i, value in enumerate(_values(_variables(self.model)))}
        state = {"config": asdict(self.config), "rows": self.rows, "position": self.identity}
        with atomic_path(self.folder / CHECKPOINT) as temporary:
            with open(temporary, "wb") as file:
                np.savez(file, state=np.array(json.dumps(state)), **arrays)
                file.flush()
                # On the disk before it takes the old one's place: power may fail too.
                os.fsync(file.fileno())

    def _keep_best(self) -> None:
        self.best_weights = _values(self.network.weights)
        if self.writes:
            with atomic_path(self.folder / BEST, weights_bytes(self.network)) as temporary:
                self.network.save_weights(temporary, overwrite=True)
        elif self.folder is not None:
            # Keras on JAX brings weights together from all processes when it saves, so each of
            # them has to save, though only one file is wanted.
            with tempfile.TemporaryDirectory() as elsewhere:
                self.network.save_weights(Path(elsewhere) / BEST)

    def restore_best(self) -> None:
        """Put the best epoch's weights into the network."""
        if self.best_weights is not None:
            self.network.set_weights(self.best_weights)
        elif self.folder is not None and (self.folder / BEST).exists():
            self.network.load_weights(self.folder / BEST)


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Return every variable that a training step reads."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def _values(variables: Iterable[keras.Variable]) -> list[np.ndarray]:
    """Return copies of the numbers that variables hold, on one device or mirrored on several."""
    found = [variable.value for variable in variables]
    # A mirrored variable of TensorFlow turns into an array only by way of a tensor.
    found = [one.read_value() if hasattr(one, "read_value") else one for one in found]
    return [np.array(keras.ops.convert_to_numpy(one)) for one in found]


def _assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@contextmanager
def _bar(keeper: CheckpointCallback) -> Iterator[Watch]:
    with tqdm(total=keeper.steps, initial=keeper.done, desc="training", unit="step") as bar:

        def draw(progress: Progress) -> None:
            bar.update(progress.step - bar.n)
            row = progress.rows[-1] if progress.rows else {}
            shown = {name: f"{row[name]:.3f}" for name in ("loss", "iou", "val_iou") if name in row}
            bar.set_postfix(epoch=len(progress.rows), **shown)

        yield draw
