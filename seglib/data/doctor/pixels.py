"""What a single picture tells: grey or not, lossy or not, and whether an outline lies on edges.

Chapter: data preparation.
"""

import cv2
import numpy as np

from seglib.images import resize

SIDE = 256  # outlines are judged at this size: edges of one pixel and faster than full size
SHORTEST = 200  # outline pixels; shorter ones lie on an edge, or do not, by chance


def is_grey(photo: np.ndarray) -> bool:
    """Return whether a photo, uint8 (h, w, 3), holds no colours beyond JPEG's rounding."""
    spread = photo.max(axis=2).astype(np.int16) - photo.min(axis=2)
    return float(np.mean(spread > 8)) < 0.005


def is_lossy(levels: np.ndarray) -> bool:
    """Return whether a grey mask, uint8 (h, w), carries the ringing of a JPEG compression.

    JPEG leaves specks on both sides of an edge: almost white ones in the white and almost black
    ones in the black, each darker or lighter than its four neighbours; and it leaves them in those
    of its 8 x 8 blocks that the edge runs through. A soft edge falls off evenly, and the specks of
    single hairs keep to no blocks.

    Chapter: data preparation.
    """
    square = np.ones((3, 3), np.uint8)
    outline = cv2.morphologyEx((levels >= 128).astype(np.uint8), cv2.MORPH_GRADIENT, square)
    edge = outline | ((levels >= 25) & (levels <= 230)).astype(np.uint8)
    apart = cv2.dilate(edge, np.ones((7, 7), np.uint8)) == 0
    dark = apart & (levels > 0) & (levels < 25)
    bright = apart & (levels > 230) & (levels < 255)
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8)
    specks = (levels > cv2.dilate(levels, cross)) | (levels < cv2.erode(levels, cross))
    fewer = min(np.count_nonzero(specks & dark), np.count_nonzero(specks & bright))
    if fewer <= max(4, 0.003 * np.count_nonzero(outline)):
        return False
    astray = np.count_nonzero(_blocks(dark | bright) & ~_blocks(edge > 0))
    return astray <= 0.1 * fewer


def _blocks(marked: np.ndarray) -> np.ndarray:
    """Return which whole 8 x 8 blocks of a bool array hold something marked."""
    height, width = (side // 8 for side in marked.shape)
    return marked[: height * 8, : width * 8].reshape(height, 8, width, 8).any(axis=(1, 3))


def edge_fit(photo: np.ndarray, mask: np.ndarray) -> float | None:
    """Measure how much better a mask's outline lies on the photo's edges than beside them.

    Every pixel gets the rank of its gradient among all pixels, 0..1, the largest within two pixels
    counting. The result is the mean rank on the outline less the mean rank on the same outline
    moved by 6% of the side into eight directions.

    Args:
        photo: uint8 (h, w, 3).
        mask: (h, w), 0..1.

    Returns:
        About 0.25 for a good mask, about 0 for one that has nothing to do with the photo; None
        where the outline is too short to tell.

    Chapter: data preparation.
    """
    scale = SIDE / max(mask.shape)
    if scale < 1:
        size = tuple(max(8, round(side * scale)) for side in mask.shape)
        photo, mask = resize(photo, size), resize(mask.astype(np.float32), size)
    outline = cv2.morphologyEx(
        (mask >= 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
    )
    outline[:3] = outline[-3:] = 0
    outline[:, :3] = outline[:, -3:] = 0
    if np.count_nonzero(outline) < SHORTEST:
        return None
    ranks = _gradient_ranks(photo)
    height, width = outline.shape
    step = max(6, round(0.06 * max(height, width)))
    beside = []
    for down in (-step, 0, step):
        for right in (-step, 0, step):
            move = np.array([[1, 0, right], [0, 1, down]], np.float32)
            moved = cv2.warpAffine(outline, move, (width, height))
            if (down or right) and moved.any():
                beside.append(float(ranks[moved > 0].mean()))
    return float(ranks[outline > 0].mean()) - float(np.mean(beside))


def _gradient_ranks(photo: np.ndarray) -> np.ndarray:
    smooth = cv2.GaussianBlur(photo, (0, 0), 1.0).astype(np.float32)
    across = cv2.Scharr(smooth, cv2.CV_32F, 1, 0)
    down = cv2.Scharr(smooth, cv2.CV_32F, 0, 1)
    steep = cv2.dilate(np.hypot(across, down).max(axis=2), np.ones((5, 5), np.uint8))
    ordered = np.sort(steep, axis=None)
    return np.searchsorted(ordered, steep) / ordered.size
