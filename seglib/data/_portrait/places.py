"""Places of the synthetic portraits: studios, rooms, streets, gardens, lights; nobody in them.

Some are painted in the person's own skin or hair colour, so that colour alone does not tell a
person from a wall.
Chapter: data preparation.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import noise, picture, ramp, random_colour, shade
from seglib.data._portrait.layers import two_tone
from seglib.data._portrait.shapes import ellipse, fill, lines, rounded


def _room(rng: np.random.Generator, size: int, image: np.ndarray) -> np.ndarray:
    """Furniture: frames, shelves with books, windows, curtains, lamps, over a wall."""
    wall = image[0, 0].astype(float)
    alike = rng.uniform(0, 0.8)
    for _ in range(rng.integers(3, 12)):
        kind = rng.integers(6)
        x, y = rng.uniform(-0.2, 0.9, 2) * size
        wide, high = rng.uniform(0.1, 0.6, 2) * size
        box = np.array([[x, y], [x + wide, y], [x + wide, y + high], [x, y + high]])
        colour = alike * wall + (1 - alike) * random_colour(rng, (0, 0.5), (0.05, 1))
        if kind <= 2:
            fill(image, box, colour)
            inner = box.mean(0) + (box - box.mean(0)) * rng.uniform(0.7, 0.92)
            fill(image, inner, random_colour(rng, (0, 0.35), (0.1, 1)))
            if kind == 0:
                middle = [box[[0, 1]].mean(0), box[[2, 3]].mean(0)]
                lines(image, np.array([middle]), colour, size * 0.02)
        elif kind == 3:
            left = x
            while left < x + wide:
                thick = size * rng.uniform(0.015, 0.05)
                top = y + high * rng.uniform(0, 0.35)
                fill(image, np.array([[left, top], [left + thick, top], [left + thick, y + high],
                                      [left, y + high]]), random_colour(rng, (0, 0.6)))
                left += thick
        elif kind == 4:
            fill(image, ellipse((x + wide / 2, y + high / 2), (wide / 2, high / 2)), colour)
        else:
            step = size * rng.uniform(0.02, 0.12)
            at = np.arange(x, x + wide, step)
            curves = np.stack([np.stack([at, at * 0 + y], 1), np.stack([at, at * 0 + y + high], 1)],
                              1)
            lines(image, curves, colour, step * rng.uniform(0.2, 0.7))
    return image


def _outdoors(rng: np.random.Generator, size: int, image: np.ndarray) -> np.ndarray:
    """Buildings, foliage and ground under the sky."""
    ground = rng.uniform(0.3, 1.1)
    for _ in range(rng.integers(0, 4)):
        x, wide, top = rng.uniform(-0.2, 0.9), rng.uniform(0.15, 0.6), rng.uniform(-0.2, 0.6)
        box = np.array([[x, top], [x + wide, top], [x + wide, 1.1], [x, 1.1]]) * size
        fill(image, box, random_colour(rng, (0, 0.4), (0.2, 0.9)))
        step_x, step_y = wide / rng.integers(2, 7), rng.uniform(0.06, 0.2)
        pane = random_colour(rng, (0, 0.4), (0.05, 0.9))
        for gx in np.arange(x + step_x * 0.2, x + wide - step_x * 0.5, step_x):
            for gy in np.arange(top + step_y * 0.3, ground, step_y):
                low, high = np.array([gx, gy]) * size, np.array([gx + step_x * 0.6,
                                                                 gy + step_y * 0.6]) * size
                cv2.rectangle(image, low.astype(int).tolist(), high.astype(int).tolist(), pane, -1)
    if rng.random() < 0.6:
        leaf = ramp(size, np.stack([np.array([60, 110, 40.0]) * rng.uniform(0.2, 1.1, 3),
                                    np.array([150, 190, 90.0]) * rng.uniform(0.4, 1.2, 3)]),
                    rng.uniform(0, 6.3))
        leaf = shade(leaf, noise(rng, size, (0.3, 1.0), kind=rng.integers(3, 6)))
        where = noise(rng, size, (0.1, 0.5), kind=rng.integers(0, 4)).astype(np.float32)
        edge = np.linspace(-1, 1, size, dtype=np.float32)
        where += rng.uniform(-90, 90) * edge[:, None] + rng.uniform(-90, 90) * edge[None, :]
        weight = np.clip((where - rng.uniform(90, 160)) * 8, 0, 255).astype(np.uint8)
        image = two_tone(image, leaf, weight)
    if ground < 0.95:
        earth = random_colour(rng, (0, 0.5), (0.2, 0.8))
        mask = np.zeros((size, size), np.uint8)
        tilt = rng.uniform(-0.05, 0.05)
        fill(mask, np.array([[-0.1, ground - tilt], [1.1, ground + tilt], [1.1, 1.2],
                             [-0.1, 1.2]]) * size)
        floor = shade(picture(earth, size), noise(rng, size, (0.3, 1), tall=rng.choice([0.4, 1.0])))
        image = two_tone(image, floor, mask)
    return image


def background(rng: np.random.Generator, size: int, distractor: np.ndarray) -> np.ndarray:
    """A place without people, uint8 (size, size, 3): studio, room, street, garden, lights.

    Args:
        rng: source of chance.
        size: side in pixels.
        distractor: a skin or hair colour, used for things that only look like skin or hair.
    """
    dark = rng.random()
    value = (0.02, 0.35) if dark < 0.2 else (0.75, 1.0) if dark < 0.5 else (0.2, 0.95)
    first = random_colour(rng, (0, 0.7 if rng.random() < 0.4 else 0.25), value)
    second = np.clip(first * rng.uniform(0.5, 1.4) + rng.uniform(-30, 30, 3), 0, 255)
    if rng.random() < 0.12:
        first, second = rng.uniform(225, 265, (2, 1)) * [1, 1, 1]
    if rng.random() < 0.15:
        first = np.clip(distractor * rng.uniform(0.7, 1.2), 0, 255)
    image = ramp(size, np.stack([first, second]), rng.uniform(0, 6.3))
    kind = rng.choice(6, p=[0.22, 0.26, 0.26, 0.1, 0.08, 0.08])
    if kind == 1:
        image = _room(rng, size, image)
    elif kind == 2:
        if rng.random() < 0.5:
            sky = np.array([[90, 140, 215], [200, 220, 240]]) * rng.uniform(0.6, 1.1)
            image = ramp(size, sky, np.pi / 2)
        image = _outdoors(rng, size, image)
    elif kind == 3:
        image = two_tone(image, random_colour(rng), noise(rng, size))
        image = two_tone(image, np.clip(distractor, 0, 255), noise(rng, size, (0.1, 0.4)))
    elif kind == 4:
        image = (image * rng.uniform(0.15, 0.7)).astype(np.uint8)
        for _ in range(rng.integers(8, 40)):
            disc = ellipse(rng.uniform(0, 1, 2) * size, [size * rng.uniform(0.01, 0.07)] * 2, 16)
            fill(image, disc, random_colour(rng, (0, 0.8), (0.6, 1)))
    elif kind == 5:
        grain = noise(rng, size, (0.3, 1), tall=rng.choice([0.08, 12.0]), kind=rng.integers(2, 6))
        image = two_tone(distractor * 0.7, distractor * 1.2, grain)
    for _ in range(rng.integers(0, 3) if kind in (1, 2, 3) else 0):
        spread = rng.uniform(-0.25, 0.25, (rng.integers(3, 8), 2)) + rng.uniform(0, 1, 2)
        colour = distractor if rng.random() < 0.3 else random_colour(rng, (0, 0.5))
        fill(image, rounded(spread * size, 2), colour)
    if rng.random() < 0.6:
        texture = noise(rng, size, (0.1, 1.0)).astype(np.float32) - 128
        image = shade(image, (128 + texture * rng.uniform(0.03, 0.4)).astype(np.uint8))
    soft = rng.choice([0, 0.006, 0.02, 0.05], p=[0.42, 0.23, 0.2, 0.15]) * rng.uniform(0.6, 1.4)
    if soft * size > 0.5:
        small = max(16, int(min(size, 2 / soft)))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.GaussianBlur(image, (0, 0), max(0.3, soft * small))
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    return image
