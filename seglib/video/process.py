"""The loop: capture, segmentation and composing in their own threads, the caller's for the rest.

    source -> [capture] -> desk -> [segmentation] -> desk -> [composing] -> [caller] -> sink

The stages work on different frames at the same time; frames are dropped at the desk only.
"""

import contextlib
import queue
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.video.queues import Desk
from seglib.video.sinks import Sink
from seglib.video.smoothing import Smoother, for_video
from seglib.video.sources import Frame, Source

RECENT = 1000  # a run of days needs no more memory than a short one


@dataclass(frozen=True, eq=False)
class DisplayedFrame:
    """A finished frame, as `on_shown` gets it.

    Attributes:
        frame: what came from the source.
        picture: uint8 RGB, H x W x 3.
        lag: by how many frames the mask is older than the frame.
        delay: seconds from the frame's arrival to this moment.
    """

    frame: Frame
    picture: np.ndarray
    lag: int
    delay: float


@dataclass(frozen=True)
class Report:
    """What a run did; times are those of the last `RECENT` frames.

    Attributes:
        captured: frames that the source gave.
        shown: frames that reached the sink.
        dropped: frames that did not, since newer ones were there.
        seconds: from the first frame's arrival to the last one shown.
        lags: how often a mask was how many frames older than its frame.
        delay_ms: median and 90th percentile, from a frame's arrival until it was shown.
        segment_ms: median of segmentation and smoothing.
        compose_ms: median of composing.
        note: what went wrong without stopping the run, or an empty text.
    """

    captured: int
    shown: int
    dropped: int
    seconds: float
    lags: dict[int, int] = field(default_factory=dict)
    delay_ms: tuple[float, float] = (0.0, 0.0)
    segment_ms: float = 0.0
    compose_ms: float = 0.0
    note: str = ""

    @property
    def fps(self) -> float:
        """Frames shown a second."""
        return self.shown / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        """Return one line."""
        line = f"{self.shown} frames in {self.seconds:.1f} s ({self.fps:.1f} a second)"
        line += f", {self.dropped} dropped, delay {self.delay_ms[0]:.0f} ms"
        oldest = max(self.lags, default=0)
        return line + (f", masks up to {oldest} frames older" if oldest else "")


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
    one before; a network that reads the mask of the frame before is told of cuts (`for_video`).

    What stops the run: the source's end, `limit`, a sink that has had enough, an interrupt of a
    live run. What a thread raises ends all of them and is raised here. The result of a live run is
    kept then, since nobody can film it again; that of a file is not, since half of it helps nobody.

    Args:
        source: where frames come from; a live one drops what cannot be shown in time.
        segment: photo, uint8 RGB -> mask, float in [0, 1] of any size; `Segmenter.raw` is best.
        compose: photo and mask -> finished frame, for example a `seglib.postprocess.Pipeline`; one
            with a true attribute `timed` gets the frame's time as well, as `Composer` does.
        sink: where pictures go, written to in the caller's thread.
        smooth: steadies the masks.
        max_lag: by how many frames a mask may be older than the frame it is shown with; above 0
            only for live sources. At twice the frames that a mask takes, none is dropped.
        limit: end after so many frames.
        on_shown: called with every frame shown.
        label: write rate, lag and dropped frames into the picture.
        progress: show a bar, with the time left where the number of frames is known.
        patience: seconds without a frame after which a live source counts as gone.
    """
    if max_lag < 0 or (max_lag and not source.live):
        source.close()
        sink.abort()
        raise SeglibError(
            f"max_lag is {max_lag}; give 0 or more frames, and 0 for {source.name} where that is "
            "not live: every frame waits for its own mask there"
        )
    bar = None
    if progress:
        from tqdm.auto import tqdm

        total = source.count if limit is None else limit
        bar = tqdm(total=total, unit="frame", desc=source.name)
    run = _Run(source, segment, compose, smooth, Desk(max_lag, source.live))
    error: BaseException | None = None
    try:
        while (shown := run.next(patience)) is not None:
            go_on = sink.write(run.labelled(shown) if label else shown.picture, shown.frame.time)
            run.count(shown)
            if on_shown is not None:
                on_shown(shown)
            if bar is not None:
                # A dropped frame is behind us as well, unless a number of shown ones is wanted.
                bar.update(1 if limit is not None else shown.frame.index + 1 - bar.n)
                if source.live:
                    bar.set_postfix(dropped=run.desk.dropped, refresh=False)
            if not go_on or run.shown == limit:
                break
    except BaseException as problem:
        error = problem
    run.stop()
    if bar is not None:
        bar.close()
    error = error or run.error
    if isinstance(error, KeyboardInterrupt) and source.live:
        error = None
    if error is not None:
        with contextlib.suppress(SeglibError):
            (sink.close if source.live and run.shown else sink.abort)()
        raise error
    sink.close()
    # A camera is never quite even, so what its recording leaves out is no news.
    report = run.report("" if source.live else getattr(sink, "note", ""))
    if report.note:
        warnings.warn(report.note, stacklevel=2)
    return report


class _Run:
    """The threads of one run, how they end, and what they counted and timed."""

    def __init__(
        self,
        source: Source,
        segment: Callable[[np.ndarray], np.ndarray],
        compose: Callable[[np.ndarray, np.ndarray], np.ndarray],
        smooth: Smoother | None,
        desk: Desk,
    ) -> None:
        self.desk, self.error, self.captured, self.shown = desk, None, 0, 0
        self._source, self._segment, self._compose = source, for_video(segment), compose
        self._smooth = smooth
        # Finished frames, and None behind the last one.
        self._finished: queue.Queue[DisplayedFrame | None] = queue.Queue(1)
        self._heard = time.monotonic()
        self._first = 0.0
        self._lags: Counter[int] = Counter()
        self._shown_at: deque[float] = deque(maxlen=30)
        self._delays, self._segmenting, self._composing = (deque(maxlen=RECENT) for _ in range(3))
        # Daemons: a driver that never returns must not keep the program from ending.
        self._threads = [
            threading.Thread(None, self._guarded, f"seglib {work.__name__}", [work], daemon=True)
            for work in (self._capture_all, self._segment_all, self._compose_all)
        ]
        for thread in self._threads:
            thread.start()

    def next(self, patience: float) -> DisplayedFrame | None:
        """Wait for the next finished frame; None at the end."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._finished.get(timeout=0.1)
            quiet_for = time.monotonic() - self._heard
            if self._source.live and quiet_for > patience and self._threads[0].is_alive():
                raise SeglibError(
                    f"{self._source.name} has given no frame for {patience:g} seconds; check its "
                    "cable and close other programs that use it"
                )

    def stop(self) -> None:
        """End all threads and let go of the source."""
        self.desk.stop()
        for thread in self._threads[1:]:
            while thread.is_alive():
                # Composing may wait to hand over a frame that nobody wants any more.
                with contextlib.suppress(queue.Empty):
                    self._finished.get_nowait()
                thread.join(0.01)
        # A driver may hang in its read; to release it meanwhile would crash.
        self._threads[0].join(2.0)
        if not self._threads[0].is_alive():
            self._source.close()

    def count(self, shown: DisplayedFrame) -> None:
        """Count a frame that was shown."""
        self.shown += 1
        self._shown_at.append(time.monotonic())
        self._lags[shown.lag] += 1
        self._delays.append(shown.delay)

    def labelled(self, shown: DisplayedFrame) -> np.ndarray:
        """Write rate, lag and loss into a copy of the picture."""
        picture, moments = shown.picture.copy(), self._shown_at
        passed = moments[-1] - moments[0] if moments else 0.0
        rate = (len(moments) - 1) / max(passed, 1e-6) if len(moments) > 1 else 0.0
        text = f"{rate:.0f} fps  lag {shown.lag}  dropped {self.desk.dropped}"
        scale = max(0.4, picture.shape[0] / 720)
        style = (round(12 * scale), round(32 * scale)), cv2.FONT_HERSHEY_SIMPLEX, 0.8 * scale
        # Dark below light, so that it can be read before any picture.
        for level, width in ((0, 5), (255, 2)):
            thick = max(1, round(width * scale))
            cv2.putText(picture, text, *style, (level,) * 3, thick, cv2.LINE_AA)
        return picture

    def report(self, note: str) -> Report:
        def quantile(seconds: deque[float], share: float = 0.5) -> float:
            return 1000 * float(np.quantile(seconds or [0.0], share))

        return Report(
            captured=self.captured,
            shown=self.shown,
            dropped=self.captured - self.shown if self._source.live else 0,
            seconds=self._shown_at[-1] - self._first if self.shown else 0.0,
            lags=dict(sorted(self._lags.items())),
            delay_ms=(quantile(self._delays), quantile(self._delays, 0.9)),
            segment_ms=quantile(self._segmenting),
            compose_ms=quantile(self._composing),
            note=" ".join(filter(None, (self._source.note, note.strip()))),
        )

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do a thread's work; what it raises is kept for the caller."""
        try:
            work()
        except BaseException as error:
            self.error = self.error or error
            if work != self._capture_all:
                self.desk.stop()
        if work == self._capture_all:
            # What was captured before an error is still worth showing.
            self.desk.end()
        elif work == self._compose_all:
            self._finished.put(None)

    def _capture_all(self) -> None:
        while (frame := self._source.read()) is not None:
            self._heard = frame.arrived
            if not self.captured:
                self._first = frame.arrived
            self.captured += 1
            if not self.desk.add(frame):
                return

    def _segment_all(self) -> None:
        shape = None
        if hasattr(self._smooth, "reset"):
            self._smooth.reset()
        while (frame := self.desk.to_segment()) is not None:
            started = time.perf_counter()
            mask = self._segment(frame.image)
            if self._smooth is not None:
                if shape not in (None, frame.image.shape):
                    # Another format is another view: what was is in another place.
                    self._smooth.reset()
                mask = self._smooth(mask, frame.time, frame.image)
            self._segmenting.append(time.perf_counter() - started)
            shape = frame.image.shape
            self.desk.add_mask(frame, mask)

    def _compose_all(self) -> None:
        takes_time = getattr(self._compose, "timed", False)
        while (pair := self.desk.to_compose()) is not None:
            frame, mask, lag = pair
            moment, started = [frame.time] if takes_time else [], time.perf_counter()
            picture = self._compose(frame.image, mask, *moment)
            self._composing.append(time.perf_counter() - started)
            delay = time.monotonic() - frame.arrived
            self._finished.put(DisplayedFrame(frame, picture, lag, delay))
