"""Score weights on every set that holds a task's masks, photos without anybody among them.

In `tests/benchmarks`:

    python -m weights.scores person val portrait runs/any/person.weights.h5 --csv scores.csv

scores shipped networks (by name), weights of Keras and files of other projects' networks, each at
the photos' own size. `val` is for choosing, `test` for what ships, once.
"""

import argparse
import csv
from pathlib import Path

from baselines import BASELINES, BaselineSegmenter

from seglib import data, models, pretrained
from seglib.evaluation import evaluate
from seglib.runtime import keras_segmenter

SETS = {
    "person": ("eg1800", "ccp_upper", "ccp_full", "scenes", "open_more", "celeba_hq", "portraits"),
    "hair": ("figaro1k", "lfw_hair", "ccp_upper", "celeba_hq", "portraits"),
}
EMPTY, ALARM = "negatives", 0.05


def segmenter(name: str):
    """Return what turns a photo into a mask: a shipped network, Keras weights or a baseline."""
    if name.endswith(".weights.h5"):
        return keras_segmenter(models.load(Path(name)))
    if name.endswith(".tflite"):
        return BaselineSegmenter(BASELINES[Path(name).stem], Path(name))
    return pretrained.load(name)


def score(name: str, task: str, part: str) -> list[dict]:
    """Return a row per set: IoU and boundary IoU, or what is marked where nobody is."""
    segment, rows = segmenter(name), []
    for known in SETS[task]:
        means = evaluate(segment, data.load(known, part, task), progress=False).means
        rows.append({"set": known, "iou": means["iou"], "boundary_iou": means["boundary_iou"]})
    nobody = evaluate(segment, data.load(EMPTY, part, "person"), progress=False).empty_rows
    marked = [row["marked"] for row in nobody]
    alarms = sum(share > ALARM for share in marked) / len(marked)
    rows.append({"set": EMPTY, "marked": sum(marked) / len(marked), "above_5_percent": alarms})
    return [{"network": name, "task": task, "part": part, **row} for row in rows]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=SETS)
    parser.add_argument("part", choices=("val", "test"))
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--csv", type=Path, help="append the rows to this table")
    arguments = parser.parse_args()
    fields = ("network", "task", "part", "set", "iou", "boundary_iou", "marked", "above_5_percent")
    for name in arguments.networks:
        rows = score(name, arguments.task, arguments.part)
        print(name, flush=True)
        for row in rows:
            numbers = [f"{key} {row[key]:.4f}" for key in fields[4:] if key in row]
            print(f"  {row['set']:10} {'  '.join(numbers)}", flush=True)
        if arguments.csv:
            new = not arguments.csv.exists()
            with arguments.csv.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, fields, lineterminator="\n")
                if new:
                    writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
