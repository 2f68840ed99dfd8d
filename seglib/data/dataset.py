"""The prepared data set: one folder format, one way to load it.

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
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from seglib.errors import SeglibError
from seglib.images import read_image, read_mask, resize, write_image, write_mask

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
KINDS = ("person", "hair", "skin", "clothes")
# What the flat `masks/` of the field's well-known sets show, for folders without a dataset.json.
KNOWN_SETS = {
    "eg1800": ("person",),
    "figaro1k": ("hair",),
    "lfw_hair": ("hair",),
    "ccp_full": ("person", "hair", "skin"),
    "ccp_upper": ("person", "hair", "skin"),
}


@dataclass(frozen=True)
class Dataset:
    """Photos with one kind of mask. `dataset[i]` reads pair `i` from disk or memory.

    Attributes:
        name: the set's name.
        kind: what the masks show, such as "person".
        split: "train", "val" or "all".
        stems: one name per photo.
        info: the content of dataset.json; empty where there is none.
    """

    name: str
    kind: str
    split: str
    stems: tuple[str, ...]
    _read: Callable[[str], tuple[np.ndarray, np.ndarray]] = field(repr=False)
    info: dict = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """Count of photos."""
        return len(self.stems)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (image uint8 (h, w, 3) RGB, mask float32 (h, w) in 0..1)."""
        return self._read(self.stems[index])

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield every pair in order."""
        return (self[index] for index in range(len(self)))

    def subset(self, count: int, seed: int = 0) -> "Dataset":
        """Return `count` photos drawn without repetition (all, where there are no more)."""
        if count >= len(self):
            return self
        chosen = np.random.default_rng(seed).choice(len(self), count, replace=False)
        return replace(self, stems=tuple(self.stems[i] for i in sorted(chosen)))

    def arrays(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Read everything, stretched to squares, for training from memory.

        Returns:
            images uint8 (count, size, size, 3), masks uint8 (count, size, size) in 0..255.
        """
        images = np.empty((len(self), size, size, 3), np.uint8)
        masks = np.empty((len(self), size, size), np.uint8)
        for index, (image, mask) in enumerate(self):
            images[index] = resize(image, (size, size))
            masks[index] = np.rint(resize(mask, (size, size)) * 255)
        return images, masks

    @classmethod
    def from_arrays(
        cls, images: np.ndarray, masks: np.ndarray, name: str, kind: str, split: str = "all"
    ) -> "Dataset":
        """Wrap images uint8 (n, h, w, 3) and masks uint8 (n, h, w) 0..255 that are in memory."""
        if len(images) != len(masks):
            raise SeglibError(f"{len(images)} images and {len(masks)} masks are not pairs")
        stems = tuple(f"{name}-{index:05d}" for index in range(len(images)))
        rows = {stem: index for index, stem in enumerate(stems)}

        def read(stem: str) -> tuple[np.ndarray, np.ndarray]:
            return images[rows[stem]], masks[rows[stem]].astype(np.float32) / 255

        return cls(name, kind, split, stems, read)


def load(name: str, split: str = "train", kind: str | None = None) -> Dataset:
    """Load a data set by name: from `$SEGLIB_DATA`, or else the synthetic portraits.

    Args:
        name: a folder's name under a folder that `$SEGLIB_DATA` lists, or "synthetic".
        split: "train", "val" or "all".
        kind: what the masks must show; by default the set's first kind.

    Returns:
        The data set. Where no folder is found a line is printed and synthetic portraits stand in:
        their `name` is "synthetic", so a result can always say what it was measured on.

    Raises:
        SeglibError: the name is unknown, or the folder is there but cannot be used.
    """
    if name != "synthetic" and name not in KNOWN_SETS and not _find(name):
        raise SeglibError(
            f"no data set is called {name!r}; use one of {', '.join([*KNOWN_SETS, 'synthetic'])}, "
            "or put a folder of that name where $SEGLIB_DATA points"
        )
    folder = _find(name)
    if folder:
        return open_folder(folder, split, kind)
    if name != "synthetic":
        print(f"{name}: no folder of that name under $SEGLIB_DATA; using synthetic portraits")
    return _synthetic(split, kind or KNOWN_SETS.get(name, KINDS)[0])


def _find(name: str) -> Path | None:
    roots = [Path(root) for root in os.environ.get("SEGLIB_DATA", "").split(os.pathsep) if root]
    return next((root / name for root in roots if (root / name / "images").is_dir()), None)


def _synthetic(split: str, kind: str) -> Dataset:
    from seglib.data import synthetic

    counts = {"train": (300, 0), "val": (80, 1), "all": (380, 2)}
    if split not in counts:
        raise SeglibError(f"no split is called {split!r}; use train, val or all")
    count, seed = counts[split]
    portraits = synthetic.portraits(count, size=128, seed=seed)
    return replace(portraits.dataset(kind), split=split)


