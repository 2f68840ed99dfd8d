"""Every target of one small network: its masks, its names, its metadata, and what is refused."""

import json
import sys

import keras
import numpy as np
import pytest

from export_net import masks_of
from seglib import Segmenter
from seglib.cli import main
from seglib.errors import SeglibError
from seglib.export import TARGETS, Program, convert, matrix, parity, to_onnx
from seglib.export.converters import Unavailable
from seglib.export.parity import backends
from seglib.runtime import open_engine, run_images
from warm_net import H, W, views, warm_net


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The matrix of the network, and the folder with its files."""
    folder = tmp_path_factory.mktemp("targets")
    images, masks = views()
    found = matrix(warm_net(), images, masks, folder=folder, turns=3, gpu=False)
    return found, folder


def path_of(made, target):
    found, folder = made
    missing = [cell.skipped for cell in found.rows if cell.target == target and not cell.backend]
    if missing:
        pytest.skip(missing[0])
    return folder / f"{target}{TARGETS[target].suffix}"


def test_every_target_is_the_model_in_every_runtime(made):
    found, _ = made
    assert found.ok, found.table()
    found.check()
    assert {cell.target for cell in found.rows} == set(TARGETS)
    run = [cell for cell in found.rows if not cell.skipped]
    assert sum(cell.target.startswith("tflite") for cell in run) >= 15
    assert np.ptp(masks_of(warm_net(), views()[0])) > 0.9
    for cell in run:
        assert cell.task_iou > 0.8
        assert cell.kib > 0
    base = next(cell for cell in run if cell.target == "tflite-float32")
    assert base.ratio == 1 and base.backend == "XNNPACK, 1 thread"


def test_table_and_json_have_every_cell(made):
    found, _ = made
    lines = found.table().splitlines()
    assert len(lines) == 3 + len(found.rows)
    assert {line.count("|") for line in lines} == {11}
    rows = json.loads(json.dumps(found.records(), allow_nan=False))
    assert [row["target"] for row in rows] == [cell.target for cell in found.rows]


@pytest.mark.parametrize("target", TARGETS)
def test_metadata_travels_with_every_target(made, target):
    path = path_of(made, target)
    if target == "savedmodel":
        kept = json.loads((path / "assets.extra" / "seglib.json").read_text())
    elif target == "graphdef":
        kept = json.loads(path.with_name(f"{path.name}.json").read_text())
    elif target.startswith("ncnn"):
        kept = json.loads(path.with_suffix(".json").read_text())
    elif target.startswith("coreml"):
        kept = Program(path).recorded
    else:
        kept = Segmenter(path).info
    assert kept["size"] == [H, W] and kept["value_range"] == [0, 255]
    assert kept["output_shape"] == [H, W, 1]
    precision = TARGETS[target].fixed.get("precision", "float32")
    assert kept["precision"] == precision
    assert len(kept["weights_sha256"]) == 64


def test_names_are_clean(made):
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString((made[1] / "graphdef.pb").read_bytes())
    assert {"image", "mask"} <= {node.name for node in graph.node}
    assert "BatchNormalization" not in {node.op for node in graph.node}
    text = path_of(made, "ncnn-float16").read_text()
    assert " image" in text.splitlines()[2] and " mask " in text and text.split()[-1] != "out0"
    import coremltools as ct

    spec = ct.utils.load_spec(str(path_of(made, "coreml-neuralnetwork")))
    names = [feature.name for feature in (*spec.description.input, *spec.description.output)]
    assert names == ["image", "mask"] and spec.specificationVersion == 5  # iOS 14
    for target in ("onnx", "savedmodel"):
        engine = open_engine(path_of(made, target))
        assert [one.name for one in (*engine.inputs, *engine.outputs)] == ["image", "mask"]
        assert [one.shape for one in engine.inputs] == [(1, H, W, 3)]


def test_onnx_runs_in_a_segmenter(made, tmp_path):
    first, images = path_of(made, "onnx"), views()[0]
    planar = to_onnx(
        warm_net(), tmp_path / "planar.onnx", {"labels": ["warm"]}, channels_first=True
    )
    expected = Segmenter(made[1] / "tflite-float32.tflite")(images[0])
    for path in (first, planar):
        segment = Segmenter(path)
        assert segment.size == (H, W)
        np.testing.assert_allclose(segment(images[0]), expected, atol=1e-5)
    assert segment.labels == ("warm",)
    np.testing.assert_allclose(run_images(planar, images), run_images(first, images), atol=1e-5)
    with pytest.raises(SeglibError, match=r"reads .*48, 64, 3.*fails on .*32, 64"):
        run_images(first, images[:, :32])


def test_damaged_files_are_named(made, tmp_path):
    broken = tmp_path / "cut.onnx"
    broken.write_bytes(path_of(made, "onnx").read_bytes()[:300])
    with pytest.raises(SeglibError, match=r"cut\.onnx cannot be run"):
        Segmenter(broken)
    with pytest.raises(SeglibError, match=r"no file .*absent\.onnx"):
        Segmenter(tmp_path / "absent.onnx")
    graph = tmp_path / "cut.pb"
    graph.write_bytes(b"no graph at all")
    with pytest.raises(SeglibError, match=r"cut\.pb is no frozen graph"):
        parity(warm_net(), graph, views()[0])
    with pytest.raises(SeglibError, match="no file that seglib can run"):
        parity(warm_net(), tmp_path / "what.bin", views()[0])


def test_damaged_ncnn_files_end_no_process(made, tmp_path):
    good = path_of(made, "ncnn-float32")
    path = tmp_path / "cut.ncnn.param"
    path.write_bytes(good.read_bytes())
    with pytest.raises(SeglibError, match=r"no file .*cut\.ncnn\.bin"):
        run_images(path, views()[0])
    for suffix in (".bin", ".json"):
        path.with_suffix(suffix).write_bytes(good.with_suffix(suffix).read_bytes())
    path.write_text(good.read_text().replace("Interp ", "Nonsense "))
    with pytest.raises(SeglibError, match=r"cut\.ncnn\.param cannot be run"):
        run_images(path, views()[0])


@pytest.mark.gpu
def test_the_gpu_gives_the_same_masks(made):
    images = views()[0]
    for target in ("tflite-float32", "tflite-float16", "tflite-int8"):
        (*_, gpu) = backends(path_of(made, target), gpu=True)
        masks = gpu.open()(images, {}).reshape(8, H, W, 1)
        assert np.abs(masks - masks_of(warm_net(), images)).mean() < 0.02


def test_a_broken_export_fails_loudly(made, tmp_path, capsys):
    """Weights of zero give one value everywhere; weights of NaN give NaN."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path_of(made, "onnx")))
    for name, value in (("constant", 0), ("nan", np.nan)):
        for entry in graph.graph.initializer:
            weights = numpy_helper.to_array(entry)
            if weights.ndim == 4:
                entry.CopyFrom(numpy_helper.from_array(weights * 0 + np.float32(value), entry.name))
        onnx.save(graph, str(tmp_path / f"{name}.onnx"))
    files = [tmp_path / "constant.onnx", tmp_path / "nan.onnx"]
    found = matrix(warm_net(), views()[0], targets=[], files=files, turns=0)
    assert [cell.problem for cell in found.rows[::2]] == [
        "the same value everywhere",
        "NaN or infinite values",
    ]
    with pytest.raises(SeglibError, match=r"constant\.onnx with ONNX Runtime, 1 thread"):
        found.check()


