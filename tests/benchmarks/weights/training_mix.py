"""The training pictures of the shipped weights, in memory, with the masks that are known.

Photo sets hold persons, hair or both; a teacher's probabilities stand in for a mask that a set
lacks. Street photos show small heads, so a recipe may add close-ups cut out of them.

Chapter: training on Colab.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from baselines import BASELINES, BaselineSegmenter

from seglib import data
from seglib.data.batches import Batches
from seglib.data.duplicates import find_duplicates, fingerprint
from seglib.errors import SeglibError
from seglib.images import resize

if TYPE_CHECKING:
    from weights.recipes import Recipe

TASKS = ("person", "hair")
SCORED = ("val", "test")
EMPTY = "negatives"
"""The set of photos that show nobody: its masks are empty, whatever they are masks of."""
SOURCE_SIZE = 160
"""Photos are kept a little larger than the network's input, so that zooming in stays sharp."""


@dataclass
class TrainingMix:
    """Pictures with both masks and which of the masks are known.

    Attributes:
        images: uint8 (n, SOURCE_SIZE, SOURCE_SIZE, 3).
        masks: uint8 (n, SOURCE_SIZE, SOURCE_SIZE, 2), channels as in TASKS.
        known: bool (n, 2).
        repeat: float (n, 2), how often an epoch of tuning that channel's task shows a picture; of
            a set that is shown 1.4 times, every picture once and two in five twice.
    """

    images: np.ndarray
    masks: np.ndarray
    known: np.ndarray
    repeat: np.ndarray

    def of(self, task: str) -> "TrainingMix":
        """Keep one channel and the pictures that have it, each as often as tuning shows it."""
        channel = [TASKS.index(task)]
        keep = np.flatnonzero(self.known[:, channel[0]])
        often = self.repeat[keep, channel[0]]
        chance = np.random.default_rng(0).random(len(keep))
        keep = np.repeat(keep, np.floor(often + chance).astype(int))
        return TrainingMix(
            self.images[keep],
            self.masks[keep][..., channel],
            self.known[keep][:, channel],
            np.ones((len(keep), 1)),
        )

    def batches(
        self, recipe: "Recipe", size: int, augment: data.AugmentConfig | None = None
    ) -> Batches:
        """Cut into batches; shuffled for training where they are augmented."""
        shared = (recipe.batch_size, size, augment, recipe.seed, augment is not None)
        return Batches(self.images, self.masks, *shared, self.known)


def load_training(recipe: "Recipe", teachers: dict[str, Path] | None = None) -> TrainingMix:
    """Read a recipe's training photos into memory and draw its synthetic portraits.

    What a val or test part of one of its sets shows as well is left out.

    Args:
        recipe: what to read.
        teachers: per task, a `.tflite` that supplies masks, as probabilities, for photos that come
            without one (MediaPipe selfie and MediaPipe hair, both Apache-2.0).
    """
    parts = []
    for name, kinds in recipe.sets.items():
        parts.append(_photos(name, "train", kinds, teachers))
        parts[-1].repeat *= [recipe.repeat.get(task, {}).get(name, 1) for task in TASKS]
    for name, count in recipe.close_ups.items():
        parts.append(_close_ups(name, count, recipe.seed))
    for name in recipe.nobody:
        parts.append(_without_people(name))
        parts[-1].repeat *= recipe.nobody[name]
    scored = sorted({*recipe.sets, *recipe.val_sets})
    shown = [data.load(name, part).arrays(SOURCE_SIZE)[0] for name in scored for part in SCORED]
    parts = [without_copies(_joined(parts), np.concatenate(shown))]
    if recipe.synthetic:
        drawn = data.synthetic.portraits(recipe.synthetic, size=SOURCE_SIZE, seed=7)
        masks = np.stack([drawn.alphas, np.uint8(255) * (drawn.labels == 1)], axis=-1)
        known = np.ones((recipe.synthetic, 2), bool)
        parts.append(TrainingMix(drawn.images, masks, known, np.ones((recipe.synthetic, 2))))
    for task, count in recipe.mosaics.items():
        parts.append(_mosaics(parts[0], task, count, recipe.seed))
    return _joined(parts)


def _without_people(name: str) -> TrainingMix:
    """Cut the largest square that shows nobody out of each training photo of a set, if any.

    It keeps a margin to every mask, and a side of at least 72 pixels.
    """
    squares = [
        resize(image[window], (SOURCE_SIZE, SOURCE_SIZE))
        for image, person in _set(name, "train", "person")
        if (window := empty_square(person)) is not None
    ]
    shape = (len(squares), len(TASKS))
    masks = np.zeros((len(squares), SOURCE_SIZE, SOURCE_SIZE, len(TASKS)), np.uint8)
    return TrainingMix(np.stack(squares), masks, np.ones(shape, bool), np.ones(shape))


