"""The figure of a synthetic portrait: who it is, where it stands, and how the light falls on it.

All that the drawing of hair, head, body and clothes has to agree on is decided here, once. The
parts are drawn in the figure's own units: 1 is half a head's width, (0, 0) the head's middle, x
goes right and y down. The head and the body have a `Frame` each, as the head tilts more.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from seglib.data._portrait import looks
from seglib.data._portrait.brushes import noise
from seglib.data._portrait.layers import Canvas
from seglib.data._portrait.places import background
from seglib.data._portrait.shapes import Frame

if TYPE_CHECKING:
    from seglib.data.synthetic import PortraitConfig


class Figure:
    """One person's looks, light and pose, and the canvas with the place behind.

    Attributes:
        rng: source of chance.
        size: side of the canvas in pixels.
        config: what is drawn how often.
        tone: index into `SKIN_TONES`.
        skin: colour of the skin, float (3,), 0..255.
        hair: colour of the hair, float (3,), 0..255.
        style: name of the hair cut, one of `STYLES`.
        canvas: the picture so far.
        exposure: brightness of the person, 1 = as coloured.
        head: frame of the head; from `pose`, like all that follows.
        body: frame of the body.
        unit: half the head's width in pixels.
        back: whether the head is seen from behind.
        turn: turn of the head to the side, radians.
        tall: length of the face from the middle to the chin, in units.
        jaw: width of the chin as a part of the head's.
        hx: x of a coarse grid over the canvas in the head's units, float32 (64, 64).
        hy: y of that grid.
    """

    def __init__(self, rng: np.random.Generator, size: int, config: PortraitConfig) -> None:
        self.rng, self.size, self.config = rng, size, config
        self._be_someone()
        distractor = self.hair if rng.random() < 0.5 else self.skin
        self.canvas = Canvas(background(rng, size, distractor, config.passers_by))
        self._light = rng.uniform(0, 2 * np.pi)
        self._light_strength = rng.uniform(0, 0.45) if rng.random() < 0.7 else rng.uniform(0.4, 0.8)
        self.exposure = rng.uniform(0.45, 0.75) if rng.random() < config.backlight else (
            rng.uniform(0.8, 1.12))

    def _be_someone(self) -> None:
        self.tone, self.skin = looks.skin_colour(self.rng)
        self.hair = looks.hair_colour(self.rng, self.config.hair_tones)
        self.style = looks.style(self.rng, self.config.styles)

    def companion(self) -> Figure:
        """Someone else on the same canvas and in the same light, beside this posed figure."""
        rng, other = self.rng, copy.copy(self)
        other._be_someone()
        beside = rng.choice([-1, 1]) * self.unit * rng.uniform(2.2, 3.6)
        centre = self._centre + np.array([beside, self.unit * rng.uniform(-0.8, 0.8)])
        other._stand(self.unit * rng.uniform(0.75, 1.05), centre)
        return other

    def pose(self) -> None:
        """Decide how large the figure is, where it stands and which way it looks."""
        rng, config = self.rng, self.config
        frame = rng.choice(4, p=np.array(config.framing) / sum(config.framing))
        unit, height = (((0.21, 0.33), (0.42, 0.6)), ((0.13, 0.23), (0.3, 0.5)),
                        ((0.075, 0.13), (0.17, 0.38)), ((0.035, 0.07), (0.08, 0.4)))[frame]
        unit = self.size * rng.uniform(*unit)
        spread = np.clip(rng.normal(0, 0.5), -1, 1) * config.shift * (2 if frame == 3 else 1)
        centre = self.size * np.array([0.5 + spread, rng.uniform(*height)])
        self._stretch = rng.uniform(*config.stretch)
        self._stand(unit, centre)

    def _stand(self, unit: float, centre: np.ndarray) -> None:
        """Set the frames of head and body, and which way the head looks."""
        rng, config, stretch = self.rng, self.config, self._stretch
        self._centre = centre
        tilt = np.radians(np.clip(rng.normal(0, 0.4), -1, 1) * config.tilt)
        self.head = Frame(unit, tilt, centre, stretch)
        self.body = Frame(unit, tilt * rng.uniform(0, 0.5), centre, stretch)
        self.unit = unit
        self.back = rng.random() < config.back_view
        self.turn = 1.2 * config.yaw * np.clip(rng.normal(0, 0.5), -1, 1)
        self.tall, self.jaw = rng.uniform(1.22, 1.48), rng.uniform(0.62, 0.95)
        self.hx, self.hy = self.head.grid(self.size, 64)

    def lit(self, extra: np.ndarray | float = 0.0) -> np.ndarray:
        """Brightness (uint8 (64, 64), 128 = 1) from the light's side, the exposure and `extra`."""
        along = self.hx * np.cos(self._light) + self.hy * np.sin(self._light)
        gain = 1 + self._light_strength * np.clip(along, -1.5, 1.5) + extra
        return np.clip(128 * self.exposure * gain, 12, 255).astype(np.uint8)

    def turned(self, x: np.ndarray | float) -> np.ndarray:
        """Sideways place (-1..1) on the unturned face -> where the turn of the head puts it."""
        if isinstance(x, float):
            angle = math.asin(min(max(x, -1), 1)) + self.turn
            return math.sin(min(max(angle, -math.pi / 2), math.pi / 2))
        return np.sin(np.clip(np.arcsin(np.clip(x, -1, 1)) + self.turn, -np.pi / 2, np.pi / 2))

    def skin_picture(self, gain: float, extra: np.ndarray | float = 0.0) -> np.ndarray:
        """Skin all over the canvas, uint8 (size, size, 3): tone, blotches, light times `gain`."""
        rng = self.rng
        blotch = noise(rng, 64, (0.1, 0.5), kind=rng.integers(0, 4)).astype(np.float32) - 128
        light = self.lit(gain - 1 + extra + rng.uniform(0.03, 0.15) / 128 * blotch)
        # Light and blotches change slowly: they are mixed on the coarse grid, for a tenth of the
        # time that it takes on the canvas.
        skin = np.minimum(light[..., None] * (self.skin / 128), 255).astype(np.uint8)
        return cv2.resize(skin, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
