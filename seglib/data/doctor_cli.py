"""The command `seglib data doctor`.

Chapter: data preparation.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from seglib import cli_options
from seglib.errors import SeglibError


def add_parser(commands: Any) -> None:
    """Add `doctor` to the commands of `seglib data`."""
    parser = commands.add_parser(
        "doctor",
        help="say what is wrong with a prepared data set",
        description="Exit code 1 when something must be mended, 0 when not, 2 for a mistake.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the prepared data set")
    parser.add_argument("--kind", help="look at masks of this kind only [all]")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with thumbnails")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--fix", type=Path, metavar="OUT", help="write a mended copy to OUT")
    parser.add_argument("--workers", type=int, help="processes [one for each core]")
    cli_options.add_model(parser, required=False, text="compare with a .tflite or shipped name")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Examine, print, write what was asked for.

    Raises:
        SystemExit: with code 1, when something must be mended.
        SeglibError: a mistake in the options or files that cannot be written.
    """
    from seglib.data import doctor

    if options.fix is not None:
        if options.kind is not None:
            raise SeglibError("--fix mends all kinds of mask at once; leave --kind out")
        # Said before minutes of work, not after.
        if options.fix.exists():
            raise SeglibError(f"{options.fix} exists already; choose a new folder for --fix")
    channel = options.channel
    if channel is not None and channel.isdigit():
        channel = int(channel)
    bar = sys.stderr.isatty()
    report = doctor.examine(
        options.folder,
        options.kind,
        progress=bar,
        workers=options.workers,
        model=options.model and cli_options.model_file(options.model),
        channel=channel,
        value_range=options.value_range and tuple(options.value_range),
    )
    print(json.dumps(report.to_dict()) if options.json else report.table())
    notes = sys.stderr if options.json else sys.stdout
    if options.html is not None:
        print(f"wrote {report.write_html(options.html)}", file=notes)
    if options.fix is not None:
        print(f"wrote {doctor.mend(report, options.fix, progress=bar)}", file=notes)
    if report.must_mend:
        raise SystemExit(1)
