"""What late masks cost: how old they get, and how far they are off on a subject that moves.

A camera does not wait for the network. `ages` plays the schedule of both and says how many frames
old the newest finished mask is at every frame; `stale_scores` says what a mask of that age is worth
on a moving subject whose truth is known. Together they give a loss for any camera and any network,
without either.

Chapter: real-time video.
"""

import math
from collections.abc import Callable

import numpy as np

from seglib import metrics
from seglib.errors import SeglibError


def ages(fps: float, inference_ms: float, count: int = 120) -> np.ndarray:
    """Return how many frames old the newest finished mask is when each frame comes.

    The camera gives a frame every 1 / fps seconds. A free network takes the newest one and is busy
    for `inference_ms`; frames that come meanwhile are shown at once, with the mask that is there.
    So even a quick network's masks are a frame old, unless it takes no time at all.

    Args:
        fps: of the camera.
        inference_ms: milliseconds from a frame to its mask, at least 0.
        count: frames.

    Returns:
        int (count,); -1 as long as there is no mask yet.

    Raises:
        SeglibError: a number is out of its range.

    Chapter: real-time video.
    """
    if not 0 < fps < math.inf or not 0 <= inference_ms < math.inf or count < 1:
        raise SeglibError(
            f"no schedule for {fps:g} frames a second, {inference_ms:g} ms and {count} frames; "
            "fps and count are above 0, the time at least 0"
        )
    # In units of frames; the dust of rounding must not make a frame of difference.
    busy, dust = inference_ms * fps / 1000, 1e-9
    result = np.full(count, -1)
    made_from, done_at = 0, busy
    while done_at <= count - 1 + dust:
        first = math.ceil(done_at - dust)
        # Masks of later frames overwrite this one where they are done.
        result[first:] = np.arange(first, count) - made_from
        # The newest frame there is; where that is the same one still, the next, when it comes.
        made_from = max(math.floor(done_at + dust), made_from + 1)
        done_at = max(done_at, made_from) + busy
    return result


def stale_scores(
    truths: np.ndarray,
    most: int = 8,
    score: Callable[[np.ndarray, np.ndarray], float] = metrics.iou,
) -> np.ndarray:
    """Return the mean score of true masks that are shown k frames late, for k = 0 to `most`.

    All ages are scored on the same frames. A mask 0 frames late scores 1: what is lost is the
    staleness alone.

    Args:
        truths: (N, h, w), a moving subject's true masks, N above `most`.
        most: the largest age.
        score: mask and truth -> number, such as `seglib.metrics.boundary_iou`.

    Returns:
        float (most + 1,).

    Raises:
        SeglibError: there are too few masks.

    Chapter: real-time video.
    """
    if np.ndim(truths) != 3 or not 0 <= most < len(truths):
        raise SeglibError(
            f"masks of shape {np.shape(truths)} cannot be shown {most} frames late; N x h x w with "
            "N above that is expected"
        )
    return np.array(
        [
            np.mean([score(truths[i - k], truths[i]) for i in range(most, len(truths))])
            for k in range(most + 1)
        ]
    )


def stale_score(scores_by_age: np.ndarray, schedule: np.ndarray) -> float:
    """Return the mean score of a schedule from `ages`, by the scores from `stale_scores`.

    Frames before the first mask do not count.

    Raises:
        SeglibError: a mask gets older than there are scores for, or there is no mask at all.

    Chapter: real-time video.
    """
    known = schedule[schedule >= 0]
    if not len(known):
        raise SeglibError("no mask is ever finished in this schedule; simulate more frames")
    if known.max() >= len(scores_by_age):
        raise SeglibError(
            f"masks get {known.max()} frames old, but scores reach {len(scores_by_age) - 1}; "
            f"give stale_scores most={known.max()}"
        )
    return float(np.mean(np.asarray(scores_by_age)[known]))
