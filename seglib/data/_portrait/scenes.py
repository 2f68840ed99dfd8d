"""Two kinds of places of the synthetic portraits: rooms with furniture, and the outdoors.

Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import noise, picture, ramp, random_colour, shade
from seglib.data._portrait.layers import two_tone
from seglib.data._portrait.shapes import ellipse, fill, lines


def room(rng: np.random.Generator, size: int, image: np.ndarray) -> np.ndarray:
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
                                      [left, y + high]]), random_colour(rng, (0, 0.5)))
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


def outdoors(rng: np.random.Generator, size: int, image: np.ndarray) -> np.ndarray:
    """Buildings, foliage and ground under the sky."""
    if rng.random() < 0.5:
        sky = np.array([[90, 140, 215], [200, 220, 240]]) * rng.uniform(0.6, 1.1)
        sky = sky if rng.random() < 0.5 else 0.3 * sky + 0.7 * sky.max()
        image = ramp(size, sky, np.pi / 2)
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
        leaf = ramp(size, np.stack([np.array([70, 95, 45.0]) * rng.uniform(0.2, 1.1),
                                    np.array([150, 175, 95.0]) * rng.uniform(0.4, 1.2)]),
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
        rough = noise(rng, size, (0.3, 1), tall=rng.choice([0.4, 1.0]))
        weight = rng.uniform(0.1, 0.6)
        rough = cv2.addWeighted(rough, weight, rough, 0, 128 - 128 * weight)
        floor = shade(picture(earth, size), rough)
        image = two_tone(image, floor, mask)
    return image
