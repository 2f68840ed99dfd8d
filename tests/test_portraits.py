"""The default set's masks: complete, of plausible sizes, and each mend on record."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from seglib.data import portraits
from seglib.images import read_mask

HERE = Path(__file__).parent / "benchmarks" / "portraits"
MASKS = portraits.ASSETS / "masks"
with open(portraits.ASSETS / "splits.csv", encoding="utf-8", newline="") as file:
    SPLITS = {row["stem"]: row["split"] for row in csv.DictReader(file)}
with open(HERE / "changed.csv", encoding="utf-8", newline="") as file:
    CHANGED = {(row["stem"], row["kind"]): row for row in csv.DictReader(file)}
COVERED = {"012", "024", "046", "061", "086", "093"}
"""Heads without visible hair: bald, or under a hat, a scarf, a wrap or a cap."""


def test_the_parts_are_by_person_and_of_the_stated_sizes() -> None:
    counts = {split: list(SPLITS.values()).count(split) for split in ("train", "val", "test")}
    assert counts == {"train": 55, "val": 21, "test": 24} and len(SPLITS) == 100


@pytest.mark.parametrize("kind", ["person", "hair"])
def test_every_portrait_has_its_mask(kind: str) -> None:
    found = {path.stem: read_mask(path) for path in (MASKS / kind).glob("*.png")}
    assert found.keys() == SPLITS.keys()
    low, high = {"person": (0.1, 0.98), "hair": (0.0025, 0.7)}[kind]
    for stem, mask in found.items():
        assert mask.shape == (640, 640)
        if kind == "hair" and stem in COVERED:
            assert mask.max() < 0.5 or mask.mean() < 0.01
        else:
            assert low < mask.mean() < high, stem


def test_hair_lies_within_its_person() -> None:
    outside = {
        stem: float(((hair > 0.5) & (read_mask(MASKS / "person" / f"{stem}.png") < 0.5)).mean())
        for stem in SPLITS
        for hair in [read_mask(MASKS / "hair" / f"{stem}.png")]
    }
    assert np.mean(list(outside.values())) < 0.004
    assert {stem for stem, share in outside.items() if share > 0.05} == set()


def test_every_test_portrait_was_gone_over_and_noted() -> None:
    for stem in (stem for stem, split in SPLITS.items() if split == "test"):
        mends = json.loads((HERE / "mends" / f"{stem}.json").read_text(encoding="utf-8"))
        assert mends["note"]
        for kind in ("person", "hair"):
            row = CHANGED[stem, kind]
            assert int(row["operations"]) == len(mends.get(kind, []))
            assert (int(row["pixels_changed"]) > 0) <= (int(row["operations"]) > 0)
