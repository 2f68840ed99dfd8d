"""Measure what a teacher is worth to the portrait network, whose photos have labels.

    SEGLIB_DATA=/folder/of/sets SEGLIB_PEERS=/folder/of/models python \
        tests/benchmarks/teacher_worth.py RUNS seglib/assets/teacher_worth.csv

RUNS is where `weights.recipe` left `all` and `teacher`. From the tuned weights of `all`,
the same pictures are shown for the same steps in both arms: with their labels alone, and with
labels that are mixed half and half by `seglib.training.distil` with the masks of a larger network,
that of `teacher`, tuned on the same photos. The hair photos have no label of persons; as in the
recipe, MediaPipe's masks stand for it in both arms. The recipe's last stage and its blend follow.
"as shipped" ends without those passes; "the teacher itself" is the large network before its own
last stage. All are scored as a `.tflite` at the photos' own size; the gaps are IoU minus that of
"as shipped" on the same photos, with their paired intervals. Rows are written when a run ends;
started again, finished runs are skipped, and what `--keep` holds is scored without being trained
again.
"""

import argparse
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path

import baselines
from study import as_shipped, one_thread, plain_errors, read_rows, real_set, write_rows
from weights import recipe, recipes, training_mix
from weights.package_model import VAL_SETS

from seglib import models, training
from seglib.evaluation import evaluate
from seglib.runtime import Segmenter

START, LARGE = "all/person.tuned.weights.h5", "teacher/person.tuned.weights.h5"
SHARE = 0.5
STAGE = recipes.Stage(128, 10, 1e-3)
ARMS = ("as shipped", "the teacher itself", "labels alone", "large")
FIXED = {"as shipped": "all/person.weights.h5", "the teacher itself": LARGE}
GAPS = ("gap", "gap_low", "gap_high")
COLUMNS = ("arm", "seed", "passes", "set", "photos", "iou", "boundary_iou", *GAPS)


def taught(pictures: training_mix.TrainingMix, by: Segmenter | None) -> training_mix.TrainingMix:
    """Return a pool whose person masks are mixed with a teacher's."""
    if by is None:
        return pictures
    masks, _ = training.distil(pictures.images, pictures.masks, by, SHARE)
    return replace(pictures, masks=masks)


def run(runs: Path, arm: str, seed: int, path: Path) -> None:
    """Train one arm and save what would ship."""
    import keras

    plan = replace(recipes.RECIPES["all"], seed=seed)
    by = as_shipped(runs / LARGE) if arm == "large" else None
    val = training_mix.load_validation(plan).of("person")
    keras.utils.set_random_seed(seed)
    model, config = models.load(runs / START), models.load_config(runs / START)
    person = {"person": baselines.path("mp_selfie")}
    states = []
    with tempfile.TemporaryDirectory() as folder:
        for stage, pictures in ((STAGE, plan), (plan.polish, plan.last())):
            labelled = training_mix.load_training(pictures, person)
            shown = taught(labelled, by).of("person")
            recipe.train_stage(model, plan, stage, shown, val, Path(folder) / str(len(states)))
            recipe.calibrate(model, labelled.most_repeated("person"), plan)
            states.append(model.get_weights())
    recipe.blend(model, states[0], plan.blend)
    models.save(model, config, path)


def scored(segmenter: Segmenter, shipped: Segmenter, arm: str, seed: int) -> list[dict]:
    """Return a row a set."""
    rows = []
    passes = 0 if arm in FIXED else STAGE.epochs
    for name in VAL_SETS["person"]:
        photos = real_set(name, "val", "person")
        found, base = (evaluate(one, photos, progress=False) for one in (segmenter, shipped))
        gap = found.against(base)
        means = (found.means["iou"], found.means["boundary_iou"], gap.mean, gap.low, gap.high)
        numbers = [f"{number:.4f}" for number in means]
        values = (arm, seed, passes, name, len(photos), *numbers)
        rows.append(dict(zip(COLUMNS, map(str, values), strict=True)))
    return rows


@plain_errors
def main() -> int:
    """Do the runs that are missing; 2 where photos or teachers are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, help="the recipe's output folder")
    parser.add_argument("results", type=Path, help="CSV file of results")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--keep", type=Path, help="folder for the trained weights")
    options = parser.parse_args()
    one_thread()
    rows = read_rows(options.results)
    done = {(row["arm"], row["seed"]) for row in rows}
    shipped = as_shipped(options.runs / FIXED["as shipped"])
    with tempfile.TemporaryDirectory() as temporary:
        trained = options.keep or Path(temporary)
        trained.mkdir(parents=True, exist_ok=True)
        # What is not trained here has one row a set, whatever the seeds.
        wanted = [(0, arm) for arm in options.arms if arm in FIXED]
        wanted += product(options.seeds, [arm for arm in options.arms if arm not in FIXED])
        for seed, arm in wanted:
            if (arm, str(seed)) in done:
                continue
            name = f"{arm.replace(' ', '_')}-{seed}.weights.h5"
            path = options.runs / FIXED[arm] if arm in FIXED else trained / name
            if not path.exists():
                run(options.runs, arm, seed, path)
            rows += scored(as_shipped(path), shipped, arm, seed)
            write_rows(options.results, COLUMNS, rows)
            print(arm, seed, [row["iou"] for row in rows[-len(VAL_SETS["person"]) :]], flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
