"""Layers of the synthetic portraits: blend a colour or picture over another, and keep count.

The `Canvas` holds, beside the picture, how much of every pixel each label covers. Both are blended
by the same mask with the "over" rule of Porter and Duff (1984), "Compositing digital images", so
that picture, labels and soft alpha agree by construction.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import cv2
import numpy as np

from seglib.data._portrait.brushes import picture


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
