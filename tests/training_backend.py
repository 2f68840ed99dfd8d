"""Train a tiny network in this process, on the backend that KERAS_BACKEND names.

    KERAS_BACKEND=jax python tests/training_backend.py FOLDER [one|mirrored|two INDEX PORT]

"one" learns, is interrupted, goes on, and prints both losses; "mirrored" shares each batch between
two virtual CPU devices; "two" is one of two processes that share each step (JAX).
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

HOW = sys.argv[2] if len(sys.argv) > 2 else "one"
if HOW == "mirrored":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import keras

from seglib import training
from training_net import HARD, batches, net

CONFIG = replace(HARD, epochs=2)


class Unplugged(KeyboardInterrupt):
    """The machine is gone."""


def one(folder: Path) -> dict:
    """Train in one go, and interrupted within the second epoch."""
    whole = training.fit(net(), batches(), batches(9, train=False), CONFIG).rows
    train = batches()
    read = train.sampler.pictures

    def pull_the_plug(epoch, index):
        if (folder / "checkpoint.npz").exists() and (epoch, index) == (1, 2):
            raise Unplugged
        return read(epoch, index)

    train.sampler.pictures = pull_the_plug
    try:
        training.fit(net(), train, batches(9, train=False), CONFIG, folder)
    # TensorFlow turns what happens in its reader into an error of its own.
    except (Unplugged, Exception) as error:
        stopped = type(error).__name__
    else:
        stopped = None
    again = training.fit(net(), batches(), batches(9, train=False), CONFIG, folder).rows
    return {"stopped": stopped, "whole": whole, "again": again}


def mirrored(folder: Path) -> dict:
    """Train on two virtual devices, and on one."""
    config = training.TrainConfig(epochs=2, learning_rate=0.01, optimizer="sgd", bn_batches=0)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
        devices = len(tf.config.list_logical_devices("CPU"))
    else:
        import jax

        devices = jax.device_count()
    with training.all_devices() as shard:
        model = net(dropout=0.0)
        rows = training.fit(model, batches(shard=shard), None, config, folder).rows
        again = training.fit(net(dropout=0.0), batches(shard=shard), None, config, folder).rows
    alone = training.fit(net(dropout=0.0), batches(), None, config).rows
    return {"devices": devices, "rows": rows, "again": again, "alone": alone}


def two(folder: Path, index: int, port: int) -> dict:
    """Be one of two processes."""
    training.join(f"127.0.0.1:{port}", 2, index)
    config = training.TrainConfig(epochs=2, learning_rate=0.01, optimizer="sgd", bn_batches=0)
    with training.all_devices() as shard:
        train = batches(shard=shard)
        # Half as many pictures each: together a step is that of one process.
        train.sampler.batch_size = 8
        rows = training.fit(net(dropout=0.0), train, None, config, folder).rows
    return {"shard": shard, "rows": rows, "files": sorted(p.name for p in folder.iterdir())}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    run = {"one": one, "mirrored": mirrored, "two": two}[HOW]
    print(json.dumps(run(folder, *map(int, sys.argv[3:]))))
