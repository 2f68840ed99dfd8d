"""Masks of the frame before, made up for photos that have none.

A network that reads the mask of the frame before cannot be trained on video: hardly any comes with
masks. So a mask before is made from the photo's own: moved and bent a little, as a head moves
between two frames; none at all, as in the first frame; and wrong ones, from which the network
learns to look at the picture and not to copy (Tkachenka et al., 2019, arXiv 1907.06740). Grown and
blotted masks stand for the network's own mistakes.

Chapter: real-time video.
"""

from dataclasses import astuple, dataclass, fields
from typing import Any

import cv2
import numpy as np

from seglib.data.batches import Batches
from seglib.errors import SeglibError


@dataclass(frozen=True)
class PreviousConfig:
    """How often a mask of the frame before is of which kind; the fractions add up to 1.

    Attributes:
        empty: no mask, as in the first frame.
        moved: turned by up to 4 degrees, grown or shrunk by up to 4 %, shifted by up to 4 % of the
            side, and bent by up to about 2 % of it; mostly far less, as from frame to frame.
        grown: the outline up to 3 % of the side further out or in.
        blotted: a round piece of a fifth to half the side set to 0 or to 1.
        lost: shifted by a fifth to half the side and turned by up to 45 degrees.
        other: the mask of another picture of the batch.
    """

    empty: float = 0.25
    moved: float = 0.35
    grown: float = 0.1
    blotted: float = 0.1
    lost: float = 0.1
    other: float = 0.1

    def __post_init__(self) -> None:
        fractions = astuple(self)
        if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
            raise SeglibError(f"{self} must hold numbers from 0 up that add up to 1")


KINDS = tuple(entry.name for entry in fields(PreviousConfig))

FIRST_FRAMES = PreviousConfig(1.0, 0, 0, 0, 0, 0)
"""Empty masks only: what a network is worth on single photos."""


class VideoBatches(Batches):
    """`Batches`, of the same arguments, with a mask of the frame before for every photo.

    Each batch is (x, y): x is {"image": as in `Batches`, "previous": float32 (batch, size, size,
    channels) in 0..1}, y as in `Batches`. The mask before is made, as `previous` says, from the
    very view that is handed out; where the photo's own mask is unknown it is empty.
    """

    def __init__(
        self, *arguments: Any, previous: PreviousConfig = PreviousConfig(), **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.previous = previous

    def _batch(self, epoch: int, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        images, y = super()._batch(epoch, index)
        together, mine = self.sampler.pictures(epoch, index)
        # Drawn for all processes' pictures, and apart from what `Batches` draws for the step.
        rng = np.random.default_rng([self.sampler.seed, epoch, index, 1])
        kinds = rng.choice(KINDS, len(together), p=astuple(self.previous))[mine]
        seeds = rng.integers(2**32, size=len(together))[mine]
        known = np.maximum(y, 0)
        # The row before is another picture; of this process' own, since others' are not read here.
        others = np.roll(known, 1, axis=0) if len(known) > 1 else np.zeros_like(known)
        previous = [
            previous_mask(mask, kind, np.random.default_rng(seed), other)
            for mask, kind, seed, other in zip(known, kinds, seeds, others, strict=True)
        ]
        return {"image": images, "previous": np.stack(previous)}, y


def previous_mask(
    mask: np.ndarray, kind: str, rng: np.random.Generator, other: np.ndarray | None = None
) -> np.ndarray:
    """Make a mask of the frame before.

    Args:
        mask: float32 (size, size, channels) in 0..1, of the present frame.
        kind: a field of `PreviousConfig`.
        rng: all chance comes from here.
        other: the mask of another picture, for the kind "other".

    Returns:
        float32 of the same shape, in 0..1, with outlines as soft as a network's.
    """
    size = mask.shape[0]
    if kind not in KINDS:
        raise SeglibError(f"no mask before is {kind!r}; use one of {', '.join(KINDS)}")
    if kind == "empty":
        return np.zeros_like(mask)
    if kind == "other" and other is None:
        raise SeglibError("the mask before is another picture's; hand that in as other=")
    if kind == "other":
        made = other
    elif kind == "grown":
        side = 2 * int(rng.integers(1, max(1, round(0.03 * size)) + 1)) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        made = (cv2.dilate if rng.random() < 0.5 else cv2.erode)(mask, kernel)
    elif kind == "blotted":
        spot = np.zeros((size, size), np.uint8)
        axes, centre = 2 * rng.uniform(0.1, 0.25, 2) * size, rng.uniform(0, size, 2)
        turn = float(rng.uniform(0, 180))
        cv2.ellipse(spot, (centre.tolist(), axes.tolist(), turn), 1, -1)
        made = np.where(spot[..., None] > 0, np.float32(rng.random() < 0.5), mask)
    else:
        made = _warped(mask, rng, far=kind == "lost")
    soft = cv2.GaussianBlur(made, (0, 0), size / 128 * rng.uniform(0.3, 1.5))
    return soft.reshape(mask.shape).clip(0, 1)


def _warped(mask: np.ndarray, rng: np.random.Generator, far: bool) -> np.ndarray:
    """Move a mask by an affine map and bend it by a smooth field; beyond the border it goes on."""
    size = mask.shape[0]
    if far:
        much, angle, scale = 1.0, rng.uniform(-45, 45), np.exp(rng.uniform(-0.4, 0.4))
        shift = rng.uniform(0.2, 0.5, 2) * rng.choice([-1, 1], 2) * size
    else:
        # Squared, since most frames of a video differ little from the ones before.
        much = rng.random() ** 2
        angle, scale = much * rng.uniform(-4, 4), np.exp(much * rng.uniform(-0.04, 0.04))
        shift = much * rng.uniform(-0.04, 0.04, 2) * size
    middle = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), angle, scale)
    matrix[:, 2] += shift
    # Four by four handles, drawn apart smoothly, as a thin plate would follow them.
    pull = rng.normal(0, 0.01 * size * much, (4, 4, 2)).astype(np.float32)
    bent = cv2.resize(pull, (size, size), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    places = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ matrix.T + bent
    border = cv2.BORDER_CONSTANT if far else cv2.BORDER_REPLICATE
    return cv2.remap(mask, places.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=border)