def empty_square(person: np.ndarray, least: int = 72, margin: int = 10):
    """Return rows and columns of the largest square without a person, or None below `least`.

    Args:
        person: float32 (h, w) in 0..1.
        least: smallest side that is worth a picture, pixels.
        margin: distance to whatever is marked, pixels.
    """
    marked = cv2.dilate((person > 0.02).astype(np.uint8), np.ones((2 * margin + 1,) * 2))
    total = cv2.integral(marked)
    for side in range(min(marked.shape), least - 1, -8):
        inside = (
            total[side:, side:]
            - total[:-side, side:]
            - total[side:, :-side]
            + total[:-side, :-side]
        )
        free = np.argwhere(inside == 0)
        if len(free):
            top, left = free[len(free) // 2]
            return slice(top, top + side), slice(left, left + side)
    return None


def _mosaics(pool: TrainingMix, task: str, count: int, seed: int) -> TrainingMix:
    """Put four pictures each that have a task's mask into one: several people, and small ones."""
    channel, half = TASKS.index(task), SOURCE_SIZE // 2
    known = np.flatnonzero(pool.known[:, channel] & (pool.repeat[:, channel] > 0))
    chosen = np.random.default_rng([seed, channel]).choice(known, (count, 2, 2))
    images = np.empty((count, SOURCE_SIZE, SOURCE_SIZE, 3), np.uint8)
    masks = np.zeros((count, SOURCE_SIZE, SOURCE_SIZE, len(TASKS)), np.uint8)
    for row, down, right in np.ndindex(chosen.shape):
        place = (
            row,
            slice(down * half, (down + 1) * half),
            slice(right * half, (right + 1) * half),
        )
        picture = chosen[row, down, right]
        images[place] = resize(pool.images[picture], (half, half))
        masks[place][..., channel] = resize(pool.masks[picture][..., channel], (half, half))
    only = np.tile(np.arange(len(TASKS)) == channel, (count, 1))
    return TrainingMix(images, masks, only, np.ones((count, len(TASKS))))


def without_copies(pool: TrainingMix, shown: np.ndarray) -> TrainingMix:
    """Leave out the photos that are in `shown` too, mirrored or as another shot of one scene.

    Args:
        pool: training photos.
        shown: uint8 (n, SOURCE_SIZE, SOURCE_SIZE, 3), the photos that scores are measured on.
    """
    prints = [fingerprint(image) for image in (*pool.images, *shown)]
    count = len(pool.images)
    # Of a pair the lower number comes first.
    pairs = find_duplicates(prints, range(count, len(prints)))
    keep = np.ones(count, bool)
    keep[[pair.first for pair in pairs if pair.first < count]] = False
    return TrainingMix(*(getattr(pool, name)[keep] for name in TrainingMix.__annotations__))


def load_validation(recipe: "Recipe") -> TrainingMix:
    """Read the val photos that pick a recipe's best epoch."""
    return _joined([_photos(name, "val", kinds) for name, kinds in recipe.val_sets.items()])


def _joined(parts: list[TrainingMix]) -> TrainingMix:
    return TrainingMix(
        *(np.concatenate([getattr(p, f) for p in parts]) for f in TrainingMix.__annotations__)
    )


def close_up(hair: np.ndarray, chance: np.random.Generator) -> tuple[slice, slice]:
    """Return a square window around the hair: rows and columns of the photo.

    Its side is 1.4 to 3 times that of the hair, but at least 56 pixels and at most the photo.

    Args:
        hair: float32 (h, w) in 0..1; some pixel exceeds 0.5.
        chance: draws side and place.
    """
    lines = np.nonzero(hair > 0.5)
    extent = max(np.ptp(line) for line in lines) + 1
    side = int(np.clip(chance.uniform(1.4, 3) * extent, 56, min(hair.shape)))
    window = []
    for line, length in zip(lines, hair.shape, strict=True):
        middle = (line.min() + line.max()) / 2 + chance.uniform(-0.15, 0.25) * side
        start = int(np.clip(middle - side / 2, 0, length - side))
        window.append(slice(start, start + side))
    return tuple(window)


def _close_ups(name: str, count: int, seed: int) -> TrainingMix:
    """Cut `count` windows around the hair of every photo of a set that has both masks."""
    chance = np.random.default_rng(seed)
    images, masks = [], []
    for (image, person), (_, hair) in zip(*(_set(name, "train", t) for t in TASKS), strict=True):
        both = np.rint(np.stack([person, hair], axis=-1) * 255).astype(np.uint8)
        for _ in range(count if (hair > 0.5).any() else 0):
            window = close_up(hair, chance)
            images.append(resize(image[window], (SOURCE_SIZE, SOURCE_SIZE)))
            masks.append(resize(both[window], (SOURCE_SIZE, SOURCE_SIZE)))
    shape = (len(images), len(TASKS))
    return TrainingMix(np.stack(images), np.stack(masks), np.ones(shape, bool), np.ones(shape))


def _set(name: str, split: str, kind: str) -> data.Dataset:
    dataset = data.load(name, split, kind)
    if dataset.name == "synthetic":
        raise SeglibError(
            f"the recipe needs the photos of {name}; set SEGLIB_DATA to the folder above it"
        )
    return dataset


def _photos(
    name: str, split: str, kinds: tuple[str, ...], teachers: dict[str, Path] | None = None
) -> TrainingMix:
    masks, known = None, [kind in kinds for kind in TASKS]
    for kind in kinds:
        images, mask = _set(name, split, "person" if name == EMPTY else kind).arrays(SOURCE_SIZE)
        masks = np.zeros((*mask.shape, 2), np.uint8) if masks is None else masks
        masks[..., TASKS.index(kind)] = mask
    for task, teacher in (teachers or {}).items():
        if task not in kinds:
            masks[..., TASKS.index(task)] = _taught(images, teacher)
            known[TASKS.index(task)] = True
    if known[0] and "person" not in kinds:
        # Hair is part of the person, whatever the teacher says.
        masks[..., 0] = masks.max(-1)
    count = len(images)
    return TrainingMix(images, masks, np.tile(known, (count, 1)), np.ones((count, 2)))


def _taught(images: np.ndarray, teacher: Path) -> np.ndarray:
    """Return the masks of a teacher, a file of one of the baselines, as probabilities 0..255."""
    segment = BaselineSegmenter(BASELINES[teacher.stem], teacher)
    return np.stack([np.rint(segment(image) * 255) for image in images]).astype(np.uint8)
