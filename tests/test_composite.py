"""Composing a frame, judged by what a viewer would see."""

import resource

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seglib
from mask_shapes import disc, lab, random_mask
from seglib import SeglibError
from seglib import postprocess as pp
from seglib.postprocess import background, colour


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


def test_the_background_covers_the_frame_undistorted():
    # Three equal stripes: of a wide background, a square frame shows the middle one.
    wide = np.zeros((30, 90, 3), np.uint8)
    wide[:, :30, 0] = wide[:, 30:60, 1] = wide[:, 60:, 2] = 255
    image = np.full((50, 50, 3), 77, np.uint8)
    mask = np.zeros((50, 50))
    assert (pp.replace_background(image, mask, wide) == (0, 255, 0)).all()
    tall = wide.transpose(1, 0, 2)
    assert (pp.replace_background(image, mask, tall) == (0, 255, 0)).all()
    mask[10:20] = 1
    assert (pp.replace_background(image, mask, wide)[10:20] == 77).all()
    with pytest.raises(SeglibError, match="background has shape"):
        pp.replace_background(image, mask, wide[..., :2])


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


@given(st.integers(1, 16), st.integers(1, 16), st.integers(0, 99))
@settings(max_examples=30)
def test_blending_in_linear_light_keeps_equal_images_and_the_ends(height, width, seed):
    rng = np.random.default_rng(seed)
    front, back = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    mask = random_mask(height, width, seed)
    assert np.array_equal(pp.alpha_blend(front, front, mask, linear=True), front)
    assert np.array_equal(pp.alpha_blend(front, back, np.ones_like(mask), linear=True), front)
    assert np.array_equal(pp.alpha_blend(front, back, np.zeros_like(mask), linear=True), back)
    # Light adds up to more than levels do: the curve is convex.
    assert (
        pp.alpha_blend(front, back, mask, linear=True).astype(int)
        >= pp.alpha_blend(front, back, mask).astype(int) - 1
    ).all()


def test_levels_survive_the_way_to_linear_light_and_back():
    levels = np.arange(256, dtype=np.uint8)
    light = colour.to_linear(levels)
    assert np.array_equal(colour.from_linear(light), levels)
    assert (light[0], light[255]) == (0, 1)
    assert (np.diff(light) > 0).all()
    white, black = np.full((1, 1, 3), 255, np.uint8), np.zeros((1, 1, 3), np.uint8)
    assert (pp.alpha_blend(white, black, np.full((1, 1), 0.5), linear=True) == 188).all()


def test_the_person_does_not_bleed_into_the_bokeh():
    hard = (disc(200, 50) > 0.5).astype(np.float32)
    image = np.full((200, 200, 3), 60, np.uint8)
    image[hard == 1] = 240
    for radius in (None, 1, 8, 30):
        assert np.abs(pp.bokeh_background(image, hard, radius).astype(int) - image).max() <= 1


def test_a_lamp_becomes_a_bright_disc():
    image = np.zeros((121, 121, 3), np.uint8)
    image[59:62, 59:62] = 255
    empty = np.zeros((121, 121))
    disc_of_light = pp.bokeh_background(image, empty, 10)[..., 0].astype(float)
    y, x = np.mgrid[:121, :121] - 60
    inside, outside = np.hypot(x, y) < 7, np.hypot(x, y) > 14
    assert disc_of_light[inside].min() > 0.9 * disc_of_light[inside].max()
    assert disc_of_light[outside].max() == 0
    assert disc_of_light.max() > 3 * pp.blur_background(image, empty, 5).max()
    assert np.array_equal(pp.bokeh_background(image, empty, 0), image)
    with pytest.raises(SeglibError, match="radius"):
        pp.bokeh_background(image, empty, -1)