def test_a_missing_package_is_one_sentence_and_a_skipped_row(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(SeglibError, match="pip install onnx tf2onnx onnxruntime"):
        convert(warm_net(), "onnx", tmp_path / "net.onnx")
    found = matrix(warm_net(), views()[0], targets=["onnx"], turns=0)
    assert found.ok and "pip install" in found.rows[0].skipped
    assert "not run" in found.table()


def test_what_does_not_fit_is_refused(tmp_path):
    model = warm_net()
    with pytest.raises(SeglibError, match=r"no target 'tflite'; choose one of tflite-float32, "):
        convert(model, "tflite", tmp_path / "net.tflite")
    with pytest.raises(SeglibError, match=r"onnx has no option flat; its options: channels_first,"):
        convert(model, "onnx", tmp_path / "net.onnx", flat=True)
    with pytest.raises(SeglibError, match=r"batch is None.*leave it at 1"):
        convert(model, "savedmodel", tmp_path / "net", batch=None)
    for target, chosen in TARGETS.items():
        if chosen.suffix:
            with pytest.raises(SeglibError, match=r"does not end in"):
                convert(model, target, tmp_path / "net.what")
    with pytest.raises(SeglibError, match=r"exists already; choose a new"):
        convert(model, "savedmodel", tmp_path)
    fixed = keras.Input(batch_shape=(4, 8, 8, 3))
    with pytest.raises(SeglibError, match="4 pictures at once"):
        fixed_net = keras.Model(fixed, keras.layers.Conv2D(1, 1)(fixed))
        convert(fixed_net, "graphdef", tmp_path / "net.pb")
    assert not list(tmp_path.iterdir())


def test_shipped_weights_by_name_and_by_command(tmp_path, capsys):
    path = convert("portrait", "tflite-float32", tmp_path / "portrait.tflite")
    info = Segmenter(path).info
    assert info["name"] == "portrait" and info["labels"] == ["person"] and info["terms"]
    command = ["parity", "--model", "portrait", "--count", "2", "--turns", "0", "--no-gpu"]
    command += ["--files", str(path), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] and found["count"] == 2
    assert [cell["backend"] for cell in found["cells"]] == [
        "XNNPACK, 1 thread",
        "XNNPACK, 2 threads",
        "no delegate, 1 thread",
    ]
    assert main(["parity", "--model", "hair", *command[3:]]) == 1
    assert "not as the model" in capsys.readouterr().err


def test_the_accelerators_absence_is_no_fault_of_the_file(made, monkeypatch):
    def refuse(*_):
        raise Unavailable("no Vulkan device was found; install one")

    monkeypatch.setattr(sys.modules["seglib.export.parity"], "run_gpu", refuse)
    for target, reason in (("tflite-float32", "no Vulkan device"), ("tflite-int8-io", "int8")):
        (*_, gpu) = backends(path_of(made, target), gpu=True)
        with pytest.raises(Unavailable, match=reason):
            gpu.open()(views()[0], {})
