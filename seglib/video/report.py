"""What a run did: frames, losses, delays."""

import contextlib
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from seglib.video.sources import Frame, Source

RECENT = 1000
"""Times are kept of so many frames, so that a run of days needs no more memory than a short one."""


@dataclass(frozen=True, eq=False)
class DisplayedFrame:
    """A finished frame, as `on_shown` gets it.

    Attributes:
        frame: what came from the source.
        picture: the finished frame, uint8 RGB, H x W x 3.
        lag: by how many frames the mask is older than the frame.
        delay: seconds from the frame's arrival to this moment.
    """

    frame: Frame
    picture: np.ndarray
    lag: int
    delay: float


@dataclass(frozen=True)
class Report:
    """What a run did.

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

    Times are those of the last `RECENT` frames.
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


class Meter:
    """Counts and times a run, in as much memory for days as for minutes.

    Attributes:
        captured: frames that came.
        shown: frames that went.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self.captured = self.shown = 0
        self._first = self._last = 0.0
        self._lags: Counter[int] = Counter()
        self._delays: deque[float] = deque(maxlen=RECENT)
        self._moments: deque[float] = deque(maxlen=30)
        self._segmenting: deque[float] = deque(maxlen=RECENT)
        self._composing: deque[float] = deque(maxlen=RECENT)

    def came(self, frame: Frame) -> None:
        """Count a frame from the source."""
        if not self.captured:
            self._first = frame.arrived
        self.captured += 1

    def went(self, shown: DisplayedFrame) -> None:
        """Count a frame that was shown."""
        self._last = time.monotonic()
        self.shown += 1
        self._moments.append(self._last)
        self._lags[shown.lag] += 1
        self._delays.append(shown.delay)

    @contextlib.contextmanager
    def segmenting(self) -> Iterator[None]:
        """Time a segmentation."""
        started = time.perf_counter()
        yield
        self._segmenting.append(time.perf_counter() - started)

    @contextlib.contextmanager
    def composing(self) -> Iterator[None]:
        """Time the making of a picture."""
        started = time.perf_counter()
        yield
        self._composing.append(time.perf_counter() - started)

    def labelled(self, shown: DisplayedFrame, dropped: int) -> np.ndarray:
        """Write rate, lag and loss into a copy of the picture."""
        picture = shown.picture.copy()
        moments, rate = self._moments, 0.0
        if len(moments) > 1:
            rate = (len(moments) - 1) / max(moments[-1] - moments[0], 1e-6)
        text = f"{rate:.0f} fps  lag {shown.lag}  dropped {dropped}"
        scale = max(0.4, picture.shape[0] / 720)
        place = (round(12 * scale), round(32 * scale))
        font = cv2.FONT_HERSHEY_SIMPLEX
        # Dark below light, so that it can be read before any picture.
        for colour, width in (((0, 0, 0), 5), ((255, 255, 255), 2)):
            thick = max(1, round(width * scale))
            cv2.putText(picture, text, place, font, 0.8 * scale, colour, thick, cv2.LINE_AA)
        return picture

    def report(self, source: Source, note: str = "") -> Report:
        """Return what happened up to now."""

        def median(values: deque[float]) -> float:
            return 1000 * statistics.median(values) if values else 0.0

        late = 1000 * float(np.quantile(self._delays, 0.9)) if self._delays else 0.0
        return Report(
            captured=self.captured,
            shown=self.shown,
            dropped=self.captured - self.shown if source.live else 0,
            seconds=self._last - self._first if self.shown else 0.0,
            lags=dict(sorted(self._lags.items())),
            delay_ms=(median(self._delays), late),
            segment_ms=median(self._segmenting),
            compose_ms=median(self._composing),
            note=" ".join(filter(None, (source.note, note.strip()))),
        )
