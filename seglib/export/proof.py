"""The proof before a file gets its name: what was exported runs beside its Keras model.

Every writer does this on two pictures, so a broken conversion leaves no file behind. The report on
many pictures, with what each precision may cost, is in `parity`.

Chapter: TFLite conversion.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from seglib.export.graph import Graph

if TYPE_CHECKING:
    import keras


def problem_with(
    graph: Graph,
    run: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    mean_limit: float,
    value_range: tuple[float, float] = (0, 255),
) -> str:
    """Run an export beside its Keras model and return what is wrong, or "" where nothing is.

    Args:
        graph: the traced model.
        run: the export, from uint8 images (N, H, W, 3) to masks (N, ...).
        images: uint8 (N, H, W, 3).
        mean_limit: the mean absolute difference which is still taken for rounding.
        value_range: what black and white are to the model.
    """
    expected = own_masks(graph.model, in_range(images, value_range))
    if not np.isfinite(expected).all():
        return "the Keras model itself gives NaN or infinite values"
    masks = run(images)
    return difference(masks, expected) or _too_far(
        masks.reshape(expected.shape), expected, mean_limit
    )


def own_masks(model: "keras.Model", images: np.ndarray) -> np.ndarray:
    """Return a Keras model's masks (N, H, W, C) of images (N, H, W, 3) in its own range.

    To a model that reads the mask of the frame before, the images are a film: the first one comes
    with an empty mask, each of the others with the model's own mask of the one before.
    """
    if len(model.inputs) == 1:
        return np.asarray(model(images, training=False))
    masks = [np.zeros((1, *model.inputs[1].shape[1:]), np.float32)]
    for image in images:
        inputs = {"image": image[None], "previous": masks[-1]}
        masks.append(np.asarray(model(inputs, training=False)))
    return np.concatenate(masks[1:])


def difference(masks: np.ndarray, expected: np.ndarray) -> str:
    """Return how masks differ from the expected ones beyond any rounding, or "".

    Looks for another number of values, NaN or infinity, and one value everywhere.
    """
    if masks.size != expected.size:
        return f"shape {masks.shape} where the Keras model gives {expected.shape}"
    if not np.isfinite(masks).all():
        return "NaN or infinite values"
    # A net that is not trained yet may be flat to within one int8 step: that is not the export's.
    if np.ptp(masks) == 0 and np.ptp(expected) > 0.05:
        return "the same value everywhere"
    return ""


def in_range(images: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Return uint8 images as float32 from `value_range[0]` (black) to `value_range[1]` (white)."""
    low, high = value_range
    return (images.astype(np.float32) * ((high - low) / 255) + low).astype(np.float32)


def probe_images(input_shape: tuple[int, int, int]) -> np.ndarray:
    """Return two uint8 images (2, H, W, 3), unlike in every direction, to try an export on."""
    height, width, _ = input_shape
    rows, columns = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    ramp = np.stack([rows + 0 * columns, columns + 0 * rows, rows * columns], axis=-1)
    disc = (rows - 0.3) ** 2 + (columns - 0.6) ** 2 < 0.06
    return (np.stack([ramp, np.where(disc[..., None], 1 - ramp, ramp / 2)]) * 255).astype(np.uint8)


def _too_far(masks: np.ndarray, expected: np.ndarray, mean_limit: float) -> str:
    mean = float(np.abs(masks - expected).mean())
    if mean <= mean_limit:
        return ""
    return f"mean difference {mean:.3g} to the Keras model, allowed {mean_limit:.3g}"
