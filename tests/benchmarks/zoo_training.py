"""Train every network of the zoo on the same photos, for the same steps, and score them alike.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/zoo_training.py RESULTS.csv --models FOLDER

From random weights, at 96 pixels, `--epochs` passes over the portraits of EG1800, one recipe for
all. Each is scored as the `.tflite` it becomes, at the photos' own size, on that set's val split
and on one set it never saw. Small networks are trained from three seeds; their spread says how far
the others' single runs can be trusted. "linear" is the dense network as it was published, without
activations in its decoder. Rows are written when a run ends; started again, finished runs are
skipped. Weights and exports are kept in FOLDER, where `zoo_speed.py` and `seglib parity` find them.
With `--encoder-weights imagenet`, or a file of such weights, those networks are trained alike whose
encoder takes them; their results belong into a file of their own, since their budget is larger.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from study import one_thread, plain_errors, read_rows, real_set, write_rows

from seglib import data

SIZE, SOURCE_SIZE, BATCH, RATE = 96, 112, 16, 3e-3
TRAIN_SET, VAL_SETS, KIND = "eg1800", ("eg1800", "ccp_upper"), "person"
V3 = {"encoder": "mobilenet_v3_small", "width": 1.0}
LITE = {"width": 0.6, "decoder_channels": (96, 64, 32, 16)}
LITE_SHORT = {"encoder": "efficientnet_lite0_short", **LITE}
LITE_WHOLE = {"encoder": "efficientnet_lite0", **LITE, "width": 1.0}
# label: (network, options, seeds); cheap ones first. Every network gets its first seed before any
# gets its second, so that an early stop leaves a table of most of them.
RUNS = {
    "mobile_unet": ("mobile_unet", {}, 3),
    "add_unet": ("add_unet", {}, 3),
    "residual_bisenet": ("residual_bisenet", {}, 3),
    "pyramid_pooling": ("pyramid_pooling", {}, 3),
    "residual_matting": ("residual_matting", {}, 3),
    "mobile_unet transpose": ("mobile_unet", {"decoder": "transpose"}, 3),
    "mobile_unet V1": ("mobile_unet", {"encoder": "mobilenet_v1"}, 3),
    "mobile_unet V3 small": ("mobile_unet", V3, 3),
    "mobile_unet Lite0 short": ("mobile_unet", LITE_SHORT, 3),
    "mobile_unet Lite0 whole": ("mobile_unet", LITE_WHOLE, 1),
    "esp_dense": ("esp_dense", {}, 1),
    "transpose_unet .25 / .25": ("transpose_unet", {"width": 0.25}, 1),
    "dilated_unet": ("dilated_unet", {}, 1),
    "transpose_unet 1 / .25": ("transpose_unet", {}, 1),
    "v2_unet transpose": ("v2_unet", {}, 1),
    "shuffle_skipnet": ("shuffle_skipnet", {}, 1),
    "dense_unet": ("dense_unet", {"full_size": True, "activations": True}, 1),
    "dense_unet linear": ("dense_unet", {"full_size": True}, 1),
}
# Those for whose encoder the package index has weights.
FROM_IMAGENET = ("mobile_unet Lite0 short", "mobile_unet Lite0 whole")
COLUMNS = (
    *("label", "network", "seed", "set", "photos", "epochs", "params", "macs", "minutes"),
    *("iou", "iou_low", "iou_high", "boundary_iou", "boundary_low", "boundary_high"),
)


def run(label: str, seed: int, options: argparse.Namespace) -> list[dict]:
    """Train and score one network; returns one row for each val set."""
    import keras

    from seglib import models
    from seglib.evaluation import evaluate
    from seglib.export import to_tflite
    from seglib.runtime import Segmenter
    from seglib.training import TrainConfig, fit

    keras.utils.set_random_seed(seed)
    network, choices, _ = RUNS[label]
    model = models.build(network, size=SIZE, encoder_weights=options.encoder_weights, **choices)
    photos, masks = real_set(TRAIN_SET, "train", KIND).arrays(SOURCE_SIZE)
    batches = data.Batches(photos, masks, BATCH, SIZE, data.AugmentConfig(), seed, shuffle=True)
    begun = time.process_time()
    fit(model, batches, config=TrainConfig(options.epochs, RATE, seed=seed))
    minutes = (time.process_time() - begun) / 60
    cost = models.cost(model)
    name = label.replace(" / ", "_").replace(" ", "_")
    name += ".imagenet" if options.encoder_weights else ""
    models.save(
        model,
        models.configure(network, size=SIZE, **choices),
        options.models / f"{name}.{seed}.weights.h5",
    )
    path = to_tflite(model, options.models / f"{name}.{seed}.tflite")
    rows = []
    for name in VAL_SETS:
        scores = evaluate(Segmenter(path), real_set(name, "val", KIND), progress=False)
        iou, boundary = scores.interval("iou"), scores.interval("boundary_iou")
        numbers = (*(iou.mean, iou.low, iou.high), *(boundary.mean, boundary.low, boundary.high))
        facts = (label, network, seed, name, len(scores.rows), options.epochs, cost.params)
        values = (*facts, cost.macs, f"{minutes:.1f}", *(f"{number:.4f}" for number in numbers))
        rows.append(dict(zip(COLUMNS, map(str, values), strict=True)))
    return rows


@plain_errors
def main() -> int:
    """Do the runs that are missing; 2 where photos are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="CSV file of results")
    parser.add_argument("--models", type=Path, default=Path("build/zoo96"), help="exports, kept")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--encoder-weights", help="imagenet or a file: where encoders start")
    parser.add_argument("--labels", nargs="+", choices=RUNS, help="only these [all]")
    options = parser.parse_args()
    one_thread()
    rows = read_rows(options.results)
    done = {(row["label"], int(row["seed"])) for row in rows}
    options.models.mkdir(parents=True, exist_ok=True)
    labels = options.labels or (FROM_IMAGENET if options.encoder_weights else RUNS)
    counts = {label: RUNS[label][2] for label in labels}
    seeds = range(max(counts.values()))
    wanted = [(label, seed) for seed in seeds for label in counts if seed < counts[label]]
    for label, seed in wanted:
        if (label, seed) in done:
            continue
        rows += run(label, seed, options)
        write_rows(options.results, COLUMNS, rows)
        last = [(row["set"], row["iou"], row["boundary_iou"]) for row in rows[-len(VAL_SETS) :]]
        print(label, seed, rows[-1]["minutes"], *last, flush=True)
    scores = [float(row["iou"]) for row in rows if row["set"] == TRAIN_SET]
    print(f"{len(scores)} runs, IoU {np.min(scores):.3f} to {np.max(scores):.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
