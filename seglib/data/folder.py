"""The prepared folder on disk: where its files lie and how each is read.

    images/<stem>.jpg|png     photos, any size
    masks/<stem>.png          one kind of mask, grey 0..255, the photo's size
    masks/<kind>/<stem>.png   or several kinds, each in its folder
    labels/<stem>.png         or one class index per pixel, named in label_list.txt
    splits.csv                stem,split (train or val); without it every photo is in both
    dataset.json              name, kind, source, licence, citation ... (optional)

Chapter: data preparation.
"""

import csv
import json
from pathlib import Path

import numpy as np

from seglib.data.sources.catalogue import entries
from seglib.errors import SeglibError
from seglib.images import read_grey, read_image, read_labels

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# What the masks of the field's well-known sets show, for folders without a dataset.json.
KNOWN_SETS = {entry.name: entry.kinds for entry in entries() if entry.raw}
_LABELLED = ("person", "hair", "skin", "clothes")
# Classes that are no garment: the body, and what is carried or worn as an ornament.
_NO_CLOTHES = (
    *("null", "hair", "skin", "accessories", "bag", "bracelet", "earrings", "glasses"),
    *("necklace", "purse", "ring", "sunglasses", "wallet", "watch"),
)


def read_pair(
    image_path: Path, mask_path: Path, pick: tuple[int, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read one photo and its mask.

    Args:
        image_path: the photo.
        mask_path: a grey mask 0..255, or a class-index picture.
        pick: class indices that count as the thing; None for a grey mask.

    Returns:
        image uint8 (h, w, 3), mask float32 (h, w) in 0..1.

    Raises:
        SeglibError: a file cannot be read, sizes differ, or a grey mask holds class numbers.
    """
    image = read_image(image_path)
    mask = read_grey(mask_path) if pick is None else np.isin(read_labels(mask_path), pick)
    if image.shape[:2] != mask.shape:
        raise SeglibError(
            f"{mask_path} is {mask.shape[1]}x{mask.shape[0]} pixels but its photo "
            f"{image_path.name} is {image.shape[1]}x{image.shape[0]}; make the mask again"
        )
    if pick is not None:
        return image, mask.astype(np.float32)
    if 0 < mask.max() < 0.1:
        raise SeglibError(
            f"{mask_path} holds values up to {mask.max() * 255:.0f} of 255 only, as class numbers "
            "do; write masks as 0 and 255 (multiply by 255) or put class numbers into labels/"
        )
    return image, mask


def check(folder: Path) -> None:
    """Refuse a folder that is no prepared data set.

    Raises:
        SeglibError: it has no images/.
    """
    if not (folder / "images").is_dir():
        raise SeglibError(
            f"{folder} is no prepared data set: it has no images/ folder; "
            "put photos into images/ and their masks, of the same stem, into masks/"
        )


def read_info(folder: Path) -> dict:
    """Return the content of dataset.json, {} where there is none."""
    path = Path(folder) / "dataset.json"
    if not path.exists():
        return {}
    try:
        info = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SeglibError(f"{path} is not valid JSON ({error}); mend or delete it") from error
    if not isinstance(info, dict):
        raise SeglibError(f"{path} holds no JSON object; mend or delete it")
    return info


def kinds(folder: Path, info: dict) -> tuple[str, ...]:
    """Return the kinds of mask a folder holds, its main one first."""
    if (folder / "labels").is_dir():
        return _LABELLED
    masks = folder / "masks"
    if not masks.is_dir():
        raise SeglibError(f"{folder} has no masks: put them into masks/ with the photos' stems")
    named = tuple(sorted(child.name for child in masks.iterdir() if child.is_dir()))
    if named:
        # dataset.json knows which is the main one; folders only know the alphabet.
        first = [kind for kind in info.get("kinds", ()) if kind in named]
        return (*first, *(kind for kind in named if kind not in first))
    return (info.get("kind") or KNOWN_SETS.get(folder.name, ("mask",))[0],)


def image_files(folder: Path) -> dict[str, Path]:
    """Return stem -> photo."""
    files = {
        path.stem: path
        for path in sorted((folder / "images").iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES
    }
    if not files:
        raise SeglibError(f"{folder / 'images'} holds no .jpg, .png or .webp photos; add some")
    return files


def mask_files(folder: Path, kind: str) -> dict[str, Path]:
    """Return stem -> mask of this kind."""
    if is_labelled(folder, kind):
        place = folder / "labels"
    else:
        place = folder / "masks" / kind if (folder / "masks" / kind).is_dir() else folder / "masks"
    files = {path.stem: path for path in sorted(place.glob("*.png"))}
    if not files:
        raise SeglibError(f"{place} holds no .png masks; add one for each photo, of the same stem")
    return files


def is_labelled(folder: Path, kind: str) -> bool:
    """Return whether masks of this kind are picked from class indices."""
    return (folder / "labels").is_dir() and not (folder / "masks" / kind).is_dir()


def label_indices(folder: Path, kind: str) -> tuple[int, ...]:
    """Return the class indices that make up a kind.

    "person" is every class but 0, "clothes" every garment; other kinds are classes themselves.
    """
    path = folder / "label_list.txt"
    try:
        pairs = [line.split(maxsplit=1) for line in path.read_text().splitlines() if line.strip()]
        names = {name.strip(): int(index) for index, name in pairs}
    except (OSError, ValueError) as error:
        raise SeglibError(
            f"{path} cannot be read ({error}); it must name each class as `index name`"
        ) from error
    if kind == "person":
        return tuple(index for index in names.values() if index)
    if kind == "clothes":
        return tuple(index for name, index in names.items() if name not in _NO_CLOTHES)
    if kind not in names:
        raise SeglibError(f"{path} names no class {kind!r}; it has {', '.join(names)}")
    return (names[kind],)


def stems_of(folder: Path, split: str, images: dict[str, Path]) -> tuple[str, ...]:
    """Return the stems of one split; a folder without splits.csv has all of them in each.

    Raises:
        SeglibError: the split is unknown or empty, or splits.csv names photos that do not exist.
    """
    if split not in ("train", "val", "all"):
        raise SeglibError(f"no split is called {split!r}; use train, val or all")
    path = folder / "splits.csv"
    if split == "all" or not path.exists():
        return tuple(images)
    stems = tuple(stem for stem, place in read_splits(path) if place == split)
    missing = [stem for stem in stems if stem not in images]
    if missing:
        raise SeglibError(
            f"{path} names photos that are not in images/: {', '.join(missing[:3])} "
            f"({len(missing)} in all); remove those lines or add the photos"
        )
    if not stems:
        raise SeglibError(f"{path} puts no photo into {split!r}; write {split!r} behind some stems")
    return stems


def read_splits(path: Path) -> list[tuple[str, str]]:
    """Return the (stem, split) lines of a splits.csv.

    Raises:
        SeglibError: the file has no such columns or no lines.
    """
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"stem", "split"} <= set(rows[0]):
        raise SeglibError(f"{path} needs a first line `stem,split` and a line per photo")
    return [(row["stem"], row["split"]) for row in rows]
