"""The command line does what the library does, and says in one sentence what a user can mend."""

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import address
import seglib
from known_models import build, red
from seglib import data, images, pretrained
from seglib.cli import COMMANDS, main
from seglib.data import synthetic
from seglib.postprocess import Pipeline, preset
from seglib.runtime import Segmenter


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "red.tflite"
    return build(red, path, {"name": "red", "labels": ["red"], "value_range": [0, 255]})


@pytest.fixture
def photo(tmp_path) -> Path:
    return seglib.write_image(tmp_path / "photo.png", seglib.sample_photo()[::4, ::3])


@pytest.fixture
def demo(photo, model):
    """The arguments of a demo on the photo by the model, which further ones may override."""

    def arguments(task, *options):
        return ("demo", "--task", task, "--image", photo, "--model", model, *options)

    return arguments


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> Path:
    portraits = synthetic.portraits(12, size=64, seed=3)
    folder = tmp_path_factory.mktemp("data") / "faces"
    return data.write_folder(folder, portraits.dataset("person"), val_share=0.34)


def run(*arguments) -> int:
    return main([word for argument in arguments for word in str(argument).split()])


def answer(capsys, *arguments) -> dict:
    """Run a command with `--json` and return what it prints."""
    capsys.readouterr()
    assert run(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments) -> str:
    """The command must end with code 2 and one sentence; return it."""
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("seglib: ")
    assert captured.out == ""
    return lines[0]


@pytest.mark.parametrize(
    ("options", "config"),
    [
        ("hair --color 0 80 255 --strength 0.7", ("recolour", (0, 80, 255), 0.7)),
        ("portrait", ("blur",)),
        ("portrait --background bokeh", ("bokeh",)),
        ("portrait --background grey", ("grey",)),
        ("portrait --background SCENE", ("replace",)),
        ("hair --preset hair-demo", ("multiply", (255, 0, 0))),
        ("portrait --preset hair-demo", ("blur",)),
        ("portrait --preset portrait-android-1", ("bokeh",)),
        ("hair --preset portrait-android-1", ("recolour", (255, 0, 0))),
        ("portrait --preset portrait-webcam", ("blur",)),
        ("portrait --preset portrait-webcam --background SCENE", ("replace",)),
        ("portrait --preset portrait-video-clone --background SCENE", ("clone",)),
    ],
)
def test_a_picture_becomes_what_the_pipeline_makes(demo, photo, model, tmp_path, options, config):
    scene = seglib.write_image(tmp_path / "scene.png", seglib.sample_photo()[:90, ::-1])
    output, words = tmp_path / "out" / "dyed.png", options.split()
    given = [scene if word == "SCENE" else word for word in words]
    assert run(*demo(*given, "--output", output)) == 0
    changes = dict(zip(("effect", "color", "strength"), config, strict=False))
    pipeline = Pipeline(preset(words[2] if "--preset" in words else "default", **changes))
    image = seglib.read_image(photo)
    behind = seglib.read_image(scene) if "SCENE" in words else None
    frame = pipeline(image, Segmenter(model).raw(image), behind)
    assert np.array_equal(seglib.read_image(output), frame)
    assert not np.array_equal(frame, image)


def test_the_shipped_weights_are_the_tasks_default(photo, model, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "hair.tflite").write_bytes(model.read_bytes())
    (folder / "hair.card.json").write_text(json.dumps({"terms": "for teaching only"}))
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    monkeypatch.setattr(pretrained, "_announced", set())
    output = tmp_path / "dyed.jpg"
    assert run("demo", "--task", "hair", "--image", photo, "--output", output) == 0
    assert "for teaching only" in capsys.readouterr().err
    assert seglib.read_image(output).shape == seglib.read_image(photo).shape
    assert run("models") == 0
    assert capsys.readouterr().out == "hair: for teaching only\n"
    message = refused(capsys, "demo", "--task", "portrait", "--image", photo, "--output", output)
    assert "choose one of hair" in message


def test_unusable_pictures_are_named(demo, tmp_path, photo, capsys):
    output = tmp_path / "out.jpg"
    for name, content in {
        "absent.jpg": None,
        "empty.jpg": b"",
        "text.jpg": b"hello",
        "cut.png": photo.read_bytes()[:900],
    }.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        wanted = demo("portrait", "--output", output)
        assert name in refused(capsys, *wanted, "--image", path)
        assert name in refused(capsys, *wanted, "--background", path)
    assert not output.exists()


