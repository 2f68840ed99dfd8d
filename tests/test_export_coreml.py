"""Core ML packages, read back from disk and executed here; what they say, and what is refused."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import layers, ops

from export_net import masks_of
from seglib.errors import SeglibError
from seglib.export import Program, to_coreml
from seglib.export.mil_kernels import KERNELS
from warm_net import H, W, views, warm_net

SHAPE = (1, 12, 18, 8)
ATTENTION = layers.MultiHeadAttention(2, 4)
UNCHANGED = {
    **{name: layers.Activation(name) for name in (
        "relu", "relu6", "leaky_relu", "elu", "silu", "gelu", "hard_swish", "hard_sigmoid",
        "softplus", "tanh", "sigmoid", "softmax", "celu", "selu", "mish",
    )},
    **{f"{kind.__name__} {window} {stride} {padding}": kind(window, stride, padding)
       for kind in (layers.MaxPooling2D, layers.AveragePooling2D)
       for window, stride, padding in ((2, None, "valid"), (3, 2, "same"), ((2, 3), 1, "same"))},
    **{f"convolution {options}": kind(8, 3, padding=padding, bias_initializer="normal", **options)
       for kind, padding, options in (
           (layers.Conv2D, "same", {"strides": 2}), (layers.Conv2D, "valid", {"dilation_rate": 3}),
           (layers.Conv2D, "same", {"groups": 4}), (layers.Conv2DTranspose, "same", {"strides": 3}),
           (layers.Conv2DTranspose, "valid", {"strides": 2}),
           (layers.Conv2DTranspose, "same", {"dilation_rate": 2}),
       )},
    "depthwise, dilated": layers.DepthwiseConv2D(3, padding="same", dilation_rate=2),
    "batch norm": layers.BatchNormalization(moving_mean_initializer="uniform"),
    "layer norm": layers.LayerNormalization(),
    "group norm": layers.GroupNormalization(4),
    "instance norm": layers.GroupNormalization(-1),
    "dense": layers.Dense(5),
    "attention": lambda x: ATTENTION(x[:, 0], x[:, 0]),
    "parametric relu": layers.PReLU("uniform", shared_axes=[1, 2]),
    "squeeze": lambda x: ops.squeeze(ops.mean(x, 1, keepdims=True)),
    "squeeze an axis": lambda x: ops.squeeze(ops.max(x, 1, keepdims=True), 1),
    "tile": lambda x: ops.tile(x, [1, 2, 1, 3]),
    "nearest": layers.UpSampling2D(2),
    "bilinear": layers.Resizing(31, 41),
    "bilinear, smaller": layers.Resizing(7, 9),
    "aligned corners": lambda x: tf.compat.v1.image.resize_bilinear(x, (31, 41), True),
    "legacy bilinear": lambda x: tf.compat.v1.image.resize_bilinear(x, (31, 41)),
    "sums": lambda x: ops.sum(x, -1) + ops.logsumexp(x, -1) + ops.min(x, -1) + ops.std(x, -1),
    "split": lambda x: ops.concatenate(ops.split(x, 4, -1)[::-1], 1),
    "padding": lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]], constant_values=2.0),
    "reflection": lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]], "reflect"),
    "slices": lambda x: ops.transpose(x, (0, 2, 1, 3))[:, 2:-1:2, ::-1, 1:5],
    "arithmetic": lambda x: (ops.abs(x) + 0.1) ** 1.7 / ops.sqrt(x * x + 1) + ops.rsqrt(x * x + 1),
    "clip": lambda x: ops.where(x > 0, ops.clip(x, -0.5, 0.3), ops.minimum(x, -1.0)),
    "depth to space": lambda x: tf.nn.depth_to_space(x, 2),
    "rows picked": lambda x: ops.take(x, [3, 1, 1], axis=2),
    "matrices": lambda x: ops.matmul(ops.transpose(x[0], (0, 2, 1)), x[0]),
}  # fmt: skip


def own(function, name="picked"):
    """A layer that calls a function."""
    return type(name, (layers.Layer,), {"call": lambda self, x: function(x)})()


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_what_networks_are_made_of_is_executed(precision, tmp_path):
    """All results of one network in one row, so that one conversion tries everything."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(batch_shape=(*SHAPE[:3], 3))
    x, parts = layers.Conv2D(8, 3, padding="same")(layers.Rescaling(1 / 255)(inputs)), []
    for function in UNCHANGED.values():
        y = function(x) if isinstance(function, layers.Layer) else own(function)(x)
        parts.append(ops.reshape(ops.tanh(y) / 2 + 0.5, (1, int(np.prod(y.shape)))))
    ends = np.cumsum([part.shape[1] for part in parts])
    model = keras.Model(inputs, ops.reshape(ops.concatenate(parts, 1), (1, 1, ends[-1], 1)))
    images = np.random.default_rng(0).integers(0, 256, (1, *SHAPE[1:3], 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        path = to_coreml(model, tmp_path / "all.mlpackage", precision)
    gaps = np.abs(Program(path).masks(images) - masks_of(model, images)).ravel()
    worst = {
        name: gap.max() for name, gap in zip(UNCHANGED, np.split(gaps, ends[:-1]), strict=True)
    }
    allowed = 1e-5 if precision == "float32" else 0.03
    assert not {name: gap for name, gap in worst.items() if gap > allowed}


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=40)
@given(st.sampled_from(["MaxPool", "AveragePool"]), pairs, pairs, pairs, st.booleans(),
       st.booleans())  # fmt: skip
def test_pooling_is_that_of_onnx_runtime(kind, kernel, strides, pad, ceil, counted):
    helper = pytest.importorskip("onnx").helper
    ort = pytest.importorskip("onnxruntime")
    pad = [min(p, k - 1) for p, k in zip(pad, kernel, strict=True)]
    if ceil:  # where nothing is padded Core ML keeps a window that starts outside, ONNX drops it
        assume(all(p or s <= k for p, s, k in zip(pad, strides, kernel, strict=True)))
    both = {"kernel_sizes": kernel, "strides": strides, "ceil_mode": ceil}
    options = {} if kind == "MaxPool" else {"count_include_pad": int(counted)}
    node = helper.make_node(kind, ["x"], ["y"], kernel_shape=kernel, strides=strides,
                            pads=[*pad, *pad], ceil_mode=int(ceil), **options)  # fmt: skip
    values = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", (1, 2, 7, 9)), ("y", None))]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    x = np.random.default_rng(0).normal(size=(1, 2, 7, 9)).astype(np.float32)
    expected = ort.InferenceSession(made.SerializeToString()).run(None, {"x": x})[0]
    if kind == "AveragePool":
        both["exclude_padding_from_average"] = not counted
    name = {"MaxPool": "max_pool", "AveragePool": "avg_pool"}[kind]
    found = KERNELS[name](x, pad_type="custom", pad=[pad[0], pad[0], pad[1], pad[1]], **both)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "points"),
    [
        ("UNALIGN_CORNERS", [0, 0.1, 0.5, 0.9, 1]),
        ("STRICT_ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("DEFAULT", [0, 0.4, 0.8, 1, 1]),
        ("OFFSET_CORNERS", [0.1, 0.3, 0.5, 0.7, 0.9]),
    ],
)
def test_bilinear_grids_are_those_of_apples_reference(mode, points):
    x = np.array([0, 1], np.float32).reshape(1, 1, 1, 2)
    found = KERNELS["resize_bilinear"](
        x, target_size_height=1, target_size_width=5, sampling_mode=mode
    )
    np.testing.assert_allclose(found.ravel(), points, atol=1e-6)


