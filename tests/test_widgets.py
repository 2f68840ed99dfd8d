"""The explorer's picture follows its sliders."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

import seglib
from seglib import postprocess, widgets


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
