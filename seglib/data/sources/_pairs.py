"""The work on one pair: read it in its own layout, shrink it, write it in the one format.

Chapter: data preparation.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from seglib.data.duplicates import Fingerprint, fingerprint
from seglib.data.sources import layouts
from seglib.data.sources.layouts import RawPair
from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.images import read_image, resize, write_image, write_mask

_COPIED = {"JPEG": ".jpg", "PNG": ".png"}
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Job:
    """One pair to prepare: its layout, its files, the masks' names and where to."""

    layout: str
    pair: RawPair
    kinds: tuple[str, ...]
    folder: Path
    size: int | None


@dataclass(frozen=True)
class Outcome:
    """What became of a pair: its photo's fingerprint, or why it cannot be used."""

    stem: str
    fingerprint: Fingerprint | None = None
    fault: str = ""


def prepare_pair(job: Job) -> Outcome:
    """Read, shrink and write one pair; masks first, so that a photo says that its pair is whole."""
    pair = job.pair
    done = [job.folder / "images" / f"{pair.stem}{suffix}" for suffix in _COPIED.values()]
    try:
        for path in done:
            if path.exists():
                return Outcome(pair.stem, fingerprint(read_image(path)))
        image, masks = layouts.read(job.layout, pair)
    except SeglibError as error:
        return Outcome(pair.stem, fault=f"{pair.stem}: {error}")
    try:
        small = _write(job, image, masks)
    except SeglibError as error:
        raise SeglibError(
            f"{error}; then run the same command again, it goes on where it stopped"
        ) from error
    return Outcome(pair.stem, fingerprint(small))


def _write(job: Job, image: np.ndarray, masks: dict[str, np.ndarray]) -> np.ndarray:
    """Write the pair and return the photo at the size it was written."""
    pair, shape = job.pair, _shape(image.shape[:2], job.size)
    for kind, mask in zip(job.kinds, masks.values(), strict=True):
        folder = job.folder / "masks"
        folder = folder / kind if len(job.kinds) > 1 else folder
        fitted = mask if mask.shape == shape else np.clip(resize(mask, shape), 0, 1)
        write_mask(folder / f"{pair.stem}.png", fitted)
    small = image if image.shape[:2] == shape else resize(image, shape)
    suffix = _copied_suffix(pair, image, shape)
    if suffix:
        with atomic_path(job.folder / "images" / f"{pair.stem}{suffix}") as temporary:
            shutil.copyfile(pair.image, temporary)
    else:
        # Whatever came without loss and at its own size goes on without loss.
        lossless = pair.row >= 0 or pair.image.suffix.lower() not in (".jpg", ".jpeg", ".webp")
        suffix = ".png" if lossless and image.shape[:2] == shape else ".jpg"
        write_image(job.folder / "images" / f"{pair.stem}{suffix}", small)
    return small


def _shape(shape: tuple[int, int], size: int | None) -> tuple[int, int]:
    """Return (height, width) with the longest side at most `size`."""
    if size is None or max(shape) <= size:
        return shape
    return tuple(max(1, round(side * size / max(shape))) for side in shape)


def _copied_suffix(pair: RawPair, image: np.ndarray, shape: tuple[int, int]) -> str:
    """Return the suffix under which the photo's own bytes will do, "" where it must be written."""
    if pair.row >= 0 or image.shape[:2] != shape:
        return ""
    with Image.open(pair.image) as picture:
        upright = picture.getexif().get(_ORIENTATION, 1) == 1
        same = picture.size == shape[::-1] and picture.mode == "RGB"
        still = getattr(picture, "n_frames", 1) == 1
        return _COPIED.get(picture.format, "") if upright and same and still else ""
