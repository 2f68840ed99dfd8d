"""What the older projects did after their networks, as settings of a pipeline.

The constants are read from the projects' public repositories; none of their code is used. Windows
in pixels are turned into shares of the shorter side of the picture they were applied to, so a
preset gives the same look at any size. What cannot be said in these settings is noted.

Chapter: post-processing.
"""

import dataclasses
import types

from seglib.errors import SeglibError
from seglib.postprocess.config import PostprocessConfig


@dataclasses.dataclass(frozen=True)
class Preset:
    """Settings with their origin.

    Attributes:
        config: the settings.
        source: project and program they come from.
        note: constants as the project has them, and what differs here.

    Chapter: post-processing.
    """

    config: PostprocessConfig
    source: str
    note: str


_RAW = PostprocessConfig(
    size=None, hysteresis=None, holes=0.0, upsample="linear", curve="none", foreground=False
)
"""The network's mask as it is, enlarged linearly."""

_ANIL = "Portrait-Segmentation (anilsathyan7)"
_RUSITO = "mobile_unet_segmentation (rusito-23)"


def _raw(**changes: object) -> PostprocessConfig:
    return dataclasses.replace(_RAW, **changes)


PRESETS = types.MappingProxyType(
    {
        "default": Preset(
            PostprocessConfig(), "this book", "what raised boundary IoU on real photos"
        ),
        "hair-demo": Preset(
            _raw(effect="multiply", color=(255, 0, 0)),
            "realtime-hair-segmentation, demo",
            "bilinear enlargement, photo times colour; there the colour counted 0 to 255, which "
            "saturates, here it counts 0 to 1",
        ),
        "mobile-semantic": Preset(
            _raw(effect="recolour", lift=0.0),
            "mobile-semantic-segmentation (akirasosa)",
            "the mask is shown as it is, bilinear from half the size; no frame is composed there, "
            "the dye that keeps lightness is this book's",
        ),
        "portrait-webcam": Preset(
            _raw(level=0.5, blur=1 / 128, effect="replace"),
            f"{_ANIL}, webcam.py",
            "threshold 0.5, Gaussian 5 x 5 with sigma 1 at 128 pixels, alpha blend",
        ),
        "portrait-video": Preset(
            _raw(level=0.5, blur=1 / 128, curve="smoothstep", low=0.3, high=0.5, effect="replace"),
            f"{_ANIL}, segvideo.py, smoothstep",
            "threshold 0.5, Gaussian 7 x 7 with sigma 1, resize, smoothstep 0.3 to 0.5",
        ),
        "portrait-video-transfer": Preset(
            _raw(level=0.5, blur=1 / 128, effect="replace", transfer=1.0),
            f"{_ANIL}, segvideo.py, colour transfer",
            "the same mask before the curve; mean and spread of Lab taken from the background",
        ),
        "portrait-video-clone": Preset(
            _raw(level=0.5, dilation=3 / 300, effect="clone"),
            f"{_ANIL}, segvideo.py, seamless clone",
            "threshold 0.5, dilation 7 x 7 at 300 pixels, NORMAL_CLONE",
        ),
        "portrait-browser": Preset(
            _raw(
                level=0.5,
                blur=1 / 128,
                stretch=True,
                curve="smoothstep",
                low=0.3,
                high=0.5,
                effect="replace",
            ),
            f"{_ANIL}, TensorFlow.js demo",
            "threshold 0.5, Gaussian 7 x 7, stretch to 0..1, smoothstep 0.3 to 0.5; the mask is "
            "enlarged by nearest neighbour there, linearly here",
        ),
        "portrait-android-1": Preset(
            _raw(curve="gain", gain=2.0, power=2.0, effect="bokeh", sigma=8 / 224),
            f"{_ANIL}, Android app V1",
            "min(2 m, 1) squared, background blurred over 17 x 17 pixels at 224",
        ),
        "portrait-android-2": Preset(
            _raw(
                drop_below=0.5,
                blur=1 / 128,
                curve="gain",
                gain=1.0,
                power=2.0,
                effect="bokeh",
                sigma=5 / 224,
            ),
            f"{_ANIL}, Android app V2",
            "values below 0.5 to 0, Gaussian 7 x 7, square, background blurred over 11 x 11 at 224",
        ),
        "portrait-android-smooth": Preset(
            _raw(
                level=0.5, blur=1.7 / 128, curve="smoothstep", low=0.3, high=0.7, effect="replace"
            ),
            f"{_ANIL}, Android app, smooth blend",
            "threshold 0.5, Gaussian 9 x 9 (sigma 1.7 by OpenCV's rule), smoothing on the GPU; its "
            "edges are not published, 0.3 and 0.7 are this book's",
        ),
        "portrait-clean-plate": Preset(
            _raw(
                level=0.5, closing=26 / 480, largest=True, holes=1.0, box=12 / 480, effect="replace"
            ),
            f"{_ANIL}, bgsub.py",
            "closing 53 x 53, holes filled, largest contour, blur 25 x 25; taken as pixels of 480 "
            "rows; its mask is the difference to an empty scene, here the network's",
        ),
        "mobile-unet-desktop": Preset(
            _raw(level=0.5, box=15 / 400, effect="blur", sigma=26.3 / 400),
            f"{_RUSITO}, rtcpp",
            "threshold 0.5; at 600 x 400, box blur 91 x 91 of the picture and 31 x 31 of the mask; "
            "a Gaussian with the box's variance, sigma 26.3, stands in here, and leaves out the "
            "person",
        ),
        "mobile-unet-ios": Preset(
            _raw(level=0.7, box=15 / 512, effect="blur", sigma=26.3 / 512),
            f"{_RUSITO}, rtios",
            "threshold 0.7, frames reduced to 512 x 512 before the same blurs",
        ),
        "mobile-unet-python": Preset(
            _raw(level=0.8, box=15 / 600, effect="blur", sigma=8.9 / 600),
            f"{_RUSITO}, rtpy",
            "threshold 0.8; at 700 x 600, box blurs of 31 x 31 for the mask and for the picture",
        ),
        "fast-portrait": Preset(
            _raw(effect="replace"),
            "Fast_Portrait_Segmentation (lizhengwei1992) and its matting network",
            "the network's feathering block gives the alpha; nothing is done to it afterwards",
        ),
    }
)
"""Name -> `Preset`."""


def preset(name: str, **changes: object) -> PostprocessConfig:
    """Return the settings of a preset, with changes.

    >>> preset("portrait-webcam", effect="blur")

    Raises:
        SeglibError: there is no such preset or setting, or a value is out of its range.

    Chapter: post-processing.
    """
    if name not in PRESETS:
        raise SeglibError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}")
    try:
        return dataclasses.replace(PRESETS[name].config, **changes)
    except TypeError as error:
        known = ", ".join(field.name for field in dataclasses.fields(PostprocessConfig))
        unknown = ", ".join(sorted(set(changes) - set(known.split(", "))))
        raise SeglibError(f"there is no setting {unknown}; the settings are {known}") from error
