"""From a raw mask to a finished frame: clean the mask, then recolour, blur or replace.

`Pipeline` does the whole way from a network's small mask to a frame, fast enough for video, by
calling the functions one after the other: `masks` cleans, `edges` enlarges along the photo's edges,
`background` and `hair` compose. Pictures may have any size; very large ones are worked through in
bands, so that 108 megapixels cost hundreds of megabytes, not several gigabytes.

The constants that the older projects settled on are named where they belong and collected as
`PRESETS`; none of their code is used here. Chapter: post-processing.
"""

from seglib.errors import renamed
from seglib.postprocess.background import (
    alpha_blend,
    blur_background,
    bokeh_background,
    cover,
    cut_out,
    estimate_foreground,
    replace_background,
)
from seglib.postprocess.config import PRESETS, PostprocessConfig, preset
from seglib.postprocess.edges import guided_upsample, joint_bilateral_upsample
from seglib.postprocess.hair import multiply_hair, recolour_hair, recolour_hair_hsv
from seglib.postprocess.masks import (
    blur,
    closing,
    fill_holes,
    hysteresis,
    largest_component,
    opening,
    smoothstep,
    threshold,
)
from seglib.postprocess.pipeline import Pipeline

__all__ = [
    "threshold", "hysteresis", "smoothstep", "blur", "opening", "closing", "largest_component",
    "fill_holes", "guided_upsample", "joint_bilateral_upsample", "estimate_foreground",
    "alpha_blend", "cut_out", "blur_background", "bokeh_background", "replace_background", "cover",
    "recolour_hair", "recolour_hair_hsv", "multiply_hair", "PostprocessConfig", "Pipeline",
    "PRESETS", "preset",
]  # fmt: skip

_MOVED = {
    "masks": ("drop_below", "soft_gain", "stretch", "box_blur", "dilation"),
    "background": ("grey_background", "clone_background"),
    "colour": ("to_linear", "from_linear", "match_light", "transfer_colour"),
    "config": ("CURVES", "EFFECTS", "UPSAMPLERS", "Preset"),
}
__getattr__ = renamed(
    __name__,
    {name: f"{__name__}.{file}.{name}" for file, names in _MOVED.items() for name in names}
    | {"erosion": "cv2.erode", "guided_filter": "guided_upsample, which takes masks of any size"},
)
