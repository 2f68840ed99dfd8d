"""Who may be scored on what: no network is compared on masks that it made, or was trained to copy.

    python tests/benchmarks/comparable.py [TABLE ...]

`comparable.csv` beside this file lists set, kind of mask and network (with wildcards) that do not
go together. A row of a recorded table that breaks it bears the reason in a column `agreement`; a
page shows it under the heading "agreement with the teacher" and draws no comparison from it.
`study.write_rows` marks rows by itself. Prints the rows of the recorded tables that are not marked,
and exits with 1 where there are some.
"""

import csv
import fnmatch
import functools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MARK = "agreement"
SETS = ("set", "scored_on", "dataset", "data")
KINDS = ("task", "kind")
NETWORKS = ("network", "model", "title", "label", "arm", "way")
TITLES = {
    "mediapipe": "mp_",
    "google meet": "meet_",
    "robustvideomatting": "rvm",
    "robust video": "rvm",
}
"""How tables call networks in words, and the names of their files."""


@functools.cache
def rules() -> tuple[dict[str, str], ...]:
    """Return the rows of `comparable.csv`."""
    with open(Path(__file__).with_suffix(".csv"), newline="", encoding="utf-8") as lines:
        return tuple(csv.DictReader(lines))


def why_not(dataset: str, kind: str, network: str) -> str:
    """Return why a network is not compared on these masks; "" where it may be.

    Args:
        dataset: a set's name, also with words behind it, as in "portraits test".
        kind: what the masks show; "" where a table does not say, which fits every rule.
        network: a file's name or a title.
    """
    name = network.lower()
    for title, start in TITLES.items():
        if name.startswith(title):
            name = start + name
    first = dataset.lower().replace(",", " ").split()
    for rule in rules():
        if (
            first
            and fnmatch.fnmatch(first[0], rule["set"])
            and (not kind or fnmatch.fnmatch(kind, rule["kind"]))
            and fnmatch.fnmatch(name, rule["network"])
        ):
            return rule["because"]
    return ""


def reason(row: Mapping[str, Any]) -> str:
    """Return why the network of a table's row is not compared on the row's masks, or ""."""
    sets, networks = ([str(row[k]) for k in keys if row.get(k)] for keys in (SETS, NETWORKS))
    known = {rule["kind"] for rule in rules()} | {"hair", "skin", "clothes"}
    kinds = [str(row[key]) for key in KINDS if row.get(key) in known] or [""]
    found = (why_not(one, kinds[0], network) for one in sets for network in networks)
    return next(filter(None, found), "")


def marked(rows: Sequence[dict], columns: Sequence[str]) -> tuple[list[dict], list[str]]:
    """Return a table's rows with the reason in `MARK` where there is one, and its columns."""
    reasons = [reason(row) for row in rows]
    rows = [{**row, MARK: why} for row, why in zip(rows, reasons, strict=True)]
    columns = [name for name in columns if name != MARK]
    if any(reasons):
        return rows, [*columns, MARK]
    return [{name: row[name] for name in row if name != MARK} for row in rows], columns


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what a CSV or JSON file says of a network on a set, a card's scores too."""
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8-sig") as lines:
            yield from csv.DictReader(lines)
        return
    pending = [json.loads(path.read_text(encoding="utf-8-sig"))]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            yield value
            pending += value.values()
            if isinstance(value.get("scores"), dict) and "task" in value:
                facts = {"model": value.get("name"), "task": value["task"]}
                yield from ({**facts, "set": one, MARK: value.get(MARK)} for one in value["scores"])


def tables() -> list[Path]:
    """Return every recorded table of the repository, and the cards."""
    folders = ("seglib/assets", "seglib/pretrained", "tests/benchmarks")
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    names = [path for path in found if path.suffix in (".csv", ".json")]
    return sorted(path for path in names if path.name != "comparable.csv")


def unmarked(path: Path) -> list[str]:
    """Return a sentence for each row of a table that breaks a rule and does not say so."""
    return [
        f"{path.name}: {why}, and the row {dict(row)} does not say so"
        for row in rows_of(path)
        if (why := reason(row)) and not row.get(MARK)
    ]


if __name__ == "__main__":
    broken = [
        line for path in [Path(a) for a in sys.argv[1:]] or tables() for line in unmarked(path)
    ]
    print("\n".join(broken) or "every row may be compared, or says why not")
    raise SystemExit(bool(broken))
