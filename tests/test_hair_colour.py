"""A new hair colour, for black, grey and blond hair."""

import numpy as np
import pytest

import seglib
from mask_shapes import disc, lab
from seglib import SeglibError
from seglib import postprocess as pp


def test_lift_zero_keeps_the_lightness():
    photo = seglib.sample_photo()
    dyed = pp.recolour_hair(photo, np.ones((512, 512)), (180, 60, 60), lift=0)
    change = np.abs(lab(dyed)[..., 0] - lab(photo)[..., 0])
    assert np.median(change) < 0.5
    assert np.percentile(change, 95) < 3
    assert np.abs(dyed.astype(int) - photo).mean() > 10
    # In HSV it is the value, the largest of red, green and blue, that stays.
    dyed = pp.recolour_hair_hsv(photo, np.ones((512, 512)), (200, 90, 40), lift=0)
    assert np.abs(dyed.max(axis=2).astype(int) - photo.max(axis=2)).max() <= 1


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


HAIR = {"black": (18, 16, 15), "grey": (130, 128, 126), "blond": (214, 186, 132)}
DYES = {"copper": (200, 90, 40), "blue": (40, 70, 190), "platinum": (230, 220, 200)}


def strands(color: tuple[int, int, int]) -> np.ndarray:
    """Hair of one colour with lighter and darker strands."""
    shade = 1 + 0.35 * np.sin(np.arange(64) * 0.7)
    columns = (shade[:, None] * np.array(color)).clip(0, 255)
    return np.rint(np.repeat(columns[None], 32, axis=0)).astype(np.uint8)


@pytest.mark.parametrize("hair", HAIR.values(), ids=HAIR)
@pytest.mark.parametrize("dye", DYES.values(), ids=DYES)
@pytest.mark.parametrize("recolour", [pp.recolour_hair, pp.recolour_hair_hsv])
def test_every_hair_takes_every_dye_and_keeps_its_strands(recolour, hair, dye):
    photo = strands(hair)
    dyed = recolour(photo, np.ones(photo.shape[:2]), dye)
    hue = lab(np.array(dye, np.uint8).reshape(1, 1, 3))[0, 0, 1:]
    before, after = (lab(picture)[..., 1:].mean(axis=(0, 1)) for picture in (photo, dyed))
    assert np.hypot(*(after - hue)) < max(0.75 * np.hypot(*(before - hue)), 12)
    lightness = [lab(picture)[0, :, 0] for picture in (photo, dyed)]
    order = np.argsort(lightness[0])
    assert (np.diff(lightness[1][order]) > -1.5).all()
    assert np.ptp(lightness[1]) > 0.4 * np.ptp(lightness[0])


@pytest.mark.parametrize("recolour", [pp.recolour_hair, pp.recolour_hair_hsv])
@pytest.mark.parametrize("hair", HAIR.values(), ids=HAIR)
def test_strength_is_a_slider(recolour, hair):
    photo, mask = strands(hair), np.ones((32, 64))
    steps = [
        recolour(photo, mask, (200, 90, 40), strength).astype(float)
        for strength in (0, 0.25, 0.5, 0.75, 1)
    ]
    assert np.abs(steps[0] - photo).max() <= 1
    moved = [np.abs(step - photo).mean() for step in steps]
    assert (np.diff(moved) > 0).all()


def test_multiplying_cannot_dye_black_hair():
    photo, mask = strands(HAIR["black"]), np.ones((32, 64))
    multiplied, dyed = (f(photo, mask, (255, 0, 0)) for f in (pp.multiply_hair, pp.recolour_hair))
    assert multiplied[..., 0].mean() <= photo[..., 0].mean()
    assert dyed[..., 0].mean() > 4 * photo[..., 0].mean()
    assert np.array_equal(pp.multiply_hair(photo, mask, (9, 9, 9), strength=0), photo)


DYERS = (pp.recolour_hair, pp.recolour_hair_hsv, pp.multiply_hair)


@pytest.mark.parametrize("recolour", DYERS)
def test_a_colour_may_be_written_as_on_a_web_page(recolour):
    photo, mask = strands(HAIR["grey"]), np.ones((32, 64))
    wanted = recolour(photo, mask, (255, 0, 0))
    assert all(np.array_equal(recolour(photo, mask, c), wanted) for c in ("#f00", "#FF0000", "red"))


@pytest.mark.parametrize("recolour", DYERS)
@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"color": (1, 2)}, "colour"),
        ({"color": (1, 2, 256)}, "256"),
        ({"color": "#12"}, "#12"),
        ({"color": None}, "None"),
        ({"color": (1, 2, 3), "strength": 1.1}, "strength"),
        ({"color": (1, 2, 3), "strength": float("nan")}, "strength"),
    ],
)
def test_recolour_refuses(recolour, options, word):
    with pytest.raises(SeglibError, match=word):
        recolour(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2)), **options)
