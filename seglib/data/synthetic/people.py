"""The person of a synthetic portrait: who it is, how it stands and is lit, head and face.

All that the drawing of hair, head, body and clothes has to agree on is decided once, in `Figure`.
The parts are drawn in the figure's own units: 1 is half a head's width, (0, 0) the head's middle, x
goes right and y down. Features are painted into the picture of the skin before the head is laid on
the canvas, so that they move with a turned head and never leave its outline.
"""

import copy
import math
from collections.abc import Sequence

import cv2
import numpy as np

from seglib.data.synthetic import drawing as d
from seglib.data.synthetic.config import HAIR_TONES, SKIN, SKIN_TONES, STYLES, PortraitConfig
from seglib.data.synthetic.scenes import background


def _skin_colour(rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """A random index into `SKIN_TONES` and a colour of that tone, float (3,), 8..250."""
    tone = int(rng.integers(len(SKIN_TONES)))
    swatch = np.array(list(bytes.fromhex(SKIN_TONES[tone])), float)
    # Swatches are paler than lit skin in photos, whose red is stronger and blue weaker, and
    # the dark ones darker than skin that a photographer exposes for: hence factors and power.
    lit = 255 * (swatch / 255) ** 0.76 * [1, 0.83, 0.73]
    return tone, np.clip(lit * rng.uniform(0.85, 1.1) + rng.uniform(0, 20), 8, 250)


def _hair_colour(rng: np.random.Generator, chances: Sequence[float]) -> np.ndarray:
    """A random hair colour, float (3,), 5..245."""
    weights = np.array([*chances, max(0.0, 1 - sum(chances))])
    kind = rng.choice(len(weights), p=weights / weights.sum())
    if kind == len(HAIR_TONES):
        colour = d.random_colour(rng, (0.4, 0.9), (0.3, 0.9))
    else:
        colour = np.array(list(HAIR_TONES.values())[kind], float)
    return np.clip(colour * rng.uniform(0.7, 1.35) + rng.normal(0, 6, 3), 5, 245)


class Figure:
    """One person's looks, light and pose, and the canvas with the place behind.

    Attributes:
        tone: index into `SKIN_TONES`; `skin` and `hair` are colours, float (3,), 0..255.
        style: name of the hair cut, one of `STYLES`.
        exposure: brightness of the person, 1 = as coloured.
        head: frame of the head, `body` that of the body; from `pose`, like all that follows.
        unit: half the head's width in pixels.
        back: whether the head is seen from behind.
        turn: turn of the head to the side, radians.
        tall: length of the face from the middle to the chin, `jaw` the chin's width, in units.
        hx: x and `hy` y of a coarse grid over the canvas in the head's units, float32 (64, 64).
    """

    def __init__(self, rng: np.random.Generator, size: int, config: PortraitConfig) -> None:
        self.rng, self.size, self.config = rng, size, config
        self._be_someone()
        distractor = self.hair if rng.random() < 0.5 else self.skin
        self.canvas = d.Canvas(background(rng, size, distractor, config.passers_by))
        self._light = rng.uniform(0, 2 * np.pi)
        self._light_strength = rng.uniform(0, 0.45) if rng.random() < 0.7 else rng.uniform(0.4, 0.8)
        self.exposure = rng.uniform(0.45, 0.75) if rng.random() < config.backlight else (
            rng.uniform(0.8, 1.12))

    def _be_someone(self) -> None:
        self.tone, self.skin = _skin_colour(self.rng)
        self.hair = _hair_colour(self.rng, self.config.hair_tones)
        chances = np.array(self.config.styles, float)
        self.style = STYLES[self.rng.choice(len(STYLES), p=chances / chances.sum())]

    def companion(self) -> "Figure":
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
        self.head = d.Frame(unit, tilt, centre, stretch)
        self.body = d.Frame(unit, tilt * rng.uniform(0, 0.5), centre, stretch)
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
        blotch = d.blotches(rng, (0.1, 0.5), (0, 4))
        light = self.lit(gain - 1 + extra + rng.uniform(0.03, 0.15) / 128 * blotch)
        # Light and blotches change slowly: they are mixed on the coarse grid, for a tenth of the
        # time that it takes on the canvas.
        skin = np.minimum(light[..., None] * (self.skin / 128), 255).astype(np.uint8)
        return cv2.resize(skin, (self.size, self.size), interpolation=cv2.INTER_LINEAR)


def draw_head(figure: Figure) -> None:
    """Draw ears, skull and face, and the shadow of the chin."""
    rng, canvas, head = figure.rng, figure.canvas, figure.head
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x, y = np.cos(angle), np.sin(angle)
    narrow = 1 - (1 - figure.jaw) * np.clip(y, 0, 1) ** 1.5
    outline = np.stack([x * narrow, y * np.where(y > 0, figure.tall, 1.32)], 1)
    mask = d.fill(canvas.mask(), head(outline))
    if abs(figure.turn) > 0.6 and not figure.back:
        side = np.sign(figure.turn)
        d.fill(mask, head(np.array([[0.9, -0.1], [1.16, 0.42], [1.0, 0.55], [0.8, 0.6]])
                          * [side, 1]))
    radius = np.sqrt(figure.hx**2 + (figure.hy / figure.tall) ** 2)
    edge = -rng.uniform(0.1, 0.45) * np.clip(radius - 0.55, 0, 1) ** 1.5
    skin = figure.skin_picture(1.0, edge)
    ears = canvas.mask()
    for side in (-1, 1):
        place = side if figure.back else np.sin(side * 1.45 + figure.turn)
        if side * figure.turn < 0.25 or figure.back:
            ear = d.ellipse((1.03 * place, 0.15), (0.16, 0.33), 16)
            d.fill(ears, head(ear))
            d.lines(skin, head(ear * 0.6 + 0.4 * ear.mean(0))[None], figure.skin * 0.55,
                    0.04 * figure.unit)
    canvas.over(ears, d.dim(skin, 0.85), SKIN)
    chin = canvas.mask()
    d.fill(chin, head(outline + np.array([0, 0.25])))
    chin = d.soften(chin, 0.12 * figure.unit)
    neck = np.round(255 * np.clip(canvas.cover[SKIN], 0, 1)).astype(np.uint8)
    shadow = (chin * rng.uniform(0.1, 0.6)).astype(np.uint8)
    shadow = cv2.multiply(shadow, neck, scale=1 / 255)
    canvas.over(shadow, figure.skin * 0.3 * figure.exposure, SKIN)
    if not figure.back:
        _draw_face(figure, skin)
        x, y, wide, high = cv2.boundingRect(mask)
        if wide:
            part = skin[y:y + high, x:x + wide]
            part[:] = cv2.GaussianBlur(part, (0, 0), max(0.5, rng.uniform(0, 0.03) * figure.unit))
    canvas.over(mask, skin, SKIN)


def _draw_face(figure: Figure, skin: np.ndarray) -> None:
    """Draw the features into the picture of skin `skin`, uint8 (size, size, 3), in place."""
    rng, face = figure.rng, _Face(figure, skin)
    shadow = face.hollows()
    face.highlights()
    if rng.random() < figure.config.beard:
        face.beard()
    d.lay(skin, (shadow * rng.uniform(0.3, 0.9)).astype(np.uint8),
          figure.skin * 0.45 * figure.exposure)
    face.eyes()
    face.mouth()
    if rng.random() < figure.config.glasses:
        face.glasses()


class _Face:
    """Where the features of one face are, and how each is drawn; lengths in the figure's units."""

    def __init__(self, figure: Figure, skin: np.ndarray) -> None:
        self.figure, self.skin = figure, skin
        self._fall = figure.rng.uniform(-0.15, 0.2)
        self._grow = figure.rng.uniform(0.85, 1.15)
        self._dark = figure.skin * 0.3 * figure.exposure

    def at(self, x: float, y: float) -> np.ndarray:
        """A place of the unturned face, x within -1..1, on the turned head."""
        return np.array([self.figure.turned(float(x)), y + self._fall])

    def seen(self, x: float) -> float:
        """How wide a feature at `x` looks on the turned head, 0.05..1."""
        return max(0.05, math.cos(math.asin(x) + self.figure.turn))

    def hollows(self) -> np.ndarray:
        """Coverage (uint8) of the shadows round the eyes, beside the nose and under the lip."""
        rng, head, at = self.figure.rng, self.figure.head, self.at
        shadow = self.figure.canvas.mask()
        for side in (-1, 1):
            d.fill(shadow, head(d.ellipse(at(0.42 * side, -0.02), (0.3, 0.17), 14)), 110)
            d.fill(shadow, head([at(0.12 * side, 0), at(0.24 * side, 0.5), at(0, 0.52)]),
                   rng.uniform(20, 110))
        d.fill(shadow, head(d.ellipse(at(0, 0.98), (0.25, 0.07), 12)), 90)
        return d.soften(shadow, 0.06 * self.figure.unit)

    def highlights(self) -> None:
        """Lighter cheeks, nose and forehead."""
        figure, head, at = self.figure, self.figure.head, self.at
        bright = figure.canvas.mask()
        for side in (-1, 1):
            d.fill(bright, head(d.ellipse(at(0.5 * side, 0.38), (0.22, 0.16), 12)), 70)
        d.fill(bright, head(d.ellipse(at(0.03, 0.2), (0.06, 0.3), 12)), 110)
        d.fill(bright, head(d.ellipse(at(0, -0.6), (0.5, 0.2), 12)), 60)
        bright = d.soften(bright, 0.1 * figure.unit)
        bright = (bright * figure.rng.uniform(0, 1)).astype(np.uint8)
        d.lay(self.skin, bright, np.clip(figure.skin * 1.25 + 40, 0, 255) * figure.exposure)

    def beard(self) -> None:
        """Hair on chin and cheeks, from stubble to a full beard."""
        figure, rng, at = self.figure, self.figure.rng, self.at
        full = d.fill(figure.canvas.mask(), figure.head(
            [at(-0.97, 0.2), at(-0.8, 0.35), at(-0.4, 0.6), at(0, 0.52), at(0.4, 0.6),
             at(0.8, 0.35), at(0.97, 0.2), at(0.9, 1.6), at(-0.9, 1.6)]), rng.uniform(70, 245))
        full = d.soften(full, 0.07 * figure.unit)
        speck = d.noise(rng, figure.size, (0.5, 1), kind=5)
        full = cv2.multiply(full, cv2.add(speck, 60), scale=1 / 200)
        d.lay(self.skin, full, figure.hair * figure.exposure * 0.8)

    def eyes(self) -> None:
        """Eyes, brows and nostrils, one side after the other."""
        figure, rng, head, unit = self.figure, self.figure.rng, self.figure.head, self.figure.unit
        skin, at, seen, dark = self.skin, self.at, self.seen, self._dark
        brow = np.clip(figure.hair * rng.uniform(0.4, 0.9), 0, 200) * figure.exposure
        iris = rng.choice([[40, 28, 22], [84, 56, 34], [74, 96, 116], [86, 100, 62]])
        lid = rng.uniform(0.05, 0.1)
        for side in (-1, 1):
            eye, width = at(0.42 * side, 0.0), 0.17 * seen(0.42 * side) * self._grow
            if seen(0.42 * side) > 0.2:
                d.fill(skin, head(d.ellipse(eye, (width, lid), 14)),
                       (0.7 * np.array([225, 220, 216]) + 0.2 * figure.skin) * figure.exposure)
                look = eye + np.array([rng.uniform(-0.3, 0.3) * width, 0])
                d.fill(skin, head(d.ellipse(look, (0.09 * seen(0.42 * side), lid), 12)),
                       np.array(iris) * figure.exposure)
                rim = d.ellipse(eye, (width * 1.1, lid * 1.2), 16)[8:]
                d.lines(skin, head(rim)[None], dark * 0.6, 0.04 * unit)
            lift = rng.uniform(-0.08, 0.05)
            arc = np.stack([at(side * 0.2, -0.2), at(side * 0.42, -0.28 + lift),
                            at(side * 0.66, -0.18)])
            d.lines(skin, head(d.rounded(arc, 2, False))[None], brow, unit * rng.uniform(0.04, 0.1))
            d.fill(skin, head(d.ellipse(at(0.1 * side, 0.5), (0.055, 0.035), 8)), dark)

    def mouth(self) -> None:
        """Lips, painted or not, closed or apart."""
        figure, rng, head, at = self.figure, self.figure.rng, self.figure.head, self.at
        red = rng.uniform(0, 0.25) if rng.random() < 0.6 else rng.uniform(0.2, 0.8)
        lips = figure.skin * np.array([0.9 + 0.1 * red, 0.72 - 0.35 * red, 0.72 - 0.3 * red])
        wide, thick = rng.uniform(0.27, 0.42), rng.uniform(0.06, 0.13)
        smile, apart = rng.uniform(-0.06, 0.1), max(0.0, rng.normal(0, 0.07))
        edge = [at(-wide, 0.78 - smile), at(-0.1, 0.78 - thick), at(0, 0.79 - thick),
                at(0.1, 0.78 - thick), at(wide, 0.78 - smile), at(0, 0.8 + thick * 1.3 + apart)]
        d.fill(self.skin, head(d.rounded(edge, 2)), lips * figure.exposure)
        middle = [at(-wide * 0.85, 0.78 - smile), at(0, 0.79), at(wide * 0.85, 0.78 - smile),
                  at(0, 0.8 + apart)]
        inside = np.array([235, 230, 225]) if rng.random() < 0.6 else self._dark
        if apart > 0.03:
            d.fill(self.skin, head(d.rounded(middle, 2)), inside * figure.exposure)
        else:
            d.lines(self.skin, head(np.stack(middle[:3]))[None], self._dark, 0.03 * figure.unit)

    def glasses(self) -> None:
        """Spectacles or sunglasses with their bows."""
        rng, head, unit = self.figure.rng, self.figure.head, self.figure.unit
        skin, at = self.skin, self.at
        sun = rng.random() < 0.35
        frame = d.random_colour(rng, (0, 0.6), (0.05, 0.5))
        wide, high = rng.uniform(0.26, 0.36), rng.uniform(0.17, 0.3)
        for side in (-1, 1):
            ring = d.ellipse(at(0.42 * side, 0.03), (wide * self.seen(0.42 * side), high), 20)
            if sun:
                d.fill(skin, head(ring), frame * 0.5)
            d.lines(skin, head(ring)[None], frame, max(1, 0.045 * unit), closed=True)
            bow = np.stack([at(0.72 * side, 0), at(0.99 * side, -0.05)])
            d.lines(skin, head(bow)[None], frame, 0.05 * unit)
        d.lines(skin, head(np.stack([at(-0.12, 0), at(0.12, 0)]))[None], frame, 0.05 * unit)
