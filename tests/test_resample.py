"""The three resize conventions, and which of them runtimes turn out to follow."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seglib import images
from seglib.errors import SeglibError
from seglib.export import (
    Program,
    recorded_verdicts,
    run_gpu,
    to_coreml,
    which_convention,
)
from seglib.export.layout import CONVENTIONS, bilinear, four_by_four, nearest, positions

FLAGS = {
    "half-pixel": {"half_pixel_centers": True},
    "aligned corners": {"align_corners": True},
    "legacy": {},
}


def tensorflow(method: str, convention: str):
    import tensorflow as tf

    op = {"bilinear": tf.raw_ops.ResizeBilinear, "nearest": tf.raw_ops.ResizeNearestNeighbor}
    return lambda picture, size: op[method](
        images=picture[None, ..., None], size=size, **FLAGS[convention]
    )[0, ..., 0].numpy()


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_tensorflow_follows_the_rule_that_its_flags_name(method, convention):
    assert which_convention(tensorflow(method, convention), method) == convention


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(size=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_the_definition_is_tensorflows(convention, size):
    found = tensorflow("bilinear", convention)(four_by_four(), size)
    np.testing.assert_allclose(found, bilinear(four_by_four(), size, convention), atol=1e-4)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("size", [(8, 8), (4, 4), (11, 5), (2, 2)])
def test_nearest_takes_pixels_of_the_picture(convention, size):
    taken = nearest(four_by_four(), size, convention)
    assert taken.shape == size
    assert which_convention(lambda picture, size: nearest(picture, size, convention), "nearest")
    if size == (4, 4):
        np.testing.assert_array_equal(taken, four_by_four())


def test_the_runtimes_of_an_app():
    area = cv2.INTER_AREA
    for resize, expected in {
        "opencv": (lambda a, size: cv2.resize(a, size[::-1]), "half-pixel"),
        "area": (lambda a, size: cv2.resize(a, size[::-1], interpolation=area), None),
        "pillow": (
            lambda a, size: np.asarray(Image.fromarray(a).resize(size[::-1], Image.BILINEAR)),
            "half-pixel",
        ),
        "ours": (images.resize, "half-pixel"),
    }.values():  # fmt: skip
        assert which_convention(resize) == expected
    mode = cv2.INTER_NEAREST
    assert (
        which_convention(lambda a, s: cv2.resize(a, s[::-1], interpolation=mode), "nearest")
        == "legacy"
    )


def test_positions_of_the_ends():
    assert positions("half-pixel", 4, 8)[[0, -1]].tolist() == [-0.25, 3.25]
    assert positions("aligned corners", 4, 8)[[0, -1]].tolist() == [0, 3]
    assert positions("legacy", 4, 8)[[0, -1]].tolist() == [0, 3.5]


def test_what_makes_no_sense_is_refused():
    with pytest.raises(SeglibError, match="half-pixel"):
        positions("corner", 4, 8)
    with pytest.raises(SeglibError, match="bilinear or nearest"):
        which_convention(images.resize, "cubic")
    with pytest.raises(SeglibError, match="gave shape"):
        which_convention(lambda picture, size: picture)


def test_core_ml_re_executed_follows_the_rule_that_is_recorded(tmp_path):
    pytest.importorskip("coremltools")
    import keras

    red = keras.layers.Conv2D(1, 1, use_bias=False)
    layers = [keras.Input((4, 4, 3)), keras.layers.UpSampling2D(2, interpolation="bilinear"), red]
    grow = keras.Sequential(layers)
    red.set_weights([np.array([1 / 255, 0, 0], np.float32).reshape(1, 1, 3, 1)])
    program = Program(to_coreml(grow, tmp_path / "grow.mlpackage", "float32"))

    def resize(picture, size):
        image = np.repeat(picture[..., None].astype(np.uint8), 3, axis=-1)
        mask = program.masks(image[None])
        return 255 * mask.reshape(size)

    recorded = recorded_verdicts()["resize"]
    rule = which_convention(resize, size=(8, 8), atol=0.01)
    assert {rule} == {rule for name, rule in recorded.items() if name.startswith("Core ML")}
    assert rule == "half-pixel"


@pytest.mark.gpu
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_gpu_follows_the_files_flags(convention, tmp_path):
    import tensorflow as tf

    from seglib.export.converters import quiet

    path = tmp_path / "resize.tflite"

    def resize(picture, size):
        function = tf.function(
            lambda x: tf.raw_ops.ResizeBilinear(images=x, size=size, **FLAGS[convention]),
            input_signature=[tf.TensorSpec((1, 4, 4, 1), tf.float32)],
        )
        with quiet():
            converter = tf.lite.TFLiteConverter.from_concrete_functions(
                [function.get_concrete_function()]
            )
            path.write_bytes(converter.convert())
        return run_gpu(path, picture[None, ..., None]).masks.reshape(size)

    assert which_convention(resize) == convention
