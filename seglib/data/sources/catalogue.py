"""The catalogue: where the field's data sets come from, what they show, under which terms.

Chapter: data preparation.
"""

import csv
import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from seglib.errors import SeglibError
from seglib.files import read_text

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Source:
    """One data set, or one way to bring one's own photos.

    Attributes:
        name: what `fetch`, `prepare` and `load` call it.
        title: its full name.
        shows: what the photos show.
        kinds: what its masks mark, the main one first; "mask" where the owner decides.
        licence: the licence as stated, or "none stated".
        terms: what that allows, in plain words.
        layout: which reader understands its files; "" where they need no preparing.
        citation: what to cite, "" where there is nothing.
        count: how many pairs the source names; None where it does not say.
        size: pixels of the photos, as stated; "" where it varies or is unknown.
        raw: name of the folder its files are fetched to; sets of one repository share it.
        repository: owner/name on GitHub, for sets that can be fetched.
        commit: the commit to fetch, full or abbreviated; the archive must carry it.
        address: the archive to fetch; "" where only a person can get the files.
        keep: path patterns of the files the reader needs; others are left in the archive.
        steps: what a person does to get the files, in order.
        faults: what is known to be wrong with it.
    """

    name: str
    title: str
    shows: str
    kinds: tuple[str, ...]
    licence: str
    terms: str
    layout: str = ""
    citation: str = ""
    count: int | None = None
    size: str = ""
    raw: str = ""
    repository: str = ""
    commit: str = ""
    address: str = ""
    keep: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def fetchable(self) -> bool:
        """Whether `seglib.data.fetch` can get it without a person."""
        return bool(self.address)


@cache
def entries() -> tuple[Source, ...]:
    """Return every source of the catalogue, in the order of the book; also `seglib.data.list()`."""
    content = tomllib.loads(read_text(_HERE / "catalogue.toml"))
    shared, found = content.pop("shared"), []
    for name, own in content.items():
        facts = {**shared.get(own.pop("like", ""), {}), **own}
        if "repository" in facts:
            archive = f"https://github.com/{facts['repository']}/archive/{facts['commit']}.tar.gz"
            facts.setdefault("address", archive)
        lists = {key: tuple(value) for key, value in facts.items() if isinstance(value, list)}
        found.append(Source(name, **{**facts, **lists}))
    return tuple(found)


def source(name: str) -> Source:
    """Return the source of this name; the error for another lists those there are."""
    found = {entry.name: entry for entry in entries()}
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
    path = _HERE / "manifests" / f"{entry.raw}.csv"
    if not entry.raw or not path.exists():
        return {}
    return {row["path"]: row["sha256"] for row in csv.DictReader(read_text(path).splitlines())}
