"""Measure what the last stage costs where photos are damaged, and what a blend wins back.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/last_stage_damage.py RUNS/all \
        seglib/assets/last_stage_damage.csv

RUNS/all is what `weights.recipe` leaves: the weights before the last stage ("before"),
those after it ("polished"), and what lies between them and ships ("shipped"). All are scored on val
photos, undamaged and hurt in every way of `evaluation.robustness.CORRUPTIONS`. The gaps are IoU
minus that of "before" on the same pictures, with their paired intervals.
"""

import argparse
from pathlib import Path

from study import as_shipped, one_thread, plain_errors, real_set, write_rows
from weights.package_model import NAMES

from seglib.evaluation.robustness import evaluate_corrupted

SETS = {"person": "eg1800", "hair": "figaro1k"}
STATES = {"before": ".tuned", "polished": ".polished", "shipped": ""}
GAPS = ("gap", "gap_low", "gap_high")
COLUMNS = (
    *("network", "set", "kind", "level", "photos", *STATES, *GAPS),
    *(f"polished_{name}" for name in GAPS),
)


@plain_errors
def main() -> int:
    """Score all and write the table; 2 where photos are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, help="folder of the recipe's variant")
    parser.add_argument("results", type=Path, help="CSV file to write")
    options = parser.parse_args()
    one_thread()
    rows = []
    for task, where in SETS.items():
        photos = real_set(where, "val", task)
        states = [options.runs / f"{task}{state}.weights.h5" for state in STATES.values()]
        found = [evaluate_corrupted(as_shipped(weights), photos) for weights in states]
        for before, polished, shipped in zip(*found, strict=True):
            gaps = [one.scores.against(before.scores) for one in (shipped, polished)]
            means = [one.scores.means["iou"] for one in (before, polished, shipped)]
            numbers = (*means, *(n for gap in gaps for n in (gap.mean, gap.low, gap.high)))
            facts = (NAMES[task], where, before.kind, f"{before.level:g}", str(len(photos)))
            row = (*facts, *(f"{number:.4f}" for number in numbers))
            rows.append(dict(zip(COLUMNS, row, strict=True)))
            print(*row, flush=True)
    write_rows(options.results, COLUMNS, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
