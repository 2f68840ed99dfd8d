"""Training that can be stopped and started again without losing or changing anything.

Chapter: training on Colab.
"""

import csv
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np
from keras import ops
from tqdm.auto import tqdm

from seglib import losses
from seglib.data.batches import Batches
from seglib.errors import SeglibError
from seglib.files import atomic_path


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        epochs: passes over the data.
        learning_rate: highest rate; it rises over `warmup` and falls along a cosine to 1 %.
        warmup: share of all steps during which the rate rises.
        weight_decay: AdamW's decay of weights.
        loss: a name in `seglib.losses.LOSSES`, such as "dice" or "dice_bce".
        patience: epochs without a better validation IoU before stopping; 0 never stops.
        bn_batches: batches over which BatchNorm's statistics are estimated anew after training;
            0 keeps those of the last steps.
        seed: start of the initial weights' and dropout's chance.
        tensorboard: also write TensorBoard logs (needs the `tensorboard` package).
    """

    epochs: int = 30
    learning_rate: float = 3e-3
    warmup: float = 0.05
    weight_decay: float = 1e-4
    loss: str = "dice_bce"
    patience: int = 0
    bn_batches: int = 60
    seed: int = 0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        losses.get(self.loss)
        if self.epochs < 1 or self.learning_rate <= 0 or not 0 <= self.warmup < 1:
            raise SeglibError(
                "TrainConfig needs epochs >= 1, learning_rate > 0 and warmup from 0 to below 1; "
                f"it has {self.epochs}, {self.learning_rate} and {self.warmup}"
            )


@dataclass
class History:
    """One row per epoch: ``epoch``, ``loss``, ``iou`` and, with a val set, ``val_iou``."""

    rows: list[dict[str, float]] = field(default_factory=list)

    @property
    def best(self) -> dict[str, float]:
        """The row with the highest validation IoU (training IoU where there is no val set)."""
        return max(self.rows, key=_score)


def _score(row: dict[str, float]) -> float:
    return row.get("val_iou", row.get("iou", 0.0))


class MeanIoU(keras.metrics.Metric):
    """Mean IoU per picture and channel at threshold 0.5.

    Pictures without a known mask are left out.

    Args:
        channel: the output channel to score; None averages all.
        name: the name in logs.
    """

    def __init__(self, channel: int | None = None, name: str = "iou", **options) -> None:
        super().__init__(name=name, **options)
        self.channel = channel
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Add a batch; both are (batch, height, width, channels), targets below 0 unknown."""
        if self.channel is not None:
            y_true, y_pred = (y[..., self.channel : self.channel + 1] for y in (y_true, y_pred))
        known = y_true >= 0
        truth = ops.cast(y_true >= 0.5, "float32")
        mask = ops.cast(ops.logical_and(y_pred >= 0.5, known), "float32")
        both = ops.sum(truth * mask, (1, 2))
        either = ops.sum(ops.maximum(truth, mask), (1, 2))
        # Two empty masks agree, as in seglib.metrics.
        score = ops.where(either > 0, both / ops.maximum(either, 1.0), 1.0)
        counts = ops.cast(ops.any(known, (1, 2)), "float32")
        self.total.assign_add(ops.sum(score * counts))
        self.count.assign_add(ops.sum(counts))

    def result(self):
        """Return the mean so far, 0 before the first picture."""
        return self.total / ops.maximum(self.count, 1.0)


