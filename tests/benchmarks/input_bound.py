"""How much of a training is waiting for pictures: throughput against pure compute, in one run.

    python tests/benchmarks/input_bound.py seglib/assets/input_bound.csv [--steps 200]

Steps come in pairs: one on a batch that lies ready, one on a batch that `Batches` cuts, warps and
colours when it is asked for, so that nothing is made ahead of time. The two take
turns, the first of a pair being the second of the next, so that a machine which grows slower does
so for both. Of a pair, 1 - ready / (preparing + step) is the share of waiting by throughput, and
preparing / (preparing + step) by the clock; the first also holds whatever else tells a fresh batch
from a ready one, and all unrest of the machine. Medians come with their bootstrap intervals.
"""

import argparse
import os
import time
from pathlib import Path

import keras
import numpy as np
from study import plain_errors, write_rows

from seglib import data, models
from seglib.training import TrainConfig
from seglib.training.fit import compiled

BAR = 0.05
COLUMNS = ("ready", "preparing", "step", "backend", "cores", "size", "batch", "width")


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a median."""
    drawn = np.random.default_rng(0).choice(values, (4000, len(values)))
    return tuple(np.quantile(np.median(drawn, axis=1), (0.025, 0.975)))


def pair(
    model: keras.Model, batches: data.Batches, index: int, ready: tuple[np.ndarray, np.ndarray]
) -> dict[str, float]:
    """Return the seconds of a step on a ready batch, of preparing one, and of a step on that."""
    seconds = {}

    def fresh() -> None:
        began = time.perf_counter()
        x, y = batches[index]
        seconds["preparing"] = time.perf_counter() - began
        model.train_on_batch(x, y)
        seconds["step"] = time.perf_counter() - began - seconds["preparing"]

    def waiting() -> None:
        began = time.perf_counter()
        model.train_on_batch(*ready)
        seconds["ready"] = time.perf_counter() - began

    for take in (fresh, waiting) if index % 2 else (waiting, fresh):
        take()
    return seconds


@plain_errors
def main() -> int:
    """Measure, print and write the pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="CSV file to write")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--width", type=float, default=0.5)
    options = parser.parse_args()
    drawn = data.synthetic.portraits(256, size=options.size * 5 // 4, seed=0)
    chosen = np.arange(options.steps * options.batch) % len(drawn.images)
    pictures = (drawn.images[chosen], drawn.alphas[chosen], options.batch, options.size)
    batches = data.Batches(*pictures, data.AugmentConfig(), shuffle=True)
    model = models.mobile_unet(models.UNetConfig(options.size, width=options.width))
    compiled(model, batches, None, TrainConfig())
    ready = batches[0]
    # The first steps compile.
    for _ in range(3):
        model.train_on_batch(*ready)
    pairs = [pair(model, batches, index, ready) for index in range(options.steps)]
    settings = (keras.backend.backend(), os.cpu_count(), options.size, options.batch, options.width)
    rows = [
        dict(zip(COLUMNS, (*(f"{one[name]:.6f}" for name in COLUMNS[:3]), *settings), strict=True))
        for one in pairs
    ]
    write_rows(options.results, COLUMNS, rows)
    seconds = {name: np.array([one[name] for one in pairs]) for name in COLUMNS[:3]}
    whole = seconds["preparing"] + seconds["step"]
    shares = {"throughput": 1 - seconds["ready"] / whole, "clock": seconds["preparing"] / whole}
    print(f"computing alone: {options.batch / np.median(seconds['ready']):.0f} pictures a second")
    print(f"preparing alone: {options.batch / np.median(seconds['preparing']):.0f}")
    for name, values in shares.items():
        low, high = interval(values)
        verdict = "met" if high < BAR else "missed" if low > BAR else "open"
        share = f"{np.median(values):.1%} [{low:.1%}, {high:.1%}]"
        print(f"waiting by {name}: {share} (bar {BAR:.0%}: {verdict})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
