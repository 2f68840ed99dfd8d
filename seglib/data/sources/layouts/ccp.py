"""Clothing Co-Parsing: photos/<stem>.jpg and annotations/pixel-level/<stem>.mat, 59 classes.

Source: github.com/bearpaw/clothing-co-parsing (Yang, Luo, Lin, CVPR 2014). Only 1,004 of its photos
have pixel labels; the others have tags and are left out.

Chapter: data preparation.
"""

from pathlib import Path

import numpy as np

from seglib.data.sources.layouts.common import Listing, RawPair, base, photos, read_mat
from seglib.errors import SeglibError
from seglib.images import read_image

KINDS = ("person", "hair", "skin", "clothes")
HAIR, SKIN = 19, 41
# What is worn but is no garment: accessories, bag, bracelet, earrings, glasses, necklace, purse,
# ring, sunglasses, wallet, watch.
_CARRIED = (1, 2, 9, 15, 17, 29, 33, 34, 47, 56, 57)
_CLASSES = 59


def find(raw: Path) -> Listing:
    """List the photos that have pixel labels."""
    root = base(raw, "photos", "annotations/pixel-level")
    _check_names(root / "label_list.mat")
    labels = {path.stem: path for path in sorted((root / "annotations/pixel-level").glob("*.mat"))}
    files = {path.stem: path for path in photos(root / "photos")}
    pairs = tuple(RawPair(stem, files[stem], (labels[stem],)) for stem in labels if stem in files)
    faults = tuple((stem, f"{stem}.mat has no photo") for stem in labels if stem not in files)
    tagged = len(files.keys() - labels.keys())
    notes = (f"{tagged} photos have tags but no pixel labels and are left out",) if tagged else ()
    return Listing(pairs, KINDS, notes, faults)


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a photo and its classes as masks of person, hair, skin and clothes."""
    labels = read_mat(pair.parts[0], "groundtruth")
    if labels.ndim != 2 or labels.min() < 0 or labels.max() >= _CLASSES:
        raise SeglibError(f"{pair.parts[0].name} holds no classes from 0 to 58; get it again")
    body = np.isin(labels, (HAIR, SKIN))
    masks = {
        "person": labels > 0,
        "hair": labels == HAIR,
        "skin": labels == SKIN,
        "clothes": (labels > 0) & ~body & ~np.isin(labels, _CARRIED),
    }
    return read_image(pair.image), {kind: mask.astype(np.float32) for kind, mask in masks.items()}


def _check_names(path: Path) -> None:
    """Refuse a set whose classes are numbered in another way."""
    if not path.exists():
        return
    names = [str(np.ravel(cell)[0]) for cell in read_mat(path, "label_list").ravel()]
    if len(names) != _CLASSES or names[HAIR] != "hair" or names[SKIN] != "skin":
        raise SeglibError(f"{path} numbers the classes in another way; get the original again")
