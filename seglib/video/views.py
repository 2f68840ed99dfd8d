"""Frames to look at while they come: a window on the screen, a picture in a notebook."""

import contextlib
import os
import subprocess
import sys
from time import monotonic

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, resize
from seglib.video.sources import checked_rate


class Window:
    """A window on the screen; the key q, Escape or closing it ends the run."""

    def __init__(self, title: str = "seglib") -> None:
        """Open nothing yet: the first picture does."""
        if not has_display():
            raise SeglibError(
                "there is no display for a window here; write a video file instead (--output)"
            )
        self._title = title
        self._open = False

    def write(self, picture: np.ndarray, time: float | None = None) -> bool:
        """Show a picture; False once the user has had enough."""
        if self._open and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            return False
        if not self._open:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL)
            cv2.resizeWindow(self._title, picture.shape[1], picture.shape[0])
            self._open = True
        picture = as_image(picture, "frame")
        cv2.imshow(self._title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF not in (ord("q"), 27)

    def close(self) -> None:
        """Close the window."""
        if self._open:
            self._open = False
            with contextlib.suppress(cv2.error):
                cv2.destroyWindow(self._title)

    abort = close


class NotebookView:
    """A picture in a notebook that changes as frames come; interrupting the kernel ends the run.

    Without a running kernel, as on a page of the book, the last picture stays.
    """

    def __init__(self, width: int = 480, fps: float = 15.0) -> None:
        """Prepare a view.

        Args:
            width: of the picture on the page, in pixels; wider frames are reduced to it.
            fps: how often the picture changes at most, so that the connection keeps up.
        """
        try:
            import ipywidgets
        except ImportError as error:
            raise SeglibError("the view needs ipywidgets; run pip install ipywidgets") from error
        if width < 1:
            raise SeglibError(f"the view's width is {width}; give 1 pixel or more")
        self._width, self._pause = width, 1 / checked_rate(fps)
        self._shown = -1e9
        self._displayed = False
        self.widget = ipywidgets.Image(format="jpeg")

    def write(self, picture: np.ndarray, time: float | None = None) -> bool:
        """Show a picture, or skip it where the one before is too recent."""
        now = monotonic()
        if now - self._shown < self._pause:
            return True
        picture = as_image(picture, "frame")
        self._shown = now
        if picture.shape[1] > self._width:
            height = max(1, round(picture.shape[0] * self._width / picture.shape[1]))
            picture = resize(picture, (height, self._width))
        coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        self.widget.value = coded.tobytes()
        if not self._displayed:
            from IPython.display import display

            self._displayed = True
            display(self.widget)
        return True

    def close(self) -> None:
        """Leave the last picture."""

    abort = close


def has_display() -> bool:
    """Tell whether a window can be opened here."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return False
    # Asked in another process: Qt ends the whole process where the display does not answer.
    code = "import cv2; cv2.namedWindow('seglib'); cv2.destroyAllWindows()"
    try:
        asked = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
