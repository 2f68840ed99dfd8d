"""What edition 0.1 could do, row by row: each still works, under the name in the column `now`.

`features.csv` was written before the first cut: commands and their options, targets, networks,
layouts of data sets, effects, weights, and every public name that a chapter or the command line
used. `now` is empty where nothing changed; `gone: ...` says what took its place or why it went.
"""

import csv
import importlib
from pathlib import Path

import pytest

import seglib
from seglib import data, export, models, pretrained
from seglib.cli import _parser
from seglib.data.sources.prepare import LAYOUTS
from seglib.postprocess import config

ROWS = list(
    csv.DictReader(Path(__file__).with_name("features.csv").open(encoding="utf-8", newline=""))
)
OFFERED = {
    "target": lambda: export.TARGETS,
    "network": models.list,
    "layout": lambda: LAYOUTS,
    "effect": lambda: config.EFFECTS,
    "upsampler": lambda: config.UPSAMPLERS,
    "weights": pretrained.list_models,
}


def options_of(command: str) -> set[str]:
    """Return the option strings of a command such as `data fetch`, and a word for the command."""
    parser = _parser(command.split())
    for word in command.split():
        choices = next(a.choices for a in parser._actions if hasattr(a.choices, "keys"))
        parser = choices[word]
    return {option for action in parser._actions for option in action.option_strings}


def resolve(path: str) -> object:
    """Import a dotted name, as `from a.b import c` or `a.b.c` would."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        return getattr(resolve(module), name)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['kind']}-{row['name']}")
def test_what_the_first_edition_could_do_still_works(row: dict[str, str]) -> None:
    kind, name, now = row["kind"], row["name"], row["now"]
    if now.startswith("gone: "):
        assert len(now) > 12
        return
    name = now or name
    if kind == "command":
        assert options_of(name)
    elif kind == "option":
        command, _, option = name.rpartition(" ")
        assert option in options_of(command)
    elif kind == "name":
        assert resolve(name) is not None
    else:
        assert name in OFFERED[kind]()


def test_the_rows_are_those_of_the_first_edition() -> None:
    assert len(ROWS) == 439 and seglib.__version__ and data.load
