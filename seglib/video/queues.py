"""Between the threads: where frames and masks wait, who is dropped, and how everybody stops.

Three threads meet here: one brings frames, one takes them to be segmented and brings masks, one
takes frames with their masks to be composed. `Line` serves files: nothing is lost, and who is fast
waits. `Desk` serves live sources: the newest frame wins, and what can no longer be shown is dropped
and counted. Both hand a frame out only with a mask that is at most `lag` frames older.
"""

import threading
from collections import deque
from typing import Any

import numpy as np

from seglib.errors import SeglibError
from seglib.video.sources import Frame

Pair = tuple[Frame, np.ndarray, int]
"""A frame, a mask, and by how many frames the mask is older."""


class Channel:
    """A short queue between two threads that can be ended or stopped."""

    def __init__(self, room: int = 2) -> None:
        """Make a queue that holds at most `room` items."""
        self._items: deque[Any] = deque()
        self._room = room
        self._changed = threading.Condition()
        self._ended = self._stopped = False

    def put(self, item: Any) -> bool:
        """Wait for room and add an item; False when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._items) < self._room)
            if not self._stopped:
                self._items.append(item)
                self._changed.notify_all()
            return not self._stopped

    def take(self, timeout: float | None = None) -> Any:
        """Wait for an item and take it; None at the end, when stopped, or after `timeout` s."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended or self._stopped, timeout)
            if self._stopped or not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def end(self) -> None:
        """Say that no more items will come; those that wait can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Let everybody go at once; what waits is lost."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    @property
    def over(self) -> bool:
        """Whether nothing can come any more."""
        with self._changed:
            return self._stopped or (self._ended and not self._items)


class Line:
    """Every frame with its own mask, in order; a fast thread waits for a slow one.

    Attributes:
        dropped: always 0.
    """

    dropped = 0

    def __init__(self, room: int = 2) -> None:
        """Let `room` frames wait before and behind the segmentation."""
        self._frames, self._pairs = Channel(room), Channel(room)

    def add(self, frame: Frame) -> bool:
        """Bring a frame, waiting for room; False when stopped."""
        return self._frames.put(frame)

    def end(self) -> None:
        """Say that the last frame was brought."""
        self._frames.end()

    def to_segment(self) -> Frame | None:
        """Take the next frame, waiting for it; None at the end or when stopped."""
        frame = self._frames.take()
        if frame is None:
            self._pairs.end()
        return frame

    def add_mask(self, frame: Frame, mask: np.ndarray) -> None:
        """Bring the mask of a frame."""
        self._pairs.put((frame, mask, 0))

    def to_compose(self) -> Pair | None:
        """Take the next frame with its mask, waiting for it; None at the end or when stopped."""
        return self._pairs.take()

    def stop(self) -> None:
        """Let all threads go; what waits is lost."""
        self._frames.stop()
        self._pairs.stop()


class Desk:
    """The newest frame wins; each leaves with a mask that is at most `lag` frames older.

    With `lag` 0 each mask is shown with the frame that it was made from, and the frames that came
    in while the network worked are dropped. With a larger one they are shown with the mask before,
    as long as that is not too old. No more than `lag` + 3 frames are kept at any time.

    Attributes:
        dropped: frames that will never be shown.
    """

    def __init__(self, lag: int = 0) -> None:
        """Start with an empty desk.

        Args:
            lag: by how many frames a mask may be older than its frame.
        """
        if lag < 0:
            raise SeglibError(f"the lag is {lag}; give a number of frames from 0 up")
        self.dropped = 0
        self._lag = lag
        self._changed = threading.Condition()
        self._kept: deque[Frame] = deque()
        self._waiting: Frame | None = None
        self._working: int | None = None
        self._mask: tuple[int, np.ndarray] | None = None
        self._ended = self._stopped = False

    def add(self, frame: Frame) -> bool:
        """Bring a frame; an older one that still waited makes room. False when stopped."""
        with self._changed:
            if self._stopped:
                return False
            self._kept.append(frame)
            self._waiting = frame
            self._forget()
            self._changed.notify_all()
            return True

    def end(self) -> None:
        """Say that the last frame was brought."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def to_segment(self) -> Frame | None:
        """Take the newest frame, waiting for one; None at the end or when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended or self._stopped)
            frame, self._waiting = self._waiting, None
            if frame is None or self._stopped:
                return None
            self._working = frame.index
            self._forget()
            return frame

    def add_mask(self, frame: Frame, mask: np.ndarray) -> None:
        """Bring the mask of a frame."""
        with self._changed:
            self._mask, self._working = (frame.index, mask), None
            self._forget()
            self._changed.notify_all()

    def to_compose(self) -> Pair | None:
        """Take the newest frame that has a fresh mask, waiting for it; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._fresh() or self._finished() or self._stopped)
            if self._stopped or not self._fresh():
                return None
            frame = self._kept.popleft()
            made_from, mask = self._mask
            return frame, mask, frame.index - made_from

    def stop(self) -> None:
        """Let all threads go; what waits is dropped."""
        with self._changed:
            self._stopped = True
            self._waiting = None
            self.dropped += len(self._kept)
            self._kept.clear()
            self._changed.notify_all()

    def _fresh(self) -> bool:
        """Tell whether the oldest kept frame may be shown; `_forget` has dropped those before."""
        return bool(self._kept and self._mask and self._in_time(self._kept[0], self._mask[0]))

    def _finished(self) -> bool:
        return self._ended and self._waiting is None and self._working is None

    def _in_time(self, frame: Frame, made_from: int) -> bool:
        return frame.index <= made_from + self._lag

    def _has_a_chance(self, frame: Frame) -> bool:
        if self._mask and self._in_time(frame, self._mask[0]):
            return True
        coming = self._working
        return coming is not None and coming <= frame.index and self._in_time(frame, coming)

    def _forget(self) -> None:
        """Drop what is older than another frame that can be shown, and what no mask will reach.

        The next mask is that of the frame being worked on. What is older than that one comes too
        late, and what is too new has to wait for the mask after it, made from the newest frame.
        """
        before = len(self._kept)
        if self._mask:
            while len(self._kept) > 1 and self._in_time(self._kept[1], self._mask[0]):
                self._kept.popleft()
        last = self._kept[-1] if self._kept else None
        self._kept = deque(f for f in self._kept if f is last or self._has_a_chance(f))
        self.dropped += before - len(self._kept)
