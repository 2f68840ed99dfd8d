"""A data set, photos with one kind of mask, and the one folder format for all of them::

    images/<stem>.jpg|png|webp  photos, any size
    masks/<stem>.png            one kind of mask, grey 0..255, the photo's size
    masks/<kind>/<stem>.png     or several kinds, each in its folder
    labels/<stem>.png           or one class number per pixel, named in label_list.txt
    splits.csv                  stem,split: train, val (chooses) or test (scored once); without it
                                every photo is in each of the three
    dataset.json                name, kind, source, licence, citation ... (optional)

Chapter: data preparation.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unicodedata import normalize

import numpy as np

from seglib.data import download, splits
from seglib.data.splits import PARTS
from seglib.errors import SeglibError
from seglib.files import list_files, list_folders, new_folder, read_text
from seglib.images import (
    as_image,
    as_mask,
    read_image,
    read_labels,
    read_mask,
    resize,
    write_image,
    write_mask,
)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
Pair = tuple[np.ndarray, np.ndarray]
_LABELLED = ("person", "hair", "skin", "clothes")
# Classes that are no garment: the body, and what is carried or worn as an ornament.
_NO_CLOTHES = (
    *("null", "hair", "skin", "accessories", "bag", "bracelet", "earrings", "glasses"),
    *("necklace", "purse", "ring", "sunglasses", "wallet", "watch"),
)
loaders: dict[str, Callable[[str, str | None], "Dataset"]] = {}
"""Sets that are no single folder: name -> a function of split and kind."""


@dataclass(frozen=True)
class Dataset:
    """Photos with one kind of mask. `dataset[i]` reads pair `i` from disk or memory.

    Attributes:
        name: the set's name.
        kind: what the masks show, such as "person".
        split: "train", "val", "test" or "all".
        stems: one name per photo.
        read: stem -> (image uint8 (h, w, 3) RGB, mask float32 (h, w) in [0, 1]).
        info: the content of dataset.json; empty where there is none.
    """

    name: str
    kind: str
    split: str
    stems: tuple[str, ...]
    read: Callable[[str], Pair] = field(repr=False)
    info: dict = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.stems)

    def __getitem__(self, index: int) -> Pair:
        return self.read(self.stems[index])

    def __iter__(self) -> Iterator[Pair]:
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
        masks = np.empty((len(self), size, size), np.uint8)
        images = np.empty((*masks.shape, 3), np.uint8)
        for index, (image, mask) in enumerate(self):
            images[index] = resize(image, (size, size))
            masks[index] = np.rint(resize(mask, (size, size)) * 255)
        return images, masks

    @classmethod
    def from_arrays(
        cls, images: Sequence, masks: Sequence, name: str, kind: str, split: str = "all"
    ) -> "Dataset":
        """Wrap pictures that are in memory; a pair that is read is a copy.

        Args:
            images: (n, h, w, 3), or any sequence of what `seglib.images.as_image` takes.
            masks: (n, h, w), or a sequence of such: booleans, floats from 0 to 1, {0, 1}, or grey
                levels 0..255. All masks together decide which of these it is.
            name: the set's name; the stems are this and a number.
            kind: what the masks show.
            split: the part's name.
        """
        white = white_of(images, masks)
        stems = tuple(f"{name}-{index:05d}" for index in range(len(images)))
        rows = {stem: index for index, stem in enumerate(stems)}

        def read(stem: str) -> Pair:
            image, mask = array_pair(images, masks, rows[stem])
            if mask.shape[2] > 1:
                raise SeglibError(f"mask {stem} has {mask.shape[2]} channels; choose one of them")
            return image.copy(), (mask[..., 0] / np.float32(white)).astype(np.float32)

        return cls(name, kind, split, stems, read)


def white_of(images: Sequence, masks: Sequence[np.ndarray], what: str = "set of masks") -> int:
    """Return the value that means 1 in masks (n, h, w[, channels]): 1, 255 or 65535.

    They are judged together, as `seglib.images.as_mask` judges one mask with all their values.
    """
    for name, given in (("images", images), ("masks", masks)):
        if not hasattr(given, "__len__"):
            raise SeglibError(f"the {name} are a {type(given).__name__}; hand in an array or list")
    if len(images) != len(masks):
        raise SeglibError(f"{len(images)} images and {len(masks)} masks are not pairs")
    found = set()
    for mask in map(np.asarray, masks):
        if mask.dtype.kind not in "buif" or not mask.size:
            raise SeglibError(f"a mask is {mask.dtype} {mask.shape}; numbers are expected")
        if mask.dtype == np.uint8:
            found.update(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist())
        elif mask.dtype.kind != "f" or (mask == np.rint(mask)).all():
            found.update(np.unique(mask).tolist())
        else:
            # The fraction keeps 0 and 1 from being taken for levels of 255.
            found.update((mask.min().item(), 0.5, mask.max().item()))
    values = np.array(sorted(found) or [0])
    shares = as_mask(values[None], what)
    return round(values[-1] / shares[0, -1]) if values[-1] > 0 else 1


def array_pair(images: Sequence, masks: Sequence[np.ndarray], index: int) -> Pair:
    """Return image uint8 (h, w, 3) and mask (h, w, channels), of its own type, of a pair."""
    image, mask = as_image(images[index], f"image {index}"), np.asarray(masks[index])
    if mask.ndim == 3 and mask.shape[:2] != image.shape[:2] == mask.shape[1:]:
        mask = np.moveaxis(mask, 0, 2)
    if mask.ndim not in (2, 3) or mask.shape[:2] != image.shape[:2]:
        raise SeglibError(
            f"mask {index} is {mask.shape} but its image {image.shape}; resize the mask first"
        )
    return image, mask if mask.ndim == 3 else mask[..., None]


def as_levels(mask: np.ndarray, white: int) -> np.ndarray:
    """Return a mask as uint8, where 255 stands for `white`."""
    if white != 255 or mask.dtype != np.uint8:
        return np.rint(mask * np.float32(255 / white)).astype(np.uint8)
    return mask


def load(name: str, split: str = "train", kind: str | None = None) -> Dataset:
    """Load a data set by name: from `$SEGLIB_DATA`, the cache, or else its public source.

    Args:
        name: a folder under one that `$SEGLIB_DATA` lists or where `seglib.data.prepare` puts
            finished sets; or "portraits", which is fetched when it is nowhere, or "synthetic".
        split: "train", "val", "test" or "all". Choose by val, and score the final model on test.
        kind: what the masks must show; by default the set's first kind.
    """
    if name in loaders:
        return loaders[name](split, kind)
    return open_folder(download.find(name), split, kind)


def open_folder(folder: str | Path, split: str = "all", kind: str | None = None) -> Dataset:
    """Open a prepared data set; the format is in `seglib.data.dataset`.

    Well-known sets that came in two parts are read in three (see `seglib.data.splits`). The first
    of what does not fit together is named; `seglib.data.validate` lists all of it.
    """
    folder = Path(folder)
    info, images = read_info(folder), image_files(folder)
    kinds = mask_kinds(folder, info)
    kind = kind or kinds[0]
    if kind not in kinds:
        raise SeglibError(f"{folder} has no {kind!r} masks; it has {', '.join(kinds)}")
    masks = mask_files(folder, kind)
    if lone := sorted(set(images) ^ set(masks)):
        raise SeglibError(
            f"{folder}: {len(lone)} stems lack their photo or their {kind} mask, such as "
            f"{', '.join(lone[:3])}; add the missing files or remove the lone ones"
        )
    name = info.get("name", folder.name)
    stems = _stems_of(folder, name, split, images)
    pick = label_indices(folder, kind) if is_labelled(folder, kind) else None

    def read(stem: str) -> Pair:
        return read_pair(images[stem], masks[stem], pick)

    return Dataset(name, kind, split, stems, read, info)


def write_folder(
    folder: str | Path, dataset: Dataset, val_share: float = 0.2, test_share: float = 0.0
) -> Path:
    """Write a data set in the prepared format; every n-th photo goes to the val and test splits.

    The folder appears when it is complete, and an existing one is never touched.
    """
    folder = Path(folder)
    val, test = (share and max(2, round(1 / share)) for share in (val_share, test_share))
    with new_folder(folder) as unfinished:
        rows = [("stem", "split")]
        for index, (stem, (image, mask)) in enumerate(zip(dataset.stems, dataset, strict=True)):
            write_image(unfinished / "images" / f"{stem}.png", image)
            write_mask(unfinished / "masks" / f"{stem}.png", mask)
            chosen = "test" if test and (index + 1) % test == 0 else "train"
            rows.append((stem, "val" if val and index % val == 0 else chosen))
        write_csv(unfinished / "splits.csv", rows)
        info = {**dataset.info, "name": folder.name, "kind": dataset.kind, "count": len(dataset)}
        write_info(unfinished, info)
    return folder


# The parts of the format, for those who read, write or check it file by file.


def write_csv(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write rows of text."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_info(folder: Path, info: dict) -> None:
    """Write dataset.json."""
    text = json.dumps(info, indent=1, ensure_ascii=False)
    (folder / "dataset.json").write_text(text + "\n", encoding="utf-8")


def read_pair(image_path: Path, mask_path: Path, pick: Sequence[int] | None = None) -> Pair:
    """Read one photo, uint8 (h, w, 3), and its mask, float32 (h, w) in [0, 1].

    With `pick` the mask is a picture of class numbers, of which those in `pick` count as 1.
    """
    image = read_image(image_path)
    if pick is None:
        mask = read_mask(mask_path)
    else:
        mask = np.isin(read_labels(mask_path), pick).astype(np.float32)
    if image.shape[:2] != mask.shape:
        raise SeglibError(
            f"{mask_path} is {mask.shape[1]}x{mask.shape[0]} pixels but its photo is "
            f"{image.shape[1]}x{image.shape[0]}; make the mask again"
        )
    return image, mask


def read_info(folder: Path) -> dict:
    """Return the content of dataset.json, {} where there is none."""
    path = folder / "dataset.json"
    text = read_text(path) if path.exists() else "{}"
    try:
        info = {**json.loads(text)}
    except (ValueError, TypeError) as error:
        raise SeglibError(f"{path} is no JSON object ({error}); mend or delete it") from error
    for key, kind in {"name": str, "kind": str, "kinds": list}.items():
        if not isinstance(info.get(key, kind()), kind):
            raise SeglibError(f"{path} must have a {kind.__name__} as {key}; mend it")
    return info


def mask_kinds(folder: Path, info: dict) -> tuple[str, ...]:
    """Return the kinds of mask a folder holds, its main one first."""
    if (folder / "labels").is_dir():
        return _LABELLED
    if not (folder / "masks").is_dir():
        raise SeglibError(f"{folder} has no masks: put them into masks/ with the photos' stems")
    named = [path.name for path in list_folders(folder / "masks")]
    # dataset.json knows which is the main one; folders only know the alphabet.
    first = [kind for kind in info.get("kinds", ()) if kind in named]
    alone = info.get("kind") or splits.kind_of(folder.name) or "mask"
    return tuple(dict.fromkeys([*first, *named])) or (alone,)


def image_files(folder: Path) -> dict[str, Path]:
    """Return stem -> photo."""
    if not (folder / "images").is_dir():
        raise SeglibError(
            f"{folder} has no images/; put photos there and masks, of the same stem, into masks/"
        )
    return _by_stem(folder / "images", IMAGE_SUFFIXES)


def mask_files(folder: Path, kind: str, suffixes: Sequence[str] = (".png",)) -> dict[str, Path]:
    """Return stem -> mask of this kind."""
    named = folder / "masks" / kind
    if is_labelled(folder, kind):
        return _by_stem(folder / "labels", suffixes)
    return _by_stem(named if named.is_dir() else folder / "masks", suffixes)


def _by_stem(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    files = list_files(folder, suffixes)
    # Macs store an accent as a letter of its own.
    found = {normalize("NFC", path.stem): path for path in files}
    if not found:
        raise SeglibError(f"{folder} holds no {', '.join(suffixes)} files; add one for each stem")
    if left := {*files} - {*found.values()}:
        raise SeglibError(f"{folder} has {left.pop().name} in two forms; keep one for each stem")
    return found


def is_labelled(folder: Path, kind: str) -> bool:
    """Return whether masks of this kind are picked from class numbers."""
    return (folder / "labels").is_dir() and not (folder / "masks" / kind).is_dir()


def class_names(folder: Path) -> dict[int, str]:
    """Return class number -> name, from label_list.txt."""
    path = folder / "label_list.txt"
    try:
        lines = [line.split(maxsplit=1) for line in read_text(path).splitlines() if line.strip()]
        return {int(index): name.strip() for index, name in lines}
    except ValueError as error:
        raise SeglibError(f"{path} must name each class as `index name` ({error})") from error


def label_indices(folder: Path, kind: str) -> tuple[int, ...]:
    """Return the class numbers that make up a kind.

    "person" is every class but 0, "clothes" every garment; other kinds are classes themselves.
    """
    names = class_names(folder)
    several = {
        "person": {*names} - {0},
        "clothes": {i for i in names if names[i] not in _NO_CLOTHES},
    }
    found = several.get(kind) or {index for index in names if names[index] == kind}
    if not found:
        listed = ", ".join(names.values())
        raise SeglibError(f"{folder / 'label_list.txt'} names no class {kind!r}; it has {listed}")
    return tuple(sorted(found))


def read_splits(path: Path) -> list[tuple[str, str]]:
    """Return the (stem, split) lines of a splits.csv."""
    rows = list(csv.DictReader(io.StringIO(read_text(path), newline="")))
    if not rows or not {"stem", "split"} <= set(rows[0]):
        raise SeglibError(f"{path} needs a first line `stem,split` and a line per photo")
    lines = (((row["stem"] or "").strip(), (row["split"] or "").strip()) for row in rows)
    return [(normalize("NFC", stem), split) for stem, split in lines]


def _stems_of(folder: Path, name: str, split: str, images: dict[str, Path]) -> tuple[str, ...]:
    """Return the stems of one split; a folder without splits.csv has all of them in each."""
    if split not in (*PARTS, "all"):
        raise SeglibError(f"no split is called {split!r}; use {', '.join(PARTS)} or all")
    path = folder / "splits.csv"
    if split == "all" or not path.exists():
        return tuple(images)
    rows = read_splits(path)
    if unknown := {part for _, part in rows} - {*PARTS}:
        raise SeglibError(f"{path} has the split {unknown.pop()!r}; use {', '.join(PARTS)} only")
    places = splits.three_way(name, rows)
    if len({*places}) > len(dict(places)):
        raise SeglibError(f"{path} puts a photo into two splits; `seglib data doctor` names it")
    stems = tuple(stem for stem, part in places if part == split)
    if missing := [stem for stem in stems if stem not in images]:
        raise SeglibError(
            f"{path} names photos that are not in images/: {', '.join(missing[:3])} "
            f"({len(missing)} in all); remove those lines or add the photos"
        )
    if not stems:
        raise SeglibError(f"{path} puts no photo into {split!r}; write {split!r} behind some stems")
    return stems
