"""A person who moves before a still place, with the true mask of every frame.

A synthetic portrait is cut out with its own colours and swung about its foot in front of another
place; the camera adds noise that is new in every frame. So flicker, lag and stale masks can be
measured against the truth, which no film of a real person comes with.

Chapter: real-time video.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from seglib.data.synthetic import PortraitConfig, draw
from seglib.errors import SeglibError
from seglib.postprocess import estimate_foreground


@dataclass(frozen=True, eq=False)
class Clip:
    """A short film with its truth.

    Attributes:
        images: uint8 RGB (N, size, size, 3).
        alphas: float32 (N, size, size), how much of a pixel is the person, 0 to 1.
        fps: frames a second.

    Chapter: real-time video.
    """

    images: np.ndarray
    alphas: np.ndarray
    fps: float

    def __len__(self) -> int:
        """How many frames."""
        return len(self.images)


_STILL = {"company": 0.0, "passers_by": 0.0, "overlay": 0.0, "grey": 0.0, "jpeg": 0.0}


def moving_portrait(
    count: int = 60,
    size: int = 256,
    seed: int = 0,
    fps: float = 30.0,
    sway: float = 0.1,
    turn: float = 6.0,
    period: float = 2.0,
    noise: float = 6.0,
    shake: float = 0.0,
) -> Clip:
    """Draw a person who sways from side to side.

    Args:
        count: frames, at least 1.
        size: side of the pictures in pixels, at least 32.
        seed: which person, place and noise.
        fps: frames a second.
        sway: how far the head goes to either side, a share of the picture's side.
        turn: how far the person leans, degrees.
        period: seconds of one swing there and back; the largest speed is 2 pi sway / period.
        noise: standard deviation of the camera's noise, of 255.
        shake: how far a camera in the hand wanders, a share of the side; 0 is a tripod.

    Raises:
        SeglibError: a number is out of its range.

    Chapter: real-time video.
    """
    if count < 1 or not 0 < fps <= 1000 or not period > 0 or not min(noise, shake) >= 0:
        raise SeglibError(
            f"a clip of {count} frames at {fps:g} a second, period {period:g} s, noise {noise:g} "
            f"and shake {shake:g} cannot be drawn; count, fps and period are above 0, noise and "
            "shake at least 0"
        )
    looks = {**_STILL, "noise": (0.0, 0.0), "blur": (0.2, 0.4)}
    front = PortraitConfig(empty=0.0, framing=(0.0, 1.0, 0.0, 0.0), tilt=8.0, shift=0.02, **looks)
    person = draw((seed, 0), size, front)
    place = draw((seed, 1), size, PortraitConfig(empty=1.0, **looks)).image.astype(np.float32)
    layers = np.dstack([estimate_foreground(person.image, person.alpha), person.alpha])
    layers = layers.astype(np.float32)
    rng = np.random.default_rng((seed, 2))
    wander = _wander(rng, count, fps) * shake * size
    images = np.empty((count, size, size, 3), np.uint8)
    alphas = np.empty((count, size, size), np.float32)
    for index in range(count):
        swing = np.sin(2 * np.pi * index / (fps * period))
        # About the foot of the picture, so that the body is never cut loose from the edge.
        matrix = cv2.getRotationMatrix2D((size / 2, size), -turn * swing, 1.0)
        matrix[0, 2] += sway * size * swing
        matrix[:, 2] += wander[index]
        moved = cv2.warpAffine(layers, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
        alpha = moved[..., 3].clip(0, 1)
        behind = place
        if shake:
            shift = np.column_stack([np.eye(2), wander[index]])
            behind = cv2.warpAffine(place, shift, (size, size), borderMode=cv2.BORDER_REFLECT)
        picture = behind + (moved[..., :3] - behind) * alpha[..., None]
        picture += rng.standard_normal(picture.shape, np.float32) * np.float32(noise)
        images[index] = np.rint(picture.clip(0, 255))
        alphas[index] = alpha
    return Clip(images, alphas, fps)


def _wander(rng: np.random.Generator, count: int, fps: float) -> np.ndarray:
    """Return where a hand holds the camera, (count, 2): slow swings with no common period."""
    seconds = np.arange(count)[:, None, None] / fps
    hertz = rng.uniform(0.5, 3.0, (3, 2))
    return np.sin(2 * np.pi * (seconds * hertz + rng.random((3, 2)))).mean(axis=1)