def fit(
    model: keras.Model,
    train: Batches,
    val: Batches | None = None,
    config: TrainConfig = TrainConfig(),
    folder: str | Path | None = None,
) -> History:
    """Train a network; leave its best weights in it.

    With a `folder`, each epoch writes there: `checkpoint.npz` (weights, optimizer and progress),
    `best.weights.h5`, `history.csv` and, when asked for, TensorBoard logs under `logs/`. Called
    again with the same folder and config, a stopped training goes on after its last whole epoch
    and takes the same steps as if it had never stopped.

    Args:
        model: a network from "image" to "mask"; trained in place.
        train: batches with shuffling and augmentation.
        val: batches without either, or None.
        config: how to train.
        folder: where to keep the run, or None to keep nothing.

    Raises:
        SeglibError: the folder holds a run with another config or network, or cannot be written.
    """
    folder = Path(folder) if folder is not None else None
    # The initial weights are the caller's; from here on, chance starts at the config's seed.
    keras.utils.set_random_seed(config.seed)
    _compile(model, train, config)
    recorder = _Recorder(folder, config, train, has_val=val is not None)
    start = recorder.resume(model)
    callbacks = [recorder, _Progress(config.epochs, start, len(train))]
    if config.tensorboard:
        callbacks.append(_tensorboard(folder))
    if start < config.epochs and not recorder.finished:
        model.fit(
            train,
            validation_data=val,
            epochs=config.epochs,
            initial_epoch=start,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
    recorder.restore_best(model)
    if config.bn_batches:
        # The same pictures after a training and after reading a finished run back.
        train.epoch = config.epochs
        reestimate_batchnorm(model, train, config.bn_batches)
    return History(recorder.rows)


def _compile(model: keras.Model, train: Batches, config: TrainConfig) -> None:
    steps = config.epochs * len(train)
    warmup = int(config.warmup * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 100 if warmup else config.learning_rate,
        decay_steps=max(1, steps - warmup),
        alpha=0.01,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
    # BatchNorm's and biases' few numbers must stay free to move.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    channels = model.output_shape[-1]
    metrics = [MeanIoU()]
    if channels > 1:
        metrics += [MeanIoU(channel, f"iou_{channel}") for channel in range(channels)]
    # XLA compiles for a minute and then runs slower on a CPU.
    model.compile(
        optimizer, losses.get(config.loss), metrics=metrics, jit_compile=_on_accelerator()
    )


def _on_accelerator() -> bool | str:
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf

    return "auto" if tf.config.list_physical_devices("GPU") else False


def reestimate_batchnorm(model: keras.Model, batches: Batches, steps: int = 60) -> None:
    """Estimate BatchNorm's moving statistics anew, as plain means over `steps` batches.

    During training they trail weights that keep changing; for a network trained from scratch the
    lag can cost a fifth of the IoU. The weights stay as they are.
    """
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    try:
        for step in range(steps):
            # The k-th batch weighs 1/k: after the last one every batch weighs the same.
            for norm in norms:
                norm.momentum = step / (step + 1)
            model(batches[step % len(batches)][0], training=True)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


class _Recorder(keras.callbacks.Callback):
    """Writes the run's folder after each epoch, reads it back, and stops early."""

    def __init__(
        self, folder: Path | None, config: TrainConfig, train: Batches, has_val: bool
    ) -> None:
        super().__init__()
        self.folder = folder
        self.config = config
        self.train = train
        self.has_val = has_val
        self.rows: list[dict[str, float]] = []
        self.best_weights: list[np.ndarray] | None = None
        self.finished = False

    def resume(self, model: keras.Model) -> int:
        """Load the last whole epoch, if there is one, and return how many are done."""
        if self.folder is None or not (self.folder / "checkpoint.npz").exists():
            return 0
        path = self.folder / "checkpoint.npz"
        try:
            with np.load(path) as saved:
                values = [saved[f"v{i}"] for i in range(len(saved.files) - 1)]
                state = json.loads(str(saved["state"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise SeglibError(
                f"{path} cannot be read ({error}); delete it to start this run again"
            ) from error
        if state["config"] != asdict(self.config):
            raise SeglibError(
                f"{self.folder} holds a run with another config; choose a new folder, "
                f"or use the old config: {state['config']}"
            )
        _set_variables(_variables(model), values, path)
        self.rows = state["rows"]
        self.finished = self._is_stuck()
        self.train.epoch = len(self.rows)
        return len(self.rows)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        row = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, **row})
        if max(self.rows, key=_score) is self.rows[-1]:
            self.best_weights = [np.array(value) for value in self.model.get_weights()]
            if self.folder is not None:
                with atomic_path(self.folder / "best.weights.h5") as temporary:
                    self.model.save_weights(temporary, overwrite=True)
        if self.folder is not None:
            self._write()
        if self._is_stuck():
            self.model.stop_training = True

    def _is_stuck(self) -> bool:
        best = max(range(len(self.rows)), key=lambda i: _score(self.rows[i]))
        return bool(self.config.patience) and len(self.rows) - 1 - best >= self.config.patience

    def _write(self) -> None:
        with atomic_path(self.folder / "history.csv") as temporary:
            with open(temporary, "w", newline="") as file:
                writer = csv.DictWriter(file, fieldnames=list(self.rows[0]))
                writer.writeheader()
                writer.writerows(self.rows)
        # Last, since its presence says that the epoch is whole.
        values = {f"v{i}": np.array(v) for i, v in enumerate(_arrays(_variables(self.model)))}
        state = json.dumps({"config": asdict(self.config), "rows": self.rows})
        with atomic_path(self.folder / "checkpoint.npz") as temporary:
            np.savez(temporary, state=np.array(state), **values)

    def restore_best(self, model: keras.Model) -> None:
        """Put the best epoch's weights into the model."""
        if self.best_weights is not None:
            model.set_weights(self.best_weights)
        elif self.folder is not None and (self.folder / "best.weights.h5").exists():
            model.load_weights(self.folder / "best.weights.h5")


def _variables(model: keras.Model) -> list:
    """Everything a step reads: weights, moving statistics, dropout's state, optimizer."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def _arrays(variables: list) -> list[np.ndarray]:
    return [ops.convert_to_numpy(variable.value) for variable in variables]


def _set_variables(variables: list, values: list[np.ndarray], path: Path) -> None:
    if [tuple(v.shape) for v in variables] != [value.shape for value in values]:
        raise SeglibError(f"{path} belongs to another network; choose a new folder for this one")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class _Progress(keras.callbacks.Callback):
    """One bar over all steps of all epochs, in a terminal and in a notebook."""

    def __init__(self, epochs: int, start: int, steps: int) -> None:
        super().__init__()
        self.total, self.done = epochs * steps, start * steps

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.bar = tqdm(total=self.total, initial=self.done, desc="training", unit="step")

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        shown = {k: f"{v:.3f}" for k, v in (logs or {}).items() if k in ("loss", "iou", "val_iou")}
        self.bar.set_postfix(epoch=epoch + 1, **shown)

    def on_train_end(self, logs: dict | None = None) -> None:
        self.bar.close()


def _tensorboard(folder: Path | None) -> keras.callbacks.Callback:
    if folder is None:
        raise SeglibError("tensorboard=True needs a folder to write to; hand one to fit")
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise SeglibError(
            "tensorboard=True needs the tensorboard package; pip install tensorboard"
        ) from error
    return keras.callbacks.TensorBoard(folder / "logs")
