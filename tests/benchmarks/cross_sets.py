"""Train one small network on each set and score it on all: what a set teaches about the others.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/cross_sets.py RESULTS.csv

Every network starts from nothing and takes the same number of steps, with batches of its own set's
train split alone. Scores are means over whole val splits at the photos' own size, with bootstrap
intervals over the photos; another seed of the training is another row. RESULTS.csv gets rows when a
network is done; started again, what is there is skipped.
"""

import argparse
from pathlib import Path

import numpy as np
from study import one_thread, plain_errors, read_rows, real_set, write_rows

from seglib import data
from seglib.evaluation import evaluate

SETS = {
    "person": ("eg1800", "ccp_full", "synthetic"),
    "hair": ("figaro1k", "lfw_hair", "synthetic"),
}
SIZE, SOURCE_SIZE, BATCH = 64, 80, 32
COLUMNS = (
    *("task", "trained_on", "scored_on", "seed", "photos", "iou", "iou_low", "iou_high"),
    *("boundary_iou", "settings"),
)


def run(task: str, home: str, seed: int, options: argparse.Namespace) -> list[dict]:
    """Train one network and score it on every set; returns one row a set."""
    import keras

    from seglib.models import UNetConfig, mobile_unet
    from seglib.runtime import keras_segmenter
    from seglib.training import TrainConfig, fit

    keras.utils.set_random_seed(seed)
    model = mobile_unet(UNetConfig(size=SIZE, width=0.35, labels=(task,)))
    images, masks = real_set(home, "train", task).arrays(SOURCE_SIZE)
    per_epoch = options.steps // options.epochs
    # Sets differ in size; every network sees as many pictures.
    rows = np.resize(np.random.default_rng(seed).permutation(len(images)), per_epoch * BATCH)
    train = data.Batches(
        images[rows], masks[rows], BATCH, SIZE, data.AugmentConfig(), seed, shuffle=True
    )
    fit(model, train, config=TrainConfig(epochs=options.epochs, seed=seed, bn_batches=30))
    found = []
    for name in SETS[task]:
        dataset = real_set(name, "val", task)
        scores = evaluate(keras_segmenter(model), dataset, progress=False)
        one = scores.interval("iou")
        found.append(
            {
                "task": task,
                "trained_on": home,
                "scored_on": name,
                "seed": seed,
                "photos": len(dataset),
                "iou": f"{one.mean:.4f}",
                "iou_low": f"{one.low:.4f}",
                "iou_high": f"{one.high:.4f}",
                "boundary_iou": f"{scores.means['boundary_iou']:.4f}",
                "settings": f"{SIZE} px, {options.steps} steps of {BATCH}, {options.epochs} epochs",
            }
        )
    return found


@plain_errors
def main() -> int:
    """Train what is missing; 2 where photos are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="CSV file of results")
    parser.add_argument("--steps", type=int, default=160, help="of every network [160]")
    parser.add_argument("--epochs", type=int, default=2, help="of the learning rate's plan [2]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--tasks", nargs="+", choices=SETS, default=list(SETS))
    options = parser.parse_args()
    one_thread()
    rows = read_rows(options.results)
    done = {(row["task"], row["trained_on"], int(row["seed"])) for row in rows}
    for seed in options.seeds:
        for task in options.tasks:
            for home in SETS[task]:
                if (task, home, seed) in done:
                    continue
                new = run(task, home, seed, options)
                rows += new
                write_rows(options.results, COLUMNS, rows)
                scores = ", ".join(f"{row['scored_on']} {row['iou']}" for row in new)
                print(f"{task} from {home}, seed {seed}: {scores}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
