"""Hair of the synthetic portraits: a sheet of strands that falls from the crown.

One sheet gives the outline, and the paint runs along the same sheet, so that strands run along the
hair they belong to. Fractal noise is stretched along it, which gives locks of all widths at once,
as photographed hair has; drawn lines look like a comb. Light moves a pixel along a ramp of tones
(shadow, own colour, gloss) instead of scaling its colour, after the two highlights of Marschner et
al. (2003), "Light Scattering from Human Hair Fibers".
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from seglib.data.synthetic import drawing as d
from seglib.data.synthetic.config import HAIR
from seglib.data.synthetic.people import Figure


@dataclass
class Cut:
    """A hair cut as a sheet that falls from the crown; lengths in half head widths.

    The sheet is `top` high above the head's centre, `wide` at the centre's height and `end` at
    its lower border `low`. In front it opens for the face: `side` is the opening's half width (as
    a part of the head's), `hairline` its upper border. `curl` is the radius of curls, 0 = none.
    Below `fade`, if not 0, hair thins out, as clippers leave it.
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
    fade: float = 0.0


def random_cut(rng: np.random.Generator, style: str, back: bool) -> Cut:
    """A random hair cut of the wanted style."""
    u = rng.uniform
    high = 1.32
    side, hairline = u(0.78, 0.97), -u(0.62, 1.12)
    if style == "fringe of hair":
        cut = Cut(high + u(-0.3, 0.0), u(1.04, 1.15), u(0.3, 0.7), 0.95, 0.9, -u(1.6, 2.2))
    elif style == "buzz":
        cut = Cut(high + u(0.02, 0.1), u(1.0, 1.06), u(0, 0.3), 0.98, 0.93, -u(0.6, 1.0),
                  opacity=u(0.75, 1))
    elif style == "short":
        cut = Cut(high + u(0.08, 0.45), u(1.02, 1.16), u(0.05, 0.5), u(0.92, 1.05),
                  u(0.85, 0.98), -u(0.7, 1.2), wave=u(0, 0.06), fringe=rng.random() < 0.14)
    elif style == "short curly":
        cut = Cut(high + u(0.15, 0.5), u(1.08, 1.35), u(0.1, 0.7), u(0.95, 1.25), u(0.8, 0.98),
                  -u(0.4, 0.9), wave=0.06, curl=u(0.08, 0.2))
    elif style == "bob":
        cut = Cut(high + u(0.08, 0.3), u(1.1, 1.35), u(0.9, 1.8), u(0.9, 1.5), side, hairline,
                  wave=u(0, 0.08), fringe=rng.random() < 0.2)
    elif style in ("long", "wavy"):
        wave = u(0, 0.05) if style == "long" else u(0.08, 0.2)
        cut = Cut(high + u(0.06, 0.3), u(1.08, 1.35), u(1.8, 5.0), u(0.7, 1.9), side, hairline,
                  wave=wave, waves=u(1.5, 4), fringe=rng.random() < 0.15)
    elif style == "long curly":
        cut = Cut(high + u(0.15, 0.45), u(1.25, 1.7), u(1.4, 4.0), u(1.3, 2.3), side, hairline,
                  wave=u(0.1, 0.2), waves=u(3, 6), curl=u(0.1, 0.28))
    elif style == "afro":
        wide = u(1.3, 2.1)
        cut = Cut(high + (wide - 1) * u(0.7, 1.1), wide, u(0.4, 1.1), wide * u(0.6, 0.9),
                  u(0.85, 0.97), -u(0.5, 0.9), wave=0.08, curl=u(0.06, 0.14))
    else:
        cut = Cut(high + u(0.03, 0.2), u(1.02, 1.1), u(0.1, 0.5), u(0.9, 1.0), u(0.85, 0.97),
                  -u(0.6, 0.95), fringe=rng.random() < 0.15)
    if back:
        if cut.low < 0.75:
            cut.low, cut.end = u(0.75, 1.15), u(0.55, 0.95)
        cut.wide = max(cut.wide, 1.05)
    if style in ("short", "short curly", "buzz") and rng.random() < 0.4:
        cut.fade = u(-0.5, 0.3)
    return cut


