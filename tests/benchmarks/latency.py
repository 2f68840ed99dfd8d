"""Measure the shipped weights beside networks by others, turn by turn in one process.

    SEGLIB_PEERS=/folder/of/peers python tests/benchmarks/latency.py

Prints a Markdown table whose ratios are to the peer named by --reference, and exits with code 1
where a shipped network is slower than --bar times that peer.
"""

import argparse
import os
import sys
from pathlib import Path

import seglib.pretrained
from seglib.benchmark import compare, table
from seglib.errors import SeglibError


def main() -> int:
    """Run the comparison and return 0 (bar met), 1 (missed) or 2 (not measured)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", default="mp_selfie.tflite", help="peer to compare with")
    parser.add_argument("--bar", type=float, default=0.55, help="largest allowed ratio")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    folder = os.environ.get("SEGLIB_PEERS")
    if not folder:
        print("set SEGLIB_PEERS to a folder with the peers' .tflite files", file=sys.stderr)
        return 2
    reference = Path(folder) / options.reference
    peers = sorted(path for path in Path(folder).glob("*.tflite") if path != reference)
    shipped = sorted(Path(seglib.pretrained.__file__).parent.glob("*.tflite"))
    if not shipped:
        print("no weights are shipped in seglib/pretrained", file=sys.stderr)
        return 2
    try:
        report = compare([reference, *peers, *shipped], options.runs, options.threads)
    except SeglibError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(report))
    names = {path.name for path in shipped}
    slow = [row.file for row in report if row.file in names and row.ratio > options.bar]
    if slow:
        print(f"slower than {options.bar} x {reference.name}: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
