"""Export a prepared set for readers who come from the older projects: NumPy arrays or a CSV.

Chapter: data preparation.
"""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
from tqdm import tqdm

from seglib.data import dataset as prepared
from seglib.data.dataset import open_folder
from seglib.data.sources._unfinished import owned
from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.images import resize


def to_numpy(
    folder: str | Path,
    output: str | Path,
    size: int | None = None,
    kind: str | None = None,
    split: str = "all",
    progress: bool = True,
) -> Path:
    """Write images.npy, masks.npy and stems.csv.

    Pictures are written one by one into mapped files, so memory does not grow with the set.

    Args:
        folder: a prepared data set.
        output: the new folder.
        size: side of the squares that photos and masks are stretched to; by default they stay as
            they are, which takes a set whose photos are all of one size.
        kind: what the masks must show; by default the set's first kind.
        split: "train", "val" or "all".
        progress: whether to draw a bar.

    Returns:
        The folder with images.npy uint8 (n, h, w, 3), masks.npy uint8 (n, h, w) in 0..255, and
        stems.csv (stem, split), all in one order.

    Raises:
        SeglibError: the set cannot be read, its photos differ in size, or the folder exists.
    """
    folder, output = Path(folder), Path(output)
    if size is not None and size < 1:
        raise SeglibError(f"size is {size}; give 1 or more pixels")
    if output.exists():
        raise SeglibError(f"{output} exists already; choose a new folder name")
    dataset = open_folder(folder, split, kind)
    shape = (size, size) if size else dataset[0][0].shape[:2]
    with owned(output) as part:
        shutil.rmtree(part)
        part.mkdir()
        count = len(dataset)
        images = _mapped(part / "images.npy", (count, *shape, 3))
        masks = _mapped(part / "masks.npy", (count, *shape))
        bar = tqdm(dataset, total=count, unit="pair", desc="exporting", disable=not progress)
        for row, (image, mask) in enumerate(bar):
            if not size and image.shape[:2] != shape:
                raise SeglibError(
                    f"{folder}: {dataset.stems[row]} is {image.shape[1]}x{image.shape[0]} pixels "
                    f"but others are {shape[1]}x{shape[0]}; name one size with size= (--size)"
                )
            images[row] = image if image.shape[:2] == shape else resize(image, shape)
            small = mask if mask.shape == shape else resize(mask, shape)
            masks[row] = np.rint(small * 255)
        images.flush()
        masks.flush()
        with open(part / "stems.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("stem", "split"))
            places = _places(folder)
            writer.writerows((stem, places.get(stem, "")) for stem in dataset.stems)
        os.replace(part, output)
    return output


def to_csv(folder: str | Path, output: str | Path) -> Path:
    """Write a CSV with the columns image, mask (or mask_<kind> ...) and split.

    Paths are relative to the CSV's folder, so set and CSV can move together;
    `seglib.data.prepare("csv", ...)` reads it back.

    Raises:
        SeglibError: the set cannot be read or has class labels, the suffix is not .csv, or the file
            exists.
    """
    folder, output = Path(folder), Path(output)
    if output.suffix.lower() != ".csv":
        raise SeglibError(f"{output} must end in .csv; rename it")
    if output.exists():
        raise SeglibError(f"{output} exists already; choose a new name")
    dataset = open_folder(folder, "all")
    kinds = prepared.mask_kinds(folder, dataset.info)
    if any(prepared.is_labelled(folder, kind) for kind in kinds):
        raise SeglibError(f"{folder} keeps classes in labels/, not masks; export it to npy instead")
    images = prepared.image_files(folder)
    masks = [prepared.mask_files(folder, kind) for kind in kinds]
    names = ["mask"] if len(kinds) == 1 else [f"mask_{kind}" for kind in kinds]
    places = _places(folder)
    with atomic_path(output) as temporary:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("image", *names, "split"))
            for stem in dataset.stems:
                files = (images[stem], *(sheet[stem] for sheet in masks))
                paths = (Path(os.path.relpath(path, output.parent)).as_posix() for path in files)
                writer.writerow((*paths, places.get(stem, "")))
    return output


def _mapped(path: Path, shape: tuple[int, ...]) -> np.memmap:
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    # Space is claimed now: a mapped file that meets a full disk later kills the process.
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _places(folder: Path) -> dict[str, str]:
    path = folder / "splits.csv"
    return dict(prepared.read_splits(path)) if path.exists() else {}
