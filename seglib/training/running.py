"""From an experiment to weights: what `seglib train` does.

Chapter: training on Colab.
"""

import contextlib
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras

from seglib import data, models
from seglib.data.batches import Batches
from seglib.data.previous import FIRST_FRAMES, VideoBatches
from seglib.errors import SeglibError
from seglib.models import UNetConfig
from seglib.training.devices import precision
from seglib.training.distil import distil
from seglib.training.experiment import DataConfig, Experiment, write_experiment
from seglib.training.logs import History
from seglib.training.loop import fit
from seglib.training.progress import Watch


def run(
    experiment: Experiment,
    folder: str | Path,
    watch: Watch | None = None,
    notify: Sequence[str] = (),
    shard: tuple[int, int] = (0, 1),
) -> History:
    """Train what an experiment describes; called again, a stopped run goes on.

    Besides what `fit` writes, the folder gets `experiment.yaml`, the whole description, and
    `model.weights.h5` with `model.json`, the finished network.

    Args:
        experiment: what to train, on what and how.
        folder: the run's.
        watch: as for `fit`.
        notify: as for `fit`.
        shard: (index, count) of this process among several, from `all_devices`.

    Raises:
        SeglibError: the data, the weights to start from or the folder cannot be used.
    """
    folder, config = Path(folder), experiment.train
    train_set, val_set = (_dataset(experiment.data, split) for split in ("train", "val"))
    network = experiment.network
    if isinstance(network, UNetConfig) and network.labels == UNetConfig().labels:
        network = replace(network, labels=(train_set.kind,))
    photos, masks = train_set.arrays(network.size)
    if masks.min() == masks.max():
        raise SeglibError(
            f"{experiment.data.name}: its {len(train_set)} {train_set.kind} masks hold one class "
            "only; add photos whose masks mark something and leave something out"
        )
    if experiment.data.teacher:
        masks, _ = distil(
            photos, masks, experiment.data.teacher, experiment.data.teacher_weight, cache=folder
        )
    keras.utils.set_random_seed(config.seed)
    with precision(experiment.precision):
        model = models.from_config(network, experiment.encoder_weights)
    if experiment.weights:
        _fill(model, Path(experiment.weights))
    several = {"batch_size": experiment.data.batch_size, "size": network.size, "shard": shard}
    several["workers"] = experiment.data.workers
    cut, first = Batches, {}
    if models.reads_previous(model):
        cut, first = VideoBatches, {"previous": FIRST_FRAMES}
    train = cut(
        photos, masks, augment=experiment.augment, seed=config.seed, shuffle=True, **several
    )
    val = cut(*val_set.arrays(network.size), **several, **first)
    print(f"{train_set.name}: {len(train_set)} photos to learn from, {len(val_set)} to check on")
    history = fit(model, train, val, config, folder, watch, notify)
    with contextlib.ExitStack() as stack:
        if shard[0]:
            # Keras brings weights together from all processes: each saves, one file is wanted.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_experiment(replace(experiment, network=network), folder / "experiment.yaml")
        models.save(model, network, folder / "model.weights.h5")
    return history


def _dataset(wanted: DataConfig, split: str) -> data.Dataset:
    """Open a folder, or load a set by name; its notices go to the standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        if Path(wanted.name).is_dir():
            return data.open_folder(wanted.name, split, wanted.kind)
        if Path(wanted.name).name != wanted.name:
            raise SeglibError(
                f"there is no folder {wanted.name}; give a prepared data set or its name"
            )
        return data.load(wanted.name, split, wanted.kind)


def _fill(model: keras.Model, path: Path) -> None:
    """Fill a network from weights of one that is built alike.

    One that reads the mask of the frame before may start from one that does not.
    """
    start = models.load(path)
    if models.reads_previous(model) and not models.reads_previous(start):
        start, _ = models.add_previous(start, models.load_config(path))
    weights = start.get_weights()
    if [w.shape for w in weights] != [tuple(w.shape) for w in model.weights]:
        raise SeglibError(
            f"{path} holds the weights of another network than {model.name}; describe the network "
            "as in the .json beside it, or choose other weights"
        )
    model.set_weights(weights)
