"""The pipeline: settings, presets, and a fast way that agrees with the exact one."""

import dataclasses
import gc
import threading

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seglib
from mask_shapes import disc, random_mask
from seglib import SeglibError
from seglib import postprocess as pp
from seglib.images import resize
from seglib.postprocess import bands
from seglib.postprocess import pipeline as pipeline_module

EFFECTS = {
    "blur": {"effect": "blur"},
    "narrow blur": {"effect": "blur", "sigma": 0.005},
    "wide blur": {"effect": "blur", "sigma": 0.08},
    "no blur": {"effect": "blur", "sigma": 0},
    "bokeh": {"effect": "bokeh", "sigma": 0.04},
    "grey": {"effect": "grey"},
    "replace": {"effect": "replace"},
    "replace, plain": {"effect": "replace", "foreground": False},
    "replace, light": {"effect": "replace", "light": 0.7, "foreground": False},
    "replace, linear": {"effect": "replace", "linear": True, "foreground": False},
    "replace, all": {"effect": "replace", "linear": True, "light": 0.5},
    "replace, transfer": {"effect": "replace", "transfer": 0.8},
    "clone": {"effect": "clone"},
    "recolour": {"effect": "recolour", "color": (190, 30, 60)},
    "recolour, half": {"effect": "recolour", "color": (240, 220, 90), "strength": 0.5},
    "recolour, black": {"effect": "recolour", "color": (0, 0, 0), "lift": 1.0},
    "recolour, HSV": {"effect": "recolour", "space": "hsv", "strength": 0.7},
    "multiply": {"effect": "multiply", "color": (200, 90, 40)},
    "linear enlargement": {"upsample": "linear", "curve": "none"},
    "bilateral enlargement": {"upsample": "bilateral", "curve": "gain"},
}


def scene_for(config: pp.PostprocessConfig, shape: tuple[int, ...]) -> np.ndarray | None:
    """A background where the effect wants one, of another size than the frame."""
    if config.effect not in ("replace", "clone"):
        return None
    return np.ascontiguousarray(resize(seglib.sample_photo(), (shape[0] + 7, shape[1] + 30))[::-1])


def small_mask(seed: int = 0) -> np.ndarray:
    """A mask as a network gives it: a soft disc with a hole, a speck and noise."""
    mask = np.maximum(disc(128, 40, soft=9), 0.6 * disc(128, 5))
    mask[20:23, 100:104] = 0.8
    mask += random_mask(128, 128, seed) * 0.1 - 0.05
    return mask.clip(0, 1)


@pytest.mark.parametrize("changes", EFFECTS.values(), ids=EFFECTS)
@pytest.mark.parametrize("size", [(360, 640), (237, 151)])
def test_the_fast_way_is_the_exact_way(changes, size):
    config = pp.PostprocessConfig(**changes)
    pipeline = pp.Pipeline(config)
    photo = pp.cover(seglib.sample_photo(), size)
    scene = scene_for(config, photo.shape)
    fast, exact = pipeline(photo, small_mask(), scene), pipeline.exact(photo, small_mask(), scene)
    assert fast.shape == photo.shape
    assert fast.dtype == np.uint8
    difference = np.abs(fast.astype(int) - exact)
    assert difference.max() <= 2
    assert difference.mean() < 0.5
    assert config.sigma == 0 or not np.array_equal(fast, photo)


