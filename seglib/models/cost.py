"""What a network costs before it is trained: parameters, multiplications, activation bytes.

Chapter: MobileNet-UNet design.
"""

from dataclasses import dataclass
from math import prod

import keras
from keras import layers

# A GPU stores channels in slices of four values (PHWC4); float16 takes two bytes each.
SLICE = 4
HALF = 2


@dataclass(frozen=True)
class LayerCost:
    """Cost of one call of one layer for one image.

    Attributes:
        name: the layer's name; the second call of a shared layer is "NAME/2", the third "NAME/3".
        type: the layer's class, such as "Conv2D".
        shape: output shape without the batch axis.
        params: weights, BatchNorm's moving statistics included (Keras' own total); a shared layer
            counts them at its first call.
        macs: multiply-accumulates of convolutions and dense layers; 0 for all others.
        bytes: float32 bytes of the output.
        gpu_bytes: bytes of the output on a GPU: float16, channels filled up to a multiple of four.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    params: int
    macs: int
    bytes: int
    gpu_bytes: int

    @property
    def padding(self) -> float:
        """Share of `gpu_bytes` that is filling: 0 for 4, 8, 12 ... channels, 0.75 for one."""
        return 1 - prod(self.shape) * HALF / self.gpu_bytes


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

    @property
    def gpu_bytes(self) -> int:
        """Bytes of all activations for one image on a GPU, see `LayerCost.gpu_bytes`."""
        return sum(layer.gpu_bytes for layer in self.layers)

    @property
    def padding(self) -> float:
        """Share of `gpu_bytes` that is filling."""
        useful = sum(prod(layer.shape) for layer in self.layers) * HALF
        return 1 - useful / self.gpu_bytes if self.gpu_bytes else 0.0


def cost(model: keras.Model) -> Cost:
    """Count every call of every layer of a functional model, channels last, of a fixed size.

    Convolutions are counted as run: dilation costs nothing, groups divide, and a transposed
    convolution multiplies each input value with every cell of its kernel.
    """
    own = _nodes(model)
    found = []
    for layer in model.layers:
        # A layer used in several models or several times has a node for each use.
        calls = [node for node in layer._inbound_nodes if id(node) in own]
        for number, node in enumerate(calls, start=1):
            source = tuple(node.input_tensors[0].shape[1:]) if node.input_tensors else ()
            shape = tuple(node.output_tensors[0].shape[1:])
            found.append(
                LayerCost(
                    name=layer.name if number == 1 else f"{layer.name}/{number}",
                    type=type(layer).__name__,
                    shape=shape,
                    params=layer.count_params() if number == 1 else 0,
                    macs=_macs(layer, source, shape),
                    bytes=4 * prod(shape),
                    gpu_bytes=prod(shape[:-1]) * -(-shape[-1] // SLICE) * SLICE * HALF,
                )
            )
    return Cost(tuple(found))


def _nodes(model: keras.Model) -> set[int]:
    functional = getattr(model, "_functional", None) or model
    return {id(node) for nodes in functional._nodes_by_depth.values() for node in nodes}


def _macs(layer: layers.Layer, source: tuple[int, ...], shape: tuple[int, ...]) -> int:
    if isinstance(layer, layers.DepthwiseConv2D):
        return prod(shape) * prod(layer.kernel_size)
    if isinstance(layer, layers.SeparableConv2D):
        middle = prod(shape[:2]) * source[-1] * layer.depth_multiplier
        return middle * (prod(layer.kernel_size) + layer.filters)
    if isinstance(layer, layers.Conv2DTranspose):
        # Each input value meets every kernel cell once; the output's size does not matter.
        return prod(source) * prod(layer.kernel_size) * layer.filters
    if isinstance(layer, layers.Conv2D):
        return prod(shape) * prod(layer.kernel_size) * source[-1] // layer.groups
    if isinstance(layer, layers.Dense):
        return prod(shape) * source[-1]
    return 0
