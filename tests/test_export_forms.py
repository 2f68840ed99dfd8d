"""Core ML's inputs and outputs, models to measure, and the parts of a conversion on their own."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export_net import masks_of
from seglib import Segmenter
from seglib.errors import SeglibError
from seglib.export import Program, benchmark_grid, to_coreml
from seglib.export.coreml_convert import palette
from seglib.export.ncnn_graph import clean_param, split_crops
from warm_net import H, W, views, warm_net


def test_core_ml_scales_a_picture_for_a_model_that_does_not(tmp_path):
    model, images = warm_net(rescale=False), views()[0][:2]
    expected = np.asarray(model(images / np.float32(127.5) - 1, training=False))
    for name, options in {
        "picture.mlpackage": {},
        "array.mlpackage": {"takes": "array"},
        "old.mlmodel": {"kind": "neuralnetwork"},
    }.items():
        path = to_coreml(model, tmp_path / name, "float32", value_range=(-1, 1), **options)
        program = Program(path)
        assert program.takes == options.get("takes", "picture")
        np.testing.assert_allclose(program.masks(images), expected, atol=1e-4)


@pytest.mark.parametrize("suffix", [".mlpackage", ".mlmodel"])
def test_core_ml_gives_a_grey_picture(tmp_path, suffix):
    kind = "neuralnetwork" if suffix == ".mlmodel" else "mlprogram"
    path = to_coreml(warm_net(), tmp_path / f"grey{suffix}", kind=kind, gives="picture")
    program, images = Program(path), views()[0][:2]
    assert program.gives == "picture"
    shown = program(images[0])["mask"]
    assert shown.shape == (1, 1, H, W)
    assert set(np.unique(shown)) <= set(range(256)) and np.ptp(shown) > 200
    np.testing.assert_allclose(program.masks(images), masks_of(warm_net(), images), atol=0.02)
    with pytest.raises(SeglibError, match="2 output channels"):
        x = keras.Input((8, 8, 3))
        to_coreml(keras.Model(x, keras.layers.Conv2D(2, 1)(x)), path, kind=kind, gives="picture")


def test_untrained_models_to_measure(tmp_path):
    paths = benchmark_grid(tmp_path / "grid", "tflite-float32", (32, 64), (0.25,))
    assert [path.name for path in paths] == [
        "transpose_unet_32_0.25.tflite",
        "transpose_unet_64_0.25.tflite",
    ]
    lines = (tmp_path / "grid" / "grid.csv").read_text().splitlines()
    assert lines[0] == "file,size,width,parameters,macs"
    small, large = (line.split(",") for line in lines[1:])
    assert small[3] == large[3]
    assert 3.5 < int(large[4]) / int(small[4]) < 4.5
    assert Segmenter(paths[1]).size == (64, 64)


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=200), st.sampled_from([1, 2, 4]))
def test_a_palette_gives_each_weight_its_nearest_value(weights, bits):
    values = np.array(weights, np.float32)
    table, indices = palette(bits)(values)
    assert table.shape == (2**bits,) and indices.max() < 2**bits
    nearest = np.abs(values[:, None] - table[None]).min(axis=1)
    np.testing.assert_allclose(np.abs(values - table[indices]), nearest, atol=1e-6)


@settings(max_examples=20)
@given(
    st.tuples(*[st.integers(2, 4)] * 2),
    st.integers(1, 3),
    st.tuples(*[st.integers(0, 1)] * 4),
)
def test_a_transposed_convolution_may_be_cut_afterwards(kernel, stride, cuts):
    onnx, ort = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 3, *kernel)).astype(np.float32)
    node = onnx.helper.make_node(
        "ConvTranspose", ["x", "w"], ["y"], "t", strides=[stride] * 2, pads=list(cuts)
    )
    floats = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [onnx.helper.make_tensor_value_info("x", floats, (1, 2, 5, 4))],
        [onnx.helper.make_tensor_value_info("y", floats, None)],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    made.ir_version = 8
    x = rng.normal(size=(1, 2, 5, 4)).astype(np.float32)

    def run():
        session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})[0]

    before = run()
    split_crops(made)
    after = run()
    pads = [list(a.ints) for n in made.graph.node for a in n.attribute if a.name == "pads"]
    assert all(pad[:2] == pad[2:] for pad in pads)
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_padding_is_called_as_ncnn_calls_it():
    before = "Pad      Pad_2     1 1 4 5 pads=(0,0,1,0,0,0,2,3) mode=constant #4=(1,8,4,4)f32"
    param = "Input   in0   0 1 in0\nPad      Pad_2     1 1 in0 5 \nSigmoid s 1 1 5 out0\n"
    text = clean_param(param, before)
    assert "Padding Pad_2 1 1 image 5 0=1 1=2 2=0 3=3 4=0 5=0.0" in text
    assert text.splitlines()[-1] == "Sigmoid s 1 1 5 mask"
    with pytest.raises(SeglibError, match="none of height and width"):
        clean_param(param, before.replace("(0,0,1", "(0,1,1"))