@pytest.mark.parametrize("scene", [(40, 60, 160), (250, 220, 150)])
def test_matched_light_moves_towards_the_scene_and_keeps_black_and_white(scene):
    photo, mask = seglib.sample_photo(), disc(512, 150)
    photo[0, :2] = [[0, 0, 0], [255, 255, 255]]
    lit = np.full((9, 9, 3), scene, np.uint8)
    person = colour.to_linear(photo)[mask == 1].mean(axis=0)
    goal = colour.to_linear(lit).mean(axis=(0, 1))
    distances = [
        np.abs(
            colour.to_linear(colour.match_light(photo, mask, lit, s))[mask == 1].mean(axis=0) - goal
        )
        for s in (0, 0.5, 1)
    ]
    assert np.allclose(distances[0], np.abs(person - goal), atol=1e-3)
    assert (distances[1] < distances[0]).all()
    assert (distances[2] < distances[1] + 0.02).all()
    matched = colour.match_light(photo, mask, lit, 1)
    assert matched[0, :2].tolist() == [[0, 0, 0], [255, 255, 255]]
    assert np.array_equal(colour.match_light(photo, mask, lit, 0), photo)
    with pytest.raises(SeglibError, match="strength"):
        colour.match_light(photo, mask, lit, 2)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_a_transfer_is_its_formula_at_every_pixel(strength):
    rng = np.random.default_rng(4)
    photo = rng.integers(40, 250, (90, 120, 3), dtype=np.uint8)
    scene = rng.integers(0, 200, (70, 80, 3), dtype=np.uint8)
    person, goal = lab(photo).reshape(-1, 3), lab(scene).reshape(-1, 3)
    scale = 1 + strength * (goal.std(axis=0) / person.std(axis=0) - 1)
    centre = person.mean(axis=0) + strength * (goal.mean(axis=0) - person.mean(axis=0))
    moved = ((lab(photo) - person.mean(axis=0)) * scale + centre).astype(np.float32)
    expected = 255 * cv2.cvtColor(moved, cv2.COLOR_LAB2RGB).clip(0, 1)
    found = colour.transfer_colour(photo, np.ones((90, 120)), scene, strength)
    assert np.abs(found - expected).max() <= 0.51


@pytest.mark.parametrize("where", [(256, 256), (10, 400), (511, 256)])
def test_a_clone_keeps_its_place_and_the_background_around(where):
    photo = seglib.sample_photo()
    mask = np.zeros((512, 512), np.float32)
    cv2.circle(mask, where[::-1], 90, 1.0, -1)
    scene = np.full((100, 100, 3), (90, 120, 60), np.uint8)
    cloned = background.clone_background(photo, mask, scene)
    outside = cv2.dilate(mask, np.ones((5, 5))) == 0
    assert (cloned[outside] == (90, 120, 60)).all()
    inside = cv2.erode(mask, np.ones((9, 9))) == 1
    wanted = cv2.Laplacian(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.CV_64F)[inside]
    found = cv2.Laplacian(cv2.cvtColor(cloned, cv2.COLOR_RGB2GRAY), cv2.CV_64F)[inside]
    assert np.corrcoef(wanted, found)[0, 1] > 0.9
    empty = background.clone_background(photo, np.zeros((512, 512)), scene)
    assert (empty == (90, 120, 60)).all()
    # OpenCV's solver has nothing to solve in a thread of two pixels; it is copied.
    thread = np.zeros((512, 512))
    thread[100:102, 50:400] = 1
    threaded = background.clone_background(photo, thread, scene)
    assert np.array_equal(threaded[thread == 1], photo[thread == 1])
    assert (threaded[thread == 0] == (90, 120, 60)).all()


def test_a_background_of_the_frames_size_is_not_copied():
    photo = seglib.sample_photo()
    assert pp.cover(photo, (512, 512)) is photo
    assert pp.cover(photo, (20, 50)).shape == (20, 50, 3)
    with pytest.raises(SeglibError, match="at least 1"):
        pp.cover(photo, (0, 5))
