"""Compositing: put a person, cut out by the mask, into other pictures, in other light.

The portrait projects of 2019 made much of their training data this way (their `synthetic.py`,
`remask.py`, `curve.py` and crops of faces that dlib found); here the colour at soft edges is
estimated instead of copied, so that no rim of the old background comes along, and an outline tells
where the head is. Images and masks are taken as `seglib.images.as_image` and `as_mask` take them,
and what is given stays untouched.

Chapter: augmentation and synthetic portraits.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from seglib.data.dataset import Dataset, Pair
from seglib.errors import SeglibError, renamed
from seglib.images import as_image, as_mask
from seglib.postprocess import alpha_blend, cover, estimate_foreground
from seglib.postprocess.colour import transfer_colour

__all__ = ["compose", "crop", "crop_box", "on_backgrounds", "remask", "tone"]
__getattr__ = renamed(
    __name__,
    {
        "foreground": "seglib.postprocess.estimate_foreground",
        "cut_out": "seglib.postprocess.cut_out",
        "match_light": "seglib.postprocess.colour.transfer_colour",
    },
)
PARTS = ("face", "upper")


def compose(
    image: np.ndarray, mask: np.ndarray, background: np.ndarray, light: float = 0.5
) -> np.ndarray:
    """Put the person on another background, uint8 (h, w, 3); the mask stays as it is.

    The background is scaled to cover the photo's frame, and what juts out is cut off evenly.

    Args:
        image: RGB (h, w, 3) with the person.
        mask: (h, w) in 0..1.
        background: RGB of any size.
        light: how far the person takes on the background's light, 0..1; see
            `seglib.postprocess.colour.transfer_colour`.
    """
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    behind = cover(as_image(background, "background"), mask.shape)
    person = estimate_foreground(image, mask)
    if mask.any():
        person = transfer_colour(person, mask, behind, light)
    return alpha_blend(person, behind, mask)


def on_backgrounds(
    dataset: Dataset,
    backgrounds: Sequence[np.ndarray],
    seed: int = 0,
    light: tuple[float, float] = (0.2, 0.8),
) -> Dataset:
    """The same persons and masks, each on one of `backgrounds`; made when a pair is read.

    Args:
        dataset: photos with masks of the whole person.
        backgrounds: RGB pictures of any size without people, at least one.
        seed: which photo gets which background, and how strongly the light is matched.
        light: range of that strength.
    """
    if not len(backgrounds) or dataset.kind != "person":
        raise SeglibError(
            f"{len(backgrounds)} backgrounds and masks of {dataset.kind} are given; hand in at "
            'least one picture, and a set of whole persons (load it with kind="person")'
        )
    rows = {stem: row for row, stem in enumerate(dataset.stems)}

    def read(stem: str) -> Pair:
        rng = np.random.default_rng([seed, rows[stem]])
        image, mask = dataset.read(stem)
        behind = backgrounds[int(rng.integers(len(backgrounds)))]
        return compose(image, mask, behind, rng.uniform(*light)), mask

    return replace(dataset, name=f"{dataset.name} on other backgrounds", read=read)


def remask(mask: np.ndarray, threshold: float = 0.5, smallest: float = 0.0) -> np.ndarray:
    """Make a soft or JPEG-damaged mask hard again: float32 (h, w) of 0 and 1.

    Args:
        mask: (h, w) in 0..1; a value equal to the threshold counts as foreground.
        threshold: the cut, above 0 and at most 1.
        smallest: lone spots and holes smaller than this fraction of the picture go.
    """
    if not 0 < threshold <= 1 or not 0 <= smallest < 1:
        raise SeglibError(
            "remask needs a threshold above 0 and at most 1 and smallest from 0 to below 1; it was "
            f"given {threshold} and {smallest}"
        )
    hard = (as_mask(mask) >= threshold).astype(np.uint8)
    # Spots of the foreground first, then of the background.
    for value in (1, 0) if smallest else ():
        _, names, stats, _ = cv2.connectedComponentsWithStats((hard == value).astype(np.uint8))
        small = stats[:, cv2.CC_STAT_AREA] < smallest * hard.size
        small[0] = False
        hard[small[names]] = 1 - value
    return hard.astype(np.float32)


def tone(image: np.ndarray, warmth: float) -> np.ndarray:
    """Warm or cool light by smooth curves, uint8 (h, w, 3).

    Red and blue are bent in opposite ways, black and white stay: the curves are powers.

    Args:
        image: RGB (h, w, 3).
        warmth: -1 (blue evening) .. 1 (candlelight), 0 changes nothing.
    """
    if not -1 <= warmth <= 1:
        raise SeglibError(f"the warmth of a tone curve is {warmth}; choose one from -1 to 1")
    steps = np.linspace(0, 1, 256)[:, None]
    table = steps ** np.exp(np.array([-0.45, -0.08, 0.45]) * warmth)
    return cv2.LUT(as_image(image), np.rint(255 * table).astype(np.uint8)[None])


def crop(
    image: np.ndarray, mask: np.ndarray, part: str = "upper", margin: float = 0.15
) -> tuple[np.ndarray, np.ndarray]:
    """Cut `crop_box` out of a photo and its mask; returns copies of both."""
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    top, left, bottom, right = crop_box(mask, part, margin)
    return image[top:bottom, left:right].copy(), mask[top:bottom, left:right].copy()


def crop_box(mask: np.ndarray, part: str = "upper", margin: float = 0.15) -> tuple[int, ...]:
    """Find the square that shows a part of the person: (top, left, bottom, right) in pixels.

    The head's lower end is found in the outline alone: where it narrows to the neck or, with long
    hair, widens to the shoulders. Without either, the whole outline is taken as the head.

    Args:
        mask: (h, w) in 0..1, a whole person; the largest connected piece counts.
        part: "face" for the head, "upper" for head, shoulders and chest (three heads high).
        margin: added on every side, as a fraction of the part's longer side.

    Returns:
        A box inside the picture; square wherever the picture has room.
    """
    if part not in PARTS or margin < 0:
        raise SeglibError(
            f"crop_box knows the parts {' and '.join(PARTS)} and margins from 0; it was asked for "
            f"{part!r} with {margin}"
        )
    mask = as_mask(mask)
    _, names, stats, _ = cv2.connectedComponentsWithStats((mask >= 0.5).astype(np.uint8))
    if len(stats) == 1:
        raise SeglibError("the mask is empty (no value reaches 0.5), so there is no person in it")
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    person = names == largest
    top, high = int(stats[largest, cv2.CC_STAT_TOP]), int(stats[largest, cv2.CC_STAT_HEIGHT])
    head = _head_rows(person[top : top + high].sum(1))
    rows = head if part == "face" else min(high, 3 * head)
    columns = np.flatnonzero(person[top : top + rows].any(0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    side = round(max(rows, right - left) * (1 + 2 * margin))
    starts, ends = [], []
    for centre, size in zip((top + rows / 2, (left + right) / 2), mask.shape, strict=True):
        # Moved and, where it must be, cut to the picture.
        starts.append(max(0, min(round(centre - side / 2), size - min(side, size))))
        ends.append(starts[-1] + min(side, size))
    return (*starts, *ends)


def _head_rows(widths: np.ndarray) -> int:
    """How many of an outline's rows are its head, from the rows' pixel counts, top to bottom."""
    reach = max(1, len(widths) // 40)
    smooth = cv2.blur(widths.astype(np.float32)[:, None], (1, 2 * reach + 1))[:, 0]
    widest, grown = 0.0, max(2, len(smooth) // 20)
    for row, width in enumerate(smooth):
        if row > grown and width < 0.85 * widest:
            # Past the widest part of the head: the neck is where the outline stops narrowing.
            below = smooth[row : row + max(2, round(0.5 * widest))]
            return row + int(below.argmin()) + 1
        if row > grown and row > 0.8 * widest and width > 1.35 * np.median(smooth[row // 2 : row]):
            return row
        widest = max(widest, float(width))
    return len(smooth)
