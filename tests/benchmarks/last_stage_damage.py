"""Measure what the last stage costs where photos are damaged: `portrait` before it and as it ships.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/last_stage_damage.py \
        RUNS/all/person.tuned.weights.h5 seglib/assets/last_stage_damage.csv

Both are scored on EG1800's val photos, undamaged and hurt in every way of `evaluation.robustness`;
`gap` is the shipped network's IoU minus the other's on the same pictures, with its paired interval.
"""

import argparse
import tempfile
from pathlib import Path

from study import one_thread, plain_errors, real_set, write_rows

from seglib import export, models, pretrained
from seglib.evaluation import robustness
from seglib.runtime import Segmenter

COLUMNS = ("kind", "level", "photos", "before", "shipped", "gap", "gap_low", "gap_high")


@plain_errors
def main() -> int:
    """Score both and write the table; 2 where photos are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("start", type=Path, help="weights of the stage before")
    parser.add_argument("results", type=Path, help="CSV file to write")
    options = parser.parse_args()
    one_thread()
    photos = real_set("eg1800", "val", "person")
    with tempfile.TemporaryDirectory() as folder:
        path = export.to_tflite(models.load(options.start), Path(folder) / "before.tflite")
        before = robustness(Segmenter(path), photos)
    shipped = robustness(Segmenter(pretrained.path("portrait")), photos)
    rows = []
    for old, new in zip(before, shipped, strict=True):
        gap = new.scores.against(old.scores)
        means = (old.scores.means["iou"], new.scores.means["iou"], gap.mean, gap.low, gap.high)
        facts = (new.kind, f"{new.level:g}", str(len(photos)))
        rows.append(dict(zip(COLUMNS, (*facts, *(f"{m:.4f}" for m in means)), strict=True)))
    write_rows(options.results, COLUMNS, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
