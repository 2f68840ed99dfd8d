"""Every finding that a page states by hand is held by a committed record or by an assertion.

A row of findings.csv names the page, the words with the number, and what holds them: a CSV file,
the row in it (`select`, as `column=value;...`), its column and the number's `format`;
or, where `record` is `assert`, a line of the page's own code that asserts it.
"""

import csv

import pytest

from chapter_contract import NOTEBOOKS, ROOT, findings, load, source


def page(name: str) -> tuple[str, str]:
    """Return a page's prose and its code."""
    if not name.endswith(".ipynb"):
        return (ROOT / name).read_text(encoding="utf8"), ""
    cells = load(NOTEBOOKS / name)["cells"]
    kinds = ("markdown", "code")
    return tuple("\n".join(source(c) for c in cells if c["cell_type"] == k) for k in kinds)


@pytest.mark.parametrize("row", findings(), ids=lambda row: f"{row['file'][:9]} {row['text'][:30]}")
def test_a_finding_is_what_its_record_says(row: dict[str, str]) -> None:
    prose, code = page(row["file"])
    assert row["text"] in " ".join(prose.split()), "the page no longer says this: drop the row"
    if row["record"] == "assert":
        asserted = [line for line in code.splitlines() if "assert " in line]
        assert any(row["select"] in line for line in asserted)
        return
    wanted = dict(pair.split("=") for pair in row["select"].split(";"))
    with open(ROOT / row["record"], newline="", encoding="utf8") as file:
        rows = [r for r in csv.DictReader(file) if all(r[k] == v for k, v in wanted.items())]
    assert len(rows) == 1, f"{len(rows)} rows of {row['record']} have {row['select']}"
    assert format(float(rows[0][row["column"]]), row["format"]) in row["text"]
