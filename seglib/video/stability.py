"""What moving masks cost and how they look: flicker, lag, latency, on a video whose truth is known.

A camera does not wait for the network: `mask_latency` plays the schedule of both and says how many
frames old the newest mask is at every frame, `latency_scores` what a mask of that age is worth.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from seglib import metrics
from seglib.data.synthetic import PortraitConfig, draw
from seglib.errors import SeglibError
from seglib.postprocess import estimate_foreground


def flicker(masks: np.ndarray, truths: np.ndarray | None = None) -> float:
    """Return how much the masks change from frame to frame beyond what truly changes.

    It is the root of the mean square of the difference between the masks' change and the truth's,
    dtSSD of Erofeev et al., "Perceptually Motivated Benchmark for Video Matting" (BMVC 2015), over
    all pixels. 0 is best; a mask that is wrong in the same way in every frame does not flicker.

    Args:
        masks: (N, h, w) in [0, 1], N at least 2.
        truths: the same shape; None takes the subject to be still.
    """
    masks = _series(masks)
    change = np.diff(masks, axis=0)
    if truths is not None:
        change = change - np.diff(_series(truths, masks.shape), axis=0)
    return float(np.sqrt(np.mean(np.square(change, dtype=np.float64))))


def lag(masks: np.ndarray, truths: np.ndarray, most: int = 8) -> float:
    """Return how late the masks are, in frames: where they fit an older truth best.

    The mean square difference to the truth of k frames ago is least at the lag; a parabola through
    the least one and its neighbours gives the fraction. The subject has to move.

    Args:
        masks, truths: (N, h, w) in [0, 1].
        most: the largest lag looked at, up to N - 2.
    """
    masks, truths = _series(masks), _series(truths, np.shape(masks))
    if not 1 <= most <= len(masks) - 2:
        raise SeglibError(f"a lag of up to {most} cannot be found in {len(masks)} frames")
    # From one frame ahead, so that a lag of zero has neighbours on both sides.
    here, end = masks[most:-1], len(masks) - 1
    late = (here - truths[most - k : end - k] for k in range(-1, most + 1))
    errors = [float(np.mean(np.square(off, dtype=np.float64))) for off in late]
    best = int(np.argmin(errors))
    if best in (0, len(errors) - 1):
        return float(best - 1)
    before, least, after = errors[best - 1 : best + 2]
    bend = before - 2 * least + after
    return best - 1 + (0.5 * (before - after) / bend if bend > 0 else 0.0)


def mask_latency(fps: float, inference_ms: float, count: int = 120) -> np.ndarray:
    """Return how many frames old the newest finished mask is when each frame comes, int (count,).

    The camera gives a frame every 1 / fps seconds. A free network takes the newest one and is busy
    for `inference_ms`, 0 or more; frames that come meanwhile are shown at once, with the mask that
    is there. The answer is -1 as long as there is none.
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


def latency_scores(
    truths: np.ndarray,
    most: int = 8,
    score: Callable[[np.ndarray, np.ndarray], float] = metrics.iou,
) -> np.ndarray:
    """Return the mean score of true masks that are shown k frames late, float (most + 1,).

    All ages are scored on the same frames; a mask 0 frames late scores 1.

    Args:
        truths: (N, h, w), a moving subject's true masks, N above `most`.
        most: the largest age.
        score: mask and truth -> number, such as `seglib.metrics.boundary_iou`.
    """
    if np.ndim(truths) != 3 or not 0 <= most < len(truths):
        raise SeglibError(
            f"masks of shape {np.shape(truths)} cannot be shown {most} frames late; N x h x w with "
            "N above that is expected"
        )
    frames = range(most, len(truths))
    return np.array(
        [np.mean([score(truths[i - k], truths[i]) for i in frames]) for k in range(most + 1)]
    )


def latency_score(scores_by_age: np.ndarray, schedule: np.ndarray) -> float:
    """Return the mean score of a schedule from `mask_latency`, by the scores from `latency_scores`.

    Frames before the first mask do not count.
    """
    known = schedule[schedule >= 0]
    if not len(known):
        raise SeglibError("no mask is ever finished in this schedule; simulate more frames")
    if known.max() >= len(scores_by_age):
        raise SeglibError(
            f"masks get {known.max()} frames old, but scores reach {len(scores_by_age) - 1}; "
            f"give latency_scores most={known.max()}"
        )
    return float(np.mean(np.asarray(scores_by_age)[known]))


