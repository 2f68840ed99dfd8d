"""What a chapter needs to run the same way in the book, in Jupyter and in Colab."""

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError

if TYPE_CHECKING:
    from seglib.data import Dataset

MODES = ("smoke", "full")
# Sets that were asked for and are not to be had: none is looked for twice in one chapter.
_missing: set[str] = set()


def mode() -> str:
    """Return the size of the runs, by `$SEGLIB_MODE`: "smoke" (minutes on two cores) or "full"."""
    chosen = os.environ.get("SEGLIB_MODE", "smoke")
    if chosen not in MODES:
        raise SeglibError(f"SEGLIB_MODE is {chosen!r}; set it to smoke or to full")
    return chosen


def scaled(smoke: Any, full: Any) -> Any:
    """Return the first value in smoke mode and the second in full mode."""
    return smoke if mode() == "smoke" else full


def load(
    name: str = "portraits",
    split: str = "train",
    kind: str | None = None,
    size: int | None = None,
    count: int | None = None,
) -> "Dataset":
    """Load a set of real photos for a chapter, or drawn portraits where it is not to be had.

    A set that is neither on this machine nor can be fetched is replaced by drawn portraits, with
    one notice a chapter; their `name` is "synthetic", so a result can always say what it was
    measured on. Everything else that is wrong is an error, as of `seglib.data.load`.

    Args:
        name: the set's name.
        split: "train", "val", "test" or "all".
        kind: what the masks must show; by default the set's first kind.
        size: side of the squares that photos and masks are stretched to; by default they stay.
        count: how many photos at most, drawn with a fixed seed; by default all.
    """
    from seglib.data import dataset, download
    from seglib.data.sources.catalogue import source
    from seglib.images import resize

    try:
        if name in _missing:
            raise download.Unavailable(name)
        found = dataset.load(name, split, kind)
    except download.Unavailable as error:
        kind = kind or source(name).kinds[0]
        if not _missing:
            print(f"drawn portraits stand in for photos, so numbers differ: {error}")
        _missing.add(name)
        found = dataset.load("synthetic", split, kind)
    found = found if count is None else found.subset(count)
    if size is None:
        return found

    def read(stem: str) -> tuple[np.ndarray, np.ndarray]:
        image, mask = found.read(stem)
        return resize(image, (size, size)), np.clip(resize(mask, (size, size)), 0, 1)

    return replace(found, read=read)


def say(text: str) -> None:
    """Show a sentence whose numbers were computed, as Markdown where a notebook can show it."""
    if not in_notebook():
        print(text)
        return
    from IPython.display import Markdown, display

    display(Markdown(text))


def in_notebook() -> bool:
    """Tell whether a Jupyter kernel shows what this process displays."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return hasattr(get_ipython(), "kernel")


def conclude(dataset: "Dataset", record: dict[str, Any] | None, text: str) -> None:
    """Say what was found on photos; drawings say nothing about them, so there the record is shown.

    Args:
        dataset: what `text` was computed on, as of `load`.
        record: as for `photo_records`; None where nothing is recorded.
        text: the conclusion.
    """
    if dataset.name != "synthetic":
        return say(text)
    note = "Drawn portraits stand in for photos here, and nothing about photos follows from them."
    if record is None:
        return say(f"{note} This is not recorded on photos.")
    lines = [f"{note} **Recorded on photos**, test parts, with 95 % intervals:", ""]
    lines += ["| set | network | | score | value | |", "|---|---|---|---|---:|---|"]
    for row in photo_records(record):
        setting = row["setting"] + (f" minus {row['against']}" if row["against"] else "")
        ends = f"[{row['low']}, {row['high']}]" if row["low"] else ""
        cells = (row["set"], row["network"], setting, row["score"], row["value"], ends)
        lines.append(f"| {' | '.join(cells)} |")
    return say("\n".join(lines))


def photo_records(record: dict[str, Any]) -> list[dict[str, str]]:
    """Return the rows of the recorded scores on photos that have these values, one at least.

    Args:
        record: values by column of `seglib/assets/photo_records.csv`, a tuple for any of several.
    """
    path = Path(__file__).parent / "assets" / "photo_records.csv"
    wanted = {key: one if isinstance(one, tuple) else (one,) for key, one in record.items()}
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if all(row[k] in v for k, v in wanted.items())]
    if not rows:
        raise SeglibError(f"no row of {path.name} has {record}; look at its columns")
    return rows
