"""Synthetic portraits with exact labels: a stand-in for photos that needs no download.

Every portrait is painted back to front (place, hair behind, body, clothes, head, hair in front,
hat), half as large again as wanted, and each layer keeps its coverage. The order alone hides what
is behind. The label of a pixel is the layer that covers most of it, and its alpha is 1 minus what
is left of the background, so that picture, labels and soft alpha agree by construction. The idea of
training on rendered people with labels from the renderer is that of Wood et al. (2021), "Fake It
Till You Make It", and of random rather than faithful looks that of Tobin et al. (2017), "Domain
Randomization"; the drawing is ours. Beards, brows and glasses count as skin, hats as clothes; a
second person is labelled like the first, small people in the place are background. The pictures of
a seed belong to one `VERSION`.

Chapter: augmentation and synthetic portraits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import cv2
import numpy as np

from seglib.data.dataset import Dataset
from seglib.data.synthetic.body import draw_body, draw_hand, draw_hat
from seglib.data.synthetic.config import (
    BACKGROUND,
    CLOTHES,
    HAIR,
    HAIR_TONES,
    LABELS,
    SKIN,
    SKIN_TONES,
    STYLES,
    PortraitConfig,
)
from seglib.data.synthetic.drawing import dim
from seglib.data.synthetic.hair import Hair, draw_tied, open_for_face, paint_hair
from seglib.data.synthetic.people import Figure, draw_head
from seglib.data.synthetic.scenes import camera, overlay
from seglib.data.workers import cores, spread
from seglib.errors import SeglibError

__all__ = ["VERSION", "BACKGROUND", "HAIR", "SKIN", "CLOTHES", "LABELS", "SKIN_TONES",
           "HAIR_TONES", "STYLES", "PortraitConfig", "Portrait", "Portraits", "portraits", "draw",
           "load"]

VERSION = 2
"""Raised whenever the same seed draws another picture; results belong to one version."""

_OVERSIZE = 1.5
_USUAL = PortraitConfig()
# The set called "synthetic": split -> (portraits, seed).
_SPLITS = {"train": (300, 0), "val": (80, 1), "all": (380, 2), "test": (80, 3)}


@dataclass(frozen=True)
class Portrait:
    """One portrait.

    Attributes:
        image: uint8 RGB (size, size, 3).
        labels: uint8 (size, size), 0 background, 1 hair, 2 skin, 3 clothes.
        alpha: float32 (size, size), how much of the pixel is person, 0..1.
        tone: index into `SKIN_TONES`, the ten swatches of the Monk Skin Tone Scale, light to dark
            (Monk 2019, https://skintone.google), or -1 where nobody is in the picture.
        style: name of the hair cut, or "" where nobody is in the picture.
    """

    image: np.ndarray
    labels: np.ndarray
    alpha: np.ndarray
    tone: int = -1
    style: str = ""


@dataclass(frozen=True)
class Portraits:
    """Many portraits: images uint8 (N, s, s, 3), labels uint8 and alphas uint8 (N, s, s)."""

    images: np.ndarray
    labels: np.ndarray
    alphas: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def dataset(self, kind: str = "person") -> Dataset:
        """The portraits as a `Dataset`: the soft alpha for "person", else a label's mask."""
        if kind not in ("person", *LABELS[1:]):
            raise SeglibError(f"synthetic portraits have no masks of kind {kind!r}; choose one of "
                              "person, hair, skin, clothes")
        rows = {f"synthetic-{row:05d}": row for row in range(len(self))}

        def read(stem: str) -> tuple[np.ndarray, np.ndarray]:
            row = rows[stem]
            if kind == "person":
                mask = self.alphas[row] / np.float32(255)
            else:
                mask = (self.labels[row] == LABELS.index(kind)).astype(np.float32)
            return self.images[row].copy(), mask

        return Dataset("synthetic", kind, "all", tuple(rows), read)


def load(split: str = "train", kind: str | None = None) -> Dataset:
    """Return the set that `seglib.data.load("synthetic")` knows; each split has its own seed."""
    if split not in _SPLITS:
        raise SeglibError(f"no split is called {split!r}; use one of {', '.join(_SPLITS)}")
    return replace(_drawn(split).dataset(kind or "person"), split=split)


# Sixty megabytes at the most, for seconds of drawing that each kind would cost again.
@lru_cache(maxsize=len(_SPLITS))
def _drawn(split: str) -> Portraits:
    count, seed = _SPLITS[split]
    return portraits(count, size=128, seed=seed)


def portraits(count: int, size: int = 128, seed: int = 0,
              config: PortraitConfig = _USUAL, workers: int | None = None) -> Portraits:
    """Draw `count` portraits; number i depends on seed and i alone, not on `count` or `workers`.

    Args:
        count: how many, at least 1.
        size: side of the pictures in pixels, at least 32.
        seed: which series, at least 0.
        config: what is drawn how often.
        workers: how many processes draw; None uses all cores where that saves time.
    """
    if count < 1 or (workers is not None and workers < 1):
        raise SeglibError(f"portraits() was asked for {count} pictures by {workers or 'all'} "
                          "workers; ask for at least 1 of each")
    if workers is None:
        # A process takes about as long to start as a hundred pictures of 128 pixels to draw.
        workers = max(1, min(cores(), int(count * (size / 128) ** 2 / 100)))
    _check(size, seed)
    images = np.empty((count, size, size, 3), np.uint8)
    labels, alphas = (np.empty((count, size, size), np.uint8) for _ in range(2))
    drawn = spread(partial(_draw_bytes, int(seed), size, config), range(count), workers)
    for row, planes in enumerate(drawn):
        images[row], labels[row], alphas[row] = planes
    return Portraits(images, labels, alphas)


def _draw_bytes(seed: int, size: int, config: PortraitConfig, row: int) -> tuple[np.ndarray, ...]:
    portrait = draw((seed, row), size, config)
    return portrait.image, portrait.labels, cv2.convertScaleAbs(portrait.alpha, alpha=255)


def _check(size: int, seed: int | Sequence[int]) -> None:
    if size < 32 or np.min(seed) < 0:
        raise SeglibError(f"a synthetic portrait of {size} pixels by the seed {seed} cannot be "
                          "drawn; ask for a size of at least 32 and a seed from 0 up")


def draw(seed: int | Sequence[int], size: int = 128,
         config: PortraitConfig = _USUAL) -> Portrait:
    """Draw one portrait.

    Args:
        seed: a number of at least 0, or several; the same seed gives the same portrait.
            `portraits(n, seed=s)` draws `draw((s, i))` for i = 0..n-1.
        size: side of the picture in pixels, at least 32.
        config: what is drawn how often.
    """
    _check(size, seed)
    rng = np.random.default_rng(seed)
    figure = Figure(rng, round(_OVERSIZE * size), config)
    nobody = rng.random() < config.empty
    if not nobody:
        figure.pose()
        if rng.random() < config.company:
            _draw_person(figure.companion())
        _draw_person(figure)
    canvas = figure.canvas
    if rng.random() < config.overlay:
        overlay(rng, canvas)
    # At this ratio linear interpolation reads every pixel, for a sixth of the area filter's time.
    cover = [cv2.resize(plane, (size, size)) for plane in canvas.cover]
    image = camera(rng, cv2.resize(canvas.image, (size, size)), config)
    labels, most = np.zeros((size, size), np.uint8), cover[0]
    for label in (HAIR, SKIN, CLOTHES):
        labels[cover[label] > most] = label
        most = cv2.max(most, cover[label])
    alpha = np.clip(1 - cover[0], 0, 1).astype(np.float32)
    if nobody:
        return Portrait(image, labels, alpha)
    return Portrait(image, labels, alpha, figure.tone, figure.style)


def _draw_person(figure: Figure) -> None:
    """Draw a whole posed person on the figure's canvas."""
    rng, config, canvas = figure.rng, figure.config, figure.canvas
    hair = None if figure.style == "bald" else Hair(figure)
    if hair:
        full = hair.coverage()
        look = paint_hair(hair)
        falls = rng.random() < 0.5
        if not figure.back:
            canvas.over(full, dim(look, 0.72), HAIR)
    draw_body(figure)
    draw_head(figure)
    if hair:
        front = full if figure.back else open_for_face(hair, full, falls)
        canvas.over(front, look, HAIR)
        draw_tied(figure, look)
    if rng.random() < config.hat:
        draw_hat(figure)
    if rng.random() < config.hand:
        draw_hand(figure)
