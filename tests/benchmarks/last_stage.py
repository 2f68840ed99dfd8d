"""Measure what a last stage on photos that are changed less is worth to the hair network.

    SEGLIB_DATA=/folder/of/sets SEGLIB_PEERS=/folder/of/models python \
        tests/benchmarks/last_stage.py RUNS/all/hair.tuned.weights.h5 seglib/assets/last_stage.csv

The first file is what the recipe leaves before that stage. From there, the same pictures are shown
for the same steps in three arms: "changed as before", every photo warped and coloured as in all
stages before; "changed less", about a third as far; "not changed", but for flips. "before" has no
last stage. Each network gets its last bias from the recipe's `calibrate` and is scored as a
`.tflite` at the photos' own size. Rows are written when a run ends; started again, finished runs
are skipped.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import baselines
from study import one_thread, plain_errors, read_rows, real_set, write_rows
from weights import recipe, recipes, training_mix

from seglib import data, models
from seglib.evaluation import evaluate
from seglib.runtime import Segmenter

SETS = ("figaro1k", "lfw_hair", "ccp_upper")
TEACHERS = {"person": "mp_selfie", "hair": "mp_hair"}
COLUMNS = ("arm", "seed", "steps", "set", "photos", "iou", "boundary_iou")


LESS = data.AugmentConfig(
    rotate=8,
    zoom=(0.9, 1.2),
    stretch=0.05,
    shear=0.03,
    shift=0.06,
    contrast=0.15,
    gamma=0.2,
    saturation=0.25,
    tint=0.05,
    grey=0.04,
    blur=0.05,
    noise=0.1,
)
ARMS = {
    "before": None,
    "changed as before": data.AugmentConfig(),
    "changed less": LESS,
    "not changed": recipes.FLIPS,
}


def run(
    start: Path, arm: str, seed: int, shown: training_mix.TrainingMix, val: training_mix.TrainingMix
) -> list[dict]:
    """Train one arm; returns a row a set."""
    import keras

    from seglib.export import to_tflite

    plan = replace(recipes.RECIPES["all"], seed=seed)
    stage = replace(plan.polish, epochs=1, learning_rate=3e-4, ema=0.99)
    keras.utils.set_random_seed(seed)
    model = models.load(start)
    with tempfile.TemporaryDirectory() as folder:
        task, steps = shown.of("hair"), 0
        if ARMS[arm] is not None:
            stage, steps = replace(stage, augment=ARMS[arm]), len(task.batches(plan, stage.size))
            recipe.train_stage(model, plan, stage, task, val.of("hair"), Path(folder) / "run")
        recipe.calibrate(model, shown.of("hair"), plan)
        segmenter = Segmenter(to_tflite(model, Path(folder) / "hair.tflite"))
        rows = []
        for name in SETS:
            photos = real_set(name, "val", "hair")
            means = evaluate(segmenter, photos, progress=False).means
            numbers = [f"{means[score]:.4f}" for score in ("iou", "boundary_iou")]
            values = (arm, seed, steps, name, len(photos), *numbers)
            rows.append(dict(zip(COLUMNS, map(str, values), strict=True)))
    return rows


@plain_errors
def main() -> int:
    """Do the runs that are missing; 2 where photos or teachers are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("start", type=Path, help="weights of the stage before")
    parser.add_argument("results", type=Path, help="CSV file of results")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    one_thread()
    rows = read_rows(options.results)
    done = {(row["arm"], row["seed"]) for row in rows}
    wanted = [(arm, seed) for seed in options.seeds for arm in ARMS]
    # Without chance, one run says it all.
    wanted = [pair for pair in wanted if pair[0] != "before" or pair[1] == options.seeds[0]]
    wanted = [(arm, seed) for arm, seed in wanted if (arm, str(seed)) not in done]
    if wanted:
        plan = recipes.RECIPES["all"].last()
        teachers = {task: baselines.path(name) for task, name in TEACHERS.items()}
        shown, val = training_mix.load_training(plan, teachers), training_mix.load_validation(plan)
    for arm, seed in wanted:
        rows += run(options.start, arm, seed, shown, val)
        write_rows(options.results, COLUMNS, rows)
        print(arm, seed, [row["iou"] for row in rows[-len(SETS) :]], flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
