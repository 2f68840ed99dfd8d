"""Backgrounds of the synthetic portraits, what lies over a photo, and the camera that takes it.

Some places are painted in the person's own skin or hair colour, so that colour alone does not tell
a person from a wall, and some hold small blurred people, who are not the portrait's subject.
Clutter is drawn as "dead leaves", overlapping shapes of power-law sizes, which have the statistics
of photographs (Lee, Mumford and Huang 2001) and teach networks more than smooth noise does
(Baradad et al. 2021, "Learning to See by Looking at Noise"). Borders and words, which scraped
photos are full of, count as background; the camera changes the finished picture alone.
"""

from functools import lru_cache

import cv2
import numpy as np

from seglib.data.synthetic import drawing as d
from seglib.data.synthetic.config import PortraitConfig


def words(rng: np.random.Generator, picture: np.ndarray, value, place: tuple[float, float],
          tall: float) -> None:
    """Print random letters into `picture`, in place; place and height are parts of the side."""
    size = picture.shape[0]
    text = "".join(chr(65 + letter) for letter in rng.integers(0, 26, rng.integers(3, 12)))
    at = (int(place[0] * size), int(place[1] * size))
    cv2.putText(picture, text, at, int(rng.choice([0, 2, 3, 4])), tall * size / 22, value,
                max(1, round(tall * size / 10)), cv2.LINE_AA)


def overlay(rng: np.random.Generator, canvas: d.Canvas) -> None:
    """Lay borders (upright or turned, mostly black or white) or words over the canvas."""
    size, mask = canvas.size, canvas.mask()
    colour = d.random_colour(rng) if rng.random() < 0.2 else np.full(3, rng.choice([0.0, 255.0]))
    if rng.random() < 0.3:
        words(rng, mask, 255, (rng.uniform(0, 0.5), rng.choice([0.08, 0.95])),
              rng.uniform(0.04, 0.1))
    else:
        turn = rng.normal(0, 0.1) if rng.random() < 0.4 else 0.0
        frame = d.Frame(size, turn, (size / 2, size / 2))
        inset = 0.5 - rng.uniform(0, 0.12, 2) * rng.permutation([1, rng.integers(2)])
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * inset + rng.normal(0, 0.02, 2)
        mask[:] = 255
        cv2.fillPoly(mask, [frame(corners).astype(np.int32)], 0, cv2.LINE_AA)
    canvas.over(mask, colour, 0)


def room(rng: np.random.Generator, size: int, image: np.ndarray) -> np.ndarray:
    """Furniture: frames, shelves with books, windows, curtains, lamps, over a wall."""
    wall = image[0, 0].astype(float)
    alike = rng.uniform(0, 0.8)
    for _ in range(rng.integers(3, 12)):
        kind = rng.integers(6)
        x, y = rng.uniform(-0.2, 0.9, 2) * size
        wide, high = rng.uniform(0.1, 0.6, 2) * size
        box = d.box(x, y, x + wide, y + high)
        colour = alike * wall + (1 - alike) * d.random_colour(rng, (0, 0.5), (0.05, 1))
        if kind <= 2:
            d.fill(image, box, colour)
            inner = box.mean(0) + (box - box.mean(0)) * rng.uniform(0.7, 0.92)
            d.fill(image, inner, d.random_colour(rng, (0, 0.35), (0.1, 1)))
            if kind == 0:
                middle = [box[[0, 1]].mean(0), box[[2, 3]].mean(0)]
                d.lines(image, np.array([middle]), colour, size * 0.02)
        elif kind == 3:
            left = x
            while left < x + wide:
                thick = size * rng.uniform(0.015, 0.05)
                top = y + high * rng.uniform(0, 0.35)
                book = d.box(left, top, left + thick, y + high)
                d.fill(image, book, d.random_colour(rng, (0, 0.5)))
                left += thick
        elif kind == 4:
            d.fill(image, d.ellipse((x + wide / 2, y + high / 2), (wide / 2, high / 2)), colour)
        else:
            step = size * rng.uniform(0.02, 0.12)
            at = np.arange(x, x + wide, step)
            curves = np.stack([np.stack([at, at * 0 + y], 1), np.stack([at, at * 0 + y + high], 1)],
                              1)
            d.lines(image, curves, colour, step * rng.uniform(0.2, 0.7))
    return image


