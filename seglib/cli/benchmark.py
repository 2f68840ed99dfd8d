"""`seglib benchmark`: how long models take, turn by turn.

Chapters: TFLite conversion; measuring on the device.
"""

import argparse
import dataclasses
import json
from typing import Any

from seglib.cli import options as shared


def add_parser(commands: Any) -> None:
    """Add `benchmark`."""
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
