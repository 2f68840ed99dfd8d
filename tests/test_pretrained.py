"""Shipped weights are found by name, and their terms are seen."""

import json

import numpy as np
import pytest

import seglib
from known_models import build, red
from seglib import SeglibError, pretrained

TERMS = "for research and teaching only"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Let two models ship from a folder of our own: "face" and "face_open"."""
    for name in ("face", "face_open"):
        build(red, tmp_path / f"{name}.tflite", {"name": name, "value_range": [0, 255]})
        card = {"name": name, "terms": f"{name} is {TERMS}"}
        (tmp_path / f"{name}.card.json").write_text(json.dumps(card))
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    monkeypatch.setattr(pretrained, "_announced", set())
    return tmp_path


def test_a_shipped_model_runs_and_its_terms_are_printed_once(folder, capsys):
    photo = np.full((5, 7, 3), 51, np.uint8)
    for name in ("face", "face", "face_open"):
        mask = seglib.load(name)(photo)
        assert mask.shape == (5, 7) and np.allclose(mask, 0.2, atol=1e-5)
    captured = capsys.readouterr()
    assert captured.err.count(TERMS) == 2 and captured.err.count("'face'") == 1
    assert captured.out == ""


def test_an_unknown_name_lists_those_there_are(folder):
    for name in ("hair", "", "../face", "face.tflite"):
        with pytest.raises(SeglibError, match="choose one of face, face_open"):
            seglib.load(name)


def test_a_copy_without_weights_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    assert pretrained.list_models() == []
    with pytest.raises(SeglibError, match="this copy has none"):
        seglib.load("portrait")


def test_a_model_is_its_file_and_its_card(folder):
    (folder / "lonely.card.json").write_text("{}")
    (folder / "nameless.tflite").write_bytes(b"")
    assert pretrained.list_models() == ["face", "face_open"]
    assert pretrained.path("face") == folder / "face.tflite"
    with pytest.raises(SeglibError, match=r"face.weights.h5 is missing"):
        pretrained.path("face", ".weights.h5")


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "face"}', '{"terms": ""}'])
def test_a_card_that_is_damaged_or_without_terms_is_refused(folder, content):
    (folder / "face.card.json").write_text(content)
    with pytest.raises(SeglibError, match=r"face\.card\.json"):
        seglib.load("face")


def test_the_channel_that_the_card_names_is_the_mask(folder):
    import tensorflow as tf

    build(
        lambda image: tf.concat([1 - red(image), red(image)], axis=-1),
        folder / "two.tflite",
        {"labels": ["rest", "red"]},
    )
    (folder / "two.card.json").write_text(json.dumps({"terms": TERMS, "channel": "red"}))
    mask = seglib.load("two")(np.full((4, 4, 3), 51, np.uint8))
    assert np.allclose(mask, 0.2, atol=1e-5)
