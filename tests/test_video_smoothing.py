"""Smoothers, what they cost, the film they are measured on, and stale masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglib import SeglibError, metrics, video

NAMES = list(video.SMOOTHERS)
GREY = np.full((24, 24, 3), 120, np.uint8)


def moved(left: int, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A bright square of a third of the side before a dark ground, and its mask."""
    image, mask = np.full((size, size, 3), 30, np.uint8), np.zeros((size, size), np.float32)
    place = np.s_[size // 3 : 2 * size // 3, left : left + size // 3]
    image[place], mask[place] = 220, 1
    return image, mask


def noisy(mask: np.ndarray, seed: int, spread: float = 0.2) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, spread, mask.shape)
    return (mask + noise).clip(0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def clip() -> video.Clip:
    return video.moving_portrait(45, size=96, seed=1, noise=5)


@pytest.mark.parametrize("name", NAMES)
@given(value=st.floats(0, 1, width=32), times=st.lists(st.floats(1e-4, 2), min_size=1, max_size=9))
def test_what_does_not_change_is_left_alone(name: str, value: float, times: list) -> None:
    smooth = video.smoother(name)
    mask = np.full((24, 24), value, np.float32)
    for time in np.cumsum(times):
        result = smooth(mask, float(time), GREY)
        assert result.dtype == np.float32 and result.shape == mask.shape
        assert np.abs(result - value).max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32 - 1), fps=st.floats(1, 240))
def test_masks_stay_masks_and_arguments_stay_as_they_are(name: str, seed: int, fps: float) -> None:
    rng, smooth = np.random.default_rng(seed), video.smoother(name)
    low, high = np.ones((9, 7), np.float32), np.zeros((9, 7), np.float32)
    for index in range(6):
        mask = rng.random((9, 7), np.float32)
        image = rng.integers(0, 256, (20, 31, 3), np.uint8)
        given_mask, given_image = mask.copy(), image.copy()
        low, high = np.minimum(low, mask), np.maximum(high, mask)
        result = smooth(mask, index / fps, image)
        # Between the smallest and the largest value that the pixel ever had.
        assert (result >= low - 1e-5).all() and (result <= high + 1e-5).all()
        assert np.array_equal(mask, given_mask) and np.array_equal(image, given_image)


@pytest.mark.parametrize("name", NAMES)
def test_flicker_on_a_still_subject_is_at_least_halved(name: str) -> None:
    image, mask = moved(20)
    raw = np.stack([noisy(mask, seed) for seed in range(40)])
    smooth = video.smoother(name)
    assert video.smoother("none") is None
    steady = np.stack([smooth(m, i / 30, image) for i, m in enumerate(raw)])
    assert video.flicker(steady[10:]) < 0.5 * video.flicker(raw[10:])


def test_the_motion_aware_average_is_late_nowhere_and_the_plain_one_is() -> None:
    frames = [moved(left) for left in range(2, 40)]
    truths = np.stack([mask for _, mask in frames])

    def late(smooth: video.Smoother) -> float:
        result = [smooth(mask, i / 30, image) for i, (image, mask) in enumerate(frames)]
        return video.lag(np.stack(result)[5:], truths[5:])

    assert abs(late(video.MotionEma(0.3))) < 0.1
    assert 0.05 < late(video.OneEuro()) < late(video.Ema(0.1))
    assert late(video.Ema(0.1)) > 1.5


@pytest.mark.parametrize("fps", [10, 30, 120])
def test_the_average_forgets_by_half_in_its_half_life_at_any_rate(fps: int) -> None:
    smooth = video.Ema(half_life=0.4)
    smooth(np.ones((2, 2), np.float32), 0.0)
    for index in range(1, round(0.4 * fps) + 1):
        result = smooth(np.zeros((2, 2), np.float32), index / fps)
    assert result == pytest.approx(0.5, abs=1e-3)