@pytest.mark.parametrize(
    "name", ["blur", "bokeh", "grey", "replace, all", "replace, transfer", "recolour, half"]
)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_any_sizes_go_together(name, height, width, side, seed):
    config = pp.PostprocessConfig(**EFFECTS[name])
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = random_mask(side, side // 3 + 1, seed)
    pipeline = pp.Pipeline(config, threads=1)
    scene = scene_for(config, image.shape)
    fast, exact = pipeline(image, mask, scene), pipeline.exact(image, mask, scene)
    assert np.abs(fast.astype(int) - exact).max() <= 2
    alpha = pipeline.alpha(image, mask)
    assert alpha.shape == (height, width)
    assert alpha.dtype == np.float32
    assert 0 <= alpha.min() <= alpha.max() <= 1


@pytest.mark.parametrize("effect", ["blur", "bokeh", "grey", "recolour"])
def test_a_grey_picture_of_one_level_stays_as_it_is(effect):
    image = np.full((90, 130, 3), 118, np.uint8)
    # A dye of the hair's own colour is no dye.
    config = pp.PostprocessConfig(effect=effect, color=(118, 118, 118))
    frame = pp.Pipeline(config)(image, small_mask())
    assert np.abs(frame.astype(int) - 118).max() <= 1


def test_sure_pixels_are_copied():
    photo = seglib.sample_photo()
    scene = scene_for(pp.PostprocessConfig(effect="replace"), photo.shape)
    pipeline = pp.Pipeline(pp.PostprocessConfig(effect="replace"))
    alpha = pipeline.alpha(photo, small_mask())
    frame = pipeline(photo, small_mask(), scene)
    assert np.array_equal(frame[alpha == 1], photo[alpha == 1])
    assert np.array_equal(frame[alpha == 0], pp.cover(scene, (512, 512))[alpha == 0])
    assert (alpha == 1).mean() > 0.2
    assert (alpha == 0).mean() > 0.5


def test_an_empty_mask_leaves_nothing_of_the_person_and_a_full_one_all():
    photo, empty = seglib.sample_photo()[:100], np.zeros((16, 16))
    dye = pp.Pipeline(pp.PostprocessConfig(effect="recolour"))
    assert np.array_equal(dye(photo, empty), photo)
    replace = pp.Pipeline(pp.PostprocessConfig(effect="replace", light=1))
    assert np.array_equal(replace(photo, empty, photo[::-1].copy()), photo[::-1])
    blurred = pp.Pipeline()(photo, np.ones((16, 16)))
    assert np.array_equal(blurred, photo)


def test_threads_and_earlier_frames_change_nothing():
    photos = [pp.cover(seglib.sample_photo(), size) for size in ((300, 400), (200, 500))]
    config = pp.PostprocessConfig(effect="replace")
    several, scene = pp.Pipeline(config, threads=3), seglib.sample_photo()
    for seed, photo in enumerate([*photos, photos[0], photos[0]]):
        mask = small_mask(seed)
        alone = pp.Pipeline(config, threads=1)(photo, mask, scene)
        assert np.array_equal(several(photo, mask, scene), alone)


@pytest.mark.parametrize("name", ["blur", "replace, all", "recolour"])
def test_a_large_photo_takes_the_way_that_saves_memory(name, monkeypatch):
    photo, config = seglib.sample_photo(), pp.PostprocessConfig(**EFFECTS[name])
    scene = scene_for(config, photo.shape)
    small = pp.Pipeline(config)(photo, small_mask(), scene)
    monkeypatch.setattr(pipeline_module, "KEPT_PIXELS", 1000)
    monkeypatch.setattr(pipeline_module, "WHOLE_PIXELS", 1000)
    monkeypatch.setattr(bands, "WHOLE_PIXELS", 1000)
    large = pp.Pipeline(config)(photo, small_mask(), scene)
    assert np.abs(small.astype(int) - large).max() <= 2


def test_a_frame_is_not_overwritten_by_the_next_one():
    photo, pipeline = seglib.sample_photo(), pp.Pipeline()
    first = pipeline(photo, small_mask(1))
    kept = first.copy()
    alpha = pipeline.alpha(photo, small_mask(1))
    kept_alpha = alpha.copy()
    pipeline(photo[::-1].copy(), small_mask(2))
    assert np.array_equal(first, kept)
    assert np.array_equal(alpha, kept_alpha)


def test_out_is_written_to_and_must_fit():
    photo, pipeline = seglib.sample_photo(), pp.Pipeline()
    out = np.empty_like(photo)
    assert pipeline(photo, small_mask(), out=out) is out
    assert np.array_equal(out, pipeline(photo, small_mask()))
    for wrong in (out[:9], photo, out.astype(float)):
        with pytest.raises(SeglibError, match="out"):
            pipeline(photo, small_mask(), out=wrong)


def test_one_pipeline_serves_several_threads():
    photo, pipeline = seglib.sample_photo(), pp.Pipeline()
    wanted = [pp.Pipeline()(photo, small_mask(seed)) for seed in range(4)]
    found: dict[int, np.ndarray] = {}

    def work(seed: int) -> None:
        for _ in range(3):
            found[seed] = pipeline(photo, small_mask(seed))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[seed], wanted[seed]) for seed in range(4))


def test_pipelines_leave_no_threads_behind():
    before = threading.active_count()
    for _ in range(20):
        pp.Pipeline(threads=2)(seglib.sample_photo()[:64], small_mask())
    gc.collect()
    assert threading.active_count() <= before + 4


def test_inputs_are_left_alone():
    photo, mask, scene = seglib.sample_photo(), small_mask(), seglib.sample_photo()[::-1].copy()
    copies = photo.copy(), mask.copy(), scene.copy()
    pp.Pipeline(pp.PostprocessConfig(effect="replace", light=1))(photo, mask, scene)
    pp.Pipeline()(photo, mask)
    for one, other in zip((photo, mask, scene), copies, strict=True):
        assert np.array_equal(one, other)


