"""Baselines are fed as their projects say; `seglib eval` compares, groups and damages."""

import json
import shutil
import warnings

import baselines
import numpy as np
import pytest

from seglib import SeglibError, data, pretrained
from seglib.cli import main
from seglib.data.dataset import write_folder
from seglib.evaluation import evaluate

PHOTO = np.full((40, 30, 3), 90, np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of peers in which our own network stands in for others."""
    monkeypatch.setenv("SEGLIB_PEERS", str(tmp_path))
    for name in ("mp_selfie", "meet_lite"):
        shutil.copy(pretrained.path("portrait"), tmp_path / f"{name}.tflite")
    return tmp_path


def test_without_a_folder_there_are_no_peers_and_the_way_is_told(monkeypatch):
    monkeypatch.delenv("SEGLIB_PEERS", raising=False)
    assert baselines.available() == []
    with pytest.raises(SeglibError, match=r"https://.*SEGLIB_PEERS"):
        baselines.load("mp_hair")
    monkeypatch.setenv("SEGLIB_PEERS", "/no/such/folder")
    with pytest.raises(SeglibError, match="/no/such/folder"):
        baselines.available()


def test_another_file_under_a_peers_name_is_noticed(folder):
    assert baselines.available("person") == ["mp_selfie", "meet_lite"]
    assert baselines.available("hair") == []
    with pytest.warns(UserWarning, match="another version"):
        segment = baselines.load("mp_selfie")
    mask = segment(PHOTO)
    assert mask.shape == (40, 30) and mask.dtype == np.float32
    with pytest.warns(UserWarning), pytest.raises(SeglibError, match="not the Google Meet, lite"):
        baselines.load("meet_lite")
    (folder / "mp_hair.tflite").write_bytes(b"no model")
    with pytest.raises(SeglibError, match=r"mp_hair\.tflite"):
        baselines.load("mp_hair")
    with pytest.raises(SeglibError, match="has no meet_full"):
        baselines.load("meet_full")
    with pytest.raises(SeglibError, match="use one of mp_selfie"):
        baselines.load("selfie")


def test_every_peer_at_hand_is_the_known_one_and_finds_its_thing(peers_at_hand, real_data):
    there = baselines.available()
    assert there
    sets = {"person": data.load("eg1800", "val", "person"), "hair": data.load("figaro1k", "val")}
    for name in there:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            segment = baselines.load(name)
        # A wrong range, channel or softmax scores far below these.
        least = {"person": 0.88, "hair": 0.65}[segment.baseline.kind]
        scores = evaluate(segment, sets[segment.baseline.kind].subset(24), progress=False)
        assert scores.means["iou"] > least, name


@pytest.fixture
def peers_at_hand(request):
    return request.getfixturevalue("peers")


# The command


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    dataset = data.load("synthetic", "val", "person").subset(12)
    return write_folder(tmp_path_factory.mktemp("sets") / "drawn", dataset)


def run(capsys, *arguments) -> str:
    assert main([str(one) for one in arguments]) == 0
    return capsys.readouterr().out


def test_eval_compares_models_on_the_same_photos(portraits, capsys):
    command = ("eval", "--model", "portrait", "--data", portraits, "--split", "all")
    command += ("--compare", "portrait_open", "portrait", "--intervals", "--by", "difficulty")
    report = json.loads(run(capsys, *command, "--json"))
    other, same = report["compare"]
    assert (report["model"], other["model"]) == ("portrait", "portrait_open")
    gap = other["difference"]["iou"]
    assert gap["mean"] == pytest.approx(other["means"]["iou"] - report["means"]["iou"])
    assert gap["low"] <= gap["mean"] <= gap["high"]
    assert same["difference"]["iou"] == {"mean": 0, "low": 0, "high": 0, "level": 0.95}
    ends = report["intervals"]["iou"]
    assert ends["low"] < report["means"]["iou"] == ends["mean"] < ends["high"]
    groups = {group["group"]: group for group in report["difficulty"]}
    shown = sum(group["count"] for group in groups.values())
    assert shown + report["empty"]["photos"] >= 12
    text = run(capsys, *command)
    assert f"{ends['mean']:.4f} [{ends['low']:.4f}, {ends['high']:.4f}]" in text
    assert "iou minus that of portrait" in text and "plain" in text


def test_eval_shows_what_damage_does(portraits, capsys):
    command = ("eval", "--model", "portrait", "--data", portraits, "--split", "val")
    report = json.loads(run(capsys, *command, "--robustness", "--json"))
    scores = {(row["kind"], row["level"]): row["iou"] for row in report["robustness"]}
    assert scores["none", 0] == report["means"]["iou"]
    assert len(scores) == 25
    assert scores["blur", 4] < scores["none", 0]


def test_eval_names_a_wrong_model_before_it_scores(portraits, capsys):
    command = ["eval", "--model", "portrait", "--data", str(portraits), "--compare"]
    assert main([*command, "nosuchmodel"]) == 2
    captured = capsys.readouterr()
    assert "nosuchmodel" in captured.err and not captured.out
