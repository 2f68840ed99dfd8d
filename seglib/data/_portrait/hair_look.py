"""How hair looks in the synthetic portraits: strands, curls or ropes, gloss, dyed ends.

Fractal noise is stretched along the hair sheet, which gives locks of all widths at once, as
photographed hair has, for one look-up per pixel; drawn lines look like a comb. Light moves a pixel
along a ramp of tones (shadow, own colour, gloss) instead of scaling its colour, after the two
highlights of Marschner et al. (2003), "Light Scattering from Human Hair Fibers".
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from seglib.data._portrait.brushes import noise, noise_bank, random_colour
from seglib.data._portrait.hair import Hair
from seglib.data._portrait.layers import two_tone


@lru_cache(maxsize=1)
def _ropes() -> np.ndarray:
    """A tile of four twisted ropes side by side, uint8 (128, 128), that repeats both ways."""
    down, across = np.mgrid[:128, :128] / 128.0
    place = (4 * across) % 1 - 0.5
    round_ = np.sqrt(np.maximum(0, 1 - (2 * place) ** 2))
    twist = 0.5 + 0.5 * np.cos(2 * np.pi * (8 * down + 2.4 * np.abs(place)))
    grain = cv2.resize(noise_bank()[4], (128, 128)) / 255.0 - 0.5
    return np.clip(255 * (0.75 * round_ * (0.55 + 0.45 * twist) + 0.4 * grain), 0,
                   255).astype(np.uint8)


def paint_hair(hair: Hair) -> np.ndarray:
    """Hair all over the canvas of the hair's figure, uint8 (size, size, 3)."""
    figure, cut, rng = hair.figure, hair.cut, hair.figure.rng
    size = (figure.size, figure.size)
    across, along = hair.across_and_along()
    tile, fine = noise_bank()[rng.integers(2, 6)], rng.uniform(60, 190)
    drawn_out = rng.uniform(0.04, 0.16)
    if figure.style == "braids":
        tile, fine, drawn_out = _ropes(), 32.0 * rng.integers(4, 10), rng.uniform(0.4, 1.0)
    elif cut.curl:
        tile, fine = noise_bank()[rng.integers(4, 6)], rng.uniform(3, 8) / cut.curl
        drawn_out = rng.uniform(0.3, 1.0)
        swirl = [noise(rng, 64, tuple(np.clip(np.array([0.5, 1.2]) / (64 * figure.unit
                 / figure.size), 0.02, 1)), kind=rng.integers(1, 4)) for _ in range(2)]
        bend = rng.uniform(0.3, 1.2) * cut.curl / 25
        across = across + bend * (swirl[0].astype(np.float32) - 128)
        along = along + bend * (swirl[1].astype(np.float32) - 128)
    else:
        stray = noise(rng, 64, (0.1, 0.5), kind=rng.integers(0, 4)).astype(np.float32) - 128
        across = across + rng.uniform(0, 0.003) * stray
    edges = cv2.BORDER_WRAP if figure.style == "braids" else cv2.BORDER_REFLECT
    start = rng.uniform(100, 400, 2)
    maps = (cv2.resize((start[k] + scale * grid).astype(np.float32), size)
            for k, (scale, grid) in enumerate(((fine, across), (fine * drawn_out, along))))
    grain = cv2.remap(tile, *maps, cv2.INTER_LINEAR, borderMode=edges)
    band = (figure.hy + rng.uniform(0.2, 1.0) + 0.3 * figure.hx**2) / rng.uniform(0.2, 0.5)
    sheen = rng.uniform(0, 110) * np.exp(-band**2) + rng.uniform(-30, 15) * np.clip(
        (figure.hx / cut.wide) ** 2, 0, 1.5)
    sheen = sheen + 0.7 * (figure.lit().astype(np.float32) - 128 * figure.exposure)
    cloud = noise(rng, 64, (0.05, 0.25), kind=rng.integers(0, 3)).astype(np.float32) - 128
    sheen = rng.uniform(105, 135) + sheen + rng.uniform(0, 0.9) * cloud
    sheen = np.clip(sheen, 0, 255).astype(np.uint8)
    contrast = rng.uniform(0.6, 2.0) * (1.2 if cut.curl else 0.9)
    tone = cv2.addWeighted(grain, contrast, cv2.resize(sheen, size), 1, -128 * contrast)
    ramp = _ramp(rng, figure.hair, figure.exposure)
    picture = cv2.LUT(cv2.merge([tone, tone, tone]), ramp)
    if rng.random() < 0.1 and cut.low > 1:
        ends = np.clip((figure.hy - rng.uniform(-0.5, 1)) / rng.uniform(0.8, 2), 0, 1)
        ends = cv2.resize((ends * rng.uniform(120, 255)).astype(np.uint8), size)
        other = _ramp(rng, random_colour(rng, (0.2, 0.9), (0.3, 0.9)), figure.exposure)
        picture = two_tone(picture, cv2.LUT(cv2.merge([tone, tone, tone]), other), ends)
    return picture


def _ramp(rng: np.random.Generator, colour: np.ndarray, exposure: float) -> np.ndarray:
    """Table of tones, uint8 (1, 256, 3): from shadow through `colour` (3,) to gloss."""
    gloss = 0.6 * colour + rng.uniform(50, 150) * np.array([1, 0.97, 0.93])
    stops = np.stack([colour * rng.uniform(0.12, 0.35), colour * 0.85, colour * 1.25 + 8,
                      np.maximum(gloss, colour * 1.4)]) * exposure
    place = [0, 110, 185, 255]
    table = np.stack([np.interp(np.arange(256), place, stops[:, c]) for c in range(3)], -1)
    return np.clip(table, 0, 255).astype(np.uint8)[None]
