"""What lies over a photo without being in it: borders, and words printed across.

Scraped photos are full of both; they count as background.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import random_colour
from seglib.data._portrait.layers import Canvas
from seglib.data._portrait.looks import BACKGROUND
from seglib.data._portrait.shapes import Frame


def words(rng: np.random.Generator, picture: np.ndarray, value, place: tuple[float, float],
          tall: float) -> None:
    """Print random letters into `picture`, in place; place and height are parts of the side."""
    size = picture.shape[0]
    text = "".join(chr(65 + letter) for letter in rng.integers(0, 26, rng.integers(3, 12)))
    at = (int(place[0] * size), int(place[1] * size))
    cv2.putText(picture, text, at, int(rng.choice([0, 2, 3, 4])), tall * size / 22, value,
                max(1, round(tall * size / 10)), cv2.LINE_AA)


def overlay(rng: np.random.Generator, canvas: Canvas) -> None:
    """Lay borders (upright or turned, mostly black or white) or words over the canvas."""
    size, mask = canvas.size, canvas.mask()
    colour = random_colour(rng) if rng.random() < 0.2 else np.full(3, rng.choice([0.0, 255.0]))
    if rng.random() < 0.3:
        words(rng, mask, 255, (rng.uniform(0, 0.5), rng.choice([0.08, 0.95])),
              rng.uniform(0.04, 0.1))
    else:
        turn = rng.normal(0, 0.1) if rng.random() < 0.4 else 0.0
        frame = Frame(size, turn, (size / 2, size / 2))
        inset = 0.5 - rng.uniform(0, 0.12, 2) * rng.permutation([1, rng.integers(2)])
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * inset + rng.normal(0, 0.02, 2)
        mask[:] = 255
        cv2.fillPoly(mask, [frame(corners).astype(np.int32)], 0, cv2.LINE_AA)
    canvas.over(mask, colour, BACKGROUND)
