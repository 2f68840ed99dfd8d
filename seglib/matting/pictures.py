"""Pictures with a known alpha, mixed with photos whose masks are hard, for one training.

No photo comes with its alpha. Synthetic portraits do, and keep it when they are composed onto the
backgrounds of photos; photos with hard masks show the network what real people look like. A hard
mask is no alpha, though: a network that learnt its edges would unlearn soft ones, so such a photo
says nothing about the alpha.

Chapter: soft matting and sharper edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seglib.data.batches import Batches
from seglib.data.composite import on_backgrounds
from seglib.data.dataset import Dataset
from seglib.errors import SeglibError


@dataclass(frozen=True)
class Pictures:
    """Pictures with masks of the person and, where it is known, its alpha.

    Attributes:
        images: uint8 (n, side, side, 3) RGB.
        masks: uint8 (n, side, side, 2), 0..255: the person's mask and the alpha.
        known: bool (n, 2), whether these two are known.
    """

    images: np.ndarray
    masks: np.ndarray
    known: np.ndarray

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.images)

    def __add__(self, other: "Pictures") -> "Pictures":
        """These pictures and then the other ones.

        Raises:
            SeglibError: their sides differ.
        """
        if self.images.shape[1:] != other.images.shape[1:]:
            raise SeglibError(
                f"pictures of {self.images.shape[1:]} and of {other.images.shape[1:]} make no one "
                "set; read both at one size"
            )
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Pictures(*map(np.concatenate, pairs))

    def of(self, chosen: np.ndarray) -> "Pictures":
        """Some of the pictures, by numbers or by a bool (n,)."""
        return Pictures(*(field[chosen] for field in vars(self).values()))


def with_alpha(images: np.ndarray, alphas: np.ndarray) -> Pictures:
    """Pictures whose alpha is known; the person is where it is one half or more.

    Args:
        images: uint8 (n, side, side, 3).
        alphas: uint8 (n, side, side), 0..255.
    """
    hard = np.where(alphas >= 128, np.uint8(255), np.uint8(0))
    return _pictures(images, hard, alphas)


def with_masks(images: np.ndarray, masks: np.ndarray) -> Pictures:
    """Photos whose masks are hard; they teach nothing about the alpha.

    Args:
        images: uint8 (n, side, side, 3).
        masks: uint8 (n, side, side), 0..255.
    """
    return _pictures(images, masks, None)


def before(
    pictures: Pictures,
    backgrounds: Sequence[np.ndarray],
    seed: int = 0,
    light: tuple[float, float] = (0.2, 0.8),
) -> Pictures:
    """Compose the people of pictures with a known alpha onto other backgrounds; alphas stay.

    Args:
        pictures: what `with_alpha` returns.
        backgrounds: uint8 RGB pictures of any size without people.
        seed: which picture gets which background.
        light: how far a person takes on its background's light; see
            `seglib.data.composite.on_backgrounds`.

    Raises:
        SeglibError: an alpha is unknown, or there are no backgrounds.
    """
    if not pictures.known[:, 1].all():
        raise SeglibError("a person cannot be cut out by a hard mask; hand in pictures with alphas")
    alphas = pictures.masks[..., 1]
    people = Dataset.from_arrays(pictures.images, alphas, "people", "person")
    composed = on_backgrounds(people, backgrounds, seed, light)
    return with_alpha(np.stack([image for image, _ in composed]), alphas)


def clear_windows(dataset: Dataset, least: int = 64, seed: int = 0) -> list[np.ndarray]:
    """Cut out what photos show to the left and right of their person, as backgrounds.

    A window is as wide as the person leaves room for and up to twice as high, at any height; a
    photo gives none, one or two.

    Args:
        dataset: photos with masks of whole persons.
        least: narrower windows are left out, pixels.
        seed: at which height they lie.

    Returns:
        uint8 RGB pictures of several sizes, each without a pixel of the mask.
    """
    rng, found = np.random.default_rng(seed), []
    for image, mask in dataset:
        height, width = mask.shape
        columns = np.flatnonzero((mask > 0).any(axis=0))
        first, last = (columns[0], columns[-1] + 1) if len(columns) else (width, width)
        for left, right in ((0, first), (last, width)):
            if right - left < least:
                continue
            tall = min(height, 2 * (right - left))
            top = int(rng.integers(height - tall + 1))
            found.append(image[top : top + tall, left:right].copy())
    return found


class AlphaBatches(Batches):
    """Batches for a network with the outputs "mask" (an alpha) and "seg" (a coarse mask).

    Each batch is (x, y): x as from `seglib.data.Batches`, y a dictionary of "seg", float32 (batch,
    size, size, 1), 0 or 1, and "mask", (batch, size, size, 4): the alpha, or -1 where it is
    unknown, and x in 0..1, which the composed loss weighs it by.

    Args:
        pictures: what to learn from.
        options: those of `seglib.data.Batches`.
    """

    def __init__(
        self, pictures: Pictures, batch_size: int = 16, size: int = 128, **options: Any
    ) -> None:
        super().__init__(
            pictures.images, pictures.masks, batch_size, size, known=pictures.known, **options
        )

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return batch `index` of the present epoch."""
        x, y = super().__getitem__(index)
        # Turned and zoomed, a hard mask has soft edges; the cut makes it hard again.
        seg = (y[..., :1] >= 0.5).astype(np.float32)
        return x, {"mask": np.concatenate([y[..., 1:], x / 255], axis=-1), "seg": seg}


def _pictures(images: np.ndarray, masks: np.ndarray, alphas: np.ndarray | None) -> Pictures:
    given = masks if alphas is None else alphas
    if images.dtype != np.uint8 or given.dtype != np.uint8 or images.shape[:3] != given.shape:
        raise SeglibError(
            f"images are {images.dtype} {images.shape} and their masks {given.dtype} {given.shape};"
            " uint8 (n, side, side, 3) and uint8 (n, side, side) are expected"
        )
    second = np.zeros_like(masks) if alphas is None else alphas
    known = np.tile([True, alphas is not None], (len(images), 1))
    return Pictures(images, np.stack([masks, second], axis=-1), known)