def test_unusable_models_are_named(demo, tmp_path, capsys):
    path, output = tmp_path / "broken.tflite", tmp_path / "out.png"
    wanted = demo("hair", "--output", output, "--model")
    for content in (None, b"", b"not a model, whatever its name says"):
        if content is not None:
            path.write_bytes(content)
        assert "broken.tflite" in refused(capsys, *wanted, path)
        assert "broken.tflite" in refused(capsys, "benchmark", "--model", path)
    assert "'portait'" in refused(capsys, *wanted, "portait")
    assert "portrait_open" in refused(capsys, "benchmark", "--model", "portait")
    assert not output.exists()


def test_a_model_without_metadata_is_noted_in_one_line(demo, tmp_path, capsys):
    bare = build(red, tmp_path / "bare.tflite")
    wanted = demo("hair", "--output", tmp_path / "out.png", "--model", bare)
    assert run(*wanted) == 0
    notes = capsys.readouterr().err.strip().splitlines()
    assert len(notes) == 1
    assert notes[0].startswith("seglib: note: bare.tflite carries no metadata")
    assert run(*wanted, "--value-range", 0, 255) == 0
    assert capsys.readouterr().err == ""


def test_the_input_is_never_overwritten(demo, photo, tmp_path, capsys):
    before = photo.read_bytes()
    link = tmp_path / "link.png"
    link.symlink_to(photo)
    (tmp_path / "x").mkdir()
    for output in (photo, tmp_path / "." / "x" / ".." / photo.name, link):
        for task in ("hair", "portrait"):
            assert "would be lost" in refused(capsys, *demo(task, "--output", output))
    scene = seglib.write_image(tmp_path / "scene.png", seglib.sample_photo()[:9, :9])
    wanted = demo("portrait", "--background", scene, "--output", scene)
    assert "scene.png" in refused(capsys, *wanted)
    assert photo.read_bytes() == before


def test_an_output_that_cannot_be_written(demo, photo, tmp_path, monkeypatch, capsys):
    assert "photo.png" in refused(capsys, *demo("hair", "--output", photo / "below.png"))
    assert ".gif" in refused(capsys, *demo("hair", "--output", tmp_path / "out.gif"))
    output = tmp_path / "out.png"
    output.write_bytes(b"what stood here")

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert "disk is full" in refused(capsys, *demo("hair", "--output", output))
    assert output.read_bytes() == b"what stood here"
    assert not list(tmp_path.glob(".part-*"))


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_person_is_cut_out_with_transparency(demo, photo, model, tmp_path, suffix):
    output = tmp_path / f"me{suffix}"
    assert run(*demo("portrait", "--background", "transparent", "--output", output)) == 0
    image = seglib.read_image(photo)
    config = preset("default", effect="replace", background="transparent")
    expected = Pipeline(config)(image, Segmenter(model).raw(image))
    stored = np.asarray(Image.open(output).convert("RGBA"))
    assert stored.shape == expected.shape == (*image.shape[:2], 4)
    assert np.abs(stored[..., 3].astype(int) - expected[..., 3]).max() <= 3


def test_a_colour_stands_behind_and_the_bare_mask_is_written(demo, photo, model, tmp_path):
    output, mask = tmp_path / "me.png", tmp_path / "mask.png"
    assert run(*demo(f"portrait --background #00ff00 --output {output} --mask {mask}")) == 0
    image = seglib.read_image(photo)
    alpha = Pipeline(preset("default")).alpha(image, Segmenter(model).raw(image))
    assert np.abs(seglib.images.read_mask(mask) - alpha).max() <= 1 / 255
    assert (seglib.read_image(output)[alpha == 0] == (0, 255, 0)).all()


