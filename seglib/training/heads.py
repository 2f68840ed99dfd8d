"""What training adds to a network or takes from it: more masks to learn from, layers held still.

Chapter: training on Colab.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras import KerasTensor, layers

from seglib.errors import SeglibError

# How every network of the zoo names what shrinks the picture.
ENCODER = ("stem", "block", "stage")


@contextmanager
def frozen(model: keras.Model, which: str) -> Iterator[None]:
    """Hold an encoder's layers still inside the block.

    A frozen BatchNorm also keeps its statistics and uses them, as it would in inference.

    Args:
        model: a network of `seglib.models`.
        which: "none", "half" (the first half of its layers with weights) or "encoder".

    Raises:
        SeglibError: the network names no layer as the zoo's encoders do.
    """
    found = [layer for layer in model.layers if layer.weights and layer.name.startswith(ENCODER)]
    if which != "none" and not found:
        raise SeglibError(
            f"{model.name} has no encoder to freeze: no layer's name begins with "
            f"{', '.join(ENCODER)}; use freeze='none'"
        )
    held = {"none": 0, "half": len(found) // 2, "encoder": len(found)}[which]
    before = [layer.trainable for layer in found]
    try:
        for layer in found[:held]:
            layer.trainable = False
        yield
    finally:
        for layer, trainable in zip(found, before, strict=True):
            layer.trainable = trainable


def supervised(model: keras.Model, coarse: bool, auxiliary: bool) -> tuple[keras.Model, int]:
    """Return a network that shares all layers with `model` and gives more masks, as channels.

    Its channels are the mask's, with `coarse` those of up to two masks read off the last maps at
    a quarter, an eighth or a sixteenth of the input's side (Lee et al., Deeply-Supervised Nets,
    2015), and with `auxiliary` one mask of something else, read off the map that the mask itself
    is read off.

    Returns:
        The network, and how many masks of the same thing it gives.

    Raises:
        SeglibError: the network has no such maps.
    """
    labels, side = model.output_shape[-1], model.output_shape[1]
    full = model.inputs[0].shape[1]
    last = [layer for layer in model.layers if layer.weights][-1]
    source = last.input[0] if isinstance(last.input, list) else last.input
    masks = [model.output]
    if coarse:
        # Layers come in the order in which they run, so the last of a size is the decoder's.
        ends = {_side(layer.output): layer.output for layer in model.layers}
        sides = [full // part for part in (2, 4, 8, 16) if full % part == 0]
        sides = [s for s in sides if s in ends and s < source.shape[1] and side % s == 0][:2]
        if not sides:
            raise SeglibError(
                f"{model.name} has no coarser maps for deep supervision; set deep_supervision to 0"
            )
        masks += [_mask(ends[s], labels, side, f"coarse{s}") for s in sides]
    same = len(masks)
    if auxiliary:
        masks.append(_mask(source, 1, side, "auxiliary"))
    joined = layers.Concatenate(name="masks", dtype="float32")(masks)
    return keras.Model(model.input, joined, name=f"{model.name}_in_training"), same


def _side(x: KerasTensor) -> int | None:
    if isinstance(x, KerasTensor) and len(x.shape) == 4 and x.shape[1] == x.shape[2]:
        return x.shape[1]
    return None


def _mask(x: KerasTensor, channels: int, side: int, name: str) -> KerasTensor:
    x = layers.Conv2D(channels, 1, name=f"{name}_logits", dtype="float32")(x)
    if x.shape[1] != side:
        x = layers.UpSampling2D(
            side // x.shape[1], interpolation="bilinear", name=f"{name}_resize", dtype="float32"
        )(x)
    return layers.Activation("sigmoid", name=f"{name}_mask", dtype="float32")(x)
