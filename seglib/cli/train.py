"""`seglib train`: a network from a prepared data set.

Chapter: training on Colab.
"""

import argparse
from pathlib import Path
from typing import Any

from seglib.cli import options as shared
from seglib.errors import SeglibError


def add_parser(commands: Any, complete: bool = True) -> None:
    """Add `train`; with `complete` False without the options that are read off the configs."""
    parser = commands.add_parser(
        "train", help="train a network; the same command goes on after a stop"
    )
    shared.add_data(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="the run's folder"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="pictures a step [32]")
    parser.add_argument(
        "--augment",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="vary the pictures from epoch to epoch [on]",
    )
    parser.set_defaults(run=_train)
    # The options of networks and training are read off their configs, which takes Keras.
    if complete:
        from seglib.models import UNetConfig
        from seglib.training import TrainConfig

        shared.add_fields(parser, UNetConfig, leave_out=("labels",))
        shared.add_fields(parser, TrainConfig)


def _train(options: argparse.Namespace) -> None:
    import keras

    from seglib import models
    from seglib.data import AugmentConfig, Batches
    from seglib.training import TrainConfig, fit

    if options.batch_size < 1:
        raise SeglibError(f"--batch-size is {options.batch_size}; give 1 or more")
    config = shared.from_fields(TrainConfig, options)
    train = shared.dataset(options.data, "train", options.kind)
    val = shared.dataset(options.data, "val", options.kind)
    network = shared.from_fields(models.UNetConfig, options, labels=(train.kind,))
    keras.utils.set_random_seed(config.seed)
    model = models.mobile_unet(network)
    augment = AugmentConfig() if options.augment else None
    photos, masks = train.arrays(network.size)
    if masks.min() == masks.max():
        raise SeglibError(
            f"{options.data}: its {len(train)} {train.kind} masks hold one class only; "
            "add photos whose masks mark something and leave something out"
        )
    batches = Batches(photos, masks, options.batch_size, network.size, augment, config.seed, True)
    checks = Batches(*val.arrays(network.size), options.batch_size, network.size)
    print(f"{train.name}: {len(train)} photos to learn from, {len(val)} to check on")
    history = fit(model, batches, checks, config, options.output)
    weights = models.save(model, network, options.output / f"model{shared.WEIGHTS}")
    best = ", ".join(f"{name} {value:.4g}" for name, value in history.best.items())
    print(f"best epoch: {best}\nwrote {weights}")
