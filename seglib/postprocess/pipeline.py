"""From a small mask and a photo to a finished frame, fast enough for video.

Chapter: post-processing.
"""

import dataclasses
import threading

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask, resize
from seglib.postprocess import composite, edges, frames, hair, light, masks, reference, regions
from seglib.postprocess.bands import WHOLE_PIXELS, Grower, Workers
from seglib.postprocess.config import PostprocessConfig

KEPT_PIXELS = 10_000_000
"""A larger photo is no video frame: nothing is kept for the next, and memory goes before speed."""


class Pipeline:
    """Turns photos and their masks into finished frames, by one configuration.

    >>> pipeline = Pipeline(PostprocessConfig(effect="blur"))
    >>> frame = pipeline(photo, segmenter.raw(photo))

    The mask is cleaned at its own small size, enlarged once, and the frame is composed in integers,
    band by band on all `threads`, where possible only where the mask reaches. The functions of
    `seglib.postprocess`, in floating point, are the reference: `exact` runs them, and a frame
    differs from theirs by no more than 2 of 255 levels. Arrays are kept between frames of one size.
    At 1280x720 all but "clone", colour transfer and bilateral enlargement took under 20 ms of one
    core of a busy 2.6 GHz server, at most an eleventh of the same work in NumPy
    (`tests/benchmarks/postprocess_speed.py`). One pipeline may be shared between threads; calls
    then wait for each other.

    Attributes:
        config: what it does.

    Chapter: post-processing.
    """

    def __init__(self, config: PostprocessConfig | None = None, threads: int | None = None) -> None:
        """Prepare a pipeline.

        Args:
            config: the settings, by default those that helped on real photos.
            threads: how many bands are worked on at once; by default 2, or 1 on a single core.

        Raises:
            SeglibError: `threads` is below 1.
        """
        self.config = config or PostprocessConfig()
        self._workers = Workers(threads)
        self._lock = threading.Lock()

    def __call__(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        background: np.ndarray | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the finished frame, uint8 RGB, H x W x 3.

        Args:
            image: uint8 RGB, H x W x 3, of any size.
            mask: float, in [0, 1], of any size; the network's own is best and fastest.
            background: for the effects "replace" and "clone": uint8 RGB of any size. Bring it to
                the frame's size with `seglib.postprocess.cover` once, not for each frame.
            out: where the frame is written, an array of the image's shape that is not the image;
                a new one by default.

        Raises:
            SeglibError: not an image or not a mask, a background is missing or not wanted, or
                `out` does not fit.
        """
        image, background = self._taken(image, background)
        small = self.clean(mask)
        if out is None:
            out = np.empty_like(image)
        elif as_image(out, "out") is not out or out.shape != image.shape:
            raise SeglibError(
                f"out has shape {out.shape} and type {out.dtype}; a C-contiguous uint8 array of "
                f"the image's shape {image.shape} is expected"
            )
        elif np.shares_memory(out, image):
            raise SeglibError("out is the image itself; another array is expected")
        with self._lock:
            if out.size // 3 <= KEPT_PIXELS:
                alpha = self._workers.buffer("alpha", image.shape[:2], np.float32)
            else:
                alpha = np.empty(image.shape[:2], np.float32)
            self._fill_alpha(image, small, alpha)
            self._compose(image, alpha, background, out)
        return out

    def clean(self, mask: np.ndarray) -> np.ndarray:
        """Return the mask after the steps at its own size, float32 in [0, 1].

        Raises:
            SeglibError: not a mask.
        """
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
        for step in (regions.opening, regions.closing, regions.dilation):
            radius = round(getattr(config, step.__name__) * side)
            if radius:
                mask = step(mask, radius)
        if config.hysteresis is not None:
            mask = regions.hysteresis(mask, *config.hysteresis)
        if config.largest:
            mask = regions.largest_component(mask)
        if config.holes:
            mask = regions.fill_holes(mask, config.holes)
        if config.blur:
            mask = masks.blur(mask, config.blur * side)
        if config.box:
            mask = masks.box_blur(mask, round(config.box * side))
        return masks.stretch(mask) if config.stretch else mask

    def alpha(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the mask cleaned, enlarged and through its curve, float32 in [0, 1], H x W.

        Args:
            image: uint8 RGB, H x W x 3, whose edges guide the enlargement.
            mask: float, in [0, 1], of any size.

        Raises:
            SeglibError: not an image or not a mask.
        """
        image = as_image(image)
        small = self.clean(mask)
        alpha = np.empty(image.shape[:2], np.float32)
        with self._lock:
            self._fill_alpha(image, small, alpha)
        return alpha

    def exact(
        self, image: np.ndarray, mask: np.ndarray, background: np.ndarray | None = None
    ) -> np.ndarray:
        """Return what a call returns, composed in floating point from the public functions.

        Slower; it is what the fast way is tested against. Arguments and errors are those of a call.
        """
        image, background = self._taken(image, background)
        alpha = reference.enlarge(self.config, image, self.clean(mask))
        return reference.compose(self.config, image, alpha, background)

    def __repr__(self) -> str:
        """Return the settings that differ from the defaults."""
        plain = PostprocessConfig()
        changed = [
            f"{field.name}={getattr(self.config, field.name)!r}"
            for field in dataclasses.fields(PostprocessConfig)
            if getattr(self.config, field.name) != getattr(plain, field.name)
        ]
        return f"Pipeline({', '.join(changed)})"

    def _taken(
        self, image: np.ndarray, background: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        image = as_image(image)
        wanted = self.config.effect in ("replace", "clone")
        if wanted and background is None:
            raise SeglibError(
                f'the effect "{self.config.effect}" needs a background; hand in a picture'
            )
        if background is not None:
            background = as_image(background, "background")
            if not wanted:
                raise SeglibError(
                    f'the effect "{self.config.effect}" has no use for a background; '
                    'leave it out or choose the effect "replace"'
                )
        return image, background

    def _fill_alpha(self, image: np.ndarray, small: np.ndarray, alpha: np.ndarray) -> None:
        """Write the enlarged mask, after its curve, to `alpha`, float32 H x W."""
        config = self.config
        if config.upsample == "guided":
            planes = None
            if alpha.size <= WHOLE_PIXELS:
                planes = self._workers.buffer("planes", (4, *alpha.shape), np.float32)
            radius = reference.radius(config, small)
            guided = edges.Guided(small, image, radius, config.eps, planes)
        elif config.upsample == "bilateral":
            grown = Grower(edges.joint_bilateral_upsample(small, image), alpha.shape)
        else:
            grown = Grower(small, alpha.shape)

        def fill(rows: slice) -> None:
            part = alpha[rows]
            if config.upsample == "guided":
                guided.rows(image, rows, part)
            else:
                np.copyto(part, grown.rows(rows))
            if config.curve == "smoothstep":
                part -= np.float32(config.low)
                part *= np.float32(1 / (config.high - config.low))
                np.clip(part, 0, 1, out=part)
                bend = part * np.float32(-2)
                bend += 3
                part *= part
                part *= bend
            elif config.curve == "gain":
                np.copyto(part, masks.soft_gain(part, config.gain, config.power))

        self._workers.each(fill, alpha.shape)

    def _compose(
        self,
        image: np.ndarray,
        alpha: np.ndarray,
        background: np.ndarray | None,
        frame: np.ndarray,
    ) -> None:
        config, workers = self.config, self._workers
        if config.effect in ("blur", "bokeh") and config.sigma and alpha.size <= KEPT_PIXELS:
            width = config.sigma * min(alpha.shape)
            frames.blurred(workers, image, alpha, width, config.effect == "bokeh", frame)
        elif config.effect == "grey":
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            frames.blended(workers, image, grey, alpha, frame)
        elif config.effect == "recolour" and config.space == "lab":
            tone = hair.find_tone(image, alpha, config.color, config.lift)
            frames.dyed(workers, image, alpha, tone, config.strength, frame)
        elif config.effect in ("recolour", "multiply"):
            # Only the hair's bounding box is touched; the functions look at nothing beyond it.
            top, left, bottom, right = light.box(alpha)
            place = np.s_[top:bottom, left:right]
            np.copyto(frame, image)
            frame[place] = reference.compose(config, image[place], alpha[place], None)
        elif config.effect == "replace":
            scene = composite.cover(background, alpha.shape)
            strength = config.light
            if config.transfer:
                image = light.transfer_colour(image, alpha, scene, config.transfer)
                strength = 0.0
            options = strength, config.foreground, config.linear
            frames.replaced(workers, image, alpha, scene, *options, frame)
        else:
            np.copyto(frame, reference.compose(config, image, alpha, background))