def test_the_one_euro_filter_is_the_papers() -> None:
    """One value, against the formulas written out."""
    values, times = [0.2, 0.9, 0.4, 0.4, 0.8], [0.0, 0.03, 0.07, 0.2, 0.21]
    smooth = video.OneEuro(min_cutoff=1.5, beta=0.7, speed_cutoff=2.0)

    def weight(cutoff: float, dt: float) -> float:
        return 1 / (1 + 1 / (2 * np.pi * cutoff) / dt)

    x, dx = values[0], 0.0
    for i, (value, time) in enumerate(zip(values, times, strict=True)):
        if i:
            dt = time - times[i - 1]
            a = weight(2.0, dt)
            dx = a * (value - values[i - 1]) / dt + (1 - a) * dx
            a = weight(1.5 + 0.7 * abs(dx), dt)
            x = a * value + (1 - a) * x
        got = smooth(np.full((1, 1), value, np.float32), time)[0, 0]
        assert got == pytest.approx(x, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_long_pause_a_reset_and_another_size_start_again(name: str) -> None:
    smooth, ones = video.smoother(name), np.ones((24, 24), np.float32)
    smooth(ones, 0.0, GREY)
    assert smooth(0 * ones, 60.0, GREY).max() < 0.01
    smooth(ones, 120.0, GREY)
    assert not smooth(0 * ones[:12], 120.01, GREY).any()
    smooth(ones[:12], 120.02, GREY)
    smooth.reset()
    assert not smooth(0 * ones[:12], 120.03, GREY).any()


ZEROS = np.zeros((9, 4, 4), np.float32)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: video.Ema(0), "half_life is 0"),
        (lambda: video.MotionEma(float("inf")), "half_life is inf"),
        (lambda: video.MotionEma()(ZEROS[0], 0.0), "needs the frame"),
        (lambda: video.OneEuro(min_cutoff=-1), "min_cutoff is -1"),
        (lambda: video.OneEuro(beta=float("nan")), "beta is nan"),
        (lambda: video.Ema()(ZEROS[0] + 1.5, 0.0), "0 to 1"),
        (lambda: video.smoother("kalman"), "none or ema, motion, one-euro"),
        (lambda: video.flicker(ZEROS[0]), "at least two"),
        (lambda: video.flicker(ZEROS[:1]), "at least two"),
        (lambda: video.lag(ZEROS[:1], ZEROS[:1]), "at least two"),
        (lambda: video.flicker(ZEROS, ZEROS[:, 1:]), "shape"),
        (lambda: video.lag(ZEROS, ZEROS), "up to 8"),
        (lambda: video.moving_portrait(count=0), "cannot be drawn"),
        (lambda: video.moving_portrait(fps=0), "cannot be drawn"),
        (lambda: video.moving_portrait(period=0), "cannot be drawn"),
        (lambda: video.moving_portrait(noise=-1), "cannot be drawn"),
        (lambda: video.latency_score(np.ones(4), np.array([4])), "4 frames old.*most=4"),
        (lambda: video.latency_score(np.ones(4), np.array([-1, -1])), "no mask"),
        (lambda: video.latency_scores(ZEROS, most=9), "cannot be shown"),
        (lambda: video.mask_latency(0, 10), "no schedule"),
    ],
)
def test_what_cannot_be_is_refused(make, message: str) -> None:
    with pytest.raises(SeglibError, match=message):
        make()


# The numbers.


def test_flicker_counts_what_the_truth_does_not_do(clip) -> None:
    assert video.flicker(clip.alphas, clip.alphas) == 0
    assert video.flicker(clip.alphas) > 0.01
    # A mask that is wrong, but always in the same way, does not flicker.
    assert video.flicker(clip.alphas * np.float32(0.5), clip.alphas * np.float32(0.5)) == 0
    still = np.zeros((5, 4, 4))
    still[::2] = 0.3
    assert video.flicker(still) == pytest.approx(0.3)


@pytest.mark.parametrize("late", [0, 1, 3])
def test_a_known_lag_is_found(clip, late: int) -> None:
    masks = np.stack([clip.alphas[max(0, i - late)] for i in range(len(clip))])
    assert video.lag(masks[5:], clip.alphas[5:]) == pytest.approx(late, abs=0.1)
    half = (masks[5:] + masks[4:-1]) / 2
    assert video.lag(half, clip.alphas[5:]) == pytest.approx(late + 0.5, abs=0.15)


