"""Metadata travels inside the model file and never costs us the model."""

import json
import subprocess
import sys
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglib.errors import SeglibError
from seglib.metadata import read_metadata, write_metadata

# The identifier is all that tells a FlatBuffer apart; the rest stands for weights of any value.
MODEL = b"\x1c\x00\x00\x00TFL3" + bytes(range(256)) * 20
CARD = {
    "name": "hair",
    "size": 128,
    "value_range": [0, 255],
    "labels": ["hair"],
    "terms": "für alle",
}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(MODEL)
    return path


@pytest.mark.parametrize("others", [{}, {"labels.txt": b"background\nhair\n"}])
def test_metadata_comes_back_and_the_model_and_files_of_others_stay(model, others):
    for name, content in others.items():
        with zipfile.ZipFile(model, "a") as archive:
            archive.writestr(name, content)
    assert read_metadata(model) is None
    write_metadata(model, CARD)
    assert read_metadata(model) == CARD
    assert model.read_bytes().startswith(MODEL)
    with zipfile.ZipFile(model) as archive:
        assert json.loads(archive.read("seglib.json")) == CARD
        assert {name: archive.read(name) for name in others} == others


def test_new_metadata_replaces_old_without_growth(model):
    write_metadata(model, CARD)
    once = model.read_bytes()
    write_metadata(model, {"name": "x" * 5000})
    write_metadata(model, CARD)
    assert model.read_bytes() == once
    assert list(model.parent.iterdir()) == [model]


@pytest.mark.parametrize("content", [b"", b"TFL3", b"PK\x03\x04 no model", b"{}" * 50])
def test_what_is_no_model_is_refused_and_unchanged(tmp_path, content):
    path = tmp_path / "photo.tflite"
    path.write_bytes(content)
    for call in (read_metadata, lambda p: write_metadata(p, CARD)):
        with pytest.raises(SeglibError, match=r"photo\.tflite.*TFLite"):
            call(path)
    assert path.read_bytes() == content


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(SeglibError, match=r"absent\.tflite"):
        read_metadata(tmp_path / "absent.tflite")
    with pytest.raises(SeglibError, match=tmp_path.name):
        read_metadata(tmp_path)


@pytest.mark.parametrize("bad", [{"a": object()}, {"a": float("nan")}])
def test_metadata_which_json_cannot_hold_changes_nothing(model, bad):
    with pytest.raises(SeglibError, match="JSON"):
        write_metadata(model, bad)
    assert model.read_bytes() == MODEL


@given(st.data())
def test_damaged_archives_are_named(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "net.tflite"
    path.write_bytes(MODEL)
    # Packed by others, and ours.
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", "background\nhair\n" * 9)
    write_metadata(path, CARD)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(len(MODEL), len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        assert read_metadata(path) in (CARD, None)
    except SeglibError as error:
        assert "net.tflite" in str(error) and "\n" not in str(error)


def test_reading_needs_the_standard_library_only(model):
    code = (
        "import sys, seglib.metadata as m; m.read_metadata(sys.argv[1]);"
        "print([n for n in ('tensorflow', 'keras', 'ai_edge_litert') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, model], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
