"""Cleaning a mask and composing a frame, judged by what a viewer would see."""

import resource

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seglib
from seglib import SeglibError
from seglib import postprocess as pp
from seglib.postprocess import bands


def lab(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def random_mask(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width), np.float32)


def disc(size: int, radius: float, soft: float = 4.0) -> np.ndarray:
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    return np.clip((radius - np.hypot(x, y)) / soft + 0.5, 0, 1).astype(np.float32)


def test_threshold_counts_the_level_itself_as_the_thing():
    assert pp.threshold(np.array([[0.2, 0.5, 0.7]])).tolist() == [[0, 1, 1]]
    assert pp.threshold(np.array([[0.2, 0.5, 0.7]]), 0.6).tolist() == [[0, 0, 1]]


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


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 12), st.integers(0, 99))
@settings(max_examples=40)
def test_blur_keeps_range_and_constants(height, width, sigma, seed):
    mask = random_mask(height, width, seed)
    blurred = pp.blur(mask, sigma)
    assert blurred.shape == mask.shape
    assert mask.min() - 1e-5 <= blurred.min() <= blurred.max() <= mask.max() + 1e-5
    assert np.allclose(pp.blur(np.ones_like(mask), sigma), 1, atol=1e-5)


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


def test_largest_component_joins_corners():
    mask = np.zeros((5, 12), np.float32)
    mask[np.arange(5), np.arange(5)] = 1
    mask[0, 8:12] = 1
    assert pp.largest_component(mask)[:, :6].sum() == 5


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
@settings(max_examples=40)
def test_alpha_blend_is_the_rounded_formula(height, width, seed):
    rng = np.random.default_rng(seed)
    front, back = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    mask = random_mask(height, width, seed)
    exact = front * mask[..., None].astype(float) + back * (1 - mask[..., None].astype(float))
    assert np.abs(pp.alpha_blend(front, back, mask) - exact).max() <= 0.5 + 1e-3
    assert np.array_equal(pp.alpha_blend(front, back, np.ones_like(mask)), front)
    assert np.array_equal(pp.alpha_blend(front, back, np.zeros_like(mask)), back)


def test_alpha_blend_refuses_different_sizes():
    image, mask = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2))
    with pytest.raises(SeglibError, match="front image is 2x2 and the back image 3x2"):
        pp.alpha_blend(image, np.zeros((2, 3, 3), np.uint8), mask)
    with pytest.raises(SeglibError, match="mask is 3x2"):
        pp.alpha_blend(image, image, np.zeros((2, 3)))


@pytest.mark.parametrize("level", [0, 12, 25])
def test_black_hair_takes_the_colour(level):
    black = np.full((8, 8, 3), level, np.uint8)
    dyed = pp.recolour_hair(black, np.ones((8, 8)), (255, 0, 0))[0, 0].astype(int)
    assert dyed[0] > 110
    assert dyed[0] > 2.5 * dyed[1:].max()


def test_lift_zero_keeps_the_lightness():
    photo = seglib.sample_photo()
    dyed = pp.recolour_hair(photo, np.ones((512, 512)), (180, 60, 60), lift=0)
    change = np.abs(lab(dyed)[..., 0] - lab(photo)[..., 0])
    assert np.median(change) < 0.5
    assert np.percentile(change, 95) < 3
    assert np.abs(dyed.astype(int) - photo).mean() > 10


def test_lift_moves_the_mean_lightness_towards_the_colour_and_keeps_the_order():
    grey = np.repeat(np.arange(4, 40, dtype=np.uint8)[None, :, None], 3, axis=2)
    mask = np.ones(grey.shape[:2])
    color = (200, 40, 90)
    target = lab(np.array(color, np.uint8).reshape(1, 1, 3))[0, 0, 0]
    means = []
    for lift in (0, 0.5, 1):
        lightness = lab(pp.recolour_hair(grey, mask, color, lift=lift))[0, :, 0]
        assert (np.diff(lightness) > -0.7).all()
        means.append(lightness.mean())
    assert means[0] == pytest.approx(lab(grey)[..., 0].mean(), abs=0.5)
    assert means[1] == pytest.approx((means[0] + target) / 2, abs=4)
    assert means[2] == pytest.approx(target, abs=4)


def test_a_highlight_stays_white_and_a_shadow_black():
    image = np.full((4, 4, 3), 90, np.uint8)
    image[0, 0], image[1, 1] = 255, 0
    dyed = pp.recolour_hair(image, np.ones((4, 4)), (255, 0, 0), lift=0.2)
    assert dyed[0, 0].min() > 250
    assert dyed[1, 1].max() < 30


def test_pixels_outside_the_mask_and_strength_zero_change_nothing():
    photo = seglib.sample_photo()
    hair = disc(512, 90)
    dyed = pp.recolour_hair(photo, hair, (0, 80, 255))
    assert np.array_equal(dyed[hair == 0], photo[hair == 0])
    assert not np.array_equal(dyed[hair == 1], photo[hair == 1])
    assert np.array_equal(pp.recolour_hair(photo, hair, (0, 80, 255), strength=0), photo)


