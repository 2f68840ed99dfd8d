"""Hair of the synthetic portraits: a sheet of strands that falls from the crown.

One sheet gives both the outline and the look, so that strands run along the hair they belong to.
It is drawn as if there were no face; `hair_front` opens it.
Chapter: data preparation.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import noise, random_colour, shade, soften
from seglib.data._portrait.brushes import picture as flat
from seglib.data._portrait.cuts import random_cut
from seglib.data._portrait.figure import Figure
from seglib.data._portrait.layers import two_tone
from seglib.data._portrait.shapes import fill, lines, rounded


class Hair:
    """The hair sheet of a figure with a random cut.

    Attributes:
        figure: whose hair it is; its pose is known.
        cut: the lengths of the sheet.
        part: x of the parting, in the figure's units.
    """

    def __init__(self, figure: Figure) -> None:
        rng = figure.rng
        self.figure = figure
        self.cut = random_cut(rng, figure.style, figure.back)
        self._phase, self.part = rng.random(), rng.uniform(-0.5, 0.5)
        self._sway = rng.normal(0, 0.12) * min(self.cut.low, 3)

    def strands(self, u: np.ndarray, ragged: float, points: int = 18) -> np.ndarray:
        """Curves (N, points, 2) of the hair sheet; u -1..1 is the place across the sheet."""
        figure, cut, rng = self.figure, self.cut, self.figure.rng
        count = len(u)
        t = np.linspace(0, 1, points)[None]
        arch = np.clip(t / 0.45, 0, 1) * np.pi / 2
        fall = np.clip((t - 0.45) / 0.55, 0, 1)
        low = cut.low * (1 + ragged * rng.uniform(-1, 1, (count, 1)))
        wide = cut.wide * np.sin(arch) + (cut.end - cut.wide) * fall * fall * (3 - 2 * fall)
        phase = self._phase + 0.35 * u[:, None] + rng.normal(0, 0.06 + ragged * 0.4, (count, 1))
        wave = cut.wave * np.sin(2 * np.pi * (cut.waves * t + phase)) * (0.3 + 0.7 * t)
        x = self.part * np.cos(arch) + u[:, None] * wide + wave + self._sway * fall * fall
        y = -cut.top * np.cos(arch) + low * fall + 0.3 * wave
        x = x - 0.25 * np.sin(figure.turn) * (not figure.back)
        return np.stack([x, np.broadcast_to(y, x.shape)], -1)

    def coverage(self) -> np.ndarray:
        """How much of each pixel the whole sheet covers, uint8, as if it had no face opening."""
        figure, cut, rng = self.figure, self.cut, self.figure.rng
        mask = figure.canvas.mask()
        across = np.concatenate([[-1], np.linspace(-1, 1, 22), [1]])
        edge = self.strands(across, 0.12)
        rim = rng.uniform(0.01, 0.05)
        edge = edge + rng.normal(0, rim, edge.shape) * min(1, cut.top)
        outline = np.concatenate([edge[0], edge[1:-1, -1], edge[-1][::-1]])
        fill(mask, figure.head(outline if cut.curl else rounded(outline, 1)))
        if cut.curl:
            for x, y in figure.head(outline[rng.integers(len(outline), size=70)]
                                    + rng.normal(0, 0.05, (70, 2))):
                radius = figure.unit * cut.curl * rng.uniform(0.5, 1.3)
                cv2.circle(mask, (int(16 * x), int(16 * y)), int(16 * radius), 255, -1,
                           cv2.LINE_AA, 4)
        if cut.opacity < 1:
            mask = cv2.GaussianBlur((mask * cut.opacity).astype(np.uint8), (0, 0),
                                    max(0.5, 0.05 * figure.unit))
        else:
            mask = soften(mask, rng.uniform(0.005, 0.03) * figure.unit)
            loose = int(rng.integers(6, 50))
            side = rng.choice([-1, 1], 3 * loose) * rng.uniform(0.9, 1.13, 3 * loose)
            wisps = figure.head(self.strands(side, 0.25, 14))
            layer = figure.canvas.mask()
            for group, value in enumerate((70, 120, 190)):
                lines(layer, wisps[group::3], value)
            tips = self.strands(rng.uniform(-1, 1, 40), 0.22, 14)
            lines(layer, figure.head(tips[:, 7:]), 200, 0.03 * figure.unit)
            mask = cv2.max(mask, layer)
        return mask

    def picture(self) -> np.ndarray:
        """Hair all over the canvas, uint8 (size, size, 3): strands or curls, gloss, dyed ends."""
        figure, cut, rng = self.figure, self.cut, self.figure.rng
        size = figure.size
        rough = noise(rng, size, (0.2, 0.8), kind=rng.integers(2, 6),
                      tall=1.0 if cut.curl else 0.15)
        dark, light = figure.hair * rng.uniform(0.35, 0.7), figure.hair * rng.uniform(1.1, 1.5) + 8
        hair = two_tone(dark, np.clip(light, 0, 255), rough)
        width = max(1.0, rng.uniform(0.015, 0.045) * figure.unit)
        count = int(np.clip(256 * figure.unit / size, 12, 44))
        contrast = rng.uniform(0.15, 0.5)
        for tone in np.array([-1, -0.4, 0.4, 1]) * contrast:
            colour = np.clip(figure.hair * (1 + tone) + 12 * tone, 0, 255)
            if cut.curl:
                angle = rng.uniform(0, 6.3, (2 * count, 1)) + np.linspace(0, 4.2, 8)
                radius = cut.curl * rng.uniform(0.35, 1.0, (2 * count, 1))
                reach = [cut.wide * 1.1, 0.5 * (cut.top + cut.low)]
                at = rng.uniform(-1, 1, (2 * count, 1, 2)) * reach
                at[..., 1] += 0.5 * (cut.low - cut.top)
                curls = at + np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
                lines(hair, figure.head(curls), colour, width)
            if cut.curl < 0.12:
                strands = self.strands(np.sin(rng.uniform(-1.6, 1.6, count)), 0.1, 12)
                lines(hair, figure.head(strands), colour, width)
        if rng.random() < 0.12 and cut.low > 1:
            ends = np.clip((figure.hy - rng.uniform(-0.5, 1)) / rng.uniform(0.8, 2), 0, 1)
            ends = cv2.resize((ends * rng.uniform(120, 255)).astype(np.uint8), (size, size))
            other = random_colour(rng, (0.2, 0.9), (0.3, 0.9))
            hair = two_tone(hair, shade(flat(other, size), rough), ends)
        band = (figure.hy + rng.uniform(0.3, 1.0) + 0.3 * figure.hx**2) / rng.uniform(0.15, 0.4)
        gloss = rng.uniform(0, 0.6) * np.exp(-band**2)
        sides = rng.uniform(0, 0.3) * np.clip((figure.hx / cut.wide) ** 2, 0, 1)
        return shade(hair, figure.lit(gloss - sides))
