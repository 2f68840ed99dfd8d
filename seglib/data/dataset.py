"""A data set: photos with one kind of mask, loaded by name or from a prepared folder.

Chapter: data preparation.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seglib.data import folder as prepared
from seglib.data.folder import KNOWN_SETS
from seglib.data.sources.catalogue import cache_folder, source
from seglib.errors import SeglibError
from seglib.files import new_folder
from seglib.images import resize, write_image, write_mask

if TYPE_CHECKING:
    from seglib.data.synthetic import Portraits

KINDS = ("person", "hair", "skin", "clothes")
# The synthetic set's splits: split -> (portraits, seed).
_DRAWN = {"train": (300, 0), "val": (80, 1), "all": (380, 2)}


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
        """Wrap images uint8 (n, h, w, 3) and masks uint8 (n, h, w) 0..255 that are in memory.

        A pair that is read is a copy, which the reader may change.
        """
        if len(images) != len(masks):
            raise SeglibError(f"{len(images)} images and {len(masks)} masks are not pairs")
        stems = tuple(f"{name}-{index:05d}" for index in range(len(images)))
        rows = {stem: index for index, stem in enumerate(stems)}

        def read(stem: str) -> tuple[np.ndarray, np.ndarray]:
            return images[rows[stem]].copy(), masks[rows[stem]].astype(np.float32) / 255

        return cls(name, kind, split, stems, read)


def load(name: str, split: str = "train", kind: str | None = None) -> Dataset:
    """Load a data set by name: from `$SEGLIB_DATA`, the cache, or else the synthetic portraits.

    Args:
        name: a folder's name under a folder that `$SEGLIB_DATA` lists or where
            `seglib.data.prepare` puts finished sets, or "synthetic".
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
        entry = source(name)
        how = f"; `seglib data fetch {name}` and `prepare {name}` get it" if entry.fetchable else ""
        print(f"{name}: no folder of that name under $SEGLIB_DATA; using synthetic portraits{how}")
    return _synthetic(split, kind or KNOWN_SETS.get(name, KINDS)[0])


def _find(name: str) -> Path | None:
    roots = [Path(root) for root in os.environ.get("SEGLIB_DATA", "").split(os.pathsep) if root]
    roots.append(cache_folder() / "prepared")
    return next((root / name for root in roots if (root / name / "images").is_dir()), None)


def _synthetic(split: str, kind: str) -> Dataset:
    if split not in _DRAWN:
        raise SeglibError(f"no split is called {split!r}; use train, val or all")
    return replace(_drawn(split).dataset(kind), split=split)


# Sixty megabytes at the most, for seconds of drawing that each named set would cost again.
@lru_cache(maxsize=len(_DRAWN))
def _drawn(split: str) -> "Portraits":
    from seglib.data import synthetic

    count, seed = _DRAWN[split]
    return synthetic.portraits(count, size=128, seed=seed)


def open_folder(folder: str | Path, split: str = "all", kind: str | None = None) -> Dataset:
    """Open a prepared data set; the format is in `seglib.data.folder`.

    Raises:
        SeglibError: the folder is not one, photos and masks do not pair up, splits.csv names
            photos that do not exist, or the set has no masks of this kind. The message names the
            first offenders; `validate` lists all of them.
    """
    folder = Path(folder)
    prepared.check(folder)
    info = prepared.read_info(folder)
    kind = kind or prepared.kinds(folder, info)[0]
    if kind not in prepared.kinds(folder, info):
        raise SeglibError(
            f"{folder} has no {kind!r} masks; it has {', '.join(prepared.kinds(folder, info))}"
        )
    images, masks = prepared.image_files(folder), prepared.mask_files(folder, kind)
    unmatched = sorted(set(images) ^ set(masks))
    if unmatched:
        raise SeglibError(
            f"{folder}: {len(unmatched)} stems lack their photo or their {kind} mask, "
            f"such as {', '.join(unmatched[:3])}; add the missing files or remove the lone ones"
        )
    stems = prepared.stems_of(folder, split, images)
    pick = prepared.label_indices(folder, kind) if prepared.is_labelled(folder, kind) else None

    def read(stem: str) -> tuple[np.ndarray, np.ndarray]:
        return prepared.read_pair(images[stem], masks[stem], pick)

    return Dataset(info.get("name", folder.name), kind, split, stems, read, info)


def write_folder(folder: str | Path, dataset: Dataset, val_share: float = 0.2) -> Path:
    """Write a data set in the prepared format; every n-th photo goes to the val split.

    The folder appears when it is complete, and an existing one is never touched.

    Raises:
        SeglibError: the folder exists already, or cannot be written.
    """
    folder = Path(folder)
    with new_folder(folder) as unfinished:
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
    return folder
