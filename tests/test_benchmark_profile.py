"""The operations of a file, timed by LiteRT's profiler: all of them, in their order."""

import importlib.metadata
import json
import sys

import pytest

from seglib import export, pretrained
from seglib.benchmark import benchmark, plot_profile, profile
from seglib.benchmark.profile import KNOWN_VERSION, OpTime, Profile
from seglib.cli import main
from seglib.errors import SeglibError
from seglib.export import delegate_test_models

known = pytest.mark.skipif(
    importlib.metadata.version("ai-edge-litert") != KNOWN_VERSION
    or not sys.platform.startswith("linux"),
    reason=f"the profiler is known in ai-edge-litert {KNOWN_VERSION} on Linux alone",
)


@pytest.fixture(scope="module")
def portrait():
    return profile(pretrained.path("portrait"), runs=10)


@known
def test_every_operation_is_there_and_the_parts_make_up_the_whole(portrait):
    file = [op for op in export.ops(pretrained.path("portrait")) if op.name != "DEQUANTIZE"]
    assert [op.shape for op in portrait.ops] == [op.shape for op in file]
    counts = {kind: count for kind, (count, _) in portrait.by_kind().items()}
    named = [op.name for op in file]
    assert counts["Convolution (NHWC, F32) DWConv"] == named.count("DEPTHWISE_CONV_2D")
    assert counts["Resize Bilinear (NHWC)"] == named.count("RESIZE_BILINEAR")
    assert all(op.delegated for op in portrait.ops)
    assert (portrait.pieces, portrait.own_ms) == (1, 0)
    # Two processes on a busy machine: this finds a wrong unit, not a slow operation.
    assert 0.05 < portrait.total_ms / benchmark(pretrained.path("portrait"), 40).steady_ms < 20
    for groups in (portrait.by_kind(), portrait.by_size()):
        assert sum(ms for _, ms in groups.values()) == pytest.approx(portrait.total_ms)
        assert sum(count for count, _ in groups.values()) == len(portrait.ops)
    times = [ms for _, ms in portrait.by_kind().values()]
    assert times == sorted(times, reverse=True)
    assert len(plot_profile(portrait, most=3).axes[0].patches) == 4


@known
def test_what_no_delegate_takes_is_seen(tmp_path):
    path = tmp_path / "gather.tflite"
    path.write_bytes(delegate_test_models.network("pixels gathered"))
    assert [(op.kind.split()[0], op.delegated) for op in profile(path, runs=3).ops] == [
        ("Convolution", True),
        ("GATHER_ND", False),
    ]


@pytest.mark.parametrize(
    ("delegated", "pieces", "own"),
    [([], 0, 0), ([False] * 3, 0, 3), ([True, False, True, True], 2, 1), ([None, None], 0, 0),
     ([False, True, False, False, True, False], 2, 4)],
)  # fmt: skip
def test_changes_of_hands_are_counted(delegated, pieces, own):
    found = Profile("x.tflite", tuple(OpTime("ADD", 1.0, ran) for ran in delegated))
    assert (found.pieces, found.own_ms) == (pieces, own)


@known
def test_the_command_prints_and_draws_it(tmp_path, capsys):
    picture = tmp_path / "profile.png"
    command = ["benchmark", "--model", "portrait", "--profile", "--runs", "3"]
    assert main([*command, "--figure", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert "| Fully Connected" in shown and "runs: 1; time in what it left out: 0%" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["file"], found["pieces"]) == ("portrait.tflite", 1)
    file = [op for op in export.ops(pretrained.path("portrait")) if op.name != "DEQUANTIZE"]
    assert len(found["ops"]) == len(file)
    assert main([*command, "--compare", "hair"]) == 2
    assert main([*command, "--figure", "profile.txt"]) == 2


def test_what_cannot_be_profiled_is_refused(tmp_path, monkeypatch):
    with pytest.raises(SeglibError, match="there is no file"):
        profile(tmp_path / "absent.tflite")
    with pytest.raises(SeglibError, match="at least 1"):
        profile(pretrained.path("portrait"), runs=0)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.9.9")
    with pytest.raises(SeglibError, match=r"ai-edge-litert 2\.3\.0 .* here is 2\.9\.9"):
        profile(pretrained.path("portrait"))


@known
def test_a_cut_file_is_refused_with_its_name(tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(pretrained.path("portrait").read_bytes()[:2000])
    with pytest.raises(SeglibError, match=r"cut\.tflite cannot be profiled"):
        profile(path)
