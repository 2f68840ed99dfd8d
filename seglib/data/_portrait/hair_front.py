"""Hair before the head of a synthetic portrait: the opening for the face, buns, ponytails, braids.

Thin wisps cross the opening's border: the hair line is where real masks are least sure.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import soften
from seglib.data._portrait.figure import Figure
from seglib.data._portrait.hair import Hair
from seglib.data._portrait.looks import HAIR
from seglib.data._portrait.shapes import ellipse, fill, lines, rounded


def open_for_face(hair: Hair, full: np.ndarray, falls: bool) -> np.ndarray:
    """The hair sheet's coverage with its opening for the face, and with wisps at its border.

    Args:
        hair: the sheet.
        full: coverage of the whole sheet, uint8.
        falls: whether long hair falls before the shoulders rather than behind them.
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
    outline = rounded(np.concatenate([np.stack([x, y], 1), sides]), 2)
    if cut.fringe:
        hang = rng.uniform(-0.4, -0.05)
        jag = figure.turned(np.linspace(-0.85, 0.85, 22) * cut.side)
        depth = hang + rng.normal(0, 0.06, 22) + skew * np.linspace(-1, 1, 22)
        outline[:, 1] = np.maximum(outline[:, 1], np.interp(outline[:, 0], jag, depth))
    opening = fill(canvas.mask(), figure.head(outline))
    opening = soften(opening, rng.uniform(0.01, 0.05) * figure.unit)
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
        layer = lines(canvas.mask(), wisps[:half], 130)
        lines(layer, wisps[half:], 200)
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
        shape = ellipse(at, (radius * rng.uniform(0.9, 1.3), radius))
        fill(mask, figure.head(shape + rng.normal(0, 0.03, shape.shape)))
        turns = rng.uniform(0.2, 1, (14, 1, 1)) * (ellipse((0, 0), (radius, radius), 12)
                                                   + rng.normal(0, 0.04, (14, 12, 2)))
        lines(hair, figure.head(turns + at), np.clip(figure.hair * 0.5, 0, 255),
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
                    fill(mask, figure.head(ellipse((x, y), (0.2, 0.17), 12)))
                    arc = ellipse((x, y), (0.2, 0.17), 12)[:7]
                    lines(hair, figure.head(arc)[None], figure.hair * 0.45, 0.04 * figure.unit)
            else:
                wide = rng.uniform(0.2, 0.5) * np.sin(np.pi * np.clip(0.12 + 0.8 * t, 0, 1))
                across = rng.uniform(-1, 1, (60, 1, 1))
                tail = path + across * np.concatenate([wide, 0.1 * wide], 1)
                shape = np.concatenate([path + wide * [1, 0], (path - wide * [1, 0])[::-1]])
                fill(mask, figure.head(shape))
                lines(mask, figure.head(tail), 200, 0.02 * figure.unit)
                lines(hair, figure.head(tail[:25]), figure.hair * 0.6, 0.03 * figure.unit)
    else:
        return
    figure.canvas.over(soften(mask, 0.02 * figure.unit), hair, HAIR)
