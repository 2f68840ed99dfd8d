"""The same picture twice, mirrored copies included: what `prepare` and the doctor both look for.

Each photo leaves a fingerprint of a kilobyte. Its perceptual hash proposes who may be whose copy,
and its small grey copy decides, as a hash alone takes strangers for one once in a million pairs.

Chapter: data preparation.
"""

import hashlib
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from seglib.errors import SeglibError, renamed
from seglib.images import as_image, resize

__getattr__ = renamed(__name__, {"twins": "find_duplicates", "across": "find_duplicates"})
THUMB = 32
HASH_SIDE = 16  # 256 bits; the usual 64 confuse strangers in front of a plain wall
SAME = (44, 0.85)
"""Bits of 256 that may differ, and the least correlation of the 32-pixel copies.

In five real sets every pair below was one picture, cropped or coloured anew; above lie other shots
of one scene, and from 58 bits on strangers before like backgrounds.
"""
LIKE = ((56, 0.8), (80, 0.9))
"""The same two numbers, either row of which makes two shots of one scene."""
ALIGNED = 0.995
"""Correlation of the small copies from which two masks may be compared pixel by pixel.

Files of one size and crop lie above; below, one of the two was cropped anew.
"""
_ROWS = 512


class Fingerprint(NamedTuple):
    """What is kept of a photo to know it again.

    Attributes:
        bits: perceptual hashes of the photo and of its mirror image, 32 bytes each.
        grey: the photo at 32 x 32 pixels, a byte each.
        digest: SHA-256 of the decoded pixels, the photo's size included.
    """

    bits: bytes
    grey: bytes
    digest: bytes


class Duplicate(NamedTuple):
    """Two rows that show one picture.

    Attributes:
        first: number of one picture.
        second: number of the other, which is higher.
        mirrored: whether one is the other's mirror image.
        same: whether they are one picture; else two shots of one scene.
        bits: how many of 256 hash bits differ.
        alike: correlation of the small grey copies, up to 1.
    """

    first: int
    second: int
    mirrored: bool
    same: bool
    bits: int
    alike: float


def library() -> ModuleType:
    """Return `imagehash`, or say how to install it."""
    try:
        import imagehash
    except ImportError as error:
        raise SeglibError(
            "the search for duplicates needs imagehash; install it with: pip install imagehash"
        ) from error
    return imagehash


def fingerprint(photo: np.ndarray) -> Fingerprint:
    """Take the fingerprint of a photo, uint8 (h, w, 3) RGB.

    The hash is the sign of the lowest 16 x 16 cosine frequencies against their median (pHash,
    Zauner 2010), by the library `imagehash`.
    """
    phash, photo = library().phash, as_image(photo)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    # The area filter keeps what the hash sees of a large photo and takes a tenth of the time.
    if min(grey.shape) > 256:
        grey = resize(grey, (256, 256))
    views = (grey, np.ascontiguousarray(grey[:, ::-1]))
    bits = np.packbits([phash(Image.fromarray(view), HASH_SIDE).hash for view in views])
    small = np.rint(resize(photo, (THUMB, THUMB)).mean(axis=2)).astype(np.uint8)
    digest = hashlib.sha256(str(photo.shape).encode() + np.ascontiguousarray(photo).data)
    return Fingerprint(bits.tobytes(), small.tobytes(), digest.digest())


def find_duplicates(
    prints: Sequence[Fingerprint], rows: Sequence[int] | None = None
) -> list[Duplicate]:
    """Find the pairs of pictures that are one; each comes once, in the order of the numbers.

    All pairs are compared, by matrix products of a few hundred rows at a time: 30,000 photos take
    some seconds and little memory.

    Args:
        prints: one for each picture.
        rows: numbers of the pictures that are compared with all; by default all of them.
    """
    if not prints:
        return []
    bits = np.frombuffer(b"".join(p.bits for p in prints), np.uint8).reshape(len(prints), 2, -1)
    signs = np.unpackbits(bits, axis=2).astype(np.float32) * 2 - 1
    grey = np.frombuffer(b"".join(p.grey for p in prints), np.uint8).astype(np.float32)
    grey = grey.reshape(len(prints), THUMB, THUMB)
    chosen = np.arange(len(prints)) if rows is None else np.asarray(rows, int)
    found: dict[tuple[int, int], Duplicate] = {}
    for mirrored in (False, True):
        known = signs[:, int(mirrored)].T
        for start in range(0, len(chosen), _ROWS):
            block = chosen[start : start + _ROWS]
            distance = (len(known) - signs[block, 0] @ known) / 2
            for row, other in np.argwhere(distance <= max(LIKE)[0]):
                pair = first, second = sorted((int(block[row]), int(other)))
                if first == second or tuple(pair) in found:
                    continue
                bits_apart = int(distance[row, other])
                alike = _correlation(grey[first], grey[second, :, :: -1 if mirrored else 1])
                if not mirrored and prints[first].digest == prints[second].digest:
                    alike = 1.0
                same, *like = (bits_apart <= b and alike >= a for b, a in (SAME, *LIKE))
                if same or any(like):
                    found[first, second] = Duplicate(*pair, mirrored, same, bits_apart, alike)
    return sorted(found.values())


def groups(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Join pairs that share a name into groups, sorted within and among themselves."""
    home: dict[str, list[str]] = {}
    for first, second in pairs:
        one, two = home.setdefault(first, [first]), home.setdefault(second, [second])
        if one is not two:
            one.extend(two)
            home.update(dict.fromkeys(two, one))
    return sorted({id(group): sorted(group) for group in home.values()}.values())


def agreement(first: np.ndarray, second: np.ndarray, mirrored: bool) -> float:
    """Return the IoU of two small soft masks, uint8 (side, side), 0..255; two empty ones agree."""
    second = second[:, ::-1] if mirrored else second
    either = np.maximum(first, second).sum(dtype=np.int64)
    return float(np.minimum(first, second).sum(dtype=np.int64) / either) if either else 1.0


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    # Two pictures of one colour each have nothing in common but that.
    return float((first * second).sum()) / size if size > 1 else 0.0