# The film.


def test_the_film_is_drawn_again_by_its_seed_and_moves(clip) -> None:
    again = video.moving_portrait(45, size=96, seed=1, noise=5)
    assert np.array_equal(clip.images, again.images) and len(clip) == 45
    assert clip.images.shape == (45, 96, 96, 3) and clip.alphas.dtype == np.float32
    assert clip.alphas.min() >= 0 and clip.alphas.max() <= 1

    def middle(index: int) -> float:
        head = clip.alphas[index, :40]
        return float((head * np.arange(96)).sum() / head.sum())

    # A quarter of the period of 2 s later the head is to the right, then to the left.
    assert middle(15) > middle(0) + 5 > middle(44) + 10


def test_film_and_mask_belong_together(clip) -> None:
    """Without noise, what the mask excludes is the still place in every frame."""
    quiet = video.moving_portrait(31, size=96, seed=1, noise=0)
    free = (quiet.alphas[0] == 0) & (quiet.alphas[15] == 0)
    assert free.mean() > 0.2
    assert np.array_equal(quiet.images[0][free], quiet.images[15][free])
    inside = (quiet.alphas[0] > 0.99) & (quiet.alphas[15] < 0.01)
    assert np.abs(quiet.images[0][inside] - quiet.images[15][inside].astype(float)).mean() > 10


def test_a_camera_in_the_hand_moves_the_place_too() -> None:
    shaken = video.moving_portrait(20, size=96, seed=1, noise=0, sway=0, turn=0, shake=0.05)
    tripod = video.moving_portrait(20, size=96, seed=1, noise=0, sway=0, turn=0)
    assert np.array_equal(tripod.images[0], tripod.images[19])
    free = shaken.alphas[:, 4:-4, 4:-4].max(axis=0) == 0
    changes = np.abs(np.diff(shaken.images[:, 4:-4, 4:-4].astype(float), axis=0))[:, free]
    assert changes.mean() > 1


# Stale masks.


def test_ages_by_hand() -> None:
    # A network without delay; one quicker than a frame; one that takes a frame and a half.
    assert video.mask_latency(30, 0, 5).tolist() == [0, 0, 0, 0, 0]
    assert video.mask_latency(30, 10, 5).tolist() == [-1, 1, 1, 1, 1]
    assert video.mask_latency(30, 50, 9).tolist() == [-1, -1, 2, 2, 3, 2, 2, 3, 2]


def slow_ages(fps: float, inference_ms: float, count: int) -> list[int]:
    """The schedule in seconds, written out: which mask is done when."""
    came, done, frame, now = [index / fps for index in range(4 * count)], [], 0, 0.0
    while frame < count:
        now = max(now, came[frame]) + inference_ms / 1000
        done.append((now, frame))
        frame = max(frame + 1, sum(time <= now for time in came) - 1)
    newest = ([made for at, made in done if at <= time] for time in came[:count])
    return [index - made[-1] if made else -1 for index, made in enumerate(newest)]


@given(st.integers(5, 120), st.integers(1, 400), st.integers(2, 40))
def test_ages_follow_the_clock(fps: int, inference_ms: int, count: int) -> None:
    # Off the ties, which rounding to microseconds decides at random.
    inference = inference_ms + 0.37
    assert video.mask_latency(fps, inference, count).tolist() == slow_ages(fps, inference, count)


def test_the_older_the_mask_the_worse_it_fits(clip) -> None:
    scores = video.latency_scores(clip.alphas, most=6)
    assert scores[0] == 1 and (np.diff(scores) < 0).all()
    edges = video.latency_scores(clip.alphas, most=6, score=metrics.boundary_iou)
    assert (edges[1:] < scores[1:]).all()
    still = np.repeat(clip.alphas[:1], 9, axis=0)
    assert (video.latency_scores(still, most=4) == 1).all()


def test_a_schedule_is_scored_by_its_ages() -> None:
    scores = np.array([1.0, 0.9, 0.8, 0.6])
    assert video.latency_score(scores, np.array([-1, 1, 3])) == pytest.approx(0.75)
