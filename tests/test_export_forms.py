"""How a model reads images, in every format; models to measure; what ncnn gets to read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglib import Segmenter
from seglib.errors import SeglibError
from seglib.export import TARGETS, benchmark_grid, convert
from seglib.export.ncnn import clean_param, rewrite
from seglib.runtime import open_engine, run_images
from seglib.runtime.reading import model_input
from warm_net import views, warm_net


@pytest.mark.parametrize("target", ["onnx", "ncnn-float32", "graphdef", "savedmodel"])
def test_how_a_model_reads_images_is_kept_in_every_format(target, tmp_path):
    model, images = warm_net(rescale=False), views()[0][:2]
    for reading in (
        {"value_range": [0, 1], "channels": "bgr"},
        {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]},
    ):
        name = f"{'-'.join(reading)}{TARGETS[target].suffix}"
        engine = open_engine(convert(model, target, tmp_path / name, **reading))
        assert {key: engine.metadata[key] for key in reading} == reading
        given_images = model_input(images, {"value_range": (0, 1), **reading})
        expected = np.asarray(model(given_images, training=False))
        found = run_images(engine, model_input(images, engine.metadata))
        np.testing.assert_allclose(found, expected, atol=1e-5)


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


@settings(max_examples=20)
@given(
    st.tuples(*[st.integers(2, 4)] * 2),
    st.integers(1, 3),
    st.tuples(*[st.integers(0, 1)] * 4),
    st.lists(st.integers(0, 2), min_size=1, max_size=9),  # the shortest side has three
    st.integers(1, 3),
)
def test_what_ncnn_lacks_is_written_in_other_operations(kernel, stride, cuts, rows, axis):
    onnx, ort = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    helper, rng = onnx.helper, np.random.default_rng(0)
    nodes = [
        helper.make_node("ConvTranspose", ["x", "w"], ["t"], strides=[stride] * 2, pads=list(cuts)),
        helper.make_node("Gather", ["t", "rows"], ["y"], axis=axis),
    ]
    ends = [helper.make_tensor_value_info("x", 1, (1, 2, 5, 4)),
            helper.make_tensor_value_info("y", 1, None)]  # fmt: skip
    weights = rng.normal(size=(2, 4, *kernel)).astype(np.float32)
    constants = [onnx.numpy_helper.from_array(weights, "w"),
                 onnx.numpy_helper.from_array(np.array(rows), "rows")]  # fmt: skip
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = rng.normal(size=(1, 2, 5, 4)).astype(np.float32)

    def run():
        session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})[0]

    before = run()
    rewrite(made)
    assert "Gather" not in {node.op_type for node in made.graph.node}
    pads = [list(a.ints) for n in made.graph.node for a in n.attribute if a.name == "pads"]
    assert all(pad[:2] == pad[2:] for pad in pads)
    np.testing.assert_allclose(run(), before, atol=1e-5)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("pads=(0,0,1,0,0,0,2,3) mode=constant", "0=1 1=2 2=0 3=3 4=0 5=0.0 7=0 8=0"),
        ("pads=(0,1,1,0,0,1,1,0) value=-65504.0", "0=1 1=1 2=0 3=0 4=0 5=-65504.0 7=1 8=1"),
        ("pads=(0,0,1,1,0,0,1,1) mode=reflect", "0=1 1=1 2=1 3=1 4=2 5=0.0 7=0 8=0"),
        ("pads=(1,0,0,0,0,0,0,0) mode=constant", None),
        ("pads=(0,0,1,1,0,0,1,1) mode=wrap", None),
    ],
)
def test_padding_is_called_as_ncnn_calls_it(said, written):
    before = f"Pad      Pad_2     1 1 4 5 {said} #4=(1,8,4,4)f32"
    param = "Input   in0   0 1 in0\nPad      Pad_2     1 1 in0 5 \nSigmoid s 1 1 5 out0\n"
    if written is None:
        with pytest.raises(SeglibError, match="ncnn has no padding Pad_2"):
            clean_param(param, before)
        return
    text = clean_param(param, before)
    assert f"Padding Pad_2 1 1 image 5 {written}" in text
    assert text.splitlines()[-1] == "Sigmoid s 1 1 5 mask"
