"""No record compares a network on masks that it made, and old numbers say what chose them."""

import json
from pathlib import Path

import comparable
import pytest
import study

import seglib
from seglib import pretrained

ASSETS = Path(seglib.__file__).parent / "assets"
TABLES = comparable.tables()


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_recorded_tables_compare_nobody_with_masks_of_their_own(path):
    assert comparable.unmarked(path) == []


FORBIDDEN = [
    ("open_more", "person", "mp_selfie"),
    ("open_more val", "person", "MediaPipe selfie, landscape"),
    ("portraits", "person", "meet_full"),
    ("portraits test", "person_fine", "RobustVideoMatting"),
    ("scenes", "person", "rvm_mobilenetv3"),
    ("celeba_hq", "person", "Google Meet, lite"),
    ("synthetic", "person", "portrait_open"),
    ("drawn, val places", "", "portrait_open 66062f36"),
    ("synthetic", "hair", "hair_open"),
]
ALLOWED = [
    ("eg1800", "person", "mp_selfie"),
    ("celeba_hq", "hair", "mp_hair"),
    ("figaro1k", "hair", "MediaPipe hair"),
    ("portraits", "person", "portrait_open"),
    ("synthetic", "person", "portrait"),
    ("", "person", "mp_selfie"),
]


@pytest.mark.parametrize(("dataset", "kind", "network"), FORBIDDEN)
def test_a_forbidden_row_is_found_unless_it_says_so(dataset, kind, network, tmp_path):
    row = {"task": kind, "set": dataset, "model": network, "iou": "0.9"}
    table = tmp_path / "table.csv"
    study.write_rows(table, list(row), [row, {**row, "set": "ccp_upper"}])
    first, second = study.read_rows(table)
    assert first[comparable.MARK] and not second[comparable.MARK]
    assert comparable.unmarked(table) == []
    # Written again, as by a study that goes on, it stays as it is.
    study.write_rows(table, list(row), study.read_rows(table))
    assert study.read_rows(table) == [first, second]

    table.write_text(table.read_text().replace(first[comparable.MARK], ""))
    assert len(comparable.unmarked(table)) == 1
    nested = tmp_path / "table.json"
    nested.write_text(
        json.dumps({"rows": [{"scored_on": dataset, "kind": kind, "title": network}]})
    )
    assert len(comparable.unmarked(nested)) == 1
    nested.write_text(json.dumps({"name": network, "task": kind, "scores": {dataset: {"iou": 1}}}))
    assert len(comparable.unmarked(nested)) == 1


@pytest.mark.parametrize(("dataset", "kind", "network"), ALLOWED)
def test_what_people_drew_may_be_compared(dataset, kind, network):
    assert comparable.why_not(dataset, kind, network) == ""


def test_whoever_learned_from_the_generator_is_not_scored_on_it():
    for name in pretrained.list_models():
        card = pretrained.card(name)
        drawn = any("synthetic portraits" in source for source in card["training_data"])
        assert bool(comparable.why_not("synthetic", card["task"], name)) == drawn, name


def test_every_record_says_who_made_it_and_whether_its_photos_chose_it():
    records = json.loads((ASSETS / "records.json").read_text(encoding="utf-8"))
    recorded = {path.name for path in TABLES if path.parent == ASSETS} - {"records.json"}
    assert set(records["tables"]) == recorded
    for name, record in records["tables"].items():
        assert (comparable.ROOT / record["script"]).is_file(), name
        scored = any(row.get("set") or row.get("iou") for row in comparable.rows_of(ASSETS / name))
        # 0.1 had two parts, train and val; what was val is the test part now.
        assert record["edition"] != "0.1" or not scored or record["chosen_on_test"], name


def test_cards_with_scores_on_what_chose_them_say_so():
    for name in pretrained.list_models():
        card = pretrained.card(name)
        chosen = any(part.endswith(" val") for part in card["scores"])
        assert not chosen or "chosen on what is now the test part" in card["remark"], name
