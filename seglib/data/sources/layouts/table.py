"""A CSV of paths: image, mask (or mask_<kind> ...), and perhaps split and group.

Paths are relative to the CSV's folder.

Chapter: data preparation.
"""

import csv
from pathlib import Path

import numpy as np

from seglib.data.sources.layouts.common import Listing, RawPair, grey, split_name, unique
from seglib.errors import SeglibError
from seglib.images import read_image


def find(raw: Path) -> Listing:
    """List the rows whose files exist.

    Raises:
        SeglibError: the file has no such columns, or `split` says neither train nor val.
    """
    if raw.is_dir():
        tables = sorted(raw.glob("*.csv"))
        if len(tables) != 1:
            raise SeglibError(f"{raw} holds {len(tables)} CSV files; name the one with the paths")
        raw = tables[0]
    try:
        # The mark that spreadsheets put first would become part of the first column's name.
        with open(raw, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.DictReader(file) if any(row.values())]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SeglibError(f"{raw} is no CSV in UTF-8 ({error}); save it as such") from error
    columns = [name for name in (rows[0] if rows else {}) if name]
    kinds = {name: name.removeprefix("mask_") for name in columns if name.startswith("mask_")}
    kinds = {"mask": "mask"} if "mask" in columns else kinds
    if "image" not in columns or not kinds:
        raise SeglibError(
            f"{raw} needs the columns image and mask (or mask_hair ...), separated by commas, and "
            "a line for each pair"
        )
    pairs, faults = [], []
    for number, row in enumerate(rows, 2):
        cells = [(row.get(name) or "").strip() for name in ("image", *kinds)]
        image, *parts = (_path(raw.parent, cell) for cell in cells)
        missing = [
            path
            for cell, path in zip(cells, (image, *parts), strict=True)
            if not cell or not path.is_file()
        ]
        if missing:
            faults.append((image.stem, f"line {number}: there is no file {missing[0]}"))
            continue
        said = (row.get("split") or "").strip()
        if said and not split_name(said):
            raise SeglibError(f"{raw} line {number}: split is {said!r}; write train or val")
        group = (row.get("group") or "").strip()
        pairs.append(
            RawPair(
                image.stem,
                image,
                tuple(parts),
                split_name(said),
                group,
                notes=tuple(kinds.values()),
            )
        )
    stems = unique((pair.image.parent.name, pair.stem) for pair in pairs)
    named = [
        RawPair(stem, pair.image, pair.parts, pair.split, pair.group, notes=pair.notes)
        for stem, pair in zip(stems, pairs, strict=True)
    ]
    named.sort(key=lambda pair: pair.stem)
    return Listing(tuple(named), tuple(kinds.values()), (), tuple(faults))


def _path(folder: Path, cell: str) -> Path:
    # Joining keeps an absolute path as it is.
    path = folder / cell
    # A table that was written on Windows.
    return path if path.is_file() else folder / cell.replace("\\", "/")


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a photo and its mask of each kind."""
    masks = {kind: grey(path) for kind, path in zip(pair.notes, pair.parts, strict=True)}
    return read_image(pair.image), masks
