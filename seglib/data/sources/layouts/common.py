"""What the readers share: the pair, the listing, MATLAB files, and finding a folder.

Chapter: data preparation.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglib.errors import SeglibError
from seglib.images import MAX_PIXELS, read_grey

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".tif", ".tiff")
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "val",
    "testing": "val",
}


@dataclass(frozen=True)
class RawPair:
    """One photo and where its masks are, before anything was read.

    Attributes:
        stem: its name in the prepared set, one of a kind there.
        image: the photo's file.
        parts: the files its masks are made from.
        split: "train" or "val" where the source says so, else "".
        group: pairs of one group (a person) go to the same split; "" is a group of its own.
        row: index in an array file, -1 elsewhere.
        notes: anything else the reader needs, such as the kinds that `parts` show.
    """

    stem: str
    image: Path
    parts: tuple[Path, ...] = ()
    split: str = ""
    group: str = ""
    row: int = -1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        pairs: in the order of their stems.
        kinds: what the masks show, the main one first.
        notes: what was noticed and dealt with, one sentence each.
        faults: (stem, reason) of what looks like a pair and is none.
    """

    pairs: tuple[RawPair, ...]
    kinds: tuple[str, ...]
    notes: tuple[str, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()


def base(raw: Path, *needed: str) -> Path:
    """Return `raw`, or the folder up to two levels inside it, that holds all `needed` paths."""
    for depth in ("", "*/", "*/*/"):
        for place in sorted(raw.glob(depth)) if depth else [raw]:
            if all((place / name).exists() for name in needed):
                return place
    raise SeglibError(f"{raw} has no {' and no '.join(needed)}; give the folder that holds them")


def photos(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the picture files of a folder, sorted; hidden ones (such as ._x.jpg) are left out."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.suffix.lower() in PHOTOS and not path.name.startswith(".")
    )


def split_name(text: str) -> str:
    """Return "train" or "val" for a folder's or a column's name, "" where it names no split."""
    return _SPLITS.get(text.strip().lower(), "")


def unique(names: Iterable[tuple[str, ...]]) -> list[str]:
    """Return one stem for each path of names: its last part, with those before where that is
    taken twice.

    Compared without regard to case, since many disks know no difference.
    """
    names = list(names)
    counts = Counter(parts[-1].lower() for parts in names)
    stems = [parts[-1] if counts[parts[-1].lower()] == 1 else "-".join(parts) for parts in names]
    if len({stem.lower() for stem in stems}) < len(stems):
        twice = next(stem for stem, count in Counter(s.lower() for s in stems).items() if count > 1)
        raise SeglibError(f"two photos would be called {twice}; rename one of them")
    return stems


def grey(path: Path) -> np.ndarray:
    """Read a mask of unknown habits as float32 (h, w) in 0..1.

    A file whose largest value is 1 (of 255) is taken as 0 and 1. A JPEG is cut at one half, since
    its compression smears values around every edge.

    Raises:
        SeglibError: it has colours, or class numbers instead of 0 and 255.
    """
    mask = read_grey(path)
    top = float(mask.max())
    if np.isclose(top, 1 / 255, atol=1e-6):
        return np.rint(mask * 255).astype(np.float32)
    if path.suffix.lower() in (".jpg", ".jpeg"):
        return (mask > 0.5).astype(np.float32)
    if 0 < top < 0.1:
        raise SeglibError(
            f"{path.name} holds values up to {top * 255:.0f} of 255 only, as class numbers do; "
            "write each class as a mask of its own, 0 and 255"
        )
    return mask


def read_mat(path: Path, name: str) -> np.ndarray:
    """Return one variable of a MATLAB file (version 4 to 7.2).

    Raises:
        SeglibError: SciPy is missing, the file is damaged or has no such variable.
    """
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
