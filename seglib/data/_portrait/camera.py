"""The camera of the synthetic portraits: white balance, contrast, focus, sensor noise, JPEG.

It changes the finished picture alone: labels and alpha say what was there, not how it was taken.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from seglib.data._portrait.brushes import Range

_GRAIN_SIZE = 512


@lru_cache(maxsize=1)
def _grain_bank() -> np.ndarray:
    """Fixed white Gaussian noise, int16 (512, 512, 3), standard deviation 256."""
    rng = np.random.default_rng(20240301)
    return (256 * rng.standard_normal((_GRAIN_SIZE, _GRAIN_SIZE, 3))).astype(np.int16)


def _grain(rng: np.random.Generator, size: int) -> np.ndarray:
    """A window of the noise, repeated where the picture is larger, int16 (size, size, 3)."""
    bank = _grain_bank()
    if size > _GRAIN_SIZE // 2:
        times = size // _GRAIN_SIZE + 2
        bank = np.tile(bank, (times, times, 1))
    row, column = rng.integers(_GRAIN_SIZE // 2, size=2)
    return np.ascontiguousarray(bank[row:row + size, column:column + size])


def camera(rng: np.random.Generator, image: np.ndarray, blur: Range, grain: Range,
           jpeg: float, grey: float, sharpen: float) -> np.ndarray:
    """What lens, sensor and file do to a picture, uint8 in and out, same shape.

    Args:
        rng: source of chance.
        image: uint8 (size, size, 3).
        blur: range of the Gaussian blur's standard deviation in pixels.
        grain: range of the sensor noise's standard deviation, of 255.
        jpeg: chance of a lossy JPEG round trip of quality 25 to 80.
        grey: chance of a grey picture.
        sharpen: chance that the camera sharpens, as most do.
    """
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
    if rng.random() < grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    sigma = rng.uniform(*blur)
    if sigma > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if rng.random() < sharpen:
        amount = rng.uniform(0.3, 1.5)
        soft = cv2.GaussianBlur(image, (0, 0), size / 128 * rng.uniform(0.6, 1.2))
        image = cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
    level = rng.uniform(*grain) * rng.random()
    if level > 0.5:
        image = cv2.addWeighted(image, 1, _grain(rng, size), level / 256, 0, dtype=cv2.CV_8U)
    if rng.random() < jpeg:
        quality = int(rng.integers(25, 81))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image
