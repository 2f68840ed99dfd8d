"""Run a Keras model as a `Segmenter` runs a file, and let either forget the frame before.

Chapters: dice loss and metrics; real-time video.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, resize

if TYPE_CHECKING:
    import keras


def forget(segment: Callable[[np.ndarray], np.ndarray]) -> None:
    """Let a segmenter forget the mask of the frame before, where it keeps one.

    Args:
        segment: anything that is called with a photo: a `Segmenter`, its `raw`, or a function,
            which has nothing to forget.
    """
    keeper = getattr(segment, "__self__", segment)
    if getattr(keeper, "remembers", False):
        keeper.reset()


def keras_segmenter(
    model: "keras.Model", channel: int | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from photo to mask that runs a Keras model as a `Segmenter` runs a file.

    A network can thus be scored with `seglib.evaluation.evaluate` before it is converted.

    Args:
        model: from (batch, H, W, 3), 0..255, to probabilities (batch, h, w, C). One that reads the
            mask of the frame before gets an empty one at every call.
        channel: which output channel is the mask. Needed where there are several.

    Raises:
        SeglibError: there is no such channel, or it has to be chosen.
    """
    size, count = model.inputs[0].shape[1:3], model.output_shape[-1]
    others = {e.name: np.zeros((1, *e.shape[1:]), np.float32) for e in model.inputs[1:]}
    if (channel is None and count > 1) or not 0 <= (channel or 0) < count:
        raise SeglibError(
            f"the network has {count} output channels; choose one with channel=0 to "
            f"{count - 1} (--channel on the command line)"
        )

    def segment(photo: np.ndarray) -> np.ndarray:
        image = resize(as_image(photo, "photo"), size).astype(np.float32)
        given = {"image": image[None], **others} if others else image[None]
        mask = np.asarray(model(given, training=False), np.float32)[0, ..., channel or 0]
        return resize(mask, photo.shape[:2]).clip(0, 1)

    return segment
