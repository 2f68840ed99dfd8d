"""Films, windows and notebook views: whole or absent, and honest about what cannot be."""

import os
import subprocess
import sys
from contextlib import nullcontext

import cv2
import numpy as np
import pytest

import seglib
from seglib import SeglibError, video
from seglib.video import sinks
from video_fakes import frames_of, numbered


@pytest.mark.parametrize("suffix", sinks.CODECS)
def test_every_suffix_can_be_written_and_read_back(tmp_path, suffix: str) -> None:
    photo = np.ascontiguousarray(seglib.sample_photo()[::8, ::8])
    sink = video.VideoWriter(tmp_path / f"film{suffix}", fps=25)
    assert all(sink.write(photo) for _ in range(12))
    sink.close()
    found = frames_of(tmp_path / f"film{suffix}")
    assert len(found) == 12 and np.abs(found[3].astype(float) - photo).mean() < 12
    assert os.listdir(tmp_path) == [f"film{suffix}"]


@pytest.mark.parametrize(("count", "end"), [(0, "close"), (1, "abort"), (1, "close")])
def test_what_stood_there_stays_until_the_film_is_whole(tmp_path, count: int, end: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"precious")
    sink = video.VideoWriter(path)
    for index in range(count):
        sink.write(numbered(index))
    assert path.read_bytes() == b"precious"
    with nullcontext() if count else pytest.raises(SeglibError, match="no frame"):
        getattr(sink, end)()
    assert os.listdir(tmp_path) == ["film.mp4"]
    whole = count and end == "close"
    assert len(frames_of(path)) == 1 if whole else path.read_bytes() == b"precious"


def test_times_repeat_and_leave_out_pictures(tmp_path) -> None:
    sink = video.VideoWriter(tmp_path / "film.avi", fps=10)
    for level, when in ((0, 7.0), (60, 7.1), (90, 7.12), (120, 7.2), (240, 7.7)):
        assert sink.write(numbered(level), when)
    sink.close()
    levels = [float(frame.mean()) for frame in frames_of(tmp_path / "film.avi")]
    # 90 came too soon after 60; 120 stays until 240 comes.
    assert levels == pytest.approx([0, 60, *[120] * 5, 240], abs=3)


def test_odd_sizes_lose_a_row_and_other_sizes_get_borders(tmp_path) -> None:
    sink = video.VideoWriter(tmp_path / "film.avi")
    for shape in ((47, 63, 3), (63, 47, 3)):
        sink.write(np.full(shape, 200, np.uint8))
    sink.close()
    first, turned = frames_of(tmp_path / "film.avi")
    assert first.shape == turned.shape == (46, 62, 3)
    assert first.min() > 180
    assert turned[:, 31].min() > 180 and turned[:, :10].max() < 40 and turned[:, -10:].max() < 40
    tall = sinks.fit(np.full((40, 20, 3), 9, np.uint8), (20, 40))
    assert (tall[:, 15:25] == 9).all() and not tall[:, :15].any() and not tall[:, 25:].any()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("film.gif", {}, "must end in"),
        ("film.mp4", {"codec": "MPEG4"}, "four characters"),
        ("film.mp4", {"fps": 0}, "fps is 0"),
        ("file/film.mp4", {}, "cannot write"),
    ],
)
def test_what_cannot_be_written_is_said_at_once(tmp_path, name, options, message) -> None:
    (tmp_path / "file").write_text("a file where a folder would have to be")
    with pytest.raises(SeglibError, match=message):
        video.VideoWriter(tmp_path / name, **options)
    assert os.listdir(tmp_path) == ["file"]


def test_a_codec_that_is_not_there_names_a_way_out(tmp_path) -> None:
    sink = video.VideoWriter(tmp_path / "film.mp4", codec="ZZZZ")
    with pytest.raises(SeglibError, match=r"codec ZZZZ.*\.avi"):
        sink.write(numbered(1))
    sink.abort()
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_full_disk_is_found_out(tmp_path) -> None:
    code = f"""
import resource, signal, numpy as np
from seglib import SeglibError, video
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))
sink = video.VideoWriter({str(tmp_path / "film.avi")!r})
for i in range(80):
    sink.write(np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8))
try:
    sink.close()
except SeglibError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "film.avi was not written, since the disk" in done.stdout, done.stderr
    assert not os.listdir(tmp_path)


def test_several_sinks_get_every_picture_and_end_together(tmp_path) -> None:
    class Tired(video.ListSink):
        def write(self, picture: np.ndarray, time: float | None = None) -> bool:
            return super().write(picture) and len(self.pictures) < 2

    tired, other = Tired(), video.ListSink()
    both = video.MultiSink(tired, other, video.VideoWriter(tmp_path / "film.mp4"))
    assert both.write(numbered(0)) and not both.write(numbered(1))
    both.close()
    assert len(other.pictures) == len(frames_of(tmp_path / "film.mp4")) == 2


@pytest.mark.parametrize("display", ["", ":4711"])
def test_without_a_display_that_answers_there_is_no_window(monkeypatch, display: str) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")  # Qt would end this whole process
    assert not video.has_display()
    with pytest.raises(SeglibError, match="no display"):
        video.Window()


def test_a_window_shows_bgr_and_ends_by_key_or_cross(monkeypatch) -> None:
    shown, keys, visible = [], iter([255, ord("q"), 255]), [1.0]
    monkeypatch.setattr(sinks, "has_display", lambda: True)
    for name in ("namedWindow", "resizeWindow"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "waitKey", lambda _: next(keys))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: visible[0])
    monkeypatch.setattr(cv2, "destroyWindow", lambda _: shown.append("closed"))
    window, red = video.Window(), np.full((4, 4, 3), (250, 0, 0), np.uint8)
    assert window.write(red)
    assert shown[0][0, 0].tolist() == [0, 0, 250]
    assert not window.write(red)
    visible[0] = 0.0
    assert not window.write(red)
    window.close()
    assert shown[-1] == "closed"
