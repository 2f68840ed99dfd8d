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
from seglib.cli import main
from seglib.data import synthetic
from seglib.postprocess import PRESETS, Pipeline, preset
from seglib.runtime import Segmenter


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "red.tflite"
    return build(red, path, {"name": "red", "labels": ["red"], "value_range": [0, 255]})


@pytest.fixture
def photo(tmp_path) -> Path:
    return seglib.write_image(tmp_path / "photo.png", seglib.sample_photo()[::4, ::3])


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> Path:
    portraits = synthetic.portraits(12, size=64, seed=3)
    folder = tmp_path_factory.mktemp("data") / "faces"
    return data.write_folder(folder, portraits.dataset("person"), val_share=0.34)


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def refused(capsys, *arguments) -> str:
    """The command must end with code 2 and one sentence; return it."""
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("seglib: ")
    assert captured.out == ""
    return lines[0]


def test_hair_is_dyed_as_the_library_dyes_it(photo, model, tmp_path):
    output = tmp_path / "out" / "dyed.png"
    demo = ("demo", "--task", "hair", "--image", photo, "--model", model, "--output", output)
    assert run(*demo, "--color", 0, 80, 255, "--strength", 0.7) == 0
    image = seglib.read_image(photo)
    dye = preset("default", effect="recolour", color=(0, 80, 255), strength=0.7)
    frame = Pipeline(dye)(image, Segmenter(model).raw(image))
    assert np.array_equal(seglib.read_image(output), frame)
    assert not np.array_equal(frame, image)


def test_the_background_is_blurred_greyed_or_replaced(photo, model, tmp_path):
    image = seglib.read_image(photo)
    mask = Segmenter(model).raw(image)
    scene = seglib.write_image(tmp_path / "scene.png", seglib.sample_photo()[:90, ::-1])
    frames = {}
    for background in (None, "blur", "bokeh", "grey", scene):
        output = tmp_path / "out.png"
        effect = "replace" if background == scene else background or "blur"
        pipeline = Pipeline(preset("default", effect=effect))
        frame = pipeline(image, mask, seglib.read_image(scene) if background == scene else None)
        demo = ("demo", "--task", "portrait", "--image", photo, "--model", model)
        chosen = () if background is None else ("--background", background)
        assert run(*demo, *chosen, "--output", output) == 0
        frames[background] = seglib.read_image(output)
        assert np.array_equal(frames[background], frame)
    assert len({frame.tobytes() for frame in frames.values()}) == len(frames) - 1


def test_a_preset_decides_about_the_mask_and_keeps_its_effect_where_it_can(photo, model, tmp_path):
    image = seglib.read_image(photo)
    mask = Segmenter(model).raw(image)
    scene = seglib.write_image(tmp_path / "scene.png", seglib.sample_photo()[:90, ::-1])
    picture = ("--background", scene)
    for name, task, options, effect in (
        ("hair-demo", "hair", (), "multiply"),
        ("hair-demo", "portrait", (), "blur"),
        ("portrait-android-1", "portrait", (), "bokeh"),
        ("portrait-android-1", "hair", (), "recolour"),
        ("portrait-webcam", "portrait", (), "blur"),
        ("portrait-webcam", "portrait", picture, "replace"),
        ("portrait-video-clone", "portrait", picture, "clone"),
    ):
        output = tmp_path / "out.png"
        demo = ("demo", "--task", task, "--image", photo, "--model", model, "--preset", name)
        assert run(*demo, *options, "--output", output) == 0
        pipeline = Pipeline(preset(name, effect=effect))
        frame = pipeline(image, mask, seglib.read_image(scene) if options else None)
        assert np.array_equal(seglib.read_image(output), frame), (name, task)


def test_a_wrong_preset_lists_the_choices(photo, model, tmp_path, capsys):
    output = tmp_path / "out.png"
    demo = ("demo", "--task", "hair", "--image", photo, "--model", model, "--output", output)
    message = refused(capsys, *demo, "--preset", "portait-webcam")
    assert "'portait-webcam'" in message
    assert all(name in message for name in PRESETS)
    assert not output.exists()


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


