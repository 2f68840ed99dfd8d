"""Readers of what people hold: folders of photos and masks, NumPy arrays, a CSV of paths.

Chapter: data preparation.
"""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from seglib.data import dataset
from seglib.data.sources.pairs import PHOTOS, Listing, Masks, Pair, named, split_name
from seglib.errors import SeglibError
from seglib.files import list_files, list_folders, read_text
from seglib.images import as_image, as_mask, read_image, read_labels, read_mask

_IMAGES = ("images", "imgs", "image", "photos", "img")
_MASKS = ("masks", "mask", "segs", "mattes", "gt")
_ENDINGS = ("", "_mask", "-mask", "_matte", "_seg", "_gt", "-gt")
_ARRAYS = (("images.npy", "masks.npy"), ("img_uint8.npy", "msk_uint8.npy"))
_ROWS = 256  # of an array, looked at together


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
        pairs = _matched(_by_stem(images), sheets)
        found += [(place.name, replace(pair, split=split, data=data)) for pair in pairs]
    if not kinds:
        raise SeglibError(f"{raw} has no images/ beside masks/; put photos and masks into such")
    table = raw / "splits.csv"
    said = dict(dataset.read_splits(table)) if table.is_file() else {}
    pairs = [
        replace(pair, split=split_name(said.get(pair.stem, pair.split))) for pair in named(found)
    ]
    return Listing(kinds, pairs)


def _by_stem(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in list_files(folder, PHOTOS)}


def _matched(photos: dict[str, Path], sheets: dict[str, dict[str, Path]]) -> list[Pair]:
    """Find the mask of each kind of every photo, and what is alone."""
    pairs, used = [], {kind: set() for kind in sheets}
    for stem, image in photos.items():
        names = {
            kind: next((stem + end for end in _ENDINGS if stem + end in sheet), "")
            for kind, sheet in sheets.items()
        }
        absent = next((kind for kind, name in names.items() if not name), None)
        for kind, name in names.items():
            used[kind].add(name)
        if absent is not None:
            what = "mask" if absent in ("mask", "labels") else f"{absent} mask"
            pairs.append(Pair(stem, image, fault=f"{image.name} has no {what}"))
        else:
            pairs.append(Pair(stem, image, tuple(sheets[k][name] for k, name in names.items())))
    for kind, sheet in sheets.items():
        for stem in sheet.keys() - used[kind]:
            pairs.append(Pair(stem, sheet[stem], fault=f"{sheet[stem].name} has no photo"))
    return pairs


def read_files(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo and its mask of each kind, or the kinds that a file of class numbers holds."""
    kinds, labelled = pair.data
    if labelled:
        labels = read_labels(pair.parts[0])
        picks = {kind: dataset.label_indices(labelled, kind) for kind in kinds}
        return read_image(pair.image), {k: np.isin(labels, pick) for k, pick in picks.items()}
    masks = {}
    for kind, path in zip(kinds, pair.parts, strict=True):
        mask = read_mask(path)
        # JPEG smears values around every edge.
        masks[kind] = mask > 0.5 if path.suffix.lower() in (".jpg", ".jpeg") else mask
    return read_image(pair.image), masks


def find_arrays(raw: Path, kind: str | None = None) -> Listing:
    """List the rows of images.npy (n, h, w, 3) and masks.npy (n, h, w), of any plain type."""
    files = next((f for f in _ARRAYS if all((raw / name).is_file() for name in f)), None)
    if files is None:
        raise SeglibError(
            f"{raw} holds no images.npy beside a masks.npy; save the arrays under these"
        )
    images, masks = (raw / name for name in files)
    photos, sheets = _open(images), _open(masks)
    if photos.ndim != 4 or photos.shape[3] != 3 or 0 in photos.shape:
        raise SeglibError(
            f"{images} has shape {photos.shape}; (count, height, width, 3) is expected"
        )
    # A last axis of 1 is what Keras wants of masks; both forms are around.
    if sheets.shape[:3] != photos.shape[:3] or sheets.shape[3:] not in ((), (1,)):
        raise SeglibError(f"{masks} has shape {sheets.shape}; {photos.shape[:3]} is expected")
    # One row may hold less than the others, so what the values mean is told by all of them.
    white = tuple(_white(array, path) for array, path in ((photos, images), (sheets, masks)))
    count = len(photos)
    return Listing(
        ("mask",), [Pair(f"{row:06d}", images, (masks,), data=(row, white)) for row in range(count)]
    )


def read_arrays(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read one row; the arrays are opened and closed, so the files may change between two calls."""
    row, (image_white, mask_white) = pair.data
    image, mask = np.array(_open(pair.image)[row]), np.array(_open(pair.parts[0])[row])
    if image.dtype != np.uint8:
        image = as_image(np.rint(image.astype(np.float64) * (255 / image_white)).astype(np.uint8))
    return image, {"mask": mask.reshape(image.shape[:2]).astype(np.float32) / mask_white}


def _white(array: np.ndarray, path: Path) -> float:
    """Return the value that is white in an array of images or masks, 1, 255 or 65535."""
    if array.dtype == np.uint8 and array.ndim == 4 and array.shape[3] == 3:
        return 255.0
    parts = (array[start : start + _ROWS] for start in range(0, len(array), _ROWS))
    values = np.unique(np.concatenate([np.unique(part) for part in parts]))
    low, high = float(values[0]), float(values[-1])
    if not (low >= 0 and high <= 65535):
        raise SeglibError(
            f"{path} has values from {low:g} to {high:g}, not within 0..1 or 0..255; save it "
            "before any normalisation"
        )
    if array.ndim == 4 and array.shape[3] == 3:
        return 1.0 if high <= 1 and array.dtype.kind in "bf" else 255.0 if high <= 255 else 65535.0
    # Refuses what may be class numbers.
    shares = as_mask(values[None].astype(array.dtype), str(path))
    return high / float(shares.max()) if high else 1.0


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
    columns = [(name, name.strip().lower()) for name in (rows[0] if rows else ()) if name]
    at = {clean: name for name, clean in columns}
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
        absent = next((path for path in (image, *parts) if not path.is_file()), None)
        fault = "" if absent is None else f"line {number}: there is no file {absent}"
        pair = Pair(image.stem, image, tuple(parts), split, cell.get("group", ""), fault=fault)
        found.append((image.parent.name, replace(pair, data=(kinds, None))))
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
