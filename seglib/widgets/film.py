"""A film in a notebook, with a play button and a slider.

Chapter: real-time video.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image
from seglib.widgets.parts import import_ipywidgets, jpeg

if TYPE_CHECKING:
    import ipywidgets


def player(frames: Sequence[np.ndarray], fps: float = 15.0) -> "ipywidgets.VBox":
    """Return a film with a play button and a slider.

    Without a running kernel, as on a page of the book, the first frame stays.

    Args:
        frames: uint8 RGB (H, W, 3), at least one.
        fps: at how many a second they are shown.

    Raises:
        SeglibError: no frames, one is not an image, `fps` is not above 0, or ipywidgets is not
            installed.

    Chapter: real-time video.
    """
    if not len(frames) or not 0 < fps <= 1000:
        raise SeglibError(
            f"{len(frames)} frames cannot be played at {fps:g} a second; both have to be above 0"
        )
    ipywidgets = import_ipywidgets()
    coded = [jpeg(as_image(frame, f"frame {i}")) for i, frame in enumerate(frames)]
    play = ipywidgets.Play(max=len(coded) - 1, interval=round(1000 / fps))
    slider = ipywidgets.IntSlider(max=len(coded) - 1, description="frame")
    picture = ipywidgets.Image(value=coded[0], format="jpeg")

    def update(_: object = None) -> None:
        picture.value = coded[slider.value]

    ipywidgets.link((play, "value"), (slider, "value"))
    slider.observe(update, names="value")
    return ipywidgets.VBox([ipywidgets.HBox([play, slider]), picture])
