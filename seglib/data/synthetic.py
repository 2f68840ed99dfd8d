"""Synthetic portraits with exact labels: a stand-in for photos that needs no download.

Every portrait is painted back to front (place, hair behind, body, clothes, head, hair in front,
hat), at twice the wanted size, and each layer keeps its coverage. The label of a pixel is the
layer that covers most of it, and its alpha is 1 minus what is left of the background, so that
picture, labels and soft alpha agree by construction. The idea of training on rendered people with
labels from the renderer is that of Wood et al. (2021), "Fake It Till You Make It", and of random
rather than faithful looks that of Tobin et al. (2017), "Domain Randomization"; the drawing is ours.
Beards, brows and glasses count as skin, hats as clothes.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from seglib.data import _paint as paint
from seglib.errors import SeglibError

if TYPE_CHECKING:
    from seglib.data.dataset import Dataset

BACKGROUND, HAIR, SKIN, CLOTHES = range(4)
LABELS = ("background", "hair", "skin", "clothes")

SKIN_TONES = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96",
              "a07e56", "825c43", "604134", "3a312a", "292420")
"""The ten swatches of the Monk Skin Tone Scale, light to dark, each drawn equally often
(Monk 2019, https://skintone.google, CC BY 4.0)."""

HAIR_TONES = {"black": (30, 26, 26), "dark brown": (58, 40, 30), "brown": (100, 66, 42),
              "blond": (196, 158, 102), "red": (148, 66, 34), "grey": (176, 172, 168)}

STYLES = ("bald", "fringe of hair", "buzz", "short", "short curly", "bob", "long", "wavy",
          "long curly", "afro", "bun", "ponytail", "braids")


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
        grey: chance of a grey picture.
        jpeg: chance of a lossy JPEG round trip.
        blur: range of the blur of the whole picture, sigma in pixels of a 128 pixel picture.
        noise: range of the sensor noise, standard deviation of 255.

    Raises:
        SeglibError: a chance is outside 0..1, or a table of chances has the wrong length or sum.
    """

    empty: float = 0.03
    framing: tuple[float, float, float, float] = (0.22, 0.46, 0.22, 0.1)
    back_view: float = 0.12
    styles: tuple[float, ...] = (4, 5, 6, 18, 8, 10, 16, 12, 9, 6, 7, 7, 4)
    hair_tones: tuple[float, ...] = (0.27, 0.24, 0.18, 0.13, 0.06, 0.08)
    hat: float = 0.06
    glasses: float = 0.15
    beard: float = 0.16
    hand: float = 0.1
    tilt: float = 25.0
    stretch: tuple[float, float] = (0.85, 1.3)
    yaw: float = 1.0
    shift: float = 0.22
    backlight: float = 0.08
    grey: float = 0.05
    jpeg: float = 0.25
    blur: tuple[float, float] = (0.0, 0.7)
    noise: tuple[float, float] = (0.0, 12.0)

    def __post_init__(self) -> None:
        """Check the numbers; raises SeglibError as said above."""
        for name in ("empty", "back_view", "hat", "glasses", "beard", "hand", "yaw", "backlight",
                     "grey", "jpeg"):
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
        tone: index into `SKIN_TONES`, or -1 where nobody is in the picture.
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
              config: PortraitConfig = PortraitConfig()) -> Portraits:
    """Draw `count` portraits; number i depends on seed and i alone, not on `count`.

    Args:
        count: how many, at least 1.
        size: side of the pictures in pixels, at least 32.
        seed: which series, at least 0.
        config: what is drawn how often.

    Raises:
        SeglibError: count, size or seed is too small.
    """
    if count < 1:
        raise SeglibError(f"portraits() was asked for {count} pictures; ask for at least 1.")
    drawn = [draw((seed, index), size, config) for index in range(count)]
    return Portraits(np.stack([p.image for p in drawn]), np.stack([p.labels for p in drawn]),
                     np.stack([np.round(255 * p.alpha).astype(np.uint8) for p in drawn]))


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
    if size < 32:
        raise SeglibError(f"A synthetic portrait of {size} pixels is too small to draw; "
                          "ask for a size of at least 32.")
    if np.min(seed) < 0:
        raise SeglibError(f"The seed of a synthetic portrait is {seed}; give a number from 0 up.")
    rng = np.random.default_rng(seed)
    figure = _Figure(rng, 2 * size, config)
    nobody = rng.random() < config.empty
    if not nobody:
        figure.paint()
    canvas = figure.canvas
    cover = [cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA)
             for plane in canvas.cover]
    image = cv2.resize(canvas.image, (size, size), interpolation=cv2.INTER_AREA)
    image = paint.camera(rng, image, tuple(size / 128 * b for b in config.blur), config.noise,
                         config.jpeg, config.grey)
    labels = np.argmax(np.stack(cover), 0).astype(np.uint8)
    alpha = np.clip(1 - cover[0], 0, 1).astype(np.float32)
    if nobody:
        return Portrait(image, labels, alpha)
    return Portrait(image, labels, alpha, figure.tone, figure.style)


@dataclass
class _Cut:
    """A hair cut as a sheet that falls from the crown; lengths in half head widths.

    The sheet is `top` high above the head's centre, `wide` at the centre's height and `end` at
    its lower border `low`. In front it opens for the face: `side` is the opening's half width (as
    a part of the head's), `hairline` its upper border. `curl` is the radius of curls, 0 = none.
    """

    top: float
    wide: float
    low: float
    end: float
    side: float
    hairline: float
    wave: float = 0.0
    waves: float = 2.0
    curl: float = 0.0
    opacity: float = 1.0
    fringe: bool = False


def _cut(rng: np.random.Generator, style: str, back: bool) -> _Cut:
    """A random hair cut of the wanted style."""
    u = rng.uniform
    high = 1.32
    side, hairline = u(0.78, 0.97), -u(0.62, 1.12)
    if style == "fringe of hair":
        cut = _Cut(high + u(-0.3, 0.0), u(1.04, 1.15), u(0.3, 0.7), 0.95, 0.9, -u(1.6, 2.2))
    elif style == "buzz":
        cut = _Cut(high + u(0.02, 0.1), u(1.0, 1.06), u(0, 0.3), 0.98, 0.93, -u(0.6, 1.0),
                   opacity=u(0.75, 1))
    elif style == "short":
        cut = _Cut(high + u(0.08, 0.45), u(1.02, 1.16), u(0.05, 0.5), u(0.92, 1.05),
                   u(0.85, 0.98), -u(0.7, 1.2), wave=u(0, 0.06), fringe=rng.random() < 0.22)
    elif style == "short curly":
        cut = _Cut(high + u(0.15, 0.5), u(1.08, 1.35), u(0.1, 0.7), u(0.95, 1.25), u(0.8, 0.98),
                   -u(0.4, 0.9), wave=0.06, curl=u(0.08, 0.2))
    elif style == "bob":
        cut = _Cut(high + u(0.08, 0.3), u(1.1, 1.35), u(0.9, 1.8), u(0.9, 1.5), side, hairline,
                   wave=u(0, 0.08), fringe=rng.random() < 0.3)
    elif style in ("long", "wavy"):
        wave = u(0, 0.05) if style == "long" else u(0.08, 0.2)
        cut = _Cut(high + u(0.06, 0.3), u(1.08, 1.35), u(1.8, 5.0), u(0.7, 1.9), side, hairline,
                   wave=wave, waves=u(1.5, 4), fringe=rng.random() < 0.25)
    elif style == "long curly":
        cut = _Cut(high + u(0.15, 0.45), u(1.25, 1.7), u(1.4, 4.0), u(1.3, 2.3), side, hairline,
                   wave=u(0.1, 0.2), waves=u(3, 6), curl=u(0.1, 0.28))
    elif style == "afro":
        wide = u(1.3, 2.1)
        cut = _Cut(high + (wide - 1) * u(0.7, 1.1), wide, u(0.4, 1.1), wide * u(0.6, 0.9),
                   u(0.85, 0.97), -u(0.5, 0.9), wave=0.08, curl=u(0.06, 0.14))
    else:
        cut = _Cut(high + u(0.03, 0.2), u(1.02, 1.1), u(0.1, 0.5), u(0.9, 1.0), u(0.85, 0.97),
                   -u(0.6, 0.95), fringe=rng.random() < 0.2)
    if back:
        cut.low = max(cut.low, u(0.75, 1.1))
        cut.wide = max(cut.wide, 1.05)
    return cut


class _Figure:
    """One person on one background, drawn layer by layer on a canvas."""

    def __init__(self, rng: np.random.Generator, size: int, config: PortraitConfig) -> None:
        self.rng, self.size, self.config = rng, size, config
        self.tone = int(rng.integers(len(SKIN_TONES)))
        swatch = np.array(list(bytes.fromhex(SKIN_TONES[self.tone])), float)
        # Swatches are paler than lit skin in photos, whose red is stronger and blue weaker, and
        # the dark ones darker than skin that a photographer exposes for: hence factors and power.
        lit = 255 * (swatch / 255) ** 0.82 * [1, 0.83, 0.73]
        self.skin = np.clip(lit * rng.uniform(0.85, 1.1) + rng.uniform(0, 20), 8, 250)
        weights = np.array([*config.hair_tones, max(0.0, 1 - sum(config.hair_tones))])
        kind = rng.choice(len(weights), p=weights / weights.sum())
        if kind == len(HAIR_TONES):
            self.hair = paint.random_colour(rng, (0.4, 0.9), (0.3, 0.9))
        else:
            self.hair = np.array(list(HAIR_TONES.values())[kind], float)
        self.hair = np.clip(self.hair * rng.uniform(0.7, 1.35) + rng.normal(0, 6, 3), 5, 245)
        weights = np.array(config.styles, float)
        self.style = STYLES[rng.choice(len(STYLES), p=weights / weights.sum())]
        distractor = self.hair if rng.random() < 0.5 else self.skin
        self.canvas = paint.Canvas(paint.background(rng, size, distractor))
        self.light = rng.uniform(0, 2 * np.pi)
        self.light_strength = rng.uniform(0, 0.45)
        self.exposure = rng.uniform(0.45, 0.75) if rng.random() < config.backlight else (
            rng.uniform(0.8, 1.12))

    def paint(self) -> None:
        """Draw the whole person."""
        rng, config = self.rng, self.config
        frame = rng.choice(4, p=np.array(config.framing) / sum(config.framing))
        unit, height = (((0.24, 0.36), (0.42, 0.62)), ((0.13, 0.23), (0.3, 0.5)),
                        ((0.075, 0.13), (0.17, 0.38)), ((0.035, 0.07), (0.08, 0.4)))[frame]
        unit = self.size * rng.uniform(*unit)
        spread = np.clip(rng.normal(0, 0.5), -1, 1) * config.shift * (2 if frame == 3 else 1)
        centre = self.size * np.array([0.5 + spread, rng.uniform(*height)])
        tilt = np.radians(np.clip(rng.normal(0, 0.4), -1, 1) * config.tilt)
        stretch = rng.uniform(*config.stretch)
        self.head = paint.Frame(unit, tilt, centre, stretch)
        self.body = paint.Frame(unit, tilt * rng.uniform(0, 0.5), centre, stretch)
        self.unit = unit
        self.back = rng.random() < config.back_view
        self.turn = 1.2 * config.yaw * np.clip(rng.normal(0, 0.45), -1, 1)
        self.tall, self.jaw = rng.uniform(1.22, 1.48), rng.uniform(0.62, 0.95)
        self.hx, self.hy = self.head.grid(self.size, 64)
        self.cut = None if self.style == "bald" else _cut(rng, self.style, self.back)
        if self.cut:
            full, hair = self._hair()
            falls = rng.random() < 0.5
            if not self.back:
                self.canvas.over(full, paint.dim(hair, 0.72), HAIR)
        self._torso()
        self._head()
        if self.cut:
            front = full if self.back else self._open(full, falls)
            self.canvas.over(front, hair, HAIR)
            self._extras(hair)
        if rng.random() < config.hat:
            self._hat()
        if rng.random() < config.hand:
            self._hand()

    def _lit(self, extra: np.ndarray | float = 0.0) -> np.ndarray:
        """Brightness (128 = 1) of the person's surface from the light's side and `extra`."""
        along = self.hx * np.cos(self.light) + self.hy * np.sin(self.light)
        gain = 1 + self.light_strength * np.clip(along, -1.5, 1.5) + extra
        return np.clip(128 * self.exposure * gain, 12, 255).astype(np.uint8)

    def _round(self, x: np.ndarray | float) -> np.ndarray:
        """Sideways place (-1..1) on the unturned face -> where the turn of the head puts it."""
        return np.sin(np.clip(np.arcsin(np.clip(x, -1, 1)) + self.turn, -np.pi / 2, np.pi / 2))

    def _strands(self, u: np.ndarray, ragged: float, points: int = 18) -> np.ndarray:
        """Curves (N, points, 2) of the hair sheet; u -1..1 is the place across the sheet."""
        rng, cut = self.rng, self.cut
        count = len(u)
        t = np.linspace(0, 1, points)[None]
        arch = np.clip(t / 0.45, 0, 1) * np.pi / 2
        fall = np.clip((t - 0.45) / 0.55, 0, 1)
        low = cut.low * (1 + ragged * rng.uniform(-1, 1, (count, 1)))
        wide = cut.wide * np.sin(arch) + (cut.end - cut.wide) * fall * fall * (3 - 2 * fall)
        phase = self._phase + 0.35 * u[:, None] + rng.normal(0, 0.06 + ragged * 0.4, (count, 1))
        wave = cut.wave * np.sin(2 * np.pi * (cut.waves * t + phase)) * (0.3 + 0.7 * t)
        x = self._part * np.cos(arch) + u[:, None] * wide + wave + self._sway * fall * fall
        y = -cut.top * np.cos(arch) + low * fall + 0.3 * wave
        x = x - 0.25 * np.sin(self.turn) * (not self.back)
        return np.stack([x, np.broadcast_to(y, x.shape)], -1)

    def _hair(self) -> tuple[np.ndarray, np.ndarray]:
        """Coverage (uint8) and picture of the whole hair sheet, as if it had no face opening."""
        rng, cut, canvas = self.rng, self.cut, self.canvas
        self._phase, self._part = rng.random(), rng.uniform(-0.5, 0.5)
        self._sway = rng.normal(0, 0.12) * min(cut.low, 3)
        mask = canvas.mask()
        across = np.concatenate([[-1], np.linspace(-1, 1, 22), [1]])
        edge = self._strands(across, 0.12)
        rim = rng.uniform(0.01, 0.05)
        edge = edge + rng.normal(0, rim, edge.shape) * min(1, cut.top)
        outline = np.concatenate([edge[0], edge[1:-1, -1], edge[-1][::-1]])
        paint.fill(mask, self.head(outline if cut.curl else paint.rounded(outline, 1)))
        if cut.curl:
            for x, y in self.head(outline[rng.integers(len(outline), size=70)]
                                  + rng.normal(0, 0.05, (70, 2))):
                radius = self.unit * cut.curl * rng.uniform(0.5, 1.3)
                cv2.circle(mask, (int(16 * x), int(16 * y)), int(16 * radius), 255, -1,
                           cv2.LINE_AA, 4)
        if cut.opacity < 1:
            mask = cv2.GaussianBlur((mask * cut.opacity).astype(np.uint8), (0, 0),
                                    max(0.5, 0.05 * self.unit))
        else:
            mask = paint.soften(mask, rng.uniform(0.005, 0.03) * self.unit)
            loose = int(rng.integers(6, 50))
            side = rng.choice([-1, 1], 3 * loose) * rng.uniform(0.9, 1.13, 3 * loose)
            wisps = self.head(self._strands(side, 0.25, 14))
            layer = canvas.mask()
            for group, value in enumerate((70, 120, 190)):
                paint.lines(layer, wisps[group::3], value)
            tips = self._strands(rng.uniform(-1, 1, 40), 0.22, 14)
            paint.lines(layer, self.head(tips[:, 7:]), 200, 0.03 * self.unit)
            mask = cv2.max(mask, layer)
        return mask, self._hair_paint()

    def _hair_paint(self) -> np.ndarray:
        """The look of the hair all over the canvas: strands or curls, gloss, shade, dyed ends."""
        rng, cut, size = self.rng, self.cut, self.size
        rough = paint.noise(rng, size, (0.2, 0.8), kind=rng.integers(2, 6),
                            tall=1.0 if cut.curl else 0.15)
        dark, light = self.hair * rng.uniform(0.35, 0.7), self.hair * rng.uniform(1.1, 1.5) + 8
        hair = paint.two_tone(dark, np.clip(light, 0, 255), rough)
        width = max(1.0, rng.uniform(0.015, 0.045) * self.unit)
        count = int(np.clip(256 * self.unit / self.size, 12, 44))
        contrast = rng.uniform(0.15, 0.5)
        for tone in np.array([-1, -0.4, 0.4, 1]) * contrast:
            colour = np.clip(self.hair * (1 + tone) + 12 * tone, 0, 255)
            if cut.curl:
                angle = rng.uniform(0, 6.3, (2 * count, 1)) + np.linspace(0, 4.2, 8)
                radius = cut.curl * rng.uniform(0.35, 1.0, (2 * count, 1))
                reach = [cut.wide * 1.1, 0.5 * (cut.top + cut.low)]
                at = rng.uniform(-1, 1, (2 * count, 1, 2)) * reach
                at[..., 1] += 0.5 * (cut.low - cut.top)
                curls = at + np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
                paint.lines(hair, self.head(curls), colour, width)
            if cut.curl < 0.12:
                strands = self._strands(np.sin(rng.uniform(-1.6, 1.6, count)), 0.1, 12)
                paint.lines(hair, self.head(strands), colour, width)
        if rng.random() < 0.12 and cut.low > 1:
            ends = np.clip((self.hy - rng.uniform(-0.5, 1)) / rng.uniform(0.8, 2), 0, 1)
            ends = cv2.resize((ends * rng.uniform(120, 255)).astype(np.uint8), (size, size))
            other = paint.random_colour(rng, (0.2, 0.9), (0.3, 0.9))
            hair = paint.two_tone(hair, paint.shade(paint.picture(other, size), rough), ends)
        band = (self.hy + rng.uniform(0.3, 1.0) + 0.3 * self.hx**2) / rng.uniform(0.15, 0.4)
        gloss = rng.uniform(0, 0.6) * np.exp(-band**2)
        sides = rng.uniform(0, 0.3) * np.clip((self.hx / cut.wide) ** 2, 0, 1)
        return paint.shade(hair, self._lit(gloss - sides))

    def _open(self, full: np.ndarray, falls: bool) -> np.ndarray:
        """The hair sheet's coverage with its opening for the face, and with wisps at its border.

        Args:
            full: coverage of the whole sheet, uint8.
            falls: whether long hair falls before the shoulders rather than behind them.
        """
        rng, cut, canvas = self.rng, self.cut, self.canvas
        places = np.array([-1, -0.98, -0.9, -0.62, -0.25, 0.0, 0.25, 0.62, 0.9, 0.98, 1])
        x = self._round(places * cut.side)
        x = np.where(x > 0.985, 1.5, np.where(x < -0.985, -1.5, x))
        apex, fall = rng.uniform(-0.45, 0.45), rng.uniform(0.15, 0.55)
        skew = rng.uniform(-0.2, 0.2)
        y = np.array([0.9, 0.35, -0.15, 0, 0, 0, 0, 0, -0.15, 0.35, 0.9])
        y[3:8] = cut.hairline * (1 - fall * np.abs(places[3:8] - apex) ** rng.uniform(0.8, 2.5))
        below = rng.uniform(0.6, 1.25, 2)
        sides = np.array([[x[-1] * below[0], 2.2], [x[-1] * below[0], 9],
                          [x[0] * below[1], 9], [x[0] * below[1], 2.2]])
        outline = paint.rounded(np.concatenate([np.stack([x, y], 1), sides]), 2)
        if cut.fringe:
            hang = rng.uniform(-0.4, -0.05)
            jag = self._round(np.linspace(-0.85, 0.85, 22) * cut.side)
            depth = hang + rng.normal(0, 0.06, 22) + skew * np.linspace(-1, 1, 22)
            outline[:, 1] = np.maximum(outline[:, 1], np.interp(outline[:, 0], jag, depth))
        opening = paint.fill(canvas.mask(), self.head(outline))
        opening = paint.soften(opening, rng.uniform(0.01, 0.05) * self.unit)
        front = cv2.multiply(full, 255 - opening, scale=1 / 255)
        border = outline[(outline[:, 1] < 1) & (np.abs(outline[:, 0]) < 1.2)]
        if len(border) and cut.opacity == 1:
            count = int(rng.integers(4, 30)) if not cut.fringe else 160
            root = border[rng.integers(len(border), size=count)][:, None] + rng.normal(
                0, 0.03, (count, 1, 2))
            t = np.linspace(-0.6, 1, 8)[None, :, None]
            way = root - [self._part, -cut.top]
            way = way / np.linalg.norm(way, axis=2, keepdims=True)
            way = way * rng.uniform(0.04, 0.2, (count, 1, 1)) + rng.normal(0, 0.03, way.shape)
            bend = rng.normal(0, 0.03, (count, 1, 2)) * t * t
            wisps = self.head(root + way * t + bend)
            half = count // 2
            layer = paint.lines(canvas.mask(), wisps[:half], 130)
            paint.lines(layer, wisps[half:], 200)
            front = cv2.max(front, cv2.min(layer, cv2.dilate(full, None)))
        if not falls:
            keep = np.clip((rng.uniform(1.1, 1.6) - self.hy) / 0.25, 0, 1)
            keep = cv2.resize((255 * keep).astype(np.uint8), (self.size, self.size))
            front = cv2.multiply(front, keep, scale=1 / 255)
        return front

    def _extras(self, hair: np.ndarray) -> None:
        """Bun, ponytail or braids."""
        rng, mask = self.rng, self.canvas.mask()
        if self.style == "bun":
            at = (rng.uniform(-0.5, 0.5), -1.3 - rng.uniform(0.1, 0.4) if not self.back
                  else rng.uniform(-1.5, 0.3))
            radius = rng.uniform(0.3, 0.65)
            shape = paint.ellipse(at, (radius * rng.uniform(0.9, 1.3), radius))
            paint.fill(mask, self.head(shape + rng.normal(0, 0.03, shape.shape)))
            turns = rng.uniform(0.2, 1, (14, 1, 1)) * (paint.ellipse((0, 0), (radius, radius), 12)
                                                       + rng.normal(0, 0.04, (14, 12, 2)))
            paint.lines(hair, self.head(turns + at), np.clip(self.hair * 0.5, 0, 255),
                        0.03 * self.unit)
        elif self.style in ("ponytail", "braids"):
            sides = [-1, 1] if self.style == "braids" else [rng.choice([-1, 1])]
            for side in sides:
                start = np.array([side * rng.uniform(0.7, 1.05), rng.uniform(-0.4, 0.9)])
                if self.back and self.style == "ponytail":
                    start[0] *= 0.2
                drop = rng.uniform(1.2, 3.5)
                t = np.linspace(0, 1, 12)[:, None]
                path = start + t * [side * rng.uniform(-0.1, 0.5), drop] + (
                    np.sin(np.pi * t) * [side * rng.uniform(0, 0.4), 0])
                if self.style == "braids":
                    for x, y in np.stack([np.interp(np.linspace(0, 1, 16), t[:, 0], path[:, k])
                                          for k in (0, 1)], 1):
                        paint.fill(mask, self.head(paint.ellipse((x, y), (0.2, 0.17), 12)))
                        arc = paint.ellipse((x, y), (0.2, 0.17), 12)[:7]
                        paint.lines(hair, self.head(arc)[None], self.hair * 0.45,
                                    0.04 * self.unit)
                else:
                    wide = rng.uniform(0.2, 0.5) * np.sin(np.pi * np.clip(0.12 + 0.8 * t, 0, 1))
                    across = rng.uniform(-1, 1, (60, 1, 1))
                    tail = path + across * np.concatenate([wide, 0.1 * wide], 1)
                    shape = np.concatenate([path + wide * [1, 0], (path - wide * [1, 0])[::-1]])
                    paint.fill(mask, self.head(shape))
                    paint.lines(mask, self.head(tail), 200, 0.02 * self.unit)
                    paint.lines(hair, self.head(tail[:25]), self.hair * 0.6, 0.03 * self.unit)
        else:
            return
        self.canvas.over(paint.soften(mask, 0.02 * self.unit), hair, HAIR)

    def _cloth(self) -> np.ndarray:
        """A picture of some fabric: colour, pattern, folds, light."""
        rng, size = self.rng, self.size
        dark = rng.random()
        value = (0.04, 0.3) if dark < 0.35 else (0.75, 1) if dark < 0.55 else (0.25, 0.95)
        base = paint.random_colour(rng, (0, 0.85 if rng.random() < 0.5 else 0.2), value)
        cloth = paint.picture(base, size)
        other = paint.random_colour(rng, (0, 0.8))
        kind = rng.choice(6, p=[0.5, 0.14, 0.08, 0.08, 0.1, 0.1])
        step = self.unit * rng.uniform(0.12, 0.6)
        if kind in (1, 2):
            at = np.arange(-2 * size, 3 * size, max(step, size / 80)) / self.unit
            far = 3 * size / self.unit
            stripes = np.array([[[-far, y], [far, y]] for y in at])
            lean = paint.Frame(self.unit, rng.choice([0, np.pi / 2, rng.uniform(0, 3)]),
                               (size / 2, size / 2))
            paint.lines(cloth, lean(stripes), other, step * rng.uniform(0.15, 0.6))
            if kind == 2:
                paint.lines(cloth, lean(stripes[..., ::-1]), (base + other) / 2,
                            step * rng.uniform(0.15, 0.6))
        elif kind == 3:
            axis = np.arange(0, size, max(step, size / 24))
            for x, y in np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2):
                cv2.circle(cloth, (int(x), int(y)), max(1, int(step * 0.25)), other.tolist(), -1)
        elif kind == 4:
            spots = paint.noise(rng, size, (0.1, 0.6), kind=rng.integers(1, 5)).astype(np.int16)
            spots = np.clip((spots - 128) * 12, 0, 255).astype(np.uint8)
            cloth = paint.two_tone(cloth, other, spots)
        elif kind == 5:
            for _ in range(rng.integers(1, 5)):
                at = np.array([rng.uniform(-1.2, 1.2), rng.uniform(2.8, 6)])
                box = at + rng.uniform(-0.9, 0.9, (4, 2)) * [1, 0.5]
                paint.fill(cloth, self.body(box), paint.random_colour(rng))
        folds = paint.noise(rng, size, (0.15, 0.6), tall=0.4, kind=rng.integers(0, 3))
        folds = 128 + (folds.astype(np.float32) - 128) * rng.uniform(0.1, 0.7)
        return paint.shade(paint.shade(cloth, folds.astype(np.uint8)), self._lit())

    def _torso(self) -> None:
        """Neck, chest, arms, clothes and, for small figures, legs."""
        rng, canvas, unit, body = self.rng, self.canvas, self.unit, self.body
        broad, drop = rng.uniform(1.9, 2.9), rng.uniform(2.05, 2.6)
        waist = broad * rng.uniform(0.62, 0.9)
        half = np.array([[0.55, 1.2], [0.6, 1.6], [0.8, drop - 0.4], [0.6 * broad, drop - 0.15],
                         [broad, drop + 0.1], [broad + 0.15, drop + 0.7],
                         [0.9 * broad, drop + 2.2], [waist, 6], [waist * 1.05, 7.2],
                         [waist * rng.uniform(1.05, 1.3), 8.6]])
        thick_neck = rng.uniform(0.8, 1.15)
        half[:3, 0] *= thick_neck
        lean = rng.uniform(0.7, 1.0) if rng.random() < 0.4 else 1.0
        whole = np.concatenate([half, half[::-1] * [-1, 1]]) * [lean, 1]
        whole[:, 1] += rng.uniform(-0.15, 0.2)
        torso = paint.fill(canvas.mask(), body(paint.rounded(whole, 2)))
        skin = self._skin_paint(0.85)
        clothes = self._cloth()
        if body([0, 8.4])[1] < 1.05 * self.size:
            self._legs(waist, skin)
        canvas.over(torso, skin, SKIN)
        neckline = rng.choice(8)
        cut = canvas.mask()
        throat = 0.75 * thick_neck
        depth = rng.uniform(0.1, 0.6) if self.back else rng.uniform(0.4, 1.6)
        collar = drop - 0.55
        if neckline <= 1:
            round_cut = paint.ellipse((0, collar), (0.85 * thick_neck, 0.3 + 0.3 * depth))
            paint.fill(cut, body(round_cut))
        elif neckline in (2, 3):
            paint.fill(cut, body([[-0.85, collar - 0.3], [0.85, collar - 0.3],
                                  [0, collar + depth]]))
        elif neckline == 4:
            wide = rng.uniform(0.9, 1.5)
            paint.fill(cut, body(paint.ellipse((0, collar), (wide, 0.4 + depth * 0.8))))
        elif neckline == 5 and rng.random() < 0.6:
            bare = drop + rng.uniform(0.2, 1.2)
            paint.fill(cut, body([[-5, -2], [5, -2], [5, bare], [0, bare + 0.2], [-5, bare]]))
        if neckline != 6:
            paint.fill(cut, body([[-throat, 0.5], [throat, 0.5], [throat, collar + 0.05],
                                  [-throat, collar + 0.05]]))
        dressed = cv2.multiply(torso, 255 - cut, scale=1 / 255)
        if neckline == 6:
            high = rng.uniform(1.2, 1.6)
            paint.fill(cut, body([[-3, -2], [3, -2], [3, high], [-3, high]]))
            dressed = cv2.multiply(torso, 255 - cut, scale=1 / 255)
        sleeve = 0.0 if neckline == 5 else rng.choice([0.0, 0.4, 1.0], p=[0.12, 0.28, 0.6])
        self._arms(broad * lean, drop, sleeve, skin, clothes)
        if sleeve == 0:
            strap = canvas.mask()
            shape = [[-0.75 * broad, drop - 1], [0.75 * broad, drop - 1], [0.85 * broad, 9],
                     [-0.85 * broad, 9]]
            paint.fill(strap, body(paint.rounded(shape, 1)))
            dressed = cv2.min(dressed, strap)
        canvas.over(dressed, clothes, CLOTHES)
        if self.back or neckline in (4, 5) or rng.random() < 0.5:
            return
        over = canvas.mask()
        flaps = rng.uniform(0.5, 0.9)
        for side in (-1, 1):
            paint.fill(over, body(np.array([[0.5, collar - 0.35], [0.95, collar - 0.1],
                                            [flaps, collar + 0.6], [0.05, collar + depth * 0.5]])
                                  * [side, 1]))
        canvas.over(cv2.min(over, torso), paint.dim(clothes, rng.uniform(0.7, 1.3)),
                    CLOTHES)
        if rng.random() < 0.55:
            jacket = self._cloth()
            gap, low = rng.uniform(0.5, 1.1), rng.uniform(2.5, 6)
            inside = paint.fill(canvas.mask(), body([[-gap, drop - 2], [gap, drop - 2],
                                                     [gap, drop - 0.3], [0.1, drop + low],
                                                     [-0.1, drop + low], [-gap, drop - 0.3]]))
            if rng.random() < 0.5:
                tie = canvas.mask()
                paint.fill(tie, body([[-0.14, collar + 0.2], [0.14, collar + 0.2], [0.12, drop],
                                      [0.28, drop + 3], [-0.28, drop + 3], [-0.12, drop]]))
                canvas.over(cv2.min(tie, torso), paint.random_colour(rng), CLOTHES)
            canvas.over(cv2.multiply(torso, 255 - inside, scale=1 / 255), jacket, CLOTHES)
            edges = body([[[gap, drop - 0.3], [0.1, drop + low]],
                          [[-gap, drop - 0.3], [-0.1, drop + low]]])
            shadow = paint.lines(canvas.mask(), edges, 90, 0.08 * unit)
            canvas.over(cv2.min(shadow, torso), np.zeros(3), CLOTHES)

    def _arms(self, broad: float, drop: float, sleeve: float, skin: np.ndarray,
              clothes: np.ndarray) -> None:
        """Both arms; `sleeve` is how much of them the clothes cover."""
        rng, canvas, unit = self.rng, self.canvas, self.unit
        for side in (-1, 1):
            elbow = [broad + rng.uniform(-0.1, 0.9), drop + rng.uniform(2.4, 3.1)]
            wrist = [rng.uniform(-0.6, broad + 0.7), drop + rng.uniform(3.4, 5.6)]
            path = np.array([[broad - 0.25, drop + 0.45], elbow, wrist]) * [side, 1]
            path = paint.rounded(path, 2, closed=False)
            arm = paint.lines(canvas.mask(), self.body(path)[None], 255, 0.72 * unit)
            if sleeve < 1:
                canvas.over(arm, skin, SKIN)
            else:
                fist = paint.ellipse(path[-1] + [0, 0.3], (0.36, 0.45), 16)
                canvas.over(paint.fill(canvas.mask(), self.body(fist)), skin, SKIN)
            if sleeve > 0:
                keep = max(2, int(sleeve * len(path)))
                covered = paint.lines(canvas.mask(), self.body(path[:keep])[None], 255, 0.95 * unit)
                canvas.over(covered, paint.dim(clothes, rng.uniform(0.75, 1.0)),
                            CLOTHES)

    def _legs(self, waist: float, skin: np.ndarray) -> None:
        """Legs in trousers or under a skirt, and shoes."""
        rng, canvas, unit = self.rng, self.canvas, self.unit
        trousers = self._cloth()
        bare = rng.random() < 0.35
        for side in (-1, 1):
            foot = [rng.uniform(0.5, 1.4), rng.uniform(15.5, 17.5)]
            path = np.array([[0.75, 8], [rng.uniform(0.7, 1.2), 12], foot]) * [side, 1]
            leg = paint.lines(canvas.mask(), self.body(path)[None], 255,
                              unit * (0.85 if bare else rng.uniform(1.1, 1.5)))
            canvas.over(leg, skin if bare else trousers, SKIN if bare else CLOTHES)
            shoe = paint.ellipse(path[-1] + [0.2 * side, 0.3], (0.6, 0.35), 14)
            canvas.over(paint.fill(canvas.mask(), self.body(shoe)),
                        paint.random_colour(rng, (0, 0.4), (0.05, 0.9)), CLOTHES)
        if bare:
            hem = rng.uniform(10, 13.5)
            skirt = [[-waist, 7], [waist, 7], [waist * rng.uniform(1, 1.6), hem],
                     [-waist * rng.uniform(1, 1.6), hem]]
            canvas.over(paint.fill(canvas.mask(), self.body(skirt)), trousers, CLOTHES)

    def _skin_paint(self, gain: float) -> np.ndarray:
        """A picture of skin: tone, blotches, light."""
        rng = self.rng
        blotch = paint.noise(rng, self.size, (0.1, 0.5), kind=rng.integers(0, 4))
        blotch = 128 + (blotch.astype(np.float32) - 128) * rng.uniform(0.03, 0.15)
        skin = paint.shade(paint.picture(self.skin, self.size), blotch.astype(np.uint8))
        return paint.shade(skin, self._lit(gain - 1))

    def _head(self) -> None:
        """Ears, skull and face."""
        rng, canvas, head = self.rng, self.canvas, self.head
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        x, y = np.cos(angle), np.sin(angle)
        narrow = 1 - (1 - self.jaw) * np.clip(y, 0, 1) ** 1.5
        outline = np.stack([x * narrow, y * np.where(y > 0, self.tall, 1.32)], 1)
        mask = paint.fill(canvas.mask(), head(outline))
        if abs(self.turn) > 0.6 and not self.back:
            side = np.sign(self.turn)
            paint.fill(mask, head(np.array([[0.9, -0.1], [1.16, 0.42], [1.0, 0.55], [0.8, 0.6]])
                                  * [side, 1]))
        radius = np.sqrt(self.hx**2 + (self.hy / self.tall) ** 2)
        edge = -rng.uniform(0.1, 0.45) * np.clip(radius - 0.55, 0, 1) ** 1.5
        edge = (128 * (1 + np.maximum(edge, -1))).astype(np.uint8)
        skin = paint.shade(self._skin_paint(1.0), edge)
        ears = canvas.mask()
        for side in (-1, 1):
            place = side if self.back else np.sin(side * 1.45 + self.turn)
            if side * self.turn < 0.25 or self.back:
                ear = paint.ellipse((1.03 * place, 0.15), (0.16, 0.33), 16)
                paint.fill(ears, head(ear))
                paint.lines(skin, head(ear * 0.6 + 0.4 * ear.mean(0))[None], self.skin * 0.55,
                            0.04 * self.unit)
        canvas.over(ears, paint.dim(skin, 0.85), SKIN)
        chin = canvas.mask()
        paint.fill(chin, head(outline + np.array([0, 0.25])))
        chin = paint.soften(chin, 0.12 * self.unit)
        neck = np.round(255 * np.clip(canvas.cover[SKIN], 0, 1)).astype(np.uint8)
        shadow = (chin * rng.uniform(0.1, 0.6)).astype(np.uint8)
        shadow = cv2.multiply(shadow, neck, scale=1 / 255)
        canvas.over(shadow, self.skin * 0.3 * self.exposure, SKIN)
        if not self.back:
            self._face(skin)
            x, y, wide, high = cv2.boundingRect(mask)
            if wide:
                part = skin[y:y + high, x:x + wide]
                part[:] = cv2.GaussianBlur(part, (0, 0), max(0.5, rng.uniform(0, 0.03) * self.unit))
        canvas.over(mask, skin, SKIN)

    def _face(self, skin: np.ndarray) -> None:
        """Draw the features into the picture of skin `skin`, in place."""
        rng, head, unit = self.rng, self.head, self.unit
        fall = rng.uniform(-0.15, 0.2)
        grow = rng.uniform(0.85, 1.15)

        def at(x: float, y: float) -> np.ndarray:
            return np.array([self._round(x), y + fall])

        def seen(x: float) -> float:
            return float(np.clip(np.cos(np.arcsin(x) + self.turn), 0.05, 1))

        shadow = self.canvas.mask()
        for side in (-1, 1):
            paint.fill(shadow, head(paint.ellipse(at(0.42 * side, -0.02), (0.3, 0.17), 14)), 110)
            paint.fill(shadow, head([at(0.12 * side, 0), at(0.24 * side, 0.5), at(0, 0.52)]),
                       rng.uniform(20, 110))
        paint.fill(shadow, head(paint.ellipse(at(0, 0.98), (0.25, 0.07), 12)), 90)
        shadow = paint.soften(shadow, 0.06 * unit)
        bright = self.canvas.mask()
        for side in (-1, 1):
            paint.fill(bright, head(paint.ellipse(at(0.5 * side, 0.38), (0.22, 0.16), 12)), 70)
        paint.fill(bright, head(paint.ellipse(at(0.03, 0.2), (0.06, 0.3), 12)), 110)
        paint.fill(bright, head(paint.ellipse(at(0, -0.6), (0.5, 0.2), 12)), 60)
        bright = paint.soften(bright, 0.1 * unit)
        bright = (bright * rng.uniform(0, 1)).astype(np.uint8)
        paint.lay(skin, bright, np.clip(self.skin * 1.25 + 40, 0, 255) * self.exposure)
        if rng.random() < self.config.beard:
            full = paint.fill(self.canvas.mask(), head(
                [at(-0.97, 0.2), at(-0.8, 0.35), at(-0.4, 0.6), at(0, 0.52), at(0.4, 0.6),
                 at(0.8, 0.35), at(0.97, 0.2), at(0.9, 1.6), at(-0.9, 1.6)]), rng.uniform(70, 245))
            full = paint.soften(full, 0.07 * unit)
            speck = paint.noise(rng, self.size, (0.5, 1), kind=5)
            full = cv2.multiply(full, cv2.add(speck, 60), scale=1 / 200)
            paint.lay(skin, full, self.hair * self.exposure * 0.8)
        paint.lay(skin, (shadow * rng.uniform(0.3, 0.9)).astype(np.uint8),
                  self.skin * 0.45 * self.exposure)
        dark = self.skin * 0.3 * self.exposure
        brow = np.clip(self.hair * rng.uniform(0.4, 0.9), 0, 200) * self.exposure
        iris = rng.choice([[40, 28, 22], [84, 56, 34], [74, 96, 116], [86, 100, 62]])
        lid = rng.uniform(0.05, 0.1)
        for side in (-1, 1):
            eye, width = at(0.42 * side, 0.0), 0.17 * seen(0.42 * side) * grow
            if seen(0.42 * side) > 0.2:
                paint.fill(skin, head(paint.ellipse(eye, (width, lid), 14)),
                           (0.7 * np.array([225, 220, 216]) + 0.2 * self.skin) * self.exposure)
                look = eye + np.array([rng.uniform(-0.3, 0.3) * width, 0])
                paint.fill(skin, head(paint.ellipse(look, (0.09 * seen(0.42 * side), lid), 12)),
                           np.array(iris) * self.exposure)
                rim = paint.ellipse(eye, (width * 1.1, lid * 1.2), 16)[8:]
                paint.lines(skin, head(rim)[None], dark * 0.6, 0.04 * unit)
            lift = rng.uniform(-0.08, 0.05)
            arc = np.stack([at(side * 0.2, -0.2), at(side * 0.42, -0.28 + lift),
                            at(side * 0.66, -0.18)])
            paint.lines(skin, head(paint.rounded(arc, 2, False))[None], brow,
                        unit * rng.uniform(0.04, 0.1))
            paint.fill(skin, head(paint.ellipse(at(0.1 * side, 0.5), (0.055, 0.035), 8)), dark)
        red = rng.uniform(0, 0.25) if rng.random() < 0.6 else rng.uniform(0.2, 0.8)
        lips = self.skin * np.array([0.9 + 0.1 * red, 0.72 - 0.35 * red, 0.72 - 0.3 * red])
        wide, thick = rng.uniform(0.27, 0.42), rng.uniform(0.06, 0.13)
        smile, apart = rng.uniform(-0.06, 0.1), max(0.0, rng.normal(0, 0.07))
        edge = [at(-wide, 0.78 - smile), at(-0.1, 0.78 - thick), at(0, 0.79 - thick),
                at(0.1, 0.78 - thick), at(wide, 0.78 - smile), at(0, 0.8 + thick * 1.3 + apart)]
        paint.fill(skin, head(paint.rounded(edge, 2)), lips * self.exposure)
        middle = [at(-wide * 0.85, 0.78 - smile), at(0, 0.79), at(wide * 0.85, 0.78 - smile),
                  at(0, 0.8 + apart)]
        inside = np.array([235, 230, 225]) if rng.random() < 0.6 else dark
        if apart > 0.03:
            paint.fill(skin, head(paint.rounded(middle, 2)), inside * self.exposure)
        else:
            paint.lines(skin, head(np.stack(middle[:3]))[None], dark, 0.03 * unit)
        if rng.random() < self.config.glasses:
            sun = rng.random() < 0.35
            frame = paint.random_colour(rng, (0, 0.6), (0.05, 0.5))
            wide, high = rng.uniform(0.26, 0.36), rng.uniform(0.17, 0.3)
            for side in (-1, 1):
                ring = paint.ellipse(at(0.42 * side, 0.03), (wide * seen(0.42 * side), high), 20)
                if sun:
                    paint.fill(skin, head(ring), frame * 0.5)
                paint.lines(skin, head(ring)[None], frame, max(1, 0.045 * unit), closed=True)
                bow = np.stack([at(0.72 * side, 0), at(0.99 * side, -0.05)])
                paint.lines(skin, head(bow)[None], frame, 0.05 * unit)
            paint.lines(skin, head(np.stack([at(-0.12, 0), at(0.12, 0)]))[None], frame, 0.05 * unit)

    def _hat(self) -> None:
        """A cap, a woollen hat or a hat with a brim; clothes."""
        rng, canvas, mask = self.rng, self.canvas, self.canvas.mask()
        low, wide = rng.uniform(-0.75, -0.35), rng.uniform(1.08, 1.25)
        tall = rng.uniform(0.9, 1.4)
        dome = paint.ellipse((0, low), (wide, tall), 40)
        paint.fill(mask, self.head(dome[20:]))
        cloth = self._cloth()
        canvas.over(mask, cloth, CLOTHES)
        kind, brim = rng.integers(3), canvas.mask()
        if kind == 0 and not self.back:
            paint.fill(brim, self.head(paint.ellipse((np.sin(self.turn), low + 0.05), (0.85, 0.2))))
        elif kind == 1:
            paint.fill(brim, self.head(paint.ellipse((0, low), (rng.uniform(1.5, 2.2), 0.25))))
        else:
            paint.fill(brim, self.head([[-wide, low - 0.3], [wide, low - 0.3], [wide, low + 0.08],
                                        [-wide, low + 0.08]]))
        canvas.over(brim, paint.dim(cloth, rng.uniform(0.6, 1.2)), CLOTHES)

    def _hand(self) -> None:
        """A forearm with a hand, before the body or at the face."""
        rng, canvas, unit = self.rng, self.canvas, self.unit
        side = rng.choice([-1, 1])
        at = np.array([side * rng.uniform(0.3, 1.5), rng.uniform(0.4, 3.5)])
        elbow = at + np.array([side * rng.uniform(0.2, 2), rng.uniform(2, 4)])
        skin = self._skin_paint(0.95)
        forearm = paint.lines(canvas.mask(), self.body(np.stack([at, elbow]))[None], 255,
                              0.55 * unit)
        if rng.random() < 0.5:
            canvas.over(forearm, skin, SKIN)
        else:
            canvas.over(forearm, self._cloth(), CLOTHES)
        way = rng.uniform(-1.2, 1.2) - np.pi / 2
        mask = paint.fill(canvas.mask(), self.body(paint.ellipse(at, (0.42, 0.48), 18)))
        spread = way + np.linspace(-0.5, 0.5, 4)
        tips = at + 0.95 * np.stack([np.cos(spread), np.sin(spread)], 1)
        fingers = self.body(np.stack([np.broadcast_to(at, tips.shape), tips], 1))
        paint.lines(mask, fingers, 255, 0.2 * unit)
        shadow = paint.soften(mask, 0.08 * unit)
        person = np.clip(255 * (1 - canvas.cover[0]), 0, 255).astype(np.uint8)
        shadow = (cv2.min(shadow, person) * 0.4).astype(np.uint8)
        for label in (SKIN, CLOTHES):
            covered = (shadow * canvas.cover[label]).astype(np.uint8)
            canvas.over(covered, self.skin * 0.2, label)
        aside = np.array([-np.sin(way), np.cos(way)]) * 0.11
        gaps = self.body(np.stack([np.broadcast_to(at + aside, tips.shape), tips + aside], 1))
        paint.lines(skin, gaps, self.skin * 0.55 * self.exposure, 0.04 * unit)
        canvas.over(mask, skin, SKIN)
