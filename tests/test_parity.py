"""The parity report: every runtime beside Keras, every kind of damage found."""

import dataclasses
from importlib.util import find_spec

import keras
import numpy as np
import pytest

from export_net import coreml, net, other_net, pictures, tflite
from seglib.errors import SeglibError
from seglib.export import parity, to_tflite
from seglib.export.graph import trace
from seglib.export.tflite import PRECISIONS as ALL
from seglib.export.tflite import convert

# (largest, mean) absolute difference to Keras on pictures which the network was trained on.
ALLOWED = {
    "float32": (1e-5, 1e-6), "float16": (0.02, 1e-3), "dynamic": (0.1, 5e-3), "int8": (0.3, 0.01),
}  # fmt: skip
# int8 weights alone are written by a package of its own, which a plain installation lacks.
PRECISIONS = [p for p in ALL if p != "int8-weights" or find_spec("ai_edge_quantizer")]


@pytest.fixture(scope="module")
def report():
    files = [tflite(precision) for precision in PRECISIONS]
    files += [tflite("int8", flat=True, integer_io=True), coreml("float16"), coreml("float32")]
    return parity(net(), files, pictures()[0][64:72])


def test_all_good_exports_pass(report):
    assert report.ok, report.table()
    report.check()
    found = [(row.backend, row.precision) for row in report.rows]
    assert found == [
        *(("XNNPACK, 1 thread", precision) for precision in PRECISIONS),
        ("XNNPACK, 1 thread", "int8"),
        ("re-executed", "float16"),
        ("re-executed", "float32"),
    ]
    for row in report.rows[: len(PRECISIONS) + 1]:
        worst, mean = ALLOWED.get(row.precision, (1, 0.01))
        assert row.max_diff < worst and row.mean_diff < mean, row
    full, half, _, quantised, *_ = report.rows
    assert full.max_diff < half.max_diff < quantised.max_diff
    assert full.mean_diff < half.mean_diff < quantised.mean_diff
    assert full.kib > half.kib > quantised.kib
    assert full.iou_agreement == 1.0


def test_another_models_file_fails(tmp_path):
    flipped = keras.models.clone_model(net())
    flipped.set_weights([*net().get_weights()[:-2], *(-w for w in net().get_weights()[-2:])])
    report = parity(flipped, tflite("float32"), pictures()[0][:2])
    assert not report.ok
    assert report.rows[0].iou_agreement < 0.5
    with pytest.raises(SeglibError, match="float32"):
        report.check()
    assert "shape" in parity(other_net(), tflite("float32"), pictures()[0][:2]).rows[0].problem
    dead = keras.models.clone_model(net())
    dead.set_weights([np.zeros_like(weight) for weight in net().get_weights()])
    path = to_tflite(dead, tmp_path / "dead.tflite")
    assert parity(dead, path, pictures()[0][:2]).ok
    problem = parity(net(), path, pictures()[0][:2]).rows[0].problem
    assert problem == "the same value everywhere"


def test_weights_lost_by_a_converter_are_found(tmp_path):
    """A Keras model is no tf.Module for TFLiteConverter: no error, and no weights in the file."""
    graph, path = trace(net()), tmp_path / "empty.tflite"
    path.write_bytes(convert(dataclasses.replace(graph, module=graph.model)))
    assert "weights are missing" in parity(net(), path, pictures()[0][:2]).rows[0].problem


def test_what_cannot_be_compared_is_refused():
    sick = keras.models.clone_model(net())
    sick.set_weights([np.full_like(weight, np.nan) for weight in net().get_weights()])
    with pytest.raises(SeglibError, match="itself gives NaN"):
        parity(sick, tflite("float32"), pictures()[0][:1])
    for images in (np.zeros((1, 64, 64, 3)), np.zeros((1, 32, 32, 3), np.uint8), np.uint8([])):
        with pytest.raises(SeglibError, match=r"uint8 pictures \(N, 64, 64, 3\)"):
            parity(net(), tflite("float32"), images)
