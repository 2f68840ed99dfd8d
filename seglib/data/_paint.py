"""Brushes of the synthetic portraits: noise, layers, outlines, strands, backgrounds, the camera.

All of it works on NumPy arrays with OpenCV drawing calls; nothing here knows what a head is.
Points are (N, 2) float arrays of x and y in pixels, colours are RGB triples 0..255.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

_SHIFT = 4
_BANK_SIZE = 512
Range = tuple[float, float]


@lru_cache(maxsize=1)
def _noise_bank() -> tuple[np.ndarray, ...]:
    """Six fixed fractal-noise pictures (uint8, mean near 128), from coarse clouds to fine grain.

    Sums of octaves of smoothed random grids, after Perlin (1985), "An image synthesizer".
    They are made once, as cutting a window out of a picture is far cheaper than making noise.
    """
    rng = np.random.default_rng(20240229)
    bank = []
    for fall in (0.4, 0.5, 0.6, 0.75, 0.9, 1.1):
        total = np.zeros((_BANK_SIZE, _BANK_SIZE), np.float32)
        for octave in range(8):
            cells = 3 * 2**octave
            grid = rng.standard_normal((cells, cells)).astype(np.float32)
            shape = (_BANK_SIZE, _BANK_SIZE)
            total += fall**octave * cv2.resize(grid, shape, interpolation=cv2.INTER_CUBIC)
        total = 128 + 50 * (total - total.mean()) / total.std()
        bank.append(np.clip(total, 0, 255).astype(np.uint8))
    return tuple(bank)


@lru_cache(maxsize=1)
def _grain_bank() -> np.ndarray:
    """Fixed white Gaussian noise, int16 (512, 512, 3), standard deviation 256."""
    rng = np.random.default_rng(20240301)
    return (256 * rng.standard_normal((_BANK_SIZE, _BANK_SIZE, 3))).astype(np.int16)


def noise(rng: np.random.Generator, size: int, zoom: Range = (0.15, 1.0), tall: float = 1.0,
          kind: int | None = None) -> np.ndarray:
    """A window of fractal noise, uint8 (size, size), mean near 128.

    Args:
        rng: source of chance.
        size: side of the result in pixels.
        zoom: range of the window's side as a part of the noise picture; small = coarse.
        tall: above 1 stretches the noise upright (curtains), below 1 sideways (boards, waves).
        kind: which of the six roughnesses, 0 = smooth clouds .. 5 = grain; None draws one.
    """
    bank = _noise_bank()[rng.integers(6) if kind is None else kind]
    high = max(8, int(_BANK_SIZE * rng.uniform(*zoom)))
    wide = high
    if tall > 1:
        high = max(4, int(high / tall))
    elif tall < 1:
        wide = max(4, int(wide * tall))
    y, x = rng.integers(_BANK_SIZE - high + 1), rng.integers(_BANK_SIZE - wide + 1)
    return cv2.resize(bank[y:y + high, x:x + wide], (size, size), interpolation=cv2.INTER_LINEAR)


def ramp(size: int, colours: np.ndarray, angle: float) -> np.ndarray:
    """A linear colour gradient, uint8 (size, size, 3), through `colours` (K, 3) along `angle`."""
    axis = np.linspace(-1, 1, 32, dtype=np.float32)
    along = np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None]
    stops = np.linspace(-1.2, 1.2, len(colours))
    small = np.stack([np.interp(along, stops, colours[:, c]) for c in range(3)], -1)
    small = np.clip(small, 0, 255).astype(np.uint8)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)


def shade(image: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """`image` times gain / 128, per pixel; gain is uint8, of any (smaller) square size."""
    size = image.shape[0]
    if gain.shape[0] != size:
        gain = cv2.resize(gain, (size, size), interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(image, cv2.merge([gain, gain, gain]), scale=1 / 128)


def dim(image: np.ndarray, gain: float) -> np.ndarray:
    """`image` times one number."""
    return cv2.convertScaleAbs(image, alpha=float(gain))


def picture(colour: np.ndarray, size: int) -> np.ndarray:
    """A flat colour (3,) as a picture, uint8 (size, size, 3)."""
    flat = np.empty((size, size, 3), np.uint8)
    cv2.rectangle(flat, (0, 0), (size, size), [int(min(max(v, 0), 255)) for v in colour], -1)
    return flat


def lay(image: np.ndarray, mask: np.ndarray, top: np.ndarray) -> tuple | None:
    """Lay a colour or picture over `image`, in place, where mask (uint8) is more than 0.

    Only the box round the mask is worked on. Returns the share of `top` in that box (float32) and
    the box itself, or None where the mask is empty.
    """
    x, y, wide, high = cv2.boundingRect(mask)
    if not wide:
        return None
    box = np.s_[y:y + high, x:x + wide]
    share = mask[box].astype(np.float32) * np.float32(1 / 255)
    if np.ndim(top) == 3:
        front = np.ascontiguousarray(top[box])
    else:
        front = np.empty((high, wide, 3), np.uint8)
        cv2.rectangle(front, (0, 0), (wide, high), [int(min(max(v, 0), 255)) for v in top], -1)
    image[box] = cv2.blendLinear(np.ascontiguousarray(image[box]), front, 1 - share, share)
    return share, box


def two_tone(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mix of two colours or pictures; weight uint8 (size, size), 255 = all of the second."""
    mixed = first.copy() if np.ndim(first) == 3 else picture(first, weight.shape[0])
    lay(mixed, weight, second)
    return mixed


