"""Measure what int8 costs a shipped network on real photos, and what wins some of it back.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/quantisation.py hair RESULTS.csv

Rows of RESULTS.csv, one a seed where chance has a part; all are scored as `.tflite` files at the
photos' own size:

"float", "float16", "dynamic": the shipped network; "int8": converted after training, ranges from
100 training photos; "int8, four": from four; "int8, noise": from pictures that show nothing;
"int8, dark": from photos that were divided by 255; "float, more steps": trained --steps further;
"int8, more steps": that one converted; "int8, aware": trained as many steps with int8's rounding in
the network. All three are trained with their BatchNorms folded, so that the rounding is the one
difference between them. The same for a copy of equal masks whose channels differ in size: see
`unequal`.

Rows are written one by one; started again, those that are there are kept.
"""

import argparse
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from study import one_thread, plain_errors, read_rows, real_set, write_rows

from seglib import data, pretrained

if TYPE_CHECKING:
    import keras

SETS = {"hair": ("figaro1k", "hair"), "portrait": ("eg1800", "person")}
BATCH, RATE, SPREAD = 16, 2e-4, 3.0
COLUMNS = ("model", "set", "photos", "arm", "seed", "steps", "kib", "iou", "boundary_iou")


def unequal(model: "keras.Model", seed: int) -> "keras.Model":
    """Return a model with the same masks, between whose channels the sizes of numbers differ.

    From a block's projection to the next block's expansion nothing cuts values off, so a channel
    may be multiplied there by any factor if the kernels that read it divide by the same. The idea
    is that of Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
    Correction", who make channels alike; this goes the other way, by factors from
    2**-SPREAD to 2**SPREAD. Residual sums get one factor for all their parts. A map that anything
    else reads, as the decoder's first doubling does with some encoders' last map, stays as it is.
    """
    import keras

    from seglib.export.qat import readers

    def free(layer: keras.Layer) -> bool:
        return all(
            type(reader) is keras.layers.Conv2D
            or (isinstance(reader, keras.layers.Add) and free(reader))
            for reader in read_by.get(layer.name, [])
        )

    rng = np.random.default_rng(seed)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    read_by = readers(copy)
    factors: dict[str, np.ndarray] = {}
    for layer in copy.layers:
        behind = read_by.get(layer.name, [])
        sums = [reader for reader in behind if isinstance(reader, keras.layers.Add)]
        first = _sources(sums[0])[0] if sums else layer.name
        if not free(layer) or (first != layer.name and first not in factors):
            continue
        if isinstance(layer, keras.layers.Add):
            factors[layer.name] = factors[_sources(layer)[0]]
        elif isinstance(layer, keras.layers.BatchNormalization):
            shared = factors.get(first)
            own = 2.0 ** rng.uniform(-SPREAD, SPREAD, layer.gamma.shape)
            factors[layer.name] = own if shared is None else shared
            layer.gamma.assign(layer.gamma * factors[layer.name])
            layer.beta.assign(layer.beta * factors[layer.name])
        for reader in behind if layer.name in factors else ():
            if type(reader) is keras.layers.Conv2D:
                reader.kernel.assign(reader.kernel / factors[layer.name][:, None])
    return copy


def _sources(layer: "keras.Layer") -> list[str]:
    return [tensor._keras_history.operation.name for tensor in layer.input]


