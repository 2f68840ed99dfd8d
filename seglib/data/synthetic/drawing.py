"""Tools of the synthetic portraits that know nothing of people: noise, colours, shapes, layers.

Pictures are uint8 (size, size, 3), masks uint8 (size, size), colours RGB triples 0..255, points
(N, 2) arrays of x and y in pixels. A `Frame` lets the parts of a person be drawn in the person's
own units, upright, wherever the person stands and however the head is tilted. The `Canvas` holds,
beside the picture, how much of every pixel each label covers; both are blended by the same mask
with the "over" rule of Porter and Duff (1984), so that picture, labels and soft alpha agree.
"""

from functools import lru_cache

import cv2
import numpy as np

_BANK_SIZE = 512
Range = tuple[float, float]


@lru_cache(maxsize=1)
def noise_bank() -> tuple[np.ndarray, ...]:
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


def noise(rng: np.random.Generator, size: int, zoom: Range = (0.15, 1.0), tall: float = 1.0,
          kind: int | None = None) -> np.ndarray:
    """A window of fractal noise, uint8 (size, size), mean near 128.

    `zoom` is the range of the window's side as a part of the noise picture (small = coarse); `tall`
    above 1 stretches upright (curtains), below 1 sideways (boards, waves); `kind` is the roughness,
    0 = smooth clouds .. 5 = grain, or drawn.
    """
    bank = noise_bank()[rng.integers(6) if kind is None else kind]
    high = max(8, int(_BANK_SIZE * rng.uniform(*zoom)))
    wide = high
    if tall > 1:
        high = max(4, int(high / tall))
    elif tall < 1:
        wide = max(4, int(wide * tall))
    y, x = rng.integers(_BANK_SIZE - high + 1), rng.integers(_BANK_SIZE - wide + 1)
    return cv2.resize(bank[y:y + high, x:x + wide], (size, size), interpolation=cv2.INTER_LINEAR)


def blotches(rng: np.random.Generator, zoom: Range, kinds: tuple[int, int],
             tall: float = 1.0) -> np.ndarray:
    """Noise of one of a range of roughnesses, float32 (64, 64) about 0, for what changes slowly."""
    kind = rng.integers(*kinds)
    return noise(rng, 64, zoom, tall, kind).astype(np.float32) - 128


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


def soften(mask: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a uint8 mask, sigma in pixels; wide blurs are done on a smaller copy."""
    if sigma < 1.6 or mask.shape[0] < 64:
        return cv2.GaussianBlur(mask, (0, 0), max(0.5, sigma))
    size, less = mask.shape[0], max(2, int(min(sigma / 1.5, mask.shape[0] / 16)))
    small = cv2.resize(mask, (size // less,) * 2, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / less)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)


def random_colour(rng: np.random.Generator, saturation: Range = (0, 0.8),
                  value: Range = (0.1, 1)) -> np.ndarray:
    """A random RGB colour by hue, saturation and value; float (3,), 0..255."""
    hue, sat, val = rng.uniform(0, 6), rng.uniform(*saturation), rng.uniform(*value)
    rgb = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return 255 * val * (1 - sat + sat * rgb)


_SHIFT = 4  # bits after the point in OpenCV's fixed-point coordinates


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.rint(np.maximum(np.minimum(points, 4000), -2000) * (1 << _SHIFT)).astype(np.int32)


def fill(mask: np.ndarray, points: np.ndarray, value=255) -> np.ndarray:
    """Fill the polygon `points` in `mask` (in place) with smooth borders."""
    cv2.fillPoly(mask, [_fixed(points)], np.asarray(value).tolist(), cv2.LINE_AA, _SHIFT)
    return mask


def lines(mask: np.ndarray, curves: np.ndarray, value=255, width: float = 1,
          closed: bool = False) -> np.ndarray:
    """Draw curves (K, P, 2) in `mask` (in place), `width` pixels thick, with smooth borders."""
    value, thick = np.asarray(value).tolist(), max(1, round(width))
    cv2.polylines(mask, list(_fixed(curves)), closed, value, thick, cv2.LINE_AA, _SHIFT)
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


@lru_cache(maxsize=64)
def circle(count: int) -> np.ndarray:
    """Points (count, 2) round the unit circle; do not change them."""
    angle = np.arange(count) * (2 * np.pi / count)
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def ellipse(centre, radii, count: int = 28) -> np.ndarray:
    """Points (count, 2) round an ellipse."""
    return circle(count) * radii + centre


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """The corners of a rectangle, clockwise from the upper left one."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


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


def lay(image: np.ndarray, mask: np.ndarray, top: np.ndarray) -> tuple | None:
    """Lay a colour or picture over `image`, in place, where mask (uint8) is more than 0.

    Only the box round the mask is worked on. Returns the share of `top` in it and the box, or None.
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
