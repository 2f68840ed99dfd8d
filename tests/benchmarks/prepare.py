"""Measure `seglib.data.prepare` on all cores beside a plain loop, turn by turn in one run.

    python tests/benchmarks/prepare.py
    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/prepare.py --layout ccp_full

Photos are drawn at a photo's size, or copied from real pairs in their original layout (raw_samples
under $SEGLIB_DATA). The loop does what the older projects' scripts do: read, resize and write one
pair after the other, in one thread. Prints pairs per second of both, the ratio of each turn, the
processor time of a pair (which other programs on the machine disturb less), and the peak memory of
the parent for a set and for one half as long.
Exits with code 1 where the median ratio misses --bar.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from seglib.data import prepare
from seglib.data.sources import catalogue
from seglib.data.sources.prepare import find, read
from seglib.data.workers import cores
from seglib.images import resize, write_image, write_mask

MEASURE = """
import resource, sys
from seglib.data import prepare
prepare(sys.argv[1], sys.argv[2], sys.argv[3], size=int(sys.argv[4]), progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def make(root: Path, count: int, side: int) -> None:
    """Write `count` photos and masks of their own, detailed as photos are."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    for index in range(count):
        coarse = rng.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
        Image.fromarray(smooth).save(root / "images" / f"p{index:05d}.jpg", quality=90)
        radius = side * (0.2 + 0.1 * rng.random())
        distance = np.hypot(*(np.indices((side, side)) - side / 2))
        write_mask(root / "masks" / f"p{index:05d}.png", (distance < radius).astype(np.float32))


def multiply(root: Path, source: str, real: Path, count: int) -> None:
    """Write `count` pairs by repeating the few real ones of CCP under other numbers."""
    pairs = find(catalogue.source(source).layout, real / "raw_samples" / "ccp").pairs
    (root / "photos").mkdir(parents=True)
    (root / "annotations/pixel-level").mkdir(parents=True)
    for index in range(count):
        pair = pairs[index % len(pairs)]
        shutil.copy(pair.image, root / "photos" / f"{index:05d}.jpg")
        shutil.copy(pair.parts[0], root / "annotations/pixel-level" / f"{index:05d}.mat")


def loop(layout: str, raw: Path, output: Path, size: int) -> None:
    """Read, resize and write one pair after the other."""
    for pair in find(layout, raw).pairs:
        image, masks = read(layout, pair)
        scale = min(1, size / max(image.shape[:2]))
        shape = tuple(round(side * scale) for side in image.shape[:2])
        write_image(output / "images" / f"{pair.stem}.jpg", resize(image, shape))
        for kind, mask in masks.items():
            small = np.clip(resize(mask, shape), 0, 1)
            write_mask(output / "masks" / kind / f"{pair.stem}.png", small)


def main() -> int:
    """Run the comparison and return 0 (bar met) or 1 (missed)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=240)
    parser.add_argument("--side", type=int, default=720, help="of the drawn photos, pixels")
    parser.add_argument("--size", type=int, default=320, help="longest side to prepare")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--layout", choices=("folder", "ccp_full"), default="folder")
    parser.add_argument("--bar", type=float, default=0.6, help="ratio wanted for each core")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, count in (("raw", options.pairs), ("half", options.pairs // 2)):
            if options.layout == "folder":
                make(root / name, count, options.side)
            else:
                real = Path(os.environ.get("SEGLIB_DATA", "."))
                multiply(root / name, options.layout, real, count)
        ratios = [turn(options, root) for _ in range(options.turns)]
        peaks = {name: peak(options, root, name) for name in ("half", "raw")}
    print(f"peak memory of the parent: {peaks['half']:.0f} MB for half, {peaks['raw']:.0f} MB")
    ratio, bar = statistics.median(ratios), options.bar * cores()
    print(f"median ratio {ratio:.2f} on {cores()} cores (bar {bar:.2f})")
    return 0 if ratio >= bar or cores() == 1 else 1


def turn(options: argparse.Namespace, root: Path) -> float:
    """Measure both once and return the loop's time over that of prepare."""
    layout = catalogue.source(options.layout).layout
    # One thread is one thread: OpenCV would otherwise lend the loop all cores for resizing.
    cv2.setNumThreads(1)
    start, busy = time.perf_counter(), spent()
    loop(layout, root / "raw", root / "loop", options.size)
    alone, alone_busy = time.perf_counter() - start, spent() - busy
    start, busy = time.perf_counter(), spent()
    prepare(options.layout, root / "raw", root / "out", size=options.size, progress=False)
    together, together_busy = time.perf_counter() - start, spent() - busy
    for name in ("loop", "out"):
        shutil.rmtree(root / name)
    print(
        f"loop {options.pairs / alone:6.1f} pairs/s   prepare {options.pairs / together:6.1f} "
        f"pairs/s   ratio {alone / together:.2f}   processor time a pair "
        f"{1000 * alone_busy / options.pairs:.1f} and {1000 * together_busy / options.pairs:.1f} ms"
    )
    return alone / together


def spent() -> float:
    """Return the processor seconds of this process and of those it started and saw end."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def peak(options: argparse.Namespace, root: Path, name: str) -> float:
    """Return the peak memory of a process that prepares a set, megabytes."""
    command = [sys.executable, "-c", MEASURE, options.layout, root / name, root / f"m-{name}"]
    found = subprocess.run(
        [*map(str, command), str(options.size)], capture_output=True, text=True, check=True
    )
    return int(found.stdout) / (1024 if sys.platform == "linux" else 1024**2)


if __name__ == "__main__":
    raise SystemExit(main())