def write_strange_pictures(folder: Path) -> dict[str, Path]:
    """Write pictures that phones, scanners and printers make, and one pixel alone."""
    exif = Image.Exif()
    exif[0x0112] = 6
    saved = {
        "grey.jpg": (Image.new("L", (40, 30), 99), {}),
        "print.jpg": (Image.new("CMYK", (40, 30), (9, 9, 200, 0)), {}),
        "deep.png": (Image.fromarray(np.full((30, 40), 40000, np.uint16)), {}),
        "cutout.png": (Image.new("RGBA", (40, 30), (200, 0, 0, 120)), {}),
        "turned.jpg": (Image.new("RGB", (40, 30), (200, 0, 0)), {"exif": exif}),
        "pixel.png": (Image.new("RGB", (1, 1), (200, 0, 0)), {}),
    }
    for name, (picture, options) in saved.items():
        picture.save(folder / name, **options)
    return {name: folder / name for name in saved}


def test_strange_pictures_are_taken(tmp_path, model):
    for name, path in write_strange_pictures(tmp_path).items():
        output = tmp_path / f"out-{name}"
        assert (
            run("demo", "--task", "hair", "--image", path, "--model", model, "--output", output)
            == 0
        )
        height, width = seglib.read_image(output).shape[:2]
        assert (width, height) == {"turned.jpg": (30, 40), "pixel.png": (1, 1)}.get(name, (40, 30))


def test_unusable_pictures_are_named(tmp_path, model, photo, capsys):
    wrong = {
        "absent.jpg": None,
        "empty.jpg": b"",
        "text.jpg": b"hello",
        "cut.png": photo.read_bytes()[:900],
    }
    output = tmp_path / "out.jpg"
    for name, content in wrong.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        demo = ("demo", "--task", "portrait", "--model", model, "--output", output)
        assert name in refused(capsys, *demo, "--image", path)
        assert name in refused(capsys, *demo, "--image", photo, "--background", path)
    assert not output.exists()


def test_unusable_models_are_named(tmp_path, photo, capsys):
    path = tmp_path / "broken.tflite"
    output = tmp_path / "out.png"
    demo = ("demo", "--task", "hair", "--image", photo, "--output", output, "--model")
    for content in (None, b"", b"not a model, whatever its name says"):
        if content is not None:
            path.write_bytes(content)
        assert "broken.tflite" in refused(capsys, *demo, path)
        assert "broken.tflite" in refused(capsys, "benchmark", "--model", path)
    assert "'portait'" in refused(capsys, *demo, "portait")
    assert "portrait_open" in refused(capsys, "benchmark", "--model", "portait")
    assert not output.exists()


def test_a_model_without_metadata_is_noted_in_one_line(tmp_path, photo, capsys):
    bare = build(red, tmp_path / "bare.tflite")
    output = tmp_path / "out.png"
    demo = ("demo", "--task", "hair", "--image", photo, "--model", bare, "--output", output)
    assert run(*demo) == 0
    notes = capsys.readouterr().err.strip().splitlines()
    assert len(notes) == 1
    assert notes[0].startswith("seglib: note: bare.tflite carries no metadata")
    assert run(*demo, "--value-range", 0, 255) == 0
    assert capsys.readouterr().err == ""


def test_an_int8_model_is_taken(tmp_path, photo):
    small = build(red, tmp_path / "int8.tflite", {"value_range": [0, 255]}, integer=True)
    output = tmp_path / "out.png"
    demo = ("demo", "--task", "hair", "--image", photo, "--model", small, "--output", output)
    assert run(*demo) == 0
    assert not np.array_equal(seglib.read_image(output), seglib.read_image(photo))


