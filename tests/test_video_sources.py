"""Cameras, films and folders: what comes out, in which order, and what is said when it cannot."""

import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

import seglib
from seglib import SeglibError, video
from seglib.video import sources
from video_fakes import FakeCamera, film, frames_of, numbered


def all_of(source: video.Source) -> list[video.Frame]:
    found = []
    while (frame := source.read()) is not None:
        found.append(frame)
    source.close()
    source.close()
    return found


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".mov", ".webm"])
def test_a_film_is_read_frame_by_frame_as_rgb(tmp_path, suffix: str) -> None:
    path = film(tmp_path / f"film{suffix}")
    source = video.open_source(path)
    assert (source.fps, source.count, source.live, source.size) == (25, 20, False, (48, 64))
    found = all_of(source)
    assert [frame.index for frame in found] == list(range(20)) and not source.note
    assert found[5].time == pytest.approx(0.2)
    expected = frames_of(path)
    assert all(np.array_equal(a.image, b) for a, b in zip(found, expected, strict=True))
    assert found[0].image[16, 10, 0] > found[0].image[16, 10, 1] + 60  # (250, 60, 200) in RGB


@pytest.mark.parametrize("content", [b"", b"\0" * 4000, b"no film at all" * 300, "codec"])
def test_what_is_no_film_says_what_to_do(tmp_path, content: bytes | str) -> None:
    path = tmp_path / "broken.avi"
    if content == "codec":
        content = film(path).read_bytes().replace(b"MJPG", b"ZZZZ")
    path.write_bytes(content)
    with pytest.raises(SeglibError, match=r"broken\.avi cannot be decoded.* codec .*ffmpeg"):
        video.VideoFile(path)


