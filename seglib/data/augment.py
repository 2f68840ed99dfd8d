"""One transform for a photo and its masks, so that the two can never drift apart.

Geometry (flip, rotation, zoom, stretch, shear, shift) is a single affine map: each output pixel is
interpolated once. Photo and masks go through the same map; masks are soft, so they are
interpolated like the photo. Colour changes touch the photo only.

Chapter: data preparation.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from seglib.errors import SeglibError


@dataclass(frozen=True)
class AugmentConfig:
    """How far photos are changed. Ranges are uniform; chances lie in 0..1.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "zoom", tuple(self.zoom))
        if not (len(self.zoom) == 2 and 0 < self.zoom[0] <= self.zoom[1]):
            raise SeglibError(f"zoom is {self.zoom}; use (smallest, largest), both above 0")


def augment(
    image: np.ndarray,
    masks: np.ndarray,
    rng: np.random.Generator,
    size: int,
    config: AugmentConfig = AugmentConfig(),
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one changed view of a photo and its masks.

    Args:
        image: uint8 (height, width, 3) RGB.
        masks: uint8 (height, width) or (height, width, channels), 0..255.
        rng: all chance comes from here; the same state gives the same view.
        size: side of the square result, pixels.
        config: how far photos are changed.

    Returns:
        image uint8 (size, size, 3), masks uint8 (size, size) or (size, size, channels).
    """
    if image.shape[:2] != masks.shape[:2]:
        raise SeglibError(
            f"a photo of {image.shape[1]}x{image.shape[0]} pixels has a mask of "
            f"{masks.shape[1]}x{masks.shape[0]}; resize the mask to the photo first"
        )
    matrix = affine(rng, image.shape[:2], size, config)
    image, masks = warp(image, matrix, size), warp(masks, matrix, size)
    return recolour(image, rng, config), masks


def affine(
    rng: np.random.Generator, source: tuple[int, int], size: int, config: AugmentConfig
) -> np.ndarray:
    """Draw the 2x3 matrix from source pixels to result pixels (both with half-pixel centres)."""
    height, width = source
    angle = np.deg2rad(rng.uniform(-config.rotate, config.rotate))
    zoom = np.exp(rng.uniform(*np.log(config.zoom)))
    stretch = np.exp(rng.uniform(-config.stretch, config.stretch) / 2)
    shear = rng.uniform(-config.shear, config.shear)
    shift = rng.uniform(-config.shift, config.shift, 2)
    mirror = -1.0 if rng.random() < config.flip else 1.0
    # Around the centre, in units of the frame, so that a frame of any shape fills the square.
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[mirror * zoom * stretch, shear], [0.0, zoom / stretch]])
    linear = size * linear @ np.diag([1 / width, 1 / height])
    centre = np.array([width, height]) / 2
    # OpenCV counts from pixel centres, hence the halves.
    offset = size * (0.5 + shift) - linear @ (centre - 0.5) - 0.5
    return np.hstack([linear, offset[:, None]])


def warp(array: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Apply the matrix with bilinear interpolation; beyond the border the picture is mirrored."""
    return cv2.warpAffine(
        array, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )


def recolour(image: np.ndarray, rng: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """Draw other light, other colours, blur and noise for a photo, uint8 in and out."""
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    levels = levels ** np.exp(rng.uniform(-config.gamma, config.gamma))
    levels = (levels - 0.5) * (1 + rng.uniform(-config.contrast, config.contrast)) + 0.5
    levels = levels + rng.uniform(-config.brightness, config.brightness)
    gains = 1 + rng.uniform(-config.tint, config.tint, 3)
    table = np.clip(levels[:, None] * gains * 255, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table[None])
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2)
    colour = 0.0 if rng.random() < config.grey else 1 + rng.uniform(-1, 1) * config.saturation
    image = cv2.addWeighted(image, colour, grey, 1 - colour, 0)
    if rng.random() < config.blur:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5))
    if rng.random() < config.noise:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(1, 12)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return image
