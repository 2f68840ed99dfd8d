"""Run models whose answer is known: each gives back the photo's red channel as the mask."""

import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import seglib
from known_models import H, W, build, red
from seglib import SeglibError, Segmenter, images
from seglib.runtime import keras_segmenter


def both(image):
    return tf.concat([red(image), 1 - red(image)], axis=-1)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    known = {"name": "red", "value_range": [0, 255], "labels": ["red"]}
    two = {"labels": ["red", "rest"], "value_range": [0, 255], "output_shape": [H, W, 2]}
    make = {
        "hwc": (red, known),
        "bare": (red, None),
        "rank3": (lambda x: red(x)[..., 0], known),
        "flat": (lambda x: tf.reshape(red(x), (1, -1)), known),
        "flat two": (lambda x: tf.reshape(both(x), (1, -1)), two),
        "flat half": (
            lambda x: tf.reshape(tf.nn.avg_pool2d(red(x), 2, 2, "SAME"), (1, -1)),
            {**known, "output_shape": [H // 2, W // 2, 1]},
        ),
        "flat odd": (lambda x: tf.reshape(red(x)[:, 1:], (1, -1)), known),
        "two": (both, two),
        "unit": (lambda x: red(x * 255), {"value_range": [0, 1]}),
        "signed": (lambda x: red((x + 1) * 127.5), {"value_range": [-1, 1]}),
        "logits": (lambda x: red(x) * 20 - 10, known),
        "nan": (lambda x: tf.math.log(red(x) - 2), known),
    }
    paths = {
        name: build(function, folder / f"{name}.tflite", metadata)
        for name, (function, metadata) in make.items()
    }
    paths["int8"] = build(red, folder / "int8.tflite", known, integer=True)
    paths["rgba"] = build(lambda x: x[..., :1], folder / "rgba.tflite", known, (1, H, W, 4))
    paths["free size"] = build(
        lambda x: x[..., :1] / 255, folder / "free.tflite", known, (1, None, None, 3)
    )
    return paths


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A photo of the models' own size with no symmetry, so any flip or transposition shows."""
    return images.resize(seglib.sample_photo()[40:240, 100:480], (H, W))


@pytest.mark.parametrize("name", ["hwc", "rank3", "flat", "unit", "signed"])
def test_the_mask_is_the_models_answer_whatever_range_and_layout(models, photo, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        segmenter = Segmenter(models[name])
    mask = segmenter(photo)
    assert mask.dtype == np.float32
    assert np.allclose(mask, photo[..., 0] / 255, atol=1e-5)
    assert segmenter.size == (H, W)


def test_int8_input_and_output_go_through_the_quantisation(models, photo):
    segmenter = Segmenter(models["int8"])
    assert np.abs(segmenter(photo) - photo[..., 0] / 255).max() < 0.02


def test_the_mask_has_the_photos_size_and_place(models):
    large = seglib.sample_photo()[:301, :200]
    segmenter = Segmenter(models["hwc"])
    mask = segmenter(large)
    assert mask.shape == (301, 200)
    expected = images.resize(images.resize(large[..., 0] / np.float32(255), (H, W)), (301, 200))
    assert np.abs(mask - expected).max() < 0.01
    assert segmenter.raw(large).shape == (H, W)


def test_a_flat_output_of_another_size_is_unfolded_by_the_metadata(models, photo):
    raw = Segmenter(models["flat half"]).raw(photo)
    assert np.allclose(raw, images.resize(photo[..., 0] / np.float32(255), (H // 2, W // 2)))


@pytest.mark.parametrize("side", [(1, 1), (1, 30), (700, 3)])
def test_photos_of_odd_sizes(models, side):
    mask = Segmenter(models["hwc"])(np.full((*side, 3), 51, np.uint8))
    assert mask.shape == side
    assert np.allclose(mask, 0.2, atol=1e-5)


@pytest.mark.parametrize("name", ["two", "flat two"])
def test_one_of_several_channels(models, photo, name):
    with pytest.raises(SeglibError, match=r"2 output channels \(red, rest\)"):
        Segmenter(models[name])
    assert np.allclose(
        Segmenter(models[name], channel=1)(photo), 1 - photo[..., 0] / 255, atol=1e-5
    )
    assert np.allclose(
        Segmenter(models[name], channel="red")(photo), photo[..., 0] / 255, atol=1e-5
    )
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


def test_info_and_labels_come_from_the_file(models):
    segmenter = Segmenter(models["two"], channel=0)
    assert segmenter.labels == ("red", "rest")
    assert segmenter.info["output_shape"] == [H, W, 2]
    assert "24x16" in repr(segmenter)


@pytest.mark.parametrize(
    ("name", "word"),
    [("rgba", "shape"), ("free size", "shape"), ("flat odd", "no mask for an input of 24x16")],
)
def test_models_of_another_kind_are_refused(models, name, word):
    with pytest.raises(SeglibError, match=word) as caught:
        Segmenter(models[name])
    assert str(models[name]) in str(caught.value)


@pytest.mark.parametrize("name", ["logits", "nan"])
def test_answers_that_are_no_probabilities_are_refused(models, photo, name):
    segmenter = Segmenter(models[name])
    with pytest.raises(SeglibError, match="probabilities"):
        segmenter(photo)


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


def test_arguments_are_checked(models):
    with pytest.raises(SeglibError, match="threads"):
        Segmenter(models["hwc"], threads=0)
    with pytest.raises(SeglibError, match="the photo holds float32"):
        Segmenter(models["hwc"])(np.full((4, 4, 3), 1.5, np.float32))


def test_threads_may_share_one_segmenter(models):
    segmenter = Segmenter(models["hwc"], threads=2)
    wrong = []

    def work(level: int) -> None:
        photo = np.full((9, 9, 3), level, np.uint8)
        wrong.extend(
            level for _ in range(50) if not np.allclose(segmenter(photo), level / 255, atol=1e-5)
        )

    workers = [threading.Thread(target=work, args=(level,)) for level in (0, 80, 160, 255)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_a_keras_model_is_run_as_its_file_would_be(models):
    import keras

    image = keras.Input((H, W, 3))
    share = keras.layers.Rescaling(1 / 255)(image)
    model = keras.Model(image, share)
    photo = seglib.sample_photo()[:90, :100]
    mask = keras_segmenter(model, channel=0)(photo)
    assert np.allclose(mask, Segmenter(models["hwc"])(photo), atol=1e-5)
    for channel, words in ((None, "3 output channels"), (3, "0 to 2"), (-1, "0 to 2")):
        with pytest.raises(SeglibError, match=words):
            keras_segmenter(model, channel)
