"""The parity matrix of every shipped network and of the zoo, on real photos, kept as a table.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/parity_matrix.py RESULTS.csv

The shipped networks go to every target, on photos that they were not trained on; the zoo's, as
`zoo_training.py` left their weights in the folder that --zoo names, to one target for each kind of
arithmetic.

Rows of a network are kept, unless it has got other weights. Exit code 1 where an export is broken
or refused.
"""

import argparse
import sys
from pathlib import Path

from study import one_thread, read_rows, real_set, write_rows

from seglib import models, pretrained

SETS = {"portrait": ("eg1800", "person"), "hair": ("figaro1k", "hair")}
# One target for each format and each arithmetic; the others differ in storage alone.
ZOO_TARGETS = (
    *("tflite-float32", "tflite-float16", "tflite-dynamic", "tflite-int8", "tflite-int8-weights"),
    *("coreml-float32", "coreml-neuralnetwork", "onnx", "ncnn-float32", "graphdef"),
)
COLUMNS = (
    *("group", "model", "weights", "size", "photos", "target", "way", "precision", "kib"),
    *("max_diff", "mean_diff", "iou_agreement", "task_iou", "keras_iou", "ratio"),
    *("problem", "skipped"),
)


def measured(group: str, name: str, model, options: argparse.Namespace) -> list[dict]:
    """Return the rows of one network."""
    from seglib.export import TARGETS, matrix
    from seglib.export.graph import weights_sha256

    shipped = group == "shipped"
    size = model.input_shape[1]
    chosen, kind = SETS[name.removesuffix("_open")] if shipped else SETS["portrait"]
    tests, truths = real_set(chosen, "val", kind).subset(options.count).arrays(size)
    others, _ = real_set(chosen, "train", kind).subset(64).arrays(size)
    if not shipped:
        tests, truths = tests[: options.count // 2], truths[: options.count // 2]
    targets = options.targets or (list(TARGETS) if shipped else ZOO_TARGETS)
    found = matrix(
        model, tests, truths, others,
        targets=targets, turns=options.turns, gpu=not options.no_gpu,
        progress=lambda target: print(f"{name}: {target}", file=sys.stderr, flush=True),
    )  # fmt: skip
    facts = {
        "group": group, "model": name, "weights": weights_sha256(model)[:12], "size": size,
        "photos": len(tests), "keras_iou": found.task_iou,
    }  # fmt: skip
    print(f"### {name}\n\n{found.table()}\n", flush=True)
    rows = [{**facts, **row} for row in found.records()]
    for row in rows:
        row["way"] = row.pop("backend")
    for row in rows:
        # Other programs delay the second of two threads: such a time says nothing about the file.
        if not row["way"].endswith("1 thread"):
            row["ratio"] = None
    return [{key: _text(row[key]) for key in COLUMNS} for row in rows]


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())


def main() -> int:
    """Do the networks that are missing; 1 where an export is broken."""
    from seglib.export.graph import weights_sha256

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="CSV file of results")
    parser.add_argument("--zoo", type=Path, help="folder of weights that zoo_training.py left")
    parser.add_argument("--networks", nargs="+", help="only these [all]")
    parser.add_argument("--targets", nargs="+", help="only these [all; of the zoo ten]")
    parser.add_argument("--count", type=int, default=16, help="photos; the zoo gets half [16]")
    parser.add_argument("--turns", type=int, default=10, help="of the stop-watch [10]")
    parser.add_argument("--no-gpu", action="store_true", help="leave the GPU accelerator out")
    options = parser.parse_args()
    one_thread()
    # Not portrait_video: its second input goes into .tflite files alone.
    shipped = [name for name in pretrained.list_models() if name.removesuffix("_open") in SETS]
    known = [("shipped", name, pretrained.path(name, ".weights.h5")) for name in shipped]
    if options.zoo:
        files = sorted(options.zoo.glob("*.0.weights.h5"))
        known += [("zoo", path.name.removesuffix(".0.weights.h5"), path) for path in files]
    rows = read_rows(options.results)
    for group, name, weights in known:
        if options.networks and name not in options.networks:
            continue
        model = models.load(weights)
        mark = weights_sha256(model)[:12]
        if any((row["group"], row["model"], row["weights"]) == (group, name, mark) for row in rows):
            continue
        fresh = measured(group, name, model, options)
        rows = [row for row in rows if (row["group"], row["model"]) != (group, name)] + fresh
        write_rows(options.results, COLUMNS, rows)
    broken = [row for row in rows if row["problem"]]
    for row in broken:
        print(f"{row['model']}, {row['target']}, {row['way']}: {row['problem']}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
