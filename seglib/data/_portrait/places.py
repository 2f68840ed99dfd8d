"""Places of the synthetic portraits: studios, rooms, streets, gardens, clutter; nobody labelled.

Some are painted in the person's own skin or hair colour, so that colour alone does not tell a
person from a wall, and some hold small blurred people, who are not the portrait's subject. Clutter
is drawn as "dead leaves", overlapping shapes of power-law sizes, which have the statistics of
photographs (Lee, Mumford and Huang 2001) and teach networks more than smooth noise does (Baradad
et al. 2021, "Learning to See by Looking at Noise"). Furniture and streets are in `scenes`.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import noise, ramp, random_colour, shade
from seglib.data._portrait.layers import two_tone
from seglib.data._portrait.overlay import words
from seglib.data._portrait.scenes import outdoors, room
from seglib.data._portrait.shapes import circle, ellipse, fill, lines, rounded

KINDS = {"studio": 0.24, "room": 0.18, "outdoors": 0.2, "clutter": 0.22, "lights": 0.05,
         "alike": 0.06, "pattern": 0.05}


def background(rng: np.random.Generator, size: int, distractor: np.ndarray,
               passers_by: float = 0.0) -> np.ndarray:
    """A place, uint8 (size, size, 3).

    Args:
        rng: source of chance.
        size: side in pixels.
        distractor: a skin or hair colour, used for things that only look like skin or hair.
        passers_by: chance of small people in it.
    """
    dark = rng.random()
    value = (0.02, 0.35) if dark < 0.2 else (0.75, 1.0) if dark < 0.6 else (0.2, 0.95)
    first = random_colour(rng, (0, 0.7 if rng.random() < 0.25 else 0.25), value)
    second = np.clip(first * rng.uniform(0.5, 1.4) + rng.uniform(-20, 20, 3), 0, 255)
    if rng.random() < 0.15:
        first, second = rng.uniform(225, 265, (2, 1)) * [1, 1, 1]
    if rng.random() < 0.15:
        first = np.clip(distractor * rng.uniform(0.7, 1.2), 0, 255)
    image = ramp(size, np.stack([first, second]), rng.uniform(0, 6.3))
    kind = rng.choice(list(KINDS), p=list(KINDS.values()))
    if kind == "room":
        image = room(rng, size, image)
    elif kind == "outdoors":
        image = outdoors(rng, size, image)
    elif kind == "clutter":
        _clutter(rng, image, np.stack([first, second, distractor]))
    elif kind == "lights":
        image = (image * rng.uniform(0.15, 0.7)).astype(np.uint8)
        for _ in range(rng.integers(8, 40)):
            disc = ellipse(rng.uniform(0, 1, 2) * size, [size * rng.uniform(0.01, 0.07)] * 2, 16)
            fill(image, disc, random_colour(rng, (0, 0.8), (0.6, 1)))
    elif kind == "alike":
        grain = noise(rng, size, (0.3, 1), tall=rng.choice([0.08, 12.0]), kind=rng.integers(2, 6))
        image = two_tone(distractor * 0.7, distractor * 1.2, grain)
    elif kind == "pattern":
        _pattern(rng, image)
    crowd = rng.random() < passers_by
    for _ in range(rng.integers(1, 5) if crowd else 0):
        _passer_by(rng, image)
    if kind not in ("studio", "alike") and rng.random() < 0.15:
        words(rng, image, random_colour(rng, (0, 0.8)).tolist(), tuple(rng.uniform(-0.1, 0.9, 2)),
              rng.uniform(0.06, 0.3))
    if rng.random() < 0.5:
        texture = noise(rng, size, (0.1, 1.0))
        weight = rng.uniform(0.03, 0.35)
        image = shade(image, cv2.addWeighted(texture, weight, texture, 0, 128 - 128 * weight))
    return _out_of_focus(rng, image, 0.5 if crowd or kind == "clutter" else 0.4)


def _out_of_focus(rng: np.random.Generator, image: np.ndarray, chance: float) -> np.ndarray:
    """Depth of field: blur the place, more or less, with the given chance."""
    size = image.shape[0]
    if rng.random() > chance:
        return image
    soft = rng.choice([0.006, 0.02, 0.05], p=[0.35, 0.4, 0.25]) * rng.uniform(0.6, 1.4)
    if soft * size < 0.5:
        return image
    small = max(16, int(min(size, 2 / soft)))
    image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    image = cv2.GaussianBlur(image, (0, 0), max(0.3, soft * small))
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)


def _clutter(rng: np.random.Generator, image: np.ndarray, palette: np.ndarray) -> None:
    """Overlapping shapes of all sizes in few related colours, in place."""
    size, count = image.shape[0], int(rng.integers(30, 110))
    hues = np.stack([random_colour(rng, (0, 0.5), (0.05, 1)) for _ in range(4)])
    palette = np.concatenate([palette, hues])
    # A density of 1 / radius^3 is that of sizes that look the same at any distance.
    radius = rng.uniform(0.03, 0.07) / np.sqrt(rng.uniform(0.03, 1, count))
    colours = palette[rng.integers(len(palette), size=count)] * rng.uniform(0.4, 1.3, (count, 1))
    at, turn = rng.uniform(-0.05, 1.05, (count, 2)), rng.uniform(0, 6.3, count)
    shape, narrow = rng.integers(3, 9, count), rng.uniform(0.15, 1, count)
    upright = rng.random() < 0.4
    for k in np.argsort(-radius):
        points = circle(int(shape[k]) if shape[k] < 6 else 16) * [radius[k], radius[k] * narrow[k]]
        angle = (np.pi / 4 if shape[k] == 4 else 0) if upright else turn[k]
        c, s = np.cos(angle), np.sin(angle)
        fill(image, size * (points @ np.array([[c, s], [-s, c]]) + at[k]), colours[k])


def _pattern(rng: np.random.Generator, image: np.ndarray) -> None:
    """Bricks, tiles, fences or blinds, in place."""
    size, colour = image.shape[0], random_colour(rng, (0, 0.5))
    step = rng.uniform(0.03, 0.15)
    rows = np.arange(-1, 2, step) * size
    far = np.array([-size, 2 * size], float)
    tilt = rng.normal(0, 0.1)
    level = np.stack([np.stack([far, np.full(2, y) + far * tilt], 1) for y in rows])
    thick = step * size * rng.uniform(0.1, 0.5)
    kind = rng.integers(3)
    if kind < 2:
        lines(image, level, colour, thick)
    if kind > 0:
        lines(image, level[..., ::-1] * [rng.uniform(0.5, 2), 1], colour, thick)


def _passer_by(rng: np.random.Generator, image: np.ndarray) -> None:
    """Someone far away or cut off by the border: a head with hair over a body, in place."""
    size = image.shape[0]
    head = size * rng.uniform(0.02, 0.09)
    at = np.array([rng.uniform(0, 1) * size, size * rng.uniform(0.15, 0.7)])
    skin = np.array([220, 170, 140]) * rng.uniform(0.3, 1.05)
    hair = np.array([60, 44, 34]) * rng.uniform(0.3, 2.5)
    body = np.array([[-0.5, 1], [-1.8, 1.8], [-2.2, 5], [-1.5, 12], [1.5, 12], [2.2, 5],
                     [1.8, 1.8], [0.5, 1]])
    fill(image, at + head * rounded(body, 1), random_colour(rng, (0, 0.5), (0.05, 0.9)))
    lower = np.array([0, 0.25 * head])
    fill(image, ellipse(at - lower, (1.05 * head, 1.2 * head), 18), hair)
    if rng.random() < 0.7:
        fill(image, ellipse(at + lower, (0.85 * head, head), 18), skin)
