"""Set networks that started from ImageNet beside those that started from nothing.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/imagenet_start.py RUNS \
        seglib/assets/imagenet_start.csv

RUNS is the folder in which `weights.recipe` has run `all` and `scratch`. Their networks
are exported as the shipped ones are and scored on the same val photos; `gap` is the IoU from
ImageNet minus that from nothing, photo by photo, with its paired bootstrap interval.
"""

import argparse
from pathlib import Path

from study import as_shipped, one_thread, plain_errors, real_set, write_rows
from weights.package_model import NAMES, VAL_SETS
from weights.recipes import RECIPES, Recipe

from seglib.evaluation import evaluate

COLUMNS = (
    *("network", "set", "photos", "seed", "passes", "scratch_passes", "iou", "boundary_iou"),
    *("scratch_iou", "scratch_boundary_iou", "gap", "gap_low", "gap_high"),
)
VARIANTS = ("all", "scratch")


def passes(recipe: Recipe) -> int:
    """Count the passes over the photos in all stages of a recipe."""
    return sum(stage.epochs for stage in (*recipe.joint, recipe.tune, recipe.polish))


@plain_errors
def main() -> int:
    """Score all and write the file; 2 where photos or runs are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, help="the recipe's output folder")
    parser.add_argument("results", type=Path, help="CSV file to write")
    options = parser.parse_args()
    one_thread()
    rows = []
    for task, name in NAMES.items():
        begun, scratch = (
            as_shipped(options.runs / variant / f"{task}.weights.h5") for variant in VARIANTS
        )
        for where in VAL_SETS[task]:
            photos = real_set(where, "val", task)
            here, there = (evaluate(one, photos, progress=False) for one in (begun, scratch))
            gap = here.against(there, "iou")
            means = (here.means, there.means)
            scores = [one[key] for one in means for key in ("iou", "boundary_iou")]
            numbers = [f"{number:.4f}" for number in (*scores, gap.mean, gap.low, gap.high)]
            counts = [passes(RECIPES[variant]) for variant in VARIANTS]
            facts = (name, where, len(photos), RECIPES["all"].seed, *counts)
            rows.append(dict(zip(COLUMNS, (*facts, *numbers), strict=True)))
            print(*rows[-1].values(), flush=True)
    write_rows(options.results, COLUMNS, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