def soften(mask: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a uint8 mask, sigma in pixels; wide blurs are done on a smaller copy."""
    if sigma < 3 or mask.shape[0] < 64:
        return cv2.GaussianBlur(mask, (0, 0), max(0.5, sigma))
    size, less = mask.shape[0], int(min(sigma / 1.5, mask.shape[0] / 16))
    small = cv2.resize(mask, (size // less,) * 2, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / less)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)


def fixed(points: np.ndarray) -> np.ndarray:
    """Pixel coordinates as OpenCV's fixed point, 4 bits after the point."""
    return np.rint(np.maximum(np.minimum(points, 4000), -2000) * (1 << _SHIFT)).astype(np.int32)


def _value(value) -> tuple[float, ...]:
    """A grey value or colour as OpenCV takes it."""
    return tuple(float(v) for v in np.atleast_1d(value))


def fill(mask: np.ndarray, points: np.ndarray, value=255) -> np.ndarray:
    """Fill the polygon `points` in `mask` (in place) with smooth borders."""
    cv2.fillPoly(mask, [fixed(points)], _value(value), cv2.LINE_AA, _SHIFT)
    return mask


def lines(mask: np.ndarray, curves: np.ndarray, value=255, width: float = 1,
          closed: bool = False) -> np.ndarray:
    """Draw curves (K, P, 2) in `mask` (in place), `width` pixels thick, with smooth borders."""
    thick = max(1, round(width))
    cv2.polylines(mask, list(fixed(curves)), closed, _value(value), thick, cv2.LINE_AA, _SHIFT)
    return mask


def rounded(points: np.ndarray, times: int = 3, closed: bool = True) -> np.ndarray:
    """A smooth curve along a polygon, by cutting corners (Chaikin 1974)."""
    points = np.asarray(points, np.float32)
    for _ in range(times):
        after = np.concatenate([points[1:], points[:1]])
        cut = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], 1)
        ends = points[:1], points[-1:]
        points = cut.reshape(-1, 2)
        if not closed:
            points = np.concatenate([ends[0], points[:-2], ends[1]])
    return points


