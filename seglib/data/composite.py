"""Compositing: cut a person out by the mask and put them into other pictures, in other light.

The portrait projects of 2019 made much of their training data this way (their `synthetic.py`,
`remask.py`, `curve.py` and face crops); here the colour at soft edges is estimated instead of
copied, so that no rim of the old background comes along. An image is uint8 RGB (h, w, 3), a mask
float32 (h, w) in 0..1, and every function leaves what it is given untouched.

Chapter: augmentation and synthetic portraits.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from seglib.data.crops import crop, crop_box, need_person
from seglib.data.dataset import Dataset
from seglib.errors import SeglibError
from seglib.images import as_image, as_mask, resize

__all__ = [
    "compose",
    "crop",
    "crop_box",
    "cut_out",
    "foreground",
    "match_light",
    "on_backgrounds",
    "remask",
    "tone",
]


def _pair(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    image = as_image(image)
    return image, as_mask(mask, shape=image.shape)


def _blurred(values: np.ndarray, weight: np.ndarray, radius: int, far: np.ndarray) -> np.ndarray:
    """Mean of `values` (h, w, 3) round each pixel, counted by `weight` (h, w).

    Where the window holds no weight the result is `far`.
    """
    box, little = (2 * radius + 1, 2 * radius + 1), 1e-4
    total = cv2.blur(values * weight[..., None], box) + little * far
    return total / (cv2.blur(weight, box)[..., None] + little)


def foreground(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Estimate the person's own colour in every pixel, uint8 (h, w, 3).

    In a soft pixel the photo shows a mixture of person and background; the estimate takes the
    background's share out again. Where the mask is 0 the person's nearby colours are continued.
    The method is Forte's "Approximate fast foreground colour estimation" (ICIP 2021): the best
    guess by weighted means, corrected so that the mixture gives the photo again, once with a wide
    and once with a narrow window.

    Args:
        image: uint8 RGB (h, w, 3).
        mask: float (h, w), how much of each pixel is person, 0..1.

    Raises:
        SeglibError: image or mask is no such array, or their sizes differ.
    """
    image, mask = _pair(image, mask)
    photo, share = image.astype(np.float32), mask[..., None]
    # Far from the person there is nothing to go by but its mean colour.
    far = (photo * share).sum((0, 1)) / max(float(mask.sum()), 1e-6)
    person = behind = photo
    for radius in (max(2, min(mask.shape) // 4), 3):
        person_mean = far = _blurred(person, mask, radius, far)
        behind = _blurred(behind, 1 - mask, radius, behind)
        person = person_mean + share * (photo - share * person_mean - (1 - share) * behind)
        person = np.clip(person, 0, 255)
    return np.rint(person).astype(np.uint8)


def cut_out(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Cut the person out: uint8 RGBA (h, w, 4), straight (not premultiplied) alpha.

    The colours are those of `foreground`, so the cut-out can lie on anything.

    Raises:
        SeglibError: image or mask is no such array, or their sizes differ.
    """
    image, mask = _pair(image, mask)
    alpha = np.rint(255 * mask).astype(np.uint8)
    return np.dstack([foreground(image, mask), alpha])


def match_light(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, strength: float = 1.0
) -> np.ndarray:
    """Give the person the light of another picture, uint8 (h, w, 3).

    Mean and deviation of the person's pixels, per channel in CIE Lab, are moved to those of the
    background (Reinhard et al., "Color transfer between images", 2001). The deviation changes by a
    factor of 2 at most, since a flat wall must not flatten a face.

    Args:
        image: the photo with the person, or the person's colours from `foreground`.
        mask: where the person is.
        background: uint8 RGB of any size.
        strength: 0 leaves the photo as it is, 1 moves the whole way.

    Raises:
        SeglibError: an array is of another kind, the mask is empty or strength outside 0..1.
    """
    image, mask = _pair(image, mask)
    background = as_image(background, "background")
    if not 0 <= strength <= 1:
        raise SeglibError(f"the strength of match_light is {strength}; choose one from 0 to 1")
    need_person(mask)
    lab, other = (
        cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        for picture in (image, background)
    )
    weight = mask[..., None] / mask.sum()
    mean = (lab * weight).sum((0, 1))
    deviation = np.sqrt((((lab - mean) ** 2) * weight).sum((0, 1)))
    ratio = np.clip(other.std((0, 1)) / np.maximum(deviation, 1e-3), 0.5, 2)
    moved = (lab - mean) * ratio + other.mean((0, 1))
    mixed = ((1 - strength) * lab + strength * moved).astype(np.float32)
    result = np.clip(cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB), 0, 1)
    return np.rint(255 * result).astype(np.uint8)


def compose(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, light: float = 0.5
) -> np.ndarray:
    """Put the person on another background, uint8 (h, w, 3); the mask stays as it is.

    The background is scaled to cover the photo's frame, and what juts out is cut off evenly.

    Args:
        image: uint8 RGB (h, w, 3) with the person.
        mask: float (h, w) in 0..1.
        background: uint8 RGB of any size.
        light: how far the person takes on the background's light, 0..1; see `match_light`.

    Raises:
        SeglibError: an array is of another kind, the sizes of image and mask differ, or light lies
            outside 0..1.
    """
    image, mask = _pair(image, mask)
    behind = _cover(as_image(background, "background"), *mask.shape)
    person = foreground(image, mask)
    if mask.any():
        person = match_light(person, mask, behind, light)
    share = mask[..., None]
    return np.rint(share * person + (1 - share) * behind).astype(np.uint8)


def on_backgrounds(
    dataset: Dataset,
    backgrounds: Sequence[np.ndarray],
    seed: int = 0,
    light: tuple[float, float] = (0.2, 0.8),
) -> Dataset:
    """The same persons and masks, each on one of `backgrounds`; made when a pair is read.

    Args:
        dataset: photos with masks of the whole person.
        backgrounds: uint8 RGB pictures of any size without people, at least one.
        seed: which photo gets which background, and how strongly the light is matched.
        light: range of that strength.

    Raises:
        SeglibError: no backgrounds, or masks that show a part of the person only.
    """
    if not len(backgrounds):
        raise SeglibError("on_backgrounds was given no backgrounds; hand in at least one picture")
    if dataset.kind != "person":
        raise SeglibError(
            f"the masks of {dataset.name} show {dataset.kind}; only a whole person can be cut out, "
            'so load the set with kind="person"'
        )
    rows = {stem: row for row, stem in enumerate(dataset.stems)}

    def read(stem: str) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, rows[stem]])
        image, mask = dataset[rows[stem]]
        behind = backgrounds[int(rng.integers(len(backgrounds)))]
        return compose(image, mask, behind, rng.uniform(*light)), mask

    return replace(dataset, name=f"{dataset.name} on other backgrounds", read=read)


def remask(mask: np.ndarray, threshold: float = 0.5, smallest: float = 0.0) -> np.ndarray:
    """Make a soft or JPEG-damaged mask hard again: float32 (h, w) of 0 and 1.

    Args:
        mask: float (h, w) in 0..1; a value equal to the threshold counts as the thing.
        threshold: the cut, above 0 and at most 1.
        smallest: lone spots and holes smaller than this share of the picture go.

    Raises:
        SeglibError: no mask, or a number outside its range.
    """
    if not 0 < threshold <= 1 or not 0 <= smallest < 1:
        raise SeglibError(
            "remask needs a threshold above 0 and at most 1 and smallest from 0 to below 1; it was "
            f"given {threshold} and {smallest}"
        )
    hard = (as_mask(mask) >= threshold).astype(np.uint8)
    if smallest:
        # Spots of the thing first, then of what is not the thing.
        for value in (1, 0):
            _, names, stats, _ = cv2.connectedComponentsWithStats((hard == value).astype(np.uint8))
            small = stats[:, cv2.CC_STAT_AREA] < smallest * hard.size
            small[0] = False
            hard[small[names]] = 1 - value
    return hard.astype(np.float32)


def tone(image: np.ndarray, warmth: float) -> np.ndarray:
    """Warm or cool light by smooth curves, uint8 (h, w, 3).

    Red and blue are bent in opposite ways, black and white stay: the curves are powers.

    Args:
        image: uint8 RGB (h, w, 3).
        warmth: -1 (blue evening) .. 1 (candlelight), 0 changes nothing.

    Raises:
        SeglibError: no image, or warmth outside -1..1.
    """
    image = as_image(image)
    if not -1 <= warmth <= 1:
        raise SeglibError(f"the warmth of a tone curve is {warmth}; choose one from -1 to 1")
    steps = np.linspace(0, 1, 256)[:, None]
    table = steps ** np.exp(np.array([-0.45, -0.08, 0.45]) * warmth)
    return cv2.LUT(image, np.rint(255 * table).astype(np.uint8)[None])


def _cover(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale a picture to cover (height, width) and cut off evenly what juts out."""
    scale = max(height / picture.shape[0], width / picture.shape[1])
    size = (
        max(height, round(picture.shape[0] * scale)),
        max(width, round(picture.shape[1] * scale)),
    )
    scaled = resize(picture, size)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return scaled[top : top + height, left : left + width]
