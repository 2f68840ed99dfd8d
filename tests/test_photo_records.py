"""Chapters conclude about photos from photos: what they show offline is recorded, and is there."""

import ast
import json
from pathlib import Path

import pytest

from seglib import data, notebook
from seglib.errors import SeglibError

ROOT = Path(__file__).resolve().parents[1]


def calls() -> list[tuple[str, dict | None]]:
    """Return every chapter's conclusions: the chapter and the rows that stand for it offline."""
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "code" and "notebook.conclude(" in text:
                for node in ast.walk(ast.parse(text)):
                    if getattr(getattr(node, "func", None), "attr", "") == "conclude":
                        record = node.args[1]
                        names = {n.id for n in ast.walk(record) if isinstance(n, ast.Name)}
                        code = compile(ast.Expression(record), path.name, "eval")
                        found.append((path.stem, eval(code, dict.fromkeys(names, "portrait"))))
    return found


def test_every_conclusion_of_the_chapters_has_its_rows():
    assert calls()
    for name, record in calls():
        rows = notebook.photo_records(record) if record is not None else [{"set": "eg1800"}]
        # Nobody drew these masks by machine, and none of them is a drawing.
        assert {row["set"] for row in rows} <= {"eg1800", "ccp_upper", "figaro1k"}, name


def test_drawings_conclude_nothing(capsys):
    record = {"study": "compare", "set": "eg1800", "setting": "", "against": "portrait_open"}
    notebook.conclude(data.load("synthetic", "test"), record, "portrait_open is better")
    told = capsys.readouterr().out
    row = notebook.photo_records({**record, "score": "iou"})[0]
    assert "better" not in told and f"| {row['value']} | [{row['low']}, {row['high']}] |" in told
    # The record says the reverse of the drawings.
    assert float(row["low"]) > 0
    notebook.conclude(data.load("synthetic", "test"), None, "portrait_open is better")
    assert "not recorded" in capsys.readouterr().out


def test_photos_conclude_what_was_computed(capsys):
    photos = data.Dataset("eg1800", "person", "test", (), lambda stem: None)
    notebook.conclude(photos, None, "portrait is better")
    assert capsys.readouterr().out == "portrait is better\n"


def test_a_record_that_is_missing_is_named():
    with pytest.raises(SeglibError, match="no row of photo_records.csv"):
        notebook.photo_records({"study": "video"})
