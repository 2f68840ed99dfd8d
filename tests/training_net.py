"""A network of a few layers, pictures that it can learn, and a run that can be killed.

    python tests/training_net.py FOLDER

trains once undisturbed and once killed by SIGKILL at random moments and started again, in processes
of their own, and prints both logs as JSON.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

from seglib.data import AugmentConfig, Batches
from seglib.training import TrainConfig, fit

KILLS = 3


def net(dropout: float = 0.2) -> keras.Model:
    """Two halvings and back, with the names and the parts that networks of the zoo have."""
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    skips = []
    for index, name in enumerate(("stem", "block1", "block2")):
        x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False, name=f"{name}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu{index}")(x)
        skips.append(x)
    for index, skip in enumerate(skips[-2::-1]):
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = layers.Concatenate()([x, skip])
        x = layers.Conv2D(8, 3, padding="same", activation="relu", name=f"up{index}_conv")(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Conv2D(1, 1, name="logits", dtype="float32")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", dtype="float32")(x)
    return keras.Model(image, layers.Activation("sigmoid", name="mask", dtype="float32")(x))


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Warm ellipses on cool noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:1:32j, 0:1:32j]
    centres, radii = rng.uniform(0.3, 0.7, (2, count, 1, 1)), rng.uniform(0.15, 0.3, (count, 1, 1))
    masks = (y - centres[0]) ** 2 + (x - centres[1]) ** 2 < radii**2
    photos = np.where(masks[..., None], (200, 120, 60), (60, 100, 180)) + rng.normal(
        0, 20, (count, 32, 32, 3)
    )
    return photos.clip(0, 255).astype(np.uint8), masks.astype(np.uint8) * 255


def batches(seed: int = 0, train: bool = True, **options) -> Batches:
    """48 pictures in three batches, augmented and shuffled, or 16 in one."""
    return Batches(
        *blobs(48 if train else 16, seed),
        batch_size=16,
        size=32,
        augment=AugmentConfig() if train else None,
        seed=1,
        shuffle=train,
        **options,
    )


HARD = TrainConfig(
    epochs=4,
    learning_rate=0.02,
    optimizer="sgd",
    schedule="plateau",
    plateau_patience=1,
    ema=0.8,
    clip=1.0,
    deep_supervision=0.4,
    freeze="half",
    bn_batches=2,
    seed=5,
)
"""All that has a state of its own at once: momentum, running means, plateau, dropout, heads."""


class _Told(Batches):
    """Batches that write a byte for each one that is asked for."""

    pipe = -1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        os.write(self.pipe, b".")
        return super().__getitem__(index)


def start(folder: Path) -> tuple[int, int]:
    """Begin the run in a new process; return its number and where its bytes arrive."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    train = batches()
    train.__class__, train.pipe = _Told, writing
    network = net()
    fit(network, train, batches(9, train=False), HARD, folder, watch=lambda progress: None)
    np.savez(folder / "end.npz", *network.get_weights())
    os._exit(0)


def main(folder: Path) -> None:
    """Run both and print their logs, and how many bytes each killed process had written."""
    seed = random.randrange(10**6)
    chance, lived = random.Random(seed), []
    whole, _ = start(folder / "whole")
    os.waitpid(whole, 0)
    for _ in range(KILLS):
        child, reading = start(folder / "killed")
        # Keras looks at a batch before it begins; an epoch has three.
        wanted = chance.randint(2, 8)
        while wanted and (read := os.read(reading, 1)):
            wanted -= len(read)
        time.sleep(chance.random() / 10)
        os.kill(child, signal.SIGKILL)
        lived.append(os.waitpid(child, 0)[1] == signal.SIGKILL)
    last, _ = start(folder / "killed")
    os.waitpid(last, 0)
    from seglib.training import read_history

    print(
        json.dumps(
            {
                "seed": seed,
                "killed": lived,
                "whole": read_history(folder / "whole").rows,
                "again": read_history(folder / "killed").rows,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
