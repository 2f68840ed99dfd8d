"""Out of the prepared format again: NumPy arrays or a CSV, as the older projects keep their data.

Chapter: data preparation.
"""

import csv
import io
import os
import shutil
from pathlib import Path

import numpy as np
from tqdm import tqdm

from seglib.data import dataset
from seglib.data.download import unfinished
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
    """Write images.npy, masks.npy and stems.csv, in memory that does not grow with the set.

    Args:
        folder: a prepared data set.
        output: the new folder.
        size: side of the squares that photos and masks are stretched to; by default they stay as
            they are, which takes a set whose photos are all of one size.
        kind: what the masks must show; by default the set's first kind.
        split: "train", "val", "test" or "all".
        progress: whether to draw a bar.

    Returns:
        The folder with images.npy uint8 (n, h, w, 3), masks.npy uint8 (n, h, w) in 0..255, and
        stems.csv (stem, split), all in one order.
    """
    folder, output = Path(folder), Path(output)
    if size is not None and size < 1:
        raise SeglibError(f"size is {size}; give 1 or more pixels")
    _refuse_existing(output)
    found = dataset.open_folder(folder, split, kind)
    shape = (size, size) if size else found[0][0].shape[:2]
    with unfinished(output) as part:
        shutil.rmtree(part)
        part.mkdir()
        images = _mapped(part / "images.npy", (len(found), *shape, 3))
        masks = _mapped(part / "masks.npy", (len(found), *shape))
        bar = tqdm(found, total=len(found), unit="pair", desc="exporting", disable=not progress)
        for row, (image, mask) in enumerate(bar):
            if not size and image.shape[:2] != shape:
                raise SeglibError(
                    f"{folder}: {found.stems[row]} is {image.shape[1]}x{image.shape[0]} pixels "
                    f"but others are {shape[1]}x{shape[0]}; name one size with size= (--size)"
                )
            images[row] = image if image.shape[:2] == shape else resize(image, shape)
            masks[row] = np.rint((mask if mask.shape == shape else resize(mask, shape)) * 255)
        images.flush()
        masks.flush()
        places = _places(folder)
        rows = [(stem, places.get(stem, "")) for stem in found.stems]
        write_csv(part / "stems.csv", [("stem", "split"), *rows])
        os.replace(part, output)
    return output


def to_csv(folder: str | Path, output: str | Path) -> Path:
    """Write a CSV with the columns image, mask (or mask_<kind> ...) and split.

    Paths are relative to the CSV's folder, so set and CSV can move together;
    `seglib.data.prepare("csv", ...)` reads it back.
    """
    folder, output = Path(folder), Path(output)
    if output.suffix.lower() != ".csv":
        raise SeglibError(f"{output} must end in .csv; rename it")
    _refuse_existing(output)
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
        write_csv(temporary, rows)
    return output


def _refuse_existing(output: Path) -> None:
    if output.exists():
        raise SeglibError(f"{output} exists already; choose a new name")


def _mapped(path: Path, shape: tuple[int, ...]) -> np.memmap:
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    # Space is claimed now: a mapped file that meets a full disk later kills the process.
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def write_csv(path: Path, rows: list[tuple[str, ...]]) -> str:
    """Write rows of text, and return what was written."""
    with io.StringIO() as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
        text = file.getvalue()
    path.write_text(text, encoding="utf-8", newline="\n")
    return text


def _places(folder: Path) -> dict[str, str]:
    path = folder / "splits.csv"
    return dict(dataset.read_splits(path)) if path.exists() else {}
