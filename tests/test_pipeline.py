"""The pipeline: settings, presets, the frames of edition 0.1, and pictures in every plain form."""

import dataclasses
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import seglib
from mask_shapes import disc, random_mask
from seglib import SeglibError
from seglib import postprocess as pp
from seglib.images import resize
from seglib.postprocess import masks

EFFECTS = {
    "blur": {},
    "narrow blur": {"sigma": 0.01},
    "wide blur": {"sigma": 0.2},
    "no blur": {"sigma": 0},
    "bokeh": {"effect": "bokeh", "sigma": 0.15},
    "grey": {"effect": "grey"},
    "replace": {"effect": "replace"},
    "replace, plain": {"effect": "replace", "foreground": False},
    "replace, light": {"effect": "replace", "light": 0.7, "foreground": False},
    "replace, linear": {"effect": "replace", "linear": True, "light": 0.5},
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
MORE = {
    "plain colour": {"effect": "replace", "background": "#00ff00"},
    "transparent": {"effect": "replace", "background": "transparent"},
}


def scene_for(config: pp.PostprocessConfig, shape: tuple[int, ...]) -> np.ndarray | None:
    """A background where the effect wants one, of another size than the frame."""
    if config.effect not in ("replace", "clone") or config.background is not None:
        return None
    return np.ascontiguousarray(resize(seglib.sample_photo(), (shape[0] + 7, shape[1] + 30))[::-1])


def small_mask(seed: int = 0, side: int = 128) -> np.ndarray:
    """A mask as a network gives it: a soft disc with a hole, a speck and noise."""
    scale = side / 128
    mask = np.maximum(disc(side, 40 * scale, soft=9 * scale), 0.6 * disc(side, 5 * scale))
    mask[round(20 * scale) : round(23 * scale), round(100 * scale) : round(104 * scale)] = 0.8
    mask += random_mask(side, side, seed) * 0.1 - 0.05
    return mask.clip(0, 1)


def test_frames_are_those_of_edition_0_1():
    photo = resize(seglib.sample_photo(), (64, 64))[8:56]
    mask = np.maximum(disc(48, 15, soft=4), 0.6 * disc(48, 3)) + random_mask(48, 48, 0) * 0.1 - 0.05
    scene = resize(seglib.sample_photo(), (80, 90))[::-1]
    # Composed in floating point, one step after the other, by what was `Pipeline.exact`.
    pinned = seglib.read_image(Path(__file__).parent / "postprocess_0.1.png")
    frames = np.split(pinned, len(EFFECTS))
    for (name, changes), wanted in zip(EFFECTS.items(), frames, strict=True):
        config = pp.PostprocessConfig(**changes)
        background = scene if config.effect in ("replace", "clone") else None
        frame = pp.Pipeline(config)(photo, mask.clip(0, 1), background)
        assert np.abs(frame.astype(int) - wanted).max() <= 1, name
        assert config.sigma == 0 or not np.array_equal(frame, photo), name


PICTURES = {
    "turned": lambda a: np.rot90(np.ascontiguousarray(np.rot90(a, -1))),
    "transposed": lambda a: np.ascontiguousarray(a.transpose(1, 0, 2)).transpose(1, 0, 2),
    "planes first": lambda a: np.ascontiguousarray(a.transpose(2, 0, 1)).transpose(1, 2, 0),
    "Fortran": np.asfortranarray,
    "mirrored": lambda a: np.ascontiguousarray(a[:, ::-1])[:, ::-1],
    "BGR viewed as RGB": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "every other pixel": lambda a: a.repeat(2, 0).repeat(2, 1)[::2, ::2],
    "read-only": lambda a: np.frombuffer(a.tobytes(), np.uint8).reshape(a.shape),
    "PIL": Image.fromarray,
    "RGBA": lambda a: np.dstack([a, np.full(a.shape[:2], 255, np.uint8)]),
    "float": lambda a: a / 255,
}
MASKS = {
    "float64": lambda m: m.astype(np.float64),
    "Fortran": np.asfortranarray,
    "turned": lambda m: np.rot90(np.ascontiguousarray(np.rot90(m, -1))),
    "one channel": lambda m: m[..., None],
    "grey levels": lambda m: np.rint(m * 255).astype(np.uint8),
    "PIL": lambda m: Image.fromarray(np.rint(m * 255).astype(np.uint8)),
    "read-only": lambda m: np.frombuffer(m.tobytes(), np.float32).reshape(m.shape),
}


@pytest.mark.parametrize("changes", (EFFECTS | MORE).values(), ids=EFFECTS | MORE)
def test_every_plain_form_gives_the_frame_of_the_contiguous_copy(changes):
    config = pp.PostprocessConfig(**changes)
    pipeline = pp.Pipeline(config)
    photo = np.ascontiguousarray(resize(seglib.sample_photo(), (45, 60)))
    mask = np.rint(small_mask(3, 32) * 255).astype(np.float32) / 255
    scene = scene_for(config, photo.shape)
    wanted = pipeline(photo, mask, scene)
    for name, form in PICTURES.items():
        given = None if scene is None else form(scene)
        assert np.array_equal(pipeline(form(photo), mask, given), wanted), name
    for name, form in MASKS.items():
        assert np.array_equal(pipeline(photo, form(mask), scene), wanted), name


@pytest.mark.parametrize(
    "name", ["blur", "bokeh", "grey", "replace, linear", "replace, transfer", "recolour, half"]
)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_any_sizes_go_together(name, height, width, side, seed):
    config = pp.PostprocessConfig(**EFFECTS[name])
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = random_mask(side, side // 3 + 1, seed)
    pipeline = pp.Pipeline(config)
    assert pipeline(image, mask, scene_for(config, image.shape)).shape == image.shape
    alpha = pipeline.alpha(image, mask)
    assert alpha.shape == (height, width)
    assert alpha.dtype == np.float32
    assert 0 <= alpha.min() <= alpha.max() <= 1


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
    assert np.array_equal(replace(photo, empty, photo[::-1]), photo[::-1])
    assert not replace(photo, empty, "transparent").any()
    assert np.array_equal(pp.Pipeline()(photo, np.ones((16, 16))), photo)


def test_a_colour_may_stand_behind_the_person():
    photo, mask = seglib.sample_photo(), small_mask()
    replace = pp.Pipeline(pp.PostprocessConfig(effect="replace"))
    green = np.full_like(photo, (0, 255, 0))
    wanted = replace(photo, mask, green)
    assert np.array_equal(replace(photo, mask, "#00ff00"), wanted)
    alpha = replace.alpha(photo, mask)
    assert np.array_equal(pp.replace_background(photo, alpha, "#0f0", foreground=True), wanted)
    config = pp.PostprocessConfig(effect="replace", background="#0f0")
    assert np.array_equal(pp.Pipeline(config)(photo, mask), wanted)
    # What a call names goes before what the config names.
    assert np.array_equal(pp.Pipeline(config)(photo, mask, photo), replace(photo, mask, photo))


def test_a_cut_out_has_the_persons_own_colours_and_nothing_of_the_background(tmp_path):
    alpha = disc(160, 50, soft=8)
    person, old = (np.full((160, 160, 3), c, np.uint8) for c in ((180, 120, 90), (0, 220, 0)))
    photo = pp.alpha_blend(person, old, alpha)
    cut = pp.cut_out(photo, alpha)
    assert cut.shape == (160, 160, 4) and cut.dtype == np.uint8
    assert np.array_equal(cut[..., 3], np.rint(alpha * 255))
    assert not cut[alpha == 0].any()
    sure = alpha > 0.1
    assert np.abs(cut[..., :3].astype(int) - person)[sure].mean() < 8
    plain = pp.cut_out(photo, alpha, foreground=False)
    assert np.array_equal(plain[..., :3][sure], photo[sure])
    # Laid over anything, by whatever program reads the file, it is the replaced background.
    Image.fromarray(cut).save(tmp_path / "me.png")
    blue = Image.new("RGBA", (160, 160), (0, 0, 255, 255))
    laid = Image.alpha_composite(blue, Image.open(tmp_path / "me.png")).convert("RGB")
    frame = pp.replace_background(photo, alpha, np.array(blue)[..., :3], foreground=True)
    assert np.abs(np.array(laid).astype(int) - frame).max() <= 2


@pytest.mark.parametrize("name", ["blur", "bokeh", "replace, linear", "recolour", "transparent"])
def test_bands_leave_no_seams(name, monkeypatch):
    photo, config = seglib.sample_photo(), pp.PostprocessConfig(**(EFFECTS | MORE)[name])
    whole = pp.Pipeline(config)(photo, small_mask(), scene_for(config, photo.shape))
    monkeypatch.setattr(masks, "BAND_PIXELS", 512 * 7)
    banded = pp.Pipeline(config)(photo, small_mask(), scene_for(config, photo.shape))
    assert np.abs(whole.astype(int) - banded).max() <= 1


def test_one_pipeline_serves_several_threads_and_leaves_inputs_alone():
    photo, pipeline = seglib.sample_photo(), pp.Pipeline()
    before = photo.copy()
    wanted = [pp.Pipeline()(photo, small_mask(seed)) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda i: pipeline(photo, small_mask(i % 4)), range(12))
        assert all(np.array_equal(frame, wanted[i % 4]) for i, frame in enumerate(found))
    assert np.array_equal(photo, before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_has_threads_of_its_own():
    script = (
        "import os, numpy as np\nfrom seglib.postprocess import Pipeline\n"
        "image, mask = np.zeros((600, 600, 3), np.uint8), np.eye(9)\n"
        "Pipeline()(image, mask)\nif child := os.fork():\n    exit(os.waitpid(child, 0)[1])\n"
        "Pipeline()(image, mask)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


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


@pytest.mark.parametrize("name", pp.PRESETS)
def test_every_preset_runs_and_says_where_it_comes_from(name):
    preset = pp.PRESETS[name]
    assert preset.source
    assert preset.note
    photo = pp.cover(seglib.sample_photo(), (120, 160))
    frame = pp.Pipeline(preset.config)(photo, small_mask(), scene_for(preset.config, photo.shape))
    assert not np.array_equal(frame, photo)


def test_the_webcam_preset_does_what_its_script_did():
    mask = small_mask()
    blurred = cv2.GaussianBlur((mask >= 0.5).astype(np.float32), (5, 5), 1)
    cleaned = pp.Pipeline(pp.preset("portrait-webcam")).clean(mask)
    # The window of 5 pixels cuts off the tails of the Gaussian.
    assert np.abs(cleaned - blurred)[3:-3, 3:-3].max() < 0.02
    untouched = pp.Pipeline(pp.preset("fast-portrait")).alpha(seglib.sample_photo(), mask)
    assert np.allclose(untouched, resize(mask, (512, 512)), atol=1e-6)


def test_settings_and_presets_are_values_that_take_changes():
    assert pp.preset("portrait-webcam", effect="grey").effect == "grey"
    assert {pp.preset("default"): 1}[pp.PostprocessConfig()] == 1
    assert repr(pp.preset("default", effect="grey")) == "PostprocessConfig(effect='grey')"
    with pytest.raises(SeglibError, match="no preset 'webcam'"):
        pp.preset("webcam")
    with pytest.raises(SeglibError, match="no setting colour"):
        pp.preset("default", colour=(1, 2, 3))
    with pytest.raises(TypeError):
        pp.PRESETS["mine"] = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        pp.PostprocessConfig().effect = "grey"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"effect": "glow"}, "blur, bokeh, grey"),
        ({"upsample": "cubic"}, "linear, guided"),
        ({"curve": "sigmoid"}, "smoothstep"),
        ({"space": "rgb"}, "hsv"),
        ({"sigma": 18}, "fraction of the shorter side"),
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
        ({"color": "ginger"}, "ginger"),
        ({"background": "#00ff00"}, 'choose the effect "replace"'),
        ({"background": "beach.jpg", "effect": "replace"}, "beach.jpg"),
    ],
)
def test_bad_settings_are_refused(changes, word):
    with pytest.raises(SeglibError, match=word):
        pp.PostprocessConfig(**changes)


def test_bad_calls_are_refused():
    photo, mask = seglib.sample_photo(), small_mask()
    replace = pp.Pipeline(pp.PostprocessConfig(effect="replace"))
    clone = pp.Pipeline(pp.PostprocessConfig(effect="clone"))
    for call, words in (
        (lambda: replace(photo, mask), "needs a background"),
        (lambda: pp.Pipeline()(photo, mask, photo), "no use for a background"),
        (lambda: replace(photo, mask, photo[:0]), "the background"),
        (lambda: replace(photo, mask, "#green"), "#green"),
        (lambda: clone(photo, mask, "transparent"), "needs a picture"),
        (lambda: pp.Pipeline()(photo, mask * 3), "0 to 1"),
        (lambda: pp.Pipeline()(photo, np.eye(9, dtype=np.uint8) * 2), "class numbers"),
        (lambda: pp.erosion, "use cv2.erode"),
        (lambda: pp.to_linear, "use seglib.postprocess.colour.to_linear"),
    ):
        with pytest.raises(SeglibError, match=words):
            call()
