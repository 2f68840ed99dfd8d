"""One transform for a photo and its masks, so that the two can never drift apart.

Geometry is a single affine map through which photo and masks go together, so that each pixel is
interpolated once; light and colours change the photo only. All chance is drawn at the start, in a
table with a fixed row for each kind of change: a kind that is switched off leaves the others as
they were, and two policies can be compared picture by picture.

Chapter: augmentation and synthetic portraits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from seglib.data.dataset import array_pair, as_levels, white_of
from seglib.errors import SeglibError
from seglib.images import as_image

# New rows go to the end, so that the others keep their numbers for a given seed.
ROWS = (
    *("rotate", "zoom", "stretch", "shear", "shift_x", "shift_y", "flip", "crop", "crop_x"),
    *("crop_y", "gamma", "contrast", "brightness", "red", "green", "blue", "grey", "saturation"),
    *("blur", "sigma", "noise", "deviation", "noise_at", "jpeg", "quality", "background", "pick"),
    *("view_zoom", "view_x", "view_y", "view_flip", "cutout", "cut_width", "cut_height", "cut_x"),
    *("cut_y", "cut_red", "cut_green", "cut_blue"),
)
PROBABILITIES = ("flip", "grey", "blur", "noise", "background", "cutout", "jpeg")
# How bright red, green and blue look (ITU-R BT.601), as cv2.COLOR_RGB2GRAY weighs them.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class AugmentConfig:
    """How far photos are changed. Ranges are uniform; probabilities lie in 0..1.

    The last four are off: they were not part of the policy that trained the shipped networks.

    Attributes:
        flip: probability of a left-right flip.
        rotate: largest turn to either side, degrees.
        zoom: smallest and largest scale; 1 fills the frame as the photo did.
        stretch: largest relative change of the aspect ratio.
        shear: largest shear, as a fraction of the height.
        shift: largest shift to any side, as a fraction of the side.
        brightness: largest change, as a fraction of 255.
        contrast: largest relative change.
        gamma: largest change of the exponent's logarithm.
        saturation: largest relative change.
        tint: largest relative change of one channel's gain (warm, cold and green light).
        grey: probability of a grey photo.
        blur: probability of a Gaussian blur with a sigma of up to 1.5 pixels.
        noise: probability of sensor noise with a deviation of up to 12 of 255.
        crop: smallest and largest fraction of each side that is kept, anywhere in the photo and
            never beyond it, unlike zoom and shift. (1, 1) keeps everything.
        background: probability of another photo's background. It needs masks of whole persons:
            with a mask of hair alone, the face would be cut away.
        cutout: probability of a flat rectangle, a tenth to four tenths of each side; the mask is 0
            where it hides the photo.
        jpeg: probability of JPEG compression at a quality of 25 to 90.
    """

    flip: float = 0.5
    rotate: float = 20.0
    zoom: tuple[float, float] = (0.75, 1.4)
    stretch: float = 0.15
    shear: float = 0.1
    shift: float = 0.15
    brightness: float = 0.15
    contrast: float = 0.3
    gamma: float = 0.35
    saturation: float = 0.5
    tint: float = 0.12
    grey: float = 0.08
    blur: float = 0.15
    noise: float = 0.2
    crop: tuple[float, float] = (1.0, 1.0)
    background: float = 0.0
    cutout: float = 0.0
    jpeg: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name in ("zoom", "crop"):
                object.__setattr__(self, name, tuple(value))
                most = 1 if name == "crop" else np.inf
                right = len(value) == 2 and 0 < value[0] <= value[1] <= most
                use = "(smallest, largest), both above 0" + (" and up to 1" if most == 1 else "")
            else:
                most = 1 if name in PROBABILITIES else np.inf
                right, use = 0 <= value <= most, "0 (off) to 1" if most == 1 else "0 (off) or more"
            if not right:
                raise SeglibError(f"{name} is {value}; use {use}")


def augment(
    image: np.ndarray,
    masks: np.ndarray,
    rng: np.random.Generator,
    size: int,
    config: AugmentConfig = AugmentConfig(),
    backgrounds: Sequence[np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one changed view of a photo and its masks.

    Args:
        image: (height, width, 3) RGB, or what else `seglib.images.as_image` takes.
        masks: (height, width) or (height, width, channels), in any form that `Batches` takes.
        rng: all chance comes from here.
        size: side of the square result, pixels.
        config: how far photos are changed.
        backgrounds: photos of any size; they are swapped by the first mask.

    Returns:
        image uint8 (size, size, 3), masks uint8 (size, size) or (size, size, channels), 0..255.
    """
    if config.background and backgrounds is None:
        raise SeglibError(
            f"config.background is {config.background}, so hand some in as backgrounds"
        )
    white = white_of([image], [masks])
    image, layers = array_pair([image], [masks], 0)
    layers = as_levels(layers, white)
    views, changed = augment_batch([image], [layers], draw(rng, 1), size, config, backgrounds)
    return views[0], changed[0] if np.ndim(masks) == 3 else changed[0, ..., 0]


