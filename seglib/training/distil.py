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

from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.images import resize
from seglib.runtime import reset_state

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
        images: uint8 (count, height, width, 3) RGB.
        masks: uint8 (count, height, width) or (count, height, width, channels), 0..255.
        teacher: a `.tflite` file, or whatever turns a photo into a mask in 0..1 of its size, such
            as a `seglib.Segmenter`.
        weight: share of the teacher in the mix, 0 to 1; a photo without a label takes the
            teacher's mask as it is.
        known: bool (count, channels); false where a photo has no mask of that channel.
        channel: the channel that the teacher knows.
        cache: a folder that keeps the teacher's masks, so that a run that goes on does not wait for
            them again.

    Returns:
        The masks in the shape they came in, and `known` with the teacher's channel all true.

    Raises:
        SeglibError: the teacher cannot be read, or the weight is out of range.
    """
    if not 0 <= weight <= 1:
        raise SeglibError(f"the teacher's weight is {weight}; use 0 to 1")
    taught = _taught(images, teacher, Path(cache) if cache else None)
    mixed = masks[..., None].copy() if masks.ndim == 3 else masks.copy()
    labelled = np.ones(len(images), bool) if known is None else known[:, channel]
    share = np.where(labelled, weight, 1.0)[:, None, None]
    mixed[..., channel] = np.rint((1 - share) * mixed[..., channel] + share * taught)
    if known is not None:
        known = known.copy()
        known[:, channel] = True
    return mixed.reshape(masks.shape), known


def _taught(images: np.ndarray, teacher: Teacher | str | Path, cache: Path | None) -> np.ndarray:
    """Return the teacher's masks, uint8 (count, height, width)."""
    if isinstance(teacher, str | Path):
        from seglib.runtime import Segmenter

        teacher = Segmenter(teacher)
    kept = None
    if cache is not None:
        digest = hashlib.sha256(np.ascontiguousarray(images))
        source = getattr(teacher, "path", None)
        if source is None:
            raise SeglibError("only a teacher from a file can be kept; leave cache out")
        digest.update(Path(source).read_bytes())
        kept = cache / f"teacher-{digest.hexdigest()[:16]}.npz"
        if kept.exists():
            try:
                with np.load(kept) as saved:
                    return saved["masks"]
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                raise SeglibError(
                    f"{kept} cannot be read ({error}); delete it to ask the teacher again"
                ) from error
    taught = np.empty(images.shape[:3], np.uint8)
    for index, image in enumerate(tqdm(images, desc="teacher", unit="photo")):
        reset_state(teacher)
        mask = resize(np.asarray(teacher(image), np.float32), images.shape[1:3])
        taught[index] = np.rint(mask.clip(0, 1) * 255)
    if kept is not None:
        with atomic_path(kept) as temporary:
            np.savez_compressed(temporary, masks=taught)
    return taught
