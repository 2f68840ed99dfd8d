"""Soft edges: how good an alpha is, what a network learns one from, and the losses it learns by.

`errors` scores an alpha in the band where edges are decided. `pictures` mixes pictures whose alpha
is known with photos that have hard masks, and `losses` teaches a network from both; these two need
Keras and are imported by name.

Chapter: soft matting and sharper edges.
"""

from seglib.matting.errors import MattingErrors, matting_errors, unknown_band

__all__ = ["MattingErrors", "matting_errors", "unknown_band"]