def test_a_package_that_cannot_be_executed_is_written_with_a_warning(tmp_path):
    x = inputs = keras.Input((8, 8, 3))
    x = own(tf.nn.local_response_normalization)(layers.Rescaling(1 / 255)(x))
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))
    path = tmp_path / "net.mlpackage"
    with pytest.warns(UserWarning, match="local_response_norm.*Mac") as notes:
        to_coreml(model, path)
    assert str(notes[0].message).startswith(f"{path} is written")
    assert ".part-" not in str(notes[0].message)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(SeglibError, match="'local_response_norm'"):
        Program(path).masks(np.zeros((1, 8, 8, 3), np.uint8))


def written(folder, kind, model=None, **options):
    """A package of the warm net that reads -1..1; the older kind is written without a check."""
    path = folder / ("net.mlpackage" if kind == "mlprogram" else "net.mlmodel")
    with warnings.catch_warnings():
        warnings.filterwarnings("error" if kind == "mlprogram" else "ignore", ".* is written")
        return Program(to_coreml(model or warm_net(rescale=False), path, kind=kind, **options))


@pytest.mark.parametrize("kind", ["mlprogram", "neuralnetwork"])
@pytest.mark.parametrize(
    "reading",
    [
        {"value_range": (-1, 1)},
        {"value_range": (0, 1), "channels": "bgr"},
        {"mean": (0.4, 0.5, 0.6), "std": (0.25, 0.25, 0.25), "channels": "bgr"},
        {"mean": (103.9, 116.8, 123.7), "std": (57, 58, 59), "value_range": (0, 255)},
    ],
)
def test_scale_bias_and_order_of_an_image_are_in_the_file(reading, kind, tmp_path):
    """`to_coreml` itself compares the package with the model; here the interface is looked at."""
    program = written(tmp_path, kind, **reading)
    image = program._spec.description.input[0].type.imageType
    order = reading.get("channels", "rgb").upper()
    assert image.colorSpace == image.ColorSpace.Value(order)
    for key, value in reading.items():
        assert program.recorded[key] == (value if isinstance(value, str) else list(value))
    assert program.metadata["value_range"] == [0, 255] and program.metadata["channels"] == "rgb"
    if kind == "neuralnetwork":
        scaler = program._spec.neuralNetwork.preprocessing[0].scaler
        low, high = reading.get("value_range", (0, 1))
        std = reading.get("std", (1, 1, 1))
        divisor = std[0] if len(set(std)) == 1 else 1
        assert scaler.channelScale == pytest.approx((high - low) / 255 / divisor)
        first = scaler.blueBias if order == "BGR" else scaler.redBias
        assert first == pytest.approx((low - reading.get("mean", (0,))[0]) / divisor)


