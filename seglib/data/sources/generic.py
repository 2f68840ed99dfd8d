"""What people hold, read and written: folders, NumPy arrays, a CSV; and what all readers share.

A reader is two functions: `find(raw, kind)` lists the pairs without opening a photo, and
`read(pair)` reads one as its photo and a mask of each kind.

Chapter: data preparation.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from seglib.data import dataset
from seglib.errors import SeglibError
from seglib.files import (
    atomic_path,
    is_hidden,
    list_files,
    list_folders,
    new_folder,
    read_text,
)
from seglib.images import as_image, read_image, read_labels, read_mask, resize

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".tif", ".tiff")
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_IMAGES = ("images", "imgs", "image", "photos", "img")
_MASKS = ("masks", "mask", "segs", "mattes", "gt")
_ENDINGS = ("", "_mask", "-mask", "_matte", "_seg", "_gt", "-gt")
_ARRAYS = (("images.npy", "masks.npy"), ("img_uint8.npy", "msk_uint8.npy"))

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
    photos: dict[str, Path],
    sheets: dict[str, dict[str, Path]],
    lone_photos: bool = True,
    endings: Sequence[str] = ("",),
) -> list[Pair]:
    """Return the pairs of photos and of sheets of each kind by stem, a fault for who is alone."""
    pairs = []
    found = {
        stem: {k: next((stem + e for e in endings if stem + e in s), "") for k, s in sheets.items()}
        for stem in photos
    }
    for stem, names in found.items():
        absent = [kind for kind, name in names.items() if not name]
        if not absent:
            pairs.append(Pair(stem, photos[stem], tuple(sheets[k][n] for k, n in names.items())))
        elif lone_photos:
            what = "mask" if absent[0] in ("mask", "labels") else f"{absent[0]} mask"
            pairs.append(Pair(stem, photos[stem], fault=f"{photos[stem].name} has no {what}"))
    for kind, sheet in sheets.items():
        for stem in sorted(sheet.keys() - {names[kind] for names in found.values()}):
            pairs.append(Pair(stem, sheet[stem], fault=f"{sheet[stem].name} has no photo"))
    return pairs


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
    return found


def find_folder(raw: Path, kind: str | None = None) -> Listing:
    """List images/ with masks/, masks/<kind>/ or labels/, perhaps inside train/, val/ and test/.

    A photo's mask has its stem, or `<stem>_mask`, `<stem>_matte`, `<stem>-gt` and the like. A
    splits.csv beside them (stem, split) is followed, so a prepared set can be prepared again.
    """
    found: list[tuple[str, Pair]] = []
    kinds: tuple[str, ...] = ()
    for place in [raw, *(child for child in list_folders(raw) if split_name(child.name))]:
        subfolders = {folder.name.lower(): folder for folder in list_folders(place)}
        images = next((subfolders[name] for name in _IMAGES if name in subfolders), None)
        masks = next((subfolders[name] for name in _MASKS if name in subfolders), None)
        if images is None or (masks is None and "labels" not in subfolders):
            continue
        if masks is None:
            present = {"person", *dataset.class_names(place).values()}
            here = tuple(name for name in dataset.mask_kinds(place, {}) if name in present)
            sheets, data = {"labels": _by_stem(subfolders["labels"])}, (here, place)
        else:
            here = tuple(folder.name for folder in list_folders(masks)) or ("mask",)
            at = {name: masks if here == ("mask",) else masks / name for name in here}
            sheets, data = {name: _by_stem(folder) for name, folder in at.items()}, (here, None)
        if kinds and here != kinds:
            raise SeglibError(f"{place} has other kinds of mask than the one beside it; even out")
        kinds = here
        split = "" if place == raw else split_name(place.name)
        pairs = matched(_by_stem(images), sheets, endings=_ENDINGS)
        found += [(place.name, replace(pair, split=split, data=data)) for pair in pairs]
    if not kinds:
        raise SeglibError(f"{raw} has no images/ beside masks/; put photos and masks into such")
    said = _places(raw)
    pairs = [replace(p, split=split_name(said.get(p.stem, p.split))) for p in named(found)]
    return Listing(kinds, pairs)


def _by_stem(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in list_files(folder, PHOTOS)}


def read_files(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo and its mask of each kind, or the kinds that a file of class numbers holds."""
    kinds, labelled = pair.data
    if labelled:
        labels = read_labels(pair.parts[0])
        masks = {k: np.isin(labels, dataset.label_indices(labelled, k)) for k in kinds}
    else:
        masks = {kind: read_mask(path) for kind, path in zip(kinds, pair.parts, strict=True)}
        for kind, path in zip(kinds, pair.parts, strict=True):
            if path.suffix.lower() in (".jpg", ".jpeg"):
                masks[kind] = masks[kind] > 0.5  # JPEG smears values around every edge
    return read_image(pair.image), masks


