"""From a small mask and a photo to a finished frame. Chapter: post-processing."""

import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask, resize
from seglib.postprocess import background as behind
from seglib.postprocess import edges, hair, masks
from seglib.postprocess.colour import transfer_colour
from seglib.postprocess.config import TRANSPARENT, PostprocessConfig


class Pipeline:
    """Turns photos and their masks into finished frames, by one configuration.

    >>> pipeline = Pipeline(PostprocessConfig(effect="blur"))
    >>> frame = pipeline(photo, segmenter.raw(photo))

    The mask is cleaned at its own small size, enlarged once and handed to the effect, all by the
    public functions of `seglib.postprocess`. Nothing is kept from frame to frame, so one pipeline
    may be shared between threads. `tests/benchmarks/postprocess_speed.py` measures it.

    Attributes:
        config: what it does.
    """

    def __init__(self, config: PostprocessConfig | None = None) -> None:
        self.config = config or PostprocessConfig()
        # Once a block of this size was freed, glibc keeps what a frame frees for the next one;
        # paging it in anew cost a fifth of a frame's time.
        np.empty(30_000_000, np.uint8)

    def __call__(
        self, image: np.ndarray, mask: np.ndarray, background: np.ndarray | str | None = None
    ) -> np.ndarray:
        """Return the finished frame, uint8 RGB, H x W x 3, or RGBA before a transparent background.

        Args:
            image: a photo of any size, as `seglib.images.as_image` reads it.
            mask: of any size, as `seglib.images.as_mask` reads it; the network's own is best and
                fastest.
            background: for the effects "replace" and "clone": RGB of any size, or for "replace" a
                colour such as "#00ff00", or "transparent"; the config's by default. Bring a picture
                to the frame's size with `seglib.postprocess.cover` once, not for each frame.
        """
        image = as_image(image)
        return self.compose(image, self.alpha(image, mask), background)

    def clean(self, mask: np.ndarray) -> np.ndarray:
        """Return the mask after the steps at its own size, float32 in [0, 1]."""
        config = self.config
        mask = as_mask(mask)
        if config.size is not None and min(mask.shape) > config.size:
            ratio = config.size / min(mask.shape)
            mask = resize(mask, tuple(max(1, round(side * ratio)) for side in mask.shape))
        side = min(mask.shape)
        if config.level is not None:
            mask = masks.threshold(mask, config.level)
        if config.drop_below is not None:
            mask = masks.drop_below(mask, config.drop_below)
        for step in (masks.opening, masks.closing, masks.dilation):
            radius = round(getattr(config, step.__name__) * side)
            if radius:
                mask = step(mask, radius)
        if config.hysteresis is not None:
            mask = masks.hysteresis(mask, *config.hysteresis)
        if config.largest:
            mask = masks.largest_component(mask)
        if config.holes:
            mask = masks.fill_holes(mask, config.holes)
        if config.blur:
            mask = masks.blur(mask, config.blur * side)
        if config.box:
            mask = masks.box_blur(mask, round(config.box * side))
        return masks.stretch(mask) if config.stretch else mask

    def alpha(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the mask cleaned, enlarged and through its curve, float32 in [0, 1], H x W.

        Args:
            image: the photo, whose edges guide the enlargement.
            mask: of any size.
        """
        config, image, small = self.config, as_image(image), self.clean(mask)
        if config.upsample == "guided":
            radius = max(1, round(config.radius * min(small.shape)))
            alpha = edges.guided_upsample(small, image, radius, config.eps)
        elif config.upsample == "bilateral":
            alpha = edges.joint_bilateral_upsample(small, image)
        else:
            alpha = resize(small, image.shape[:2])
        if config.curve == "smoothstep":
            return masks.smoothstep(alpha, config.low, config.high, out=alpha)
        if config.curve == "gain":
            return masks.soft_gain(alpha, config.gain, config.power)
        return alpha

    def compose(
        self, image: np.ndarray, alpha: np.ndarray, background: np.ndarray | str | None = None
    ) -> np.ndarray:
        """Return the finished frame from an alpha of the photo's size; see a call."""
        config, width = self.config, self.config.sigma * min(np.shape(alpha)[:2])
        match config.effect:
            case "replace" | "clone":
                return self._replace(image, alpha, background)
            case effect if background is not None:
                raise SeglibError(
                    f'the effect "{effect}" has no use for a background; '
                    'leave it out or choose the effect "replace"'
                )
            case "blur":
                return behind.blur_background(image, alpha, width)
            case "bokeh":
                return behind.bokeh_background(image, alpha, width)
            case "grey":
                return behind.grey_background(image, alpha)
            case "multiply":
                return hair.multiply_hair(image, alpha, config.color, config.strength)
        dye = hair.recolour_hair if config.space == "lab" else hair.recolour_hair_hsv
        return dye(image, alpha, config.color, config.strength, config.lift)

    def _replace(
        self, image: np.ndarray, alpha: np.ndarray, background: np.ndarray | str | None
    ) -> np.ndarray:
        config = self.config
        background = config.background if background is None else background
        if background is None:
            raise SeglibError(
                f'the effect "{config.effect}" needs a background; hand in a picture, a colour '
                'such as "#00ff00", or "transparent"'
            )
        if isinstance(background, str) and background == TRANSPARENT:
            if config.effect == "clone":
                raise SeglibError('a clone needs a picture behind it; choose the effect "replace"')
            return behind.cut_out(image, alpha, config.foreground)
        if config.effect == "clone":
            return behind.clone_background(image, alpha, background)
        scene, light = behind.cover(background, alpha.shape), config.light
        if config.transfer:
            image, light = transfer_colour(image, alpha, scene, config.transfer), 0.0
        options = (light, config.foreground, config.linear)
        return behind.replace_background(image, alpha, scene, *options)
