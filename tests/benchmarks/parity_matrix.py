"""The parity matrix of networks that nobody has trained: do their operations survive every target?

    python tests/benchmarks/parity_matrix.py [--size 64] [--networks NAME ...] [--targets NAME ...]

Each network of `seglib.models.list()` gets random BatchNorm statistics, and a last layer that is
scaled until its masks fill the range from 0 to 1: with the masks of a fresh network, which are one
half everywhere, every comparison would pass. For shipped weights use `seglib parity`. Exit code 1
where an export is broken or refused.
"""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from seglib import models
from seglib.data import synthetic
from seglib.export import matrix

TARGETS = ("tflite-float32", "tflite-int8", "coreml-float32", "coreml-neuralnetwork", "onnx",
           "ncnn-float32")  # fmt: skip


def awaken(model: keras.Model, images: np.ndarray) -> None:
    """Give a fresh network statistics of its own and masks that are sure of something."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.scale and layer.center:
            ranges = ((0.8, 1.3), (-0.2, 0.2), (-0.2, 0.2), (0.4, 1.0))
            layer.set_weights([rng.uniform(*ends, layer.gamma.shape) for ends in ranges])
    last = [layer for layer in model.layers if hasattr(layer, "kernel") and layer.get_weights()][-1]
    for _ in range(3):
        masks = model.predict(images.astype(np.float32), verbose=0).clip(1e-6, 1 - 1e-6)
        logits = np.log(masks / (1 - masks))
        factor = 3 / max(float(logits.std()), 1e-3)
        weights = [weight * factor for weight in last.get_weights()]
        if len(weights) > 1:
            weights[1][0] -= float(np.median(logits)) * factor
        last.set_weights(weights)


def main() -> int:
    """Print a table for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--networks", nargs="+", default=models.list())
    parser.add_argument("--targets", nargs="+", default=TARGETS)
    parser.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    ok = True
    for name in options.networks:
        images = synthetic.portraits(12, options.size, workers=1).images
        model = models.build(name, size=options.size)
        awaken(model, images[:4])
        found = matrix(
            model, images[:4], representative=images[4:], targets=options.targets, gpu=options.gpu
        )
        ok &= found.ok
        print(f"### {name}\n\n{found.table()}\n", flush=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
