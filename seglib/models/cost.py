"""What a network costs before it is trained: parameters, multiplications, activation bytes.

Chapter: MobileNet-UNet design.
"""

from dataclasses import dataclass
from math import prod

import keras
from keras import layers


@dataclass(frozen=True)
class LayerCost:
    """Cost of one layer for one image.

    Attributes:
        name: the layer's name.
        type: the layer's class, such as "Conv2D".
        shape: output shape without the batch axis.
        params: weights, BatchNorm's moving statistics included (Keras' own total).
        macs: multiply-accumulates of convolutions and dense layers; 0 for all others.
        bytes: float32 bytes of the output.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    params: int
    macs: int
    bytes: int


@dataclass(frozen=True)
class Cost:
    """Cost of a network: its layers in order and their sums."""

    layers: tuple[LayerCost, ...]

    @property
    def params(self) -> int:
        """Weights of all layers."""
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def bytes(self) -> int:
        """Bytes of all activations for one image, float32."""
        return sum(layer.bytes for layer in self.layers)


def cost(model: keras.Model) -> Cost:
    """Count every layer of a functional model; (batch, height, width, channels) layers only."""
    return Cost(tuple(_layer_cost(layer) for layer in model.layers))


def _layer_cost(layer: layers.Layer) -> LayerCost:
    shape = tuple(layer.output.shape[1:])
    return LayerCost(
        name=layer.name,
        type=type(layer).__name__,
        shape=shape,
        params=layer.count_params(),
        macs=_macs(layer, shape),
        bytes=4 * prod(shape),
    )


def _macs(layer: layers.Layer, shape: tuple[int, ...]) -> int:
    if isinstance(layer, layers.DepthwiseConv2D):
        return prod(shape) * prod(layer.kernel_size)
    if isinstance(layer, layers.Conv2DTranspose):
        # Each input value meets every kernel cell once; the output's size does not matter.
        return prod(layer.input.shape[1:]) * prod(layer.kernel_size) * layer.filters
    if isinstance(layer, layers.Conv2D):
        return prod(shape) * prod(layer.kernel_size) * layer.input.shape[-1] // layer.groups
    if isinstance(layer, layers.Dense):
        return prod(shape) * layer.input.shape[-1]
    return 0
