"""How much of a training is waiting for pictures: throughput against pure compute, in one run.

    python tests/benchmarks/input_bound.py [--size 128] [--batch 32] [--steps 24] [--workers 2]

One network takes the same number of steps twice in each round: on one batch that lies ready, and on
`Batches` that cut, warp and colour photos on the way. The rounds alternate, so that a machine which
grows slower does so for both, and the share is the median over the rounds. The bar is 5 %.

On a machine whose cores are all busy computing, preparing pictures takes time away from the
network whether or not anybody waits: there the share says what augmentation costs. `--json` prints
the numbers for further use.
"""

import argparse
import json
import os
import statistics
import time

import keras
import numpy as np

from seglib import data, models
from seglib.training import TrainConfig
from seglib.training.loop import compiled

BAR = 0.05


class Ready(keras.utils.PyDataset):
    """One batch, again and again."""

    def __init__(self, batch: tuple[np.ndarray, np.ndarray], steps: int) -> None:
        super().__init__()
        self.batch, self.steps = batch, steps

    def __len__(self) -> int:
        """Return how often it comes."""
        return self.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return it."""
        return self.batch


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count = options.steps * options.batch
    portraits = data.synthetic.portraits(min(count, 256), size=options.size * 5 // 4, seed=0)
    chosen = np.arange(count) % len(portraits.images)
    batches = data.Batches(
        portraits.images[chosen],
        portraits.alphas[chosen],
        options.batch,
        options.size,
        data.AugmentConfig(),
        shuffle=True,
        workers=options.workers,
    )
    ready = Ready(batches[0], len(batches))
    model = models.mobile_unet(models.UNetConfig(options.size, width=options.width))
    compiled(model, batches, TrainConfig())
    # The first steps compile.
    model.fit(Ready(batches[0], 3), verbose=0)
    rounds = []
    for _ in range(options.rounds):
        seconds = []
        for source in (ready, batches):
            began = time.perf_counter()
            model.fit(source, shuffle=False, verbose=0)
            seconds.append(time.perf_counter() - began)
        rounds.append(seconds)
    shares = [1 - computing / training for computing, training in rounds]
    report = {
        "backend": keras.backend.backend(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "pictures_per_second": {
            name: count / statistics.median(row[i] for row in rounds)
            for i, name in enumerate(("computing", "training"))
        },
        "input_bound": statistics.median(shares),
        "rounds": shares,
    }
    if options.json:
        print(json.dumps(report))
        return
    speed = report["pictures_per_second"]
    print(f"{report['backend']}, {report['cores']} cores, load {report['load']:.1f}")
    print(f"computing alone: {speed['computing']:.0f} pictures a second")
    print(f"training:        {speed['training']:.0f} pictures a second")
    met = "met" if report["input_bound"] < BAR else "missed"
    print(f"waiting for pictures: {report['input_bound']:.1%} (bar {BAR:.0%}: {met})")


if __name__ == "__main__":
    main()