def open_folder(folder: str | Path, split: str = "all", kind: str | None = None) -> Dataset:
    """Open a prepared data set; see this module's first lines for the format.

    Raises:
        SeglibError: the folder is not one, photos and masks do not pair up, splits.csv names
            photos that do not exist, or the set has no masks of this kind. The message names the
            first offenders; `validate` lists all of them.
    """
    folder = Path(folder)
    if not (folder / "images").is_dir():
        raise SeglibError(
            f"{folder} is no prepared data set: it has no images/ folder; "
            "put photos into images/ and their masks, of the same stem, into masks/"
        )
    info = read_info(folder)
    kind = kind or kinds(folder, info)[0]
    if kind not in kinds(folder, info):
        raise SeglibError(
            f"{folder} has no {kind!r} masks; it has {', '.join(kinds(folder, info))}"
        )
    images, masks = image_files(folder), mask_files(folder, kind)
    unmatched = sorted(set(images) ^ set(masks))
    if unmatched:
        raise SeglibError(
            f"{folder}: {len(unmatched)} stems lack their photo or their {kind} mask, "
            f"such as {', '.join(unmatched[:3])}; add the missing files or remove the lone ones"
        )
    stems = _stems_of(folder, split, images)
    pick = label_indices(folder, kind) if _is_labelled(folder, kind) else None

    def read(stem: str) -> tuple[np.ndarray, np.ndarray]:
        return read_pair(images[stem], masks[stem], pick)

    return Dataset(info.get("name", folder.name), kind, split, stems, read, info)


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
    image, mask = read_image(image_path), read_mask(mask_path)
    if image.shape[:2] != mask.shape:
        raise SeglibError(
            f"{mask_path} is {mask.shape[1]}x{mask.shape[0]} pixels but its photo "
            f"{image_path.name} is {image.shape[1]}x{image.shape[0]}; make the mask again"
        )
    if pick is not None:
        return image, np.isin(np.rint(mask * 255).astype(np.uint8), pick).astype(np.float32)
    if 0 < mask.max() < 0.1:
        raise SeglibError(
            f"{mask_path} holds values up to {mask.max() * 255:.0f} of 255 only, as class numbers "
            "do; write masks as 0 and 255 (multiply by 255) or put class numbers into labels/"
        )
    return image, mask


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
        return KNOWN_SETS.get(folder.name, ("person", "hair", "skin"))
    masks = folder / "masks"
    if not masks.is_dir():
        raise SeglibError(f"{folder} has no masks: put them into masks/ with the photos' stems")
    named = tuple(sorted(child.name for child in masks.iterdir() if child.is_dir()))
    flat = info.get("kind") or KNOWN_SETS.get(folder.name, ("mask",))[0]
    return named or (flat,)


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
    if _is_labelled(folder, kind):
        place = folder / "labels"
    else:
        place = folder / "masks" / kind if (folder / "masks" / kind).is_dir() else folder / "masks"
    files = {path.stem: path for path in sorted(place.glob("*.png"))}
    if not files:
        raise SeglibError(f"{place} holds no .png masks; add one for each photo, of the same stem")
    return files


def _is_labelled(folder: Path, kind: str) -> bool:
    return (folder / "labels").is_dir() and not (folder / "masks" / kind).is_dir()


def label_indices(folder: Path, kind: str) -> tuple[int, ...]:
    """Return the class indices that make up a kind; "person" is every class but 0."""
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
    if kind not in names:
        raise SeglibError(f"{path} names no class {kind!r}; it has {', '.join(names)}")
    return (names[kind],)


def _stems_of(folder: Path, split: str, images: dict[str, Path]) -> tuple[str, ...]:
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


def write_folder(folder: str | Path, dataset: Dataset, val_share: float = 0.2) -> Path:
    """Write a data set in the prepared format; every n-th photo goes to the val split.

    The folder appears when it is complete, and an existing one is never touched.

    Raises:
        SeglibError: the folder exists already, or cannot be written.
    """
    folder = Path(folder)
    if folder.exists():
        raise SeglibError(f"{folder} exists already; choose a new folder name")
    unfinished = folder.with_name(f".part-{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        for stem, (image, mask) in zip(dataset.stems, dataset, strict=True):
            write_image(unfinished / "images" / f"{stem}.png", image)
            write_mask(unfinished / "masks" / f"{stem}.png", mask)
        every = max(2, round(1 / val_share))
        lines = [
            f"{stem},{'val' if index % every == 0 else 'train'}"
            for index, stem in enumerate(dataset.stems)
        ]
        (unfinished / "splits.csv").write_text("\n".join(["stem,split", *lines]) + "\n")
        info = {**dataset.info, "name": folder.name, "kind": dataset.kind, "count": len(dataset)}
        (unfinished / "dataset.json").write_text(json.dumps(info, indent=1) + "\n")
        os.replace(unfinished, folder)
    except OSError as error:
        raise SeglibError(f"cannot write {folder} ({error.strerror}); nothing was left") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