def test_the_input_is_never_overwritten(photo, model, tmp_path, capsys):
    before = photo.read_bytes()
    link = tmp_path / "link.png"
    link.symlink_to(photo)
    for output in (photo, photo.parent / "." / "x" / ".." / photo.name, link):
        (photo.parent / "x").mkdir(exist_ok=True)
        for task, image in (("hair", photo), ("portrait", photo)):
            demo = ("demo", "--task", task, "--image", image, "--model", model)
            assert "would be lost" in refused(capsys, *demo, "--output", output)
    scene = seglib.write_image(tmp_path / "scene.png", seglib.sample_photo()[:9, :9])
    demo = ("demo", "--task", "portrait", "--image", photo, "--model", model)
    assert "scene.png" in refused(capsys, *demo, "--background", scene, "--output", scene)
    assert photo.read_bytes() == before


def test_an_output_that_cannot_be_written(photo, model, tmp_path, monkeypatch, capsys):
    demo = ("demo", "--task", "hair", "--image", photo, "--model", model, "--output")
    assert "photo.png" in refused(capsys, *demo, photo / "below.png")
    assert ".gif" in refused(capsys, *demo, tmp_path / "out.gif")
    output = tmp_path / "out.png"
    output.write_bytes(b"what stood here")

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert "disk is full" in refused(capsys, *demo, output)
    assert output.read_bytes() == b"what stood here"
    assert not list(tmp_path.glob(".part-*"))


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_person_is_cut_out_with_transparency(photo, model, tmp_path, suffix):
    output = tmp_path / f"me{suffix}"
    demo = ("demo", "--task", "portrait", "--image", photo, "--model", model)
    assert run(*demo, "--background", "transparent", "--output", output) == 0
    image = seglib.read_image(photo)
    config = preset("default", effect="replace", background="transparent")
    expected = Pipeline(config)(image, Segmenter(model).raw(image))
    stored = np.asarray(Image.open(output).convert("RGBA"))
    assert stored.shape == expected.shape == (*image.shape[:2], 4)
    assert np.abs(stored[..., 3].astype(int) - expected[..., 3]).max() <= 3


def test_a_jpeg_refuses_transparency(photo, model, tmp_path, capsys):
    demo = ("demo", "--task", "portrait", "--image", photo, "--model", model)
    message = refused(capsys, *demo, "--background", "transparent", "--output", tmp_path / "me.jpg")
    assert "would lose the transparency" in message and ".png" in message
    assert not (tmp_path / "me.jpg").exists()


def test_a_colour_stands_behind_and_the_bare_mask_is_written(photo, model, tmp_path):
    output, mask = tmp_path / "me.png", tmp_path / "mask.png"
    demo = ("demo", "--task", "portrait", "--image", photo, "--model", model, "--mask", mask)
    assert run(*demo, "--background", "#00ff00", "--output", output) == 0
    image = seglib.read_image(photo)
    alpha = Pipeline(preset("default")).alpha(image, Segmenter(model).raw(image))
    assert np.abs(seglib.images.read_mask(mask) - alpha).max() <= 1 / 255
    assert (seglib.read_image(output)[alpha == 0] == (0, 255, 0)).all()


def test_a_folder_of_photos_becomes_a_folder(photo, model, tmp_path, capsys):
    folder = tmp_path / "photos"
    (folder / ".hidden").mkdir(parents=True)
    for name in ("a.png", "a.jpg", "B.JPG", "._a.png"):
        seglib.write_image(folder / "x.png", seglib.sample_photo()[::8, ::8])
        (folder / "x.png").rename(folder / name)
    demo = ("demo", "--task", "portrait", "--image", folder, "--model", model)
    out, masks = tmp_path / "out", tmp_path / "masks"
    assert run(*demo, "--background", "transparent", "--output", out, "--mask", masks) == 0
    names = ["B.png", "a_jpg.png", "a_png.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert sorted(path.name for path in masks.iterdir()) == names
    capsys.readouterr()
    assert "nothing to write" in refused(capsys, *demo)
    assert "needs one" in refused(capsys, *demo, "--output", photo)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--task", "portrait", "--color", 1, 2, 3), "--color"),
        (("--task", "portrait", "--strength", 1), "--strength"),
        (("--task", "hair", "--background", "blur"), "--background"),
        (("--task", "hair", "--strength", 2), "strength is 2"),
        (("--task", "hair", "--color", 1, 2, 300), "300"),
        (("--task", "hair", "--channel", 4), "channel 4"),
    ],
)
def test_options_that_do_not_fit(photo, model, tmp_path, capsys, options, word):
    demo = ("demo", "--image", photo, "--model", model, "--output", tmp_path / "out.png")
    assert word in refused(capsys, *demo, *options)


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