@dataclass(frozen=True, eq=False)
class Clip:
    """A short video with its truth.

    Attributes:
        images: uint8 RGB (N, size, size, 3).
        alphas: float32 (N, size, size), how much of a pixel is the person, 0 to 1.
        fps: frames a second.
    """

    images: np.ndarray
    alphas: np.ndarray
    fps: float

    def __len__(self) -> int:
        """How many frames."""
        return len(self.images)


_LOOKS = {
    **dict.fromkeys(("company", "passers_by", "overlay", "grey", "jpeg"), 0.0),
    **{"noise": (0.0, 0.0), "blur": (0.2, 0.4)},
}
_FRONT = PortraitConfig(empty=0.0, framing=(0.0, 1.0, 0.0, 0.0), tilt=8.0, shift=0.02, **_LOOKS)


def moving_portrait(
    count: int = 60,
    size: int = 256,
    seed: int = 0,
    fps: float = 30.0,
    sway: float = 0.1,
    turn: float = 6.0,
    period: float = 2.0,
    noise: float = 6.0,
    shake: float = 0.0,
) -> Clip:
    """Draw a person who sways from side to side before a still place.

    Args:
        count: frames, at least 1.
        size: side of the pictures in pixels, at least 32.
        seed: which person, place and noise.
        fps: frames a second.
        sway: how far the head goes to either side, a share of the picture's side.
        turn: how far the person leans, degrees.
        period: seconds of one swing there and back; the largest speed is 2 pi sway / period.
        noise: standard deviation of the camera's noise, new in every frame, of 255.
        shake: how far a camera in the hand wanders, a share of the side; 0 is a tripod.
    """
    if count < 1 or not 0 < fps <= 1000 or not period > 0 or not min(noise, shake) >= 0:
        raise SeglibError(
            f"a clip of {count} frames at {fps:g} a second, period {period:g} s, noise {noise:g} "
            f"and shake {shake:g} cannot be drawn; count, fps and period are above 0, noise and "
            "shake at least 0"
        )
    person = draw((seed, 0), size, _FRONT)
    place = draw((seed, 1), size, PortraitConfig(empty=1.0, **_LOOKS)).image.astype(np.float32)
    layers = np.dstack([estimate_foreground(person.image, person.alpha), person.alpha])
    layers = layers.astype(np.float32)
    rng = np.random.default_rng((seed, 2))
    # Where a hand holds the camera: slow swings with no common period, (count, 2).
    hertz = rng.uniform(0.5, 3.0, (3, 2))
    swings = np.arange(count)[:, None, None] / fps * hertz + rng.random((3, 2))
    wander = np.sin(2 * np.pi * swings).mean(axis=1) * shake * size
    images = np.empty((count, size, size, 3), np.uint8)
    alphas = np.empty((count, size, size), np.float32)
    for index in range(count):
        swing = np.sin(2 * np.pi * index / (fps * period))
        # About the foot of the picture, so that the body is never cut loose from the edge.
        matrix = cv2.getRotationMatrix2D((size / 2, size), -turn * swing, 1.0)
        matrix[0, 2] += sway * size * swing
        matrix[:, 2] += wander[index]
        moved = cv2.warpAffine(layers, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
        behind = place
        if shake:
            shift = np.column_stack([np.eye(2), wander[index]])
            behind = cv2.warpAffine(place, shift, (size, size), borderMode=cv2.BORDER_REFLECT)
        alphas[index] = moved[..., 3].clip(0, 1)
        picture = behind + (moved[..., :3] - behind) * alphas[index, ..., None]
        picture += rng.standard_normal(picture.shape, np.float32) * np.float32(noise)
        images[index] = np.rint(picture.clip(0, 255))
    return Clip(images, alphas, fps)


def _series(masks: np.ndarray, shape: tuple[int, ...] | None = None) -> np.ndarray:
    masks = np.asarray(masks)
    if masks.ndim != 3 or len(masks) < 2 or (shape is not None and masks.shape != shape):
        wanted = "at least two masks, N x h x w" if shape is None else f"shape {shape}"
        raise SeglibError(f"the masks have shape {masks.shape}; {wanted}, is expected")
    return masks
