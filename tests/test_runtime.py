"""Run models whose answer is known: each gives back the photo's red channel as the mask."""

import json
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

import seglib
from known_models import H, W, build, red
from seglib import SeglibError, Segmenter, images
from seglib.runtime import Engine, keras_segmenter, register_engine, run_images
from seglib.runtime.engines import Tensor


def planar(image):
    return tf.transpose(red(tf.transpose(image, (0, 2, 3, 1))), (0, 3, 1, 2))


def both(image):
    return tf.concat([red(image), 1 - red(image)], axis=-1)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    known = {"name": "red", "value_range": [0, 255], "labels": ["red"]}
    two = {"labels": ["red", "rest"], "value_range": [0, 255], "output_shape": [H, W, 2]}
    wide, free = (1, H, W, 4), (1, None, None, 3)
    make = {
        "hwc": (red, known),
        "bare": (red, None),
        "flat two": (lambda x: tf.reshape(both(x), (1, -1)), two),
        "flat odd": (lambda x: tf.reshape(red(x)[:, 1:], (1, -1)), known),
        "two": (both, two),
        "int8": (red, known, (1, H, W, 3), True),
        "planar": (planar, known, (1, 3, H, W)),
        "rgba": (lambda x: x[..., :1], known, wide),
        "free size": (lambda x: x[..., :1] / 255, known, free),
    }
    return {
        name: build(function, folder / f"{name}.tflite", *rest)
        for name, (function, *rest) in make.items()
    }


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A photo of the models' own size with no symmetry, so any flip or transposition shows."""
    return images.resize(seglib.sample_photo()[40:240, 100:480], (H, W))


@pytest.mark.parametrize(("name", "gap"), [("hwc", 1e-5), ("planar", 1e-5), ("int8", 0.02)])
def test_the_mask_is_the_models_answer(models, photo, name, gap):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        segmenter = Segmenter(models[name])
    mask = segmenter(photo)
    assert mask.dtype == np.float32 and segmenter.size == (H, W)
    assert np.abs(mask - photo[..., 0] / 255).max() < gap


def test_the_mask_has_the_photos_size_and_place(models):
    large = seglib.sample_photo()[:301, :200]
    segmenter = Segmenter(models["hwc"])
    mask = segmenter(large)
    assert mask.shape == (301, 200)
    expected = images.resize(images.resize(large[..., 0] / np.float32(255), (H, W)), (301, 200))
    assert np.abs(mask - expected).max() < 0.01
    assert segmenter.raw(large).shape == (H, W)


@pytest.mark.parametrize("side", [(1, 1), (1, 30), (700, 3)])
def test_photos_of_odd_sizes(models, side):
    mask = Segmenter(models["hwc"])(np.full((*side, 3), 51, np.uint8))
    assert mask.shape == side
    assert np.allclose(mask, 0.2, atol=1e-5)


@pytest.mark.parametrize("name", ["two", "flat two"])
def test_one_of_several_channels(models, photo, name):
    with pytest.raises(SeglibError, match=r"2 output channels \(red, rest\)"):
        Segmenter(models[name])
    first, second = (Segmenter(models[name], channel=channel) for channel in ("red", 1))
    assert np.allclose(second(photo), 1 - photo[..., 0] / 255, atol=1e-5)
    assert np.allclose(first(photo), photo[..., 0] / 255, atol=1e-5)
    assert first.labels == ("red", "rest") and first.info["output_shape"] == [H, W, 2]
    assert "24x16" in repr(first)
    for wrong in (2, "hair"):
        with pytest.raises(SeglibError, match=f"no output channel {wrong!r}"):
            Segmenter(models[name], channel=wrong)


def test_without_metadata_the_assumption_is_said_aloud(models, photo):
    with pytest.warns(UserWarning, match=r"bare.tflite carries no metadata.*0 to 255"):
        segmenter = Segmenter(models["bare"])
    assert segmenter.info == {}
    assert np.allclose(segmenter(photo), photo[..., 0] / 255, atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        darker = Segmenter(models["bare"], value_range=(0, 127.5))
    assert np.allclose(darker(photo), photo[..., 0] / 510, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "word"),
    [("rgba", "shape"), ("free size", "shape"), ("flat odd", "no mask for an input of 24x16")],
)
def test_models_of_another_kind_are_refused(models, name, word):
    with pytest.raises(SeglibError, match=word) as caught:
        Segmenter(models[name])
    assert str(models[name]) in str(caught.value)


