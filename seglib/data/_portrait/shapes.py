"""Shapes of the synthetic portraits: polygons and curves with smooth borders, ellipses, frames.

Points are (N, 2) float arrays of x and y in pixels. A `Frame` lets the parts of a person be drawn
in the person's own units, upright, wherever the person stands and however the head is tilted.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

_SHIFT = 4


def fixed(points: np.ndarray) -> np.ndarray:
    """Pixel coordinates as OpenCV's fixed point, 4 bits after the point."""
    return np.rint(np.maximum(np.minimum(points, 4000), -2000) * (1 << _SHIFT)).astype(np.int32)


def _value(value):
    """A grey value or colour as OpenCV takes it."""
    return value.tolist() if isinstance(value, np.ndarray) else value


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


@lru_cache(maxsize=64)
def circle(count: int) -> np.ndarray:
    """Points (count, 2) round the unit circle; do not change them."""
    angle = np.arange(count) * (2 * np.pi / count)
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def ellipse(centre, radii, count: int = 28) -> np.ndarray:
    """Points (count, 2) round an ellipse."""
    return circle(count) * radii + centre


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