def find_arrays(raw: Path, kind: str | None = None) -> Listing:
    """List the rows of images.npy (n, h, w, 3) and masks.npy (n, h, w), of any plain type."""
    files = next((f for f in _ARRAYS if all((raw / name).is_file() for name in f)), None)
    if files is None:
        raise SeglibError(f"{raw} holds no images.npy beside a masks.npy; save them under these")
    images, masks = (raw / name for name in files)
    photos, sheets = _open(images), _open(masks)
    for path, array, needed in (
        (images, photos, photos.ndim == 4 and photos.shape[3] == 3 and 0 not in photos.shape),
        # A last axis of 1 is what Keras wants of masks; both forms are around.
        (masks, sheets, sheets.shape in (photos.shape[:3], (*photos.shape[:3], 1))),
    ):
        if not needed:
            raise SeglibError(
                f"{path} has shape {array.shape}; images (count, height, width, 3) and masks "
                "(count, height, width) are expected"
            )
    # One row may hold less than the others, so what the values mean is told by all of them.
    low, high = float(photos.min()), float(photos.max())
    if not (low >= 0 and high <= 65535):
        raise SeglibError(
            f"{images} has values from {low:g} to {high:g}, not within 0..1 or 0..255; save it "
            "before any normalisation"
        )
    white = 1 if high <= 1 and photos.dtype.kind in "bf" else 255 if high <= 255 else 65535
    whites = (white, dataset.white_of(photos, sheets, str(masks)))
    rows = range(len(photos))
    return Listing(
        ("mask",), [Pair(f"{row:06d}", images, (masks,), data=(row, *whites)) for row in rows]
    )


