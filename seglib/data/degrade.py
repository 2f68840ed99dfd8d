"""What happens to a photo besides geometry: light, colours, blur, noise, compression, new places.

Everything works on uint8 and in place, a batch at a time: tone curves are tables of 256 entries,
colours one 3x3 matrix, and noise is cut from a table that is drawn once, since drawing 50,000
normal numbers costs more than all the rest of a picture.

Chapter: augmentation and synthetic portraits.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from seglib.errors import SeglibError

if TYPE_CHECKING:
    from seglib.data.augment import AugmentConfig

# How bright red, green and blue look (ITU-R BT.601), as cv2.COLOR_RGB2GRAY weighs them.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def recolour(
    images: np.ndarray, chances: Mapping[str, np.ndarray], config: "AugmentConfig"
) -> None:
    """Give each photo other light, other colours, blur, noise and compression, in place.

    Args:
        images: uint8 (count, size, size, 3) RGB.
        chances: what `seglib.data.augment.draw` returns.
        config: how far.
    """
    tables, matrices = tone_tables(chances, config), colour_matrices(chances, config)
    blurred = chances["blur"] < config.blur
    noisy = chances["noise"] < config.noise
    packed = chances["jpeg"] < config.jpeg
    for row, image in enumerate(images):
        view = cv2.transform(cv2.LUT(image, tables[row]), matrices[row])
        if blurred[row]:
            view = cv2.GaussianBlur(view, (0, 0), 0.3 + 1.2 * chances["sigma"][row])
        if noisy[row]:
            deviation = 1 + 11 * chances["deviation"][row]
            noise = _noise(view.shape, chances["noise_at"][row])
            view = cv2.addWeighted(view, 1, noise, deviation, 0, dtype=cv2.CV_8U)
        if packed[row]:
            view = compress(view, round(25 + 65 * chances["quality"][row]))
        images[row] = view


def tone_tables(chances: Mapping[str, np.ndarray], config: "AugmentConfig") -> np.ndarray:
    """Return what each of the 256 levels becomes, uint8 (count, 1, 256, 3): gamma, contrast, tint.

    OpenCV's table look-up takes the second last axis as the level and the last as the channel.
    """
    spread = {name: (2 * chances[name] - 1)[:, None] for name in ("gamma", "contrast")}
    levels = np.linspace(0, 1, 256)[None] ** np.exp(spread["gamma"] * config.gamma)
    levels = (levels - 0.5) * (1 + spread["contrast"] * config.contrast) + 0.5
    levels = levels + (2 * chances["brightness"] - 1)[:, None] * config.brightness
    colours = np.stack([chances[name] for name in ("red", "green", "blue")], axis=1)
    gains = 1 + (2 * colours - 1) * config.tint
    tables = np.rint(levels[:, :, None] * gains[:, None, :] * 255)
    return np.clip(tables, 0, 255).astype(np.uint8)[:, None]


def colour_matrices(chances: Mapping[str, np.ndarray], config: "AugmentConfig") -> np.ndarray:
    """Return the 3x3 matrices that move colours away from or towards grey, float32 (count, 3, 3).

    Saturation is a mix of the photo and its grey version; both are linear, so one matrix does it.
    """
    share = 1 + (2 * chances["saturation"] - 1) * config.saturation
    share = np.where(chances["grey"] < config.grey, 0.0, share)[:, None, None]
    matrices = share * np.eye(3) + (1 - share) * np.tile(LUMA, (3, 1))
    return matrices.astype(np.float32)


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    """Return what is left of a uint8 RGB photo after JPEG of a quality from 1 to 100."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise SeglibError(f"a photo of shape {image.shape} cannot be compressed as JPEG")
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def cut_out(
    images: np.ndarray, masks: np.ndarray, chances: Mapping[str, np.ndarray], chance: float
) -> None:
    """Lay a flat rectangle over some photos, in place; masks become 0 beneath it.

    Args:
        images: uint8 (count, size, size, 3).
        masks: uint8 (count, size, size, channels).
        chances: what `seglib.data.augment.draw` returns.
        chance: how many photos, 0..1.

    After DeVries and Taylor's Cutout (2017), which classifies; here the mask follows what is seen.
    """
    size = images.shape[1]
    for row in np.flatnonzero(chances["cutout"] < chance):
        spans = []
        for side, centre in (("cut_height", "cut_y"), ("cut_width", "cut_x")):
            extent = size * (0.1 + 0.3 * chances[side][row])
            start = chances[centre][row] * size - extent / 2
            spans.append(slice(max(0, round(start)), max(0, round(start + extent))))
        images[row][*spans] = [255 * chances[f"cut_{name}"][row] for name in _COLOURS]
        masks[row][*spans] = 0


_COLOURS = ("red", "green", "blue")