@dataclass
class Study:
    """One network's arms; what is in `path` is not measured again."""

    model: str
    path: Path
    steps: int
    rows: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the photos and the rows that exist."""
        from seglib import models

        self.rows = read_rows(self.path)
        self.set, kind = SETS[self.model]
        self.train, self.val = (real_set(self.set, split, kind) for split in ("train", "val"))
        self.weights = Path(pretrained.__file__).parent / f"{self.model}.weights.h5"
        self.size = models.load_config(self.weights).size

    def missing(self, *arms: str, seed: int) -> list[str]:
        """Return those of the arms that have no row yet."""
        done = {(row["model"], row["arm"], int(row["seed"])) for row in self.rows}
        return [arm for arm in arms if (self.model, arm, seed) not in done]

    def add(
        self, arm: str, seed: int, model: "keras.Model",
        precision: str, representative: np.ndarray | None = None, steps: int = 0,
    ) -> None:  # fmt: skip
        """Write a model as `.tflite`, score it and keep the row, unless it is there."""
        from seglib.evaluation import evaluate
        from seglib.export import to_tflite
        from seglib.runtime import Segmenter

        if not self.missing(arm, seed=seed):
            return
        with tempfile.TemporaryDirectory() as folder:
            path = to_tflite(
                model, Path(folder) / "model.tflite", precision, representative=representative
            )
            scores = evaluate(Segmenter(path), self.val, progress=False)
            kib = path.stat().st_size / 1024
        facts: tuple[Any, ...] = (self.model, self.set, len(scores.rows), arm, seed, steps)
        numbers = (f"{kib:.0f}", *(f"{scores.means[name]:.4f}" for name in COLUMNS[7:]))
        self.rows.append(dict(zip(COLUMNS, map(str, (*facts, *numbers)), strict=True)))
        write_rows(self.path, COLUMNS, self.rows)
        print(*self.rows[-1].values(), flush=True)

    def trained(self, model: "keras.Model", seed: int, aware: bool) -> tuple["keras.Model", int]:
        """Train a folded copy of a model further, with int8's rounding or without.

        `--steps` is brought to whole passes over the photos, at least one. Returns the model and
        the steps.
        """
        from seglib.export.qat import fold_batchnorm, quantisation_aware
        from seglib.training import TrainConfig, fit

        photos, masks = self.photos(seed)
        copy = quantisation_aware(model, photos[:100]) if aware else fold_batchnorm(model)
        epochs = max(1, self.steps * BATCH // len(photos))
        config = TrainConfig(epochs=epochs, learning_rate=RATE, bn_batches=0, seed=seed)
        batches = data.Batches(photos, masks, BATCH, self.size, data.AugmentConfig(), seed, True)
        fit(copy, batches, config=config)
        return copy, epochs * len(batches)

    def photos(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return training photos and masks, those to calibrate with at the front."""
        photos, masks = self.train.subset(BATCH * self.steps, seed).arrays(self.size)
        return np.asarray(photos), masks

    def once(self) -> None:
        """Score what depends on no seed."""
        from seglib import models

        model = models.load(self.weights)
        for arm, precision in (("float", "float32"), ("float16",) * 2, ("dynamic",) * 2):
            self.add(arm, 0, model, precision)

    def seeded(self, seed: int) -> None:
        """Score the arms of one seed."""
        from seglib import models

        photos, _ = self.photos(seed)
        calibration = photos[:100]
        noise = np.random.default_rng(seed).integers(0, 256, calibration.shape, np.uint8)
        model = models.load(self.weights)
        self.add("int8", seed, model, "int8", calibration)
        self.add("int8, four", seed, model, "int8", photos[:4])
        self.add("int8, noise", seed, model, "int8", noise)
        self.add("int8, dark", seed, model, "int8", (calibration / 255).astype(np.uint8))
        skewed = unequal(model, seed)
        self.add("unequal: float", seed, skewed, "float32")
        self.add("unequal: int8", seed, skewed, "int8", calibration)
        for prefix, start in (("unequal: ", skewed), ("", model)):
            if self.missing(f"{prefix}int8, aware", seed=seed):
                aware, steps = self.trained(start, seed, aware=True)
                self.add(f"{prefix}int8, aware", seed, aware, "int8", steps=steps)
            arms = f"{prefix}float, more steps", f"{prefix}int8, more steps"
            if self.missing(*arms, seed=seed):
                further, steps = self.trained(start, seed, aware=False)
                self.add(arms[0], seed, further, "float32", steps=steps)
                self.add(arms[1], seed, further, "int8", calibration, steps)


@plain_errors
def main() -> int:
    """Write the rows; 2 where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=SETS)
    parser.add_argument("results", type=Path)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    one_thread()
    study = Study(options.model, options.results, options.steps)
    study.once()
    for seed in options.seeds:
        study.seeded(seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
