"""Masks and colours that several files of post-processing tests share."""

import cv2
import numpy as np


def lab(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def random_mask(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width), np.float32)


def disc(size: int, radius: float, soft: float = 4.0) -> np.ndarray:
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    return np.clip((radius - np.hypot(x, y)) / soft + 0.5, 0, 1).astype(np.float32)
