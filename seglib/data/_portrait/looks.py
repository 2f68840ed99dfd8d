"""Looks of the synthetic portraits: the labels, tones of skin and hair, names of hair cuts.

Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seglib.data._portrait.brushes import random_colour

BACKGROUND, HAIR, SKIN, CLOTHES = range(4)
LABELS = ("background", "hair", "skin", "clothes")

SKIN_TONES = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96",
              "a07e56", "825c43", "604134", "3a312a", "292420")
"""The ten swatches of the Monk Skin Tone Scale, light to dark, each drawn equally often
(Monk 2019, https://skintone.google, CC BY 4.0)."""

HAIR_TONES = {"black": (30, 26, 26), "dark brown": (58, 40, 30), "brown": (100, 66, 42),
              "blond": (196, 158, 102), "red": (148, 66, 34), "grey": (176, 172, 168)}

STYLES = ("bald", "fringe of hair", "buzz", "short", "short curly", "bob", "long", "wavy",
          "long curly", "afro", "bun", "ponytail", "braids")


def skin_colour(rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """A random index into `SKIN_TONES` and a colour of that tone, float (3,), 8..250."""
    tone = int(rng.integers(len(SKIN_TONES)))
    swatch = np.array(list(bytes.fromhex(SKIN_TONES[tone])), float)
    # Swatches are paler than lit skin in photos, whose red is stronger and blue weaker, and
    # the dark ones darker than skin that a photographer exposes for: hence factors and power.
    lit = 255 * (swatch / 255) ** 0.76 * [1, 0.83, 0.73]
    return tone, np.clip(lit * rng.uniform(0.85, 1.1) + rng.uniform(0, 20), 8, 250)


def hair_colour(rng: np.random.Generator, chances: Sequence[float]) -> np.ndarray:
    """A random hair colour, float (3,), 5..245.

    Args:
        rng: source of chance.
        chances: of `HAIR_TONES` in order; what is missing to 1 is dyed hair.
    """
    weights = np.array([*chances, max(0.0, 1 - sum(chances))])
    kind = rng.choice(len(weights), p=weights / weights.sum())
    if kind == len(HAIR_TONES):
        colour = random_colour(rng, (0.4, 0.9), (0.3, 0.9))
    else:
        colour = np.array(list(HAIR_TONES.values())[kind], float)
    return np.clip(colour * rng.uniform(0.7, 1.35) + rng.normal(0, 6, 3), 5, 245)


def style(rng: np.random.Generator, weights: Sequence[float]) -> str:
    """One of `STYLES` by their relative weights."""
    chances = np.array(weights, float)
    return STYLES[rng.choice(len(STYLES), p=chances / chances.sum())]
