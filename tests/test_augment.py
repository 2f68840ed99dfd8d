"""Augmentation: photo and masks stay together, half-pixel and area-correct, repeatable."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglib import SeglibError, images
from seglib.data import AugmentConfig, augment
from seglib.data.augment import affine, augment_batch, draw, fill, warp

STILL = AugmentConfig(
    flip=0, rotate=0, zoom=(1, 1), stretch=0, shear=0, shift=0, brightness=0, contrast=0,
    gamma=0, saturation=0, tint=0, grey=0, blur=0, noise=0,
)  # fmt: skip
COLOURLESS = {
    name: 0
    for name in ("brightness", "contrast", "gamma", "saturation", "tint", "grey", "blur", "noise")
}
THING, PLACE = np.array([220.0, 60.0, 40.0]), np.array([20.0, 100.0, 190.0])


def still(**changes) -> AugmentConfig:
    return AugmentConfig(**{**vars(STILL), **changes})


def letter(height: int, width: int) -> np.ndarray:
    """A mask in the shape of an F: it looks like itself in no mirror and under no turn."""
    mask = np.zeros((height, width), np.uint8)
    y, x = [
        np.rint(np.array([0.15, 0.35, 0.5, 0.65, 0.85]) * side).astype(int) for side in mask.shape
    ]
    mask[y[0] : y[4], x[0] : x[1]] = 255
    mask[y[0] : y[1], x[0] : x[4]] = 255
    mask[y[2] : y[3], x[0] : x[3]] = 255
    return mask


def painted(mask: np.ndarray) -> np.ndarray:
    """A photo of a mask: one colour where it is set and another where it is not."""
    share = mask[..., None] / 255
    return np.rint(share * THING + (1 - share) * PLACE).astype(np.uint8)


def recovered(photo: np.ndarray) -> np.ndarray:
    """The mask 0..255 that a painted photo shows, also where its two colours are mixed."""
    way = THING - PLACE
    return (photo - PLACE) @ way / (way @ way) * 255


geometry = st.fixed_dictionaries(
    {
        "flip": st.sampled_from([0, 0.5, 1]),
        "rotate": st.floats(0, 90),
        "zoom": st.tuples(st.floats(0.4, 1), st.floats(1, 2)),
        "stretch": st.floats(0, 0.5),
        "shear": st.floats(0, 0.3),
        "shift": st.floats(0, 0.3),
        "crop": st.tuples(st.floats(0.4, 0.7), st.floats(0.7, 1)),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 150), st.integers(20, 150), geometry)
def test_the_photo_still_shows_its_masks(seed, height, width, changes):
    mask = letter(height, width)
    # The second mask takes another way through the code than the first.
    pair = np.stack([mask, 255 - mask], axis=-1)
    config = AugmentConfig(**{**COLOURLESS, **changes})
    photo, masks = augment(painted(mask), pair, np.random.default_rng(seed), 48, config)
    # Each of the three channels is rounded once on its way.
    assert np.abs(recovered(photo) - masks[..., 0]).max() <= 3
    assert np.abs(masks.sum(-1, dtype=int) - 255).max() <= 3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(30, 120), geometry)
def test_every_pixel_lands_where_the_map_says(seed, side, changes):
    config = AugmentConfig(**{**COLOURLESS, **changes})
    matrix = affine(draw(np.random.default_rng(seed), 1), np.array([[side, side]]), 64, config)[0]
    # A ramp's value is its place, so that the result can be read as a map back to the source.
    inverse = np.linalg.inv(matrix[:, :2])
    y, x = np.mgrid[0:64, 0:64]
    source = np.stack([x, y], axis=-1) @ inverse.T - inverse @ matrix[:, 2]
    ramps = np.tile(np.arange(side, dtype=np.float32), (side, 1))
    seen = np.stack([warp(ramps, matrix, 64), warp(ramps.T, matrix, 64)], axis=-1)
    # Away from the border, where averaged blocks meet their mirror image.
    inside = ((source > 5) & (source < side - 6)).all(-1)
    assert np.abs(seen - source)[inside].max(initial=0) <= 0.1


def test_no_change_is_the_half_pixel_resize():
    image = np.random.default_rng(1).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    view, mask = augment(image, image[..., 0], np.random.default_rng(0), 40, STILL)
    expected = images.resize(image, (40, 40)).astype(int)
    # Mirrored and repeated borders differ on the outermost pixels only.
    assert np.abs(view.astype(int) - expected)[2:-2, 2:-2].max() <= 2
    assert np.abs(mask.astype(int) - expected[..., 0])[2:-2, 2:-2].max() <= 2


@pytest.mark.parametrize("side", [128, 250, 512, 800])
def test_shrinking_averages_fine_detail(side):
    # One-pixel stripes are grey from afar; four neighbours alone would see black or white.
    stripes = np.zeros((side, side), np.uint8)
    stripes[:, ::2] = 255
    view, mask = augment(
        np.repeat(stripes[..., None], 3, 2), stripes, np.random.default_rng(0), 64, STILL
    )
    assert np.abs(view[2:-2, 2:-2].astype(int) - 128).max() <= 45
    assert np.abs(mask[2:-2, 2:-2].astype(int) - 128).max() <= 45
    assert abs(mask.mean() - 127.5) < 3


def test_a_flip_moves_the_right_side_to_the_left():
    mask = letter(32, 32)
    _, flipped = augment(painted(mask), mask, np.random.default_rng(0), 32, still(flip=1))
    np.testing.assert_array_equal(flipped, mask[:, ::-1])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.3, 0.9))
def test_a_crop_never_reaches_beyond_the_photo(seed, share):
    ramp = np.tile(np.linspace(40, 200, 64).astype(np.uint8), (64, 1))
    photo = np.repeat(ramp[..., None], 3, 2)
    chances = np.random.default_rng(seed)
    _, mask = augment(photo, ramp, chances, 64, still(crop=(share, share)))
    # A mirrored border would make the ramp turn back.
    assert (np.diff(mask.astype(int), axis=1)[:, 1:-1] >= 0).all()
    width = 160 * share
    assert abs(int(mask[0, -1]) - int(mask[0, 0]) - width) <= 8


def test_a_view_repeats_and_a_new_kind_of_change_leaves_the_others_alone():
    mask = letter(60, 50)
    plain, more = (
        augment(painted(mask), mask, np.random.default_rng(4), 48, config)
        for config in (AugmentConfig(), AugmentConfig(jpeg=1))
    )
    again = augment(painted(mask), mask, np.random.default_rng(4), 48)
    np.testing.assert_array_equal(plain[0], again[0])
    np.testing.assert_array_equal(plain[1], more[1])
    assert 0 < np.abs(plain[0].astype(int) - more[0]).mean() < 20


def test_a_batch_is_its_pictures_one_by_one():
    sizes = [(40, 50), (33, 70), (90, 90)]
    masks = [letter(*size) for size in sizes]
    photos = [painted(mask) for mask in masks]
    chances = draw(np.random.default_rng(0), 3)
    config = AugmentConfig(jpeg=0.5, cutout=0.5)
    views, changed = augment_batch(photos, masks, chances, 32, config)
    for row in range(3):
        one = {name: values[row : row + 1] for name, values in chances.items()}
        view, mask = augment_batch([photos[row]], [masks[row]], one, 32, config)
        np.testing.assert_array_equal(views[row], view[0])
        np.testing.assert_array_equal(changed[row], mask[0])


def test_light_noise_and_blur_change_the_photo_only():
    mask, rng = letter(128, 128), np.random.default_rng(0)
    edges, flat = painted(mask), np.full((128, 128, 3), 128, np.uint8)
    config = still(brightness=0.3, gamma=1, grey=1, noise=1, blur=1)
    photo, changed = augment(edges, mask, rng, 128, still(brightness=0.3, gamma=1, grey=1))
    assert (np.ptp(photo.astype(int), axis=-1) <= 1).all() and not np.array_equal(photo, edges)
    np.testing.assert_array_equal(augment(edges, mask, rng, 128, config)[1], mask)
    np.testing.assert_array_equal(changed, mask)
    spreads = [augment(flat, mask, rng, 128, still(noise=1))[0].std() for _ in range(20)]
    assert 0.9 < min(spreads) < 4 and 8 < max(spreads) < 13
    softer = augment(edges, mask, rng, 128, still(blur=1))[0]
    assert np.abs(np.diff(softer.astype(int), axis=1)).max() < 180


def test_a_cutout_hides_the_photo_and_empties_the_mask():
    photo, full = painted(letter(64, 64)), np.full((64, 64), 255, np.uint8)
    view, mask = augment(photo, full, np.random.default_rng(2), 64, still(cutout=1))
    hidden = mask == 0
    assert 0.005 < hidden.mean() < 0.17
    assert len(np.unique(view[hidden], axis=0)) == 1
    np.testing.assert_array_equal(view[~hidden], photo[~hidden])


def test_a_person_is_put_before_a_background_that_is_handed_in():
    mask = letter(64, 64)
    scene = np.full((90, 120, 3), (10, 240, 10), np.uint8)
    view, kept = augment(
        painted(mask), mask, np.random.default_rng(0), 64, still(background=1), [scene]
    )
    np.testing.assert_array_equal(kept, mask)
    np.testing.assert_array_equal(view[mask == 255], painted(mask)[mask == 255])
    assert (view[mask == 0] == (10, 240, 10)).all()


def test_a_batch_lends_its_own_backgrounds_without_their_persons():
    mask = np.zeros((64, 64), np.uint8)
    mask[20:, 20:44] = 255
    colours = np.array([(10, 200, 10), (10, 10, 200)], np.uint8)[:, None, None]
    photos = np.where(mask[..., None] > 0, np.uint8([250, 30, 30]), colours)
    chances = draw(np.random.default_rng(0), 2)
    views, _ = augment_batch(photos, [mask, mask], chances, 64, still(background=1))
    for view, other in zip(views, photos[::-1], strict=True):
        assert np.abs(view[mask == 0].astype(int) - other[0, 0]).max() <= 6
        assert (view[mask == 255] == (250, 30, 30)).all()
    unknown = np.array([True, False])
    views, _ = augment_batch(
        photos, [mask, mask], chances, 64, still(background=1), cuttable=unknown
    )
    np.testing.assert_array_equal(views, photos)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_filling_in_survives_empty_and_full_masks(share):
    photo = painted(letter(31, 47))
    filled = fill(photo, np.full((31, 47), 255 * share, np.uint8))
    assert filled.shape == photo.shape
    if not share:
        np.testing.assert_array_equal(filled, photo)


@pytest.mark.parametrize(
    ("field", "value"),
    [("zoom", (1.5, 1.0)), ("crop", (0, 1)), ("crop", (0.5, 1.1)), ("flip", 1.5), ("rotate", -3),
     ("noise", float("nan"))],
)  # fmt: skip
def test_mistakes_are_named(field, value):
    with pytest.raises(SeglibError, match=field):
        AugmentConfig(**{field: value})
    photo, mask, rng = painted(letter(40, 30)), letter(40, 30), np.random.default_rng(0)
    with pytest.raises(SeglibError, match="resize the mask"):
        augment(photo, np.zeros((8, 9), np.uint8), rng, 32)
    with pytest.raises(SeglibError, match="class numbers"):
        augment(photo, mask // 255 * 2, rng, 32)
    with pytest.raises(SeglibError, match="hand some in as backgrounds"):
        augment(photo, mask, rng, 32, AugmentConfig(background=0.5))
