"""NumPy files: images.npy (n, h, w, 3) and masks.npy (n, h, w), as the older projects keep them.

The arrays are mapped, not loaded: one picture is in memory at a time, however long they are.

Chapter: data preparation.
"""

import functools
from pathlib import Path

import numpy as np

from seglib.data.sources.layouts.common import Listing, RawPair
from seglib.errors import SeglibError

NAMES = (("images.npy", "masks.npy"), ("img_uint8.npy", "msk_uint8.npy"))


def find(raw: Path) -> Listing:
    """List the rows of the two arrays."""
    for names in NAMES:
        images, masks = (raw / name for name in names)
        if images.is_file() and masks.is_file():
            break
    else:
        raise SeglibError(
            f"{raw} holds no images.npy beside a masks.npy; save the arrays under these"
        )
    photos, sheets = _open(images), _open(masks)
    if photos.ndim != 4 or photos.shape[3] != 3 or 0 in photos.shape:
        raise SeglibError(
            f"{images} has shape {photos.shape}; (count, height, width, 3) is expected"
        )
    # A last axis of 1 is what Keras wants of masks; both forms are around.
    if sheets.shape[:3] != photos.shape[:3] or sheets.shape[3:] not in ((), (1,)):
        raise SeglibError(f"{masks} has shape {sheets.shape}; {photos.shape[:3]} is expected")
    stems = (f"{row:06d}" for row in range(len(photos)))
    pairs = tuple(RawPair(stem, images, (masks,), row=row) for row, stem in enumerate(stems))
    return Listing(pairs, ("mask",))


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read one row. Floats up to 1 are taken as 0..1, others as 0..255."""
    image = _levels(np.array(_open(pair.image)[pair.row]), pair)
    mask = np.array(_open(pair.parts[0])[pair.row])
    mask = mask[..., 0] if mask.ndim == 3 else mask
    if mask.dtype == np.bool_ or mask.max() <= 1:
        levels = mask.astype(np.float32)
    else:
        levels = mask.astype(np.float32) / 255
    if not (levels.min() >= 0 and levels.max() <= 1):
        raise SeglibError(f"row {pair.row} of {pair.parts[0].name} is not within 0..255; mend it")
    if 1 / 255 < levels.max() < 0.1:
        raise SeglibError(
            f"row {pair.row} of {pair.parts[0].name} holds values up to {mask.max()} only, as "
            "class numbers do; save each class as a mask of its own, 0 and 255"
        )
    return image, {"mask": levels}


def _levels(image: np.ndarray, pair: RawPair) -> np.ndarray:
    if image.dtype == np.uint8:
        return image
    scaled = image.astype(np.float64) * (255 if image.max() <= 1 else 1)
    if not (scaled.min() >= 0 and scaled.max() <= 255):
        raise SeglibError(
            f"row {pair.row} of {pair.image.name} has values outside 0..1 and 0..255; save the "
            "photos before any normalisation"
        )
    return np.rint(scaled).astype(np.uint8)


@functools.lru_cache(maxsize=2)
def _open(path: Path) -> np.ndarray:
    try:
        # Pickled arrays can run code when they are opened, and photos need none.
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SeglibError(
            f"{path} is cut short or holds no plain numbers; save it again with numpy.save"
        ) from error
