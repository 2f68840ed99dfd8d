"""Hair of the synthetic portraits: a sheet of strands that falls from the crown.

One sheet gives the outline, and `hair_look` paints along the same sheet, so that strands run along
the hair they belong to. It is drawn as if there were no face; `hair_front` opens it.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import noise, soften
from seglib.data._portrait.cuts import random_cut
from seglib.data._portrait.figure import Figure
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
        self._aside = 0.0 if figure.back else 0.25 * np.sin(figure.turn)

    def strands(self, u: np.ndarray, ragged: float, points: int = 18) -> np.ndarray:
        """Curves (N, points, 2) of the hair sheet; u -1..1 is the place across the sheet."""
        cut, rng = self.cut, self.figure.rng
        count = len(u)
        t = (np.arange(points) / (points - 1))[None]
        arch = np.minimum(t / 0.45, 1) * (np.pi / 2)
        fall = np.maximum((t - 0.45) / 0.55, 0)
        low = cut.low * (1 + ragged * rng.uniform(-1, 1, (count, 1)))
        wide = cut.wide * np.sin(arch) + (cut.end - cut.wide) * fall * fall * (3 - 2 * fall)
        phase = self._phase + 0.35 * u[:, None] + rng.normal(0, 0.06 + ragged * 0.4, (count, 1))
        wave = cut.wave * np.sin(2 * np.pi * (cut.waves * t + phase)) * (0.3 + 0.7 * t)
        x = self.part * np.cos(arch) + u[:, None] * wide + wave + self._sway * fall * fall
        y = -cut.top * np.cos(arch) + low * fall + 0.3 * wave
        return np.stack([x - self._aside, y], -1)

    def across_and_along(self) -> tuple[np.ndarray, np.ndarray]:
        """Place across the sheet (-1..1 inside) and along it, float32, on the coarse grid.

        It undoes `strands`: wherever a strand passes, `across` is that strand's u.
        """
        figure, cut = self.figure, self.cut
        y, low = figure.hy, max(cut.low, 0.3)
        rise = np.clip(-y / cut.top, 0, 0.985)
        fall = np.clip(y / low, 0, 1)
        wide = cut.wide * np.sqrt(1 - rise * rise)
        wide += (cut.end - cut.wide) * fall * fall * (3 - 2 * fall)
        along = np.where(y < 0, -cut.top * np.arcsin(rise), y)
        share = np.clip(0.45 + 0.55 * y / low, 0, 1)
        x = figure.hx + self._aside - self.part * rise - self._sway * fall * fall
        x = x - cut.wave * np.sin(2 * np.pi * (cut.waves * share + self._phase)) * share
        return x / wide, along

    def coverage(self) -> np.ndarray:
        """How much of each pixel the whole sheet covers, uint8, as if it had no face opening."""
        figure, cut, rng = self.figure, self.cut, self.figure.rng
        mask, unit = figure.canvas.mask(), figure.unit
        across = np.concatenate([[-1], np.linspace(-1, 1, 22), [1]])
        edge = self.strands(across, 0.12)
        rim = rng.uniform(0.01, 0.05)
        edge = edge + rng.normal(0, rim, edge.shape) * min(1, cut.top)
        outline = np.concatenate([edge[0], edge[1:-1, -1], edge[-1][::-1]])
        fill(mask, figure.head(outline if cut.curl else rounded(outline, 1)))
        if cut.curl:
            at = outline[rng.integers(len(outline), size=24)] + rng.normal(0, 0.05, (24, 2))
            for x, y in figure.head(at):
                radius = unit * cut.curl * rng.uniform(0.5, 1.2)
                cv2.circle(mask, (int(16 * x), int(16 * y)), int(16 * radius), 255, -1,
                           cv2.LINE_AA, 4)
        if cut.opacity < 1:
            return cv2.GaussianBlur((mask * cut.opacity).astype(np.uint8), (0, 0),
                                    max(0.5, 0.05 * unit))
        mask = self._ragged(mask)
        loose = int(rng.integers(6, 40))
        layer = figure.canvas.mask()
        if cut.curl:
            root = outline[rng.integers(len(outline), size=loose)][:, None]
            angle = rng.uniform(0, 6.3, (loose, 1)) + np.linspace(0, rng.uniform(2, 5), 8)
            radius = cut.curl * rng.uniform(0.4, 1.3, (loose, 1, 1))
            curls = root + radius * np.stack([np.cos(angle), np.sin(angle)], -1)
            lines(layer, figure.head(curls), rng.uniform(90, 200))
        else:
            side = rng.choice([-1, 1], 2 * loose) * rng.uniform(0.9, 1.13, 2 * loose)
            wisps = figure.head(self.strands(side, 0.25, 22))
            for group, value in enumerate((80, 170)):
                lines(layer, wisps[group::2], value)
            tips = self.strands(rng.uniform(-1, 1, 24), 0.22, 14)
            lines(layer, figure.head(tips[:, 9:]), 200, 0.03 * unit)
            root = outline[rng.integers(len(outline), size=loose // 2)][:, None]
            far = np.linspace(-0.3, 1, 10)[None, :, None]
            way = rng.normal(0, 0.14, (len(root), 1, 2)) + 0.12 * root
            bend = rng.normal(0, 0.1, (len(root), 1, 2)) * far * far
            lines(layer, figure.head(root + far * way + bend), rng.uniform(60, 160))
        mask = cv2.max(mask, layer)
        if cut.fade:
            keep = np.clip(1 + (cut.fade - figure.hy) / 0.6, rng.uniform(0, 0.4), 1)
            keep = cv2.resize((255 * keep).astype(np.uint8), (figure.size, figure.size))
            mask = cv2.multiply(mask, keep, scale=1 / 255)
        return mask

    def _ragged(self, mask: np.ndarray) -> np.ndarray:
        """Blur the outline, add noise and cut again: locks instead of a drawn line."""
        figure, cut, rng = self.figure, self.cut, self.figure.rng
        reach = (0.05 + 0.5 * cut.curl) * rng.uniform(0.4, 1.2)
        locks = noise(rng, figure.size, kind=rng.integers(2, 6),
                      zoom=tuple(np.clip(np.array([0.05, 0.12]) / (figure.unit / figure.size)
                                         * (1 if cut.curl else 0.6), 0.05, 1)),
                      tall=1.0 if cut.curl else 0.3)
        mask = soften(mask, reach * figure.unit)
        rough = rng.uniform(0.3, 1.1) if cut.curl else rng.uniform(0.1, 0.6)
        mask = cv2.addWeighted(mask, 1.0, locks, rough, -128 * rough)
        gain = rng.uniform(2, 5)
        return cv2.addWeighted(mask, gain, mask, 0, 128 - 128 * gain)
