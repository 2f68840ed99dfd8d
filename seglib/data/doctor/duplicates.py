"""The same picture twice, mirrored copies included.

Chapter: data preparation.
"""

from dataclasses import dataclass

import numpy as np

SAME = (44, 0.85)
"""Bits of 256 that may differ, and the least correlation of the 32-pixel copies.

In five real sets every pair below was one picture, cropped or coloured anew; above lie other shots
of one scene, and from 58 bits on strangers before like backgrounds.
"""
LIKE = ((56, 0.8), (80, 0.9))
"""The same two numbers, either row of which makes two shots of one scene."""
ROWS = 512


@dataclass(frozen=True)
class Twin:
    """Two rows that show one picture.

    Attributes:
        first: number of one picture.
        second: number of the other.
        mirrored: whether one is the other's mirror image.
        same: whether they are one picture; else two shots of one scene.
        bits: how many of 256 hash bits differ.
    """

    first: int
    second: int
    mirrored: bool
    same: bool
    bits: int


def twins(bits: np.ndarray, thumbs: np.ndarray, digests: list[bytes]) -> list[Twin]:
    """Find all pairs of pictures that are one.

    Hashes propose and the small copies decide, as a hash alone takes strangers for twins once in
    a million pairs. All pairs are compared, by matrix products of a few hundred rows at a time:
    30,000 photos take some seconds and little memory.

    Args:
        bits: bool (n, 2, 256) from `hashes`.
        thumbs: uint8 (n, side, side, 3), small copies.
        digests: one for each picture, equal for equal pixels.

    Chapter: data preparation.
    """
    if not len(bits):
        return []
    plain = bits[:, 0].astype(np.float32) * 2 - 1
    mirror = bits[:, 1].astype(np.float32) * 2 - 1
    grey = thumbs.astype(np.float32).mean(axis=3)
    length = bits.shape[2]
    found: dict[tuple[int, int], Twin] = {}
    for mirrored, other in ((False, plain), (True, mirror)):
        for start in range(0, len(plain), ROWS):
            distance = (length - plain[start : start + ROWS] @ other.T) / 2
            for row, second in np.argwhere(distance <= max(LIKE)[0]):
                first, second = int(row) + start, int(second)
                if first < second and (first, second) not in found:
                    differ = int(distance[row, second])
                    alike = _correlation(
                        grey[first], grey[second, :, ::-1] if mirrored else grey[second]
                    )
                    equal = not mirrored and digests[first] == digests[second]
                    twin = _decide(first, second, mirrored, differ, 1.0 if equal else alike)
                    if twin is not None:
                        found[first, second] = twin
    return sorted(found.values(), key=lambda twin: (twin.first, twin.second))


def _decide(first: int, second: int, mirrored: bool, bits: int, alike: float) -> Twin | None:
    same = bits <= SAME[0] and alike >= SAME[1]
    if same or any(bits <= most and alike >= least for most, least in LIKE):
        return Twin(first, second, mirrored, same, bits)
    return None


def groups(pairs: list[tuple[str, str]]) -> list[list[str]]:
    """Join pairs that share a name into groups, sorted within and among themselves."""
    home: dict[str, list[str]] = {}
    for first, second in pairs:
        one, two = home.setdefault(first, [first]), home.setdefault(second, [second])
        if one is not two:
            one.extend(two)
            home.update(dict.fromkeys(two, one))
    return sorted({id(group): sorted(group) for group in home.values()}.values())


def agreement(first: np.ndarray, second: np.ndarray, mirrored: bool) -> float:
    """Return the IoU of two small soft masks, uint8 (side, side), 0..1; two empty ones agree."""
    if mirrored:
        second = second[:, ::-1]
    either = np.maximum(first, second).sum(dtype=np.int64)
    return float(np.minimum(first, second).sum(dtype=np.int64) / either) if either else 1.0


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    # Two pictures of one colour each have nothing in common but that.
    return float((first * second).sum()) / size if size > 1 else 0.0
