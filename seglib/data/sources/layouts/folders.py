"""Any pair of folders: images/ and masks/, or masks/<kind>/, perhaps inside train/ and val/.

A splits.csv beside them (stem, split) is followed, so a prepared set can be prepared once more at
another size.

Chapter: data preparation.
"""

from pathlib import Path

import numpy as np

from seglib.data.dataset import read_splits
from seglib.data.sources.layouts.common import Listing, RawPair, grey, photos, split_name, unique
from seglib.errors import SeglibError
from seglib.images import read_image

_IMAGES = ("images", "imgs", "image", "photos", "img")
_MASKS = ("masks", "mask", "segs", "mattes", "gt")
_ENDINGS = ("", "_mask", "-mask", "_matte", "_seg", "_gt", "-gt")


def find(raw: Path) -> Listing:
    """List the photos whose stem has a mask (or `<stem>_mask`, `<stem>_matte`, `<stem>-gt` ...)."""
    places = [raw, *sorted(child for child in raw.iterdir() if split_name(child.name))]
    found: list[tuple[tuple[str, ...], RawPair]] = []
    faults: list[tuple[str, str]] = []
    kinds: tuple[str, ...] = ()
    for place in places:
        images, masks = _first(place, _IMAGES), _first(place, _MASKS)
        if images is None or masks is None:
            continue
        here = tuple(sorted(child.name for child in masks.iterdir() if child.is_dir())) or ("mask",)
        if kinds and here != kinds:
            raise SeglibError(
                f"{masks} has other kinds of mask than the folder beside it; even out"
            )
        kinds = here
        split = "" if place == raw else split_name(place.name)
        pairs, lone = _pairs(images, masks, kinds, split)
        found += [((place.name, pair.stem), pair) for pair in pairs]
        faults += lone
    if not kinds:
        raise SeglibError(f"{raw} has no images/ beside masks/; put photos and masks into such")
    stems = unique(names for names, _ in found)
    table = raw / "splits.csv"
    said = dict(read_splits(table)) if table.is_file() else {}
    pairs = [
        RawPair(stem, pair.image, pair.parts, split_name(said.get(stem, pair.split)), notes=kinds)
        for stem, (_, pair) in zip(stems, found, strict=True)
    ]
    return Listing(tuple(sorted(pairs, key=lambda p: p.stem)), kinds, (), tuple(faults))


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a photo and its mask of each kind."""
    masks = {kind: grey(path) for kind, path in zip(pair.notes, pair.parts, strict=True)}
    return read_image(pair.image), masks


def _first(place: Path, names: tuple[str, ...]) -> Path | None:
    return next((place / name for name in names if (place / name).is_dir()), None)


def _pairs(
    images: Path, masks: Path, kinds: tuple[str, ...], split: str
) -> tuple[list[RawPair], list[tuple[str, str]]]:
    sheets = []
    for kind in kinds:
        folder = masks if kinds == ("mask",) else masks / kind
        sheets.append({path.stem: path for path in photos(folder)})
    used: list[set[str]] = [set() for _ in kinds]
    pairs, faults = [], []
    for image in photos(images):
        names = [
            next((image.stem + end for end in _ENDINGS if image.stem + end in sheet), None)
            for sheet in sheets
        ]
        if None in names:
            kind = kinds[names.index(None)]
            what = "mask" if kind == "mask" else f"{kind} mask"
            faults.append((image.stem, f"{image.name} has no {what}"))
            continue
        for seen, name in zip(used, names, strict=True):
            seen.add(name)
        parts = tuple(sheet[name] for sheet, name in zip(sheets, names, strict=True))
        pairs.append(RawPair(image.stem, image, parts, split))
    unmatched = {stem for stem, _ in faults}
    for sheet, seen in zip(sheets, used, strict=True):
        lone = sorted(set(sheet) - seen - unmatched)
        faults += [(stem, f"{sheet[stem].name} has no photo") for stem in lone]
    return pairs, faults
