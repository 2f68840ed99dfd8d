"""EG1800: data/images_data_crop/<n>.jpg, data/images_mask/<n>_mask.mat, two lists of numbers.

Source: github.com/bio-punk/AutoPortraitMatting (Shen et al., Eurographics 2016). The test list
becomes the val split; near-duplicates that both lists name are moved by `seglib.data.prepare`.

Chapter: data preparation.
"""

from pathlib import Path

import numpy as np

from seglib.data.sources.layouts.common import Listing, RawPair, base, photos, read_mat
from seglib.errors import SeglibError
from seglib.images import read_image


def find(raw: Path) -> Listing:
    """List the photos of both lists that are there; the rest is counted in the notes."""
    root = base(raw, "data/images_data_crop", "data/images_mask") / "data"
    files = {path.stem: path for path in photos(root / "images_data_crop")}
    masks = {
        path.stem.removesuffix("_mask"): path for path in (root / "images_mask").glob("*_mask.mat")
    }
    places: dict[str, str] = {}
    for split, name in (("train", "trainlist"), ("val", "testlist")):
        for number in read_mat(root / f"{name}.mat", name).ravel().tolist():
            places.setdefault(f"{int(number):05d}", split)
    both = files.keys() & masks.keys()
    pairs = tuple(
        RawPair(stem, files[stem], (masks[stem],), places[stem])
        for stem in sorted(places)
        if stem in both
    )
    notes = [
        f"{count} {what}"
        for count, what in (
            (len(places.keys() - both), "photos that the lists name are not there"),
            (len(both - places.keys()), "photos are in no list and are left out"),
        )
        if count
    ]
    return Listing(pairs, ("person",), tuple(notes))


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a photo and its person mask."""
    mask = read_mat(pair.parts[0], "mask")
    if mask.ndim != 2 or not np.isin(mask, (0, 1)).all():
        raise SeglibError(f"{pair.parts[0].name} holds other values than 0 and 1; get it again")
    return read_image(pair.image), {"person": mask.astype(np.float32)}
