"""The body of a synthetic portrait: neck and chest, arms, legs, and a hand before it.

Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import dim, random_colour, soften
from seglib.data._portrait.clothes import draw_collar, fabric, neckline
from seglib.data._portrait.figure import Figure
from seglib.data._portrait.looks import CLOTHES, SKIN
from seglib.data._portrait.shapes import ellipse, fill, lines, rounded


def draw_body(figure: Figure) -> None:
    """Draw neck, chest, arms, clothes and, for small figures, legs."""
    rng, canvas, body = figure.rng, figure.canvas, figure.body
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
    torso = fill(canvas.mask(), body(rounded(whole, 2)))
    skin = figure.skin_picture(0.85)
    clothes = fabric(figure)
    if body([0, 8.4])[1] < 1.05 * figure.size:
        _legs(figure, waist, skin)
    canvas.over(torso, skin, SKIN)
    kind = rng.choice(8)
    depth = rng.uniform(0.1, 0.6) if figure.back else rng.uniform(0.4, 1.6)
    bare = neckline(figure, kind, drop, depth, thick_neck)
    dressed = cv2.multiply(torso, 255 - bare, scale=1 / 255)
    sleeve = 0.0 if kind == 5 else rng.choice([0.0, 0.4, 1.0], p=[0.12, 0.28, 0.6])
    _arms(figure, broad * lean, drop, sleeve, skin, clothes)
    if sleeve == 0:
        strap = canvas.mask()
        shape = [[-0.75 * broad, drop - 1], [0.75 * broad, drop - 1], [0.85 * broad, 9],
                 [-0.85 * broad, 9]]
        fill(strap, body(rounded(shape, 1)))
        dressed = cv2.min(dressed, strap)
    canvas.over(dressed, clothes, CLOTHES)
    if not (figure.back or kind in (4, 5) or rng.random() < 0.5):
        draw_collar(figure, torso, clothes, drop, depth)


def _arms(figure: Figure, broad: float, drop: float, sleeve: float, skin: np.ndarray,
          clothes: np.ndarray) -> None:
    """Both arms; `sleeve` is how much of them the clothes cover."""
    rng, canvas, unit = figure.rng, figure.canvas, figure.unit
    for side in (-1, 1):
        elbow = [broad + rng.uniform(-0.1, 0.9), drop + rng.uniform(2.4, 3.1)]
        wrist = [rng.uniform(-0.6, broad + 0.7), drop + rng.uniform(3.4, 5.6)]
        path = np.array([[broad - 0.25, drop + 0.45], elbow, wrist]) * [side, 1]
        path = rounded(path, 2, closed=False)
        arm = lines(canvas.mask(), figure.body(path)[None], 255, 0.72 * unit)
        if sleeve < 1:
            canvas.over(arm, skin, SKIN)
        else:
            fist = ellipse(path[-1] + [0, 0.3], (0.36, 0.45), 16)
            canvas.over(fill(canvas.mask(), figure.body(fist)), skin, SKIN)
        if sleeve > 0:
            keep = max(2, int(sleeve * len(path)))
            covered = lines(canvas.mask(), figure.body(path[:keep])[None], 255, 0.95 * unit)
            canvas.over(covered, dim(clothes, rng.uniform(0.75, 1.0)), CLOTHES)


def _legs(figure: Figure, waist: float, skin: np.ndarray) -> None:
    """Legs in trousers or under a skirt, and shoes."""
    rng, canvas, unit = figure.rng, figure.canvas, figure.unit
    trousers = fabric(figure)
    bare = rng.random() < 0.35
    for side in (-1, 1):
        foot = [rng.uniform(0.5, 1.4), rng.uniform(15.5, 17.5)]
        path = np.array([[0.75, 8], [rng.uniform(0.7, 1.2), 12], foot]) * [side, 1]
        leg = lines(canvas.mask(), figure.body(path)[None], 255,
                    unit * (0.85 if bare else rng.uniform(1.1, 1.5)))
        canvas.over(leg, skin if bare else trousers, SKIN if bare else CLOTHES)
        shoe = ellipse(path[-1] + [0.2 * side, 0.3], (0.6, 0.35), 14)
        canvas.over(fill(canvas.mask(), figure.body(shoe)),
                    random_colour(rng, (0, 0.4), (0.05, 0.9)), CLOTHES)
    if bare:
        hem = rng.uniform(10, 13.5)
        skirt = [[-waist, 7], [waist, 7], [waist * rng.uniform(1, 1.6), hem],
                 [-waist * rng.uniform(1, 1.6), hem]]
        canvas.over(fill(canvas.mask(), figure.body(skirt)), trousers, CLOTHES)


def draw_hand(figure: Figure) -> None:
    """Draw a forearm with a hand, before the body or at the face."""
    rng, canvas, unit = figure.rng, figure.canvas, figure.unit
    side = rng.choice([-1, 1])
    at = np.array([side * rng.uniform(0.3, 1.5), rng.uniform(0.4, 3.5)])
    elbow = at + np.array([side * rng.uniform(0.2, 2), rng.uniform(2, 4)])
    skin = figure.skin_picture(0.95)
    forearm = lines(canvas.mask(), figure.body(np.stack([at, elbow]))[None], 255, 0.55 * unit)
    if rng.random() < 0.5:
        canvas.over(forearm, skin, SKIN)
    else:
        canvas.over(forearm, fabric(figure), CLOTHES)
    way = rng.uniform(-1.2, 1.2) - np.pi / 2
    mask = fill(canvas.mask(), figure.body(ellipse(at, (0.42, 0.48), 18)))
    spread = way + np.linspace(-0.5, 0.5, 4)
    tips = at + 0.95 * np.stack([np.cos(spread), np.sin(spread)], 1)
    fingers = figure.body(np.stack([np.broadcast_to(at, tips.shape), tips], 1))
    lines(mask, fingers, 255, 0.2 * unit)
    shadow = soften(mask, 0.08 * unit)
    person = np.clip(255 * (1 - canvas.cover[0]), 0, 255).astype(np.uint8)
    shadow = (cv2.min(shadow, person) * 0.4).astype(np.uint8)
    for label in (SKIN, CLOTHES):
        covered = (shadow * canvas.cover[label]).astype(np.uint8)
        canvas.over(covered, figure.skin * 0.2, label)
    aside = np.array([-np.sin(way), np.cos(way)]) * 0.11
    gaps = figure.body(np.stack([np.broadcast_to(at + aside, tips.shape), tips + aside], 1))
    lines(skin, gaps, figure.skin * 0.55 * figure.exposure, 0.04 * unit)
    canvas.over(mask, skin, SKIN)
