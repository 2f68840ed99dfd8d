"""Crops of the face or the upper body, found by the mask of the person instead of a face detector.

The portrait projects of 2019 found faces with dlib; an outline tells where the head is as well.

Chapter: augmentation and synthetic portraits.
"""

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask

PARTS = ("face", "upper")


def crop_box(mask: np.ndarray, part: str = "upper", margin: float = 0.15) -> tuple[int, ...]:
    """Find the square that shows a part of the person: (top, left, bottom, right) in pixels.

    The head's lower end is found in the outline alone: where it narrows to the neck or, with long
    hair, widens to the shoulders. Without either, the whole outline is taken as the head.

    Args:
        mask: float (h, w), a whole person; the largest connected piece counts.
        part: "face" for the head, "upper" for head, shoulders and chest (three heads high).
        margin: added on every side, as a share of the part's longer side.

    Returns:
        A box inside the picture; square wherever the picture has room.

    Raises:
        SeglibError: no mask, an empty mask, an unknown part or a negative margin.
    """
    mask = as_mask(mask)
    if part not in PARTS or margin < 0:
        raise SeglibError(
            f"crop_box knows the parts {' and '.join(PARTS)} and margins from 0; it was asked for "
            f"{part!r} with {margin}"
        )
    need_person(mask)
    _, names, stats, _ = cv2.connectedComponentsWithStats((mask >= 0.5).astype(np.uint8))
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    person = names == largest
    top, high = int(stats[largest, cv2.CC_STAT_TOP]), int(stats[largest, cv2.CC_STAT_HEIGHT])
    head = _head_rows(person[top : top + high].sum(1))
    rows = head if part == "face" else min(high, 3 * head)
    columns = np.flatnonzero(person[top : top + rows].any(0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    side = round(max(rows, right - left) * (1 + 2 * margin))
    middle = (top + rows / 2, (left + right) / 2)
    spans = [_span(centre, side, size) for centre, size in zip(middle, mask.shape, strict=True)]
    return spans[0][0], spans[1][0], spans[0][1], spans[1][1]


def crop(
    image: np.ndarray, mask: np.ndarray, part: str = "upper", margin: float = 0.15
) -> tuple[np.ndarray, np.ndarray]:
    """Cut `crop_box` out of a photo and its mask; returns copies of both.

    Raises:
        SeglibError: as `crop_box`, or image and mask do not fit.
    """
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    top, left, bottom, right = crop_box(mask, part, margin)
    return image[top:bottom, left:right].copy(), mask[top:bottom, left:right].copy()


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


def _span(centre: float, side: int, size: int) -> tuple[int, int]:
    """An interval of `side` round `centre`, moved and, where it must be, cut to 0..size."""
    side = min(side, size)
    start = min(max(round(centre - side / 2), 0), size - side)
    return start, start + side


def need_person(mask: np.ndarray) -> None:
    """Raise SeglibError if no value of the mask reaches 0.5."""
    if mask.max() < 0.5:
        raise SeglibError("the mask is empty (no value reaches 0.5), so there is no person in it")
