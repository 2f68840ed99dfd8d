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
    named["picture"], named["code"] = box.children[-2:]
    return named


def picture(box) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(parts(box)["picture"].value)))


def code(box) -> str:
    return parts(box)["code"].value


def test_each_view_is_what_a_pipeline_makes(photo, mask) -> None:
    config = postprocess.PostprocessConfig(opening=0.03)
    alpha = postprocess.Pipeline(config).alpha(photo, mask)
    shown = {view: widgets.draw(photo, mask, config, view) for view in widgets.VIEWS}
    assert np.array_equal(shown["overlay"], seglib.viz.overlay(photo, alpha))
    assert np.array_equal(shown["mask"][..., 1], np.rint(alpha * 255))
    for view in set(widgets.VIEWS) - {"overlay", "mask"}:
        own = postprocess.Pipeline(dataclasses.replace(config, effect=view))(photo, mask)
        assert np.array_equal(shown[view], own), view


def test_the_networks_small_mask_is_enlarged_and_an_unknown_view_refused(photo, mask) -> None:
    small = np.ascontiguousarray(mask[::4, ::4])
    assert widgets.draw(photo, small).shape == photo.shape
    with pytest.raises(seglib.SeglibError, match="overlay"):
        widgets.draw(photo, mask, view="depth")


def test_moving_a_slider_redraws(photo, mask) -> None:
    box = widgets.postprocess_explorer(photo, mask)
    assert np.array_equal(picture(box), widgets.draw(photo, mask))
    assert code(box) == 'preset("default")'
    parts(box)["largest piece only"].value = True
    parts(box)["opening"].value = 0.02
    config = postprocess.preset("default", largest=True, opening=0.02)
    assert np.array_equal(picture(box), widgets.draw(photo, mask, config))
    assert code(box) == 'preset("default", opening=0.02, largest=True)'
    parts(box)["show"].value = "mask"
    assert picture(box)[6, 6].tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", postprocess.PRESETS)
def test_a_preset_sets_the_sliders_and_stays_itself(name: str, photo, mask) -> None:
    box = widgets.postprocess_explorer(photo, mask)
    parts(box)["show"].value = "mask"
    parts(box)["preset"].value = name
    config = postprocess.preset(name)
    assert code(box) == f'preset("{name}")'
    assert parts(box)["upsample"].value == config.upsample
    assert np.array_equal(picture(box), widgets.draw(photo, mask, config, "mask"))


def test_the_code_below_the_picture_makes_its_settings(photo, mask) -> None:
    box = widgets.postprocess_explorer(photo, mask)
    parts(box)["preset"].value = "portrait-webcam"
    parts(box)["closing"].value = 0.013
    parts(box)["curve"].value = "smoothstep"
    parts(box)["low, high"].value = (0.35, 0.6)
    config = eval(code(box), {"preset": postprocess.preset})
    assert (config.closing, config.curve, config.low, config.high, config.level) == (
        *(0.013, "smoothstep", 0.35, 0.6),
        0.5,
    )
    assert np.array_equal(picture(box), widgets.draw(photo, mask, config))


def test_the_player_goes_through_the_frames(photo) -> None:
    frames = [photo, np.ascontiguousarray(photo[::-1]), np.zeros_like(photo)]
    box = widgets.player(frames, fps=10)
    (play, slider), shown = box.children[0].children, box.children[1]
    assert play.interval == 100 and slider.max == 2

    def far(frame: np.ndarray) -> float:
        seen = np.asarray(Image.open(io.BytesIO(shown.value)))
        return float(np.abs(seen.astype(float) - frame).mean())

    assert far(frames[0]) < 6 < far(frames[1])
    slider.value = 1
    assert far(frames[1]) < 6
    play.value = 2
    assert far(frames[2]) < 6


@pytest.mark.parametrize(("frames", "fps"), [([], 10), ([np.zeros((4, 4, 3), np.uint8)], 0)])
def test_what_cannot_be_played_is_refused(frames: list, fps: float) -> None:
    with pytest.raises(seglib.SeglibError, match="above 0"):
        widgets.player(frames, fps)


@pytest.mark.parametrize("explorer", [widgets.postprocess_explorer, widgets.augment_explorer])
def test_what_is_no_mask_is_refused_and_a_missing_package_named(
    explorer, photo, mask, monkeypatch
) -> None:
    with pytest.raises(seglib.SeglibError):
        explorer(photo, np.zeros((4, 4, 2), np.float32))
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(seglib.SeglibError, match="pip install ipywidgets"):
        explorer(photo, mask)


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
    first = picture(box)
    assert first.shape == (256, 512, 3)
    assert np.array_equal(first[:128, :128], widgets.views(photo, mask, count=1)[0])
    assert code(box) == "AugmentConfig()"
    sliders = parts(box)
    assert {*widgets.SLIDERS, "zoom", "crop", "seed"} <= set(sliders)
    sliders["rotate"].value = 45
    assert not np.array_equal(picture(box), first)
    sliders["zoom"].value = (0.5, 1.5)
    assert code(box) == "AugmentConfig(rotate=45.0, zoom=(0.5, 1.5))"
    before = picture(box)
    sliders["seed"].value = 7
    assert not np.array_equal(picture(box), before)


def test_the_spelled_policy_is_the_policy() -> None:
    config = AugmentConfig(flip=0.0, zoom=(0.9, 1.1), jpeg=0.1 + 0.2)
    assert widgets.to_code(config) == "AugmentConfig(flip=0.0, zoom=(0.9, 1.1), jpeg=0.3)"
