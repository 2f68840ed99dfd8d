"""The loop between source and sink: pairs, drops, faults, and ends."""

import gc
import sys
import threading
import time
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglib import SeglibError, video
from seglib.video.queues import Desk
from video_fakes import FakeCamera, frames_of, numbered, own_number, shown_number


def frame(index: int) -> video.Frame:
    return video.Frame(index, index / 30, numbered(index, (2, 2)))


def seglib_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("seglib ")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not seglib_threads()


# The desk, without threads: what may be shown when.


@given(st.lists(st.sampled_from("fffsmc"), max_size=60), st.integers(0, 4))
def test_the_desk_shows_the_newest_frame_with_a_mask_in_time_or_counts_it(steps, lag) -> None:
    desk = Desk(lag)
    desk._changed.wait_for = lambda ready: ready() or pytest.fail("it would wait for ever")
    added, shown, waiting, working, mask = [], [], None, None, None
    for step in steps:
        good = [i for i in added if mask is not None and max(shown, default=-1) < i <= mask + lag]
        if step == "f":
            waiting = len(added)
            added.append(waiting)
            desk.add(frame(waiting))
        elif step == "s" and waiting is not None and working is None:
            working = desk.to_segment()
            assert working.index == waiting  # always the newest
            waiting = None
        elif step == "m" and working is not None:
            desk.add_mask(working, own_number(working.image))
            mask, working = working.index, None
        elif step == "c" and good:
            got, its_mask, age = desk.to_compose()
            assert got.index == max(good) and age == got.index - mask
            assert its_mask[0, 0] == np.float32(mask / 255)
            shown.append(got.index)
        assert len(desk._kept) <= lag + 3
        assert desk.dropped <= len(added)
    # To the end, as the threads would.
    desk.end()
    if working is not None:
        desk.add_mask(working, own_number(working.image))
    while (working := desk.to_segment()) is not None:
        desk.add_mask(working, own_number(working.image))
    while desk.to_compose() is not None:
        shown.append(-1)
    assert len(shown) + desk.dropped == len(added)
    assert len(shown) >= min(len(added), 1)


def test_a_desk_for_files_loses_nothing_and_waits() -> None:
    desk, added = Desk(live=False), []

    def bring() -> None:
        added.extend(desk.add(frame(index)) for index in range(9))

    bringing = threading.Thread(target=bring)
    bringing.start()
    for index in range(3):
        taken = desk.to_segment()
        desk.add_mask(taken, own_number(taken.image))
        got, mask, age = desk.to_compose()
        assert (got.index, age) == (index, 0) and mask[0, 0] == np.float32(index / 255)
    bringing.join(0.05)
    assert bringing.is_alive()  # until there is room
    desk.stop()
    bringing.join()
    assert added[:3] == [True] * 3 and not added[-1]
    assert desk.to_segment() is None and desk.to_compose() is None


# Runs.


def test_every_frame_of_a_film_is_shown_in_order_with_its_own_mask() -> None:
    album, seen = video.ListSink(), []
    source = video.Frames([numbered(i) for i in range(60)], fps=30)
    report = video.process(source, own_number, shown_number, album, on_shown=seen.append)
    assert [tuple(p[0, 0, :2]) for p in album.pictures] == [(i, i) for i in range(60)]
    assert (report.captured, report.shown, report.dropped) == (60, 60, 0)
    assert report.lags == {0: 60} and report.seconds > 0 and report.fps > 0
    assert [s.frame.index for s in seen] == list(range(60))
    assert all(s.delay > 0 for s in seen) and report.delay_ms[0] <= report.delay_ms[1]
    assert min(report.segment_ms, report.compose_ms) > 0
    assert str(report).startswith("60 frames in ")


