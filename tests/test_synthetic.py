"""Synthetic portraits: the same seed, the same portrait; labels and alpha that agree."""

import itertools
import os
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglib import SeglibError
from seglib.data import synthetic
from seglib.data.synthetic import LABELS, SKIN_TONES, STYLES, PortraitConfig
from seglib.data.workers import spread

SHARP = PortraitConfig(empty=0, back_view=0, hat=0, hand=0, grey=0, jpeg=0, backlight=0, company=0,
                       overlay=0, sharpen=0, blur=(0, 0), noise=(0, 0), framing=(0, 1, 0, 0))


def only(style: str, **changes) -> PortraitConfig:
    """A plain config that draws one hair cut."""
    return replace(SHARP, styles=tuple(float(name == style) for name in STYLES), **changes)


@pytest.fixture(scope="module")
def many() -> synthetic.Portraits:
    return synthetic.portraits(120, size=64, seed=11)


@pytest.fixture(scope="module")
def crowd() -> list[synthetic.Portrait]:
    return [synthetic.draw((5, i), 32, SHARP) for i in range(500)]


def test_a_seed_draws_the_pictures_of_its_version():
    known = {2: ((210, 206, 208), (0.684, 0.0, 0.213, 0.103), "bald", 8),
             6: ((83, 83, 83), (0.686, 0.026, 0.103, 0.185), "bun", 4),
             9: ((151, 134, 131), (0.622, 0.0, 0.376, 0.002), "bald", 3)}
    for seed, (colour, shares, style, tone) in known.items():
        portrait = synthetic.draw((3, seed), 64)
        assert (portrait.style, portrait.tone) == (style, tone)
        np.testing.assert_allclose(portrait.image.mean((0, 1)), colour, atol=1)
        found = np.bincount(portrait.labels.ravel(), minlength=4) / 64**2
        np.testing.assert_allclose(found, shares, atol=0.002)
    checksum = 0
    for size, seed in itertools.product((32, 64, 150, 300), range(8)):
        portrait = synthetic.draw((4, seed), size)
        for plane in (portrait.image, portrait.labels, portrait.alpha):
            checksum = zlib.crc32(np.ascontiguousarray(plane), checksum)
    # Releases of OpenCV draw borders differently; within one, every bit is the same.
    assert synthetic.VERSION == 2 and (checksum == 3281618091 or cv2.__version__ != "5.0.0")


def test_a_portrait_depends_on_its_seed_alone():
    few, more = synthetic.portraits(2, 48, seed=7), synthetic.portraits(4, 48, seed=7)
    for name in ("images", "labels", "alphas"):
        np.testing.assert_array_equal(getattr(few, name), getattr(more, name)[:2])
    np.testing.assert_array_equal(more.images[3], synthetic.draw((7, 3), 48).image)
    assert not np.array_equal(few.images, synthetic.portraits(2, 48, seed=8).images)


def test_portraits_do_not_depend_on_the_workers():
    config = PortraitConfig(hat=np.float32(0.5), framing=np.array([0.2, 0.3, 0.4, 0.1]))
    alone, two, three = (synthetic.portraits(21, 32, 3, config, workers) for workers in (1, 2, 3))
    for name in ("images", "labels", "alphas"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(two, name))
        np.testing.assert_array_equal(getattr(alone, name), getattr(three, name))


def test_a_killed_worker_is_reported():
    with pytest.raises(SeglibError, match="a process died"):
        list(spread(os._exit, [0] * 24, workers=2))


@settings(max_examples=12, deadline=None)
@given(size=st.integers(32, 300), seed=st.integers(0, 2**40))
def test_any_size_and_seed(size, seed):
    portrait = synthetic.draw(seed, size)
    assert portrait.image.shape == (size, size, 3) and portrait.image.dtype == np.uint8
    assert portrait.labels.shape == (size, size) and portrait.labels.dtype == np.uint8
    assert portrait.alpha.shape == (size, size) and portrait.alpha.dtype == np.float32
    assert portrait.labels.max() < len(LABELS)
    assert portrait.alpha.min() >= 0 and portrait.alpha.max() <= 1


def test_a_larger_picture_shows_the_same_person():
    for seed in range(6):
        small, large = (synthetic.draw(seed, size, SHARP) for size in (64, 128))
        assert (small.tone, small.style) == (large.tone, large.style)
        shrunk = large.alpha.reshape(64, 2, 64, 2).mean((1, 3))
        both = np.minimum(small.alpha, shrunk).sum() / np.maximum(small.alpha, shrunk).sum()
        assert both > 0.9
        shrunk = large.image.astype(float).reshape(64, 2, 64, 2, 3).mean((1, 3))
        assert np.abs(shrunk - small.image).mean() < 15


