"""A data set as two files that are read piece by piece: training on more photos than memory holds.

Photos are decoded and resized once, and written row by row as plain `.npy` arrays. Opened with a
memory map, a batch then reads the rows it needs and nothing else; what stays in memory is the
system's file cache, which it gives back when something else needs the room.

Chapter: data preparation.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seglib.data.dataset import Dataset
from seglib.errors import SeglibError
from seglib.files import new_folder
from seglib.images import resize

# Pictures decoded at a time: enough for all cores, few enough to hold full-size photos.
CHUNK = 32


class Packed(NamedTuple):
    """A packed data set, memory-mapped and read-only: `Batches(*packed, batch_size=32)`.

    The images are uint8 (count, size, size, 3) RGB, the masks uint8 (count, size, size), 0..255.
    """

    images: np.ndarray
    masks: np.ndarray


def pack(dataset: Dataset, folder: str | Path, size: int, workers: int | None = None) -> Packed:
    """Write a data set as memory-mapped arrays, or open what an earlier call wrote.

    The folder appears when it is complete; an interrupted call leaves nothing that could be taken
    for a whole pack, and an existing folder is never changed.

    Args:
        dataset: what to pack; pairs are read a few at a time.
        folder: where `images.npy`, `masks.npy` and `pack.json` go.
        size: side of the squares the pictures are stretched to, pixels.
        workers: threads that decode; by default one for each core.

    Returns:
        The two arrays, opened read-only.

    Raises:
        SeglibError: the folder holds something else, a pair cannot be read, or the disk is full.
    """
    folder = Path(folder)
    if size < 1 or not len(dataset):
        raise SeglibError(
            f"{len(dataset)} photos of {dataset.name} at {size} pixels make no pack; "
            "give at least one photo and one pixel"
        )
    content = _content(dataset, size)
    if folder.exists():
        return _open(folder, content)
    try:
        with new_folder(folder) as unfinished:
            _write(unfinished, dataset, size, workers or os.cpu_count() or 1)
            (unfinished / "pack.json").write_text(json.dumps(content, indent=1) + "\n")
    except SeglibError:
        # Two processes may pack at once; the second finds the first one's folder, and opens it.
        if not folder.exists():
            raise
    return _open(folder, content)


def _content(dataset: Dataset, size: int) -> dict:
    """What tells one pack from another: the set, its photos' names and the size."""
    names = hashlib.sha256("\n".join(dataset.stems).encode()).hexdigest()
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "split": dataset.split,
        "count": len(dataset),
        "size": size,
        "stems_sha256": names,
    }


def _open(folder: Path, content: dict) -> Packed:
    try:
        found = json.loads((folder / "pack.json").read_text())
    except (OSError, ValueError) as error:
        raise SeglibError(
            f"{folder} exists and is no pack; choose a new folder, it is left as it is"
        ) from error
    if found != content:
        found = found if isinstance(found, dict) else {}
        differing = [key for key in content if found.get(key) != content[key]]
        raise SeglibError(
            f"{folder} holds another pack ({', '.join(differing)} differ); choose a new folder"
        )
    try:
        return Packed(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in Packed._fields))
    except (OSError, ValueError) as error:
        raise SeglibError(
            f"{folder} is damaged ({error}); delete it and it will be packed again"
        ) from error


def _write(folder: Path, dataset: Dataset, size: int, workers: int) -> None:
    # Written as files, not through a memory map: on a full disk a map kills the process.
    with open(folder / "images.npy", "wb") as images, open(folder / "masks.npy", "wb") as masks:
        for file, shape in ((images, (size, size, 3)), (masks, (size, size))):
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(dataset), *shape)}
            np.lib.format.write_array_header_1_0(file, header)
        for image, mask in _squares(dataset, size, workers):
            images.write(image.tobytes())
            masks.write(mask.tobytes())


def _squares(dataset: Dataset, size: int, workers: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield every pair in order, uint8 and square, decoded by several threads."""

    def square(index: int) -> tuple[np.ndarray, np.ndarray]:
        image, mask = dataset[index]
        mask = np.rint(resize(mask, (size, size)) * 255).astype(np.uint8)
        return resize(image, (size, size)), mask

    with ThreadPoolExecutor(workers) as pool:
        # By chunks, since a pool would otherwise run ahead of the disk without bound.
        for start in range(0, len(dataset), CHUNK):
            yield from pool.map(square, range(start, min(start + CHUNK, len(dataset))))