def read_arrays(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read one row; the arrays are opened and closed, so the files may change between two calls."""
    row, image_white, mask_white = pair.data
    image, mask = np.array(_open(pair.image)[row]), np.array(_open(pair.parts[0])[row])
    if image.dtype != np.uint8:
        image = as_image(np.rint(image.astype(np.float64) * (255 / image_white)).astype(np.uint8))
    return image, {"mask": mask.reshape(image.shape[:2]).astype(np.float32) / mask_white}


def _open(path: Path) -> np.ndarray:
    try:
        # Pickled arrays can run code when they are opened, and photos need none.
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SeglibError(
            f"{path} is cut short or holds no plain numbers; save it again with numpy.save"
        ) from error


def find_csv(raw: Path, kind: str | None = None) -> Listing:
    """List the rows of a CSV with the columns image, mask (or mask_<kind> ...), split and group.

    Paths are relative to the CSV's folder; split and group may be absent.
    """
    if raw.is_dir():
        tables = list_files(raw, (".csv",))
        if len(tables) != 1:
            raise SeglibError(f"{raw} holds {len(tables) or 'no'} CSV files; give the one you mean")
        raw = tables[0]
    try:
        rows = [row for row in csv.DictReader(io.StringIO(read_text(raw))) if any(row.values())]
    except csv.Error as error:
        raise SeglibError(f"{raw} is no CSV ({error}); save it as such") from error
    at = {name.strip().lower(): name for name in (rows[0] if rows else ()) if name}
    masks = ["mask"] if "mask" in at else [name for name in at if name.startswith("mask_")]
    if "image" not in at or not masks:
        raise SeglibError(
            f"{raw} needs the columns image and mask (or mask_hair ...), separated by commas, and "
            "a line for each pair"
        )
    kinds = tuple(name.removeprefix("mask_") for name in masks)
    found = []
    for number, row in enumerate(rows, 2):
        cell = {name: (row.get(column) or "").strip() for name, column in at.items()}
        image, *parts = (_path(raw.parent, cell[name]) for name in ("image", *masks))
        split = split_name(cell.get("split", ""))
        if cell.get("split") and not split:
            raise SeglibError(
                f"{raw} line {number}: split is {cell['split']!r}; write train, val or test"
            )
        absent = [path for path in (image, *parts) if not path.is_file()]
        fault = f"line {number}: there is no file {absent[0]}" if absent else ""
        group, data = cell.get("group", ""), (kinds, None)
        pair = Pair(image.stem, image, tuple(parts), split, group, data, fault)
        found.append((image.parent.name, pair))
    return Listing(kinds, named(found))


def _path(folder: Path, cell: str) -> Path:
    # Joining keeps an absolute path as it is; tables written on Windows have backslashes.
    path = folder / cell
    return path if path.exists() else folder / cell.replace("\\", "/")


READERS = {
    "folder": (find_folder, read_files),
    "numpy": (find_arrays, read_arrays),
    "csv": (find_csv, read_files),
}


# Out of the prepared format again.


def to_numpy(
    folder: str | Path,
    output: str | Path,
    size: int | None = None,
    kind: str | None = None,
    split: str = "all",
    progress: bool = True,
) -> Path:
    """Write images.npy, masks.npy and stems.csv, in memory that does not grow with the set.

    Args:
        folder: a prepared data set.
        output: the new folder: images.npy uint8 (n, h, w, 3), masks.npy uint8 (n, h, w) in 0..255,
            and stems.csv (stem, split), all in one order.
        size: side of the squares that photos and masks are stretched to; by default they stay as
            they are, which takes a set whose photos are all of one size.
        kind: what the masks must show; by default the set's first kind.
        split: "train", "val", "test" or "all".
        progress: whether to draw a bar.
    """
    if size is not None and size < 1:
        raise SeglibError(f"size is {size}; give 1 or more pixels")
    found = dataset.open_folder(folder, split, kind)
    shape = (size, size) if size else found[0][0].shape[:2]
    with new_folder(output) as part:
        images = _mapped(part / "images.npy", (len(found), *shape, 3))
        masks = _mapped(part / "masks.npy", (len(found), *shape))
        bar = tqdm(found, total=len(found), unit="pair", desc="exporting", disable=not progress)
        for row, (image, mask) in enumerate(bar):
            if not size and image.shape[:2] != shape:
                raise SeglibError(
                    f"{folder}: {found.stems[row]} is {image.shape[1]}x{image.shape[0]} pixels "
                    f"but others are {shape[1]}x{shape[0]}; name one size with size= (--size)"
                )
            images[row] = resize(image, shape)
            masks[row] = np.rint(resize(mask, shape) * 255)
        images.flush()
        masks.flush()
        places = _places(folder)
        rows = [(stem, places.get(stem, "")) for stem in found.stems]
        dataset.write_csv(part / "stems.csv", [("stem", "split"), *rows])
    return Path(output)


def to_csv(folder: str | Path, output: str | Path) -> Path:
    """Write a CSV with the columns image, mask (or mask_<kind> ...) and split.

    Paths are relative to the CSV's folder, so set and CSV can move together;
    `seglib.data.prepare("csv", ...)` reads it back.
    """
    folder, output = Path(folder), Path(output)
    if output.suffix.lower() != ".csv":
        raise SeglibError(f"{output} must end in .csv; rename it")
    if output.exists():
        raise SeglibError(f"{output} exists already; choose a new name")
    found = dataset.open_folder(folder, "all")
    kinds = dataset.mask_kinds(folder, found.info)
    if any(dataset.is_labelled(folder, kind) for kind in kinds):
        raise SeglibError(f"{folder} keeps classes in labels/, not masks; export it to npy instead")
    columns = [dataset.image_files(folder), *(dataset.mask_files(folder, kind) for kind in kinds)]
    names = ["mask"] if len(kinds) == 1 else [f"mask_{kind}" for kind in kinds]
    places, rows = _places(folder), [("image", *names, "split")]
    for stem in found.stems:
        paths = (Path(os.path.relpath(files[stem], output.parent)).as_posix() for files in columns)
        rows.append((*paths, places.get(stem, "")))
    with atomic_path(output) as temporary:
        dataset.write_csv(temporary, rows)
    return output


def _mapped(path: Path, shape: tuple[int, ...]) -> np.memmap:
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    # Space is claimed now: a mapped file that meets a full disk later kills the process.
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _places(folder: str | Path) -> dict[str, str]:
    path = Path(folder) / "splits.csv"
    return dict(dataset.read_splits(path)) if path.exists() else {}
