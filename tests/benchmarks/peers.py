"""Score the shipped networks and other projects' on the same photos by the same code, in one run.

    SEGLIB_DATA=/folder/of/sets SEGLIB_PEERS=/folder/of/models python tests/benchmarks/peers.py \
        seglib/assets/peers.csv

Whole val splits at the photos' own size, every network fed as its own project says
(`baselines.py`). Intervals are bootstrap intervals over photos, over persons where a set
shows a person more than once. `gap` is the first shipped network's IoU minus this one's on the same
photos. `time_ratio` compares processor time on one thread, measured turn by turn, with the first
peer's; it does not count resizing. `home` tells whether the set's train split trained the network.
"""

import argparse
import hashlib
import os
import sys
from pathlib import Path

import baselines
from study import plain_errors, real_set, write_rows

from seglib import pretrained
from seglib.errors import SeglibError
from seglib.evaluation import evaluate

SETS = {
    "person": ("eg1800", "ccp_upper", "ccp_full"),
    "hair": ("figaro1k", "lfw_hair", "ccp_upper"),
}
OURS = {"person": ("portrait", "portrait_open"), "hair": ("hair", "hair_open")}
COLUMNS = (
    *("task", "set", "photos", "model", "title", "sha256", "home", "iou", "iou_low", "iou_high"),
    *("boundary_iou", "boundary_low", "boundary_high", "gap", "gap_low", "gap_high", "time_ratio"),
)


def file_of(model: str) -> Path:
    """Return where a shipped network's or a peer's file lies."""
    return baselines.path(model) if model in baselines.BASELINES else pretrained.path(model)


def home(model: str, name: str) -> str:
    """Tell whether a set trained a network: yes, no, or unknown."""
    if model in baselines.BASELINES:
        return "unknown"
    return "yes" if name in pretrained.card(model)["recipe"]["sets"] else "no"


def time_ratios(models: list[str], runs: int) -> dict[str, float]:
    """Measure all networks of a task turn by turn; ratios to the first peer."""
    from seglib.benchmark import compare

    first = next(model for model in models if model in baselines.BASELINES)
    order = [first, *(model for model in models if model != first)]
    rows = compare([file_of(model) for model in order], runs, 1)
    return {model: row.ratio for model, row in zip(order, rows, strict=True)}


def score(task: str, name: str, models: list[str], ratios: dict[str, float]) -> list[dict]:
    """Score all networks of a task on one set; one row each."""
    dataset = real_set(name, "val", task)
    rows, ours = [], None
    for model in models:
        segment = baselines.load(model) if model in baselines.BASELINES else pretrained.load(model)
        scores = evaluate(segment, dataset, progress=sys.stderr.isatty())
        ours = ours or scores
        row = {
            "task": task,
            "set": name,
            "photos": len(dataset),
            "model": model,
            "title": baselines.BASELINES[model].title
            if model in baselines.BASELINES
            else f"{model}, shipped",
            "sha256": hashlib.sha256(file_of(model).read_bytes()).hexdigest()[:12],
            "home": home(model, name),
            "time_ratio": f"{ratios[model]:.3f}",
        }
        groups = scores.persons
        found = {
            "iou": scores.interval("iou", groups),
            "boundary_iou": scores.interval("boundary_iou", groups),
            "gap": ours.against(scores, "iou", groups),
        }
        for key, one in found.items():
            short = key.removesuffix("_iou")
            row |= {key: f"{one.mean:.4f}"}
            row |= {f"{short}_low": f"{one.low:.4f}", f"{short}_high": f"{one.high:.4f}"}
        rows.append(row)
        print(f"{task} {name:10} {row['title']:28} {found['iou']}  ours better by {found['gap']}")
    return rows


@plain_errors
def main() -> int:
    """Score everything and write the file; 2 where photos or peers are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="CSV file to write")
    parser.add_argument("--runs", type=int, default=100, help="turns of the time measurement")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = []
    for task, sets in SETS.items():
        there = baselines.available(task)
        if not there:
            raise SeglibError(f"SEGLIB_PEERS names no folder with a peer for {task}")
        models = [*OURS[task], *there]
        ratios = time_ratios(models, options.runs)
        for name in sets:
            rows += score(task, name, models, ratios)
    write_rows(options.results, COLUMNS, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