def draw(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Draw all the chance that `count` views need: per kind of change, `count` numbers in 0..1."""
    return dict(zip(ROWS, rng.random((len(ROWS), count)), strict=True))


def augment_batch(
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    chances: Mapping[str, np.ndarray],
    size: int,
    config: AugmentConfig = AugmentConfig(),
    backgrounds: Sequence[np.ndarray] | None = None,
    cuttable: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Change a batch of photos uint8 (h, w, 3) and masks uint8 (h, w[, channels]) of any sizes.

    View `i` depends on picture `i` and column `i` of the chances (what `draw` returns) alone,
    unless backgrounds come from the batch's other pictures, whose persons are then filled in.
    `cuttable`, bool (count,), is false where channel 0 is no mask of the person.

    Returns:
        images uint8 (count, size, size, 3), masks uint8 (count, size, size, channels).
    """
    masks = [mask[..., None] if mask.ndim == 2 else mask for mask in masks]
    views = np.empty((len(images), size, size, 3), np.uint8)
    changed = np.empty((len(images), size, size, masks[0].shape[2]), np.uint8)
    matrices = affine(chances, np.array([i.shape[:2] for i in images], float), size, config)
    for row, (image, mask, matrix) in enumerate(zip(images, masks, matrices, strict=True)):
        # The first mask rides as a fourth channel: OpenCV warps four faster than three.
        joined = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
        joined[..., 3] = mask[..., 0]
        joined = warp(joined, matrix, size)
        views[row], changed[row, ..., 0] = joined[..., :3], joined[..., 3]
        for channel in range(1, mask.shape[2]):
            changed[row, ..., channel] = warp(mask[..., channel], matrix, size)
    if config.background:
        known = np.ones(len(images), bool) if cuttable is None else cuttable
        _swap_backgrounds(views, changed, chances, config.background, backgrounds, known)
    if config.cutout:
        _cut_out(views, changed, chances, config.cutout)
    _recolour(views, chances, config)
    return views, changed


# Geometry


def affine(
    chances: Mapping[str, np.ndarray], shapes: np.ndarray, size: int, config: AugmentConfig
) -> np.ndarray:
    """Return the maps from pixels of photos of `shapes` (count, 2) to the results', (count, 2, 3).

    Both sides count from pixel centres; the edges meet when nothing is changed.
    """

    def spread(name: str, largest: float) -> np.ndarray:
        return (2 * chances[name] - 1) * largest

    angle = np.deg2rad(spread("rotate", config.rotate))
    low, high = np.log(config.zoom)
    zoom = np.exp(low + (high - low) * chances["zoom"])
    stretch = np.exp(spread("stretch", config.stretch) / 2)
    shear = spread("shear", config.shear)
    mirror = np.where(chances["flip"] < config.flip, -1.0, 1.0)
    kept = config.crop[0] + (config.crop[1] - config.crop[0]) * chances["crop"]
    # Around the centre, in units of the frame, so that a frame of any shape fills the square.
    cos, sin = np.cos(angle), np.sin(angle)
    across, down = mirror * zoom * stretch, zoom / stretch
    linear = np.array(
        [[cos * across, cos * shear - sin * down], [sin * across, sin * shear + cos * down]]
    ).transpose(2, 0, 1)
    sides = shapes[:, ::-1]
    linear = linear * (size / (sides * kept[:, None]))[:, None, :]
    window = np.stack([chances["crop_x"], chances["crop_y"]], axis=1)
    centre = sides * (0.5 + (1 - kept[:, None]) * (window - 0.5))
    shift = np.stack([spread("shift_x", config.shift), spread("shift_y", config.shift)], axis=1)
    # OpenCV counts from pixel centres, hence the halves.
    offset = size * (0.5 + shift) - (linear @ (centre - 0.5)[..., None])[..., 0] - 0.5
    return np.concatenate([linear, offset[..., None]], axis=2)


def warp(array: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Apply a map (2, 3) to an array (h, w) or (h, w, up to 4); beyond the border it is mirrored.

    Bilinear interpolation looks at four pixels only: where the map shrinks by 1.5 or more, blocks
    of pixels are averaged first.
    """
    array = np.ascontiguousarray(array)
    across, down = np.hypot(matrix[0, :2], matrix[1, :2])
    if min(across, down) * 1.5 <= 1:
        height, width = array.shape[:2]
        # Whole factors, which OpenCV averages twenty times faster than broken ones.
        new_width = max(1, round(width / max(1, round(1 / across))))
        new_height = max(1, round(height / max(1, round(1 / down))))
        array = cv2.resize(array, (new_width, new_height), interpolation=cv2.INTER_AREA)
        ratio = np.array([width / new_width, height / new_height])
        offset = matrix[:, 2] + matrix[:, :2] @ (ratio / 2 - 0.5)
        matrix = np.column_stack([matrix[:, :2] * ratio, offset])
    return cv2.warpAffine(array, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)


# Light and colours


def _recolour(images: np.ndarray, chances: Mapping[str, np.ndarray], config: AugmentConfig) -> None:
    """Give each photo other light, other colours, blur, noise and compression, in place."""
    gamma, contrast, brightness, saturation = (
        (2 * chances[name] - 1)[:, None] * getattr(config, name)
        for name in ("gamma", "contrast", "brightness", "saturation")
    )
    levels = np.linspace(0, 1, 256)[None] ** np.exp(gamma)
    levels = (levels - 0.5) * (1 + contrast) + 0.5 + brightness
    tint = np.stack([chances[name] for name in ("red", "green", "blue")], axis=1)
    gains = 1 + (2 * tint - 1) * config.tint
    # OpenCV's table look-up takes the second last axis as the level, the last as the channel.
    tables = np.rint(levels[:, :, None] * gains[:, None, :] * 255)
    tables = np.clip(tables, 0, 255).astype(np.uint8)[:, None]
    # Saturation mixes a photo with its grey version; both are linear, so one matrix does it.
    colour = np.where(chances["grey"] < config.grey, 0.0, 1 + saturation[:, 0])[:, None, None]
    matrices = (colour * np.eye(3) + (1 - colour) * np.tile(_LUMA, (3, 1))).astype(np.float32)
    blurred, noisy, packed = (chances[n] < getattr(config, n) for n in ("blur", "noise", "jpeg"))
    for row, image in enumerate(images):
        view = cv2.transform(cv2.LUT(image, tables[row]), matrices[row])
        if blurred[row]:
            view = cv2.GaussianBlur(view, (0, 0), 0.3 + 1.2 * chances["sigma"][row])
        if noisy[row]:
            table = _noise_table(max(20, (2 * view.size).bit_length()))
            start = int(chances["noise_at"][row] * (len(table) - view.size))
            noise = table[start : start + view.size].reshape(view.shape)
            deviation = 1 + 11 * chances["deviation"][row]
            view = cv2.addWeighted(view, 1, noise, deviation, 0, dtype=cv2.CV_8U)
        if packed[row]:
            view = compress(view, round(25 + 65 * chances["quality"][row]))
        images[row] = view


# Drawing 50,000 normal numbers costs more than all the rest of a picture: a table is cut.
@lru_cache(maxsize=2)
def _noise_table(bits: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(1 << bits, dtype=np.float32)


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    """Return what is left of a uint8 RGB photo after JPEG of a quality from 1 to 100."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _cut_out(
    images: np.ndarray, masks: np.ndarray, chances: Mapping[str, np.ndarray], probability: float
) -> None:
    """Lay a flat rectangle over some photos, in place; the mask follows (after Cutout, 2017)."""
    size = images.shape[1]
    for row in np.flatnonzero(chances["cutout"] < probability):
        spans = []
        for side, centre in (("cut_height", "cut_y"), ("cut_width", "cut_x")):
            extent = size * (0.1 + 0.3 * chances[side][row])
            start = chances[centre][row] * size - extent / 2
            spans.append(slice(max(0, round(start)), max(0, round(start + extent))))
        images[row][*spans] = [255 * chances[f"cut_{c}"][row] for c in ("red", "green", "blue")]
        masks[row][*spans] = 0


# Backgrounds


def _swap_backgrounds(
    images: np.ndarray,
    masks: np.ndarray,
    chances: Mapping[str, np.ndarray],
    probability: float,
    backgrounds: Sequence[np.ndarray] | None,
    known: np.ndarray,
) -> None:
    """Put some photos' persons (mask channel 0, if `known`) before other backgrounds, in place."""
    size, before = images.shape[1], images.copy()
    # A window of two thirds of the scene or more, anywhere in it, mirrored half of the time.
    view = {**chances, "crop": 1 - chances["view_zoom"], "flip": chances["view_flip"]}
    view |= {"crop_x": chances["view_x"], "crop_y": chances["view_y"]}
    for row in np.flatnonzero((chances["background"] < probability) & known):
        # A mask that covers all leaves nothing to lend.
        lenders = [i for i in np.flatnonzero(known) if i != row and masks[i, ..., 0].min() < 128]
        if backgrounds is None and not lenders:
            continue
        lent = lenders if backgrounds is None else backgrounds
        chosen = lent[int(chances["pick"][row] * len(lent))]
        if backgrounds is None:
            scene = fill(before[chosen], masks[chosen, ..., 0])
        else:
            scene = as_image(chosen, "background")
        one = {name: values[row : row + 1] for name, values in view.items()}
        behind = warp(scene, affine(one, np.array([scene.shape[:2]]), size, _WINDOW)[0], size)
        # 255 * 255 + 127 still fits into 16 bits.
        alpha = masks[row, ..., :1].astype(np.uint16)
        images[row] = (images[row] * alpha + behind * (255 - alpha) + 127) // 255


_WINDOW = AugmentConfig(crop=(2 / 3, 1), rotate=0, zoom=(1, 1), stretch=0, shear=0, shift=0)


def fill(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Replace what a mask, uint8 (h, w), marks in a photo, uint8 (h, w, 3), by colours around it.

    By the method of Telea (2004) on a small copy, with the mask a little wider for soft edges.
    """
    width, side = 2 * round(max(mask.shape) / 40) + 1, (32, 32)
    person = cv2.dilate(mask, np.ones((width, width), np.uint8)) >= 26
    hole = cv2.resize(person.astype(np.float32), side, interpolation=cv2.INTER_AREA) > 0
    small = cv2.resize(image, side, interpolation=cv2.INTER_AREA)
    small = cv2.inpaint(small, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    around = cv2.resize(small, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(person[..., None], around, image)
