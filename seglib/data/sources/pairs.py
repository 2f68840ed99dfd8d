"""What the readers of the original layouts share: one type for a pair, and the search for files.

A reader is two functions: `find(raw, kind)` lists the pairs without opening a photo, and
`read(pair)` reads one as its photo and a mask of each kind.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seglib.errors import SeglibError
from seglib.files import is_hidden
from seglib.images import MAX_PIXELS

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".tif", ".tiff")
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}

Masks = dict[str, np.ndarray]
"""kind -> mask float32 (h, w) in 0..1."""


@dataclass(frozen=True)
class Pair:
    """One photo and what its masks are made of, before anything was read.

    Attributes:
        stem: its name in the prepared set, one of a kind there.
        image: the photo's file.
        parts: the files its masks are made from.
        split: "train", "val" or "test" where the source says so, else "".
        group: pairs of one group (a person) go to the same split; "" is a group of its own.
        data: anything else the reader needs, such as a row, or the kinds that `parts` show.
        fault: why what looks like a pair is none.
    """

    stem: str
    image: Path
    parts: tuple[Path, ...] = ()
    split: str = ""
    group: str = ""
    data: Any = None
    fault: str = ""


class Listing(NamedTuple):
    """What a folder holds: the kinds of mask, the main one first, and pairs in any order."""

    kinds: tuple[str, ...]
    pairs: Sequence[Pair]
    notes: tuple[str, ...] = ()


def base(raw: Path, *needed: str) -> Path:
    """Return `raw`, or the folder up to two levels inside it, that holds all `needed` paths."""
    for depth in ("", "*/", "*/*/"):
        for place in sorted(raw.glob(depth)) if depth else [raw]:
            if all((place / name).exists() for name in needed):
                return place
    raise SeglibError(f"{raw} has no {' and no '.join(needed)}; give the folder that holds them")


def walk(folder: Path, pattern: str = "**/*", suffixes: Sequence[str] = PHOTOS) -> list[Path]:
    """Return the files under a folder, sorted, without hidden ones and those in hidden folders."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.suffix.lower() in suffixes
        and not any(is_hidden(part) for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def matched(
    photos: dict[str, Path], masks: dict[str, Path], lone_photos: bool = True
) -> Iterator[Pair]:
    """Yield the pairs of two listings by stem, and a fault for whoever is alone."""
    for stem in sorted(photos.keys() | masks.keys()):
        if stem in photos and stem in masks:
            yield Pair(stem, photos[stem], (masks[stem],))
        elif stem in masks:
            yield Pair(stem, masks[stem], fault=f"{masks[stem].name} has no photo")
        elif lone_photos:
            yield Pair(stem, photos[stem], fault=f"{photos[stem].name} has no mask")


def split_name(text: str) -> str:
    """Return the split that a folder's, file's or column's name means, "" where it means none."""
    return _SPLITS.get(text.strip().lower(), "")


def named(pairs: Iterable[tuple[str, Pair]]) -> list[Pair]:
    """Return (folder, pair) as pairs, with the folder before each stem that is there twice.

    Stems are compared without regard to case, since many disks know no difference.
    """
    pairs = list(pairs)
    counts = Counter(pair.stem.lower() for _, pair in pairs if not pair.fault)
    found = [
        replace(pair, stem=f"{folder}-{pair.stem}") if counts[pair.stem.lower()] > 1 else pair
        for folder, pair in pairs
    ]
    again = Counter(pair.stem.lower() for pair in found if not pair.fault)
    if twice := next((stem for stem, count in again.items() if count > 1), ""):
        raise SeglibError(f"two photos would be called {twice}; rename one of them")
    return sorted(found, key=lambda pair: pair.stem)


def read_mat(path: Path, name: str) -> np.ndarray:
    """Return one variable of a MATLAB file (version 4 to 7.2)."""
    try:
        from scipy.io import loadmat, whosmat
    except ModuleNotFoundError as error:
        raise SeglibError(
            f"{path.name} is a MATLAB file and takes SciPy to read; install it with: "
            "pip install scipy"
        ) from error
    if not path.is_file():
        raise SeglibError(f"there is no file {path}; get it again")
    try:
        shapes = {entry[0]: entry[1] for entry in whosmat(path)}
        # The size is looked at first: a few bytes can claim to unpack to gigabytes.
        if name in shapes and np.prod(shapes[name], dtype=float) <= MAX_PIXELS:
            return loadmat(path, variable_names=[name])[name]
    # SciPy lets many kinds of exception through on damaged files.
    except Exception as error:
        raise SeglibError(f"{path} is damaged or no MATLAB file ({error}); get it again") from error
    raise SeglibError(
        f"{path} holds no usable {name!r} (it has {', '.join(shapes) or 'nothing'}); get it again"
    )
