"""The op audit: its verdicts on good, bad and broken files, beside the accelerator's own."""

import json

import numpy as np
import pytest

from seglib import SeglibError, export, models, pretrained, sample_photo
from seglib.cli import main
from seglib.export import delegate_test_models
from seglib.images import resize
from seglib.runtime import run_images


def written(tmp_path, content: bytes):
    path = tmp_path / "network.tflite"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", pretrained.list_models())
def test_shipped_models_pass(name):
    found = export.audit(pretrained.path(name))
    layers = models.load(pretrained.path(name, ".weights.h5")).layers
    convolved = [type(layer).__name__ in ("Conv2D", "SeparableConv2D") for layer in layers]
    assert found.ok and found.ops["CONV_2D"] == sum(convolved) > 0
    assert "none refused" in found.table()


def test_the_trap_is_named(tmp_path):
    def first(content: bytes) -> str:
        refusal = export.audit(written(tmp_path, content)).refusals[0]
        return f"{refusal.op}: {refusal.reason}; {refusal.advice}"

    repeated = first(delegate_test_models.network("nearest upsampling by repeating"))
    assert "rank 5" in repeated and "keras.ops.image.resize" in repeated
    assert "int32" in first(delegate_test_models.network("class numbers, int64"))
    assert "16-bit" in first(delegate_test_models.network("activations of 16 bits"))
    found = export.audit(written(tmp_path, delegate_test_models.network("open batch, asked for")))
    assert any(refusal.op == "SHAPE" and "batch" in refusal.advice for refusal in found.refusals)


def test_the_record_holds_what_is_known_of_the_trial_networks(tmp_path):
    recorded = {row["name"]: row for row in export.recorded_verdicts()["networks"]}
    assert set(delegate_test_models.names()) | set(pretrained.list_models()) <= set(recorded)
    for name, taken in delegate_test_models.names().items():
        row = recorded[name]
        found = export.audit(written(tmp_path, delegate_test_models.network(name)))
        assert row["accelerated"] == taken == found.ok, found.table()
        assert all(r.advice and r.reason and r.op in found.table() for r in found.refusals)
        reasons = {f"{r.op}: {r.reason}".lstrip(": ") for r in found.refusals}
        assert set(row["audit"]) == reasons
        assert (row["difference"] is None) != taken
        assert f"| {name} |" in export.verdict_table()


def test_the_audit_agrees_with_every_recorded_verdict():
    rows = export.recorded_verdicts()["networks"]
    assert len(rows) >= 12
    assert [row["name"] for row in rows if bool(row["audit"]) == row["accelerated"]] == []


def test_a_record_that_cannot_be_read_is_named(tmp_path):
    for content in ("", "[1"):
        path = tmp_path / "record.json"
        path.write_text(content)
        with pytest.raises(SeglibError, match=r"record\.json"):
            export.recorded_verdicts(path)


def test_broken_files_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(SeglibError, match="there is no file"):
        export.audit(tmp_path / "none.tflite")
    content = pretrained.path("portrait").read_bytes()
    for cut in (9, 40, 1000, len(content) // 2):
        with pytest.raises(SeglibError, match="cannot be read as a TFLite model"):
            export.audit(written(tmp_path, content[:cut]))


def test_the_command_says_what_is_refused_and_exits_with_1(tmp_path, capsys):
    assert main(["audit", "portrait"]) == 0
    assert "none refused" in capsys.readouterr().out
    bad = written(tmp_path, delegate_test_models.network("class numbers, int64"))
    assert main(["audit", str(bad), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["refusals"][0]["op"] == "ARG_MAX" and not found["ok"]
    assert main(["audit", str(tmp_path / "none.tflite")]) == 2


def test_without_a_vulkan_device_the_accelerator_says_what_to_install(monkeypatch):
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nowhere/icd.json")
    with pytest.raises(SeglibError, match="no Vulkan device.*apt-get install"):
        export.run_gpu(pretrained.path("portrait"))


@pytest.mark.gpu
@pytest.mark.parametrize("name", delegate_test_models.names())
def test_the_accelerator_says_the_same(name, tmp_path):
    path = written(tmp_path, delegate_test_models.network(name))
    run = export.run_gpu(path)
    assert run.accelerated == delegate_test_models.names()[name], run.refusals
    if name not in delegate_test_models.WHOLE:
        refused = {line.split(":")[0] for line in run.refusals}
        assert refused == {refusal.op for refusal in export.audit(path).refusals}


@pytest.mark.gpu
@pytest.mark.parametrize("name", pretrained.list_models())
def test_the_gpu_gives_the_masks_of_the_cpu(name):
    photo = resize(sample_photo(), (128, 128))
    images = np.stack([photo, photo[:, ::-1]])
    run = export.run_gpu(pretrained.path(name), images)
    assert run.accelerated
    masks = run_images(pretrained.path(name), images)
    assert np.abs(run.masks.reshape(masks.shape) - masks).max() < 1e-4
