"""Between the threads: where frames and masks wait, who is dropped, and how everybody stops."""

import threading
from collections import deque

import numpy as np

from seglib.video.sources import Frame

_ROOM = 5  # one frame at work, and two each before and behind the segmentation


class Desk:
    """Hands out frames to be segmented, and frames with masks to be composed.

    For files every frame gets its own mask, in order, and who is fast waits. For live sources the
    newest frame wins: with `lag` 0 the frames that came in while the network worked are `dropped`;
    with a larger one they are shown with the mask before, as long as that is not too old, and no
    more than `lag` + 3 are ever kept.
    """

    def __init__(self, lag: int = 0, live: bool = True) -> None:
        """Start empty; masks may be `lag` frames older than their frames."""
        self.dropped = 0
        self._lag, self._live = lag, live
        self._changed = threading.Condition()
        self._kept: deque[Frame] = deque()
        newest = 1 if live else None
        self._waiting: deque[Frame] = deque(maxlen=newest)
        self._masks: deque[tuple[int, np.ndarray]] = deque(maxlen=newest)
        self._working: int | None = None
        self._ended = self._stopped = False

    def add(self, frame: Frame) -> bool:
        """Bring a frame; a live one replaces one that still waited. False when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._live or self._stopped or len(self._kept) < _ROOM)
            if self._stopped:
                return False
            self._kept.append(frame)
            self._waiting.append(frame)
            self._forget()
            return True

    def end(self) -> None:
        """Say that the last frame was brought."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def to_segment(self) -> Frame | None:
        """Take the next frame, waiting for it; None at the end or when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended or self._stopped)
            if not self._waiting:
                return None
            frame = self._waiting.popleft()
            self._working = frame.index
            self._forget()
            return frame

    def add_mask(self, frame: Frame, mask: np.ndarray) -> None:
        """Bring the mask of a frame."""
        with self._changed:
            self._masks.append((frame.index, mask))
            self._working = None
            self._forget()

    def to_compose(self) -> tuple[Frame, np.ndarray, int] | None:
        """Wait for a frame, its mask, and by how many frames that is older; None at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._fresh()
                    or self._stopped
                    or (self._ended and not self._waiting and self._working is None)
                )
            )
            if not self._fresh():
                return None
            frame = self._kept.popleft()
            made_from, mask = self._masks[0] if self._live else self._masks.popleft()
            self._changed.notify_all()
            return frame, mask, frame.index - made_from

    def stop(self) -> None:
        """Let all threads go; what waits is dropped."""
        with self._changed:
            self._stopped = True
            self.dropped += len(self._kept)
            self._kept.clear()
            self._waiting.clear()
            self._changed.notify_all()

    def _fresh(self) -> bool:
        """Tell whether the oldest kept frame may be shown; `_forget` has dropped those before."""
        return bool(self._kept and self._in_time(self._kept[0]))

    def _in_time(self, frame: Frame) -> bool:
        return bool(self._masks) and frame.index <= self._masks[0][0] + self._lag

    def _has_a_chance(self, frame: Frame) -> bool:
        coming = self._working
        soon = coming is not None and coming <= frame.index <= coming + self._lag
        return soon or self._in_time(frame)

    def _forget(self) -> None:
        """Wake who waits, and drop what is superseded by a newer frame or what no mask will reach.

        The next mask is that of the frame being worked on. What is older than that one comes too
        late, and what is too new has to wait for the mask after it, made from the newest frame.
        """
        self._changed.notify_all()
        if not self._live:
            return
        before = len(self._kept)
        while len(self._kept) > 1 and self._in_time(self._kept[1]):
            self._kept.popleft()
        newest = self._kept[-1] if self._kept else None
        self._kept = deque(f for f in self._kept if f is newest or self._has_a_chance(f))
        self.dropped += before - len(self._kept)
