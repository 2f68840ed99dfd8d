"""Synthetic portraits with exact labels: a stand-in for photos that needs no download.

Every portrait is painted back to front (place, hair behind, body, clothes, head, hair in front,
hat), half as large again as wanted, and each layer keeps its coverage. The label of a pixel is the
layer that covers most of it, and its alpha is 1 minus what is left of the background, so that
picture, labels and soft alpha agree by construction. The idea of training on rendered people with
labels from the renderer is that of Wood et al. (2021), "Fake It Till You Make It", and of random
rather than faithful looks that of Tobin et al. (2017), "Domain Randomization"; the drawing is ours.
Beards, brows and glasses count as skin, hats as clothes; a second person is labelled like the
first, small people in the place are background. The pictures of a seed belong to one `VERSION`.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from seglib.data._portrait import pool
from seglib.data._portrait.camera import camera
from seglib.data._portrait.figure import Figure
from seglib.data._portrait.looks import (
    BACKGROUND,
    CLOTHES,
    HAIR,
    HAIR_TONES,
    LABELS,
    SKIN,
    SKIN_TONES,
    STYLES,
)
from seglib.data._portrait.overlay import overlay
from seglib.data._portrait.person import draw_people
from seglib.data._workers import cores
from seglib.errors import SeglibError

if TYPE_CHECKING:
    from seglib.data.dataset import Dataset

__all__ = ["VERSION", "BACKGROUND", "HAIR", "SKIN", "CLOTHES", "LABELS", "SKIN_TONES",
           "HAIR_TONES", "STYLES", "PortraitConfig", "Portrait", "Portraits", "portraits", "draw"]


VERSION = 2
"""Raised whenever the same seed draws another picture; results belong to one version."""

_OVERSIZE = 1.5


@dataclass(frozen=True)
class PortraitConfig:
    """What is drawn how often. Chances are 0..1, lengths are parts of the picture's side.

    Attributes:
        empty: chance of a picture with nobody in it.
        framing: chances of close-up, head and shoulders, upper body, small figure; they sum to 1.
        back_view: chance that the head is seen from behind.
        styles: relative weights of the hair cuts in `STYLES`.
        hair_tones: chances of `HAIR_TONES` in order; what is missing to 1 is dyed hair.
        hat: chance of a hat or cap.
        glasses: chance of glasses in front views.
        beard: chance of a beard in front views.
        hand: chance of a hand before the body or at the face.
        tilt: largest turn of the head in the picture plane, degrees; the body turns less.
        yaw: largest turn of the head to the side, 0 = none .. 1 = nearly profile.
        stretch: range of width over height of the figure, which a photo gets that is squeezed
            into a square.
        shift: largest sideways shift of the head from the middle.
        backlight: chance of a person darker than the place.
        company: chance of a second person, labelled like the first, beside and behind the first.
        passers_by: chance of small blurred people in the place, who count as background.
        overlay: chance of what is no scene: black or white borders, or printed words.
        grey: chance of a grey picture.
        jpeg: chance of a lossy JPEG round trip.
        sharpen: chance that the camera sharpens the picture.
        blur: range of the blur of the whole picture, sigma in pixels of a 128 pixel picture.
        noise: range of the sensor noise, standard deviation of 255.

    Raises:
        SeglibError: a chance is outside 0..1, or a table of chances has the wrong length or sum.
    """

    empty: float = 0.03
    framing: tuple[float, float, float, float] = (0.32, 0.46, 0.15, 0.07)
    back_view: float = 0.24
    styles: tuple[float, ...] = (4, 5, 6, 18, 8, 10, 16, 12, 9, 6, 7, 7, 4)
    hair_tones: tuple[float, ...] = (0.31, 0.25, 0.18, 0.13, 0.05, 0.05)
    hat: float = 0.06
    glasses: float = 0.15
    beard: float = 0.16
    hand: float = 0.1
    tilt: float = 25.0
    stretch: tuple[float, float] = (0.85, 1.3)
    yaw: float = 1.0
    shift: float = 0.22
    backlight: float = 0.08
    company: float = 0.08
    passers_by: float = 0.15
    overlay: float = 0.06
    grey: float = 0.08
    jpeg: float = 0.4
    sharpen: float = 0.6
    blur: tuple[float, float] = (0.0, 0.6)
    noise: tuple[float, float] = (0.0, 9.0)

    def __post_init__(self) -> None:
        """Check the numbers; raises SeglibError as said above."""
        for name in ("empty", "back_view", "hat", "glasses", "beard", "hand", "yaw", "backlight",
                     "company", "passers_by", "overlay", "grey", "jpeg", "sharpen"):
            if not 0 <= getattr(self, name) <= 1:
                raise SeglibError(f"PortraitConfig.{name} is {getattr(self, name)}, but a chance "
                                  "lies between 0 and 1; choose such a number.")
        for name, count in (("framing", 4), ("styles", len(STYLES)),
                            ("hair_tones", len(HAIR_TONES))):
            table = np.asarray(getattr(self, name), float)
            if table.shape != (count,) or (table < 0).any():
                raise SeglibError(f"PortraitConfig.{name} needs {count} numbers of at least 0; "
                                  f"got {getattr(self, name)!r}.")
        if (abs(sum(self.framing) - 1) > 1e-6 or sum(self.styles) <= 0
                or sum(self.hair_tones) > 1 + 1e-6):
            raise SeglibError("PortraitConfig.framing must sum to 1, styles to more than 0 and "
                              "hair_tones to at most 1; scale the numbers.")
        for name in ("blur", "noise", "stretch"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise SeglibError(f"PortraitConfig.{name} is {(low, high)}, but it needs a range "
                                  "from low to high, both at least 0.")
        if not (0 <= self.tilt <= 180 and 0 <= self.shift <= 1 and self.stretch[0] >= 0.2):
            raise SeglibError("PortraitConfig.tilt must lie within 0..180 degrees, shift within "
                              "0..1 and stretch at 0.2 or more; got "
                              f"{self.tilt}, {self.shift} and {self.stretch}.")


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
        """How many portraits."""
        return len(self.images)

    def dataset(self, kind: str = "person") -> Dataset:
        """The portraits as a `Dataset` of masks 0..255: the soft alpha for "person", else a label.

        Raises:
            SeglibError: kind is none of "person", "hair", "skin", "clothes".
        """
        from seglib.data.dataset import Dataset

        if kind == "person":
            masks = self.alphas
        elif kind in LABELS[1:]:
            masks = np.where(self.labels == LABELS.index(kind), np.uint8(255), np.uint8(0))
        else:
            raise SeglibError(f"Synthetic portraits have no masks of kind {kind!r}; choose one of "
                              "person, hair, skin, clothes.")
        return Dataset.from_arrays(self.images, masks, name="synthetic", kind=kind)


def portraits(count: int, size: int = 128, seed: int = 0,
              config: PortraitConfig = PortraitConfig(), workers: int | None = None) -> Portraits:
    """Draw `count` portraits; number i depends on seed and i alone, not on `count` or `workers`.

    Args:
        count: how many, at least 1.
        size: side of the pictures in pixels, at least 32.
        seed: which series, at least 0.
        config: what is drawn how often.
        workers: how many processes draw; None uses all cores where that saves time.

    Raises:
        SeglibError: count, size, seed or workers is too small, or a worker was killed.
    """
    if count < 1:
        raise SeglibError(f"portraits() was asked for {count} pictures; ask for at least 1.")
    _check(size, seed)
    if workers is None:
        # A process takes about as long to start as a hundred pictures of 128 pixels to draw.
        workers = min(cores(), int(count * (size / 128) ** 2 / 100))
    elif workers < 1:
        raise SeglibError(f"portraits() was given {workers} workers; give at least 1, or None.")
    images = np.empty((count, size, size, 3), np.uint8)
    labels, alphas = (np.empty((count, size, size), np.uint8) for _ in range(2))
    if workers > 1:
        pool.fill_arrays((images, labels, alphas), seed, config, min(workers, count))
    else:
        for i in range(count):
            images[i], labels[i], alphas[i] = draw_bytes((seed, i), size, config)
    return Portraits(images, labels, alphas)


def draw_bytes(seed: int | Sequence[int], size: int, config: PortraitConfig) -> tuple:
    """Draw one portrait as (image, labels, alpha), all uint8, alpha 0..255; see `draw`."""
    portrait = draw(seed, size, config)
    alpha = cv2.convertScaleAbs(portrait.alpha, alpha=255)
    return portrait.image, portrait.labels, alpha


def _check(size: int, seed: int | Sequence[int]) -> None:
    if size < 32:
        raise SeglibError(f"A synthetic portrait of {size} pixels is too small to draw; "
                          "ask for a size of at least 32.")
    if np.min(seed) < 0:
        raise SeglibError(f"The seed of a synthetic portrait is {seed}; give a number from 0 up.")


def draw(seed: int | Sequence[int], size: int = 128,
         config: PortraitConfig = PortraitConfig()) -> Portrait:
    """Draw one portrait.

    Args:
        seed: a number of at least 0, or several; the same seed gives the same portrait.
            `portraits(n, seed=s)` draws `draw((s, i))` for i = 0..n-1.
        size: side of the picture in pixels, at least 32.
        config: what is drawn how often.

    Raises:
        SeglibError: size is below 32 or seed is negative.
    """
    _check(size, seed)
    rng = np.random.default_rng(seed)
    figure = Figure(rng, round(_OVERSIZE * size), config)
    nobody = rng.random() < config.empty
    if not nobody:
        draw_people(figure)
    canvas = figure.canvas
    if rng.random() < config.overlay:
        overlay(rng, canvas)
    # At this ratio linear interpolation reads every pixel, for a sixth of the area filter's time.
    cover = [cv2.resize(plane, (size, size)) for plane in canvas.cover]
    image = cv2.resize(canvas.image, (size, size))
    image = camera(rng, image, tuple(size / 128 * b for b in config.blur), config.noise,
                   config.jpeg, config.grey, config.sharpen)
    labels, most = np.zeros((size, size), np.uint8), cover[0]
    for label in (1, 2, 3):
        labels[cover[label] > most] = label
        most = cv2.max(most, cover[label])
    alpha = np.clip(1 - cover[0], 0, 1).astype(np.float32)
    if nobody:
        return Portrait(image, labels, alpha)
    return Portrait(image, labels, alpha, figure.tone, figure.style)
