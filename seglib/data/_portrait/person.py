"""A person painted back to front: hair behind, body, head, hair in front, hat, hand.

The order alone hides what is behind (the "painter's algorithm"), so no part has to know what
covers it.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

from seglib.data._portrait.body import draw_body, draw_hand
from seglib.data._portrait.brushes import dim
from seglib.data._portrait.clothes import draw_hat
from seglib.data._portrait.figure import Figure
from seglib.data._portrait.hair import Hair
from seglib.data._portrait.hair_front import draw_tied, open_for_face
from seglib.data._portrait.hair_look import paint_hair
from seglib.data._portrait.head import draw_head
from seglib.data._portrait.looks import HAIR


def draw_people(figure: Figure) -> None:
    """Pose the figure and draw it on its canvas, perhaps with someone beside and behind it."""
    figure.pose()
    if figure.rng.random() < figure.config.company:
        draw_person(figure.companion())
    draw_person(figure)


def draw_person(figure: Figure) -> None:
    """Draw a whole posed person on the figure's canvas."""
    rng, config, canvas = figure.rng, figure.config, figure.canvas
    hair = None if figure.style == "bald" else Hair(figure)
    if hair:
        full = hair.coverage()
        look = paint_hair(hair)
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
