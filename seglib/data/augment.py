"""One transform for a photo and its masks, so that the two can never drift apart.

Geometry (crop, flip, rotation, zoom, stretch, shear, shift) is a single affine map, through which
photo and masks go in the same call (`seglib.data.geometry`). Light and colours change the photo
only (`seglib.data.degrade`).

All chance is drawn at the start, in one table with a fixed row for each kind of change. A kind that
is switched off therefore leaves the others as they were, and two policies can be compared picture
by picture.

Chapter: augmentation and synthetic portraits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from seglib.data import degrade
from seglib.data.geometry import affine, warp_pair
from seglib.errors import SeglibError

# New rows go to the end: the rows above then keep their numbers for a given seed.
ROWS = (
    *("rotate", "zoom", "stretch", "shear", "shift_x", "shift_y", "flip", "crop", "crop_x"),
    *("crop_y", "gamma", "contrast", "brightness", "red", "green", "blue", "grey", "saturation"),
    *("blur", "sigma", "noise", "deviation", "noise_at", "jpeg", "quality", "background", "pick"),
    *("view_zoom", "view_x", "view_y", "view_flip", "cutout", "cut_width", "cut_height", "cut_x"),
    *("cut_y", "cut_red", "cut_green", "cut_blue"),
)


@dataclass(frozen=True)
class AugmentConfig:
    """How far photos are changed. Ranges are uniform; chances lie in 0..1.

    The last four are off: they were not part of the policy that trained the shipped networks.

    Attributes:
        flip: chance of a left-right flip.
        rotate: largest turn to either side, degrees.
        zoom: smallest and largest scale; 1 fills the frame as the photo did.
        stretch: largest relative change of the aspect ratio.
        shear: largest shear, as a share of the height.
        shift: largest shift to any side, as a share of the side.
        brightness: largest change, as a share of 255.
        contrast: largest relative change.
        gamma: largest change of the exponent's logarithm.
        saturation: largest relative change.
        tint: largest relative change of one channel's gain (warm, cold and green light).
        grey: chance of a grey photo.
        blur: chance of a Gaussian blur with a sigma of up to 1.5 pixels.
        noise: chance of sensor noise with a deviation of up to 12 of 255.
        crop: smallest and largest share of each side that is kept; the window lies anywhere in the
            photo and never reaches beyond it, unlike zoom and shift. (1, 1) keeps everything.
        background: chance of another photo's background behind the person. It needs a mask of
            whole persons: with a mask of hair alone, the face would be cut away.
        cutout: chance of a flat rectangle, a tenth to four tenths of each side, laid over the
            photo. What it hides is no longer seen, so the mask is 0 there.
        jpeg: chance of JPEG compression at a quality of 25 to 90.
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
        for name in ("zoom", "crop"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not (len(self.zoom) == 2 and 0 < self.zoom[0] <= self.zoom[1]):
            raise SeglibError(f"zoom is {self.zoom}; use (smallest, largest), both above 0")
        if not (len(self.crop) == 2 and 0 < self.crop[0] <= self.crop[1] <= 1):
            raise SeglibError(f"crop is {self.crop}; use (smallest, largest), above 0 and up to 1")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("zoom", "crop"):
                continue
            if not value >= 0:
                raise SeglibError(f"{field.name} is {value}; use 0 (off) or more")
            if field.name in CHANCES and value > 1:
                raise SeglibError(f"{field.name} is {value}; it is a chance, so use 0 to 1")


CHANCES = ("flip", "grey", "blur", "noise", "background", "cutout", "jpeg")


def augment(
    image: np.ndarray,
    masks: np.ndarray,
    rng: np.random.Generator,
    size: int,
    config: AugmentConfig = AugmentConfig(),
    backgrounds: Sequence[np.ndarray] | None = None,
    labels: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one changed view of a photo and its masks.

    Args:
        image: uint8 (height, width, 3) RGB.
        masks: uint8 (height, width) or (height, width, channels), 0..255; the first channel is the
            one that a background is swapped by.
        rng: all chance comes from here; the same state gives the same view.
        size: side of the square result, pixels.
        config: how far photos are changed.
        backgrounds: photos, uint8 (h, w, 3) each, for `config.background` to choose from.
        labels: the masks hold class numbers, which must not be mixed; 0 is the background.

    Returns:
        image uint8 (size, size, 3), masks uint8 (size, size) or (size, size, channels).

    Raises:
        SeglibError: photo and masks differ in size, have other types, or backgrounds are missing.
    """
    if config.background and backgrounds is None:
        raise SeglibError(
            f"config.background is {config.background} but there is no photo to take one from; "
            "hand some in as backgrounds"
        )
    views, changed = augment_batch(
        [image], [masks], draw(rng, 1), size, config, backgrounds, labels=labels
    )
    return views[0], changed[0].reshape(size, size, *masks.shape[2:])


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
    labels: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Change a whole batch; view `i` depends on picture `i` and column `i` of the chances alone.

    The one exception is a background that comes from the batch's other pictures, since there are no
    `backgrounds` to choose from.

    Args:
        images: uint8 (height, width, 3) RGB each, of any sizes.
        masks: uint8 (height, width) or (height, width, channels) each.
        chances: what `draw` returns.
        size: side of the square results, pixels.
        config: how far photos are changed.
        backgrounds: photos to take backgrounds from; None takes the batch's own, persons filled in.
        cuttable: bool (count,), false where channel 0 is no mask of the person; None is all true.
        labels: the masks hold class numbers.

    Returns:
        images uint8 (count, size, size, 3), masks uint8 (count, size, size, channels).
    """
    count = len(images)
    channels = masks[0].shape[2] if masks[0].ndim == 3 else 1
    views = np.empty((count, size, size, 3), np.uint8)
    changed = np.empty((count, size, size, channels), np.uint8)
    shapes = np.array([image.shape[:2] for image in images], float)
    matrices = affine(chances, shapes, size, config)
    for row, (image, mask) in enumerate(zip(images, masks, strict=True)):
        _check(image, mask)
        views[row], changed[row] = warp_pair(image, mask, matrices[row], size, labels)
    if config.background:
        degrade.swap_backgrounds(views, changed, chances, config.background, backgrounds, cuttable)
    if config.cutout:
        degrade.cut_out(views, changed, chances, config.cutout)
    degrade.recolour(views, chances, config)
    return views, changed


def _check(image: np.ndarray, mask: np.ndarray) -> None:
    if image.shape[:2] != mask.shape[:2]:
        raise SeglibError(
            f"a photo of {image.shape[1]}x{image.shape[0]} pixels has a mask of "
            f"{mask.shape[1]}x{mask.shape[0]}; resize the mask to the photo first"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or mask.dtype != np.uint8:
        raise SeglibError(
            f"a photo is {image.dtype} {image.shape} and its mask {mask.dtype} {mask.shape}; "
            "use uint8 (height, width, 3) and uint8 masks from 0 to 255"
        )
