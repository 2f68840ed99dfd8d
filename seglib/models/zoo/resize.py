"""Bilinear enlargement by the two conventions that Keras has no layer for.

Enlarging n pixels to N, output pixel j reads the input at position

- j * (n - 1) / (N - 1): "corners", PyTorch's `align_corners=True`; first and last pixels meet;
- j * n / N: "tf1", TensorFlow 1's default; the picture shifts up and left by half a pixel;
- (j + 1/2) * n / N - 1/2: half-pixel centres, `UpSampling2D`, today's habit everywhere.

A network trained by one and run by another puts the mask beside the person.

Chapter: the architecture zoo.
"""

from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops

CONVENTIONS = ("corners", "tf1")


@keras.saving.register_keras_serializable(package="seglib")
class Resize(layers.Layer):
    """Enlarge (batch, height, width, channels) by a whole factor, without weights.

    Args:
        factor: how many times larger, at least 1.
        convention: "corners" or "tf1".
    """

    def __init__(self, factor: int, convention: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor, self.convention = factor, convention

    def call(self, x: KerasTensor) -> KerasTensor:
        """Mix two neighbours along the rows, then along the columns."""
        # Two neighbours are gathered rather than a matrix multiplied: the work then grows with
        # the pixels and not with their number times the side.
        for axis in (1, 2):
            low, high, share = taps(x.shape[axis], self.factor, self.convention)
            shape = [1, 1, 1, 1]
            shape[axis] = len(share)
            share = ops.reshape(ops.cast(share, x.dtype), shape)
            x = ops.take(x, low, axis=axis) * (1 - share) + ops.take(x, high, axis=axis) * share
        return x

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Height and width grow by the factor."""
        batch, height, width, channels = shape
        return batch, height * self.factor, width * self.factor, channels

    def get_config(self) -> dict[str, Any]:
        """What it takes to make the layer again."""
        return {
            **super().get_config(),
            "factor": self.factor,
            "convention": self.convention,
        }


def taps(side: int, factor: int, convention: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for every output pixel of one axis, its two input pixels and the second's share.

    Args:
        side: input pixels, n.
        factor: N = n * factor.
        convention: "corners" or "tf1".

    Returns:
        int32 (N,) indices, int32 (N,) indices, float32 (N,) shares in 0..1.
    """
    pixels = np.arange(side * factor)
    if convention == "corners":
        position = pixels * (side - 1) / max(side * factor - 1, 1)
    else:
        position = np.minimum(pixels / factor, side - 1)
    low = np.floor(position).astype("int32")
    high = np.minimum(low + 1, side - 1).astype("int32")
    return low, high, (position - low).astype("float32")
