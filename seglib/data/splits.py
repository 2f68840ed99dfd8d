"""The three parts of sets that came with two: train, val and test.

What such a set calls val is its test part here. A new val part is cut out of its train part, by
stems that `assets/splits/<set>.txt` lists; `tests/benchmarks/splits.py` chose them.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

PARTS = ("train", "val", "test")
_LISTS = Path(__file__).parent.parent / "assets" / "splits"


def three_way(name: str, rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the (stem, part) rows of a set that came in two parts in three.

    They stay as they are where no list is known for `name`, where they name a test part, or where
    none of them is listed. Photos of the train part that show a test photo again are left out.
    """
    rows = list(rows)
    known = listed(name)
    if any(part == "test" for _, part in rows) or not any(stem in known for stem, _ in rows):
        return rows
    placed = [(stem, known.get(stem, "test" if part == "val" else part)) for stem, part in rows]
    return [(stem, part) for stem, part in placed if part in PARTS]


def kind_of(name: str) -> str:
    """Return what the masks of a known set show, for folders that do not say; "" if unknown."""
    path = _LISTS / f"{name}.txt"
    return path.open(encoding="utf-8").readline().split()[-1] if path.is_file() else ""


@cache
def listed(name: str) -> dict[str, str]:
    """Return stem -> "val", "test" or "out" of a known set; the others are its train part."""
    path = _LISTS / f"{name}.txt"
    lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.is_file() else ()
    return {stem: part for part, _, stem in (line.partition(" ") for line in lines)}
