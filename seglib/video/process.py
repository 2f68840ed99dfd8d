"""The loop: capture, segmentation and composing in their own threads, the caller's for the rest.

    source -> [capture] -> desk -> [segmentation] -> desk -> [composing] -> [caller] -> sink

The three stages work on different frames at the same time, so the rate is that of the slowest stage
and not of their sum. OpenCV, NumPy and LiteRT let other threads run while they compute. Frames are
dropped at one place only, the desk (`seglib.video.queues`), and counted there.
"""

import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from seglib.errors import SeglibError
from seglib.video.queues import Channel, Desk, Line
from seglib.video.report import DisplayedFrame, Meter, Report
from seglib.video.sinks import Sink
from seglib.video.smoothing import Smoother, for_video
from seglib.video.sources import Source


def process(
    source: Source,
    segment: Callable[[np.ndarray], np.ndarray],
    compose: Callable[[np.ndarray, np.ndarray], np.ndarray],
    sink: Sink,
    smooth: Smoother | None = None,
    max_lag: int = 0,
    limit: int | None = None,
    on_shown: Callable[[DisplayedFrame], Any] | None = None,
    label: bool = False,
    progress: bool = False,
    patience: float = 10.0,
) -> Report:
    """Run a stream from a source to a sink and return what happened; both are closed.

    Each function is called by one thread only, frame after frame in order, so it may remember the
    one before. A `Segmenter` whose network reads the mask of the frame before keeps that mask, and
    is told to forget it at the start and at every cut, see `seglib.video.for_video`.

    What stops the run: the source's end, `limit`, a sink that has had enough, an interrupt of a
    live run. What a thread raises ends all of them and is raised here. The result of a live run is
    kept then, since nobody can film it again; that of a file is not, since half of it helps nobody.

    Args:
        source: where frames come from. A live one drops what cannot be shown in time, of any
            other every frame is shown.
        segment: photo, uint8 RGB -> mask, float in [0, 1] of any size; `Segmenter.raw` is best.
        compose: photo and mask -> finished frame, for example a `seglib.postprocess.Pipeline`; one
            with a true attribute `timed` gets the frame's time as well, as `Composer` does.
        sink: where pictures go, written to in the caller's thread.
        smooth: steadies the masks.
        max_lag: by how many frames a mask may be older than the frame it is shown with; above 0
            only for live sources. Frames then leave earlier, and if it is twice the number of
            frames that the network takes for a mask, none is dropped.
        limit: end after so many frames.
        on_shown: called with every frame shown.
        label: write rate, lag and dropped frames into the picture.
        progress: show a bar, with the time left where the number of frames is known.
        patience: seconds without a frame after which a live source counts as gone.
    """
    if max_lag and not source.live:
        source.close()
        sink.abort()
        raise SeglibError(
            f"max_lag is {max_lag}, but {source.name} is not live and every frame waits for its "
            "own mask; leave it out"
        )
    desk = Desk(max_lag) if source.live else Line()
    run = _Run(source, segment, compose, smooth, desk)
    meter = run.meter
    bar = _Bar(source, limit) if progress else None
    error: BaseException | None = None
    try:
        run.start()
        while (shown := run.next(patience)) is not None:
            picture = meter.labelled(shown, desk.dropped) if label else shown.picture
            go_on = sink.write(picture, shown.frame.time)
            meter.went(shown)
            if on_shown is not None:
                on_shown(shown)
            if bar is not None:
                bar.step(shown, desk.dropped)
            if not go_on or meter.shown == limit:
                break
    except BaseException as problem:
        error = problem
    run.stop()
    if bar is not None:
        bar.close()
    error = error or run.error
    if isinstance(error, KeyboardInterrupt) and source.live:
        error = None
    if error is not None and not (source.live and meter.shown):
        sink.abort()
        raise error
    try:
        sink.close()
    except SeglibError:
        if error is None:
            raise
    if error is not None:
        raise error
    # A camera is never quite even, so what its recording leaves out is no news.
    report = meter.report(source, "" if source.live else getattr(sink, "note", ""))
    if report.note:
        warnings.warn(report.note, stacklevel=2)
    return report


