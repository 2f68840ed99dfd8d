"""CelebAMask-HQ: one file per part of a face, merged in the authors' order.

CelebA-HQ-img/<id>.jpg, and CelebAMask-HQ-mask-anno/<id // 2000>/<id:05d>_<part>.png. Parts overlap,
and a part that is painted later wins; the order is that of the authors' g_mask.py. A part that is
absent has no file, so a person without hair has no hair file: the mask is empty and the person is
kept. Masks are half the photos' size; photos are brought to theirs, as no detail can be invented.

Chapter: data preparation.
"""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from seglib.data.sources.layouts.common import Listing, RawPair, base, grey, photos
from seglib.errors import SeglibError
from seglib.images import read_image, resize

KINDS = ("hair", "skin", "clothes", "person")
ORDER = (
    *("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear"),
    *("mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)
"""The parts in the order they are painted; their class is the place in this list, from 1 on."""

_NO_SKIN = {"eye_g", "hair", "hat", "ear_r", "neck_l", "cloth"}
# CelebA puts the people of its first 162,770 photos into train and others into val and test.
_TRAINED = 162770


def find(raw: Path) -> Listing:
    """List the photos that have at least one part.

    With CelebA-HQ-to-CelebA-mapping.txt beside them, the split is CelebA's own, which keeps each
    person on one side.
    """
    root = base(raw, "CelebA-HQ-img", "CelebAMask-HQ-mask-anno")
    parts: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((root / "CelebAMask-HQ-mask-anno").rglob("*.png")):
        match = re.fullmatch(r"(\d+)_(\w+)", path.stem)
        if match and match[2] in ORDER:
            parts[str(int(match[1]))].append(path)
    files = {path.stem: path for path in photos(root / "CelebA-HQ-img")}
    splits = _splits(root / "CelebA-HQ-to-CelebA-mapping.txt")
    pairs = tuple(
        RawPair(f"{int(stem):05d}", files[stem], tuple(parts[stem]), splits.get(stem, ""))
        for stem in sorted(parts, key=int)
        if stem in files
    )
    faults = [(stem, f"photo {stem} has no part at all") for stem in files if stem not in parts]
    faults += [(stem, f"the parts of {stem} have no photo") for stem in parts if stem not in files]
    notes = () if splits else ("no mapping to CelebA is there, so people may be in both splits",)
    return Listing(pairs, KINDS, notes, tuple(faults))


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a photo at its masks' size, and the merged parts as hair, skin, clothes and person."""
    merged = merge({path.stem.split("_", 1)[1]: grey(path) > 0.5 for path in pair.parts})
    image = read_image(pair.image)
    if image.shape[0] * merged.shape[1] != image.shape[1] * merged.shape[0]:
        raise SeglibError(f"the parts of {pair.image.name} have another shape; get them again")
    skin = [ORDER.index(part) + 1 for part in ORDER if part not in _NO_SKIN]
    masks = {
        "hair": merged == ORDER.index("hair") + 1,
        "skin": np.isin(merged, skin),
        "clothes": merged == ORDER.index("cloth") + 1,
        "person": merged > 0,
    }
    return resize(image, merged.shape), {k: mask.astype(np.float32) for k, mask in masks.items()}


def merge(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Paint parts over each other in the authors' order.

    Args:
        parts: part -> bool (h, w), all of one size.

    Returns:
        uint8 (h, w): 0 where there is none, else 1 + the part's place in `ORDER`.

    Raises:
        SeglibError: the parts differ in size.
    """
    if len({mask.shape for mask in parts.values()}) != 1:
        raise SeglibError("its parts differ in size; get them again")
    merged = np.zeros(next(iter(parts.values())).shape, np.uint8)
    for number, part in enumerate(ORDER, 1):
        if part in parts:
            merged[parts[part]] = number
    return merged


def _splits(path: Path) -> dict[str, str]:
    """Return id -> split from the lines `idx orig_idx orig_file`."""
    if not path.exists():
        return {}
    rows = [line.split() for line in path.read_text().splitlines()]
    numbered = [row for row in rows if len(row) >= 2 and row[0].isdigit() and row[1].isdigit()]
    return {row[0]: "train" if int(row[1]) < _TRAINED else "val" for row in numbered}
