"""`seglib webcam` and `seglib video`, with a camera that the test holds."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import seglib
from seglib import data
from seglib.cli import main
from seglib.video import sources
from video_fakes import FakeCamera, film, frames_of, numbered


@pytest.fixture(autouse=True)
def no_display(monkeypatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")


@pytest.fixture
def portrait(tmp_path) -> Path:
    """A film of a person who sways, 12 frames of 64 pixels."""
    from seglib import video

    clip = video.moving_portrait(12, size=64, seed=1)
    sink = video.VideoWriter(tmp_path / "in" / "film.avi", fps=clip.fps)
    for image in clip.images:
        sink.write(image)
    sink.close()
    return tmp_path / "in" / "film.avi"


def said(capsys: pytest.CaptureFixture) -> str:
    """Return the last line of the standard error."""
    return capsys.readouterr().err.strip().splitlines()[-1]


def run(words: str, *more: object) -> int:
    return main([*words.split(), *map(str, more)])


def test_a_film_becomes_a_film_of_the_same_length_and_rate(portrait, tmp_path, capsys) -> None:
    output = tmp_path / "out.mp4"
    files = ("--input", portrait, "--output", output)
    assert run("video --background grey --smooth one-euro", *files) == 0
    shown = capsys.readouterr()
    assert "12 frames in" in shown.out and f"wrote {output}" in shown.out
    assert "12/12" in shown.err
    before, after = frames_of(portrait), frames_of(output)
    assert len(after) == 12 and after[0].shape == before[0].shape
    assert cv2.VideoCapture(str(output)).get(cv2.CAP_PROP_FPS) == pytest.approx(30)
    # Colour is gone somewhere and left elsewhere.
    colour = np.ptp(after[6].astype(int), axis=2)
    assert (colour < 12).mean() > 0.1 and (colour > 40).mean() > 0.02


def test_a_folder_becomes_a_film_before_another_background(portrait, tmp_path) -> None:
    for index, image in enumerate(frames_of(portrait)[:4]):
        seglib.write_image(tmp_path / "photos" / f"{index}.png", image)
    beach = np.full((20, 90, 3), (10, 240, 10), np.uint8)
    seglib.write_image(tmp_path / "beach.png", beach)
    files = ("--input", tmp_path / "photos", "--output", tmp_path / "out.avi")
    assert run("video --fps 5", *files, "--background", tmp_path / "beach.png") == 0
    found = frames_of(tmp_path / "out.avi")
    assert len(found) == 4
    assert np.abs(found[0].astype(int) - (10, 240, 10)).max(axis=2).min() < 20


def test_hair_is_dyed_in_a_film(portrait, tmp_path) -> None:
    files = ("--input", portrait, "--output", tmp_path / "out.avi")
    assert run("video --task hair --color 0 0 255 --frames 5 --stats", *files) == 0
    assert len(frames_of(tmp_path / "out.avi")) == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--input film.mp4", "--output FILE or --window"),
        ("--input film.mp4 --window", "no display"),
        ("--input 0 --output o.mp4", "seglib webcam"),
        ("--input none.mp4 --output o.mp4", "no video none.mp4"),
        ("--input film.mp4 --output film.mp4", "is an input"),
        ("--input film.mp4 --output o.gif", "must end in"),
        ("--input film.mp4 --output film.mp4/o.mp4", "cannot write"),
        ("--input film.mp4 --output o.mp4 --smooth x", "no smoother 'x'"),
        ("--input film.mp4 --output o.mp4 --frames 0", "--frames is 0"),
        ("--input film.mp4 --output o.mp4 --color 1 2 3", "--task portrait"),
        ("--input film.mp4 --output o.mp4 --preset x", "no preset 'x'"),
        ("--input text.mp4 --output o.mp4", "cannot be decoded"),
        ("--input empty --output o.mp4", "holds no pictures"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    words, message, tmp_path, monkeypatch, capsys
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no film")
    film(tmp_path / "film.mp4", count=3)
    monkeypatch.chdir(tmp_path)
    there = sorted(os.listdir())
    assert run(f"video {words}") == 2
    assert message in said(capsys)
    assert sorted(os.listdir()) == there


def test_no_camera_is_one_sentence(capsys, tmp_path) -> None:
    assert run("webcam --camera 63 --output", tmp_path / "o.mp4") == 2
    assert said(capsys).startswith("seglib: no camera 63 can be opened; connect one")
    assert not os.listdir(tmp_path)


def test_a_camera_needs_somewhere_to_be_shown(capsys, monkeypatch) -> None:
    camera = FakeCamera(numbered)
    monkeypatch.setattr(sources.cv2, "VideoCapture", camera)
    assert run("webcam") == 2
    assert "no display" in said(capsys) and camera.released
    camera.released = False
    assert run("webcam --no-window") == 2
    assert "nowhere to show" in said(capsys) and camera.released


def test_an_unplugged_camera_leaves_its_recording(capsys, monkeypatch, tmp_path) -> None:
    person = data.synthetic.draw(1, size=64).image[..., ::-1]
    camera = FakeCamera(lambda i: person.copy() if i < 25 else None)
    reader = cv2.VideoCapture

    def opened(what: int | str) -> object:
        return camera if isinstance(what, int) else reader(what)

    monkeypatch.setattr(sources.cv2, "VideoCapture", opened)
    output = tmp_path / "me.avi"
    assert run("webcam --max-lag 3 --no-mirror --output", output) == 2
    assert "after frame 24; see whether it was unplugged" in said(capsys)
    monkeypatch.undo()
    assert len(frames_of(output)) > 0


def test_a_recording_of_a_number_of_frames(capsys, monkeypatch, tmp_path) -> None:
    camera, reader = FakeCamera(lambda i: numbered(i % 200, (64, 64))), cv2.VideoCapture
    monkeypatch.setattr(
        sources.cv2, "VideoCapture", lambda what: camera if what == 0 else reader(what)
    )
    output = tmp_path / "me.avi"
    assert run("webcam --frames 6 --size 640 480 --output", output) == 0
    assert camera.asked[cv2.CAP_PROP_FRAME_WIDTH] == 640 and camera.released
    assert "6 frames in" in capsys.readouterr().out
    monkeypatch.undo()
    assert len(frames_of(output)) > 0


def test_people_are_cut_out_into_a_folder_of_frames(portrait, tmp_path, capsys) -> None:
    output = tmp_path / "frames"
    files = ("--input", portrait, "--output", output)
    assert run("video --frames 3 --background transparent", *files) == 0
    frames = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(output.iterdir())]
    assert [frame.shape for frame in frames] == [(64, 64, 4)] * 3
    assert frames[0][..., 3].min() < 10 and frames[0][..., 3].max() > 245
    assert run("video --frames 3 --background transparent", *files) == 2  # it exists now
    assert "exists already" in said(capsys)


def test_a_video_or_a_colour_stands_behind(portrait, tmp_path) -> None:
    film(tmp_path / "scene.avi", count=3)
    output = tmp_path / "out.avi"
    files = ("--input", portrait, "--output", output)
    for behind in (tmp_path / "scene.avi", "#00ff00"):
        assert run("video --frames 4", *files, "--background", behind) == 0
        assert len(frames_of(output)) == 4
    green = frames_of(output)[0].astype(int)
    assert np.abs(green - (0, 255, 0)).max(axis=2).min() < 20


def test_a_camera_is_opened_by_its_url(capsys, monkeypatch) -> None:
    opened = []

    def refuse(*what: object) -> FakeCamera:
        opened.append(what)
        return FakeCamera(numbered, opened=False)

    monkeypatch.setattr(sources.cv2, "VideoCapture", refuse)
    options = "--backend ffmpeg --rate 15 --pixel-format MJPG --no-window"
    assert run(f"webcam --camera rtsp://host/1 {options}") == 2
    assert "no camera rtsp://host/1" in said(capsys)
    assert opened == [("rtsp://host/1", cv2.CAP_FFMPEG)]
