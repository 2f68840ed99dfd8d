"""Frames, times, cameras and sinks in the forms that people bring."""

import shutil
import subprocess
import sys
import types
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from seglib import SeglibError, images, video
from seglib.postprocess import PostprocessConfig
from seglib.video import sources
from video_fakes import FakeCamera, numbered


def times_of(source: video.Source) -> list[float]:
    return [frame.time for frame in iter(source.read, None)]


@pytest.mark.parametrize(
    ("said", "times"),
    [
        ([0, *range(25, 400, 25), *range(500, 1000, 125)], []),
        ([400, 425, 450, 575], [0, 0.025, 0.05, 0.175]),
        ([0, 40, 80, 80, 80, 400], [0, 0.04, 0.08, 0.13, 0.18, 0.23]),
    ],
)
def test_times_are_those_of_the_file_or_said_not_to_rise(tmp_path: Path, said, times) -> None:
    (tmp_path / "film.mp4").write_bytes(b"any")
    fake = FakeCamera(lambda i: numbered(i) if i < len(said) else None, fps=20, times=said)
    source = video.VideoFile(tmp_path / "film.mp4", capture=fake)
    assert np.allclose(times_of(source), times or np.array(said) / 1000)
    assert ("no rising times" in source.note) == (0.13 in times)


def write_film(path: Path, pictures: Iterable[np.ndarray], fps: float) -> Path:
    writer = video.VideoWriter(path, fps=fps)
    for picture in pictures:
        writer.write(picture)
    writer.close()
    return path


def test_a_written_file_gives_even_times(tmp_path: Path) -> None:
    source = video.open_source(write_film(tmp_path / "film.avi", map(numbered, range(10)), 25))
    assert np.allclose(times_of(source), np.arange(10) / 25, atol=1e-3) and source.note == ""


COLOUR = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
FORMS = {
    "turned": np.rot90(np.rot90(COLOUR, 1).copy(), -1),
    "fortran": np.asfortranarray(COLOUR),
    "floats": COLOUR / 255.0,
    "opaque": np.dstack([COLOUR, np.full((24, 32), 255, np.uint8)]),
}


@pytest.mark.parametrize("form", FORMS)
def test_frames_in_any_form_are_those_of_the_plain_one(form: str) -> None:
    def run(frames: list[np.ndarray]) -> np.ndarray:
        sink = video.ListSink()
        mask = np.tri(24, 32, dtype=np.float32)
        config = PostprocessConfig(effect="grey")
        video.process(video.Frames(frames), lambda _: mask, video.Composer(config), sink)
        return np.stack(sink.pictures)

    assert np.array_equal(run([FORMS[form]] * 2), run([COLOUR] * 2))


RAW = {
    "grey": (COLOUR[..., 0], cv2.COLOR_GRAY2RGB),
    "yuyv": (COLOUR[..., :2], cv2.COLOR_YUV2RGB_YUY2),
    "bgra": (np.dstack([COLOUR, COLOUR[..., 0]]), cv2.COLOR_BGRA2RGB),
}


@pytest.mark.parametrize("form", RAW)
def test_a_cameras_raw_frames_become_rgb(form: str) -> None:
    raw, code = RAW[form]
    frame = video.Camera(0, capture=FakeCamera(lambda _: raw)).read()
    assert np.array_equal(frame.image, cv2.cvtColor(np.ascontiguousarray(raw), code))


def test_a_frame_of_another_kind_is_one_sentence() -> None:
    source = video.Camera(0, capture=FakeCamera(lambda _: np.zeros((8, 8, 5), np.uint8)))
    with pytest.raises(SeglibError, match=r"shape \(8, 8, 5\).*pixel_format"):
        source.read()


def test_a_camera_is_asked_for_what_is_wanted() -> None:
    fake, opened = FakeCamera(numbered), []

    def opener(*what: object) -> FakeCamera:
        opened.append(what)
        return fake

    asked = {"size": (720, 1280), "fps": 60, "pixel_format": "MJPG", "backend": "v4l2"}
    video.Camera("/dev/video2", capture=opener, **asked)
    video.open_source("rtsp://host/stream", capture=opener)
    assert opened == [("/dev/video2", cv2.CAP_V4L2), ("rtsp://host/stream",)]
    assert fake.asked == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter_fourcc(*"MJPG"),
        cv2.CAP_PROP_BUFFERSIZE: 1,  # no old frames
        cv2.CAP_PROP_FRAME_HEIGHT: 720,
        cv2.CAP_PROP_FRAME_WIDTH: 1280,
        cv2.CAP_PROP_FPS: 60,
    }
    for wrong in ({"backend": "none"}, {"pixel_format": "JPEG2"}, {"fps": -1}):
        with pytest.raises(SeglibError):
            video.Camera(0, capture=opener, **wrong)