class _Run:
    """The threads of one run and how they end."""

    def __init__(
        self,
        source: Source,
        segment: Callable[[np.ndarray], np.ndarray],
        compose: Callable[[np.ndarray, np.ndarray], np.ndarray],
        smooth: Smoother | None,
        desk: Desk | Line,
    ) -> None:
        self.error: BaseException | None = None
        self.meter = Meter()
        self._source, self._segment, self._compose = source, for_video(segment), compose
        self._smooth, self._desk = smooth, desk
        self._finished = Channel(1)
        self._heard = time.monotonic()
        # Daemons: a driver that never returns must not keep the program from ending.
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=f"seglib {name}", daemon=True)
            for name, work in (
                ("capture", self._capture),
                ("segment", self._segment_all),
                ("compose", self._compose_all),
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def next(self, patience: float) -> DisplayedFrame | None:
        """Wait for the next finished frame; None at the end."""
        while True:
            done = self._finished.take(0.1)
            if done is not None:
                return done
            if self._finished.over:
                return None
            quiet_for = time.monotonic() - self._heard
            if self._source.live and quiet_for > patience and self._threads[0].is_alive():
                raise SeglibError(
                    f"{self._source.name} has given no frame for {patience:g} seconds; check its "
                    "cable and close other programs that use it"
                )

    def stop(self) -> None:
        """End all threads and let go of the source."""
        self._desk.stop()
        self._finished.stop()
        for thread in self._threads[1:]:
            thread.join()
        # A driver may hang in its read; to release it meanwhile would crash.
        self._threads[0].join(2.0)
        if not self._threads[0].is_alive():
            self._source.close()

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do a thread's work; what it raises is kept for the caller."""
        try:
            work()
        except BaseException as error:
            if self.error is None:
                self.error = error
            if work == self._capture:
                # What was captured before is still worth showing.
                self._desk.end()
            else:
                self._desk.stop()
                self._finished.end()

    def _capture(self) -> None:
        while (frame := self._source.read()) is not None:
            self._heard = frame.arrived
            self.meter.came(frame)
            if not self._desk.add(frame):
                return
        self._desk.end()

    def _segment_all(self) -> None:
        shape = None
        if hasattr(self._smooth, "reset"):
            self._smooth.reset()
        while (frame := self._desk.to_segment()) is not None:
            with self.meter.segmenting():
                mask = self._segment(frame.image)
                if self._smooth is not None:
                    if shape not in (None, frame.image.shape):
                        # Another format is another view: what was is in another place.
                        self._smooth.reset()
                    mask = self._smooth(mask, frame.time, frame.image)
            shape = frame.image.shape
            self._desk.add_mask(frame, mask)

    def _compose_all(self) -> None:
        while (pair := self._desk.to_compose()) is not None:
            frame, mask, lag = pair
            with self.meter.composing():
                if getattr(self._compose, "timed", False):
                    picture = self._compose(frame.image, mask, frame.time)
                else:
                    picture = self._compose(frame.image, mask)
            delay = time.monotonic() - frame.arrived
            if not self._finished.put(DisplayedFrame(frame, picture, lag, delay)):
                return
        self._finished.end()


class _Bar:
    """A progress bar on the standard error, with the time left where the end is known."""

    def __init__(self, source: Source, limit: int | None) -> None:
        from tqdm.auto import tqdm

        self._limit = limit
        total = source.count if limit is None else limit
        self._bar = tqdm(total=total, unit="frame", desc=source.name)
        self._live = source.live

    def step(self, shown: DisplayedFrame, dropped: int) -> None:
        # A dropped frame is behind us as well, unless a number of shown ones was asked for.
        self._bar.update(1 if self._limit is not None else shown.frame.index + 1 - self._bar.n)
        if self._live:
            self._bar.set_postfix(dropped=dropped, refresh=False)

    def close(self) -> None:
        self._bar.close()
