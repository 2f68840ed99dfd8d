"""Memory layouts and resize rules: what goes in comes out, in the order that is documented."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from seglib import images
from seglib.errors import SeglibError
from seglib.export import (
    Program,
    byte_table,
    deinterleave,
    flatten,
    footprint,
    from_phwc4,
    interleave,
    letter_f,
    pack,
    recorded_verdicts,
    run_gpu,
    stored_bytes,
    stripes,
    to_coreml,
    to_phwc4,
    to_tflite,
    unflatten,
    which_convention,
)
from seglib.export.layout import CONVENTIONS, bilinear, four_by_four, positions
from seglib.runtime import Segmenter, run_images

SIDES = st.integers(1, 9)
ARRAYS = st.tuples(SIDES, SIDES, st.integers(1, 13)).flatmap(
    lambda shape: hnp.arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
)


@given(ARRAYS, st.data())
def test_each_order_is_the_documented_one_and_there_is_a_way_back(array, data):
    height, width, channels = array.shape
    y, x, c = (data.draw(st.integers(0, n - 1)) for n in array.shape)
    flat = flatten(np.asfortranarray(array) if data.draw(st.booleans()) else array)
    assert flat[(y * width + x) * channels + c] == array[y, x, c]
    same = np.testing.assert_array_equal
    same(unflatten(flat, array.shape), array)
    same(unflatten(flat[None], array.shape), array)
    planes = deinterleave(flat[None], array.shape)
    same(planes, array.transpose(2, 0, 1))
    same(interleave(planes), flat)
    stored = to_phwc4(array)
    assert stored[c // 4, y, x, c % 4] == array[y, x, c]
    assert np.count_nonzero(stored) == np.count_nonzero(array)
    same(from_phwc4(stored, channels), array)
    half = array.astype(np.float16)
    assert stored_bytes(*half.shape) == to_phwc4(half).nbytes
    packed = pack(array)
    same(packed.reshape(height, -1)[:, : width * channels].reshape(array.shape), array)
    assert packed.size - array.size < 4 * height and packed.shape[2] == 4
    if width * channels % 4 == 0:
        same(to_phwc4(packed).ravel(), flat)


@given(st.tuples(SIDES, SIDES, st.integers(1, 13)), st.sampled_from([1, 2, 4]))
def test_a_footprint_is_that_of_the_stored_array(shape, itemsize):
    height, width, channels = shape
    numbered = np.arange(1, height * width * channels + 1).reshape(shape)
    cpu, gpu = flatten(numbered), to_phwc4(numbered).ravel()
    cost = footprint(shape, itemsize)
    assert cost.useful_bytes == cpu.size * itemsize
    assert cost.stored_bytes == gpu.size * itemsize
    # Values that follow each other in both orders can be copied in one piece.
    place = {value: index for index, value in enumerate(gpu)}
    together = [place[b] - place[a] == 1 for a, b in itertools.pairwise(cpu)]
    assert cost.pieces >= 1 + together.count(False)
    assert (cost.pieces == 1) <= all(together)


def test_the_three_shapes_of_one_mask():
    rank4, flat, packed = (
        footprint(shape) for shape in ((128, 128, 1), (1, 1, 128 * 128), (128, 32, 4))
    )
    assert rank4.stored_bytes == 4 * flat.stored_bytes == 4 * packed.stored_bytes
    assert rank4.useful_bytes == flat.useful_bytes == packed.useful_bytes
    assert (rank4.pieces, flat.pieces, packed.pieces) == (128 * 128, 1, 1)
    lines = byte_table({"mask": (128, 128, 1), "flat": (1, 1, 16384)}).splitlines()
    assert len(lines) == 4 and "| 75% | 16,384 |" in lines[2] and "| 0% | 1 |" in lines[3]


@given(st.integers(8, 40), st.integers(8, 40))
def test_the_letter_shows_every_exchange_and_every_flip(height, width):
    letter = letter_f(height, width)[..., 0]
    assert set(np.unique(letter)) == {0, 1}
    for flipped in (letter[::-1], letter[:, ::-1], letter[::-1, ::-1]):
        assert not np.array_equal(letter, flipped)
    misread = flatten(letter[..., None]).reshape(width, height).T
    assert not np.array_equal(letter, misread)


@given(st.integers(4, 12), st.integers(4, 12))
def test_stripes_cannot_come_back_unseen(rows, columns):
    letter = letter_f(4 * rows, 4 * columns)
    misread = to_phwc4(letter).ravel()[: letter.size].reshape(letter.shape)
    assert stripes(misread) == 1
    assert stripes(letter) < 0.9
    assert stripes(unflatten(flatten(letter), letter.shape)) < 0.9
    assert stripes(from_phwc4(to_phwc4(letter), 1)) < 0.9


@pytest.mark.parametrize("flat", [False, True])
def test_an_export_hands_the_letter_over_as_it_is(tmp_path, flat):
    import keras

    # A network that gives its red channel back, as probabilities: what goes in must come out.
    layer = keras.layers.Conv2D(1, 1, use_bias=False)
    model = keras.Sequential([keras.Input((24, 36, 3)), layer])
    layer.set_weights([np.array([1 / 255, 0, 0], np.float32).reshape(1, 1, 3, 1)])
    path = to_tflite(model, tmp_path / "red.tflite", flat=flat)
    photo = np.zeros((24, 36, 3), np.uint8)
    photo[..., :1] = 255 * letter_f()
    mask = run_images(path, photo[None])[0]
    np.testing.assert_allclose(mask.reshape(24, 36, 1), letter_f(), atol=1e-6)
    np.testing.assert_allclose(Segmenter(path)(photo), letter_f()[..., 0], atol=1e-6)
    assert stripes(mask.reshape(24, 36)) < 0.5


def test_what_makes_no_sense_is_refused():
    square, row = np.zeros((4, 4)), np.zeros((1, 2, 2, 4))
    for call, message in (
        (lambda: unflatten(np.zeros(12), (3, 5, 1)), "12 values"),
        (lambda: from_phwc4(row, 5), "5 channels"),
        (lambda: flatten(square), "height, width, channels"),
        (lambda: to_phwc4(square), "height, width, channels"),
        (lambda: pack(square), "height, width, channels"),
        (lambda: interleave(square), "channels, height, width"),
        (lambda: letter_f(4, 20), "at least 8"),
        (lambda: positions("corner", 4, 8), "half-pixel"),
        (lambda: which_convention(images.resize, "cubic"), "bilinear or nearest"),
        (lambda: which_convention(lambda picture, size: picture), "gave shape"),
    ):
        with pytest.raises(SeglibError, match=message):
            call()


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


def test_the_runtimes_of_an_app():
    def opencv(mode):
        return lambda picture, size: cv2.resize(picture, size[::-1], interpolation=mode)

    def pillow(picture, size):
        return np.asarray(Image.fromarray(picture).resize(size[::-1], Image.BILINEAR))

    for resize in (opencv(cv2.INTER_LINEAR), pillow, images.resize):
        assert which_convention(resize) == "half-pixel"
    assert which_convention(opencv(cv2.INTER_AREA)) is None
    assert which_convention(opencv(cv2.INTER_NEAREST), "nearest") == "legacy"


def test_core_ml_re_executed_follows_the_rule_that_is_recorded(tmp_path):
    pytest.importorskip("coremltools")
    import keras

    red = keras.layers.Conv2D(1, 1, use_bias=False)
    layers = [keras.Input((4, 4, 3)), keras.layers.UpSampling2D(2, interpolation="bilinear"), red]
    grow = keras.Sequential(layers)
    red.set_weights([np.array([1 / 255, 0, 0], np.float32).reshape(1, 1, 3, 1)])
    package = to_coreml(grow, tmp_path / "grow.mlpackage", "float32")

    def resize(picture, size):
        image = np.repeat(picture[..., None].astype(np.uint8), 3, axis=-1)
        return 255 * Program(package).masks(image[None]).reshape(size)

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
