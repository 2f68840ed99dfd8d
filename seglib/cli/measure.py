"""`seglib eval` and `models`: how good a model is, and the terms of the shipped ones.

Chapter: dice loss.
"""

import argparse
import json
import sys
from typing import Any

from seglib.cli import options as shared


def add_parser(commands: Any) -> None:
    """Add `eval` and `models`."""
    _add_eval(commands)
    _add_models(commands)


def _add_eval(commands: Any) -> None:
    parser = commands.add_parser("eval", help="score a model on a data set")
    shared.add_model(parser, text=f".tflite or {shared.WEIGHTS} file, or shipped name")
    shared.add_data(parser)
    parser.add_argument("--split", default="val", help="train, val or all [val]")
    parser.add_argument("--json", action="store_true", help="print all scores as JSON")
    parser.set_defaults(run=_eval)


def _eval(options: argparse.Namespace) -> None:
    from seglib.evaluation import evaluate

    segment = shared.segmenter(options, options.model)
    dataset = shared.dataset(options.data, options.split, options.kind)
    scores = evaluate(segment, dataset, progress=sys.stderr.isatty())
    if options.json:
        facts = {"model": options.model, "data": scores.dataset, "kind": scores.kind}
        facts |= {"split": dataset.split, "count": len(dataset)}
        print(json.dumps({**facts, "means": scores.means, "rows": scores.rows}))
        return
    print(
        f"{options.model} on {scores.dataset} ({scores.kind}, {dataset.split}): "
        f"{len(dataset)} photos"
    )
    for name, value in scores.means.items():
        print(f"{name:>14} {value:.4f}")
    worst = ", ".join(f"{row['stem']} ({row['iou']:.2f})" for row in scores.worst(3))
    print(f"lowest IoU: {worst}")


def _add_models(commands: Any) -> None:
    parser = commands.add_parser("models", help="list the shipped weights and their terms")
    parser.set_defaults(run=_models)


def _models(_options: argparse.Namespace) -> None:
    from seglib import pretrained

    for name in pretrained.list_models():
        print(f"{name}: {pretrained.card(name)['terms']}")
