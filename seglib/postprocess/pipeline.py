"""From a small mask and a photo to a finished frame, fast enough for video.

Chapter: post-processing.
"""

import dataclasses
import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import check_image, check_mask, resize
from seglib.postprocess import composite, edges, hair, light, masks
from seglib.postprocess.bands import Grower, bands
from seglib.postprocess.config import PostprocessConfig

_BAND = 120_000
"""Pixels per band of the fast path: its floats stay in the second-level cache."""

_REDUCE = 4
"""By how much the copies for the foreground's colours are reduced."""


class Pipeline:
    """Turns photos and their masks into finished frames, by one configuration.

    >>> pipeline = Pipeline(PostprocessConfig(effect="blur"))
    >>> frame = pipeline(photo, segmenter.raw(photo))

    The mask is cleaned at its own small size, enlarged once, and the frame is composed in 8 bits in
    bands of rows on all `threads`; the rest of the functions of `seglib.postprocess`, in floating
    point, are the reference that `exact` runs, and a frame differs from it by no more than 2 of 255
    levels. Buffers are kept between frames of one size. One pipeline may be shared between threads;
    calls then wait for each other.

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
        threads = min(2, os.cpu_count() or 1) if threads is None else threads
        if threads < 1:
            raise SeglibError(f"threads is {threads}; give 1 or more")
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._lock = threading.Lock()
        self._buffers: dict[str, np.ndarray] = {}

    def __call__(
        self, image: np.ndarray, mask: np.ndarray, background: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the finished frame, uint8 RGB, H x W x 3, an array of its own.

        Args:
            image: uint8 RGB, H x W x 3, of any size.
            mask: float, in [0, 1], of any size; the network's own is best and fastest.
            background: for the effects "replace" and "clone": uint8 RGB of any size. Bring it to
                the frame's size with `seglib.postprocess.cover` once, not for each frame.

        Raises:
            SeglibError: not an image or not a mask, or a background is missing or not wanted.
        """
        self._check(image, background)
        small = self.clean(mask)
        with self._lock:
            alpha = self._buffer("alpha", image.shape[:2], np.float32)
            self._fill_alpha(image, small, alpha)
            return self._compose(image, alpha, background)

    def clean(self, mask: np.ndarray) -> np.ndarray:
        """Return the mask after the steps at its own size, float32 in [0, 1].

        Raises:
            SeglibError: not a mask.
        """
        config = self.config
        mask = check_mask(mask)
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
            image: uint8 RGB, H x W x 3, whose edges guide the enlargement.
            mask: float, in [0, 1], of any size.

        Raises:
            SeglibError: not an image or not a mask.
        """
        check_image(image)
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
        self._check(image, background)
        alpha = self._exact_alpha(image, self.clean(mask))
        return self._exact_frame(image, alpha, background)

    def __repr__(self) -> str:
        """Return the settings that differ from the defaults."""
        plain = PostprocessConfig()
        changed = [
            f"{field.name}={getattr(self.config, field.name)!r}"
            for field in dataclasses.fields(PostprocessConfig)
            if getattr(self.config, field.name) != getattr(plain, field.name)
        ]
        return f"Pipeline({', '.join(changed)})"

    def _check(self, image: np.ndarray, background: np.ndarray | None) -> None:
        check_image(image)
        wanted = self.config.effect in ("replace", "clone")
        if wanted and background is None:
            raise SeglibError(
                f'the effect "{self.config.effect}" needs a background; hand in a picture'
            )
        if background is not None:
            check_image(background, "background")
            if not wanted:
                raise SeglibError(
                    f'the effect "{self.config.effect}" has no use for a background; '
                    'leave it out or choose the effect "replace"'
                )

    def _exact_alpha(self, image: np.ndarray, small: np.ndarray) -> np.ndarray:
        config = self.config
        if config.upsample == "guided":
            alpha = edges.guided_upsample(small, image, self._radius(small), config.eps)
        elif config.upsample == "bilateral":
            alpha = edges.joint_bilateral_upsample(small, image)
        else:
            alpha = resize(small, image.shape[:2])
        if config.curve == "smoothstep":
            return masks.smoothstep(alpha, config.low, config.high)
        if config.curve == "gain":
            return masks.soft_gain(alpha, config.gain, config.power)
        return alpha

    def _exact_frame(
        self, image: np.ndarray, alpha: np.ndarray, background: np.ndarray | None
    ) -> np.ndarray:
        config = self.config
        side = min(alpha.shape)
        if config.effect == "blur":
            return composite.blur_background(image, alpha, config.sigma * side)
        if config.effect == "bokeh":
            return composite.bokeh_background(image, alpha, config.sigma * side)
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

    def _radius(self, small: np.ndarray) -> int:
        return max(1, round(self.config.radius * min(small.shape)))

    def _fill_alpha(self, image: np.ndarray, small: np.ndarray, alpha: np.ndarray) -> None:
        """Write the enlarged mask, after its curve, to `alpha`, float32 H x W."""
        config = self.config
        if config.upsample == "guided":
            guided = edges.Guided(small, image, self._radius(small), config.eps)
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

        self._each(fill, alpha.shape)

    def _compose(
        self, image: np.ndarray, alpha: np.ndarray, background: np.ndarray | None
    ) -> np.ndarray:
        config = self.config
        if config.effect in ("blur", "bokeh"):
            return self._blurred(image, alpha)
        if config.effect == "grey":
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            return self._blended(image, grey, alpha)
        if config.effect == "recolour" and config.space == "lab":
            return self._dyed(image, alpha)
        if config.effect in ("recolour", "multiply"):
            # Only the hair's bounding box is touched; the functions look at nothing beyond it.
            top, left, bottom, right = light.box(alpha)
            place = np.s_[top:bottom, left:right]
            frame = image.copy()
            frame[place] = self._exact_frame(image[place], alpha[place], None)
            return frame
        if config.effect == "clone" or config.transfer:
            return self._exact_frame(image, alpha, background)
        return self._replaced(image, alpha, composite.cover(background, alpha.shape))

    def _blurred(self, image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """Compose `blur_background` or `bokeh_background` in 8 bits."""
        config = self.config
        width = config.sigma * min(alpha.shape)
        if width == 0:
            return image.copy()
        bokeh = config.effect == "bokeh"
        find, spread = (
            (composite.bokeh_factor, composite.bokeh_small)
            if bokeh
            else (composite.blur_factor, composite.blur_small)
        )
        factor = find(width, alpha.shape)
        share = self._buffer("share", image.shape, np.uint8)
        behind = self._buffer("behind", image.shape, np.uint8)

        def weigh(rows: slice) -> None:
            levels = cv2.convertScaleAbs(alpha[rows], alpha=-255, beta=255)
            cv2.cvtColor(levels, cv2.COLOR_GRAY2RGB, dst=share[rows])
            cv2.multiply(image[rows], share[rows], dst=behind[rows], scale=1 / 255)

        self._each(weigh, alpha.shape)
        weight = _blocks(share, factor)[..., :1].astype(np.float32) * np.float32(1 / 255)
        small = np.concatenate([_blocks(behind, factor).astype(np.float32), weight], axis=2)
        small = spread(small, width, factor)
        colours = np.rint((small[..., :3] / np.maximum(small[..., 3:], 1e-6)).clip(0, 255))
        size = (small.shape[0] * factor, small.shape[1] * factor)
        grown = Grower(colours.astype(np.uint8), size)
        frame = np.empty_like(image)

        def lay(rows: slice) -> None:
            part = np.ascontiguousarray(grown.rows(rows)[:, : alpha.shape[1]])
            part = cv2.multiply(part, share[rows], scale=1 / 255)
            # What the person covers is the photo less what was taken for the background.
            cv2.subtract(image[rows], behind[rows], dst=frame[rows])
            cv2.add(frame[rows], part, dst=frame[rows])

        self._each(lay, alpha.shape)
        return frame

    def _blended(self, front: np.ndarray, back: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """Compose `alpha_blend` in 8 bits."""
        frame = np.empty_like(front)

        def lay(rows: slice) -> None:
            share = cv2.convertScaleAbs(alpha[rows], alpha=255)
            share = cv2.cvtColor(share, cv2.COLOR_GRAY2RGB)
            above = cv2.multiply(front[rows], share, scale=1 / 255)
            cv2.bitwise_not(share, dst=share)
            cv2.multiply(back[rows], share, dst=frame[rows], scale=1 / 255)
            cv2.add(frame[rows], above, dst=frame[rows])

        self._each(lay, alpha.shape)
        return frame

    def _replaced(self, image: np.ndarray, alpha: np.ndarray, scene: np.ndarray) -> np.ndarray:
        """Compose `replace_background`: sure pixels are copied, the others done in floats."""
        config = self.config
        table = None
        if config.light:
            table = light.light_table(image, alpha, scene, config.light)
        if not config.foreground and not config.linear:
            front = image if table is None else cv2.LUT(image, table)
            return self._blended(front, scene, alpha)
        if config.foreground:
            near = edges.local_growers(image, alpha, reduce=_REDUCE)
        frame = np.empty_like(image)

        def lay(rows: slice) -> None:
            part, mask = frame[rows], alpha[rows]
            np.copyto(part, scene[rows])
            front = image[rows] if table is None else cv2.LUT(image[rows], table)
            sure = mask >= 1
            cv2.copyTo(front, sure.view(np.uint8), part)
            places = np.flatnonzero((mask > 0) ^ sure)
            if places.size == 0:
                return
            shares = mask.reshape(-1, 1).take(places, axis=0)
            if config.foreground:
                old = image[rows].reshape(-1, 3).take(places, axis=0).astype(np.float32)
                around = (grower.rows(rows).reshape(-1, 3).take(places, axis=0) for grower in near)
                above = np.rint(edges.unmix(old, shares, *around)).astype(np.uint8)
                if table is not None:
                    above = cv2.LUT(above[None], table)[0]
            else:
                above = front.reshape(-1, 3).take(places, axis=0)
            below = scene[rows].reshape(-1, 3).take(places, axis=0)
            part.reshape(-1, 3)[places] = composite.mix(above, below, shares, config.linear)

        self._each(lay, alpha.shape)
        return frame

    def _dyed(self, image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """Compose `recolour_hair`, in each band within the hair's own columns."""
        config = self.config
        tone = hair.find_tone(image, alpha, config.color, config.lift)
        frame = np.empty_like(image)

        def lay(rows: slice) -> None:
            np.copyto(frame[rows], image[rows])
            top, left, bottom, right = light.box(alpha[rows])
            place = np.s_[rows.start + top : rows.start + bottom, left:right]
            weight = alpha[place] * np.float32(config.strength)
            if weight.any():
                frame[place] = hair.dye(image[place], weight, tone)

        self._each(lay, alpha.shape)
        return frame

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Return an array that is kept for the next frame of the same size."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != shape:
            buffer = self._buffers[name] = np.empty(shape, dtype)
        return buffer

    def _each(self, work: Callable[[slice], None], size: tuple[int, ...]) -> None:
        """Do the work on every band of rows, on all threads."""
        parts = bands(size[0], size[1], pixels=_BAND)
        if self._pool is None:
            for rows in parts:
                work(rows)
        else:
            # The list waits for all and hands on what one of them raises.
            list(self._pool.map(work, parts))


def _blocks(picture: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of factor x factor blocks, uint8; the last ones repeat the frame's edge."""
    height, width = picture.shape[:2]
    rows, columns = math.ceil(height / factor), math.ceil(width / factor)
    if (rows * factor, columns * factor) != (height, width):
        picture = cv2.copyMakeBorder(
            picture,
            0,
            rows * factor - height,
            0,
            columns * factor - width,
            cv2.BORDER_REPLICATE,
        )
    # Halves first, since OpenCV is fastest at them.
    while factor % 2 == 0:
        factor //= 2
        half = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    return resize(picture, (rows, columns))