def test_the_libraries_below_keep_quiet_about_broken_films(tmp_path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no film at all" * 300)
    code = f"from seglib import video; video.VideoFile({str(tmp_path / 'broken.mp4')!r})"
    # In a process of its own, since FFmpeg asks once how much it shall say.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "cannot be decoded" in done.stderr and done.stderr.startswith("Traceback")


def test_a_damaged_film_cannot_be_opened_or_says_how_much_is_there(tmp_path) -> None:
    whole = film(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SeglibError, match="damaged"):
        video.VideoFile(tmp_path / "half.mp4")
    whole = film(tmp_path / "film.avi", count=60).read_bytes()
    half, third = whole[: len(whole) // 2], len(whole) // 3
    for content, least, most in (
        (half, 6, 40), (whole[:third] + bytes(3000) + whole[third + 3000 :], 1, 60)
    ):  # fmt: skip
        (tmp_path / "film.avi").write_bytes(content)
        source = video.VideoFile(tmp_path / "film.avi")
        found = all_of(source)
        assert least <= len(found) <= most
        assert all(frame.image.shape == (48, 64, 3) for frame in found)
        cut = f"announces 60 frames, but only {len(found)} can be decoded"
        assert cut in source.note or content is not half


def test_a_film_whose_size_changes_keeps_coming(tmp_path) -> None:
    path = tmp_path / "turned.mjpeg"
    parts = [numbered(90, (48, 64))] * 10 + [numbered(90, (64, 36))] * 10
    path.write_bytes(b"".join(cv2.imencode(".jpg", part)[1].tobytes() for part in parts))
    source = video.VideoFile(path)
    assert source.count is None
    assert {frame.image.shape for frame in all_of(source)} == {(48, 64, 3)}  # OpenCV scales


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path) -> None:
    for number in (10, 2, 1):
        seglib.write_image(tmp_path / f"frame{number}.png", numbered(number))
    (tmp_path / "notes.txt").write_text("no picture")
    source = video.open_source(tmp_path, fps=10)
    assert source.count == 3 and not source.live
    found = all_of(source)
    assert [frame.image[0, 0, 0] for frame in found] == [1, 2, 10]
    assert [frame.time for frame in found] == pytest.approx([0, 0.1, 0.2])


def test_broken_pictures_are_left_out_and_named(tmp_path) -> None:
    with pytest.raises(SeglibError, match="holds no pictures"):
        video.open_source(tmp_path)
    for number in (1, 2):
        (tmp_path / f"{number}.png").write_bytes(b"broken" * (number - 1))
    with pytest.raises(SeglibError, match=r"2 unreadable .*1\.png"):
        video.PictureFolder(tmp_path).read()
    for number in (0, 3):
        seglib.write_image(tmp_path / f"{number}.png", numbered(number))
    source = video.PictureFolder(tmp_path)
    assert [frame.index for frame in all_of(source)] == [0, 1]
    assert source.note.startswith(f"{tmp_path} has 2 unreadable picture(s)")
    assert "1.png" in source.note and "0.png" not in source.note


def test_what_is_not_there_or_cannot_be_is_refused(tmp_path) -> None:
    seglib.write_image(tmp_path / "0.png", numbered(0))
    for open_it, message in (
        (lambda: video.PictureFolder(tmp_path / "none"), "no folder"),
        (lambda: video.open_source(tmp_path / "none.mp4"), "no video"),
        (lambda: video.PictureFolder(tmp_path, fps=0), "fps is 0"),
        (lambda: video.Frames([np.zeros((4, 4, 5))]).read(), "frame 0"),
    ):
        with pytest.raises(SeglibError, match=message):
            open_it()


def test_there_is_no_camera_here(capfd) -> None:
    with pytest.raises(SeglibError, match="no camera 63 can be opened"):
        video.open_source("63")
    assert capfd.readouterr().err == ""


def test_a_camera_gives_rgb_upright_or_mirrored() -> None:
    picture = np.zeros((24, 32, 3), np.uint8)
    picture[:, :16] = (10, 20, 200)  # BGR: red on the left
    fake = FakeCamera(lambda i: picture)
    plain = video.Camera(0, capture=fake).read().image
    assert plain[0, 0].tolist() == [200, 20, 10] and plain[0, 31].tolist() == [0, 0, 0]
    assert np.array_equal(video.Camera(0, None, True, capture=fake).read().image, plain[:, ::-1])


def test_single_reads_that_fail_are_waited_out_and_odd_rates_replaced() -> None:
    for fps in (0.0, -1.0, float("nan"), 90000.0):
        camera = FakeCamera(lambda i: None if i % 3 else numbered(i), fps=fps)
        source = video.Camera(0, capture=camera)
        assert [source.read().index for _ in range(4)] == [0, 1, 2, 3]
        assert source.fps == sources.USUAL_FPS


def test_an_unplugged_camera_is_told_from_one_that_never_worked() -> None:
    source = video.Camera(0, patience=0.05, capture=FakeCamera(lambda i: None))
    with pytest.raises(SeglibError, match="opens but gives no picture"):
        source.read()
    camera = FakeCamera(lambda i: numbered(i) if i < 3 else None)
    source = video.Camera(2, patience=0.05, capture=camera)
    with pytest.raises(SeglibError, match="camera 2 gave no picture.* after frame 2.*unplugged"):
        all_of(source)
    source.close()
    assert camera.released and source.read() is None


def test_a_camera_that_does_not_open_is_released() -> None:
    camera = FakeCamera(numbered, opened=False)
    with pytest.raises(SeglibError, match="no camera 0"):
        video.Camera(0, capture=camera)
    assert camera.released


def test_a_paced_source_is_live_and_not_ahead_of_its_time() -> None:
    source = video.RealTimeSource(video.Frames([numbered(i) for i in range(5)], fps=100))
    assert source.live and source.count == 5 and source.note == ""
    started = time.monotonic()
    found = all_of(source)
    assert [frame.index for frame in found] == list(range(5))
    assert found[-1].arrived - started >= 0.04 - 1e-4
