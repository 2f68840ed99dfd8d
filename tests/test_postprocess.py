"""Cleaning a mask, judged by what a viewer would see."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mask_shapes import disc, random_mask
from seglib import SeglibError
from seglib import postprocess as pp
from seglib.postprocess import masks


def test_cuts_count_the_level_itself_as_the_foreground():
    assert pp.threshold(np.array([[0.2, 0.5, 0.7]])).tolist() == [[0, 1, 1]]
    assert pp.threshold(np.array([[0.2, 0.5, 0.7]]), 0.6).tolist() == [[0, 0, 1]]
    assert np.allclose(masks.drop_below(np.array([[0.2, 0.5, 0.7]])), [[0, 0.5, 0.7]])
    assert np.allclose(masks.stretch(np.array([[0.2, 0.4, 0.6]])), [[0, 0.5, 1]], atol=1e-6)


def test_smoothstep_is_the_cubic_between_its_edges():
    mask = np.linspace(0, 1, 101, dtype=np.float32)[None]
    stepped = pp.smoothstep(mask, 0.2, 0.6)[0]
    assert (stepped[:21] == 0).all()
    assert (stepped[60:] == 1).all()
    assert stepped[40] == pytest.approx(0.5, abs=1e-5)
    assert stepped[30] == pytest.approx(3 / 16 - 2 / 64, abs=1e-5)
    assert (np.diff(stepped) >= 0).all()
    with pytest.raises(SeglibError, match="low < high"):
        pp.smoothstep(mask, 0.6, 0.6)


def test_blur_spreads_a_dot_by_sigma_and_does_not_touch_its_input():
    mask = np.zeros((81, 81), np.float32)
    mask[40, 40] = 1
    blurred = pp.blur(mask, 3)
    distance = (np.mgrid[:81, :81] - 40) ** 2
    assert blurred.sum() == pytest.approx(1, abs=1e-3)
    assert (blurred * distance[0]).sum() == pytest.approx(9, rel=0.05)
    assert mask.sum() == 1
    with pytest.raises(SeglibError, match="sigma"):
        pp.blur(mask, -1)


def test_opening_removes_specks_and_closing_fills_holes():
    mask = disc(40, 12)
    speck, hole = mask.copy(), mask.copy()
    speck[2, 2] = 0.9
    hole[20, 20] = 0.1
    assert np.abs(pp.opening(speck, 1) - mask).max() < 0.3
    assert pp.opening(speck, 1)[2, 2] == 0
    assert np.abs(pp.closing(hole, 1) - mask).max() < 0.3
    assert pp.closing(hole, 1)[20, 20] == 1
    assert np.array_equal(pp.opening(mask, 0), mask)
    with pytest.raises(SeglibError, match="radius"):
        pp.opening(mask, -1)
    with pytest.raises(SeglibError, match="radius"):
        pp.closing(mask, 1.5)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 4), st.integers(0, 99))
@settings(max_examples=40)
def test_opening_only_lowers_and_closing_only_raises(height, width, radius, seed):
    mask = random_mask(height, width, seed)
    opened, closed = pp.opening(mask, radius), pp.closing(mask, radius)
    assert (opened <= mask).all()
    assert (closed >= mask).all()
    assert np.array_equal(pp.opening(opened, radius), opened)


def test_largest_component_keeps_the_soft_edge_and_leaves_no_ghost():
    big, small = disc(60, 20, soft=6), disc(60, 6, soft=6)
    mask = np.zeros((60, 140), np.float32)
    mask[:, :60] = big
    mask[:, 80:] = small
    kept = pp.largest_component(mask)
    assert np.array_equal(kept[:, :60], big)
    assert not kept[:, 80:].any()
    assert not pp.largest_component(mask * np.float32(0.4)).any()
    # Pixels that touch at their corners are one piece.
    corners = np.eye(5, 12, dtype=np.float32)
    corners[0, 8:12] = 1
    assert pp.largest_component(corners)[:, :6].sum() == 5


CLEANERS = {
    "threshold": pp.threshold,
    "drop_below": masks.drop_below,
    "hysteresis": pp.hysteresis,
    "smoothstep": pp.smoothstep,
    "soft_gain": masks.soft_gain,
    "stretch": masks.stretch,
    "blur": lambda mask: pp.blur(mask, 1.5),
    "box_blur": lambda mask: masks.box_blur(mask, 2),
    "dilation": lambda mask: masks.dilation(mask, 2),
    "largest_component": pp.largest_component,
    "fill_holes": lambda mask: pp.fill_holes(mask, 1),
}


@pytest.mark.parametrize("step", CLEANERS.values(), ids=CLEANERS)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 99), st.sampled_from([0, 3, 12]))
@settings(max_examples=25)
def test_every_step_gives_a_mask_and_leaves_its_input(step, height, width, seed, smooth):
    mask = pp.blur(random_mask(height, width, seed), smooth)
    before = mask.copy()
    result = step(mask)
    assert result.shape == mask.shape
    assert result.dtype == np.float32
    assert 0 <= result.min() <= result.max() <= 1
    assert not np.shares_memory(result, mask)
    assert np.array_equal(mask, before)


@pytest.mark.parametrize("step", CLEANERS.values(), ids=CLEANERS)
def test_an_empty_and_a_full_mask_stay_what_they_are_in_every_form(step):
    for value in (0, 1):
        mask = np.full((9, 7), value, np.float32)
        for form in (mask, mask > 0, np.uint8(255) * mask.astype(np.uint8), mask.T.copy().T):
            assert np.allclose(step(form), mask, atol=1e-6)


def test_hysteresis_keeps_a_faint_strand_on_a_sure_region_and_drops_a_faint_blob():
    mask = np.zeros((20, 40), np.float32)
    mask[5:15, 2:10] = 0.95
    mask[9, 10:20] = 0.4
    mask[5:15, 28:36] = 0.6
    mask[4, 28:36] = 0.1
    kept = pp.hysteresis(mask, 0.3, 0.7)
    assert np.array_equal(kept[:, :22], mask[:, :22])
    assert not kept[:, 28:].any()
    with pytest.raises(SeglibError, match="low <= high"):
        pp.hysteresis(mask, 0.8, 0.7)


def test_holes_are_filled_up_to_a_size_and_bays_are_not():
    mask = np.zeros((40, 40), np.float32)
    mask[4:36, 4:36] = 0.9
    mask[8:10, 8:10] = 0.2
    mask[8, 10] = 0.6
    mask[20:30, 20:30] = 0.1
    mask[30:40, 12:14] = 0
    small = pp.fill_holes(mask, 0.01)
    assert (small[8:10, 8:10] == 1).all()
    assert np.array_equal(small[20:30, 20:30], mask[20:30, 20:30])
    full = pp.fill_holes(mask, 1)
    assert (full[20:30, 20:30] == 1).all()
    assert not full[30:40, 12:14].any()
    assert np.array_equal(pp.fill_holes(mask, 0), mask)
    with pytest.raises(SeglibError, match="fraction"):
        pp.fill_holes(mask, 5)
    # Where nothing lies below the level there is no hole, and soft values stay.
    soft = np.full((9, 9), 0.7, np.float32)
    assert np.array_equal(pp.fill_holes(soft, 1), soft)
    # A hole takes its grey rim with it.
    assert pp.fill_holes(1 - disc(40, 6, soft=6), 1).min() == 1


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 5), st.integers(0, 99))
@settings(max_examples=30)
def test_box_blur_is_the_mean_over_squares(height, width, radius, seed):
    mask = random_mask(height, width, seed)
    padded = np.pad(mask, radius, mode="edge").astype(float)
    side = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    assert np.allclose(masks.box_blur(mask, radius), windows.mean(axis=(2, 3)), atol=1e-5)


def test_soft_gain_is_the_curve_of_the_android_app():
    mask = np.linspace(0, 1, 11, dtype=np.float32)[None]
    assert np.allclose(masks.soft_gain(mask), np.minimum(2 * mask, 1) ** 2)
    with pytest.raises(SeglibError, match="gain"):
        masks.soft_gain(mask, gain=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda mask: masks.box_blur(mask, -1),
        lambda mask: masks.box_blur(mask, 0.5),
        lambda mask: masks.dilation(mask, float("nan")),
        lambda mask: pp.opening(mask, float("inf")),
        lambda mask: pp.blur(mask, float("nan")),
        lambda mask: pp.hysteresis(mask, float("nan"), 1),
        lambda mask: pp.fill_holes(mask, float("nan")),
        lambda mask: pp.threshold(mask * 2),
        lambda mask: pp.threshold(np.float32([[0, 1, np.nan]])),
    ],
)
def test_bad_values_are_refused(call):
    with pytest.raises(SeglibError):
        call(np.ones((3, 3), np.float32))
