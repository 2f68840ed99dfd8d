"""`seglib data`: list the sources, fetch one, prepare it, export it, look it over.

Chapter: data preparation.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from seglib.cli import options as shared
from seglib.errors import SeglibError


def add_parser(commands: Any, complete: bool = True) -> None:
    """Add the command `data` with its own commands.

    Args:
        commands: what `ArgumentParser.add_subparsers` returned.
        complete: False leaves its commands away, for when another command was asked for anyway.
    """
    parser = commands.add_parser("data", help="list, fetch, prepare, export or examine data sets")
    if not complete:
        return
    own = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_list(own)
    _add_fetch(own)
    _add_prepare(own)
    _add_export(own)
    _add_doctor(own)


def _add_list(commands: Any) -> None:
    parser = commands.add_parser("list", help="list the sources, their terms and how to get them")
    parser.add_argument("--json", action="store_true", help="print all that is known, as JSON")
    parser.set_defaults(run=_list)


def _list(options: argparse.Namespace) -> None:
    import dataclasses

    from seglib.data.sources import catalogue

    entries = catalogue.entries()
    if options.json:
        rows = [{**dataclasses.asdict(e), "fetchable": e.fetchable} for e in entries]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for entry in entries:
        size = (f"{entry.count:,} pairs" if entry.count else "", entry.size)
        print(", ".join(filter(None, (f"{entry.name}: {entry.title}", *size))))
        print(f"    shows    {entry.shows}; masks of {', '.join(entry.kinds)}")
        print(f"    licence  {entry.licence}")
        print(f"    terms    {entry.terms}")
        if entry.citation:
            print(f"    cite     {entry.citation}")
        if entry.fetchable:
            print(f"    from     {entry.address}")
            print(f"    get it   seglib data fetch {entry.name}")
        for number, step in enumerate(() if entry.fetchable else entry.steps, 1):
            print(f"    {'get it' if number == 1 else '':8} {number}. {step}")


def _add_fetch(commands: Any) -> None:
    parser = commands.add_parser("fetch", help="fetch a set, so that it can be loaded")
    parser.add_argument("name", metavar="NAME", help="a name that `seglib data list` shows")
    parser.add_argument("--folder", type=Path, help="only fetch, to DIR [the cache]", metavar="DIR")
    parser.set_defaults(run=_fetch)


def _fetch(options: argparse.Namespace) -> None:
    from seglib.data.download import folders
    from seglib.data.sources import catalogue
    from seglib.data.sources.fetch import fetch
    from seglib.data.sources.prepare import prepare

    entry, bar = catalogue.source(options.name), sys.stderr.isatty()
    print(f"{entry.title}: {entry.terms}", file=sys.stderr)
    raw = fetch(entry, options.folder, bar)
    if options.folder or not entry.layout or folders(entry.name):
        print(raw)
    else:
        print(prepare(entry, raw, progress=bar))


def _add_prepare(commands: Any) -> None:
    parser = commands.add_parser("prepare", help="write a set in the one format the library reads")
    parser.add_argument("name", metavar="NAME", help="a name that `seglib data list` shows")
    parser.add_argument(
        "--raw", type=Path, metavar="DIR", help="the unpacked files [where `fetch` puts them]"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="the new folder [the user's cache]"
    )
    parser.add_argument("--size", type=int, help="longest side in pixels [as it is]")
    parser.add_argument("--kind", help="what the masks of your own photos show, such as hair")
    parser.add_argument("--workers", type=int, help="processes [one for each core]")
    parser.add_argument(
        "--val-share", type=float, default=0.1, help="share of val where the set has none [0.1]"
    )
    parser.add_argument(
        "--test-share", type=float, default=0.1, help="share of test where the set has none [0.1]"
    )
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave out what cannot be used, and note it"
    )
    parser.set_defaults(run=_prepare)


def _prepare(options: argparse.Namespace) -> None:
    from seglib.data.dataset import read_info
    from seglib.data.sources.prepare import prepare

    folder = prepare(
        options.name,
        options.raw,
        options.output,
        size=options.size,
        kind=options.kind,
        workers=options.workers,
        val_share=options.val_share,
        test_share=options.test_share,
        skip_bad=options.skip_bad,
        progress=sys.stderr.isatty(),
    )
    info = read_info(folder)
    for note in info["notes"]:
        print(f"note: {note}", file=sys.stderr)
    moved = {f"moved {to}": rows for to, rows in info["moved"].items()}
    for what, rows in {**moved, "left out": info["skipped"]}.items():
        if rows:
            print(f"{len(rows)} {what}; {folder / 'dataset.json'} says which", file=sys.stderr)
    counts = ", ".join(f"{count} {split}" for split, count in sorted(info["counts"].items()))
    print(f"wrote {folder}: {info['count']} pairs ({counts})")


def _add_export(commands: Any) -> None:
    parser = commands.add_parser("export", help="write a prepared set as NumPy arrays or a CSV")
    parser.add_argument("folder", type=Path, metavar="DIR", help="a prepared set")
    parser.add_argument("--to", choices=("npy", "csv"), required=True, help="the form")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="PATH", help="npy: a folder; csv: a file"
    )
    parser.add_argument("--size", type=int, help="npy: side of the squares in pixels")
    parser.add_argument("--kind", help="npy: what the masks must show [the set's first]")
    parser.add_argument("--split", help="npy: train, val, test or all [all]")
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    from seglib.data.sources.tables import to_csv, to_numpy

    if options.to == "npy":
        path = to_numpy(
            options.folder,
            options.output,
            options.size,
            options.kind,
            options.split or "all",
            progress=sys.stderr.isatty(),
        )
    else:
        for name in ("size", "kind", "split"):
            if getattr(options, name) is not None:
                raise SeglibError(f"--{name} does not go with --to csv; leave it out")
        path = to_csv(options.folder, options.output)
    print(f"wrote {path}")


def _add_doctor(commands: Any) -> None:
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
    shared.add_model(parser, required=False, text="compare with a .tflite or shipped name")
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
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
        model=options.model and shared.model_file(options.model),
        channel=channel,
        value_range=options.value_range and tuple(options.value_range),
    )
    print(json.dumps(report.to_dict()) if options.json else report.table())
    notes = sys.stderr if options.json else sys.stdout
    if options.html is not None:
        print(f"wrote {report.write_html(options.html)}", file=notes)
    if options.fix is not None:
        print(f"wrote {doctor.fix(report, options.fix, bar, options.workers)}", file=notes)
    return 1 if report.must_mend else 0
