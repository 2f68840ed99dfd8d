"""Learn from a larger network: its soft masks mixed with the labels.

A teacher's probabilities say more than a mask of zeros and ones: how sure it is, and where hair
lets the wall through. Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015.
The teacher looks at every photo once, before training: photo and mixed mask are then augmented as
one, and a step costs what it did.

Chapter: training on Colab.
"""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from seglib.data.dataset import white_of
from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.images import as_image, resize
from seglib.runtime import Segmenter, reset_state

Teacher = Callable[[np.ndarray], np.ndarray]


def distil(
    images: np.ndarray,
    masks: np.ndarray,
    teacher: Teacher | str | Path,
    weight: float = 0.5,
    known: np.ndarray | None = None,
    channel: int = 0,
    cache: str | Path | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Mix a teacher's masks with the labels.

    Args:
        images: (count, height, width, 3) RGB.
        masks: (count, height, width) or (count, height, width, channels): grey levels 0..255,
            booleans, floats from 0 to 1, or {0, 1}.
        teacher: a `.tflite` file, or whatever turns a photo into a mask in 0..1 of its size, such
            as a `seglib.Segmenter`.
        weight: fraction of the teacher in the mix, 0 to 1; a photo without a label takes the
            teacher's mask as it is.
        known: bool (count, channels); false where a photo has no mask of that channel.
        channel: the channel that the teacher knows.
        cache: a folder that keeps the teacher's masks, so that a run that goes on does not wait for
            them again; for a teacher from a file.

    Returns:
        The masks in the shape they came in, uint8 0..255, and `known` with the teacher's channel
        all true.
    """
    if not 0 <= weight <= 1:
        raise SeglibError(f"the teacher's weight is {weight}; use 0 to 1")
    images, masks = np.asarray(images), np.asarray(masks)
    if masks.ndim not in (3, 4) or masks.shape[:3] != images.shape[:3]:
        raise SeglibError(f"masks of {masks.shape} do not go with images of {images.shape}")
    mixed = masks[..., None] if masks.ndim == 3 else masks
    mixed = np.rint(mixed * np.float32(255 / white_of(images, masks))).astype(np.uint8)
    taught = _taught(images, teacher, Path(cache) if cache else None)
    labelled = np.ones(len(images), bool) if known is None else np.asarray(known, bool)[:, channel]
    part = np.where(labelled, weight, 1.0)[:, None, None]
    mixed[..., channel] = np.rint((1 - part) * mixed[..., channel] + part * taught)
    if known is not None:
        known = np.array(known, bool)
        known[:, channel] = True
    return mixed.reshape(masks.shape), known


def _taught(images: np.ndarray, teacher: Teacher | str | Path, cache: Path | None) -> np.ndarray:
    """Return the teacher's masks, uint8 (count, height, width)."""
    if isinstance(teacher, str | Path):
        teacher = Segmenter(teacher)
    taught = np.empty(images.shape[:3], np.uint8)
    kept = None
    if cache is not None and len(images):
        if not getattr(teacher, "path", None):
            raise SeglibError("only a teacher from a file can be kept; leave cache out")
        digest = hashlib.sha256(f"{images.shape} {images.dtype}".encode())
        digest.update(np.ascontiguousarray(images))
        digest.update(teacher.path.read_bytes())
        # Its settings (channel, range of values) show in what it answers.
        digest.update(_answer(teacher, images, 0))
        kept = cache / f"teacher-{digest.hexdigest()[:16]}.npz"
        if kept.exists():
            try:
                with np.load(kept) as saved:
                    return saved["masks"]
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                raise SeglibError(
                    f"{kept} cannot be read ({error}); delete it to ask the teacher again"
                ) from error
    for index in tqdm(range(len(images)), desc="teacher", unit="photo"):
        taught[index] = _answer(teacher, images, index)
    if kept is not None:
        with atomic_path(kept) as temporary:
            np.savez_compressed(temporary, masks=taught)
    return taught


def _answer(teacher: Teacher, images: np.ndarray, index: int) -> np.ndarray:
    reset_state(teacher)
    found = np.asarray(teacher(as_image(images[index], f"image {index}")), np.float32)
    if found.ndim != 2 or not (found.min() >= -0.01 and found.max() <= 1.01):
        raise SeglibError(
            f"the teacher gives {found.shape} from {found.min():.3g} to {found.max():.3g} for "
            f"image {index}; it must give one mask of values from 0 to 1"
        )
    return np.rint(resize(found, images.shape[1:3]).clip(0, 1) * 255).astype(np.uint8)
