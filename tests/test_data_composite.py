"""Putting people into other pictures, judged by what a viewer would see."""

import numpy as np
import pytest

from seglib import SeglibError
from seglib.data import composite, synthetic

CONFIG = synthetic.PortraitConfig(empty=0, company=0, overlay=0, hat=0, framing=(0, 1, 0, 0))
PERSON = synthetic.draw((1, 4), 96, CONFIG)
GREEN = np.full((40, 70, 3), (20, 200, 30), np.uint8)


def test_a_person_stands_before_the_new_background():
    made = composite.compose(PERSON.image, PERSON.alpha, GREEN, light=0)
    inside, outside = PERSON.alpha == 1, PERSON.alpha == 0
    assert np.abs(made[inside].astype(int) - PERSON.image[inside]).max() <= 1
    assert (made[outside] == GREEN[0, 0]).all()
    lit = composite.compose(PERSON.image, PERSON.alpha, GREEN, light=1).astype(int)
    assert np.ptp(lit[inside].mean(0)) > np.ptp(PERSON.image[inside].mean(0))
    turned = composite.compose(np.asfortranarray(PERSON.image), PERSON.alpha, GREEN, light=0)
    np.testing.assert_array_equal(turned, made)


def test_a_set_on_backgrounds_keeps_its_masks_and_repeats():
    portraits = synthetic.portraits(4, 48, seed=2)
    people = portraits.dataset("person")
    first, again = (composite.on_backgrounds(people, [GREEN, 255 - GREEN], 3) for _ in range(2))
    for one, other, (_, mask) in zip(first, again, people, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], mask)
    assert not np.array_equal(first.subset(2)[0][0], people.subset(2)[0][0])
    for backgrounds, kind in (([], "person"), ([GREEN], "hair")):
        with pytest.raises(SeglibError, match="at least one picture"):
            composite.on_backgrounds(portraits.dataset(kind), backgrounds)


def test_crops_are_squares_that_show_the_head_or_more():
    for seed in range(8):
        person = synthetic.draw((2, seed), 128, CONFIG)
        face, upper = (composite.crop_box(person.alpha, part, 0) for part in ("face", "upper"))
        for top, left, bottom, right in (face, upper):
            assert 0 <= top < bottom <= 128 and 0 <= left < right <= 128
        assert face[2] - face[0] <= upper[2] - upper[0]
    image, mask = composite.crop(person.image, person.alpha, "face")
    assert image.shape[:2] == mask.shape and image.shape[0] == image.shape[1]
    with pytest.raises(SeglibError, match="no person in it"):
        composite.crop_box(np.zeros((9, 9)))
    with pytest.raises(SeglibError, match="face and upper"):
        composite.crop_box(person.alpha, "foot")


def test_a_hard_mask_loses_spots_and_holes():
    mask = np.zeros((40, 40), np.float32)
    mask[10:30, 10:30], mask[20, 20], mask[2, 2], mask[12, 12] = 0.8, 0.1, 0.9, 0.5
    assert composite.remask(mask).sum() == 400
    clean = composite.remask(mask, smallest=0.01)
    assert clean[20, 20] == 1 and clean[2, 2] == 0 and clean.sum() == 400
    with pytest.raises(SeglibError, match="threshold"):
        composite.remask(mask, threshold=0)


def test_light_turns_warm_or_cold_between_black_and_white():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    warm, cold, same = (composite.tone(ramp, w)[0].astype(int) for w in (0.8, -0.8, 0))
    np.testing.assert_array_equal(same, ramp[0])
    assert (warm[:, 0] >= warm[:, 2]).all() and (cold[:, 0] <= cold[:, 2]).all()
    assert warm[0].tolist() == [0, 0, 0] and warm[255].tolist() == [255, 255, 255]
    with pytest.raises(SeglibError, match="from -1 to 1"):
        composite.tone(ramp, 2)
    with pytest.raises(SeglibError, match=r"estimate_foreground"):
        composite.foreground  # noqa: B018
