"""Each .tflite gives the Keras model's masks, in the layout it names, or is not written."""

import dataclasses
import itertools
import subprocess
import sys

import keras
import numpy as np
import pytest

from export_net import masks_of, net, pictures, tflite
from seglib import Segmenter, data, export
from seglib.errors import SeglibError
from seglib.export import ops, to_tflite
from seglib.export.graph import trace
from seglib.metadata import read_metadata
from seglib.runtime import run_images


def test_batch_is_fixed_and_names_are_kept():
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(tflite("float32")))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["mask"]}
    }
    assert interpreter.get_input_details()[0]["shape_signature"].tolist() == [1, 64, 64, 3]
    assert interpreter.get_output_details()[0]["shape_signature"].tolist() == [1, 64, 64, 1]


def test_graphs_hold_no_shape_arithmetic_no_variables_and_in_int8_no_floats():
    flat, float_io = ops(tflite("int8", flat=True, integer_io=True)), ops(tflite("int8"))
    for names in ({op.name for op in flat}, {op.name for op in ops(tflite("float32"))}):
        assert {"CONV_2D", "DEPTHWISE_CONV_2D", "RESIZE_BILINEAR", "LOGISTIC"} <= names
        assert not names & {"SHAPE", "STRIDED_SLICE", "PACK", "VAR_HANDLE", "READ_VARIABLE"}
    assert {op.dtype for op in flat} == {"int8"}
    assert (float_io[0].name, float_io[-1].name) == ("QUANTIZE", "DEQUANTIZE")


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


def test_a_broken_export_leaves_the_earlier_file(tmp_path):
    """NaN of a picture that is not black, and weights that float16 cannot hold."""
    inputs, path = keras.Input((8, 8, 3)), tmp_path / "net.tflite"
    path.write_bytes(b"what stood here")
    poisoned = keras.layers.Lambda(lambda x: keras.ops.log(-x))(inputs)
    with pytest.raises(SeglibError, match=r"NaN.*net\.tflite was not written"):
        to_tflite(keras.Model(inputs, keras.layers.Conv2D(1, 1)(poisoned)), path)
    layer = keras.layers.Conv2D(1, 1, activation="relu")
    small = keras.layers.Rescaling(1e-9)(layer(inputs))
    model = keras.Model(inputs, keras.layers.Activation("sigmoid")(small))
    layer.set_weights([np.full((1, 1, 3, 1), 1e7), np.zeros(1)])
    with pytest.raises(SeglibError, match="float16 conversion"):
        to_tflite(model, path, "float16")
    assert path.read_bytes() == b"what stood here"
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_converter_does_not_know_is_reported_in_one_line(tmp_path, capfd):
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Lambda(lambda x: keras.ops.erf(x[..., :1]))(inputs)
    with pytest.raises(SeglibError, match=r"could not be converted to TFLite.*Erf") as error:
        to_tflite(keras.Model(inputs, outputs), tmp_path / "net.tflite")
    assert "\n" not in str(error.value)
    shown = capfd.readouterr()
    assert not shown.out and not shown.err


