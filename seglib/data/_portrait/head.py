"""The head of a synthetic portrait: skull, ears, the chin's shadow on the neck.

Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import dim, soften
from seglib.data._portrait.face import draw_face
from seglib.data._portrait.figure import Figure
from seglib.data._portrait.looks import SKIN
from seglib.data._portrait.shapes import ellipse, fill, lines


def draw_head(figure: Figure) -> None:
    """Draw ears, skull and face, and the shadow of the chin."""
    rng, canvas, head = figure.rng, figure.canvas, figure.head
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x, y = np.cos(angle), np.sin(angle)
    narrow = 1 - (1 - figure.jaw) * np.clip(y, 0, 1) ** 1.5
    outline = np.stack([x * narrow, y * np.where(y > 0, figure.tall, 1.32)], 1)
    mask = fill(canvas.mask(), head(outline))
    if abs(figure.turn) > 0.6 and not figure.back:
        side = np.sign(figure.turn)
        fill(mask, head(np.array([[0.9, -0.1], [1.16, 0.42], [1.0, 0.55], [0.8, 0.6]])
                        * [side, 1]))
    radius = np.sqrt(figure.hx**2 + (figure.hy / figure.tall) ** 2)
    edge = -rng.uniform(0.1, 0.45) * np.clip(radius - 0.55, 0, 1) ** 1.5
    skin = figure.skin_picture(1.0, edge)
    ears = canvas.mask()
    for side in (-1, 1):
        place = side if figure.back else np.sin(side * 1.45 + figure.turn)
        if side * figure.turn < 0.25 or figure.back:
            ear = ellipse((1.03 * place, 0.15), (0.16, 0.33), 16)
            fill(ears, head(ear))
            lines(skin, head(ear * 0.6 + 0.4 * ear.mean(0))[None], figure.skin * 0.55,
                  0.04 * figure.unit)
    canvas.over(ears, dim(skin, 0.85), SKIN)
    chin = canvas.mask()
    fill(chin, head(outline + np.array([0, 0.25])))
    chin = soften(chin, 0.12 * figure.unit)
    neck = np.round(255 * np.clip(canvas.cover[SKIN], 0, 1)).astype(np.uint8)
    shadow = (chin * rng.uniform(0.1, 0.6)).astype(np.uint8)
    shadow = cv2.multiply(shadow, neck, scale=1 / 255)
    canvas.over(shadow, figure.skin * 0.3 * figure.exposure, SKIN)
    if not figure.back:
        draw_face(figure, skin)
        x, y, wide, high = cv2.boundingRect(mask)
        if wide:
            part = skin[y:y + high, x:x + wide]
            part[:] = cv2.GaussianBlur(part, (0, 0), max(0.5, rng.uniform(0, 0.03) * figure.unit))
    canvas.over(mask, skin, SKIN)