def ellipse(centre, radii, count: int = 28) -> np.ndarray:
    """Points (count, 2) round an ellipse."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([centre[0] + radii[0] * np.cos(angle),
                     centre[1] + radii[1] * np.sin(angle)], 1)


class Frame:
    """A drawing frame: its own units to pixels by turn, scale (`stretch` sideways) and shift."""

    def __init__(self, unit: float, angle: float, origin, stretch: float = 1.0) -> None:
        self.unit = unit
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        self._matrix, self._origin = unit * turn * [stretch, 1], np.asarray(origin, float)

    def __call__(self, points) -> np.ndarray:
        """Points (..., 2) in this frame's units as pixels."""
        return np.asarray(points, float) @ self._matrix + self._origin

    def grid(self, size: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
        """x and y in this frame's units on a (cells, cells) grid over a picture of `size`."""
        axis = (np.arange(cells) + 0.5) * (size / cells)
        pixels = np.stack(np.meshgrid(axis, axis), -1) - self._origin
        local = (pixels @ np.linalg.inv(self._matrix)).astype(np.float32)
        return local[..., 0], local[..., 1]


class Canvas:
    """A picture built back to front, with how much each of four labels covers each pixel."""

    def __init__(self, background: np.ndarray) -> None:
        self.size = background.shape[0]
        self.image = background
        self.cover = np.zeros((4, self.size, self.size), np.float32)
        self.cover[0] = 1

    def mask(self) -> np.ndarray:
        """An empty uint8 mask of the canvas' size."""
        return np.zeros((self.size, self.size), np.uint8)

    def over(self, mask: np.ndarray, paint: np.ndarray, label: int) -> None:
        """Lay `paint` (a colour or a picture) over the canvas where mask (uint8) says."""
        done = lay(self.image, mask, paint)
        if done:
            share, (rows, columns) = done
            cover = self.cover[:, rows, columns]
            cover *= 1 - share
            cover[label] += share


def random_colour(rng: np.random.Generator, saturation: Range = (0, 0.8),
                  value: Range = (0.1, 1)) -> np.ndarray:
    """A random RGB colour by hue, saturation and value; float (3,), 0..255."""
    hue, sat, val = rng.uniform(0, 6), rng.uniform(*saturation), rng.uniform(*value)
    rgb = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return 255 * val * (1 - sat + sat * rgb)


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


def camera(rng: np.random.Generator, image: np.ndarray, blur: Range, grain: Range,
           jpeg: float, grey: float) -> np.ndarray:
    """What lens, sensor and file do to a picture, uint8 in and out, same shape.

    Args:
        rng: source of chance.
        image: uint8 (size, size, 3).
        blur: range of the Gaussian blur's standard deviation in pixels.
        grain: range of the sensor noise's standard deviation, of 255.
        jpeg: chance of a lossy JPEG round trip of quality 25 to 80.
        grey: chance of a grey picture.
    """
    size = image.shape[0]
    warmth = rng.normal(0, 0.06)
    gain = rng.uniform(0.8, 1.2) * np.array([1 + warmth, 1 + rng.normal(0, 0.02), 1 - warmth])
    steps = np.linspace(0, 1, 256)
    curve = steps ** np.exp(rng.normal(0, 0.25))
    contrast = rng.uniform(-0.25, 0.5)
    curve = curve + contrast * (curve * curve * (3 - 2 * curve) - curve)
    lift = rng.uniform(0, 0.08)
    table = np.clip(255 * (lift + (1 - lift) * curve[:, None] * gain), 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table[None])
    if rng.random() < grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    sigma = rng.uniform(*blur)
    if sigma > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    level = rng.uniform(*grain) * rng.random()
    if level > 0.5:
        rows, columns = (np.arange(size) + rng.integers(_BANK_SIZE) for _ in range(2))
        window = _grain_bank()[rows[:, None] % _BANK_SIZE, columns[None, :] % _BANK_SIZE]
        image = cv2.add(image, cv2.convertScaleAbs(cv2.max(window, 0), alpha=level / 256))
        image = cv2.subtract(image, cv2.convertScaleAbs(cv2.min(window, 0), alpha=level / 256))
    if rng.random() < jpeg:
        quality = int(rng.integers(25, 81))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image
