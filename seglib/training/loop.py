"""Training that can be stopped and started again without losing or changing anything.

Chapter: training on Colab.
"""

from collections.abc import Sequence
from pathlib import Path

import keras

from seglib.data.batches import Batches
from seglib.training import checkpoint, heads, schedules
from seglib.training.config import TrainConfig
from seglib.training.logs import History
from seglib.training.measures import MeanIoU, reestimate_batchnorm
from seglib.training.notices import Notices
from seglib.training.objective import objective
from seglib.training.progress import Progress, Reporter, Watch
from seglib.training.recorder import Recorder

DEFAULT = TrainConfig()


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

    With a `folder`, `checkpoint.npz` (all that is needed to go on) is written there every
    `config.save_minutes` or `config.save_steps` and after each epoch, and each epoch writes
    `best.weights.h5`, `history.csv` and, when asked for, TensorBoard logs under `logs/`. Called
    again with the same folder and config, a training that was stopped at whatever moment goes on
    and takes the same steps as if it had never stopped. A process that is asked to end (SIGTERM)
    saves after its present step and exits with code 143.

    Args:
        model: a network from "image" to "mask"; trained in place.
        train: batches with shuffling and augmentation; a new run begins at their first epoch.
        val: batches without either, or None.
        config: how to train.
        folder: where to keep the run, or None to keep nothing.
        watch: told where the training stands, such as `seglib.viz.live_curves()`; None draws a bar.
        notify: addresses of services that are told of the end or of a failure, see
            `seglib.training.notices`.

    Raises:
        SeglibError: the folder holds a run with another config, network or batches, or cannot be
            written; the config asks for what the network or the batches do not have.
    """
    folder = Path(folder) if folder is not None else None
    notices = Notices(notify, folder.name if folder else "seglib")
    # The initial weights are the caller's; from here on, chance starts at the config's seed.
    keras.utils.set_random_seed(config.seed)
    with (
        notices.of_failure(),
        heads.frozen(model, config.freeze),
        checkpoint.asked_to_stop() as asked,
    ):
        trained, metrics = compiled(model, train, config)
        recorder = Recorder(folder, config, train, model, metrics, asked)
        epoch = recorder.resume(trained)
        if not recorder.finished:
            _run(trained, train, val, config, recorder, epoch, watch)
        elif watch is not None:
            steps = config.epochs * len(train)
            watch(Progress(recorder.rows, steps, steps, 0.0))
        recorder.restore_best()
        if config.bn_batches:
            # The same pictures after a training and after reading a finished run back.
            train.set_epoch(config.epochs)
            reestimate_batchnorm(model, train, config.bn_batches)
    history = History(recorder.rows)
    best = ", ".join(f"{name} {value:.4g}" for name, value in history.best.items())
    notices.send("training finished", f"best of {len(history.rows)} epochs: {best}")
    return history


def _run(
    model: keras.Model,
    train: Batches,
    val: Batches | None,
    config: TrainConfig,
    recorder: Recorder,
    epoch: int,
    watch: Watch | None,
) -> None:
    steps = len(train)
    reporter = Reporter(recorder.rows, epoch * steps, config.epochs * steps, watch)
    try:
        model.fit(
            train,
            validation_data=val,
            epochs=config.epochs,
            initial_epoch=epoch,
            callbacks=[recorder, reporter],
            shuffle=False,
            verbose=0,
        )
        recorder.put_back(model)
    finally:
        reporter.close()
        if recorder.board is not None:
            recorder.board.close()


def compiled(
    model: keras.Model, train: Batches, config: TrainConfig
) -> tuple[keras.Model, list[MeanIoU]]:
    """Return what is trained, ready to be, and the metrics of its log."""
    channels, masks = model.output_shape[-1], 1
    trained = model
    if config.deep_supervision or config.auxiliary:
        trained, masks = heads.supervised(
            model, bool(config.deep_supervision), bool(config.auxiliary)
        )
    rate = schedules.learning_rate(config, config.epochs * len(train))
    optimizer = _optimizer(config, rate)
    # BatchNorm's and biases' few numbers must stay free to move.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    metrics = [MeanIoU(channels=channels)]
    if channels > 1:
        metrics += [MeanIoU(channel, f"iou_{channel}") for channel in range(channels)]
    # XLA compiles for a minute and then runs slower on a CPU.
    trained.compile(
        optimizer,
        objective(train, config, channels, masks),
        metrics=metrics,
        jit_compile=_on_accelerator(),
    )
    return trained, metrics


def _optimizer(
    config: TrainConfig, rate: float | keras.optimizers.schedules.LearningRateSchedule
) -> keras.optimizers.Optimizer:
    shared = {
        "weight_decay": config.weight_decay,
        "global_clipnorm": config.clip or None,
        "use_ema": bool(config.ema),
        "ema_momentum": config.ema,
    }
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **shared)
    kinds = {
        "adamw": keras.optimizers.AdamW,
        "adam": keras.optimizers.Adam,
        "rmsprop": keras.optimizers.RMSprop,
    }
    return kinds[config.optimizer](rate, **shared)


def _on_accelerator() -> bool | str:
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf

    return "auto" if tf.config.list_physical_devices("GPU") else False
