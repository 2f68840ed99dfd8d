"""Measure what synthetic portraits are worth: train on them, on a few real photos, and on both.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/domain_gap.py RESULTS.csv

Each run trains one small network from nothing, with the same number of steps whatever it sees:
"synthetic" pictures alone, --real "real" photos alone, "mixed", half of each batch from either, or
"tuned", synthetic pictures for the first half of the steps and real photos for the second.
It is scored on whole val sets, at the photos' own size. RESULTS.csv gets rows when a run ends;
started again, what is there is skipped. RESULTS.json beside it holds means and spread over seeds.
"""

import argparse
import functools
import json
from pathlib import Path

import numpy as np
from study import one_thread, plain_errors, read_rows, real_set, write_rows

from seglib import data
from seglib.errors import SeglibError
from seglib.files import atomic_path

ARMS = ("synthetic", "real", "mixed", "tuned")
SETS = {"person": ("eg1800",), "hair": ("figaro1k", "lfw_hair")}
"""Per task the real sets; photos to train on come from the first, all val splits are scored."""
SIZE, SOURCE_SIZE, BATCH = 96, 112, 32
COLUMNS = ("task", "arm", "seed", "set", "iou", "boundary_iou", "settings")


@functools.lru_cache(maxsize=1)
def drawn(count: int, seed: int) -> "data.synthetic.Portraits":
    """Draw the synthetic portraits of one seed, once for both tasks."""
    return data.synthetic.portraits(count, SOURCE_SIZE, seed=1000 + seed)


def pictures(task: str, arm: str, seed: int, options: argparse.Namespace) -> tuple:
    """Return the arm's training images and masks, as many for every arm."""
    parts = []
    if arm != "real":
        parts.append(drawn(options.synthetic, seed).dataset(task).arrays(SOURCE_SIZE))
    if arm != "synthetic":
        photos = real_set(SETS[task][0], "train", task).subset(options.real, seed)
        parts.append(photos.arrays(SOURCE_SIZE))
    share = 2 * options.synthetic // len(parts)
    rows = [np.arange(share) % len(images) for images, _ in parts]
    return tuple(
        np.concatenate([part[k][row] for part, row in zip(parts, rows, strict=True)])
        for k in (0, 1)
    )


def run(task: str, arm: str, seed: int, options: argparse.Namespace) -> list[dict]:
    """Train one network and score it; returns one row per val set."""
    import keras

    from seglib.evaluation import evaluate
    from seglib.images import resize
    from seglib.models import UNetConfig, mobile_unet
    from seglib.training import TrainConfig, fit

    keras.utils.set_random_seed(seed)
    model = mobile_unet(UNetConfig(size=SIZE, width=0.35, labels=(task,)))
    stages = ("synthetic", "real") if arm == "tuned" else (arm,)
    for stage in stages:
        images, masks = pictures(task, stage, seed, options)
        train = data.Batches(images, masks, BATCH, SIZE, data.AugmentConfig(), seed, shuffle=True)
        epochs = options.epochs // len(stages)
        fit(model, train, config=TrainConfig(epochs=epochs, seed=seed, bn_batches=30))

    def segment(photo: np.ndarray) -> np.ndarray:
        small = resize(photo, (SIZE, SIZE))[None].astype(np.float32)
        mask = keras.ops.convert_to_numpy(model(small, training=False))[0, ..., 0]
        return np.clip(resize(mask, photo.shape[:2]), 0, 1)

    rows = []
    for name in SETS[task]:
        means = evaluate(segment, real_set(name, "val", task), progress=False).means
        rows.append(
            {
                "task": task,
                "arm": arm,
                "seed": seed,
                "set": name,
                "iou": f"{means['iou']:.4f}",
                "boundary_iou": f"{means['boundary_iou']:.4f}",
            }
        )
    return rows


def summary(rows: list[dict]) -> list[dict]:
    """Mean, standard deviation and count over seeds for each task, val set and arm."""
    table = {}
    for row in rows:
        table.setdefault((row["task"], row["set"], row["arm"]), []).append(float(row["iou"]))
    return [
        {
            "task": task,
            "set": name,
            "arm": arm,
            "mean_iou": round(float(np.mean(scores)), 4),
            "deviation": round(float(np.std(scores, ddof=1)), 4) if len(scores) > 1 else None,
            "seeds": len(scores),
        }
        for (task, name, arm), scores in sorted(table.items())
    ]


def read(path: Path, settings: str) -> list[dict]:
    """Read the rows of finished runs.

    Raises:
        SeglibError: they were made with other settings.
    """
    rows = read_rows(path)
    others = {row["settings"] for row in rows} - {settings}
    if others:
        raise SeglibError(
            f"{path} holds runs of {others.pop()}, these are of {settings}; name a new file"
        )
    return rows


def write(path: Path, rows: list[dict]) -> None:
    """Write all rows and, beside them, their summary."""
    write_rows(path, COLUMNS, rows)
    with atomic_path(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(summary(rows), indent=1) + "\n")


@plain_errors
def main() -> int:
    """Do the runs that are missing and print the summary; 2 where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="CSV file of results")
    parser.add_argument("--epochs", type=int, default=3, help="an epoch is --synthetic / 16 steps")
    parser.add_argument("--synthetic", type=int, default=1600, help="portraits to draw")
    parser.add_argument("--real", type=int, default=50, help="photos to train on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tasks", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    options = parser.parse_args()
    one_thread()
    version = getattr(data.synthetic, "VERSION", 1)
    settings = (
        f"version {version}, {options.synthetic} synthetic, {options.real} real, "
        f"{options.epochs} epochs"
    )
    rows = read(options.results, settings)
    done = {(row["task"], row["arm"], int(row["seed"])) for row in rows}
    for seed in options.seeds:
        for arm in options.arms:
            for task in options.tasks:
                if (task, arm, seed) in done:
                    continue
                new = run(task, arm, seed, options)
                rows += [{**row, "settings": settings} for row in new]
                write(options.results, rows)
                print(
                    *(
                        f"{r['task']} {r['arm']} seed {r['seed']}: {r['set']} {r['iou']}"
                        for r in new
                    ),
                    sep="\n",
                    flush=True,
                )
    for row in summary(rows):
        print(row)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