@pytest.mark.parametrize("max_lag", [0, 1, 3])
def test_a_slow_network_drops_frames_the_lag_is_bounded_and_the_film_no_shorter(
    tmp_path, max_lag: int
) -> None:
    def slow(image: np.ndarray) -> np.ndarray:
        time.sleep(0.03)
        return own_number(image)

    album, seen = video.ListSink(), []
    sink = video.MultiSink(album, video.VideoWriter(tmp_path / "film.avi", fps=100))
    source = video.RealTimeSource(video.Frames([numbered(i) for i in range(50)], fps=100))
    report = video.process(source, slow, shown_number, sink, max_lag=max_lag, on_shown=seen.append)
    assert report.captured == 50 and report.shown + report.dropped == 50
    assert 0 < report.dropped < 50
    assert set(report.lags) <= set(range(max_lag + 1)) and sum(report.lags.values()) == report.shown
    numbers = [tuple(map(int, p[0, 0, :2])) for p in album.pictures]
    assert [a - b for a, b in numbers] == [s.lag for s in seen]
    assert all(a[0] < b[0] for a, b in pairwise(numbers))
    if max_lag:
        assert max(report.lags) > 0 and "frames older" in str(report)
    length = seen[-1].frame.index - seen[0].frame.index + 1
    assert len(frames_of(tmp_path / "film.avi")) == length > report.shown


