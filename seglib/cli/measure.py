"""`seglib eval`, `benchmark` and `models`: how good and how fast a model is, and its terms.

Chapters: dice loss; TFLite conversion.
"""

import argparse
import dataclasses
import json
import sys
from typing import Any

from seglib.cli import options as shared


def add_parser(commands: Any) -> None:
    """Add `eval`, `benchmark` and `models`."""
    _add_eval(commands)
    _add_benchmark(commands)
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


def _add_benchmark(commands: Any) -> None:
    parser = commands.add_parser("benchmark", help="measure how long models take, turn by turn")
    shared.add_model(parser, text=".tflite file or shipped name", more=False)
    parser.add_argument(
        "--compare", nargs="+", default=[], metavar="FILE", help="other models, in the same run"
    )
    parser.add_argument("--runs", type=int, default=100, help="measured runs [100]")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads [1]")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.set_defaults(run=_benchmark)


def _benchmark(options: argparse.Namespace) -> None:
    from seglib.benchmark import compare

    files = [shared.model_file(name) for name in (options.model, *options.compare)]
    comparison = compare(files, options.runs, options.threads)
    if options.json:
        print(json.dumps([dataclasses.asdict(row) for row in comparison.rows]))
    else:
        print(comparison.table())


def _add_models(commands: Any) -> None:
    parser = commands.add_parser("models", help="list the shipped weights and their terms")
    parser.set_defaults(run=_models)


def _models(_options: argparse.Namespace) -> None:
    from seglib import pretrained

    for name in pretrained.list_models():
        print(f"{name}: {pretrained.card(name)['terms']}")