def outdoors(rng: np.random.Generator, size: int, image: np.ndarray) -> np.ndarray:
    """Buildings, foliage and ground under the sky."""
    if rng.random() < 0.5:
        sky = np.array([[90, 140, 215], [200, 220, 240]]) * rng.uniform(0.6, 1.1)
        sky = sky if rng.random() < 0.5 else 0.3 * sky + 0.7 * sky.max()
        image = d.ramp(size, sky, np.pi / 2)
    ground = rng.uniform(0.3, 1.1)
    for _ in range(rng.integers(0, 4)):
        x, wide, top = rng.uniform(-0.2, 0.9), rng.uniform(0.15, 0.6), rng.uniform(-0.2, 0.6)
        house = d.box(x, top, x + wide, 1.1) * size
        d.fill(image, house, d.random_colour(rng, (0, 0.4), (0.2, 0.9)))
        step_x, step_y = wide / rng.integers(2, 7), rng.uniform(0.06, 0.2)
        pane = d.random_colour(rng, (0, 0.4), (0.05, 0.9))
        for gx in np.arange(x + step_x * 0.2, x + wide - step_x * 0.5, step_x):
            for gy in np.arange(top + step_y * 0.3, ground, step_y):
                low, high = np.array([gx, gy]) * size, np.array([gx + step_x * 0.6,
                                                                 gy + step_y * 0.6]) * size
                cv2.rectangle(image, low.astype(int).tolist(), high.astype(int).tolist(), pane, -1)
    if rng.random() < 0.6:
        leaf = d.ramp(size, np.stack([np.array([70, 95, 45.0]) * rng.uniform(0.2, 1.1),
                                      np.array([150, 175, 95.0]) * rng.uniform(0.4, 1.2)]),
                      rng.uniform(0, 6.3))
        leaf = d.shade(leaf, d.noise(rng, size, (0.3, 1.0), kind=rng.integers(3, 6)))
        where = d.noise(rng, size, (0.1, 0.5), kind=rng.integers(0, 4)).astype(np.float32)
        edge = np.linspace(-1, 1, size, dtype=np.float32)
        where += rng.uniform(-90, 90) * edge[:, None] + rng.uniform(-90, 90) * edge[None, :]
        weight = np.clip((where - rng.uniform(90, 160)) * 8, 0, 255).astype(np.uint8)
        image = d.two_tone(image, leaf, weight)
    if ground < 0.95:
        earth = d.random_colour(rng, (0, 0.5), (0.2, 0.8))
        mask = np.zeros((size, size), np.uint8)
        tilt = rng.uniform(-0.05, 0.05)
        d.fill(mask, np.array([[-0.1, ground - tilt], [1.1, ground + tilt], [1.1, 1.2],
                               [-0.1, 1.2]]) * size)
        rough = d.noise(rng, size, (0.3, 1), tall=rng.choice([0.4, 1.0]))
        weight = rng.uniform(0.1, 0.6)
        rough = cv2.addWeighted(rough, weight, rough, 0, 128 - 128 * weight)
        floor = d.shade(d.picture(earth, size), rough)
        image = d.two_tone(image, floor, mask)
    return image


KINDS = {"studio": 0.24, "room": 0.18, "outdoors": 0.2, "clutter": 0.22, "lights": 0.05,
         "alike": 0.06, "pattern": 0.05}


def background(rng: np.random.Generator, size: int, distractor: np.ndarray,
               passers_by: float = 0.0) -> np.ndarray:
    """A place, uint8 (size, size, 3); `distractor` colours what only looks like skin or hair."""
    dark = rng.random()
    value = (0.02, 0.35) if dark < 0.2 else (0.75, 1.0) if dark < 0.6 else (0.2, 0.95)
    first = d.random_colour(rng, (0, 0.7 if rng.random() < 0.25 else 0.25), value)
    second = np.clip(first * rng.uniform(0.5, 1.4) + rng.uniform(-20, 20, 3), 0, 255)
    if rng.random() < 0.15:
        first, second = rng.uniform(225, 265, (2, 1)) * [1, 1, 1]
    if rng.random() < 0.15:
        first = np.clip(distractor * rng.uniform(0.7, 1.2), 0, 255)
    image = d.ramp(size, np.stack([first, second]), rng.uniform(0, 6.3))
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
            disc = d.ellipse(rng.uniform(0, 1, 2) * size, [size * rng.uniform(0.01, 0.07)] * 2, 16)
            d.fill(image, disc, d.random_colour(rng, (0, 0.8), (0.6, 1)))
    elif kind == "alike":
        grain = d.noise(rng, size, (0.3, 1), tall=rng.choice([0.08, 12.0]), kind=rng.integers(2, 6))
        image = d.two_tone(distractor * 0.7, distractor * 1.2, grain)
    elif kind == "pattern":
        _pattern(rng, image)
    crowd = rng.random() < passers_by
    for _ in range(rng.integers(1, 5) if crowd else 0):
        _passer_by(rng, image)
    if kind not in ("studio", "alike") and rng.random() < 0.15:
        words(rng, image, d.random_colour(rng, (0, 0.8)).tolist(), tuple(rng.uniform(-0.1, 0.9, 2)),
              rng.uniform(0.06, 0.3))
    if rng.random() < 0.5:
        texture = d.noise(rng, size, (0.1, 1.0))
        weight = rng.uniform(0.03, 0.35)
        image = d.shade(image, cv2.addWeighted(texture, weight, texture, 0, 128 - 128 * weight))
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
    hues = np.stack([d.random_colour(rng, (0, 0.5), (0.05, 1)) for _ in range(4)])
    palette = np.concatenate([palette, hues])
    # A density of 1 / radius^3 is that of sizes that look the same at any distance.
    radius = rng.uniform(0.03, 0.07) / np.sqrt(rng.uniform(0.03, 1, count))
    colours = palette[rng.integers(len(palette), size=count)] * rng.uniform(0.4, 1.3, (count, 1))
    at, turn = rng.uniform(-0.05, 1.05, (count, 2)), rng.uniform(0, 6.3, count)
    shape, narrow = rng.integers(3, 9, count), rng.uniform(0.15, 1, count)
    upright = rng.random() < 0.4
    for k in np.argsort(-radius):
        corners = int(shape[k]) if shape[k] < 6 else 16
        points = d.circle(corners) * [radius[k], radius[k] * narrow[k]]
        angle = (np.pi / 4 if shape[k] == 4 else 0) if upright else turn[k]
        c, s = np.cos(angle), np.sin(angle)
        d.fill(image, size * (points @ np.array([[c, s], [-s, c]]) + at[k]), colours[k])