def test_files_that_are_no_models(models, tmp_path):
    model = models["hwc"].read_bytes()
    wrong = {
        "absent": None,
        "empty": b"",
        "text": b"not a model at all",
        "photo": (Path(seglib.__file__).parent / "assets/astronaut.jpg").read_bytes(),
        "cut": model[: len(model) // 3],
        "noise": model[:8] + b"\xff" * 400,
    }
    for name, content in wrong.items():
        path = tmp_path / f"{name}.tflite"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SeglibError) as caught:
            Segmenter(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(SeglibError):
        Segmenter(tmp_path)


def test_threads_may_share_one_segmenter(models):
    segmenter = Segmenter(models["hwc"], threads=2)
    levels = [0, 80, 160, 255] * 50
    photos = (np.full((9, 9, 3), level, np.uint8) for level in levels)
    with ThreadPoolExecutor(4) as pool:
        for level, mask in zip(levels, pool.map(segmenter, photos), strict=True):
            assert np.allclose(mask, level / 255, atol=1e-5)


# Engines: every format is run, looked at and refused alike.


class Known(Engine):
    """A model in NumPy: `layout` turns the mask; channel n is the red of what it reads / n."""

    def __init__(self, size, layout=np.asarray, count=1, stride=1, metadata=None):
        self.layout, self.count, self.stride = layout, count, stride
        (output,) = self._run([np.zeros((1, *size, 3), np.float32)])
        sides = {"image": (1, *size, 3), "mask": output.shape}
        tensors = ([Tensor(name, shape, output.dtype)] for name, shape in sides.items())
        super().__init__("a.known", *tensors, metadata)

    def _run(self, arrays):
        self.seen = arrays[0][0]
        red = self.seen[:: self.stride, :: self.stride, :1] / np.float32(255)
        return [self.layout(red / np.arange(1, self.count + 1, dtype=np.float32))[None]]


def known(*what, metadata=None, **arguments) -> Segmenter:
    register_engine(".known", lambda path, threads: Known(*what, metadata=metadata))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Segmenter("a.known", **arguments)


PLANAR = {
    "planar": lambda m: m.transpose(2, 0, 1),
    "planes": lambda m: m.transpose(2, 0, 1).reshape(m.shape[2], -1),
}
LAYOUTS = PLANAR | {
    "interleaved": lambda m: m,
    "pixels": lambda m: m.reshape(-1, m.shape[2]),
    "flat": lambda m: m.reshape(-1),
}


@given(
    st.tuples(st.integers(8, 40), st.integers(8, 40)),
    st.sampled_from(sorted(LAYOUTS)),
    st.integers(1, 7),
    st.integers(1, 4),
    st.booleans(),
    st.integers(0, 99),
)
def test_no_layout_of_the_output_gives_a_scrambled_mask(size, layout, count, stride, noted, seed):
    small = [-(-side // stride) for side in size]
    noted &= layout not in PLANAR
    # Pixels that are flat are unfolded by the metadata, or else taken for the input's.
    assume(noted or stride == 1 or layout in ("planar", "interleaved"))
    metadata = {"output_shape": [*small, count]} if noted else None
    photo = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    try:
        what = size, LAYOUTS[layout], count, stride
        segmenter = known(*what, metadata=metadata, channel=count - 1)
    except SeglibError as error:
        assert "either axis" in str(error) and not noted
        assert count > 1 and (layout == "flat" or min(small) < 9)
    else:
        expected = photo[::stride, ::stride, 0] / np.float32(255) / count
        np.testing.assert_array_equal(segmenter.raw(photo), expected.astype(np.float32))


TORCH = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
CAFFE = {"mean": (103.9, 116.8, 123.7), "std": 1, "channels": "bgr"}


@pytest.mark.parametrize(
    ("reading", "scale", "offset"),
    [
        ({}, 1, 0),
        ({"value_range": (0, 1)}, 1 / 255, 0),
        ({"value_range": (-1, 1)}, 2 / 255, -1),
        (TORCH, 1 / 255 / np.array(TORCH["std"]), -np.divide(*map(np.array, TORCH.values()))),
        (CAFFE, 1, -np.array(CAFFE["mean"])),
        ({"mean": 127.5, "std": 127.5}, 1 / 127.5, -1),
        ({"mean": 0.5, "std": 0.5, "value_range": (0, 1)}, 2 / 255, -1),
    ],
)
def test_pictures_are_read_as_the_caller_says_and_else_as_the_file_does(reading, scale, offset):
    photo = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    expected = (photo[..., ::-1] if "channels" in reading else photo) * scale + offset
    other = {"value_range": [5, 6], "channels": "rgb" if "channels" in reading else "bgr"}
    said = reading if reading else {"value_range": (0, 255), "channels": "rgb"}
    for segmenter in (
        known((4, 6), np.zeros_like, metadata=json.loads(json.dumps(reading))),
        known((4, 6), np.zeros_like, metadata=other, **({"channels": "rgb"} | said)),
    ):
        segmenter(photo)
        np.testing.assert_allclose(segmenter._engine.seen, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "reading",
    [{"mean": (0.5,) * 3}, {"mean": 0, "std": 1}, {"mean": 1, "std": (1, 0, 1)}, {"std": "no"},
     {"value_range": (1, 1)}, {"value_range": (0, 1, 2)}, {"channels": "gbr"}],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_sentence(reading):
    for where in (reading, {"metadata": reading}):
        with pytest.raises(SeglibError, match="a.known cannot read pictures as"):
            known((4, 6), **where)
    for metadata in ({"labels": 5}, {"labels": [1]}, {"output_shape": [None]}):
        with pytest.raises(SeglibError, match=f"as its {next(iter(metadata))}"):
            known((4, 6), metadata=metadata)


def small_net(factor: float = 1 / 765, **more) -> keras.Model:
    """The mean of the colours times `factor`; probabilities for 1 / 765."""
    image = keras.Input((H, W, 3))
    model = keras.Model(image, keras.layers.Conv2D(1, 1, use_bias=False, **more)(image))
    model.set_weights([np.full((1, 1, 3, 1), factor, np.float32)])
    return model


@pytest.mark.filterwarnings("ignore:.*carries no metadata")
@pytest.mark.parametrize("factor", [1.0, -1 / 765, np.nan])
def test_answers_that_are_no_probabilities_are_refused_by_every_engine(factor, tmp_path, photo):
    model = small_net(factor)
    model.save(tmp_path / "net.keras")
    tflite = build(lambda x: model(x), tmp_path / "net.tflite", {})
    onnx = onnx_net(tmp_path / "net.onnx", factor=factor)
    for segmenter in (
        keras_segmenter(model),
        *map(Segmenter, (tflite, onnx, tmp_path / "net.keras")),
    ):
        with pytest.raises(SeglibError, match="probabilities from 0 to 1 .*activation"):
            segmenter(photo)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_whole_keras_files_are_run(name, tmp_path, photo):
    small_net().save(tmp_path / name)
    with pytest.warns(UserWarning, match="carries no metadata"):
        mask = Segmenter(tmp_path / name)(photo)
    np.testing.assert_allclose(mask, photo.mean(-1) / 255, atol=1e-5)
    np.testing.assert_array_equal(mask, keras_segmenter(small_net())(photo))


def test_weights_with_their_config_are_run(photo):
    path = seglib.pretrained.path("hair", ".weights.h5")
    segmenter = Segmenter(path)
    assert segmenter.labels == ("hair",)
    model = seglib.models.load(path)
    np.testing.assert_array_equal(segmenter(photo), keras_segmenter(model)(photo))


def test_other_keras_models_are_refused_in_one_sentence(tmp_path):
    model = small_net()
    model.save_weights(tmp_path / "net.weights.h5")
    (tmp_path / "cut.keras").write_bytes(b"no zip")
    for name, words in {
        "net.weights.h5": "net.json is missing", "cut.keras": "cut.keras", "no.h5": "no.h5",
    }.items():  # fmt: skip
        with pytest.raises(SeglibError, match=words) as caught:
            Segmenter(tmp_path / name)
        assert "\n" not in str(caught.value)
    three = keras.Model(model.input, keras.layers.Rescaling(1 / 255)(model.input))
    for channel, words in ((None, "3 output channels"), (3, "0 to 2"), (-1, "0 to 2")):
        with pytest.raises(SeglibError, match=words):
            keras_segmenter(three, channel)


def onnx_net(path, reads="float", gives="float", factor=1 / 255, shape="n, 1, 16, 24") -> Path:
    """What PyTorch writes: (1, 3, H, W) to (1, 1, H, W), the red channel times `factor`."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    model = onnx.parser.parse_model(
        f"""<ir_version: 9, opset_import: ["": 17]>
        net ({reads}[n, 3, {H}, {W}] image) => ({gives}[{shape}] mask) {{
            x = Cast <to = 1> (image)
            y = Conv (x, w)
            mask = Cast <to = {onnx.TensorProto.DataType.Value(gives.upper())}> (y)
        }}"""
    )
    weights = np.array([factor, 0, 0], np.float32).reshape(1, 3, 1, 1)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    onnx.save(model, path)
    return path


@pytest.mark.filterwarnings("ignore:.*carries no metadata")
@pytest.mark.parametrize("shape", ["n, 1, 16, 24", "a, b, h, w"])
@pytest.mark.parametrize("kind", ["float", "float16", "double", "int64", "uint8"])
def test_planar_onnx_files_of_any_number_type(kind, shape, tmp_path):
    photo = np.zeros((H, W, 3), np.uint8)
    photo[:5, :, 0] = 255
    for kinds in ({"reads": kind}, {"gives": kind}):
        path = onnx_net(tmp_path / "net.onnx", shape=shape, **kinds)
        np.testing.assert_array_equal(Segmenter(path)(photo), photo[..., 0] / np.float32(255))
        assert run_images(path, photo[None]).shape == (1, 1, H, W)


def test_what_cannot_be_run_is_named(tmp_path, models):
    with pytest.raises(SeglibError, match="mask of type bfloat16"):
        Segmenter(onnx_net(tmp_path / "net.onnx", gives="bfloat16"))
    with pytest.raises(SeglibError, match=r"portrait is no model file .*seglib\.load"):
        Segmenter("portrait")
    register_engine(".absent", "seglib.export.absent:Engine")
    with pytest.raises(SeglibError, match=r"a\.absent needs seglib\.export\.absent"):
        Segmenter("a.absent")
    with pytest.raises(SeglibError, match="threads"):
        Segmenter(models["hwc"], threads=0)
    with pytest.raises(SeglibError, match=r"reads \[\(1, 16, 24, 3\)\] and fails on"):
        run_images(models["hwc"], np.zeros((1, 8, 24, 3)))


def test_a_pickled_segmenter_opens_its_file_anew(models, photo, monkeypatch, tmp_path):
    monkeypatch.chdir(models["two"].parent)
    first = Segmenter("two.tflite", channel="rest", value_range=(0, 200))
    pickled = pickle.dumps([first, keras_segmenter(small_net())])
    monkeypatch.chdir(tmp_path)
    again, in_memory = pickle.loads(pickled)
    np.testing.assert_array_equal(again(photo), first(photo))
    np.testing.assert_array_equal(in_memory(photo), keras_segmenter(small_net())(photo))


def test_photos_come_in_every_plain_form(models, photo, tmp_path):
    segmenter = Segmenter(models["hwc"])
    Image.fromarray(photo).save(tmp_path / "photo.png")
    forms = tmp_path / "photo.png", Image.fromarray(photo), photo / 255, np.asfortranarray(photo)
    for form in forms:
        np.testing.assert_array_equal(segmenter(form), segmenter(photo))
    with pytest.raises(SeglibError, match="photo"):
        segmenter(np.full((4, 4, 3), 2.5))
