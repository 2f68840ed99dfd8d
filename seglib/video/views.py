"""Frames to look at while they come: a window on the screen, a picture in a notebook.

Chapter: real-time video.
"""

import contextlib
import io
import os
import subprocess
import sys
from time import monotonic

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import resize
from seglib.video.frames import checked_rate


class Window:
    """A window on the screen; the key q, Escape or closing it ends the run.

    Chapter: real-time video.
    """

    def __init__(self, title: str = "seglib") -> None:
        """Open nothing yet: the first picture does.

        Raises:
            SeglibError: there is no display, or OpenCV was built without windows.
        """
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
        cv2.imshow(self._title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF not in (ord("q"), 27)

    def close(self) -> None:
        """Close the window."""
        if self._open:
            self._open = False
            with contextlib.suppress(cv2.error):
                cv2.destroyWindow(self._title)

    def abort(self) -> None:
        """Close the window."""
        self.close()


class NotebookView:
    """A picture in a notebook that changes as frames come; interrupting the kernel ends the run.

    Without a running kernel, as on a page of the book, the last picture stays. Chapter: real-time
    video.
    """

    def __init__(self, width: int = 480, fps: float = 15.0) -> None:
        """Prepare a view.

        Args:
            width: of the picture on the page, in pixels; wider frames are reduced to it.
            fps: how often the picture changes at most, so that the connection keeps up.

        Raises:
            SeglibError: ipywidgets is not installed, or a number is not positive.
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
        self._shown = now
        if picture.shape[1] > self._width:
            height = max(1, round(picture.shape[0] * self._width / picture.shape[1]))
            picture = resize(picture, (height, self._width))
        self.widget.value = _jpeg(picture)
        if not self._displayed:
            from IPython.display import display

            self._displayed = True
            display(self.widget)
        return True

    def close(self) -> None:
        """Leave the last picture."""

    def abort(self) -> None:
        """Leave the last picture."""


def has_display() -> bool:
    """Tell whether a window can be opened here. Chapter: real-time video."""
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


def _jpeg(picture: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
