"""Measure what the older projects' own mistakes cost, each one repeated with a network of today.

    SEGLIB_DATA=/folder/of/sets SEGLIB_PEERS=/folder/of/models python \
        tests/benchmarks/old_bugs.py seglib/assets/old_bugs.csv

"scaling": the shipped `portrait` network fed with values as other projects scaled them, IoU on
whole val splits; `gap` is the difference to the proper scaling on the same photos. "linear": the
dilated network of 2018 without activations in its decoder, as it was published, and with them,
trained alike from several seeds. "head": `mobile_unet` with other ends, exported with random
weights; processor time turn by turn, in several rounds, beside its own end; and where the published
hair file of 2020 is at hand, the `share` of its time that its own end takes.

Rows are written when they are known; started again, what is there is skipped.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import baselines
import numpy as np
from study import one_thread, plain_errors, read_rows, real_set, write_rows

from seglib import data, export, pretrained
from seglib.evaluation import evaluate
from seglib.images import resize
from seglib.runtime import Segmenter, open_engine

COLUMNS = (
    *("bug", "arm", "seed", "set", "photos", "iou", "iou_low", "iou_high"),
    *("boundary_iou", "boundary_low", "boundary_high", "gap", "gap_low", "gap_high"),
    *(
        "operations",
        "tail",
        "output_bytes",
        "ratio",
        "ratio_low",
        "ratio_high",
        "share",
        "settings",
    ),
)
SETS = ("eg1800", "ccp_upper")
# How the linear decoder is trained: small enough to be repeated.
SIZE, SOURCE_SIZE, BATCH, RATE, EPOCHS = 64, 80, 16, 3e-3, 5
ROUNDS, TURNS = 5, 40


def feeds() -> dict[str, tuple[np.ndarray, np.ndarray, bool]]:
    """Return every scaling: value * factor + offset, and whether the channels are turned round.

    The names say who fed so: the scaling of one project given to the network of another.
    """
    from seglib.models.zoo.parts import SCALINGS

    feeds = {
        "as trained": (*SCALINGS["symmetric"], False),
        "0..1": (*SCALINGS["unit"], False),
        "LFW statistics": (*SCALINGS["hair"], False),
        "standardised, then / 255": (*SCALINGS["portrait"], False),
        "mean off, / 255": (*SCALINGS["centred"], False),
        "BGR": (*SCALINGS["symmetric"], True),
        "BGR, mean off, / 255": (*SCALINGS["centred"], True),
        "offset with the wrong sign": (1 / 127.5, 1.0, False),
        "0..255": (1.0, 0.0, False),
    }
    return {name: (np.array(a), np.array(b), turned) for name, (a, b, turned) in feeds.items()}


class Misfed:
    """The shipped network behind another scaling: what its first convolution gets is wrong."""

    def __init__(self, name: str, factor: np.ndarray, offset: np.ndarray, turned: bool) -> None:
        self.engine = open_engine(pretrained.path(name))
        self.factor, self.offset, self.turned = factor, offset, turned

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """Return the mask of a photo, as a `Segmenter` would."""
        small = resize(photo, self.engine.image_size).astype(np.float32)
        small = small[..., ::-1] if self.turned else small
        # The network's own first layer is value / 127.5 - 1; undo it beforehand.
        values = (small * self.factor + self.offset + 1) * 127.5
        mask = self.engine.run_image(values.astype(np.float32))[0, ..., 0]
        return resize(mask, photo.shape[:2]).clip(0, 1)


def numbers(name: str, one) -> dict[str, str]:
    """Return a mean with its interval as three columns."""
    stem = name.removesuffix("_iou")
    found = {name: one.mean, f"{stem}_low": one.low, f"{stem}_high": one.high}
    return {key: f"{value:.4f}" for key, value in found.items()}


def scaling(rows: list[dict], save) -> None:
    """Feed the shipped network wrongly."""
    for name in SETS:
        photos, proper = real_set(name, "val", "person"), None
        for arm, feed in feeds().items():
            if any(r["arm"] == arm and r["set"] == name for r in rows):
                continue
            if proper is None:
                proper = evaluate(Segmenter(pretrained.path("portrait")), photos, progress=False)
            scores = evaluate(Misfed("portrait", *feed), photos, progress=False)
            row = {"bug": "scaling", "arm": arm, "set": name, "photos": len(photos)}
            row |= numbers("iou", scores.interval("iou"))
            row |= numbers("boundary_iou", scores.interval("boundary_iou"))
            row |= numbers("gap", scores.against(proper, "iou"))
            row["settings"] = "portrait, shipped"
            save(row)


def linear(rows: list[dict], save, seeds: int) -> None:
    """Train the dilated network with and without activations in its decoder."""
    import keras

    from seglib import models
    from seglib.training import TrainConfig, fit

    for seed in range(seeds):
        for arm, activations in (("linear, as published", False), ("with activations", True)):
            if any(r["arm"] == arm and r["seed"] == str(seed) for r in rows):
                continue
            keras.utils.set_random_seed(seed)
            model = models.build("dilated_unet", size=SIZE, activations=activations)
            pairs = real_set("eg1800", "train", "person").arrays(SOURCE_SIZE)
            batches = data.Batches(*pairs, BATCH, SIZE, data.AugmentConfig(), seed, shuffle=True)
            fit(model, batches, config=TrainConfig(EPOCHS, RATE, seed=seed))
            with tempfile.TemporaryDirectory() as folder:
                segment = Segmenter(export.to_tflite(model, Path(folder) / "net.tflite"))
                found = {name: real_set(name, "val", "person") for name in SETS}
                found = {k: (v, evaluate(segment, v, progress=False)) for k, v in found.items()}
            for name, (photos, scores) in found.items():
                row = {"bug": "linear", "arm": arm, "seed": str(seed), "set": name}
                row |= numbers("iou", scores.interval("iou"))
                row |= numbers("boundary_iou", scores.interval("boundary_iou"))
                row["settings"] = f"dilated_unet, {SIZE} px, {EPOCHS} epochs"
                save(row | {"photos": len(photos)})


def heads() -> dict:
    """Return `mobile_unet` with its own end and with those of the older projects."""
    import keras
    import tensorflow as tf
    from keras import layers, ops

    from seglib import models

    class ArgMax(layers.Layer):
        """Index of the largest channel as int64, TensorFlow's default."""

        def call(self, x: tf.Tensor) -> tf.Tensor:
            return tf.argmax(x, axis=-1)[..., None]

    def five_operations(x: keras.KerasTensor) -> keras.KerasTensor:
        # What Keras made of a softmax over the last of four axes in 2020. With keepdims=True, as it
        # was written, the converter of today recognises a softmax and makes one operation of it.
        x = ops.exp(x - ops.expand_dims(ops.max(x, axis=-1), -1))
        return x / ops.expand_dims(ops.sum(x, axis=-1), -1)

    net = models.build("mobile_unet")
    features = net.get_layer("dropout").output

    def double(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.UpSampling2D(2, interpolation="bilinear")(x)

    def early(channels: int) -> keras.KerasTensor:
        return double(layers.Conv2D(channels, 1)(features))

    def late(channels: int) -> keras.KerasTensor:
        return layers.Conv2D(channels, 1)(double(features))

    ends = {
        "sigmoid, one channel": layers.Activation("sigmoid")(early(1)),
        "sigmoid, one channel, late": layers.Activation("sigmoid")(late(1)),
        "softmax, two channels": layers.Softmax()(early(2)),
        "softmax, two channels, late": layers.Softmax()(late(2)),
        "softmax as five operations, late": five_operations(late(2)),
        "argmax to int64, late": ArgMax()(late(2)),
    }
    return {arm: keras.Model(net.input, end) for arm, end in ends.items()}


def ends(rows: list[dict], save) -> None:
    """Time the network's ends; all or none, since ratios hold within one run."""
    from seglib.benchmark import compare
    from seglib.export.graph import trace
    from seglib.export.tflite import convert

    if rows:
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for number, (arm, model) in enumerate(heads().items()):
            paths[arm] = Path(folder) / f"{number}.tflite"
            # Not to_tflite: it compares probabilities, and an argmax gives none.
            paths[arm].write_bytes(convert(trace(model)))
        first = next(iter(paths))
        paths[f"{first}, again"] = paths[first]
        turns = [compare(list(paths.values()), TURNS) for _ in range(ROUNDS)]
        ratios = np.array([[row.ratio for row in one] for one in turns])
        for (arm, path), own in zip(paths.items(), ratios.T, strict=True):
            found = export.ops(path)
            output = int(np.prod(found[-1].shape)) * np.dtype(found[-1].dtype).itemsize
            row = {"bug": "head", "arm": arm, "operations": len(found), "output_bytes": output}
            row["tail"] = tail([op.name for op in found])
            row |= {"ratio": f"{np.median(own):.3f}", "ratio_low": f"{own.min():.3f}"}
            row |= {"ratio_high": f"{own.max():.3f}"}
            save(row | {"settings": f"mobile_unet, 128 px, {ROUNDS} rounds of {TURNS} turns"})


def tail(names: list[str]) -> str:
    """Return the operations from the last resizing or convolution on, whichever comes first."""
    resize_at = max(i for i, name in enumerate(names) if name.startswith("RESIZE"))
    conv_at = max(i for i, name in enumerate(names) if name == "CONV_2D")
    return " ".join(names[min(resize_at, conv_at) :])


def published(rows: list[dict], save) -> None:
    """Split one run of the hair file of 2020, where it is at hand, into its end and the rest."""
    from seglib.benchmark import profile

    if "seed000_hair" not in baselines.available("hair") or any(row["share"] for row in rows):
        return
    found = profile(baselines.path("seed000_hair"), 200).ops
    last = max(i for i, op in enumerate(found) if op.kind.startswith("RESIZE"))
    parts = {
        "the rest": found[:last],
        "last resize": found[last : last + 1],
        "last convolution": found[last + 1 : last + 2],
        "softmax": found[last + 2 :],
    }
    for arm, part in parts.items():
        share = sum(op.ms for op in part) / sum(op.ms for op in found)
        row = {"bug": "head", "arm": arm, "operations": len(part), "share": f"{share:.3f}"}
        save(row | {"settings": "hair file of 2020, 160 px, profiled"})


@plain_errors
def main() -> int:
    """Measure what is missing; 2 where photos are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--only", nargs="+", choices=("scaling", "linear", "head"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    one_thread()

    def save(row: dict) -> None:
        # Read anew, for the three parts may run beside each other.
        write_rows(options.results, COLUMNS, [*read_rows(options.results), row])
        print(row, flush=True)

    parts = options.only or ("head", "scaling", "linear")
    if "head" in parts:
        ends([row for row in read_rows(options.results) if row["ratio"]], save)
        published(read_rows(options.results), save)
    if "scaling" in parts:
        scaling([row for row in read_rows(options.results) if row["bug"] == "scaling"], save)
    if "linear" in parts:
        linear(
            [row for row in read_rows(options.results) if row["bug"] == "linear"],
            save,
            options.seeds,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
