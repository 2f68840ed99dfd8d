"""Copies of one photo on both sides of a split: found by what they show, mirrored ones too.

Each photo gets a difference hash of 256 bits (Krawetz, hackerfactor.com, 2013): it is shrunk to
17 x 16 grey pixels, and each bit says whether a pixel is brighter than its left neighbour. In the
photo sets of the book, copies differ in at most 15 bits and different photos in at least 51.
Pictures so plain that few bits are set look all alike to this hash and are left alone.

Chapter: data preparation.
"""

from collections.abc import Mapping

import cv2
import numpy as np

SIDE = 16
MAX_BITS = 24
MIN_SET = 40
_ROWS = 1024


def signature(image: np.ndarray) -> tuple[bytes, bytes]:
    """Return the difference hashes, 32 bytes each, of an image and of its mirror image.

    Args:
        image: uint8 (h, w, 3) RGB.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
    return _bits(small), _bits(small[:, ::-1])


def across(
    signatures: Mapping[str, tuple[bytes, bytes]], splits: Mapping[str, str]
) -> dict[str, str]:
    """Find the val photos that are copies of train photos.

    Args:
        signatures: stem -> what `signature` returned.
        splits: stem -> "train" or "val".

    Returns:
        val stem -> the train stem it shows again.
    """
    telling = [stem for stem, (bits, _) in signatures.items() if _telling(bits)]
    train = [stem for stem in telling if splits.get(stem) == "train"]
    val = [stem for stem in telling if splits.get(stem) == "val"]
    found: dict[str, str] = {}
    if not train or not val:
        return found
    known = _signs([signatures[stem][0] for stem in train])
    for start in range(0, len(val), _ROWS):
        block = val[start : start + _ROWS]
        for side in (0, 1):
            # With bits as -1 and 1, the product counts equal bits minus different ones.
            equal = _signs([signatures[stem][side] for stem in block]) @ known.T
            nearest = equal.argmax(axis=1)
            bits = (SIDE * SIDE - equal[np.arange(len(block)), nearest]) / 2
            for row in np.flatnonzero(bits <= MAX_BITS):
                found.setdefault(block[row], train[nearest[row]])
    return found


def _bits(small: np.ndarray) -> bytes:
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes()


def _telling(bits: bytes) -> bool:
    count = int.from_bytes(bits, "big").bit_count()
    return MIN_SET <= count <= SIDE * SIDE - MIN_SET


def _signs(hashes: list[bytes]) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(b"".join(hashes), np.uint8)).reshape(len(hashes), -1)
    return bits.astype(np.float32) * 2 - 1
