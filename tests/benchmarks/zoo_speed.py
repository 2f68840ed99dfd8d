"""Set the zoo's trained networks beside `mobile_unet`: time turn by turn, scores photo by photo.

    SEGLIB_DATA=/folder/of/sets SEGLIB_PEERS=/folder/of/models python \
        tests/benchmarks/zoo_speed.py seglib/assets/zoo_speed.csv --models FOLDER \
        --gaps seglib/assets/zoo_gaps.csv

FOLDER holds the exports of `zoo_training.py`, all of one input size. A network that has none there
is exported with random weights, since time does not depend on them. All take turns in one process,
in several rounds; `ratio` is the median over the rounds of the processor time divided by that of
`mobile_unet`, `ratio_low` and `ratio_high` are the lowest and the highest round. The row
"mobile_unet again" is the same file once more: how far it is from 1 says how far the others can be
trusted. The shipped portrait networks and, where SEGLIB_PEERS names them, other projects' files
take part at their own input size.

With --gaps, every trained export is scored on the val sets too, and its IoU minus that of the
`mobile_unet` of the same seed on the same photos is written with its paired bootstrap interval.
Scored again is only what that file lacks; delete it after training anew.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import baselines
import numpy as np
from study import one_thread, plain_errors, read_rows, real_set, write_rows
from zoo_training import KIND, RUNS, SIZE, VAL_SETS

from seglib import export, models, pretrained
from seglib.benchmark import compare
from seglib.evaluation import evaluate
from seglib.runtime import Segmenter, open_engine

FIRST = "mobile_unet"
SHIPPED = ("portrait", "portrait_open")
SPEED = (
    *("label", "group", "side", "params", "macs", "kilobytes", "operations", "trained"),
    *("ratio", "ratio_low", "ratio_high", "cpu_ms", "rounds", "runs"),
)
GAPS = (
    *("label", "seed", "set", "photos", "gap", "gap_low", "gap_high"),
    *("boundary_gap", "boundary_gap_low", "boundary_gap_high"),
)


def file_name(label: str, seed: int = 0) -> str:
    """Return the name that `zoo_training.py` gives a network's export."""
    return f"{label.replace(' / ', '_').replace(' ', '_')}.{seed}.tflite"


def export_of(label: str, folder: Path, spare: Path) -> tuple[dict, Path]:
    """Return what is known of a network and its file; exports it untrained where there is none."""
    name, options, _ = RUNS[label]
    model = models.build(name, size=SIZE, **options)
    cost = models.cost(model)
    path = folder / file_name(label)
    row = {"label": label, "group": "zoo", "params": cost.params, "macs": cost.macs}
    if path.exists():
        return row | {"trained": "yes"}, path
    path = spare / file_name(label)
    if not path.exists():
        print(f"exporting {label} untrained", file=sys.stderr, flush=True)
        export.to_tflite(model, path)
    return row | {"trained": "no"}, path


def contestants(options: argparse.Namespace) -> tuple[list[dict], list[Path]]:
    """Return a row and the file of everything that is timed, `mobile_unet` first."""
    found = []
    for label in RUNS:
        row, path = export_of(label, options.models, options.spare)
        found.append((row, path))
        if label == FIRST:
            found.append((row | {"label": f"{label} again", "group": "control"}, path))
    for name in SHIPPED:
        row = {"label": name, "group": "shipped", "params": pretrained.card(name)["parameters"]}
        found.append((row, pretrained.path(name)))
    for name in baselines.available(KIND):
        found.append(
            ({"label": baselines.BASELINES[name].title, "group": "peer"}, baselines.path(name))
        )
    for row, path in found:
        row["side"] = input_side(path)
        row["kilobytes"] = round(path.stat().st_size / 1000)
        row["operations"] = len(export.ops(path))
    rows, paths = zip(*found, strict=True)
    return list(rows), list(paths)


def input_side(path: Path) -> str:
    """Return "96" for a square input, "144x256" (height first) for another."""
    height, width = open_engine(path).image_size
    return str(height) if height == width else f"{height}x{width}"


def speeds(options: argparse.Namespace) -> list[dict]:
    """Time everything in rounds of turns; returns the rows of the results file."""
    rows, paths = contestants(options)
    ratios, times = [], []
    for number in range(options.rounds):
        measured = compare(paths, options.runs)
        ratios.append([one.ratio for one in measured])
        times.append([one.cpu_ms for one in measured])
        print(f"round {number + 1}: the same file twice {ratios[-1][1]:.3f}", file=sys.stderr)
    for row, own, ms in zip(rows, np.transpose(ratios), np.transpose(times), strict=True):
        row |= {
            "ratio": f"{np.median(own):.3f}",
            "ratio_low": f"{own.min():.3f}",
            "ratio_high": f"{own.max():.3f}",
            "cpu_ms": f"{np.median(ms):.2f}",
            "rounds": options.rounds,
            "runs": options.runs,
        }
    return rows


def gaps(options: argparse.Namespace) -> None:
    """Score the trained exports that the gaps file lacks, and write it after each."""
    rows = read_rows(options.gaps)
    done = {(row["label"], int(row["seed"])) for row in rows}
    for seed in range(3):
        first = options.models / file_name(FIRST, seed)
        if not first.exists():
            continue
        home = {}
        for label in RUNS:
            path = options.models / file_name(label, seed)
            if label == FIRST or (label, seed) in done or not path.exists():
                continue
            for name in VAL_SETS:
                photos = real_set(name, "val", KIND)
                if name not in home:
                    home[name] = evaluate(Segmenter(first), photos, progress=False)
                scores = evaluate(Segmenter(path), photos, progress=False)
                area = scores.against(home[name], "iou")
                edge = scores.against(home[name], "boundary_iou")
                numbers = (area.mean, area.low, area.high, edge.mean, edge.low, edge.high)
                values = (label, seed, name, len(photos), *(f"{one:.4f}" for one in numbers))
                rows.append(dict(zip(GAPS, values, strict=True)))
            write_rows(options.gaps, GAPS, rows)
            print(f"{label}, seed {seed}: {rows[-len(VAL_SETS)]['gap']}", flush=True)


@plain_errors
def main() -> int:
    """Time, write, and score where asked to; 2 where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="CSV file of times")
    parser.add_argument("--models", type=Path, default=Path("build/zoo96"), help="trained exports")
    parser.add_argument("--spare", type=Path, default=Path("build/zoo96-untrained"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=30, help="turns in each round")
    parser.add_argument("--gaps", type=Path, help="CSV file of score differences")
    options = parser.parse_args()
    one_thread()
    rows = speeds(options)
    write_rows(options.results, SPEED, rows)
    for row in rows:
        print(f"{row['label']:28} {row['side']:>8} {row['ratio']} ({row['cpu_ms']} ms)")
    if options.gaps:
        gaps(options)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