def test_cleaning_drops_the_speck_and_fills_the_hole():
    mask = disc(128, 40, soft=9)
    mask[20:23, 100:104] = 0.8
    mask[62:66, 62:66] = 0.2
    cleaned = pp.Pipeline().clean(mask)
    assert not cleaned[20:23, 100:104].any()
    assert (cleaned[62:66, 62:66] == 1).all()


def test_a_mask_as_large_as_the_photo_is_cleaned_small():
    photo, large = seglib.sample_photo(), resize(small_mask(), (512, 512))
    pipeline = pp.Pipeline()
    assert pipeline.clean(large).shape == (256, 256)
    small, whole = pipeline.alpha(photo, small_mask()), pipeline.alpha(photo, large)
    assert np.abs(small - whole).mean() < 0.02
    keep = pp.Pipeline(pp.PostprocessConfig(size=None))
    assert keep.clean(large).shape == (512, 512)


def test_settings_without_steps_hand_the_mask_through():
    photo, mask = seglib.sample_photo(), small_mask()
    pipeline = pp.Pipeline(pp.preset("fast-portrait"))
    assert np.allclose(pipeline.alpha(photo, mask), resize(mask, (512, 512)), atol=1e-6)


@pytest.mark.parametrize("name", pp.PRESETS)
def test_every_preset_runs_and_says_where_it_comes_from(name):
    preset = pp.PRESETS[name]
    assert preset.source
    assert preset.note
    pipeline = pp.Pipeline(preset.config)
    photo = pp.cover(seglib.sample_photo(), (120, 160))
    scene = scene_for(preset.config, photo.shape)
    frame, exact = (way(photo, small_mask(), scene) for way in (pipeline, pipeline.exact))
    assert not np.array_equal(frame, photo)
    assert np.abs(frame.astype(int) - exact).max() <= 2


def test_the_webcam_preset_does_what_its_script_did():
    mask = small_mask()
    blurred = cv2.GaussianBlur((mask >= 0.5).astype(np.float32), (5, 5), 1)
    cleaned = pp.Pipeline(pp.preset("portrait-webcam")).clean(mask)
    # The window of 5 pixels cuts off the tails of the Gaussian.
    assert np.abs(cleaned - blurred)[3:-3, 3:-3].max() < 0.02


def test_presets_take_changes_and_refuse_unknown_ones():
    assert pp.preset("portrait-webcam", effect="grey").effect == "grey"
    assert pp.preset("default") == pp.PostprocessConfig()
    with pytest.raises(SeglibError, match="no preset 'webcam'"):
        pp.preset("webcam")
    with pytest.raises(SeglibError, match="no setting colour"):
        pp.preset("default", colour=(1, 2, 3))
    with pytest.raises(TypeError):
        pp.PRESETS["mine"] = None


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"effect": "glow"}, "blur, bokeh, grey"),
        ({"upsample": "cubic"}, "linear, guided"),
        ({"curve": "sigmoid"}, "smoothstep"),
        ({"space": "rgb"}, "hsv"),
        ({"sigma": 18}, "share of the shorter side"),
        ({"radius": -0.1}, "radius"),
        ({"blur": float("nan")}, "blur"),
        ({"strength": 2}, "strength"),
        ({"low": 0.7, "high": 0.3}, "0.7 to 0.3"),
        ({"hysteresis": (0.9, 0.5)}, "hysteresis"),
        ({"hysteresis": (0.9,)}, "hysteresis"),
        ({"level": 1.5}, "level"),
        ({"eps": 0}, "eps"),
        ({"size": 0}, "size"),
        ({"color": (1, 2)}, "colour"),
        ({"color": (1, 2, 300)}, "300"),
    ],
)
def test_bad_settings_are_refused(changes, word):
    with pytest.raises(SeglibError, match=word):
        pp.PostprocessConfig(**changes)


def test_bad_calls_are_refused():
    photo, mask = seglib.sample_photo(), small_mask()
    replace = pp.Pipeline(pp.PostprocessConfig(effect="replace"))
    with pytest.raises(SeglibError, match="needs a background"):
        replace(photo, mask)
    with pytest.raises(SeglibError, match="no use for a background"):
        pp.Pipeline()(photo, mask, photo)
    with pytest.raises(SeglibError, match="background has shape"):
        replace(photo, mask, photo[..., :2])
    with pytest.raises(SeglibError, match="0 to 1"):
        pp.Pipeline()(photo, mask * 300)
    with pytest.raises(SeglibError, match="threads"):
        pp.Pipeline(threads=0)


def test_settings_are_values():
    config = pp.PostprocessConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.effect = "grey"
    assert {config: 1}[pp.PostprocessConfig()] == 1
    assert repr(pp.Pipeline(pp.preset("default", effect="grey"))) == "Pipeline(effect='grey')"
