"""Frames composed in floating point, by the public functions, one after the other.

What `Pipeline.exact` runs: the reference that the fast way is tested against, and the only way for
effects that have no fast one.

Chapter: post-processing.
"""

import numpy as np

from seglib.images import resize
from seglib.postprocess import composite, defocus, edges, hair, light, masks
from seglib.postprocess.config import PostprocessConfig


def enlarge(config: PostprocessConfig, image: np.ndarray, small: np.ndarray) -> np.ndarray:
    """Return a cleaned mask enlarged to the image and through its curve, float32 in [0, 1].

    Args:
        config: which enlargement and which curve.
        image: uint8 RGB, H x W x 3.
        small: float32 in [0, 1], of any size.
    """
    if config.upsample == "guided":
        alpha = edges.guided_upsample(small, image, radius(config, small), config.eps)
    elif config.upsample == "bilateral":
        alpha = edges.joint_bilateral_upsample(small, image)
    else:
        alpha = resize(small, image.shape[:2])
    if config.curve == "smoothstep":
        return masks.smoothstep(alpha, config.low, config.high)
    if config.curve == "gain":
        return masks.soft_gain(alpha, config.gain, config.power)
    return alpha


def compose(
    config: PostprocessConfig,
    image: np.ndarray,
    alpha: np.ndarray,
    background: np.ndarray | None,
) -> np.ndarray:
    """Return the finished frame, uint8 RGB, H x W x 3.

    Args:
        config: which effect, and its settings.
        image: uint8 RGB, H x W x 3.
        alpha: float32 in [0, 1], H x W.
        background: for the effects "replace" and "clone", uint8 RGB of any size.
    """
    side = min(alpha.shape)
    if config.effect == "blur":
        return defocus.blur_background(image, alpha, config.sigma * side)
    if config.effect == "bokeh":
        return defocus.bokeh_background(image, alpha, config.sigma * side)
    if config.effect == "grey":
        return composite.grey_background(image, alpha)
    if config.effect == "clone":
        return composite.clone_background(image, alpha, background)
    if config.effect == "multiply":
        return hair.multiply_hair(image, alpha, config.color, config.strength)
    if config.effect == "recolour":
        recolour = hair.recolour_hair if config.space == "lab" else hair.recolour_hair_hsv
        return recolour(image, alpha, config.color, config.strength, config.lift)
    if config.transfer:
        scene = composite.cover(background, alpha.shape)
        front = light.transfer_colour(image, alpha, scene, config.transfer)
        return composite.replace_background(
            front, alpha, scene, 0.0, config.foreground, config.linear
        )
    return composite.replace_background(
        image, alpha, background, config.light, config.foreground, config.linear
    )


def radius(config: PostprocessConfig, small: np.ndarray) -> int:
    """Return the radius of the guided enlargement in the small mask's pixels, at least 1."""
    return max(1, round(config.radius * min(small.shape)))
