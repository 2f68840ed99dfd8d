"""Sliders with the picture they lead to, for notebooks with ipywidgets 7 or 8.

`postprocess_explorer` sets a `seglib.postprocess.Pipeline`, `augment_explorer` changes a photo and
its mask together, `player` goes through the frames of a film. What the sliders do is in functions
of its own (`draw`, `views`), so that a page without a kernel can show the same pictures.

Chapters: post-processing; augmentation and synthetic portraits; real-time video.
"""

from seglib.widgets.augment import SLIDERS, augment_explorer, spell, views
from seglib.widgets.film import player
from seglib.widgets.postprocess import LENGTHS, VIEWS, draw, postprocess_explorer, spell_preset

__all__ = [
    "LENGTHS",
    "VIEWS",
    "draw",
    "postprocess_explorer",
    "spell_preset",
    "SLIDERS",
    "views",
    "augment_explorer",
    "spell",
    "player",
]