class Hair:
    """The hair sheet of a posed figure with a random cut; `part` is x of the parting."""

    def __init__(self, figure: Figure) -> None:
        self.figure, rng = figure, figure.rng
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
        d.fill(mask, figure.head(outline if cut.curl else d.rounded(outline, 1)))
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
            d.lines(layer, figure.head(curls), rng.uniform(90, 200))
        else:
            side = rng.choice([-1, 1], 2 * loose) * rng.uniform(0.9, 1.13, 2 * loose)
            wisps = figure.head(self.strands(side, 0.25, 22))
            for group, value in enumerate((80, 170)):
                d.lines(layer, wisps[group::2], value)
            tips = self.strands(rng.uniform(-1, 1, 24), 0.22, 14)
            d.lines(layer, figure.head(tips[:, 9:]), 200, 0.03 * unit)
            root = outline[rng.integers(len(outline), size=loose // 2)][:, None]
            far = np.linspace(-0.3, 1, 10)[None, :, None]
            way = rng.normal(0, 0.14, (len(root), 1, 2)) + 0.12 * root
            bend = rng.normal(0, 0.1, (len(root), 1, 2)) * far * far
            d.lines(layer, figure.head(root + far * way + bend), rng.uniform(60, 160))
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
        zoom = np.array([0.05, 0.12]) / (figure.unit / figure.size) * (1 if cut.curl else 0.6)
        kind, tall = rng.integers(2, 6), 1.0 if cut.curl else 0.3
        locks = d.noise(rng, figure.size, np.clip(zoom, 0.05, 1), tall, kind)
        mask = d.soften(mask, reach * figure.unit)
        rough = rng.uniform(0.3, 1.1) if cut.curl else rng.uniform(0.1, 0.6)
        mask = cv2.addWeighted(mask, 1.0, locks, rough, -128 * rough)
        gain = rng.uniform(2, 5)
        return cv2.addWeighted(mask, gain, mask, 0, 128 - 128 * gain)


@lru_cache(maxsize=1)
def _ropes() -> np.ndarray:
    """A tile of four twisted ropes side by side, uint8 (128, 128), that repeats both ways."""
    down, across = np.mgrid[:128, :128] / 128.0
    place = (4 * across) % 1 - 0.5
    round_ = np.sqrt(np.maximum(0, 1 - (2 * place) ** 2))
    twist = 0.5 + 0.5 * np.cos(2 * np.pi * (8 * down + 2.4 * np.abs(place)))
    grain = cv2.resize(d.noise_bank()[4], (128, 128)) / 255.0 - 0.5
    return np.clip(255 * (0.75 * round_ * (0.55 + 0.45 * twist) + 0.4 * grain), 0,
                   255).astype(np.uint8)


def paint_hair(hair: Hair) -> np.ndarray:
    """Hair all over the canvas of the hair's figure, uint8 (size, size, 3)."""
    figure, cut, rng = hair.figure, hair.cut, hair.figure.rng
    size = (figure.size, figure.size)
    across, along = hair.across_and_along()
    tile, fine = d.noise_bank()[rng.integers(2, 6)], rng.uniform(60, 190)
    drawn_out = rng.uniform(0.04, 0.16)
    if figure.style == "braids":
        tile, fine, drawn_out = _ropes(), 32.0 * rng.integers(4, 10), rng.uniform(0.4, 1.0)
    elif cut.curl:
        tile, fine = d.noise_bank()[rng.integers(4, 6)], rng.uniform(3, 8) / cut.curl
        drawn_out = rng.uniform(0.3, 1.0)
        zoom = np.clip(np.array([0.5, 1.2]) / (64 * figure.unit / figure.size), 0.02, 1)
        swirl = [d.blotches(rng, zoom, (1, 4)) for _ in range(2)]
        bend = rng.uniform(0.3, 1.2) * cut.curl / 25
        across, along = across + bend * swirl[0], along + bend * swirl[1]
    else:
        stray = d.blotches(rng, (0.1, 0.5), (0, 4))
        across = across + rng.uniform(0, 0.003) * stray
    edges = cv2.BORDER_WRAP if figure.style == "braids" else cv2.BORDER_REFLECT
    start = rng.uniform(100, 400, 2)
    maps = (cv2.resize((start[k] + scale * grid).astype(np.float32), size)
            for k, (scale, grid) in enumerate(((fine, across), (fine * drawn_out, along))))
    grain = cv2.remap(tile, *maps, cv2.INTER_LINEAR, borderMode=edges)
    band = (figure.hy + rng.uniform(0.2, 1.0) + 0.3 * figure.hx**2) / rng.uniform(0.2, 0.5)
    sheen = rng.uniform(0, 110) * np.exp(-band**2) + rng.uniform(-30, 15) * np.clip(
        (figure.hx / cut.wide) ** 2, 0, 1.5)
    sheen = sheen + 0.7 * (figure.lit().astype(np.float32) - 128 * figure.exposure)
    cloud = d.blotches(rng, (0.05, 0.25), (0, 3))
    sheen = rng.uniform(105, 135) + sheen + rng.uniform(0, 0.9) * cloud
    sheen = np.clip(sheen, 0, 255).astype(np.uint8)
    contrast = rng.uniform(0.6, 2.0) * (1.2 if cut.curl else 0.9)
    tone = cv2.addWeighted(grain, contrast, cv2.resize(sheen, size), 1, -128 * contrast)
    ramp = _ramp(rng, figure.hair, figure.exposure)
    picture = cv2.LUT(cv2.merge([tone, tone, tone]), ramp)
    if rng.random() < 0.1 and cut.low > 1:
        ends = np.clip((figure.hy - rng.uniform(-0.5, 1)) / rng.uniform(0.8, 2), 0, 1)
        ends = cv2.resize((ends * rng.uniform(120, 255)).astype(np.uint8), size)
        other = _ramp(rng, d.random_colour(rng, (0.2, 0.9), (0.3, 0.9)), figure.exposure)
        picture = d.two_tone(picture, cv2.LUT(cv2.merge([tone, tone, tone]), other), ends)
    return picture


def _ramp(rng: np.random.Generator, colour: np.ndarray, exposure: float) -> np.ndarray:
    """Table of tones, uint8 (1, 256, 3): from shadow through `colour` (3,) to gloss."""
    gloss = 0.6 * colour + rng.uniform(50, 150) * np.array([1, 0.97, 0.93])
    stops = np.stack([colour * rng.uniform(0.12, 0.35), colour * 0.85, colour * 1.25 + 8,
                      np.maximum(gloss, colour * 1.4)]) * exposure
    place = [0, 110, 185, 255]
    table = np.stack([np.interp(np.arange(256), place, stops[:, c]) for c in range(3)], -1)
    return np.clip(table, 0, 255).astype(np.uint8)[None]


def open_for_face(hair: Hair, full: np.ndarray, falls: bool) -> np.ndarray:
    """The sheet's coverage `full` with an opening for the face and wisps at its border.

    Unless it `falls` before the shoulders, long hair falls behind them.
    """
    figure, cut = hair.figure, hair.cut
    rng, canvas = figure.rng, figure.canvas
    places = np.array([-1, -0.98, -0.9, -0.62, -0.25, 0.0, 0.25, 0.62, 0.9, 0.98, 1])
    x = figure.turned(places * cut.side)
    x = np.where(x > 0.985, 1.5, np.where(x < -0.985, -1.5, x))
    apex, fall = rng.uniform(-0.45, 0.45), rng.uniform(0.15, 0.55)
    skew = rng.uniform(-0.2, 0.2)
    y = np.array([0.9, 0.35, -0.15, 0, 0, 0, 0, 0, -0.15, 0.35, 0.9])
    y[3:8] = cut.hairline * (1 - fall * np.abs(places[3:8] - apex) ** rng.uniform(0.8, 2.5))
    below = rng.uniform(0.6, 1.25, 2)
    sides = np.array([[x[-1] * below[0], 2.2], [x[-1] * below[0], 9],
                      [x[0] * below[1], 9], [x[0] * below[1], 2.2]])
    outline = d.rounded(np.concatenate([np.stack([x, y], 1), sides]), 2)
    if cut.fringe:
        hang = rng.uniform(-0.4, -0.05)
        jag = figure.turned(np.linspace(-0.85, 0.85, 22) * cut.side)
        depth = hang + rng.normal(0, 0.06, 22) + skew * np.linspace(-1, 1, 22)
        outline[:, 1] = np.maximum(outline[:, 1], np.interp(outline[:, 0], jag, depth))
    opening = d.fill(canvas.mask(), figure.head(outline))
    opening = d.soften(opening, rng.uniform(0.01, 0.05) * figure.unit)
    front = cv2.multiply(full, 255 - opening, scale=1 / 255)
    border = outline[(outline[:, 1] < 1) & (np.abs(outline[:, 0]) < 1.2)]
    if len(border) and cut.opacity == 1:
        count = int(rng.integers(4, 30)) if not cut.fringe else 160
        root = border[rng.integers(len(border), size=count)][:, None] + rng.normal(
            0, 0.03, (count, 1, 2))
        t = np.linspace(-0.6, 1, 8)[None, :, None]
        way = root - [hair.part, -cut.top]
        way = way / np.linalg.norm(way, axis=2, keepdims=True)
        way = way * rng.uniform(0.04, 0.2, (count, 1, 1)) + rng.normal(0, 0.03, way.shape)
        bend = rng.normal(0, 0.03, (count, 1, 2)) * t * t
        wisps = figure.head(root + way * t + bend)
        half = count // 2
        layer = d.lines(canvas.mask(), wisps[:half], 130)
        d.lines(layer, wisps[half:], 200)
        front = cv2.max(front, cv2.min(layer, cv2.dilate(full, None)))
    if not falls:
        keep = np.clip((rng.uniform(1.1, 1.6) - figure.hy) / 0.25, 0, 1)
        keep = cv2.resize((255 * keep).astype(np.uint8), (figure.size, figure.size))
        front = cv2.multiply(front, keep, scale=1 / 255)
    return front


def draw_tied(figure: Figure, hair: np.ndarray) -> None:
    """Draw a bun, ponytail or braids, and their strands into the picture `hair`, in place."""
    rng, mask = figure.rng, figure.canvas.mask()
    if figure.style == "bun":
        at = (rng.uniform(-0.5, 0.5), -1.3 - rng.uniform(0.1, 0.4) if not figure.back
              else rng.uniform(-1.5, 0.3))
        radius = rng.uniform(0.3, 0.65)
        shape = d.ellipse(at, (radius * rng.uniform(0.9, 1.3), radius))
        d.fill(mask, figure.head(shape + rng.normal(0, 0.03, shape.shape)))
        turns = rng.uniform(0.2, 1, (14, 1, 1)) * (d.ellipse((0, 0), (radius, radius), 12)
                                                   + rng.normal(0, 0.04, (14, 12, 2)))
        d.lines(hair, figure.head(turns + at), np.clip(figure.hair * 0.5, 0, 255),
                0.03 * figure.unit)
    elif figure.style in ("ponytail", "braids"):
        sides = [-1, 1] if figure.style == "braids" else [rng.choice([-1, 1])]
        for side in sides:
            start = np.array([side * rng.uniform(0.7, 1.05), rng.uniform(-0.4, 0.9)])
            if figure.back and figure.style == "ponytail":
                start[0] *= 0.2
            drop = rng.uniform(1.2, 3.5)
            t = np.linspace(0, 1, 12)[:, None]
            path = start + t * [side * rng.uniform(-0.1, 0.5), drop] + (
                np.sin(np.pi * t) * [side * rng.uniform(0, 0.4), 0])
            if figure.style == "braids":
                for x, y in np.stack([np.interp(np.linspace(0, 1, 16), t[:, 0], path[:, k])
                                      for k in (0, 1)], 1):
                    d.fill(mask, figure.head(d.ellipse((x, y), (0.2, 0.17), 12)))
                    arc = d.ellipse((x, y), (0.2, 0.17), 12)[:7]
                    d.lines(hair, figure.head(arc)[None], figure.hair * 0.45, 0.04 * figure.unit)
            else:
                wide = rng.uniform(0.2, 0.5) * np.sin(np.pi * np.clip(0.12 + 0.8 * t, 0, 1))
                across = rng.uniform(-1, 1, (60, 1, 1))
                tail = path + across * np.concatenate([wide, 0.1 * wide], 1)
                shape = np.concatenate([path + wide * [1, 0], (path - wide * [1, 0])[::-1]])
                d.fill(mask, figure.head(shape))
                d.lines(mask, figure.head(tail), 200, 0.02 * figure.unit)
                d.lines(hair, figure.head(tail[:25]), figure.hair * 0.6, 0.03 * figure.unit)
    else:
        return
    figure.canvas.over(d.soften(mask, 0.02 * figure.unit), hair, HAIR)
