"""Run the video loop over many frames and see whether its memory stays flat.

`python tests/benchmarks/video_soak.py [--frames 10000] [--size H W] [--network] [--live]` draws a
swaying portrait, hands its frames out again and again, and prints the process's memory on the way.
Without --network the mask is a cheap one made of brightness; with it the shipped portrait network
runs. The frames are written to a film that is thrown away. Exits with code 1 where memory grew by
more than --mib between the first tenth of the run and its end.
"""

import argparse
import sys
import tempfile
import threading
from pathlib import Path

import cv2
import numpy as np

import seglib
from seglib import video


def resident_mib() -> float:
    """Return the memory that this process holds now, in MiB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise OSError("no VmRSS here")


class Again:
    """The frames of a clip, over and over."""

    live, note, name = False, "", "the soak run"

    def __init__(self, clip: video.Clip, count: int) -> None:
        self.fps, self.count = clip.fps, count
        self._images, self._next = clip.images, 0

    def read(self) -> video.Frame | None:
        """Return the next frame, a copy as a camera's would be."""
        index, self._next = self._next, self._next + 1
        if index >= self.count:
            return None
        return video.Frame(index, index / self.fps, self._images[index % len(self._images)].copy())

    def close(self) -> None:
        """Do nothing."""


def by_brightness(image: np.ndarray) -> np.ndarray:
    """Return a mask that costs nearly nothing."""
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255


def main() -> int:
    """Run and return 0 (flat), 1 (grown) or 2 (not measured)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=160, help="side of the frames [160]")
    parser.add_argument("--network", action="store_true", help="the shipped portrait network")
    parser.add_argument(
        "--live", action="store_true", help="as a camera of 100 frames a second, which drops frames"
    )
    parser.add_argument("--mib", type=float, default=8.0, help="how much it may grow [8]")
    options = parser.parse_args()
    if options.frames < 100 or not Path("/proc/self/status").exists():
        print("needs at least 100 frames, and Linux", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    segment = seglib.load("portrait").raw if options.network else by_brightness
    clip = video.moving_portrait(60, size=options.size, seed=1, fps=100.0 if options.live else 30.0)
    source = Again(clip, options.frames)
    held: list[tuple[int, float]] = []
    every = options.frames // 10

    def look(shown: video.DisplayedFrame) -> None:
        while shown.frame.index >= len(held) * every:
            held.append((shown.frame.index, resident_mib()))

    with tempfile.TemporaryDirectory() as folder:
        report = video.process(
            video.RealTimeSource(source) if options.live else source,
            segment,
            video.Composer(),
            video.VideoWriter(Path(folder) / "soak.avi"),
            smooth=video.MotionEma(),
            max_lag=2 if options.live else 0,
            on_shown=look,
        )
    held.append((options.frames, resident_mib()))
    print(report)
    print("| frame | resident MiB |\n|---:|---:|")
    for index, mib in held:
        print(f"| {index} | {mib:.1f} |")
    grown = held[-1][1] - held[1][1]
    print(f"from frame {held[1][0]} on: {grown:+.1f} MiB; {threading.active_count()} thread left")
    whole = report.shown + report.dropped == report.captured == options.frames
    return 0 if whole and grown <= options.mib else 1


if __name__ == "__main__":
    raise SystemExit(main())
