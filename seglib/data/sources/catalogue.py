"""The catalogue: where the field's data sets come from, what they show, under which terms.

Chapter: data preparation.
"""

import csv
import difflib
import os
from pathlib import Path

from seglib.data.sources.entry import Source
from seglib.data.sources.known import SOURCES
from seglib.errors import SeglibError

MANIFESTS = Path(__file__).parent / "manifests"


def entries() -> tuple[Source, ...]:
    """Return every source of the catalogue, in the order of the book; also `seglib.data.list()`."""
    return SOURCES


def source(name: str) -> Source:
    """Return the source of this name.

    Raises:
        SeglibError: there is none; the message lists those there are.
    """
    found = {entry.name: entry for entry in SOURCES}
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise SeglibError(f"no source is called {name!r}{meant}; there are {', '.join(found)}")


def known_checksums(entry: Source) -> dict[str, str]:
    """Return path -> SHA-256 of those files of a source whose content is known beforehand.

    The list is short: only files that are the authors' own, byte for byte, are in it. All other
    files are covered by the manifest that the first fetch writes.
    """
    path = MANIFESTS / f"{entry.raw}.csv"
    if not entry.raw or not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {row["path"]: row["sha256"] for row in csv.DictReader(file)}


def cache_folder() -> Path:
    """Return the user's cache: `$SEGLIB_CACHE`, or seglib/ under `$XDG_CACHE_HOME` or ~/.cache.

    It has raw/ for fetched files and prepared/ for finished sets.
    """
    if os.environ.get("SEGLIB_CACHE"):
        return Path(os.environ["SEGLIB_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "seglib"
