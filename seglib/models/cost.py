"""What a network costs before it is trained: parameters, multiplications, activation bytes.

Chapter: MobileNet-UNet design.
"""

from dataclasses import dataclass, replace
from math import prod

import keras
from keras import layers

from seglib.errors import SeglibError


@dataclass(frozen=True)
class LayerCost:
    """Cost of one call of one layer for one image.

    Attributes:
        name: the layer's name; the second call of a shared layer is "NAME/2", the third "NAME/3".
        type: the layer's class, such as "Conv2D".
        shape: output shape without the batch axis.
        params: parameters, BatchNorm's moving statistics included (Keras' own total); a shared
            layer counts them at its first call.
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
    """Cost of a network for one image: the sums over its layers, and the layers in order."""

    params: int
    macs: int
    bytes: int
    layers: tuple[LayerCost, ...]


def cost(model: keras.Model) -> Cost:
    """Count every call of every layer of a functional model, channels last, of a fixed size.

    Convolutions are counted as run: dilation costs nothing, groups divide, and a transposed
    convolution multiplies each input value with every cell of its kernel. The layers of a model
    inside the model are named "INNER/LAYER".
    """
    functional = getattr(model, "_functional", None) or model
    fixed = all(None not in entry.shape[1:] for entry in model.inputs)
    if not hasattr(functional, "_nodes_by_depth") or not fixed:
        raise SeglibError(
            f"{model.name} is no functional model of a fixed size, so its layers cannot be counted"
        )
    own = {id(node) for nodes in functional._nodes_by_depth.values() for node in nodes}
    found = []
    for layer in model.layers:
        # A layer used in several models or several times has a node for each use.
        calls = [node for node in layer._inbound_nodes if id(node) in own]
        for number, node in enumerate(calls, start=1):
            name = layer.name if number == 1 else f"{layer.name}/{number}"
            source = tuple(node.input_tensors[0].shape[1:]) if node.input_tensors else ()
            shape = tuple(node.output_tensors[0].shape[1:])
            first = number == 1
            if isinstance(layer, keras.Model):
                for row in cost(layer).layers:
                    if row.type != "InputLayer":  # which is no map of its own
                        params = row.params if first else 0
                        found.append(replace(row, name=f"{name}/{row.name}", params=params))
                continue
            params, macs = layer.count_params() if first else 0, _macs(layer, source, shape)
            found.append(
                LayerCost(name, type(layer).__name__, shape, params, macs, 4 * prod(shape))
            )
    sums = (sum(getattr(row, name) for row in found) for name in ("params", "macs", "bytes"))
    return Cost(*sums, tuple(found))


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
