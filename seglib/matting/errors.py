"""How good a soft edge is: errors of an alpha where the truth is neither 0 nor 1.

Nearly all pixels of a portrait are plain person or plain background, so a score over the whole
picture hardly notices the edge. Matting is scored in the band round it: where the true alpha lies
between, and some pixels to either side.

Source of the three errors: Rhemann et al., 2009, "A Perceptually Motivated Online Benchmark for
Image Matting".

Chapter: soft matting and sharper edges.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_mask


@dataclass(frozen=True)
class MattingErrors:
    """Errors of one alpha; lower is better, 0 is right.

    Attributes:
        sad: sum of absolute differences, in thousands of pixels; grows with the picture's size.
        mse: mean squared difference.
        gradient: sum of squared differences of the slopes' sizes, in thousands: sharpness lost or
            made up.
        pixels: how many were counted.
    """

    sad: float
    mse: float
    gradient: float
    pixels: int


def unknown_band(alpha: np.ndarray, radius: int = 8, least: float = 0.02) -> np.ndarray:
    """Return where an edge has to be decided, bool H x W.

    Args:
        alpha: the true alpha, float H x W in [0, 1].
        radius: how far the band reaches past the soft pixels, in pixels, 0 or more.
        least: alphas up to this and from 1 - this on count as whole.

    Raises:
        SeglibError: alpha is no mask, or radius or least is out of range.
    """
    alpha = as_mask(alpha)
    if radius < 0 or not 0 <= least < 0.5:
        raise SeglibError(f"radius is {radius} and least {least}; use 0 or more, 0 to below 0.5")
    soft = ((alpha > least) & (alpha < 1 - least)).astype(np.uint8)
    # A mask without soft pixels still has an edge.
    hard = (alpha >= 0.5).astype(np.uint8)
    soft |= cv2.morphologyEx(hard, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(soft, disc) > 0


def matting_errors(
    alpha: np.ndarray, truth: np.ndarray, band: np.ndarray | None = None
) -> MattingErrors:
    """Compare an alpha with the true one inside a band.

    Args:
        alpha: float H x W in [0, 1].
        truth: the same shape and range.
        band: bool H x W, the pixels that count; `unknown_band(truth)` where it is None.

    Raises:
        SeglibError: the shapes differ, or the band is empty.
    """
    truth = as_mask(truth)
    alpha = as_mask(alpha, shape=truth.shape)
    band = unknown_band(truth) if band is None else np.asarray(band, bool)
    if band.shape != truth.shape or not band.any():
        raise SeglibError(
            f"the band of shape {band.shape} marks no pixel of an alpha of {truth.shape}; give one "
            "of that shape, or leave out pictures with nobody in them"
        )
    gaps = (alpha - truth)[band]
    slopes = (_slope(alpha) - _slope(truth))[band]
    return MattingErrors(
        sad=float(np.abs(gaps).sum()) / 1000,
        mse=float(np.square(gaps).mean()),
        gradient=float(np.square(slopes).sum()) / 1000,
        pixels=int(band.sum()),
    )


def _slope(alpha: np.ndarray, sigma: float = 1.4) -> np.ndarray:
    """Size of the alpha's slope, by first derivatives of a Gaussian."""
    reach = int(np.ceil(3 * sigma))
    at = np.arange(-reach, reach + 1, dtype=np.float64)
    bell = np.exp(-(at**2) / (2 * sigma**2))
    bell /= bell.sum()
    across = cv2.sepFilter2D(alpha, cv2.CV_64F, -at / sigma**2 * bell, bell)
    down = cv2.sepFilter2D(alpha, cv2.CV_64F, bell, -at / sigma**2 * bell)
    return np.hypot(across, down)
