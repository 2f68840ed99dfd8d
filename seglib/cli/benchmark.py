"""`seglib benchmark`: how long models take, turn by turn, and each of their operations.

Chapter: measuring on the device.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglib.cli import options as shared
from seglib.errors import SeglibError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def add_parser(commands: Any) -> None:
    """Add `benchmark`."""
    parser = commands.add_parser(
        "benchmark",
        help="measure how long models take, turn by turn",
        description="Measure how long models take on this machine's processor. They take turns, so "
        "their ratios hold on a busy machine; the milliseconds are those of this machine.",
    )
    shared.add_model(parser, text=".tflite file or shipped name", more=False)
    parser.add_argument(
        "--compare", nargs="+", default=[], metavar="FILE", help="other models, in the same run"
    )
    parser.add_argument(
        "--phone", nargs="+", default=[], type=Path, metavar="FILE",
        help="what benchmark_model, litert-benchmark or xcresulttool wrote: shown beside",
    )  # fmt: skip
    parser.add_argument("--profile", action="store_true", help="time each operation of the model")
    parser.add_argument("--runs", type=int, default=100, help="measured runs [100]")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads [1]")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw it into X.png or X.svg")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.set_defaults(run=_benchmark)


def _benchmark(options: argparse.Namespace) -> None:
    if options.figure and options.figure.suffix not in (".png", ".svg", ".pdf"):
        raise SeglibError(f"{options.figure} must end in .png, .svg or .pdf; rename it")
    if options.profile and (options.compare or options.phone):
        raise SeglibError("--profile looks into one model; leave out --compare and --phone")
    files = [shared.model_file(name) for name in (options.model, *options.compare)]
    if options.profile:
        _profile(files[0], options)
        return
    from seglib.benchmark import compare, plot_latency, read_phone, table

    # Read before anything is measured: a wrong name should not cost a minute.
    phones = [row for path in options.phone for row in read_phone(path, path.stem)]
    measured = compare(files, options.runs, options.threads)
    if options.figure:
        _write(plot_latency([*measured, *phones]), options.figure)
    if options.json:
        print(json.dumps([dataclasses.asdict(row) for row in (*measured, *phones)]))
        return
    print(table([*measured, *phones]))


def _profile(file: Path, options: argparse.Namespace) -> None:
    from seglib.benchmark import plot_profile, profile

    found = profile(file, options.runs, options.threads)
    if options.figure:
        _write(plot_profile(found), options.figure)
    if options.json:
        print(json.dumps({**dataclasses.asdict(found), "pieces": found.pieces}))
        return
    print(found.table())
    share = found.own_ms / max(found.total_ms, 1e-9)
    print(
        f"\n{len(found.ops)} operations; pieces that the delegate runs: {found.pieces}; "
        f"time in what it left out: {share:.0%}"
    )


def _write(figure: "Figure", path: Path) -> None:
    from seglib.files import atomic_path

    with atomic_path(path) as temporary:
        figure.savefig(temporary)
