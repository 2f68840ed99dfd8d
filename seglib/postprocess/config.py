"""What a pipeline does, as one frozen value, and what older projects did, as such values.

Chapter: post-processing.
"""

import dataclasses
import importlib.resources
import tomllib
import types
from typing import NamedTuple

from seglib.errors import SeglibError
from seglib.postprocess.colour import as_color
from seglib.postprocess.masks import check_number

UPSAMPLERS = ("linear", "guided", "bilateral")
"""How a small mask reaches the photo's size."""

CURVES = ("none", "smoothstep", "gain")
"""The curve that the enlarged mask goes through."""

EFFECTS = ("blur", "bokeh", "grey", "replace", "clone", "recolour", "multiply")
"""What is done with the photo: five change the background, two the hair."""

TRANSPARENT = "transparent"


@dataclasses.dataclass(frozen=True, repr=False)
class PostprocessConfig:
    """The settings of a `Pipeline`, in the order in which it uses them.

    Lengths are fractions of the shorter side, so that they mean the same at any size: 0.01 is about
    one pixel of a 128-pixel mask and seven of a 1280x720 frame. A step at 0, None or False is left
    out.

    The defaults are what raised boundary IoU on real photos, for people as for hair
    (`tests/benchmarks/edge_steps.py`: 179 and 83 validation photos, by 0.030 and 0.036 in all).
    Unsure blobs and small holes go; the mask is enlarged along the photo's edges, which is nearly
    all of the gain; and a symmetric curve, which leaves the outline where it is, firms up what that
    left soft. The other steps are off: opening and closing by a pixel gained about 0.001, wider
    ones, blurs and a threshold before the enlargement lost, an asymmetric curve most of all, and
    the largest component, which gained for people, would remove a second person.
    """

    size: int | None = 256  #: shorter side that larger masks are averaged down to; None keeps them
    level: float | None = None  #: threshold; None for a soft mask
    drop_below: float | None = None  #: what is below it becomes 0
    opening: float = 0.0  #: radius
    closing: float = 0.0  #: radius
    dilation: float = 0.0  #: radius
    hysteresis: tuple[float, float] | None = (0.5, 0.9)  #: (low, high)
    largest: bool = False  #: keep the largest piece only
    holes: float = 0.01  #: fill holes of up to this fraction of the picture's area
    blur: float = 0.0  #: sigma of a Gaussian
    box: float = 0.0  #: radius of a box blur
    stretch: bool = False  #: move the smallest value to 0 and the largest to 1
    upsample: str = "guided"  #: one of `UPSAMPLERS`
    radius: float = 0.05  #: half the guided filter's window
    eps: float = 1e-3  #: variance of the photo's colours (0 to 1) below which there is no edge
    curve: str = "smoothstep"  #: one of `CURVES`
    low: float = 0.3  #: the smoothstep's lower edge
    high: float = 0.7  #: its upper edge
    gain: float = 2.0  #: of the curve min(gain * mask, 1) ** power
    power: float = 2.0  #: of the same
    effect: str = "blur"  #: one of `EFFECTS`
    sigma: float = 0.025  #: width of the blur, or radius of the bokeh's discs
    background: str | None = None  #: for "replace": a colour such as "#00ff00", or "transparent"
    light: float = 0.0  #: strength of `match_light` on a replaced background
    transfer: float = 0.0  #: strength of `transfer_colour` there, in place of `light`
    foreground: bool = True  #: take the old background out of half-covered pixels
    linear: bool = False  #: mix in linear light where the background is replaced
    color: tuple[int, int, int] | str = (255, 0, 0)  #: the hair's new colour, or "#ff0000"
    strength: float = 1.0  #: of the dye
    lift: float = 0.5  #: how far the hair's lightness follows the colour's
    space: str = "lab"  #: "lab" or "hsv", for the effect "recolour"

    def __post_init__(self) -> None:
        """Refuse what no pipeline could do."""
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
        for name in ("holes", "light", "transfer", "strength", "lift", "level", "drop_below"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 1)
        for name in ("opening", "closing", "dilation", "blur", "box", "radius", "sigma"):
            # Wider than the picture is tall is a slip of units: pixels given for fractions.
            check_number(f"{name}, a fraction of the shorter side,", getattr(self, name), 1)
        for name in ("eps", "gain", "power"):
            check_number(name, getattr(self, name), above=True)
        if self.size is not None:
            check_number("size", self.size, whole=True, above=True)
        pair = self.hysteresis
        if pair is not None and not (len(pair) == 2 and 0 <= pair[0] <= pair[1] <= 1):
            raise SeglibError(f"hysteresis is {pair}; give (low, high), 0 <= low <= high <= 1")
        if self.curve == "smoothstep" and not 0 <= self.low < self.high <= 1:
            raise SeglibError(
                f"the smoothstep goes from {self.low:g} to {self.high:g}; 0 <= low < high <= 1"
            )
        as_color(self.color)
        if self.background is not None:
            if self.background != TRANSPARENT:
                as_color(self.background)
            if self.effect != "replace":
                raise SeglibError(
                    f'the effect "{self.effect}" has no use for the background '
                    f'{self.background!r}; choose the effect "replace"'
                )

    def __repr__(self) -> str:
        """Return the code that makes these settings."""
        values = [(f.name, getattr(self, f.name), f.default) for f in dataclasses.fields(self)]
        changed = ", ".join(f"{name}={value!r}" for name, value, plain in values if value != plain)
        return f"PostprocessConfig({changed})"


class Preset(NamedTuple):
    """Settings, the project and program they come from, and what differs there."""

    config: PostprocessConfig
    source: str
    note: str


def _presets() -> dict[str, Preset]:
    """Read what the older projects did, on top of the network's own mask, enlarged linearly."""
    raw = {"size": None, "hysteresis": None, "holes": 0.0, "upsample": "linear", "curve": "none"}
    presets = {"default": Preset(PostprocessConfig(), "this book", "what helped on real photos")}
    text = importlib.resources.files(__package__).joinpath("presets.toml").read_text("utf-8")
    for name, table in tomllib.loads(text).items():
        source, note = table.pop("source"), table.pop("note")
        config = PostprocessConfig(**raw | {"foreground": False} | table)
        presets[name] = Preset(config, source, note)
    return presets


PRESETS = types.MappingProxyType(_presets())
"""Name -> `Preset`."""


def preset(name: str, **changes: object) -> PostprocessConfig:
    """Return the settings of a preset, with changes.

    >>> preset("portrait-webcam", effect="blur")
    """
    if name not in PRESETS:
        raise SeglibError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}")
    known = [field.name for field in dataclasses.fields(PostprocessConfig)]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise SeglibError(
            f"there is no setting {', '.join(unknown)}; the settings are {', '.join(known)}"
        )
    return dataclasses.replace(PRESETS[name].config, **changes)
