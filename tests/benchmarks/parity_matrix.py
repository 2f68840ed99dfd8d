"""The parity matrix of every shipped network and of the zoo, on real photos, kept as a table.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/parity_matrix.py RESULTS.csv

The shipped networks go to every target, on photos that they were not trained on. Those of the zoo
have no weights to ship: `seglib.models.build` gives them random ones, BatchNorm gets random
statistics, and the last layer is scaled until masks fill the range from 0 to 1. With the masks
of a fresh network, which are one half everywhere, every comparison would pass. What such a matrix
proves is that the operations survive; what int8 costs a trained network it cannot say.

Rows of networks that are there are kept, unless a shipped network has got other weights. Exit code
1 where an export is broken or refused.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from study import one_thread, read_rows, real_set, write_rows

from seglib import models, pretrained

SETS = {"portrait": ("eg1800", "person"), "hair": ("figaro1k", "hair")}
ZOO_SIZE = 96
# One target for each format and each arithmetic; the others differ in storage alone.
ZOO_TARGETS = (
    *("tflite-float32", "tflite-float16", "tflite-dynamic", "tflite-int8", "tflite-int8-weights"),
    *("coreml-float32", "coreml-neuralnetwork", "onnx", "ncnn-float32", "graphdef"),
)
VARIANTS = {
    "mobile_unet, V3": ("mobile_unet", {"encoder": "mobilenet_v3_small", "width": 1.0}),
    "mobile_unet, transposed": ("mobile_unet", {"decoder": "transpose"}),
}
COLUMNS = (
    *("group", "model", "weights", "size", "photos", "target", "way", "precision", "kib"),
    *("max_diff", "mean_diff", "iou_agreement", "task_iou", "keras_iou", "ratio"),
    *("problem", "skipped"),
)


def awaken(model, photos: np.ndarray) -> None:
    """Give a fresh network statistics of its own and masks that are sure of something.

    BatchNorm's statistics are random too. With those of real photos the exports of a random
    mobile_unet missed their limits in every runtime, float32 by less than a factor of two.
    """
    import keras

    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.scale and layer.center:
            ranges = ((0.8, 1.3), (-0.2, 0.2), (-0.2, 0.2), (0.4, 1.0))
            layer.set_weights([rng.uniform(*ends, layer.gamma.shape) for ends in ranges])
    last = [layer for layer in model.layers if hasattr(layer, "kernel") and layer.get_weights()][-1]
    for _ in range(3):
        found = model.predict(photos[:4].astype(np.float32), verbose=0).clip(1e-6, 1 - 1e-6)
        logits = np.log(found / (1 - found))
        factor = 3 / max(float(logits.std()), 1e-3)
        weights = [weight * factor for weight in last.get_weights()]
        if len(weights) > 1:
            weights[1][0] -= float(np.median(logits)) * factor
        last.set_weights(weights)


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
        awaken(model, others)
        tests = tests[: options.count // 2]
    targets = options.targets or (list(TARGETS) if shipped else ZOO_TARGETS)
    found = matrix(
        model, tests, truths if shipped else None, others,
        targets=targets, turns=options.turns, gpu=not options.no_gpu,
        progress=lambda target: print(f"{name}: {target}", file=sys.stderr, flush=True),
    )  # fmt: skip
    facts = {
        "group": group, "model": name, "weights": weights_sha256(model)[:12], "size": size,
        "photos": len(tests), "keras_iou": found.task_iou,
    }  # fmt: skip
    print(f"### {name}\n\n{found.table()}\n", flush=True)
    rows = [{**facts, **row} for row in found.rows()]
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
    import keras

    from seglib.export.graph import weights_sha256

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="CSV file of results")
    parser.add_argument("--networks", nargs="+", help="only these [all]")
    parser.add_argument("--targets", nargs="+", help="only these [all; of the zoo ten]")
    parser.add_argument("--count", type=int, default=16, help="photos; the zoo gets half [16]")
    parser.add_argument("--turns", type=int, default=10, help="of the stop-watch [10]")
    parser.add_argument("--no-gpu", action="store_true", help="leave the GPU accelerator out")
    options = parser.parse_args()
    one_thread()
    # Not portrait_video: its second input goes into .tflite files alone.
    shipped = [name for name in pretrained.list_models() if name.removesuffix("_open") in SETS]
    known = [("shipped", name) for name in shipped]
    known += [("zoo", name) for name in (*models.list(), *VARIANTS)]
    rows = read_rows(options.results)
    for group, name in known:
        if options.networks and name not in options.networks:
            continue
        if group == "shipped":
            model = models.load(pretrained.path(name, ".weights.h5"))
            mark = weights_sha256(model)[:12]
            done = any((row["model"], row["weights"]) == (name, mark) for row in rows)
        else:
            done = any(row["model"] == name for row in rows)
        if done:
            continue
        if group == "zoo":
            network, given = VARIANTS.get(name, (name, {}))
            keras.utils.set_random_seed(0)
            model = models.build(network, size=ZOO_SIZE, **given)
        fresh = measured(group, name, model, options)
        rows = [row for row in rows if row["model"] != name] + fresh
        write_rows(options.results, COLUMNS, rows)
    broken = [row for row in rows if row["problem"]]
    for row in broken:
        print(f"{row['model']}, {row['target']}, {row['way']}: {row['problem']}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
