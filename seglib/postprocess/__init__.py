"""From a raw mask to a finished frame: clean the mask, then recolour, blur or replace.

Every function takes pictures of any size. Work that needs floating-point copies of the picture goes
through it in bands of rows, so a photo of 108 megapixels costs hundreds of megabytes, not several
gigabytes. `Pipeline` does the whole way from a network's small mask to a frame fast enough for
video; the functions are its reference.

The constants that the older projects settled on are named where they belong and collected as
`PRESETS`; none of their code is used here.

Chapter: post-processing.
"""

from seglib.postprocess.composite import (
    alpha_blend,
    clone_background,
    cover,
    grey_background,
    replace_background,
)
from seglib.postprocess.config import CURVES, EFFECTS, UPSAMPLERS, PostprocessConfig
from seglib.postprocess.defocus import blur_background, bokeh_background
from seglib.postprocess.edges import (
    guided_filter,
    guided_upsample,
    joint_bilateral_upsample,
)
from seglib.postprocess.foreground import estimate_foreground
from seglib.postprocess.hair import multiply_hair, recolour_hair, recolour_hair_hsv
from seglib.postprocess.light import from_linear, match_light, to_linear, transfer_colour
from seglib.postprocess.masks import (
    blur,
    box_blur,
    drop_below,
    smoothstep,
    soft_gain,
    stretch,
    threshold,
)
from seglib.postprocess.pipeline import Pipeline
from seglib.postprocess.presets import PRESETS, Preset, preset
from seglib.postprocess.regions import (
    closing,
    dilation,
    erosion,
    fill_holes,
    hysteresis,
    largest_component,
    opening,
)

__all__ = [
    "threshold",
    "drop_below",
    "hysteresis",
    "smoothstep",
    "soft_gain",
    "stretch",
    "blur",
    "box_blur",
    "erosion",
    "dilation",
    "opening",
    "closing",
    "largest_component",
    "fill_holes",
    "guided_filter",
    "guided_upsample",
    "joint_bilateral_upsample",
    "estimate_foreground",
    "alpha_blend",
    "blur_background",
    "bokeh_background",
    "grey_background",
    "replace_background",
    "clone_background",
    "cover",
    "to_linear",
    "from_linear",
    "match_light",
    "transfer_colour",
    "recolour_hair",
    "recolour_hair_hsv",
    "multiply_hair",
    "CURVES",
    "EFFECTS",
    "UPSAMPLERS",
    "PostprocessConfig",
    "Pipeline",
    "PRESETS",
    "Preset",
    "preset",
]
