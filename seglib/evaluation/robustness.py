"""What a camera, a network connection and an unsteady hand do to a score: IoU against strength.

After the corruption benchmark of Hendrycks and Dietterich (ICLR 2019), with damages that a phone's
photos meet. Lengths are shares of the photo's longer side, so that a large photo and a small one
are hurt alike; what is drawn by chance depends on the seed and the photo's name alone. Geometry
moves the true mask along, beyond the border photo and mask are mirrored as in training.

Chapter: evaluation and error analysis.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from seglib.data.augment import compress
from seglib.data.dataset import Dataset
from seglib.errors import SeglibError
from seglib.evaluation.scoring import Scores, evaluate

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Damage:
    """One kind of damage.

    Attributes:
        unit: what a level counts.
        levels: from mild to strong.
        apply: (image uint8 (h, w, 3), mask float32 (h, w), level, generator) -> the changed pair.
    """

    unit: str
    levels: tuple[float, ...]
    apply: Callable[[np.ndarray, np.ndarray, float, np.random.Generator], Pair]


@dataclass(frozen=True)
class Damaged:
    """Scores of a model on photos that were changed in one way.

    Attributes:
        kind: a key of `DAMAGES`, or "none" for the photos as they are.
        level: how strong; 0 for "none".
        scores: one row a photo.
    """

    kind: str
    level: float
    scores: Scores


def _blur(image: np.ndarray, mask: np.ndarray, level: float, _rng: np.random.Generator) -> Pair:
    return cv2.GaussianBlur(image, (0, 0), level / 100 * max(image.shape)), mask


def _noise(image: np.ndarray, mask: np.ndarray, level: float, rng: np.random.Generator) -> Pair:
    # Drawn at 256 pixels and enlarged: grains of one size in the picture, not one size in pixels,
    # which a large photo would average away when it is made small for the network.
    scale = 256 / max(image.shape)
    small = tuple(max(1, round(scale * side)) for side in image.shape[:2])
    grain = level * rng.standard_normal((*small, 3), dtype=np.float32)
    grain = cv2.resize(grain, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return np.clip(np.rint(image + grain), 0, 255).astype(np.uint8), mask


def _jpeg(image: np.ndarray, mask: np.ndarray, level: float, _rng: np.random.Generator) -> Pair:
    return compress(image, round(level)), mask


def _dark(image: np.ndarray, mask: np.ndarray, level: float, _rng: np.random.Generator) -> Pair:
    # Light halves with each stop; 2.2 is the display's exponent. Dark greys fall together for good,
    # as eight bits leave them no room.
    levels = 255 * (np.arange(256) / 255) * 2 ** (-level / 2.2)
    return cv2.LUT(image, np.rint(levels).astype(np.uint8)), mask


def _rotate(image: np.ndarray, mask: np.ndarray, level: float, rng: np.random.Generator) -> Pair:
    height, width = mask.shape
    angle = level if rng.random() < 0.5 else -level
    # OpenCV counts from pixel centres.
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)

    def turned(array: np.ndarray) -> np.ndarray:
        mode = cv2.BORDER_REFLECT_101
        return cv2.warpAffine(array, matrix, (width, height), borderMode=mode)

    return turned(image), turned(mask)


def _crop(image: np.ndarray, mask: np.ndarray, level: float, _rng: np.random.Generator) -> Pair:
    # Around the thing's centre, or a narrow window might show none of it.
    found = np.argwhere(mask >= 0.5)
    centre = found.mean(axis=0) if len(found) else np.array(mask.shape) / 2
    spans = []
    for side, middle in zip(mask.shape, centre, strict=True):
        kept = max(1, round(level / 100 * side))
        start = int(np.clip(round(middle - kept / 2), 0, side - kept))
        spans.append(slice(start, start + kept))
    return np.ascontiguousarray(image[*spans]), np.ascontiguousarray(mask[*spans])


DAMAGES: dict[str, Damage] = {
    "blur": Damage("sigma, % of the longer side", (0.5, 1, 2, 4), _blur),
    "noise": Damage("deviation, of 255", (10, 20, 40, 80), _noise),
    "jpeg": Damage("quality", (50, 20, 10, 5), _jpeg),
    "darkness": Damage("stops", (1, 2, 4, 6), _dark),
    "rotation": Damage("degrees", (15, 30, 90, 180), _rotate),
    "crop": Damage("% of each side kept", (80, 60, 40, 20), _crop),
}


def damage(
    image: np.ndarray, mask: np.ndarray, kind: str, level: float, seed: int | Sequence[int] = 0
) -> Pair:
    """Return a changed photo and the mask that is true of it.

    Args:
        image: uint8 RGB (h, w, 3).
        mask: float32 (h, w) in 0..1.
        kind: a key of `DAMAGES`.
        level: how strong, in the kind's unit.
        seed: of what is drawn by chance.

    Returns:
        image uint8 and mask float32 of one size, which a crop makes smaller.

    Raises:
        SeglibError: there is no such kind, or the level is not above 0.
    """
    if kind not in DAMAGES:
        raise SeglibError(f"no damage is called {kind!r}; use one of {', '.join(DAMAGES)}")
    if not level > 0:
        raise SeglibError(f"the level of {kind} is {level}; use a number above 0")
    return DAMAGES[kind].apply(image, mask, level, np.random.default_rng(seed))


def damaged(dataset: Dataset, kind: str, level: float, seed: int = 0) -> Dataset:
    """Return a data set whose photos are changed as they are read; see `damage`."""

    def read(stem: str) -> Pair:
        chance = [seed, zlib.crc32(stem.encode())]
        return damage(*dataset.read(stem), kind, level, chance)

    return replace(dataset, read=read)


def robustness(
    segment: Callable[[np.ndarray], np.ndarray],
    dataset: Dataset,
    kinds: Sequence[str] = tuple(DAMAGES),
    seed: int = 0,
    progress: bool = True,
) -> tuple[Damaged, ...]:
    """Score a model on a data set as it is and with every kind and level of damage.

    Args:
        segment: uint8 RGB (h, w, 3) -> float32 (h, w) in 0..1.
        dataset: photos and true masks.
        kinds: keys of `DAMAGES`.
        seed: of what is drawn by chance.
        progress: show a bar for each level.

    Returns:
        First the unchanged photos, then kind by kind from mild to strong.

    Raises:
        SeglibError: there is no such kind.
    """
    unknown = [kind for kind in kinds if kind not in DAMAGES]
    if unknown:
        raise SeglibError(f"no damage is called {unknown[0]!r}; use one of {', '.join(DAMAGES)}")
    rows = [Damaged("none", 0, evaluate(segment, dataset, progress=progress))]
    for kind in kinds:
        for level in DAMAGES[kind].levels:
            worse = damaged(dataset, kind, level, seed)
            rows.append(Damaged(kind, level, evaluate(segment, worse, progress=progress)))
    return tuple(rows)