def test_a_folder_of_photos_becomes_a_folder(demo, photo, tmp_path, capsys):
    folder = tmp_path / "photos"
    (folder / ".hidden").mkdir(parents=True)
    for name in ("a.png", "a.jpg", "B.JPG", "._a.png"):
        seglib.write_image(folder / "x.png", seglib.sample_photo()[::8, ::8])
        (folder / "x.png").rename(folder / name)
    wanted = demo("portrait", "--image", folder)
    out, masks = tmp_path / "out", tmp_path / "masks"
    assert run(*wanted, "--background", "transparent", "--output", out, "--mask", masks) == 0
    names = ["B.png", "a_jpg.png", "a_png.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert sorted(path.name for path in masks.iterdir()) == names
    capsys.readouterr()
    assert "nothing to write" in refused(capsys, *wanted)
    assert "cannot write" in refused_after_notes(capsys, *wanted, "--output", photo)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ("portrait --color 1 2 3", "--color"),
        ("portrait --strength 1", "--strength"),
        ("portrait --background transparent --output me.jpg", "lose the transparency; "),
        ("hair --background blur", "--background"),
        ("hair --strength 2", "strength is 2"),
        ("hair --color 1 2 300", "300"),
        ("hair --channel 4", "channel 4"),
        ("hair --preset portait-webcam", "choose one of default"),
    ],
)
def test_options_that_do_not_fit(demo, tmp_path, monkeypatch, capsys, options, word):
    monkeypatch.chdir(tmp_path)
    assert word in refused(capsys, *demo("hair", "--output", "out.png", "--task", *options.split()))
    assert not list(tmp_path.glob("*.jpg")) and not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("absent", "command"),
    [
        ("keras", ("train", "--data", "faces", "--output", "run")),
        ("tensorflow", ("convert", "--model", "portrait", "--output", "x.tflite")),
    ],
)
def test_a_missing_part_is_named_as_pip_takes_it(absent, command):
    code = "import sys; sys.modules[sys.argv[1]] = None\n"
    code += "from seglib.cli import main; sys.exit(main(sys.argv[2:]))"
    call = [sys.executable, "-c", code, absent, *command]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("seglib: ") and absent in line
    assert address.requirement("train") in line


def test_wrong_usage_ends_with_code_2_and_every_command_has_a_help(capsys):
    wrong = ("", "fly", "demo --task cat", "benchmark --runs many")
    for words in (*wrong, *COMMANDS, *(f"data {name}" for name in COMMANDS["data"])):
        with pytest.raises(SystemExit) as caught:
            run(words, "" if words in wrong else "--help")
        assert caught.value.code == (2 if words in wrong else 0)
        assert words in wrong or f"usage: seglib {words}" in capsys.readouterr().out


def test_an_interrupt_ends_with_code_130(demo, tmp_path, monkeypatch):
    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Segmenter, "raw", interrupt)
    assert run(*demo("hair", "--output", tmp_path / "out.png")) == 130


def test_the_program_starts_without_tensorflow_and_prints_no_traceback(tmp_path):
    code = (
        "import sys; from seglib.cli import main; code = main(sys.argv[1:]); "
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules; sys.exit(code)"
    )
    missing = tmp_path / "missing.jpg"
    demo = ["demo", "--task", "hair", "--image", missing, "--output", tmp_path / "out.jpg"]
    done = subprocess.run([sys.executable, "-c", code, *demo], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("seglib: there is no file")
    assert "Traceback" not in done.stderr


def test_eval_prints_scores_for_people_and_for_programs(faces, model, capsys):
    assert run(f"eval --model {model} --data {faces}") == 0
    text = capsys.readouterr().out
    report = answer(capsys, f"eval --model {model} --data {faces}")
    assert report["count"] == len(report["rows"]) == 4
    assert report["kind"] == "person"
    assert f"{report['means']['iou']:.4f}" in text
    overlaps = []
    for image, truth in data.open_folder(faces, "val"):
        mask, wanted = Segmenter(model)(image) >= 0.5, truth >= 0.5
        overlaps.append((mask & wanted).sum() / (mask | wanted).sum())
    assert report["means"]["iou"] == pytest.approx(np.mean(overlaps), abs=1e-6)


def test_eval_says_where_a_set_that_is_not_here_comes_from(model, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("SEGLIB_DATA", raising=False)
    monkeypatch.setenv("SEGLIB_CACHE", str(tmp_path))
    assert run(f"eval --model {model} --data eg1800 --json") == 2
    assert "`seglib data fetch eg1800` gets it" in capsys.readouterr().err
    assert answer(capsys, f"eval --model {model} --data synthetic")["data"] == "synthetic"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("no/such/folder", "no/such"),
        ("nosuchset", "'nosuchset'"),
        ("EMPTY", "images/"),
        ("FACES --kind hair", "'hair'"),
        ("FACES --split best", "'best'"),
    ],
)
def test_eval_refuses_data_that_is_not_there(model, faces, tmp_path, capsys, words, message):
    words = words.replace("FACES", str(faces)).replace("EMPTY", str(tmp_path))
    assert message in refused(capsys, f"eval --model {model} --data {words}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (None, "has no masks"),
        (lambda mask: mask[::2], "but its photo"),
        (lambda mask: mask // 128 * 2, "class numbers"),
        (lambda mask: mask * 0, "one class only"),
    ],
)
def test_train_names_what_is_wrong_with_a_folder(faces, tmp_path, capsys, change, words):
    folder = Path(shutil.copytree(faces, tmp_path / "broken"))
    for path in (folder / "masks").iterdir():
        if change is not None:
            Image.fromarray(change(np.array(Image.open(path)))).save(path)
    if change is None:
        shutil.rmtree(folder / "masks")
    message = refused(capsys, f"train --data {folder} --output {tmp_path / 'run'} --size 32")
    assert "broken" in message and words in message and not (tmp_path / "run").exists()


