"""Brushes of the synthetic portraits: fractal noise, gradients, brightness, blur, random colours.

They work on whole pictures, uint8 NumPy arrays, by OpenCV calls; colours are RGB triples 0..255.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

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

    Args:
        rng: source of chance.
        size: side of the result in pixels.
        zoom: range of the window's side as a part of the noise picture; small = coarse.
        tall: above 1 stretches the noise upright (curtains), below 1 sideways (boards, waves).
        kind: which of the six roughnesses, 0 = smooth clouds .. 5 = grain; None draws one.
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
