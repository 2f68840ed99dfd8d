"""Clothes of the synthetic portraits: fabrics, necklines, collars and jackets, hats.

Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import dim, noise, picture, random_colour, shade
from seglib.data._portrait.figure import Figure
from seglib.data._portrait.layers import two_tone
from seglib.data._portrait.looks import CLOTHES
from seglib.data._portrait.shapes import Frame, ellipse, fill, lines


def fabric(figure: Figure) -> np.ndarray:
    """Some fabric all over the canvas, uint8 (size, size, 3): colour, pattern, folds, light."""
    rng, size = figure.rng, figure.size
    dark = rng.random()
    value = (0.04, 0.3) if dark < 0.4 else (0.75, 1) if dark < 0.6 else (0.25, 0.95)
    base = random_colour(rng, (0, 0.85 if rng.random() < 0.3 else 0.2), value)
    cloth = picture(base, size)
    other = random_colour(rng, (0, 0.8))
    kind = rng.choice(6, p=[0.5, 0.14, 0.08, 0.08, 0.1, 0.1])
    step = figure.unit * rng.uniform(0.12, 0.6)
    if kind in (1, 2):
        at = np.arange(-2 * size, 3 * size, max(step, size / 80)) / figure.unit
        far = 3 * size / figure.unit
        stripes = np.array([[[-far, y], [far, y]] for y in at])
        lean = Frame(figure.unit, rng.choice([0, np.pi / 2, rng.uniform(0, 3)]),
                     (size / 2, size / 2))
        lines(cloth, lean(stripes), other, step * rng.uniform(0.15, 0.6))
        if kind == 2:
            lines(cloth, lean(stripes[..., ::-1]), (base + other) / 2,
                  step * rng.uniform(0.15, 0.6))
    elif kind == 3:
        tile = picture(base, max(3, round(max(step, size / 24))))
        middle = len(tile) // 2
        cv2.circle(tile, (middle, middle), max(1, int(step * 0.25)), other.tolist(), -1,
                   cv2.LINE_AA)
        count = -(-size // len(tile))
        cloth = np.tile(tile, (count, count, 1))[:size, :size].copy()
    elif kind == 4:
        spots = noise(rng, size, (0.1, 0.6), kind=rng.integers(1, 5)).astype(np.int16)
        spots = np.clip((spots - 128) * 12, 0, 255).astype(np.uint8)
        cloth = two_tone(cloth, other, spots)
    elif kind == 5:
        for _ in range(rng.integers(1, 5)):
            at = np.array([rng.uniform(-1.2, 1.2), rng.uniform(2.8, 6)])
            box = at + rng.uniform(-0.9, 0.9, (4, 2)) * [1, 0.5]
            fill(cloth, figure.body(box), random_colour(rng))
    folds = noise(rng, 64, (0.15, 0.6), tall=0.4, kind=rng.integers(0, 3)).astype(np.float32)
    return shade(cloth, figure.lit((folds - 128) * (rng.uniform(0.1, 0.7) / 128)))


def neckline(figure: Figure, kind: int, drop: float, depth: float, neck: float) -> np.ndarray:
    """Where the clothes leave the skin bare at the top, coverage uint8 (size, size).

    Args:
        figure: who wears them.
        kind: 0, 1 round, 2, 3 pointed, 4 wide, 5 perhaps off the shoulders, 6 a roll-neck, 7 plain.
        drop: y of the shoulders.
        depth: how deep the neckline reaches.
        neck: width of the neck, 1 = usual.
    """
    rng, body, bare = figure.rng, figure.body, figure.canvas.mask()
    throat, collar = 0.75 * neck, drop - 0.55
    if kind <= 1:
        fill(bare, body(ellipse((0, collar), (0.85 * neck, 0.3 + 0.3 * depth))))
    elif kind in (2, 3):
        fill(bare, body([[-0.85, collar - 0.3], [0.85, collar - 0.3], [0, collar + depth]]))
    elif kind == 4:
        wide = rng.uniform(0.9, 1.5)
        fill(bare, body(ellipse((0, collar), (wide, 0.4 + depth * 0.8))))
    elif kind == 5 and rng.random() < 0.6:
        low = drop + rng.uniform(0.2, 1.2)
        fill(bare, body([[-5, -2], [5, -2], [5, low], [0, low + 0.2], [-5, low]]))
    if kind == 6:
        high = rng.uniform(1.2, 1.6)
        fill(bare, body([[-3, -2], [3, -2], [3, high], [-3, high]]))
    else:
        fill(bare, body([[-throat, 0.5], [throat, 0.5], [throat, collar + 0.05],
                         [-throat, collar + 0.05]]))
    return bare


def draw_collar(figure: Figure, torso: np.ndarray, clothes: np.ndarray, drop: float,
                depth: float) -> None:
    """Draw a collar and often a jacket, with or without a tie, over the dressed `torso`.

    Args:
        figure: who wears them.
        torso: coverage of the body without its arms, uint8 (size, size).
        clothes: the fabric below, uint8 (size, size, 3).
        drop: y of the shoulders.
        depth: how deep the neckline reaches.
    """
    rng, canvas, body, collar = figure.rng, figure.canvas, figure.body, drop - 0.55
    over = canvas.mask()
    flaps = rng.uniform(0.5, 0.9)
    for side in (-1, 1):
        fill(over, body(np.array([[0.5, collar - 0.35], [0.95, collar - 0.1],
                                  [flaps, collar + 0.6], [0.05, collar + depth * 0.5]])
                        * [side, 1]))
    canvas.over(cv2.min(over, torso), dim(clothes, rng.uniform(0.7, 1.3)), CLOTHES)
    if rng.random() < 0.55:
        jacket = fabric(figure)
        gap, low = rng.uniform(0.5, 1.1), rng.uniform(2.5, 6)
        inside = fill(canvas.mask(), body([[-gap, drop - 2], [gap, drop - 2], [gap, drop - 0.3],
                                           [0.1, drop + low], [-0.1, drop + low],
                                           [-gap, drop - 0.3]]))
        if rng.random() < 0.5:
            tie = canvas.mask()
            fill(tie, body([[-0.14, collar + 0.2], [0.14, collar + 0.2], [0.12, drop],
                            [0.28, drop + 3], [-0.28, drop + 3], [-0.12, drop]]))
            canvas.over(cv2.min(tie, torso), random_colour(rng), CLOTHES)
        canvas.over(cv2.multiply(torso, 255 - inside, scale=1 / 255), jacket, CLOTHES)
        edges = body([[[gap, drop - 0.3], [0.1, drop + low]],
                      [[-gap, drop - 0.3], [-0.1, drop + low]]])
        shadow = lines(canvas.mask(), edges, 90, 0.08 * figure.unit)
        canvas.over(cv2.min(shadow, torso), np.zeros(3), CLOTHES)


def draw_hat(figure: Figure) -> None:
    """Draw a cap, a woollen hat or a hat with a brim."""
    rng, canvas, mask = figure.rng, figure.canvas, figure.canvas.mask()
    low, wide = rng.uniform(-0.75, -0.35), rng.uniform(1.08, 1.25)
    tall = rng.uniform(0.9, 1.4)
    dome = ellipse((0, low), (wide, tall), 40)
    fill(mask, figure.head(dome[20:]))
    cloth = fabric(figure)
    canvas.over(mask, cloth, CLOTHES)
    kind, brim = rng.integers(3), canvas.mask()
    if kind == 0 and not figure.back:
        fill(brim, figure.head(ellipse((np.sin(figure.turn), low + 0.05), (0.85, 0.2))))
    elif kind == 1:
        fill(brim, figure.head(ellipse((0, low), (rng.uniform(1.5, 2.2), 0.25))))
    else:
        fill(brim, figure.head([[-wide, low - 0.3], [wide, low - 0.3], [wide, low + 0.08],
                                [-wide, low + 0.08]]))
    canvas.over(brim, dim(cloth, rng.uniform(0.6, 1.2)), CLOTHES)
