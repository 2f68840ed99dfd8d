"""The explorers' pictures follow their sliders."""

import dataclasses
import io
import sys

import numpy as np
import pytest
from PIL import Image

import seglib
import seglib.viz
from seglib import postprocess, widgets
from seglib.data import AugmentConfig


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.ascontiguousarray(seglib.sample_photo()[::4, ::4])


@pytest.fixture(scope="module")
def mask(photo: np.ndarray) -> np.ndarray:
    """A large soft disc, a speck beside it and a hole in it."""
    rows, columns = np.indices(photo.shape[:2])
    disc = np.clip(40 - np.hypot(rows - 64, columns - 64), 0, 1)
    disc[60:63, 60:63] = 0
    disc[4:12, 4:12] = 1
    return disc.astype(np.float32)


def parts(box) -> dict:
    named = {getattr(child, "description", ""): child for child in box.children}
    named["picture"], named["area"] = box.children[-2:]
    return named


def picture(box) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(parts(box)["picture"].value)))


def test_steps_at_zero_change_nothing_but_the_stretch(mask) -> None:
    assert np.array_equal(widgets.clean(mask), postprocess.smoothstep(mask, 0.3, 0.7))


def test_each_step_does_its_work(mask) -> None:
    assert widgets.clean(mask, opening=5)[6, 6] == 0
    assert widgets.clean(mask, closing=2)[61, 61] == 1
    largest = widgets.clean(mask, largest=True)
    assert largest[6, 6] == 0 and largest[64, 80] == 1
    assert 0 < widgets.clean(mask, blur=3)[64, 106] < 1
    assert set(np.unique(widgets.clean(mask, low=0.5, high=0.5))) == {0, 1}


@pytest.mark.parametrize("view", widgets.VIEWS)
def test_every_view_is_a_picture_of_the_photos_size(view: str, photo, mask) -> None:
    drawn = widgets.draw(photo, mask, view)
    assert drawn.shape == photo.shape and drawn.dtype == np.uint8
    assert not np.array_equal(drawn, photo)


def test_an_unknown_view_lists_the_views(photo, mask) -> None:
    with pytest.raises(seglib.SeglibError, match="overlay"):
        widgets.draw(photo, mask, "depth")


def test_moving_a_slider_redraws(photo, mask) -> None:
    box = widgets.postprocess_explorer(photo, mask)
    before, said = picture(box), parts(box)["area"].value
    assert np.array_equal(before, widgets.draw(photo, widgets.clean(mask), "overlay"))
    parts(box)["largest piece only"].value = True
    assert np.array_equal(
        picture(box), widgets.draw(photo, widgets.clean(mask, largest=True), "overlay")
    )
    assert parts(box)["area"].value != said
    parts(box)["show"].value = "mask"
    assert picture(box)[6, 6].tolist() == [0, 0, 0]


def test_sizes_that_do_not_fit_are_refused(photo) -> None:
    with pytest.raises(seglib.SeglibError):
        widgets.postprocess_explorer(photo, np.zeros((4, 4), np.float32))


def test_without_ipywidgets_the_way_out_is_named(photo, mask, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(seglib.SeglibError, match="pip install ipywidgets"):
        widgets.postprocess_explorer(photo, mask)


def shown_views(box) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(box.children[-2].value)))


def test_views_move_photo_and_mask_together(photo, mask) -> None:
    still = AugmentConfig(**dict.fromkeys(widgets.SLIDERS, 0), zoom=(1, 1))
    plain = widgets.views(photo, mask, still, count=2)
    exact = seglib.viz.overlay(photo, np.rint(mask * 255) / np.float32(255))
    assert np.array_equal(plain[0], exact)
    assert np.array_equal(plain[0], plain[1])
    flipped = widgets.views(photo, mask, dataclasses.replace(still, flip=1.0), count=1)[0]
    assert np.mean(flipped != exact[:, ::-1]) < 0.05  # the outline lies on one side of an edge


def test_a_view_depends_on_seed_and_number_alone(photo, mask) -> None:
    eight, two = widgets.views(photo, mask, seed=3), widgets.views(photo, mask, seed=3, count=2)
    assert all(np.array_equal(a, b) for a, b in zip(eight, two, strict=False))
    assert not np.array_equal(eight[0], eight[1])
    assert not np.array_equal(eight[0], widgets.views(photo, mask, seed=4)[0])


def test_the_augmentation_explorer_follows_its_sliders(photo, mask) -> None:
    box = widgets.augment_explorer(photo, mask)
    first = shown_views(box)
    assert first.shape == (256, 512, 3)
    assert np.array_equal(first[:128, :128], widgets.views(photo, mask, count=1)[0])
    assert box.children[-1].value == "AugmentConfig()"
    sliders = {getattr(child, "description", ""): child for child in box.children}
    assert {*widgets.SLIDERS, "zoom", "crop", "seed"} <= set(sliders)
    sliders["rotate"].value = 45
    assert not np.array_equal(shown_views(box), first)
    sliders["zoom"].value = (0.5, 1.5)
    assert box.children[-1].value == "AugmentConfig(rotate=45.0, zoom=(0.5, 1.5))"
    before = shown_views(box)
    sliders["seed"].value = 7
    assert not np.array_equal(shown_views(box), before)


def test_rows_that_are_not_full_are_filled_with_white(photo, mask) -> None:
    shown = shown_views(widgets.augment_explorer(photo, mask, columns=3))
    assert shown.shape == (384, 384, 3)
    assert (shown[256:, 256:] == 255).all() and not (shown[256:, 128:256] == 255).all()


def test_the_spelled_policy_is_the_policy() -> None:
    config = AugmentConfig(flip=0.0, zoom=(0.9, 1.1), jpeg=0.1 + 0.2)
    assert widgets.spell(config) == "AugmentConfig(flip=0.0, zoom=(0.9, 1.1), jpeg=0.3)"


def test_the_augmentation_explorer_refuses_what_does_not_fit(photo, mask, monkeypatch) -> None:
    with pytest.raises(seglib.SeglibError):
        widgets.augment_explorer(photo, mask[:-1])
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(seglib.SeglibError, match="pip install ipywidgets"):
        widgets.augment_explorer(photo, mask)