def test_the_package_takes_an_image_and_names_its_parts(tmp_path):
    about = {"author": "the authors", "licence": "Apache-2.0", "description": "small net"}
    program = written(tmp_path, "mlprogram", warm_net(), metadata=about)
    (image,), (mask,) = program.inputs, program.outputs
    assert (image.name, mask.name) == ("image", "mask")
    assert (image.shape, mask.shape) == ((1, H, W, 3), (1, H, W, 1))
    assert (program.input_type, program.output_type) == ("image", "array")
    kept = program._spec.description.metadata
    shown = kept.author, kept.license, kept.shortDescription
    assert shown == ("the authors", "Apache-2.0", "small net")
    assert program.recorded["precision"] == program.precision == "float16"


def test_an_array_is_what_the_model_reads(tmp_path):
    reading = {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7), "channels": "bgr"}
    program = written(tmp_path, "mlprogram", input_type="array", **reading)
    assert program.input_type == "array" and program.metadata["std"] == [0.5, 0.6, 0.7]


@pytest.mark.parametrize("kind", ["mlprogram", "neuralnetwork"])
def test_core_ml_gives_a_grey_image(tmp_path, kind):
    program = written(tmp_path, kind, warm_net(), output_type="image")
    assert program.output_type == "image" and program.outputs[0].shape == (1, H, W, 1)
    if kind == "mlprogram":
        images = views()[0][:2]
        shown = program.masks(images)
        np.testing.assert_allclose(shown * 255, np.rint(shown * 255), atol=1e-4)
        np.testing.assert_allclose(shown, masks_of(warm_net(), images), atol=0.02)
    with pytest.raises(SeglibError, match="2 output channels"):
        x = keras.Input((8, 8, 3))
        y = layers.Conv2D(2, 1, activation="softmax")(x)
        written(tmp_path, kind, keras.Model(x, y), output_type="image")


@pytest.mark.parametrize("bits", [4, 6])
def test_a_palette_has_as_many_values_as_its_bits_say(bits, tmp_path):
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(64, 3, padding="same")(layers.Rescaling(1 / 255)(x))
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))
    program = written(tmp_path, "mlprogram", model, precision="palettised", bits=bits)
    tables = [op for op in program._function.operations if op.op_type == "constexpr_lut_to_dense"]
    assert tables and {len(op.lut.val) for op in tables} == {2**bits}


def test_a_failed_export_leaves_the_earlier_package(tmp_path):
    path = tmp_path / "net.mlpackage"
    path.mkdir()
    (path / "Manifest.json").write_text("earlier")
    inputs = keras.Input((8, 8, 3))
    poisoned = keras.Model(inputs, layers.Conv2D(1, 1)(own(lambda x: ops.sqrt(-x))(inputs)))
    with pytest.raises(SeglibError, match=r"NaN.*net\.mlpackage was not written"):
        to_coreml(poisoned, path)
    assert (path / "Manifest.json").read_text() == "earlier"
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(inputs))
    to_coreml(model, path)
    assert Program(path).masks(np.zeros((1, 8, 8, 3), np.uint8)).shape == (1, 8, 8, 1)
    assert list(tmp_path.iterdir()) == [path]


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(SeglibError, match=r"net\.mlmodel.*\.mlpackage"):
        to_coreml(warm_net(), tmp_path / "net.mlmodel")
    with pytest.raises(SeglibError, match=r"'int8'.*float32, float16"):
        to_coreml(warm_net(), tmp_path / "net.mlpackage", "int8")
    photos = tmp_path / "photos.mlpackage"
    photos.mkdir()
    with pytest.raises(SeglibError, match="no Core ML package"):
        to_coreml(warm_net(), photos)
    with pytest.raises(SeglibError, match=r"absent\.mlpackage"):
        Program(tmp_path / "absent.mlpackage")
    (photos / "Manifest.json").write_text("{}")
    with pytest.raises(SeglibError, match=r"photos\.mlpackage cannot be read"):
        Program(photos)
    with pytest.raises(SeglibError, match=rf"{H}, {W}, 3\)"):
        written(tmp_path, "mlprogram").masks(views()[0][:1, :32])