def test_strength_lies_between_nothing_and_all():
    photo = seglib.sample_photo()[:64, :64]
    mask = np.ones((64, 64))
    full = pp.recolour_hair(photo, mask, (255, 0, 0)).astype(float)
    half = pp.recolour_hair(photo, mask, (255, 0, 0), strength=0.5).astype(float)
    assert 0 < np.abs(half - photo).mean() < np.abs(full - photo).mean()
    assert np.array_equal(
        pp.recolour_hair(photo, mask * 0.5, (255, 0, 0), lift=0),
        pp.recolour_hair(photo, mask, (255, 0, 0), strength=0.5, lift=0),
    )


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"color": (1, 2)}, "colour"),
        ({"color": (1, 2, 256)}, "256"),
        ({"color": (1, 2, 3), "strength": 1.1}, "strength"),
        ({"color": (1, 2, 3), "lift": -1}, "lift"),
    ],
)
def test_recolour_refuses(options, word):
    with pytest.raises(SeglibError, match=word):
        pp.recolour_hair(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2)), **options)


@pytest.mark.parametrize("sigma", [2.0, 7.0, 20.0])
def test_the_person_does_not_bleed_into_the_blurred_background(sigma):
    hard = (disc(200, 50) > 0.5).astype(np.float32)
    image = np.full((200, 200, 3), 60, np.uint8)
    image[hard == 1] = 240
    blurred = pp.blur_background(image, hard, sigma)
    assert np.abs(blurred.astype(int) - image).max() <= 1


def plain_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    image = image.astype(np.float32)
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("sigma", [1.5, 6.0, 9.0, 25.0])
def test_with_an_empty_mask_it_is_a_gaussian_blur(sigma):
    photo = seglib.sample_photo()[:203, :311]
    blurred = pp.blur_background(photo, np.zeros((203, 311)), sigma)
    difference = np.abs(blurred - plain_blur(photo, sigma))
    # The reduced copy (from sigma 8) costs a little; its grid is coarser than the frame's edge.
    assert difference.mean() < 0.8
    assert difference.max() < (1 if sigma < 8 else 12)


def test_the_person_stays_sharp_and_bands_leave_no_seams(monkeypatch):
    photo, mask = seglib.sample_photo(), disc(512, 120)
    whole = [pp.blur_background(photo, mask, sigma) for sigma in (None, 3, 20)]
    dyed = pp.recolour_hair(photo, mask, (255, 0, 0))
    assert np.array_equal(whole[0][mask == 1], photo[mask == 1])
    monkeypatch.setattr(bands, "BAND_PIXELS", 512 * 7)
    banded = [pp.blur_background(photo, mask, sigma) for sigma in (None, 3, 20)]
    for one, other in zip(whole, banded, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
    assert np.array_equal(pp.recolour_hair(photo, mask, (255, 0, 0)), dyed)


def test_a_mask_of_ones_or_sigma_zero_changes_nothing():
    photo = seglib.sample_photo()[:65, :33]
    assert np.array_equal(pp.blur_background(photo, np.ones((65, 33)), 9), photo)
    assert np.array_equal(pp.blur_background(photo, np.zeros((65, 33)), 0), photo)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (37, 2)])
def test_tiny_pictures(shape):
    image = np.full((*shape, 3), 99, np.uint8)
    mask = random_mask(*shape, 0)
    assert (pp.blur_background(image, mask) == 99).all()
    assert (pp.blur_background(image, mask, 30) == 99).all()
    assert (pp.replace_background(image, mask, image[:1, :1]) == 99).all()
    assert pp.recolour_hair(image, mask, (1, 2, 3)).shape == image.shape
    assert pp.largest_component(mask).shape == shape


def test_the_background_covers_the_frame_undistorted():
    # Three equal stripes: of a wide background, a square frame shows the middle one.
    background = np.zeros((30, 90, 3), np.uint8)
    background[:, :30, 0] = background[:, 30:60, 1] = background[:, 60:, 2] = 255
    image = np.full((50, 50, 3), 77, np.uint8)
    mask = np.zeros((50, 50))
    assert (pp.replace_background(image, mask, background) == (0, 255, 0)).all()
    tall = background.transpose(1, 0, 2)
    assert (pp.replace_background(image, mask, tall) == (0, 255, 0)).all()
    mask[10:20] = 1
    assert (pp.replace_background(image, mask, background)[10:20] == 77).all()
    with pytest.raises(SeglibError, match="background has shape"):
        pp.replace_background(image, mask, background[..., 0])


def test_108_megapixels_stay_within_bounded_memory():
    image = np.full((9000, 12000, 3), 50, np.uint8)
    image[:, 6000:] = 200
    mask = np.zeros((9000, 12000), np.float32)
    mask[3000:, 4000:8000] = 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    dyed = pp.recolour_hair(image, mask, (255, 0, 0))
    blurred = pp.blur_background(image, mask, 60)
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert np.array_equal(dyed[:3000], image[:3000])
    assert np.array_equal(blurred[3000:, 4000:8000], image[3000:, 4000:8000])
    # Each result is 309 MiB; one float32 copy of the photo alone would be 1236 MiB.
    assert growth < 1200