def test_an_older_opencv_without_its_logging_module_opens_cameras(monkeypatch) -> None:
    for name in ("getLogLevel", "setLogLevel"):
        monkeypatch.setattr(cv2, name, getattr(cv2.utils.logging, name), raising=False)
    monkeypatch.delattr(sources.cv2.utils, "logging")
    assert video.Camera(0, capture=FakeCamera(numbered)).read().index == 0


def test_hidden_files_are_no_frames_and_case_does_not_matter(tmp_path: Path) -> None:
    for name in ("1.PNG", "2.png", "._1.PNG", ".hidden.png"):
        images.write_image(tmp_path / "x.png", numbered(1))
        (tmp_path / "x.png").rename(tmp_path / name)
    assert video.PictureFolder(tmp_path).count == 2


def test_a_video_as_background_runs_by_time_and_starts_again(tmp_path: Path) -> None:
    levels = (np.full((16, 16, 3), 80 * index, np.uint8) for index in range(3))
    background = video.VideoBackground(write_film(tmp_path / "scene.avi", levels, 10))
    levels = [int(background.at(time).mean()) for time in (0, 0.05, 0.1, 0.21, 0.31, 0.45, 0.5)]
    assert np.allclose(levels, [0, 0, 80, 160, 0, 80, 160], atol=3)
    compose = video.Composer(PostprocessConfig(effect="replace"), background)
    frame = compose(np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8), np.float32), 0.1 + 0.6)
    assert abs(int(frame.mean()) - 80) < 8


def test_frames_go_to_a_folder_with_their_transparency(tmp_path: Path) -> None:
    cut_out = np.dstack([COLOUR, np.tri(24, 32, dtype=np.uint8) * 255])
    sink = video.FolderSink(tmp_path / "frames")
    sink.write(COLOUR)
    sink.write(cut_out)
    assert not (tmp_path / "frames").exists()  # whole or absent
    sink.close()
    first, second = sorted((tmp_path / "frames").iterdir())
    assert np.array_equal(images.read_image(first), COLOUR)
    stored = cv2.cvtColor(cv2.imread(str(second), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
    assert np.array_equal(stored, cut_out)
    given_up = video.FolderSink(tmp_path / "other")
    given_up.write(COLOUR)
    given_up.abort()
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_a_video_file_refuses_transparency(tmp_path: Path) -> None:
    writer = video.VideoWriter(tmp_path / "film.avi")
    with pytest.raises(SeglibError, match="transparency.*folder"):
        writer.write(np.zeros((8, 8, 4), np.uint8))
    writer.abort()


def test_frames_faster_than_the_file_are_counted(tmp_path: Path) -> None:
    writer = video.VideoWriter(tmp_path / "film.avi", fps=10)
    for index in range(20):
        writer.write(numbered(index), index / 20)
    writer.close()
    assert writer.skipped >= 9 and writer.skipped + writer.count == 20
    assert f"{writer.skipped} frames came faster than 10 a second" in writer.note


@pytest.mark.parametrize("there", [False, True])
def test_the_sound_is_kept_where_ffmpeg_is_at_hand(tmp_path: Path, monkeypatch, there) -> None:
    commands = []

    def run(command: list, **_: object) -> subprocess.CompletedProcess:
        commands.append(command)
        shutil.copy(command[command.index("-i") + 1], command[-1])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("seglib.video.sinks.shutil.which", lambda _: "/bin/ffmpeg" * there or None)
    monkeypatch.setattr("seglib.video.sinks.subprocess.run", run)
    writer = video.VideoWriter(tmp_path / "film.avi", sound_from=tmp_path / "old.mp4")
    writer.write(COLOUR)
    writer.close()
    assert (tmp_path / "film.avi").stat().st_size > 0
    assert ("ffmpeg is not installed" in writer.note) is not there
    assert [tmp_path / "old.mp4" in command for command in commands] == [True] * there


def test_a_virtual_camera_gets_the_frames(monkeypatch) -> None:
    sent = []

    def camera(width: int, height: int, fps: float) -> types.SimpleNamespace:
        close = lambda: sent.append("closed")  # noqa: E731
        return types.SimpleNamespace(width=width, height=height, send=sent.append, close=close)

    monkeypatch.setitem(sys.modules, "pyvirtualcam", types.SimpleNamespace(Camera=camera))
    video.process(
        video.Frames([COLOUR, COLOUR[:20]]),
        lambda image: image[..., 0] / np.float32(255),
        lambda image, mask: image,
        video.VirtualCamera(),
    )
    assert [np.shape(frame) for frame in sent] == [COLOUR.shape, COLOUR.shape, ()]
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(SeglibError, match="pyvirtualcam"):
        video.VirtualCamera()


def test_old_names_say_what_they_are_called_now() -> None:
    for old, new in video.RENAMED.items():
        with pytest.raises(SeglibError, match=new):
            getattr(video, old)
