"""The face of a synthetic portrait: hollows, cheeks, beard, eyes, mouth, glasses; all of it skin.

The features are painted into the picture of the skin before the head is laid on the canvas, so
that they move with a turned head and never leave its outline.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from seglib.data._portrait.brushes import noise, random_colour, soften
from seglib.data._portrait.figure import Figure
from seglib.data._portrait.layers import lay
from seglib.data._portrait.shapes import ellipse, fill, lines, rounded


def draw_face(figure: Figure, skin: np.ndarray) -> None:
    """Draw the features into the picture of skin `skin`, uint8 (size, size, 3), in place."""
    rng, face = figure.rng, _Face(figure, skin)
    shadow = face.hollows()
    face.highlights()
    if rng.random() < figure.config.beard:
        face.beard()
    lay(skin, (shadow * rng.uniform(0.3, 0.9)).astype(np.uint8),
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
            fill(shadow, head(ellipse(at(0.42 * side, -0.02), (0.3, 0.17), 14)), 110)
            fill(shadow, head([at(0.12 * side, 0), at(0.24 * side, 0.5), at(0, 0.52)]),
                 rng.uniform(20, 110))
        fill(shadow, head(ellipse(at(0, 0.98), (0.25, 0.07), 12)), 90)
        return soften(shadow, 0.06 * self.figure.unit)

    def highlights(self) -> None:
        """Lighter cheeks, nose and forehead."""
        figure, head, at = self.figure, self.figure.head, self.at
        bright = figure.canvas.mask()
        for side in (-1, 1):
            fill(bright, head(ellipse(at(0.5 * side, 0.38), (0.22, 0.16), 12)), 70)
        fill(bright, head(ellipse(at(0.03, 0.2), (0.06, 0.3), 12)), 110)
        fill(bright, head(ellipse(at(0, -0.6), (0.5, 0.2), 12)), 60)
        bright = soften(bright, 0.1 * figure.unit)
        bright = (bright * figure.rng.uniform(0, 1)).astype(np.uint8)
        lay(self.skin, bright, np.clip(figure.skin * 1.25 + 40, 0, 255) * figure.exposure)

    def beard(self) -> None:
        """Hair on chin and cheeks, from stubble to a full beard."""
        figure, rng, at = self.figure, self.figure.rng, self.at
        full = fill(figure.canvas.mask(), figure.head(
            [at(-0.97, 0.2), at(-0.8, 0.35), at(-0.4, 0.6), at(0, 0.52), at(0.4, 0.6),
             at(0.8, 0.35), at(0.97, 0.2), at(0.9, 1.6), at(-0.9, 1.6)]), rng.uniform(70, 245))
        full = soften(full, 0.07 * figure.unit)
        speck = noise(rng, figure.size, (0.5, 1), kind=5)
        full = cv2.multiply(full, cv2.add(speck, 60), scale=1 / 200)
        lay(self.skin, full, figure.hair * figure.exposure * 0.8)

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
                fill(skin, head(ellipse(eye, (width, lid), 14)),
                     (0.7 * np.array([225, 220, 216]) + 0.2 * figure.skin) * figure.exposure)
                look = eye + np.array([rng.uniform(-0.3, 0.3) * width, 0])
                fill(skin, head(ellipse(look, (0.09 * seen(0.42 * side), lid), 12)),
                     np.array(iris) * figure.exposure)
                rim = ellipse(eye, (width * 1.1, lid * 1.2), 16)[8:]
                lines(skin, head(rim)[None], dark * 0.6, 0.04 * unit)
            lift = rng.uniform(-0.08, 0.05)
            arc = np.stack([at(side * 0.2, -0.2), at(side * 0.42, -0.28 + lift),
                            at(side * 0.66, -0.18)])
            lines(skin, head(rounded(arc, 2, False))[None], brow, unit * rng.uniform(0.04, 0.1))
            fill(skin, head(ellipse(at(0.1 * side, 0.5), (0.055, 0.035), 8)), dark)

    def mouth(self) -> None:
        """Lips, painted or not, closed or apart."""
        figure, rng, head, at = self.figure, self.figure.rng, self.figure.head, self.at
        red = rng.uniform(0, 0.25) if rng.random() < 0.6 else rng.uniform(0.2, 0.8)
        lips = figure.skin * np.array([0.9 + 0.1 * red, 0.72 - 0.35 * red, 0.72 - 0.3 * red])
        wide, thick = rng.uniform(0.27, 0.42), rng.uniform(0.06, 0.13)
        smile, apart = rng.uniform(-0.06, 0.1), max(0.0, rng.normal(0, 0.07))
        edge = [at(-wide, 0.78 - smile), at(-0.1, 0.78 - thick), at(0, 0.79 - thick),
                at(0.1, 0.78 - thick), at(wide, 0.78 - smile), at(0, 0.8 + thick * 1.3 + apart)]
        fill(self.skin, head(rounded(edge, 2)), lips * figure.exposure)
        middle = [at(-wide * 0.85, 0.78 - smile), at(0, 0.79), at(wide * 0.85, 0.78 - smile),
                  at(0, 0.8 + apart)]
        inside = np.array([235, 230, 225]) if rng.random() < 0.6 else self._dark
        if apart > 0.03:
            fill(self.skin, head(rounded(middle, 2)), inside * figure.exposure)
        else:
            lines(self.skin, head(np.stack(middle[:3]))[None], self._dark, 0.03 * figure.unit)

    def glasses(self) -> None:
        """Spectacles or sunglasses with their bows."""
        rng, head, unit = self.figure.rng, self.figure.head, self.figure.unit
        skin, at = self.skin, self.at
        sun = rng.random() < 0.35
        frame = random_colour(rng, (0, 0.6), (0.05, 0.5))
        wide, high = rng.uniform(0.26, 0.36), rng.uniform(0.17, 0.3)
        for side in (-1, 1):
            ring = ellipse(at(0.42 * side, 0.03), (wide * self.seen(0.42 * side), high), 20)
            if sun:
                fill(skin, head(ring), frame * 0.5)
            lines(skin, head(ring)[None], frame, max(1, 0.045 * unit), closed=True)
            bow = np.stack([at(0.72 * side, 0), at(0.99 * side, -0.05)])
            lines(skin, head(bow)[None], frame, 0.05 * unit)
        lines(skin, head(np.stack([at(-0.12, 0), at(0.12, 0)]))[None], frame, 0.05 * unit)