def bare(output=1, shape=(24, 40, 3), activation="sigmoid", **options):
    """A network without a Rescaling layer, which reads whatever it is given."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", **options)(inputs)
    x = keras.layers.Conv2D(output, 1, activation=activation, **options)(x)
    return keras.Model(inputs, x, name="bare")


PHOTOS = np.random.default_rng(0).integers(0, 256, (9, 24, 40, 3), np.uint8)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize(
    ("reading", "model_reads"),
    [
        ({"value_range": (0, 1)}, lambda x: x / 255),
        ({"value_range": (-1, 1), "channels": "bgr"}, lambda x: x[..., ::-1] / 127.5 - 1),
        ({"mean": MEAN, "std": STD}, lambda x: (x / 255 - MEAN) / STD),
        (
            {"mean": (103.9, 116.8, 123.7), "std": (57.4, 57.1, 58.4), "channels": "bgr"},
            lambda x: (x[..., ::-1] - (103.9, 116.8, 123.7)) / (57.4, 57.1, 58.4),
        ),
    ],
)
def test_the_file_reads_pictures_as_the_caller_says(tmp_path, reading, model_reads, precision):
    model, images = bare(), PHOTOS if precision == "int8" else None
    path = to_tflite(model, tmp_path / "x.tflite", precision, representative=images, **reading)
    kept = read_metadata(path)
    for key, value in reading.items():
        assert kept[key] == (value if isinstance(value, str) else pytest.approx(value))
    expected = np.asarray(model(model_reads(PHOTOS[:1].astype(np.float32))))[0, ..., 0]
    gap = np.abs(Segmenter(path).raw(PHOTOS[0]) - expected).max()
    assert np.ptp(expected) > 0.05 and gap < (1e-5 if precision == "float32" else 0.02)
    report = export.parity(model, path, PHOTOS[:2])
    assert report.ok, report.table()


def test_what_the_metadata_state_is_kept_or_refused(tmp_path):
    path = tmp_path / "x.tflite"
    assert read_metadata(to_tflite(bare(), path, metadata={"value_range": (0, 1)}))[
        "value_range"
    ] == [0, 1]
    for wrong, message in (
        ({"value_range": (0, 1), "metadata": {"value_range": (0, 255)}}, "say it once"),
        ({"mean": MEAN}, "mean and std"),
        ({"mean": (0, 0, 0), "std": (1, 1, 1)}, "value_range"),
        ({"channels": "grb"}, "'rgb' or 'bgr'"),
    ):
        with pytest.raises(SeglibError, match=message):
            to_tflite(bare(), path, **wrong)


@pytest.mark.parametrize("classes", [1, 3])
def test_logits_are_refused_or_get_their_activation(tmp_path, classes):
    path, kind = tmp_path / "x.tflite", "sigmoid" if classes == 1 else "softmax"
    model, whole = bare(classes, activation=None), bare(classes, activation=kind)
    with pytest.raises(SeglibError, match=r"end it in a sigmoid or softmax, or pass activation="):
        to_tflite(model, path)
    assert not path.exists()
    to_tflite(model, path, activation=kind)
    np.testing.assert_allclose(run_images(path, PHOTOS[:2]), masks_of(whole, PHOTOS[:2]), atol=1e-5)
    assert export.parity(model, path, PHOTOS[:2]).ok
    with pytest.raises(SeglibError, match="choose activation="):
        to_tflite(model, path, activation="tanh")


def generator():
    yield from PHOTOS


def as_dataset(*parts, batch=None):
    import tensorflow as tf

    made = tf.data.Dataset.from_tensor_slices(parts if len(parts) > 1 else parts[0])
    return made.batch(batch) if batch else made


REPRESENTATIVE = {
    "list": lambda: list(PHOTOS),
    "floats 0..1": lambda: PHOTOS / np.float32(255),
    "floats 0..255": lambda: [photo.astype(np.float32) for photo in PHOTOS],
    "generator": generator,
    "generator function": lambda: generator,
    "as TensorFlow wants it": lambda: lambda: ([p[None].astype(np.float32)] for p in PHOTOS),
    "another size": lambda: PHOTOS.repeat(2, 1).repeat(2, 2),
    "tf.data, batches with masks": lambda: as_dataset(PHOTOS, PHOTOS[..., :1] > 9, batch=4),
    "tf.data of dicts": lambda: as_dataset({"image": PHOTOS}),
    "Dataset": lambda: data.Dataset.from_arrays(PHOTOS, PHOTOS[..., 0] > 99, "x", "y"),
    "endless": lambda: itertools.cycle(PHOTOS),
}


@pytest.mark.parametrize("form", REPRESENTATIVE)
def test_int8_draws_its_pictures_from_any_form(tmp_path, form):
    paths = [tmp_path / "array.tflite", tmp_path / "form.tflite"]
    to_tflite(bare(), paths[0], "int8", representative=PHOTOS, value_range=(0, 1))
    to_tflite(bare(), paths[1], "int8", representative=REPRESENTATIVE[form](), value_range=(0, 1))
    plain, drawn = (run_images(path, PHOTOS[:1] / np.float32(255)) for path in paths)
    np.testing.assert_allclose(drawn, plain, atol=0 if form != "another size" else 0.01)


def broken_generator():
    yield PHOTOS[0]
    raise RuntimeError("no more disk")


@pytest.mark.parametrize(
    "bad", [None, [], np.full((2, 24, 40, 3), -1.0), 5, broken_generator, ["absent.png"], [[]]]
)
def test_int8_without_fitting_pictures_says_what_to_give(tmp_path, bad):
    with pytest.raises(SeglibError, match=r"representative|absent\.png") as error:
        to_tflite(bare(), tmp_path / "net.tflite", "int8", representative=bad)
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_free_sizes_and_planar_models(tmp_path):
    path, free = tmp_path / "x.tflite", bare(shape=(None, None, 3))
    with pytest.raises(SeglibError, match=r"fixed sizes: pass size=\(height, width\)"):
        to_tflite(free, path)
    for wrong in (0, (24,), "24"):
        with pytest.raises(SeglibError, match="leave the size out"):
            to_tflite(free, path, size=wrong)
    to_tflite(free, path, size=(24, 40))
    np.testing.assert_allclose(run_images(path, PHOTOS[:2]), masks_of(free, PHOTOS[:2]), atol=1e-5)
    planar = bare(2, (3, 24, 40), data_format="channels_first")
    to_tflite(planar, path)
    expected = masks_of(planar, PHOTOS[:2].transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(run_images(path, PHOTOS[:2]), expected, atol=1e-5)
    hwc = bare()
    to_tflite(keras.Model(hwc.input, keras.layers.Permute((3, 1, 2))(hwc.output)), path)
    assert read_metadata(path)["output_shape"] == [24, 40, 1]
    with pytest.raises(SeglibError, match=r"\(height, width, channels\) or \(channels, height"):
        to_tflite(bare(8, (8, 8, 3)), path)


def test_what_cannot_be_checked_here_is_written_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.warns(UserWarning, match=r"x\.tflite is written, but was not checked: .*litert"):
        path = to_tflite(bare(), tmp_path / "x.tflite")
    monkeypatch.undo()
    np.testing.assert_allclose(run_images(path, PHOTOS), masks_of(bare(), PHOTOS), atol=1e-5)


def test_lost_weights_are_found_before_a_file_is_written(tmp_path, monkeypatch):
    """A Keras model is no tf.Module to the converter, which then leaves its weights out."""

    def careless(model, *arguments, **options):
        return dataclasses.replace(trace(model, *arguments, **options), module=model)

    monkeypatch.setattr("seglib.export.tflite.trace", careless)
    with pytest.raises(SeglibError, match="lost its weights"):
        to_tflite(bare(), tmp_path / "x.tflite")
    assert not list(tmp_path.iterdir())


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
    with pytest.raises(SeglibError, match=r"reads .*\(1, 64, 64, 3\)"):
        run_images(tflite("float32"), np.zeros((1, 32, 32, 3), np.uint8))
    path = tmp_path / "cut.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(200))
    with pytest.raises(SeglibError, match=r"cut\.tflite is damaged"):
        run_images(path, pictures()[0][:1])


def printed(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def test_other_keras_backends_get_a_remedy():
    assert "KERAS_BACKEND=tensorflow" in printed(
        "import keras; from seglib.errors import SeglibError; from seglib.export import *\n"
        "keras.backend.backend = lambda: 'jax'\n"
        "x = keras.Input((8, 8, 3)); m = keras.Model(x, keras.layers.Conv2D(1, 1)(x))\n"
        "try: to_tflite(m, 'x.tflite')\n"
        "except SeglibError as e: print(e)"
    )


def test_importing_the_exports_does_not_import_the_converters():
    code = "print({'tensorflow', 'keras', 'coremltools'} & {*sys.modules})"
    assert printed(f"import sys, seglib.export, seglib.benchmark; {code}") == "set()"
