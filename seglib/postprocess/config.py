"""What a pipeline does, as one frozen value that can be compared, copied and printed.

Chapter: post-processing.
"""

import dataclasses
import math

from seglib.errors import SeglibError
from seglib.postprocess.hair import check_color

UPSAMPLERS = ("linear", "guided", "bilateral")
"""How a small mask reaches the photo's size."""

CURVES = ("none", "smoothstep", "gain")
"""The curve that the enlarged mask goes through."""

EFFECTS = ("blur", "bokeh", "grey", "replace", "clone", "recolour", "multiply")
"""What is done with the photo: five change the background, two the hair."""


@dataclasses.dataclass(frozen=True)
class PostprocessConfig:
    """The settings of a `Pipeline`, in the order in which it uses them.

    Lengths are shares of the shorter side, so that they mean the same at any size: 0.01 is about
    one pixel of a 128-pixel mask and seven of a 1280x720 frame. A step at 0, None or False is left
    out.

    The defaults are what raised boundary IoU on real photos, for people as for hair
    (`tests/benchmarks/edge_steps.py`: 179 and 83 validation photos, by 0.030 and 0.036 in all).
    Unsure blobs and small holes go; the mask is enlarged along the photo's edges, which is nearly
    all of the gain; and a symmetric curve, which leaves the outline where it is, firms up what that
    left soft. The other steps are off: opening and closing by a pixel gained about 0.001, wider
    ones, blurs and a threshold before the enlargement lost, an asymmetric curve most of all, and
    the largest component, which gained for people, would remove a second person.

    Attributes:
        size: masks whose shorter side has more pixels than this are averaged down to it first, so
            that cleaning costs the same however large they come; None keeps them as they are.
        level: threshold, None for a soft mask.
        drop_below: what is below it becomes 0; None for nothing.
        opening: radius, a share of the shorter side.
        closing: radius.
        dilation: radius.
        hysteresis: (low, high), see `seglib.postprocess.hysteresis`, or None.
        largest: keep the largest piece only.
        holes: fill holes of up to this share of the picture's area.
        blur: sigma of a Gaussian.
        box: radius of a box blur.
        stretch: move the smallest value to 0 and the largest to 1.
        upsample: one of `UPSAMPLERS`.
        radius: half the guided filter's window.
        eps: variance of the photo's colours (0 to 1) below which the guided filter sees no edge.
        curve: one of `CURVES`.
        low: smoothstep's lower edge.
        high: its upper edge.
        gain: of the curve min(gain * mask, 1) ** power.
        power: of the same.
        effect: one of `EFFECTS`.
        sigma: width of the blur, or radius of the bokeh's discs, a share of the shorter side.
        light: strength of `match_light` on a replaced background.
        transfer: strength of `transfer_colour` on a replaced background, in place of `light`.
        foreground: take the old background out of half-covered pixels where it is replaced.
        linear: mix in linear light where the background is replaced.
        color: the hair's new colour, red, green, blue.
        strength: of the dye.
        lift: how far the hair's lightness follows the colour's.
        space: "lab" or "hsv", for the effect "recolour".

    Chapter: post-processing.
    """

    size: int | None = 256
    level: float | None = None
    drop_below: float | None = None
    opening: float = 0.0
    closing: float = 0.0
    dilation: float = 0.0
    hysteresis: tuple[float, float] | None = (0.5, 0.9)
    largest: bool = False
    holes: float = 0.01
    blur: float = 0.0
    box: float = 0.0
    stretch: bool = False
    upsample: str = "guided"
    radius: float = 0.05
    eps: float = 1e-3
    curve: str = "smoothstep"
    low: float = 0.3
    high: float = 0.7
    gain: float = 2.0
    power: float = 2.0
    effect: str = "blur"
    sigma: float = 0.025
    light: float = 0.0
    transfer: float = 0.0
    foreground: bool = True
    linear: bool = False
    color: tuple[int, int, int] = (255, 0, 0)
    strength: float = 1.0
    lift: float = 0.5
    space: str = "lab"

    def __post_init__(self) -> None:
        """Refuse what no pipeline could do.

        Raises:
            SeglibError: a value is out of its range.
        """
        for name, choices in (
            ("upsample", UPSAMPLERS),
            ("curve", CURVES),
            ("effect", EFFECTS),
            ("space", ("lab", "hsv")),
        ):
            if getattr(self, name) not in choices:
                raise SeglibError(
                    f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}"
                )
        for name in ("holes", "light", "transfer", "strength", "lift"):
            _check(name, getattr(self, name), 0, 1)
        # Wider than the picture is tall is a slip of units: pixels given for shares.
        for name in ("opening", "closing", "dilation", "blur", "box", "radius", "sigma"):
            _check(name, getattr(self, name), 0, 1, "a share of the shorter side, ")
        for name in ("level", "drop_below"):
            if getattr(self, name) is not None:
                _check(name, getattr(self, name), 0, 1)
        for name in ("eps", "gain", "power"):
            if not 0 < getattr(self, name) < math.inf:
                raise SeglibError(f"{name} is {getattr(self, name):g}; give a number above 0")
        if self.size is not None and (self.size < 1 or self.size != int(self.size)):
            raise SeglibError(f"size is {self.size}; a whole number of pixels from 1, or None")
        if self.hysteresis is not None:
            low, high = self._pair()
            if not 0 <= low <= high <= 1:
                raise SeglibError(f"hysteresis is ({low:g}, {high:g}); 0 <= low <= high <= 1")
        if self.curve == "smoothstep" and not 0 <= self.low < self.high <= 1:
            raise SeglibError(
                f"the smoothstep goes from {self.low:g} to {self.high:g}; 0 <= low < high <= 1"
            )
        check_color(self.color)

    def _pair(self) -> tuple[float, float]:
        if len(self.hysteresis) != 2:
            raise SeglibError(f"hysteresis is {self.hysteresis}; give (low, high) or None")
        return self.hysteresis


def _check(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not low <= value <= high:
        raise SeglibError(f"{name} is {value:g}; {unit}{low:g} to {high:g} is expected")
