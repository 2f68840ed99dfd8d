"""What a synthetic portrait may show: labels, tones, hair cuts, and how often each is drawn."""

from dataclasses import dataclass, fields

import numpy as np

from seglib.errors import SeglibError

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


@dataclass(frozen=True)
class PortraitConfig:
    """What is drawn how often. Chances are 0..1, lengths are parts of the picture's side.

    Attributes:
        empty: chance of a picture with nobody in it.
        framing: chances of close-up, head and shoulders, upper body, small figure; they sum to 1.
        back_view: chance that the head is seen from behind.
        styles: relative weights of the hair cuts in `STYLES`.
        hair_tones: chances of `HAIR_TONES` in order; what is missing to 1 is dyed hair.
        hat: chance of a hat or cap.
        glasses: chance of glasses in front views.
        beard: chance of a beard in front views.
        hand: chance of a hand before the body or at the face.
        tilt: largest turn of the head in the picture plane, degrees; the body turns less.
        yaw: largest turn of the head to the side, 0 = none .. 1 = nearly profile.
        stretch: range of width over height of the figure, which a photo gets that is squeezed
            into a square.
        shift: largest sideways shift of the head from the middle.
        backlight: chance of a person darker than the place.
        company: chance of a second person, labelled like the first, beside and behind the first.
        passers_by: chance of small blurred people in the place, who count as background.
        overlay: chance of what is no scene: black or white borders, or printed words.
        grey: chance of a grey picture.
        jpeg: chance of a lossy JPEG round trip.
        sharpen: chance that the camera sharpens the picture.
        blur: range of the blur of the whole picture, sigma in pixels of a 128 pixel picture.
        noise: range of the sensor noise, standard deviation of 255.
    """

    empty: float = 0.03
    framing: tuple[float, float, float, float] = (0.32, 0.46, 0.15, 0.07)
    back_view: float = 0.24
    styles: tuple[float, ...] = (4, 5, 6, 18, 8, 10, 16, 12, 9, 6, 7, 7, 4)
    hair_tones: tuple[float, ...] = (0.31, 0.25, 0.18, 0.13, 0.05, 0.05)
    hat: float = 0.06
    glasses: float = 0.15
    beard: float = 0.16
    hand: float = 0.1
    tilt: float = 25.0
    stretch: tuple[float, float] = (0.85, 1.3)
    yaw: float = 1.0
    shift: float = 0.22
    backlight: float = 0.08
    company: float = 0.08
    passers_by: float = 0.15
    overlay: float = 0.06
    grey: float = 0.08
    jpeg: float = 0.4
    sharpen: float = 0.6
    blur: tuple[float, float] = (0.0, 0.6)
    noise: tuple[float, float] = (0.0, 9.0)

    def __post_init__(self) -> None:
        def need(right: bool, name: str, wanted: str) -> None:
            if not right:
                value = getattr(self, name)
                raise SeglibError(f"PortraitConfig.{name} is {value!r}; {wanted} is needed")

        for name in (field.name for field in fields(self) if isinstance(field.default, float)):
            if name != "tilt":
                need(0 <= getattr(self, name) <= 1, name, "a number from 0 to 1")
        need(0 <= self.tilt <= 180, "tilt", "an angle from 0 to 180 degrees")
        for name, count, low, high in (("framing", 4, 1 - 1e-6, 1 + 1e-6),
                                       ("styles", len(STYLES), 1e-9, np.inf),
                                       ("hair_tones", len(HAIR_TONES), 0, 1 + 1e-6)):
            table = np.asarray(getattr(self, name), float)
            right = table.shape == (count,) and (table >= 0).all() and low <= table.sum() <= high
            wanted = {"framing": " that sum to 1", "hair_tones": " that sum to at most 1"}
            need(right, name, f"a tuple of {count} chances{wanted.get(name, '')}")
        for name, least in (("blur", 0), ("noise", 0), ("stretch", 0.2)):
            low, high = getattr(self, name)
            need(least <= low <= high, name, f"a range from low to high, both at least {least},")