def test_labels_are_the_layers_that_cover_most(many):
    alpha = many.alphas / 255
    assert (many.labels[alpha > 0.76] > 0).all()
    assert (many.labels[alpha < 0.24] == 0).all()
    assert 0.005 < ((alpha > 0.05) & (alpha < 0.95)).mean() < 0.15
    shares = np.bincount(many.labels.ravel(), minlength=4) / many.labels.size
    assert 0.3 < shares[0] < 0.75 and (shares[1:] > 0.06).all()


def covered(config: PortraitConfig, label: int) -> float:
    """How much of 20 pictures a label covers; 0 stands for the whole person."""
    drawn = [synthetic.draw((1, i), 48, config) for i in range(20)]
    return float(np.mean([p.labels == label if label else p.alpha for p in drawn]))


@pytest.mark.parametrize(("less", "more", "label", "factor"), [
    (SHARP, replace(SHARP, company=1), 0, 1.1),
    (replace(SHARP, overlay=1), SHARP, 0, 1.01),
    (replace(SHARP, framing=(0, 0, 0, 1)), replace(SHARP, framing=(1, 0, 0, 0)), 0, 2),
    (only("bob"), only("bob", back_view=1), 1, 1.2),
    (only("bob", back_view=1), only("bob"), 2, 1.4),
    (only("buzz"), only("long"), 1, 2),
    (only("bald"), only("buzz"), 1, 1),
])
def test_a_config_does_what_it_says(less, more, label, factor):
    assert covered(more, label) > factor * covered(less, label)


def test_nobody_in_an_empty_picture_and_no_colour_in_a_grey_one():
    for i in range(10):
        config = PortraitConfig(empty=1, passers_by=1, overlay=1, grey=1, noise=(0, 0), jpeg=0)
        portrait = synthetic.draw(i, 64, config)
        assert portrait.tone == -1 and portrait.style == "" and portrait.image.std() > 0
        assert not portrait.labels.any() and not portrait.alpha.any()
        assert np.ptp(portrait.image.astype(int), axis=2).max() == 0


def test_skin_tones_are_balanced(crowd):
    counts = np.bincount([p.tone for p in crowd], minlength=len(SKIN_TONES))
    expected = len(crowd) / len(SKIN_TONES)
    # 99.9 % of fair draws of ten tones give a chi-square below 27.9.
    assert ((counts - expected) ** 2 / expected).sum() < 27.9


def test_pictures_show_their_skin_tone(crowd):
    brightness = {tone: [] for tone in range(len(SKIN_TONES))}
    for p in crowd:
        brightness[p.tone].append(p.image[p.labels == 2].mean())
    means = [np.mean(values) for values in brightness.values()]
    assert np.mean(means[:4]) > np.mean(means[4:7]) + 20 > np.mean(means[7:]) + 40


def test_every_hair_cut_turns_up(crowd):
    assert {p.style for p in crowd} == set(STYLES)
    assert len({p.image.tobytes() for p in crowd}) == len(crowd)


def test_dataset_of_every_kind(many):
    for kind in LABELS[1:]:
        dataset = many.dataset(kind)
        image, mask = dataset[5]
        assert len(dataset) == len(many)
        assert (dataset.name, dataset.kind) == ("synthetic", kind)
        np.testing.assert_array_equal(image, many.images[5])
        np.testing.assert_array_equal(mask > 0.5, many.labels[5] == LABELS.index(kind))
    _, mask = many.dataset("person")[5]
    np.testing.assert_allclose(mask, many.alphas[5] / 255, atol=1e-6)
    with pytest.raises(SeglibError, match="teeth"):
        many.dataset("teeth")


@pytest.mark.parametrize("bad", [
    {"empty": 1.5}, {"hat": -0.1}, {"framing": (1, 0, 0)}, {"framing": (0.5, 0.5, 0.5, 0)},
    {"styles": (0,) * len(STYLES)}, {"hair_tones": (0.9, 0.9, 0, 0, 0, 0)}, {"blur": (2, 1)},
    {"tilt": 400}, {"shift": -1}, {"stretch": (0, 1)},
])
def test_bad_config_is_refused(bad):
    with pytest.raises(SeglibError, match=next(iter(bad))):
        PortraitConfig(**bad)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: synthetic.draw(0, 31), "at least 32"),
        (lambda: synthetic.draw(-1), "seed"),
        (lambda: synthetic.portraits(0), "at least 1"),
        (lambda: synthetic.portraits(1, workers=0), "workers"),
        (lambda: synthetic.load("training"), "train, val"),
    ],
)
def test_bad_requests_are_refused(call, says):
    with pytest.raises(SeglibError, match=says):
        call()
