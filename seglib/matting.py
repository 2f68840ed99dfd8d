"""Soft edges: how good an alpha is, what a network learns one from, and the losses it learns by.

Nearly all pixels of a portrait are plain person or plain background, so a score over the whole
photo hardly notices the edge. Matting is scored in the band around it (the unknown region of a
trimap): where the true alpha lies between 0 and 1, and some pixels to either side. The errors are
those of Rhemann et al., 2009, "A Perceptually Motivated Online Benchmark for Image Matting".

No photo comes with its alpha. Synthetic portraits do, and keep it on the backgrounds of photos;
photos with hard masks show the network what real people look like. Such a mask says nothing about
the alpha, so it counts in the coarse mask alone. Else the losses are those of the matting project
of 2019 (lizhengwei1992's).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from keras import KerasTensor, ops

from seglib.data.batches import Batches
from seglib.data.composite import on_backgrounds
from seglib.data.dataset import Dataset
from seglib.errors import SeglibError, renamed
from seglib.images import as_mask
from seglib.losses import Loss, bce_loss


@dataclass(frozen=True)
class MattingErrors:
    """Errors of one alpha; lower is better, 0 is right.

    Attributes:
        sad: sum of absolute differences, in thousands of pixels; grows with the picture's size.
        mse: mean squared difference.
        gradient: sum of squared differences of the slopes' sizes, in thousands: sharpness lost or
            made up.
        pixels: how many were counted.
    """

    sad: float
    mse: float
    gradient: float
    pixels: int


def unknown_band(alpha: np.ndarray, radius: int = 8) -> np.ndarray:
    """Return where an edge has to be decided, bool H x W.

    Args:
        alpha: the true alpha, float H x W in [0, 1].
        radius: how far the band reaches past the soft pixels, in pixels, 0 or more.
    """
    alpha = as_mask(alpha)
    if radius < 0:
        raise SeglibError(f"radius is {radius}; use 0 or more")
    soft = ((alpha > 0.02) & (alpha < 0.98)).astype(np.uint8)
    # A mask without soft pixels still has an edge.
    hard = (alpha >= 0.5).astype(np.uint8)
    soft |= cv2.morphologyEx(hard, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(soft, disc) > 0


def matting_errors(
    alpha: np.ndarray, truth: np.ndarray, band: np.ndarray | None = None
) -> MattingErrors:
    """Compare an alpha with the true one, float H x W in [0, 1], inside a band.

    Args:
        alpha: what was found.
        truth: what is right.
        band: bool H x W, the pixels that count; `unknown_band(truth)` where it is None.
    """
    truth = as_mask(truth)
    alpha = as_mask(alpha, shape=truth.shape)
    band = unknown_band(truth) if band is None else np.asarray(band, bool)
    if band.shape != truth.shape or not band.any():
        raise SeglibError(
            f"the band of shape {band.shape} marks no pixel of an alpha of {truth.shape}; give one "
            "of that shape, or leave out pictures with nobody in them"
        )
    gaps = (alpha - truth)[band]
    slopes = (_slope(alpha) - _slope(truth))[band]
    thousands = float(np.abs(gaps).sum()) / 1000, float(np.square(slopes).sum()) / 1000
    return MattingErrors(thousands[0], float(np.square(gaps).mean()), thousands[1], len(gaps))


def _slope(alpha: np.ndarray, sigma: float = 1.4) -> np.ndarray:
    """Size of the alpha's slope, by first derivatives of a Gaussian."""
    reach = int(np.ceil(3 * sigma))
    at = np.arange(-reach, reach + 1, dtype=np.float64)
    bell = np.exp(-(at**2) / (2 * sigma**2))
    bell /= bell.sum()
    across = cv2.sepFilter2D(alpha, cv2.CV_64F, -at / sigma**2 * bell, bell)
    down = cv2.sepFilter2D(alpha, cv2.CV_64F, bell, -at / sigma**2 * bell)
    return np.hypot(across, down)


def alpha_loss(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return how far two alphas are apart, plainly and times the picture, over the known pixels.

    The second term is called composed after Deep Image Matting (Xu et al., 2017), which compares
    what two alphas compose of a known person and a known background. The project of 2019 has
    neither and multiplies both alphas by the picture: a weight of brightness, under which a black
    head of hair counts half as much as a white wall.

    Args:
        y_true: (batch, height, width, 4): the alpha in 0..1, below 0 where unknown, and the
            picture's red, green and blue in 0..1.
        y_pred: (batch, height, width, 1), the network's alpha.

    Returns:
        One number; 0.002 where all alphas are right, 0 where none is known.
    """
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    truth, picture = y_true[..., :1], y_true[..., 1:]
    known = ops.cast(truth >= 0, "float32")
    # The number under the root gives the absolute difference a slope at 0.
    plain = ops.sqrt(ops.square(truth - y_pred) + 1e-6)
    composed = ops.sqrt(ops.square((truth - y_pred) * picture) + 1e-6)
    composed = ops.mean(composed, axis=-1, keepdims=True)
    return ops.sum((plain + composed) * known) / ops.maximum(ops.sum(known), 1.0)


def matting_losses() -> dict[str, Loss]:
    """Return the losses of a network with the outputs "mask" (the alpha) and "seg", to compile by.

    Targets are those of `AlphaBatches`; "seg" learns by cross-entropy.
    """
    return {"mask": alpha_loss, "seg": bce_loss}


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

    def __post_init__(self) -> None:
        shapes = self.images.shape[:3], self.masks.shape[:3]
        if {self.images.dtype, self.masks.dtype} != {np.dtype("uint8")} or len(set(shapes)) > 1:
            raise SeglibError(
                f"images are {self.images.dtype} {shapes[0]}, their masks {self.masks.dtype} "
                f"{shapes[1]}; uint8 (n, side, side, 3) and uint8 (n, side, side) are expected"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __add__(self, other: "Pictures") -> "Pictures":
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
    """Pictures whose alpha, uint8 (n, side, side), is known: the person is where it is 128 up."""
    hard = np.where(alphas >= 128, np.uint8(255), np.uint8(0))
    return Pictures(images, np.stack([hard, alphas], axis=-1), np.ones((len(images), 2), bool))


def with_masks(images: np.ndarray, masks: np.ndarray) -> Pictures:
    """Photos whose masks, uint8 (n, side, side), are hard; they teach nothing about the alpha."""
    known = np.tile([True, False], (len(images), 1))
    return Pictures(images, np.stack([masks, np.zeros_like(masks)], axis=-1), known)


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
    """
    if not pictures.known[:, 1].all():
        raise SeglibError("a person cannot be cut out by a hard mask; hand in pictures with alphas")
    alphas = pictures.masks[..., 1]
    people = Dataset.from_arrays(pictures.images, alphas, "people", "person")
    composed = on_backgrounds(people, backgrounds, seed, light)
    return with_alpha(np.stack([image for image, _ in composed]), alphas)


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


__getattr__ = renamed(
    __name__, {"clear_windows": "windows of photos without their person, cut by yourself"}
)
