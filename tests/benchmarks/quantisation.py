"""Measure what int8 costs a shipped network on real photos, and what wins some of it back.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/quantisation.py hair RESULTS.csv

Rows of RESULTS.csv, one a seed where chance has a part:
"float": the shipped network; "int8": converted after training, ranges from 100 training photos;
"int8, few": from four; "int8, noise": from pictures that show nothing; "float, more steps": trained
--steps further; "int8, more steps": that one converted; "int8, aware": trained as many steps with
int8's rounding in the network. All are scored as `.tflite` files at the photos' own size.
"""

import argparse
import csv
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from seglib import data, pretrained
from seglib.errors import SeglibError
from seglib.files import atomic_path

SETS = {"hair": ("figaro1k", "hair"), "portrait": ("eg1800", "person")}
BATCH, RATE = 16, 2e-4
COLUMNS = ("arm", "seed", "model", "set", "steps", "iou", "boundary_iou")


def scores(model, name: str, precision: str, representative: np.ndarray | None, val) -> dict:
    """Write a model as `.tflite` and return its mean scores."""
    from seglib.evaluation import evaluate
    from seglib.export import to_tflite
    from seglib.runtime import Segmenter

    with tempfile.TemporaryDirectory() as folder:
        path = to_tflite(
            model, Path(folder) / f"{name}.tflite", precision, representative=representative
        )
        return evaluate(Segmenter(path), val, progress=False).means


def main() -> int:
    """Write the rows; 2 where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=SETS)
    parser.add_argument("results", type=Path)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import cv2
    import tensorflow as tf

    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    try:
        rows = study(options)
    except SeglibError as error:
        print(error, file=sys.stderr)
        return 2
    with atomic_path(options.results) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return 0


def study(options: argparse.Namespace) -> list[dict]:
    """Make every network and score it; returns the rows."""
    from seglib import models
    from seglib.export.qat import quantisation_aware
    from seglib.training import TrainConfig, fit

    name, kind = SETS[options.model]
    train, val = data.load(name, "train", kind), data.load(name, "val", kind)
    if train.name == "synthetic":
        raise SeglibError(f"the photos of {name} are missing; set SEGLIB_DATA to their folder")
    weights = Path(pretrained.__file__).parent / f"{options.model}.weights.h5"
    size = models.load_config(weights).size
    rows = []

    def add(arm: str, seed: int, model, precision: str, representative=None) -> None:
        means = scores(model, options.model, precision, representative, val)
        facts = {"arm": arm, "seed": seed, "model": options.model, "set": name}
        rows.append(
            {**facts, "steps": options.steps, **{k: f"{means[k]:.4f}" for k in COLUMNS[5:]}}
        )
        print(*rows[-1].values(), flush=True)

    add("float", 0, models.load(weights), "float32")
    for seed in options.seeds:
        photos, masks = train.subset(BATCH * options.steps, seed).arrays(size)
        photos = np.asarray(photos)
        noise = np.random.default_rng(seed).integers(0, 256, (100, size, size, 3), np.uint8)
        model = models.load(weights)
        add("int8", seed, model, "int8", photos[:100])
        add("int8, few", seed, model, "int8", photos[:4])
        add("int8, noise", seed, model, "int8", noise)
        epochs = max(1, options.steps * BATCH // len(photos))
        for aware in (False, True):
            model = models.load(weights)
            if aware:
                model = quantisation_aware(model, photos[:100])
            # A folded network has no statistics left; the other's must fit its last weights.
            config = TrainConfig(
                epochs=epochs, learning_rate=RATE, bn_batches=0 if aware else 30, seed=seed
            )
            batches = data.Batches(photos, masks, BATCH, size, data.AugmentConfig(), seed, True)
            fit(model, batches, config=config)
            if aware:
                add("int8, aware", seed, model, "int8")
            else:
                add("float, more steps", seed, model, "float32")
                add("int8, more steps", seed, model, "int8", photos[:100])
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
