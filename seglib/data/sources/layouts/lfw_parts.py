"""LFW part labels as published: .ppm files, red hair, green face, blue background.

Photos are lfw_funneled/<name>/<name>_<nnnn>.jpg. The labels come from superpixels (Kae et al., CVPR
2013). The split is made by person and not by the published lists, which are about single photos.

Chapter: data preparation.
"""

import re
from pathlib import Path

import numpy as np

from seglib.data.sources.layouts.common import Listing, RawPair
from seglib.errors import SeglibError
from seglib.images import read_image


def find(raw: Path) -> Listing:
    """List every label file whose photo is there."""
    labels = {path.stem: path for path in sorted(raw.rglob("*.ppm"))}
    if not labels:
        raise SeglibError(f"{raw} holds no .ppm part labels; unpack them beside lfw_funneled/")
    files = {path.stem: path for path in sorted(raw.rglob("*_[0-9][0-9][0-9][0-9].jpg"))}
    pairs = tuple(
        RawPair(stem, files[stem], (labels[stem],), group=person(stem))
        for stem in labels
        if stem in files
    )
    faults = tuple((stem, f"{stem}.ppm has no photo") for stem in labels if stem not in files)
    rest = len(files.keys() - labels.keys())
    notes = (f"{rest} photos have no part labels and are left out",) if rest else ()
    return Listing(pairs, ("hair", "skin"), notes, faults)


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a photo and its labels as masks of hair and skin (face and neck)."""
    colours = read_image(pair.parts[0])
    bright = colours > 127
    if (bright.sum(axis=2) != 1).mean() > 0.01:
        raise SeglibError(
            f"{pair.parts[0].name} has other colours than red, green and blue, so it holds no part "
            "labels; get it again"
        )
    masks = {"hair": bright[..., 0], "skin": bright[..., 1]}
    return read_image(pair.image), {kind: mask.astype(np.float32) for kind, mask in masks.items()}


def person(stem: str) -> str:
    """Return who a stem such as Laura_Bush_0040 shows."""
    return re.sub(r"_\d+$", "", stem)
