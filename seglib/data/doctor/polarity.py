"""Masks inside out: the background marked in place of the thing.

One mask alone cannot tell: hair that fills the frame around a face looks like the background around
a hair cut. So three witnesses are heard, the last two of them from the rest of the set:

1. the frame: the top and the upper sides are marked, and something within is not;
2. the place: the set's mean mask resembles what is *not* marked here. Over 3,911 masks of EG1800,
   Figaro1k and LFW the correlation with the mean never fell below -0.18, and turned inside out it
   is below -0.25 for nine in ten;
3. the colours: what is marked here has the colours that are left out elsewhere (a naive Bayes vote
   over coarse RGB bins, after Swain and Ballard, Color Indexing, IJCV 1991).

Chapter: data preparation.
"""

from dataclasses import dataclass

import numpy as np

BINS = 8
ENOUGH = 8  # pairs; fewer say nothing about what is usual
PLACE = -0.25


@dataclass(frozen=True)
class Verdict:
    """What the witnesses say about one pair.

    Attributes:
        row: number of the pair.
        sure: whether every witness says so; else one of them is missing or undecided.
    """

    row: int
    sure: bool


def frame_share(masks: np.ndarray) -> np.ndarray:
    """Return how much of the top and of the upper sides is marked, 0..1, one value a mask.

    The bottom is left out, since shoulders and long hair reach it.

    Args:
        masks: (n, side, side), 0..1.
    """
    side = masks.shape[1]
    band, upper = max(1, side // 10), side * 2 // 3
    parts = (masks[:, :band], masks[:, band:upper, :band], masks[:, band:upper, -band:])
    return np.concatenate([part.reshape(len(masks), -1) for part in parts], axis=1).mean(axis=1)


def centre_share(masks: np.ndarray) -> np.ndarray:
    """Return how much of the middle quarter is marked, 0..1, one value a mask (n, side, side)."""
    quarter = masks.shape[1] // 4
    return masks[:, quarter:-quarter, quarter:-quarter].mean(axis=(1, 2))


def inside_out(photos: np.ndarray, masks: np.ndarray, kind: str) -> tuple[list[Verdict], bool]:
    """Find the masks whose background is marked.

    Args:
        photos: uint8 (n, side, side, 3), small copies of the photos.
        masks: uint8 (n, side, side), 0..255, small copies of the masks.
        kind: what the masks show; a "person" cannot surround the middle of its own photo.

    Returns:
        The verdicts, and whether the set as a whole is inside out.

    Chapter: data preparation.
    """
    soft = masks.astype(np.float32) / 255
    share = soft.mean(axis=(1, 2))
    usable = np.flatnonzero((share > 0.003) & (share < 0.997))
    if not len(usable):
        return [], False
    photos, soft = photos[usable], soft[usable]
    mean = soft.mean(axis=0, keepdims=True)
    flipped = bool(
        len(usable) >= ENOUGH
        and frame_share(mean)[0] > 0.5
        and frame_share(mean)[0] > centre_share(mean)[0] + 0.1
    )
    if flipped:
        soft = 1 - soft
    if len(usable) < ENOUGH:
        verdicts = _judge_alone(soft, kind)
    else:
        verdicts = _judge_together(photos, soft)
    if flipped:
        odd = {verdict.row for verdict in verdicts}
        verdicts = [Verdict(row, True) for row in range(len(usable)) if row not in odd]
    return [Verdict(int(usable[verdict.row]), verdict.sure) for verdict in verdicts], flipped


def _judge_alone(masks: np.ndarray, kind: str) -> list[Verdict]:
    """Judge by the frame only, as far as a few masks allow."""
    rows = np.flatnonzero((frame_share(masks) > 0.8) & (centre_share(masks) < 0.5))
    return [Verdict(int(row), kind == "person") for row in rows]


def _judge_together(photos: np.ndarray, masks: np.ndarray) -> list[Verdict]:
    frame = frame_share(masks)
    suspect = np.zeros(len(masks), bool)
    # The second round measures against a mean that the first round's suspects are left out of.
    for _ in range(2):
        usual = masks[~suspect].mean(axis=0)
        place = np.array([_correlation(mask, usual) for mask in masks])
        suspect = (place < PLACE) & (frame > 0.4)
        if np.count_nonzero(~suspect) < ENOUGH:
            return []
    ratios = _colours(photos[~suspect], masks[~suspect])
    verdicts = []
    for row in np.flatnonzero(suspect):
        vote = _colour_vote(photos[row], masks[row], ratios)
        if vote < 1:
            verdicts.append(Verdict(int(row), vote < 0.3))
    return verdicts


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    return float((first * second).sum() / (np.linalg.norm(first) * np.linalg.norm(second) + 1e-9))


def _bins(photos: np.ndarray) -> np.ndarray:
    steps = (photos // (256 // BINS)).astype(np.int32)
    return (steps[..., 0] * BINS + steps[..., 1]) * BINS + steps[..., 2]


def _colours(photos: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return log P(colour | marked) - log P(colour | not marked) for each bin."""
    bins, weights = _bins(photos).ravel(), masks.ravel()
    marked = np.bincount(bins, weights, BINS**3) + 1
    rest = np.bincount(bins, 1 - weights, BINS**3) + 1
    return np.log(marked / marked.sum()) - np.log(rest / rest.sum())


def _colour_vote(photo: np.ndarray, mask: np.ndarray, ratios: np.ndarray) -> float:
    """Return how much more the marked part has the thing's colours than the rest of the photo."""
    votes = ratios[_bins(photo)]
    marked = float((votes * mask).sum() / (mask.sum() + 1e-9))
    rest = float((votes * (1 - mask)).sum() / ((1 - mask).sum() + 1e-9))
    return marked - rest
