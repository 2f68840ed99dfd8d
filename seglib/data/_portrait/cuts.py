"""Hair cuts of the synthetic portraits: the few numbers that tell a buzz cut from long curls.

Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Cut:
    """A hair cut as a sheet that falls from the crown; lengths in half head widths.

    The sheet is `top` high above the head's centre, `wide` at the centre's height and `end` at
    its lower border `low`. In front it opens for the face: `side` is the opening's half width (as
    a part of the head's), `hairline` its upper border. `curl` is the radius of curls, 0 = none.
    Below `fade`, if not 0, hair thins out, as clippers leave it.
    """

    top: float
    wide: float
    low: float
    end: float
    side: float
    hairline: float
    wave: float = 0.0
    waves: float = 2.0
    curl: float = 0.0
    opacity: float = 1.0
    fringe: bool = False
    fade: float = 0.0


def random_cut(rng: np.random.Generator, style: str, back: bool) -> Cut:
    """A random hair cut of the wanted style."""
    u = rng.uniform
    high = 1.32
    side, hairline = u(0.78, 0.97), -u(0.62, 1.12)
    if style == "fringe of hair":
        cut = Cut(high + u(-0.3, 0.0), u(1.04, 1.15), u(0.3, 0.7), 0.95, 0.9, -u(1.6, 2.2))
    elif style == "buzz":
        cut = Cut(high + u(0.02, 0.1), u(1.0, 1.06), u(0, 0.3), 0.98, 0.93, -u(0.6, 1.0),
                  opacity=u(0.75, 1))
    elif style == "short":
        cut = Cut(high + u(0.08, 0.45), u(1.02, 1.16), u(0.05, 0.5), u(0.92, 1.05),
                  u(0.85, 0.98), -u(0.7, 1.2), wave=u(0, 0.06), fringe=rng.random() < 0.14)
    elif style == "short curly":
        cut = Cut(high + u(0.15, 0.5), u(1.08, 1.35), u(0.1, 0.7), u(0.95, 1.25), u(0.8, 0.98),
                  -u(0.4, 0.9), wave=0.06, curl=u(0.08, 0.2))
    elif style == "bob":
        cut = Cut(high + u(0.08, 0.3), u(1.1, 1.35), u(0.9, 1.8), u(0.9, 1.5), side, hairline,
                  wave=u(0, 0.08), fringe=rng.random() < 0.2)
    elif style in ("long", "wavy"):
        wave = u(0, 0.05) if style == "long" else u(0.08, 0.2)
        cut = Cut(high + u(0.06, 0.3), u(1.08, 1.35), u(1.8, 5.0), u(0.7, 1.9), side, hairline,
                  wave=wave, waves=u(1.5, 4), fringe=rng.random() < 0.15)
    elif style == "long curly":
        cut = Cut(high + u(0.15, 0.45), u(1.25, 1.7), u(1.4, 4.0), u(1.3, 2.3), side, hairline,
                  wave=u(0.1, 0.2), waves=u(3, 6), curl=u(0.1, 0.28))
    elif style == "afro":
        wide = u(1.3, 2.1)
        cut = Cut(high + (wide - 1) * u(0.7, 1.1), wide, u(0.4, 1.1), wide * u(0.6, 0.9),
                  u(0.85, 0.97), -u(0.5, 0.9), wave=0.08, curl=u(0.06, 0.14))
    else:
        cut = Cut(high + u(0.03, 0.2), u(1.02, 1.1), u(0.1, 0.5), u(0.9, 1.0), u(0.85, 0.97),
                  -u(0.6, 0.95), fringe=rng.random() < 0.15)
    if back:
        if cut.low < 0.75:
            cut.low, cut.end = u(0.75, 1.15), u(0.55, 0.95)
        cut.wide = max(cut.wide, 1.05)
    if style in ("short", "short curly", "buzz") and rng.random() < 0.4:
        cut.fade = u(-0.5, 0.3)
    return cut