def test_the_stages_work_at_the_same_time_each_in_one_thread_and_in_order() -> None:
    """Composing a frame goes on until the next one is being segmented, and that one waits too."""
    calls: dict[str, list] = {"segment": [], "compose": [], "sink": []}
    second = threading.Event()

    def note(what: str, image: np.ndarray) -> np.ndarray:
        calls[what].append((threading.get_ident(), int(image[0, 0, 0])))
        return image

    def segment(image: np.ndarray) -> np.ndarray:
        if note("segment", image)[0, 0, 0] == 1:
            second.set()
        return own_number(image)

    def compose(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        assert second.wait(20)
        return note("compose", image)

    class Sink(video.ListSink):
        def write(self, picture: np.ndarray, time: float) -> bool:
            return super().write(note("sink", picture))

    video.process(video.Frames([numbered(i) for i in range(20)]), segment, compose, Sink())
    for made in calls.values():
        assert len({thread for thread, _ in made}) == 1
        assert [number for _, number in made] == list(range(20))
    assert len({made[0][0] for made in calls.values()}) == 3
    assert calls["sink"][0][0] == threading.get_ident()


class Tired(video.ListSink):
    def write(self, picture: np.ndarray, time: float) -> bool:
        return super().write(picture) and len(self.pictures) < 4


@pytest.mark.parametrize(("sink", "more"), [(video.ListSink(), {"limit": 4}), (Tired(), {})])
def test_a_run_can_be_ended_by_number_and_by_the_sink(sink, more: dict) -> None:
    source = video.Frames([numbered(i) for i in range(50)])
    assert video.process(source, own_number, shown_number, sink, **more).shown == 4
    assert len(sink.pictures) == 4


@pytest.mark.parametrize("where", ["segment", "compose", "sink", "smooth", "on_shown", "source"])
@pytest.mark.parametrize("live", [False, True])
def test_what_a_thread_raises_reaches_the_caller(where: str, live: bool, tmp_path) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError(where)

    class Broken(video.ListSink):
        write = broken
        aborted = False

        def abort(self) -> None:
            self.aborted = True

    source = video.Frames([numbered(i) for i in range(9)], fps=1000)
    if where == "source":
        source.read = broken
    sink = Broken() if where == "sink" else video.VideoWriter(tmp_path / "film.mp4")
    parts = {"segment": own_number, "compose": shown_number, "smooth": None, "on_shown": None}
    if where in parts:
        parts[where] = broken
    with pytest.raises(ZeroDivisionError, match=where):
        video.process(video.RealTimeSource(source) if live else source, sink=sink, **parts)
    if where == "sink":
        assert sink.aborted
    # Half of a film helps nobody; a frame filmed live cannot be had again.
    assert (tmp_path / "film.mp4").exists() == (live and where == "on_shown")
    assert {path.name for path in tmp_path.iterdir()} <= {"film.mp4"}


def test_a_camera_that_hangs_is_given_up(tmp_path) -> None:
    fake = FakeCamera(numbered, hang_at=5)
    source = video.Camera(0, capture=fake)
    try:
        with pytest.raises(SeglibError, match=r"camera 0 has given no frame for 0\.2 seconds"):
            video.process(source, own_number, shown_number, video.ListSink(), patience=0.2)
        assert not fake.released  # its driver is still in the read
    finally:
        fake.go_on.set()
        for thread in seglib_threads():
            thread.join(10)


def test_a_camera_that_turns_keeps_the_films_size_and_forgets_old_masks(tmp_path) -> None:
    seen = threading.Event()

    class Watched(video.Ema):
        resets = 0

        def reset(self) -> None:
            super().reset()
            self.resets += 1

    def turning(index: int) -> np.ndarray | None:
        if index < 10:
            return numbered(index, (24, 32))
        assert seen.wait(20)  # an upright frame has been shown
        return numbered(index, (32, 24)) if index < 20 else None

    smooth, sink = Watched(), video.VideoWriter(tmp_path / "film.avi")
    source = video.Camera(0, patience=0.05, capture=FakeCamera(turning))
    with pytest.raises(SeglibError, match=r"gave no picture.*after frame 19.*unplugged"):
        video.process(source, own_number, shown_number, sink, smooth, on_shown=lambda _: seen.set())
    assert smooth.resets == 2  # at the start of the run and at the turn
    assert {picture.shape for picture in frames_of(tmp_path / "film.avi")} == {(24, 32, 3)}


def test_an_interrupt_ends_a_recording_and_breaks_off_a_conversion(tmp_path) -> None:
    def interrupt(one: video.DisplayedFrame) -> None:
        if one.frame.index >= 5:
            raise KeyboardInterrupt

    def run(live: bool) -> video.Report:
        source = video.Frames([numbered(i) for i in range(50)], fps=500)
        sink = video.VideoWriter(tmp_path / f"{live}.avi")
        source = video.RealTimeSource(source) if live else source
        return video.process(source, own_number, shown_number, sink, on_shown=interrupt)

    report = run(live=True)
    assert len(frames_of(tmp_path / "True.avi")) > 0 and report.shown > 0
    with pytest.raises(KeyboardInterrupt):
        run(live=False)
    assert [path.name for path in tmp_path.iterdir()] == ["True.avi"]


@pytest.mark.parametrize(("lag", "live"), [(2, False), (-1, True)])
def test_a_lag_is_for_live_sources_and_not_below_zero(tmp_path, lag: int, live: bool) -> None:
    source, sink = video.Frames([numbered(0)]), video.VideoWriter(tmp_path / "film.mp4")
    source = video.RealTimeSource(source) if live else source
    with pytest.raises(SeglibError, match=f"lag is {lag}"):
        video.process(source, own_number, shown_number, sink, max_lag=lag)
    assert not list(tmp_path.iterdir())


def test_what_went_wrong_is_warned_of_and_progress_names_the_whole(capsys) -> None:
    source = video.Frames([numbered(i) for i in range(7)])
    source.note = "the frames were dusty"
    with pytest.warns(UserWarning, match="dusty"):
        report = video.process(source, own_number, shown_number, video.ListSink(), progress=True)
    assert report.note == "the frames were dusty" and report.shown == 7
    assert "the frames: 100%" in (shown := capsys.readouterr().err) and "7/7" in shown


def test_labels_are_written_into_a_copy() -> None:
    plain, sink, kept = np.full((240, 320, 3), 120, np.uint8), video.ListSink(), []
    video.process(
        video.Frames([plain] * 4), own_number, lambda image, mask: image, sink,
        label=True, on_shown=kept.append,
    )  # fmt: skip
    assert (kept[-1].picture == 120).all()
    assert not (sink.pictures[1] == 120).all() and (sink.pictures[1][60:] == 120).all()


def test_memory_stays_flat_over_a_thousand_frames(monkeypatch) -> None:
    """What NumPy and Python hold after 1,000 frames is what they held after 500."""
    monkeypatch.setattr(sys.modules["seglib.video.process"], "RECENT", 300)
    held = {}

    def look(one: video.DisplayedFrame) -> None:
        if one.frame.index in (499, 999):
            gc.collect()
            held[one.frame.index] = tracemalloc.get_traced_memory()[0]

    class Forgets(video.ListSink):
        def write(self, picture: np.ndarray, time: float) -> bool:
            return True

    tracemalloc.start()
    try:
        for smooth in (video.MotionEma(), video.OneEuro()):
            source = video.Frames([numbered(7)] * 1000)
            video.process(source, own_number, shown_number, Forgets(), smooth, on_shown=look)
            # One frame has 2,304 bytes: a leak of one number a frame would be seen.
            assert held[999] - held[499] < 9_000
    finally:
        tracemalloc.stop()