def test_wrong_usage_ends_with_code_2():
    for arguments in ((), ("fly",), ("demo", "--task", "cat"), ("benchmark", "--runs", "many")):
        with pytest.raises(SystemExit) as caught:
            run(*arguments)
        assert caught.value.code == 2


def test_an_interrupt_ends_with_code_130(photo, model, tmp_path, monkeypatch):
    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Segmenter, "raw", interrupt)
    output = tmp_path / "out.png"
    demo = ("demo", "--task", "hair", "--image", photo, "--model", model, "--output", output)
    assert run(*demo) == 130


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
    assert run("eval", "--model", model, "--data", faces) == 0
    text = capsys.readouterr().out
    assert run("eval", "--model", model, "--data", faces, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["count"] == len(report["rows"]) == 4
    assert report["kind"] == "person"
    assert f"{report['means']['iou']:.4f}" in text
    truth = data.open_folder(faces, "val")
    masks = [Segmenter(model)(image) >= 0.5 for image, _ in truth]
    overlaps = [
        (mask & (wanted >= 0.5)).sum() / (mask | (wanted >= 0.5)).sum()
        for mask, (_, wanted) in zip(masks, truth, strict=True)
    ]
    assert report["means"]["iou"] == pytest.approx(np.mean(overlaps), abs=1e-6)


def test_eval_says_where_a_set_that_is_not_here_comes_from(model, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("SEGLIB_DATA", raising=False)
    monkeypatch.setenv("SEGLIB_CACHE", str(tmp_path))
    assert run("eval", "--model", model, "--data", "eg1800", "--json") == 2
    assert "`seglib data fetch eg1800` gets it" in capsys.readouterr().err
    assert run("eval", "--model", model, "--data", "synthetic", "--json") == 0
    assert json.loads(capsys.readouterr().out)["data"] == "synthetic"


def test_eval_and_train_refuse_data_that_is_not_there(model, faces, tmp_path, capsys):
    evaluate = ("eval", "--model", model, "--data")
    assert "no/such" in refused(capsys, *evaluate, "no/such/folder")
    assert "'nosuchset'" in refused(capsys, *evaluate, "nosuchset")
    assert "images/" in refused(capsys, *evaluate, tmp_path)
    assert "'hair'" in refused(capsys, *evaluate, faces, "--kind", "hair")
    assert "'best'" in refused(capsys, *evaluate, faces, "--split", "best")


def test_train_names_what_is_wrong_with_a_folder(faces, tmp_path, capsys):
    def broken(name, harm):
        folder = Path(shutil.copytree(faces, tmp_path / name))
        masks = sorted((folder / "masks").iterdir())
        harm(folder, masks)
        train = ("train", "--data", folder, "--output", tmp_path / f"{name}-run", "--size", 32)
        message = refused(capsys, *train)
        assert name in message and not (tmp_path / f"{name}-run").exists()
        return message

    def rewrite(masks, change):
        for path in masks:
            Image.fromarray(change(np.array(Image.open(path)))).save(path)

    def mask_lost(folder, masks):
        masks[0].unlink()

    assert "lack their photo" in broken("unmatched", mask_lost)
    assert "has no masks" in broken(
        "maskless", lambda folder, masks: shutil.rmtree(folder / "masks")
    )
    halved = broken("halved", lambda folder, masks: rewrite(masks, lambda m: m[::2]))
    assert "but its photo" in halved
    numbered = broken("numbered", lambda folder, masks: rewrite(masks, lambda m: m // 128 * 2))
    assert "class numbers" in numbered
    empty = broken("empty", lambda folder, masks: rewrite(masks, lambda m: m * 0))
    assert "one class only" in empty


def test_benchmark_compares_in_one_run(model, tmp_path, capsys):
    other = tmp_path / "other.tflite"
    other.write_bytes(model.read_bytes())
    command = ("benchmark", "--model", model, "--compare", other, "--runs", 5)
    assert run(*command) == 0
    table = capsys.readouterr().out
    assert "red.tflite" in table
    assert "other.tflite" in table
    assert run(*command, "--threads", 2, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["file"] for row in rows] == ["red.tflite", "other.tflite"]
    assert rows[0]["ratio"] == 1
    assert all(row["runs"] == 5 and "2 threads" in row["device"] for row in rows)
    assert "runs" in refused(capsys, "benchmark", "--model", model, "--runs", 0)


def test_convert_refuses_what_it_cannot_do(tmp_path, capsys):
    weights = tmp_path / "net.weights.h5"
    convert = ("convert", "--model", weights, "--output")
    assert ".onnx, .pb, .tflite" in refused(capsys, *convert, tmp_path / "net.bin")
    assert "there is no target 'h5'" in refused(
        capsys, *convert, tmp_path / "net.onnx", "--target", "h5"
    )
    assert "unknown precision 'half'" in refused(
        capsys, *convert, tmp_path / "net.tflite", "--precision", "half"
    )
    assert "--flat" in refused(capsys, *convert, tmp_path / "net.mlpackage", "--flat")
    assert "net.json is missing" in refused(capsys, *convert, tmp_path / "net.tflite")


def test_from_photos_to_a_phone_and_back(faces, tmp_path, capsys):
    """Train, score, convert with the terms, score again."""
    output = tmp_path / "run"
    train = ("train", "--data", faces, "--kind", "person", "--output", output, "--seed", 1)
    network = ("--encoder", "mobilenet_v1", "--size", 32, "--width", 0.25)
    network = (*network, "--decoder-channels", 16, 16, 8, 8)
    train = (*train, *network, "--batch-size", 4, "--epochs", 1, "--bn-batches", 2)
    assert run(*train) == 0
    assert "8 photos to learn from, 4 to check on" in capsys.readouterr().out
    weights = output / "model.weights.h5"
    config = json.loads((output / "model.json").read_text())
    assert (config["size"], config["width"], config["labels"]) == (32, 0.25, ["person"])
    assert config["decoder_channels"] == [16, 16, 8, 8]
    assert run("eval", "--model", weights, "--data", faces, "--json") == 0
    keras_scores = json.loads(capsys.readouterr().out)["means"]

    (output / "model.card.json").write_text(json.dumps({"terms": "a test", "secret": 1}))
    tflite = tmp_path / "model.tflite"
    convert = ("convert", "--model", weights, "--output", tflite)
    assert run(*convert, "--flat", "--precision", "float32") == 0
    info = Segmenter(tflite).info
    assert (info["terms"], info["labels"], info["layout"]) == ("a test", ["person"], "flat")
    assert "secret" not in info
    capsys.readouterr()
    assert run("eval", "--model", tflite, "--data", faces, "--json") == 0
    scores = json.loads(capsys.readouterr().out)["means"]
    assert scores == pytest.approx(keras_scores, abs=0.02)

    int8 = ("--precision", "int8", "--representative")
    assert "holds no photos" in refused_after_notes(capsys, *convert, *int8, tmp_path)
    assert run(*convert, *int8, faces) == 0
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
    assert photos.shape == (4, 8, 8, 3)
    assert photos[:, 0, 0, 0].tolist() == [0, 30, 60, 90]
    assert len(images.read_folder(tmp_path / "images", size=2)) == 10
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
