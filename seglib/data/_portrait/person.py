"""A person painted back to front: hair behind, body, head, hair in front, hat, hand.

The order alone hides what is behind (the "painter's algorithm"), so no part has to know what
covers it.
Chapter: data preparation.
"""

from __future__ import annotations

from seglib.data._portrait.body import draw_body, draw_hand
from seglib.data._portrait.brushes import dim
from seglib.data._portrait.clothes import draw_hat
from seglib.data._portrait.figure import Figure
from seglib.data._portrait.hair import Hair
from seglib.data._portrait.hair_front import draw_tied, open_for_face
from seglib.data._portrait.head import draw_head
from seglib.data._portrait.looks import HAIR


def draw_person(figure: Figure) -> None:
    """Pose the figure and draw the whole person on its canvas."""
    rng, config, canvas = figure.rng, figure.config, figure.canvas
    figure.pose()
    hair = None if figure.style == "bald" else Hair(figure)
    if hair:
        full = hair.coverage()
        look = hair.picture()
        falls = rng.random() < 0.5
        if not figure.back:
            canvas.over(full, dim(look, 0.72), HAIR)
    draw_body(figure)
    draw_head(figure)
    if hair:
        front = full if figure.back else open_for_face(hair, full, falls)
        canvas.over(front, look, HAIR)
        draw_tied(figure, look)
    if rng.random() < config.hat:
        draw_hat(figure)
    if rng.random() < config.hand:
        draw_hand(figure)
