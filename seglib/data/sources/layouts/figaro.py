"""Figaro1k: <name>-org.jpg and <name>-gt.png (or .pbm), in Training and Testing.

Known both as the authors publish it (Original/Training, GT/Training) and as the hair-seg-project
repository keeps it (Training/imgs/Original, Training/masks/GT). The masks are PBM whatever their
suffix says; they are read by content.

Chapter: data preparation.
"""

from pathlib import Path

import numpy as np

from seglib.data.sources.layouts.common import Listing, RawPair, grey, split_name
from seglib.errors import SeglibError
from seglib.images import read_image


def find(raw: Path) -> Listing:
    """List all frames under `raw`; Testing is the val split."""
    places = sorted(path for path in raw.rglob("Figaro1k") if path.is_dir())
    root = places[0] if places else raw
    # Archives made on a Mac have a ._twin of each file.
    files = {p.name.split("-org.")[0]: p for p in sorted(root.rglob("[!.]*-org.*"))}
    masks = {p.name.split("-gt.")[0]: p for p in sorted(root.rglob("[!.]*-gt.*"))}
    if not files:
        raise SeglibError(f"{raw} holds no Frame...-org.jpg; give the folder that holds Figaro1k")
    pairs = tuple(
        RawPair(stem, files[stem], (masks[stem],), _split(files[stem], root))
        for stem in sorted(files)
        if stem in masks
    )
    faults = tuple(
        (stem, f"{stem} lacks its {'mask' if stem in files else 'photo'}")
        for stem in sorted(files.keys() ^ masks.keys())
    )
    return Listing(pairs, ("hair",), (), faults)


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a photo and its hair mask."""
    return read_image(pair.image), {"hair": grey(pair.parts[0])}


def _split(path: Path, root: Path) -> str:
    named = (split_name(part) for part in path.relative_to(root).parts)
    return next((split for split in named if split), "train")