def test_benchmark_compares_in_one_run(model, tmp_path, capsys):
    other = shutil.copy(model, tmp_path / "other.tflite")
    command = f"benchmark --model {model} --compare {other} --runs 5"
    assert run(command) == 0
    table = capsys.readouterr().out
    assert "red.tflite" in table and "other.tflite" in table
    rows = answer(capsys, command, "--threads 2")
    assert [row["file"] for row in rows] == ["red.tflite", "other.tflite"]
    assert rows[0]["ratio"] == 1
    assert all(row["runs"] == 5 and "2 threads" in row["device"] for row in rows)
    assert "runs" in refused(capsys, f"benchmark --model {model} --runs 0")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("net.bin", ".onnx, .pb, .tflite"),
        ("net.onnx --target h5", "there is no target 'h5'"),
        ("net.tflite --precision half", "unknown precision 'half'"),
        ("net.mlpackage --flat", "no option flat"),
        ("net.tflite", "net.json is missing"),
    ],
)
def test_convert_refuses_what_it_cannot_do(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, f"convert --model net.weights.h5 --output {words}")


def test_from_photos_to_a_phone_and_back(faces, tmp_path, capsys):
    """Train, score, convert with the terms, score again."""
    output = tmp_path / "run"
    network = "--encoder mobilenet_v1 --size 32 --width 0.25 --decoder-channels 16 16 8 8"
    way = "--kind person --seed 1 --batch-size 4 --epochs 1 --bn-batches 2"
    assert run(f"train --data {faces} --output {output}", network, way) == 0
    assert "8 photos to learn from, 4 to check on" in capsys.readouterr().out
    weights = output / "model.weights.h5"
    config = json.loads((output / "model.json").read_text())
    assert (config["size"], config["width"], config["labels"]) == (32, 0.25, ["person"])
    assert config["decoder_channels"] == [16, 16, 8, 8]
    keras_scores = answer(capsys, f"eval --model {weights} --data {faces}")["means"]

    (output / "model.card.json").write_text(json.dumps({"terms": "a test", "secret": 1}))
    tflite = tmp_path / "model.tflite"
    convert = f"convert --model {weights} --output {tflite}"
    assert run(convert, "--flat --precision float32") == 0
    info = Segmenter(tflite).info
    assert (info["terms"], info["labels"], info["layout"]) == ("a test", ["person"], "flat")
    assert "secret" not in info
    scores = answer(capsys, f"eval --model {tflite} --data {faces}")["means"]
    assert scores == pytest.approx(keras_scores, abs=0.02)

    int8 = f"{convert} --precision int8 --representative"
    assert "holds no photos" in refused_after_notes(capsys, int8, tmp_path)
    assert run(int8, faces) == 0
    assert Segmenter(tflite).info["precision"] == "int8"


def refused_after_notes(capsys, *arguments) -> str:
    """As `refused`, for commands that may say other things first; return the last line."""
    assert run(*arguments) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_read_folder_spreads_its_choice(tmp_path):
    for level in range(10):
        image = np.full((4, 6, 3), level * 10, np.uint8)
        seglib.write_image(tmp_path / "images" / f"{level}.png", image)
    photos = images.read_folder(tmp_path, size=8, count=4)
    assert photos.shape == (4, 8, 8, 3) and photos[:, 0, 0, 0].tolist() == [0, 30, 60, 90]
    with pytest.raises(seglib.SeglibError, match="no folder"):
        images.read_folder(tmp_path / "absent", size=8)


def test_a_reader_that_has_seen_enough_is_no_mistake():
    command = [sys.executable, "-u", "-m", "seglib.cli", "data", "list"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 0