def _pattern(rng: np.random.Generator, image: np.ndarray) -> None:
    """Bricks, tiles, fences or blinds, in place."""
    size, colour = image.shape[0], d.random_colour(rng, (0, 0.5))
    step = rng.uniform(0.03, 0.15)
    rows = np.arange(-1, 2, step) * size
    far = np.array([-size, 2 * size], float)
    tilt = rng.normal(0, 0.1)
    level = np.stack([np.stack([far, np.full(2, y) + far * tilt], 1) for y in rows])
    thick = step * size * rng.uniform(0.1, 0.5)
    kind = rng.integers(3)
    if kind < 2:
        d.lines(image, level, colour, thick)
    if kind > 0:
        d.lines(image, level[..., ::-1] * [rng.uniform(0.5, 2), 1], colour, thick)


def _passer_by(rng: np.random.Generator, image: np.ndarray) -> None:
    """Someone far away or cut off by the border: a head with hair over a body, in place."""
    size = image.shape[0]
    head = size * rng.uniform(0.02, 0.09)
    at = np.array([rng.uniform(0, 1) * size, size * rng.uniform(0.15, 0.7)])
    skin = np.array([220, 170, 140]) * rng.uniform(0.3, 1.05)
    hair = np.array([60, 44, 34]) * rng.uniform(0.3, 2.5)
    body = np.array([[-0.5, 1], [-1.8, 1.8], [-2.2, 5], [-1.5, 12], [1.5, 12], [2.2, 5],
                     [1.8, 1.8], [0.5, 1]])
    d.fill(image, at + head * d.rounded(body, 1), d.random_colour(rng, (0, 0.5), (0.05, 0.9)))
    lower = np.array([0, 0.25 * head])
    d.fill(image, d.ellipse(at - lower, (1.05 * head, 1.2 * head), 18), hair)
    if rng.random() < 0.7:
        d.fill(image, d.ellipse(at + lower, (0.85 * head, head), 18), skin)


@lru_cache(maxsize=1)
def _grain_bank() -> np.ndarray:
    """Fixed white Gaussian noise, int16 (512, 512, 3), standard deviation 256."""
    return (256 * np.random.default_rng(20240301).standard_normal((512, 512, 3))).astype(np.int16)


def camera(rng: np.random.Generator, image: np.ndarray, config: PortraitConfig) -> np.ndarray:
    """What lens, sensor and file do to a picture, uint8 in and out, same shape."""
    size = image.shape[0]
    warmth = rng.normal(0, 0.06)
    gain = rng.uniform(0.8, 1.2) * np.array([1 + warmth, 1 + rng.normal(0, 0.02), 1 - warmth])
    steps = np.linspace(0, 1, 256)
    curve = steps ** np.exp(rng.normal(0, 0.25))
    contrast = rng.uniform(-0.2, 0.75)
    curve = curve + contrast * (curve * curve * (3 - 2 * curve) - curve)
    lift = rng.uniform(0, 0.08)
    table = np.clip(255 * (lift + (1 - lift) * curve[:, None] * gain), 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table[None])
    if rng.random() < config.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    sigma = rng.uniform(*(size / 128 * edge for edge in config.blur))
    if sigma > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if rng.random() < config.sharpen:
        amount = rng.uniform(0.3, 1.5)
        soft = cv2.GaussianBlur(image, (0, 0), size / 128 * rng.uniform(0.6, 1.2))
        image = cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
    level = rng.uniform(*config.noise) * rng.random()
    if level > 0.5:
        (row, column), bank = rng.integers(256, size=2), _grain_bank()
        if size > 256:
            bank = np.tile(bank, (size // 512 + 2, size // 512 + 2, 1))
        grain = bank[row:row + size, column:column + size].copy()
        image = cv2.addWeighted(image, 1, grain, level / 256, 0, dtype=cv2.CV_8U)
    if rng.random() < config.jpeg:
        quality = int(rng.integers(25, 81))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image
