"""Measure how fast synthetic portraits are drawn, by one process and by all cores, in one run.

    python tests/benchmarks/synthetic_speed.py --workers 1 2 --bar 200

Rounds of all worker counts take turns, so that what else the machine does meets each alike. Prints
pictures a second (median, the processes' start included) and the ratio to one process, and checks
that every count draws the same pictures. Exits with code 1 where the last count misses the bar.
"""

import argparse
import statistics
import sys
import time

import numpy as np

from seglib.data import synthetic
from seglib.errors import SeglibError


def main() -> int:
    """Measure and return 0 (bar met), 1 (missed or pictures differ) or 2 (not measured)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="pictures a round")
    parser.add_argument("--size", type=int, default=128, help="side in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--bar", type=float, default=200, help="pictures a second to reach")
    options = parser.parse_args()

    rates = {workers: [] for workers in options.workers}
    first = None
    try:
        synthetic.draw(0, options.size)
        for _ in range(options.rounds):
            for workers, seen in rates.items():
                start = time.perf_counter()
                drawn = synthetic.portraits(options.count, options.size, workers=workers)
                seen.append(options.count / (time.perf_counter() - start))
                first = first or drawn
                if not np.array_equal(first.images, drawn.images):
                    print(f"{workers} workers drew other pictures", file=sys.stderr)
                    return 1
    except SeglibError as error:
        print(error, file=sys.stderr)
        return 2
    alone = statistics.median(rates[options.workers[0]])
    print(f"| workers | pictures/s at {options.size} px | ratio |\n| --- | --- | --- |")
    for workers, seen in rates.items():
        rate = statistics.median(seen)
        print(f"| {workers} | {rate:.0f} | {rate / alone:.2f} |")
    return 0 if rate >= options.bar else 1


if __name__ == "__main__":
    raise SystemExit(main())
