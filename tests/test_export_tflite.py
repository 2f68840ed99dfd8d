"""Each .tflite gives the Keras model's masks, in the layout it names, or is not written."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from export_net import masks_of, net, other_net, pictures, tflite
from seglib.errors import SeglibError
from seglib.export import ops, to_tflite, unflatten
from seglib.metadata import read_metadata
from seglib.runtime import run_images

# (largest, mean) absolute difference to Keras on pictures which the network was trained on.
ALLOWED = {
    "float32": (1e-5, 1e-6),
    "float16": (0.02, 1e-3),
    "dynamic": (0.1, 5e-3),
    "int8": (0.3, 0.01),
}


@pytest.mark.parametrize("precision", ALLOWED)
def test_masks_are_those_of_keras(precision):
    images = pictures()[0][40:48]
    expected = masks_of(net(), images)
    gaps = np.abs(run_images(tflite(precision), images) - expected)
    assert np.ptp(expected) > 0.9
    assert gaps.max() < ALLOWED[precision][0]
    assert gaps.mean() < ALLOWED[precision][1]


def test_the_other_encoder_and_decoder(tmp_path):
    images = pictures()[0][:2]
    path = to_tflite(other_net(), tmp_path / "other.tflite")
    np.testing.assert_allclose(run_images(path, images), masks_of(other_net(), images), atol=1e-5)


def test_batch_is_fixed_and_names_are_kept():
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(tflite("float32")))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["mask"]}
    }
    assert interpreter.get_input_details()[0]["shape_signature"].tolist() == [1, 64, 64, 3]
    assert interpreter.get_output_details()[0]["shape_signature"].tolist() == [1, 64, 64, 1]


def test_graph_holds_no_shape_arithmetic_and_no_variables():
    for path in (tflite("float32"), tflite("int8", flat=True, integer_io=True)):
        names = {op.name for op in ops(path)}
        assert {"CONV_2D", "DEPTHWISE_CONV_2D", "RESIZE_BILINEAR", "LOGISTIC"} <= names
        assert not names & {"SHAPE", "STRIDED_SLICE", "PACK", "VAR_HANDLE", "READ_VARIABLE"}


def test_int8_computes_in_int8_from_end_to_end():
    every = ops(tflite("int8", flat=True, integer_io=True))
    assert {op.dtype for op in every} == {"int8"}
    float_io = ops(tflite("int8"))
    assert (float_io[0].name, float_io[-1].name) == ("QUANTIZE", "DEQUANTIZE")


def test_files_get_smaller():
    sizes = [tflite(p).stat().st_size for p in ("float32", "float16", "dynamic")]
    assert sizes[1] < 0.65 * sizes[0]
    assert sizes[2] < 0.75 * sizes[1]


def test_flat_masks_keep_their_place():
    def iou(one, other):
        return np.sum(one & other) / np.sum(one | other)

    def worst(mask):
        return max(iou(mask, w) for w in (mask[::-1], mask[:, ::-1], mask.transpose(1, 0, 2)))

    images = pictures()[0][:32]
    expected = masks_of(net(), images) > 0.5
    lopsided = min(range(len(images)), key=lambda index: worst(expected[index]))
    assert worst(expected[lopsided]) < 0.5
    flat = run_images(tflite("int8", flat=True, integer_io=True), images[lopsided : lopsided + 1])
    assert flat.shape == (1, 64 * 64)
    assert iou(unflatten(flat, (64, 64, 1)) > 0.5, expected[lopsided]) > 0.9


def test_metadata_is_inside():
    metadata = read_metadata(tflite("float32"))
    assert metadata["name"] == "small" and metadata["labels"] == ["shape"]
    assert metadata["size"] == 64 and metadata["value_range"] == [0, 255]
    assert metadata["layout"] == "hwc" and metadata["precision"] == "float32"
    flat = read_metadata(tflite("int8", flat=True, integer_io=True))
    assert flat["layout"] == "flat" and flat["output_shape"] == [64, 64, 1]
    assert flat["weights_sha256"] == metadata["weights_sha256"]


def test_mixed_precision_models_are_exported_in_float32(tmp_path):
    inputs = keras.Input((8, 12, 3))
    half = keras.layers.Conv2D(4, 3, padding="same", dtype="mixed_float16")(inputs)
    half = keras.layers.BatchNormalization(dtype="mixed_float16")(half)
    outputs = keras.layers.Conv2D(1, 1, activation="sigmoid", dtype="float32")(half)
    model = keras.Model(inputs, outputs)
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3), np.uint8)
    path = to_tflite(model, tmp_path / "mixed.tflite", metadata={"size": 3})
    np.testing.assert_allclose(run_images(path, images), masks_of(model, images), atol=0.02)
    assert read_metadata(path)["size"] == [8, 12]
    assert all(op.dtype == "float32" for op in ops(path))


class Poisoned(keras.layers.Layer):
    """Gives NaN where a picture is not black."""

    def call(self, x):
        return keras.ops.log(-x)


def test_a_broken_export_leaves_the_earlier_file(tmp_path):
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1)(Poisoned()(inputs)))
    path = tmp_path / "net.tflite"
    path.write_bytes(b"what stood here")
    with pytest.raises(SeglibError, match=r"NaN.*net\.tflite was not written"):
        to_tflite(model, path)
    assert path.read_bytes() == b"what stood here"
    assert list(tmp_path.iterdir()) == [path]


def test_weights_which_float16_cannot_hold_are_caught(tmp_path):
    inputs = keras.Input((8, 8, 3))
    layer = keras.layers.Conv2D(1, 1, activation="relu")
    small = keras.layers.Rescaling(1e-9)(layer(inputs))
    model = keras.Model(inputs, keras.layers.Activation("sigmoid")(small))
    layer.set_weights([np.full((1, 1, 3, 1), 1e7), np.zeros(1)])
    with pytest.raises(SeglibError, match="float16 conversion"):
        to_tflite(model, tmp_path / "net.tflite", "float16")
    assert not list(tmp_path.iterdir())


def test_what_the_converter_does_not_know_is_reported_in_one_line(tmp_path, capfd):
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Lambda(lambda x: keras.ops.erf(x[..., :1]))(inputs)
    with pytest.raises(SeglibError, match=r"could not be converted to TFLite.*Erf") as error:
        to_tflite(keras.Model(inputs, outputs), tmp_path / "net.tflite")
    assert "\n" not in str(error.value)
    shown = capfd.readouterr()
    assert not shown.out and not shown.err


def test_int8_without_fitting_pictures_says_what_to_give(tmp_path):
    path = tmp_path / "net.tflite"
    for bad in (None, np.zeros((0, 64, 64, 3), np.uint8), np.full((2, 64, 64, 3), -1.0), 5):
        with pytest.raises(SeglibError, match=r"representative.*uint8 images of shape \(N, 64"):
            to_tflite(net(), path, "int8", representative=bad)
    assert not path.exists()


def test_arguments_which_do_not_fit(tmp_path):
    good = tmp_path / "net.tflite"
    with pytest.raises(SeglibError, match=r"net\.bin.*\.tflite"):
        to_tflite(net(), tmp_path / "net.bin")
    with pytest.raises(SeglibError, match=r"'half'.*float32, float16, dynamic, int8"):
        to_tflite(net(), good, "half")
    with pytest.raises(SeglibError, match="integer_io"):
        to_tflite(net(), good, integer_io=True)
    with pytest.raises(SeglibError, match="Keras model"):
        to_tflite("net.keras", good)
    free = keras.Input((None, None, 3))
    with pytest.raises(SeglibError, match="fixed sizes"):
        to_tflite(keras.Model(free, keras.layers.Conv2D(1, 1)(free)), good)
    with pytest.raises(SeglibError, match=r"reads .*\(1, 64, 64, 3\)"):
        run_images(tflite("float32"), np.zeros((1, 32, 32, 3), np.uint8))


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(200))
    with pytest.raises(SeglibError, match=r"cut\.tflite is damaged"):
        run_images(path, pictures()[0][:1])


def test_other_keras_backends_get_a_remedy():
    code = (
        "import json, keras; from seglib.errors import SeglibError; from seglib.export import *\n"
        "keras.backend.backend = lambda: 'jax'\n"
        "x = keras.Input((8, 8, 3)); m = keras.Model(x, keras.layers.Conv2D(1, 1)(x))\n"
        "try: to_tflite(m, 'x.tflite')\n"
        "except SeglibError as e: print(json.dumps(str(e)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "KERAS_BACKEND=tensorflow" in json.loads(done.stdout), done.stderr


def test_importing_the_exports_does_not_import_the_converters():
    code = (
        "import sys, seglib.export, seglib.benchmark;"
        "print([n for n in ('tensorflow', 'keras', 'coremltools') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
