"""`seglib eval` and `models`: how good a model is, and the terms of the shipped ones.

Chapter: evaluation and error analysis.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from seglib.cli import options as shared

COMPARED = ("iou", "boundary_iou")
"""The scores whose differences `eval --compare` prints."""


def add_parser(commands: Any) -> None:
    """Add `eval` and `models`."""
    _add_eval(commands)
    _add_models(commands)


def _add_eval(commands: Any) -> None:
    parser = commands.add_parser(
        "eval",
        help="score models on a data set",
        description="Score models on the photos of a prepared data set, at the photos' own size.",
    )
    shared.add_model(parser, text=f"model file, {shared.WEIGHTS} file or shipped name")
    shared.add_data(parser)
    parser.add_argument("--split", default="val", help="train, val or all [val]")
    parser.add_argument(
        "--compare", nargs="+", default=[], metavar="FILE", help="other models, on the same photos"
    )
    parser.add_argument(
        "--intervals", action="store_true", help="say how far the means would move with the photos"
    )
    parser.add_argument("--by", choices=["difficulty"], help="split the scores by kinds of photos")
    parser.add_argument(
        "--robustness", action="store_true", help="blur, darken, turn ... the photos (25 x longer)"
    )
    parser.add_argument("--json", action="store_true", help="print all scores as JSON")
    parser.set_defaults(run=_eval)


def _eval(options: argparse.Namespace) -> None:
    dataset = shared.dataset(options.data, options.split, options.kind)
    # All are opened before the first is scored: a wrong name is no surprise after ten minutes.
    segments = [_segmenter(options, name) for name in (options.model, *options.compare)]
    reports = []
    for name, segment in zip((options.model, *options.compare), segments, strict=True):
        reports.append(_report(options, name, segment, dataset, reports[0] if reports else None))
    if options.json:
        first, *others = [{k: v for k, v in one.items() if k != "scores"} for one in reports]
        print(json.dumps({**first, **({"compare": others} if others else {})}))
        return
    for report in reports:
        _print(report)


def _segmenter(options: argparse.Namespace, name: str) -> Callable[[np.ndarray], np.ndarray]:
    return shared.segmenter(options, name)


def _report(
    options: argparse.Namespace, name: str, segment: Any, dataset: Any, first: dict | None
) -> dict[str, Any]:
    """Score one model; everything but `scores` can be written as JSON."""
    from seglib.evaluation import evaluate
    from seglib.evaluation.robustness import evaluate_corrupted, hard_subsets

    progress = sys.stderr.isatty()
    scores = evaluate(segment, dataset, progress=progress)
    persons = scores.persons
    report: dict[str, Any] = {"model": name, "data": scores.dataset, "kind": scores.kind}
    report |= {"split": dataset.split, "count": len(dataset), "means": scores.means}
    report["empty"] = scores.empty
    if options.intervals:
        report["intervals"] = {key: asdict(scores.interval(key, persons)) for key in scores.means}
    if first is not None:
        # The difference is of use with its interval alone, asked for or not.
        report["compared_with"] = first["model"]
        report["difference"] = {
            key: asdict(scores.against(first["scores"], key, persons)) for key in COMPARED
        }
    if options.by:
        report["difficulty"] = [
            {
                "group": group.name,
                "count": group.count,
                "iou": group.mean if group.count else None,
                "gap": asdict(group.gap) if group.gap else None,
            }
            for group in hard_subsets(scores, dataset)
        ]
    if options.robustness:
        report["robustness"] = [
            {"kind": row.kind, "level": row.level, "iou": row.scores.means["iou"]}
            for row in evaluate_corrupted(segment, dataset, progress=progress)
        ]
    return {**report, "rows": scores.rows, "scores": scores}


def _print(report: dict[str, Any]) -> None:
    print(
        f"{report['model']} on {report['data']} ({report['kind']}, {report['split']}): "
        f"{report['count']} photos"
    )
    for name, value in report["means"].items():
        print(f"{name:>14} {value:.4f}{_ends(report.get('intervals', {}).get(name))}")
    empty = report["empty"]
    if empty["photos"]:
        print(
            f"{empty['photos']} photos show nothing and are counted apart: something is marked in "
            f"{empty['false_alarms']} of them, {empty['marked']:.2%} of their pixels"
        )
    worst = ", ".join(f"{row['stem']} ({row['iou']:.2f})" for row in report["scores"].worst(3))
    print(f"lowest IoU: {worst}")
    for name, gap in report.get("difference", {}).items():
        print(f"{name} minus that of {report['compared_with']}: {gap['mean']:+.4f}{_ends(gap)}")
    for group in report.get("difficulty", []):
        if group["count"]:
            against = f", against the rest {group['gap']['mean']:+.4f}" if group["gap"] else ""
            print(
                f"{group['group']:>14} {group['iou']:.4f} ({group['count']} photos{against}"
                f"{_ends(group['gap'])})"
            )
    for row in report.get("robustness", []):
        print(f"{row['kind']:>14} {row['level']:>5g} {row['iou']:.4f}")


def _ends(interval: dict[str, float] | None) -> str:
    return f" [{interval['low']:.4f}, {interval['high']:.4f}]" if interval else ""


def _add_models(commands: Any) -> None:
    parser = commands.add_parser("models", help="list the shipped weights and their terms")
    parser.set_defaults(run=_models)


def _models(_options: argparse.Namespace) -> None:
    from seglib import pretrained

    for name in pretrained.list_models():
        print(f"{name}: {pretrained.card(name)['terms']}")
