"""Measure how many pictures a second of one core's time the input pipeline delivers.

    python tests/benchmarks/augment_speed.py

Compared in one run, turn by turn: `seglib.data.Batches` with the default policy, alone and with
threads, and the per-picture path of the older projects: Keras' `ImageDataGenerator`, one for photos
and one for masks with the same seed, which warps every channel in float64 by scipy. Prints a
Markdown table and exits with code 1 where `Batches` delivers less than --bar pictures a CPU second.
CPU seconds count the work of all threads, so other programs on the machine hardly matter.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from seglib.data import AugmentConfig, Batches, synthetic


def main() -> int:
    """Run the comparison and return 0 (bar met) or 1 (missed)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bar", type=float, default=750, help="pictures a CPU second to reach")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures, pixels")
    parser.add_argument("--seconds", type=float, default=3, help="CPU seconds for each path")
    parser.add_argument("--turns", type=int, default=3, help="turns; the best of each path counts")
    options = parser.parse_args()

    size = options.size
    portraits = synthetic.portraits(64, size=size, seed=0)
    photos, masks = (np.repeat(array, 8, axis=0) for array in (portraits.images, portraits.alphas))
    settings = {"size": size, "augment": AugmentConfig(), "shuffle": True}
    paths = {
        "`ImageDataGenerator`, photos and masks": lambda: generators(photos, masks),
        "`Batches`": lambda: endless(Batches(photos, masks, **settings)),
        "`Batches`, 2 threads": lambda: endless(Batches(photos, masks, **settings, workers=2)),
    }
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in paths}
    for _ in range(options.turns):
        for name, path in paths.items():
            rates[name].append(measure(path, options.seconds))

    reference = max(cpu for cpu, _ in rates["`ImageDataGenerator`, photos and masks"])
    print(f"{size} px, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| path | pictures a CPU second | pictures a second | ratio |")
    print("|---|---|---|---|")
    for name, found in rates.items():
        cpu, wall = (max(column) for column in zip(*found, strict=True))
        print(f"| {name} | {cpu:.0f} | {wall:.0f} | {cpu / reference:.1f} |")
    slow = max(cpu for cpu, _ in rates["`Batches`"]) < options.bar
    if slow:
        print(f"Batches deliver fewer than {options.bar:.0f} a CPU second", file=sys.stderr)
    return int(slow)


def endless(batches: Batches) -> Iterator[np.ndarray]:
    """Yield photos epoch after epoch."""
    while True:
        for x, _ in batches:
            yield x
        batches.on_epoch_end()


def generators(photos: np.ndarray, masks: np.ndarray) -> Iterator[np.ndarray]:
    """Yield photos by the older projects' way, with changes as near to our policy as it has."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    policy = {
        "rotation_range": 20,
        "width_shift_range": 0.15,
        "height_shift_range": 0.15,
        "shear_range": 6,
        "zoom_range": (0.75, 1.4),
        "horizontal_flip": True,
        "fill_mode": "reflect",
    }
    light = ImageDataGenerator(**policy, channel_shift_range=30)
    plain = ImageDataGenerator(**policy, rescale=1 / 255)
    pairs = zip(
        light.flow(photos, batch_size=32, seed=0),
        plain.flow(masks[..., None], batch_size=32, seed=0),
        strict=False,
    )
    for x, _ in pairs:
        yield x


def measure(path: Callable[[], Iterator[np.ndarray]], seconds: float) -> tuple[float, float]:
    """Return pictures a CPU second of this process, and pictures a second by the clock."""
    batches = path()
    next(batches)
    count, cpu, wall = 0, time.process_time(), time.perf_counter()
    while time.process_time() - cpu < seconds:
        count += len(next(batches))
    return count / (time.process_time() - cpu), count / (time.perf_counter() - wall)


if __name__ == "__main__":
    sys.exit(main())
