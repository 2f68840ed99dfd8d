"""Numbers for what the eye sees in moving masks: how they flicker and how late they are.

Chapter: real-time video.
"""

import numpy as np

from seglib.errors import SeglibError


def flicker(masks: np.ndarray, truths: np.ndarray | None = None) -> float:
    """Return how much the masks change from frame to frame beyond what truly changes.

    It is the root of the mean square of the difference between the masks' change and the truth's,
    dtSSD of Erofeev et al., "Perceptually Motivated Benchmark for Video Matting" (BMVC 2015), over
    all pixels. 0 is best; a mask that is wrong in the same way in every frame does not flicker.

    Args:
        masks: (N, h, w) in [0, 1], N at least 2.
        truths: the same shape; None takes the subject to be still.

    Raises:
        SeglibError: the shapes do not fit.

    Chapter: real-time video.
    """
    masks = _series(masks)
    change = np.diff(masks, axis=0)
    if truths is not None:
        change = change - np.diff(_series(truths, masks.shape), axis=0)
    return float(np.sqrt(np.mean(np.square(change, dtype=np.float64))))


def lag(masks: np.ndarray, truths: np.ndarray, most: int = 8) -> float:
    """Return how late the masks are, in frames: where they fit an older truth best.

    The mean square difference to the truth of k frames ago is least at the lag; a parabola through
    the least one and its neighbours gives the fraction. On a subject that never moves the number
    means nothing.

    Args:
        masks: (N, h, w) in [0, 1].
        truths: the same shape.
        most: the largest lag looked at; N has to be larger by 2 or more.

    Raises:
        SeglibError: the shapes do not fit or there are too few frames.

    Chapter: real-time video.
    """
    masks = _series(masks)
    truths = _series(truths, masks.shape)
    if not 1 <= most <= len(masks) - 2:
        raise SeglibError(f"a lag of up to {most} cannot be found in {len(masks)} frames")
    # From one frame ahead, so that a lag of zero has neighbours on both sides, and over the same
    # frames at every lag, so that the errors can be compared.
    here = masks[most:-1]
    end = len(masks) - 1
    errors = [
        float(np.mean(np.square(here - truths[most - k : end - k], dtype=np.float64)))
        for k in range(-1, most + 1)
    ]
    best = int(np.argmin(errors))
    if best in (0, len(errors) - 1):
        return float(best - 1)
    before, least, after = errors[best - 1 : best + 2]
    bend = before - 2 * least + after
    return best - 1 + (0.5 * (before - after) / bend if bend > 0 else 0.0)


def _series(masks: np.ndarray, shape: tuple[int, ...] | None = None) -> np.ndarray:
    masks = np.asarray(masks)
    if masks.ndim != 3 or len(masks) < 2 or (shape is not None and masks.shape != shape):
        wanted = "at least two masks, N x h x w" if shape is None else f"shape {shape}"
        raise SeglibError(f"the masks have shape {masks.shape}; {wanted}, is expected")
    return masks
