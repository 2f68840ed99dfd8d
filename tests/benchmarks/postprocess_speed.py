"""Measure the pipeline's frames at 1280x720, alone or beside another version of seglib.

    python tests/benchmarks/postprocess_speed.py
    python tests/benchmarks/postprocess_speed.py --old ../seglib-0.1

With --old, the other checkout runs in a process of its own, and the two take turns within each
round, so that whatever else the machine does meets both. Prints a Markdown table, for one thread
and for two: the median over the rounds of wall and CPU milliseconds a frame, the frames a second of
the best round, and the median of the rounds' ratios new / old. Exits with code 1 where "blur" is
below --fps on two threads, or where a ratio of CPU time is above its bar.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

EFFECTS = {
    "mask alone": None,
    "blur": {"effect": "blur"},
    "grey": {"effect": "grey"},
    "recolour": {"effect": "recolour", "color": (170, 40, 70)},
    "replace": {"effect": "replace"},
    "replace, light and linear": {"effect": "replace", "light": 0.5, "linear": True},
    "bokeh": {"effect": "bokeh", "sigma": 0.04},
    "recolour in HSV": {"effect": "recolour", "space": "hsv"},
    "replace, colour transfer": {"effect": "replace", "transfer": 1.0},
    "blur, bilateral enlargement": {"effect": "blur", "upsample": "bilateral"},
    "clone": {"effect": "clone"},
}
"""On top of the default's clean-up and guided enlargement; the first five have a bar."""

BARS = {"mask alone": 1.25, "blur": 1.25, "grey": 1.25, "recolour": 1.25, "replace": 1.6}


def serve(size: tuple[int, int]) -> None:
    """Answer each line ["effect", threads, frames] with [wall, CPU] milliseconds a frame."""
    import cv2
    import numpy as np

    import seglib
    from seglib.postprocess import Pipeline, PostprocessConfig, cover

    # A wide frame, as a camera gives it, around the head of the sample photo.
    photo = np.ascontiguousarray(cover(seglib.sample_photo()[:288], size))
    scene = np.ascontiguousarray(cover(seglib.sample_photo()[224:], size)[:, ::-1])
    masks = {name: seglib.load(name).raw(photo) for name in ("portrait", "hair")}
    for line in sys.stdin:
        name, threads, frames = json.loads(line)
        cv2.setNumThreads(threads)
        config = PostprocessConfig(**(EFFECTS[name] or {}))
        # 0.1 had threads of its own.
        options = {"threads": threads} if hasattr(Pipeline, "exact") else {}
        pipeline = Pipeline(config, **options)
        mask = masks["hair" if config.effect == "recolour" else "portrait"]
        words = (photo, mask, scene) if config.effect in ("replace", "clone") else (photo, mask)
        run = pipeline.alpha if EFFECTS[name] is None else pipeline
        run(*words)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(frames):
            run(*words)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps([1000 * wall / frames, 1000 * cpu / frames]), flush=True)


def start(tree: Path, size: tuple[int, int]) -> subprocess.Popen:
    """Start this script on another checkout."""
    command = [sys.executable, __file__, "--serve", "--size", *map(str, size)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)


def ask(server: subprocess.Popen, *question: object) -> list[float]:
    """Return wall and CPU milliseconds."""
    server.stdin.write(json.dumps(question) + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


def main() -> int:
    """Run the comparison and return 0 (bars met) or 1 (missed)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--old", type=Path, metavar="DIR", help="a checkout to compare with")
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("H", "W"))
    parser.add_argument("--fps", type=float, default=60, help="least frames a second of blur [60]")
    parser.add_argument("--effects", nargs="+", choices=EFFECTS, default=list(EFFECTS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--frames", type=int, default=4, help="frames a round [4]")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(tuple(options.size))
        return 0
    trees = [ROOT] if options.old is None else [ROOT, options.old.resolve()]
    servers = [start(tree, options.size) for tree in trees]
    print(
        "| effect | threads | wall ms | CPU ms | fps | old wall ms | old CPU ms | ratio, wall "
        "| ratio, CPU |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    )
    missed = []
    for threads in (1, 2):
        for name in options.effects:
            rounds = [
                [ask(server, name, threads, options.frames) for server in servers]
                for _ in range(options.rounds)
            ]
            new, *old = (
                [statistics.median(column) for column in zip(*found, strict=True)]
                for found in zip(*rounds, strict=True)
            )
            fps = 1000 / min(found[0][0] for found in rounds)
            cells = [f"{new[0]:.1f}", f"{new[1]:.1f}", f"{fps:.0f}"]
            if old:
                ratios = [statistics.median(a[i] / b[i] for a, b in rounds) for i in (0, 1)]
                cells += [f"{old[0][0]:.1f}", f"{old[0][1]:.1f}", *(f"{r:.2f}" for r in ratios)]
                if threads == 1 and ratios[1] > BARS.get(name, float("inf")):
                    missed.append(f"{name}: {ratios[1]:.2f} times the old")
            if threads == 2 and name == "blur" and fps < options.fps:
                missed.append(f"{name}: {fps:.0f} frames a second")
            print(f"| {name} | {threads} | " + " | ".join(cells) + " |", flush=True)
    for server in servers:
        server.stdin.close()
        server.wait()
    if missed:
        print(f"beyond the bars: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
