"""LFW hair of the hair-seg-project repository: Lfw/Training/imgs/Original and masks/GT.

Its Training and Testing folders hold the same files, so each photo is taken once and the split is
made by person, as the file names tell who is who.

Chapter: data preparation.
"""

from pathlib import Path

import numpy as np

from seglib.data.sources.layouts.common import Listing, RawPair, grey, photos
from seglib.data.sources.layouts.lfw_parts import person
from seglib.errors import SeglibError
from seglib.images import read_image


def find(raw: Path) -> Listing:
    """List each photo once, in the group of its person."""
    places = sorted(path for path in raw.rglob("Lfw") if path.is_dir())
    root = places[0] if places else raw
    # In this order Training comes last, and the last of several files of one name is the one kept.
    found = sorted(photos(root, "**/imgs/**/*") + photos(root, "**/masks/**/*"))
    files = {path.stem: path for path in found if "imgs" in path.relative_to(root).parts}
    masks = {path.stem: path for path in found if "masks" in path.relative_to(root).parts}
    if not files:
        raise SeglibError(f"{raw} holds no Lfw/.../imgs/; give the folder that holds Lfw")
    pairs = tuple(
        RawPair(stem, files[stem], (masks[stem],), group=person(stem))
        for stem in sorted(files)
        if stem in masks
    )
    faults = tuple(
        (stem, f"{stem} lacks its {'mask' if stem in files else 'photo'}")
        for stem in sorted(files.keys() ^ masks.keys())
    )
    copies = len(found) - len(files) - len(masks)
    notes = (f"{copies} files are there twice (Training and Testing) and count once",)
    return Listing(pairs, ("hair",), notes if copies else (), faults)


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a photo and its hair mask."""
    return read_image(pair.image), {"hair": grey(pair.parts[0])}