def swap_backgrounds(
    images: np.ndarray,
    masks: np.ndarray,
    chances: Mapping[str, np.ndarray],
    chance: float,
    backgrounds: Sequence[np.ndarray] | None = None,
    cuttable: np.ndarray | None = None,
) -> None:
    """Put some photos' persons before other backgrounds, in place; masks stay as they are.

    Args:
        images: uint8 (count, size, size, 3).
        masks: uint8 (count, size, size, channels), channel 0 the person's mask.
        chances: what `seglib.data.augment.draw` returns.
        chance: how many photos, 0..1.
        backgrounds: photos to choose from; without them another picture of the batch lends its
            own, with its person filled in by the surroundings' colours.
        cuttable: bool (count,), false where channel 0 is not known; such photos stay as they are
            and lend nothing.
    """
    count = len(images)
    known = np.ones(count, bool) if cuttable is None else cuttable
    chosen = np.flatnonzero((chances["background"] < chance) & known)
    # All are made before the first is used, or one photo's new background would travel on.
    scenes = {row: _scene(row, images, masks, chances, backgrounds, known) for row in chosen}
    for row, scene in scenes.items():
        if scene is not None:
            images[row] = composite(images[row], masks[row, ..., 0], scene)


def _scene(
    row: int,
    images: np.ndarray,
    masks: np.ndarray,
    chances: Mapping[str, np.ndarray],
    backgrounds: Sequence[np.ndarray] | None,
    known: np.ndarray,
) -> np.ndarray | None:
    """Return the background of one photo, or None where no other picture can lend one."""
    pick = chances["pick"][row]
    if backgrounds is not None:
        photo = np.asarray(backgrounds[int(pick * len(backgrounds))])
    else:
        lenders = [other for other in np.flatnonzero(known) if other != row]
        # A mask that covers all leaves nothing to lend.
        lenders = [other for other in lenders if masks[other, ..., 0].min() < 128]
        if not lenders:
            return None
        lender = lenders[int(pick * len(lenders))]
        photo = fill(images[lender], masks[lender, ..., 0])
    # A window of two thirds of the photo or more, anywhere in it, mirrored half of the time.
    share = 1 - chances["view_zoom"][row] / 3
    height, width = (max(1, round(share * side)) for side in photo.shape[:2])
    top = round(chances["view_y"][row] * (photo.shape[0] - height))
    left = round(chances["view_x"][row] * (photo.shape[1] - width))
    window = photo[top : top + height, left : left + width]
    if chances["view_flip"][row] < 0.5:
        window = window[:, ::-1]
    size = images.shape[1]
    way = cv2.INTER_AREA if min(height, width) > size else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(window), (size, size), interpolation=way)


def composite(image: np.ndarray, mask: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Blend a photo over a background by a mask, all uint8 and of one size."""
    alpha = mask[..., None].astype(np.uint16)
    # 255 * 255 + 127 still fits into 16 bits.
    return ((image * alpha + background * (255 - alpha) + 127) // 255).astype(np.uint8)


def fill(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Replace what a mask marks by the colours around it.

    Pull-push of Gortler and others (The Lumigraph, 1996): the picture is halved again and again,
    counting only pixels that are known, and each hole takes its colour from the first coarser level
    that knows one. The mask is widened a little, so that no soft edge of the person stays.

    Args:
        image: uint8 (height, width, 3).
        mask: uint8 (height, width), 0..255.
    """
    width = 2 * round(max(mask.shape) / 40) + 1
    person = cv2.dilate(mask, np.ones((width, width), np.uint8))
    known = (person < 26).astype(np.float32)[..., None]
    filled = _pull_push(np.concatenate([image * known, known], axis=-1))
    return np.clip(np.rint(filled), 0, 255).astype(np.uint8)


def _pull_push(level: np.ndarray) -> np.ndarray:
    """Colours (h, w, 3) from colours times weight and weight, float32 (h, w, 4)."""
    height, width = level.shape[:2]
    weight = level[..., 3:]
    if max(height, width) == 1:
        return level[..., :3] / np.maximum(weight, 1e-6)
    half = ((width + 1) // 2, (height + 1) // 2)
    coarse = _pull_push(
        cv2.resize(level, half, interpolation=cv2.INTER_AREA).reshape(*half[::-1], 4)
    )
    coarse = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return level[..., :3] + (1 - weight) * coarse.reshape(height, width, 3)


def _noise(shape: tuple[int, ...], place: float) -> np.ndarray:
    """Cut normal numbers of deviation 1 from the table, float32, from a place in 0..1."""
    count = int(np.prod(shape))
    table = _noise_table(max(20, (2 * count).bit_length()))
    start = int(place * (len(table) - count))
    return table[start : start + count].reshape(shape)


@lru_cache(maxsize=2)
def _noise_table(bits: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(1 << bits, dtype=np.float32)
