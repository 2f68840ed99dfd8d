"""What a training lowers and what it measures: losses, more masks to learn from, IoU, BatchNorm.

Chapter: training on Colab.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from seglib import losses
from seglib.data.batches import Batches
from seglib.errors import SeglibError
from seglib.training.config import TrainConfig

# How every network of seglib names what shrinks the image.
ENCODER = ("stem", "block", "stage")


def check_fit(model: keras.Model, x: np.ndarray | dict, y: np.ndarray, second: bool) -> None:
    """Refuse a network and a batch that do not belong together, before a step is taken.

    With a `second` mask the targets have one channel more than the network.
    """
    given = [array.shape[1:] for array in (x.values() if isinstance(x, dict) else (x,))]
    taken, shape = [entry.shape[1:] for entry in model.inputs], model.output_shape
    if taken != given or not isinstance(shape, tuple) or len(shape) != 4 or y.shape[1] % shape[1]:
        raise SeglibError(
            f"{model.name} makes {shape} of {taken}, and the batches hold {given} and masks of "
            f"{y.shape[1:]}; fit needs networks with one output, and batches of their input's size"
        )
    if y.shape[-1] != shape[-1] + second:
        raise SeglibError(
            f"{model.name} needs targets with {shape[-1] + second} channels, one for each of its "
            f"masks{' and the second one' if second else ''}; these batches have {y.shape[-1]}"
        )
    found = ops.convert_to_numpy(ops.cast(model(x, training=False), "float32"))
    if not (found.min() >= 0 and found.max() <= 1):
        raise SeglibError(
            f"{model.name} gives values from {found.min():.3g} to {found.max():.3g}, which are no "
            "probabilities; end it in a sigmoid"
        )


def make_loss(train: Batches, config: TrainConfig, channels: int, masks: int) -> losses.Loss:
    """Return the loss of a network that gives `masks` masks of `channels` channels, finest first.

    The masks of `train` are counted where `config.positive_weight` is 0.
    """
    plain = losses.get(config.loss)
    if config.positive_weight != 1:
        weight = config.positive_weight or background_per_pixel(train)
        plain = partial(_balanced, weight=weight, dice=config.loss == "dice_bce")
    second = losses.auxiliary_loss(plain)
    # Two coarser masks weigh `deep_supervision` and half of it.
    weights = [1.0, config.deep_supervision, config.deep_supervision / 2][:masks]

    def loss(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        y_true = averaged_down(y_true, y_pred.shape[1])
        target = y_true[..., :channels]
        parts = [y_pred[..., i * channels : (i + 1) * channels] for i in range(masks)]
        total = sum(w * plain(target, part) for w, part in zip(weights, parts, strict=True))
        if config.auxiliary:
            total = total + config.auxiliary * second(y_true, y_pred)
        # One number in a list: a bare one is not shared out between TensorFlow's replicas, whose
        # gradients would then add up to as many times the right ones.
        return ops.reshape(total, (1,))

    return loss


def _balanced(y_true: KerasTensor, y_pred: KerasTensor, weight: float, dice: bool) -> KerasTensor:
    bce = losses.bce_loss(y_true, y_pred, weight)
    return 0.5 * (losses.dice_loss(y_true, y_pred) + bce) if dice else bce


def background_per_pixel(train: Batches, batches: int = 20) -> float:
    """Return how many known background pixels there are for each pixel of the foreground.

    At most `batches` are looked at, from the present epoch's first one on.
    """
    foreground = background = 0.0
    for index in range(min(batches, len(train))):
        y = train[index][1]
        foreground += float(np.maximum(y, 0).sum())
        background += float(np.where(y >= 0, 1 - y, 0).sum())
    if not foreground:
        raise SeglibError("the masks mark nothing, so there is no weight to balance them by")
    return background / foreground


@contextmanager
def frozen(model: keras.Model, which: str) -> Iterator[None]:
    """Hold an encoder's layers still inside the block: "none", its first "half", or "encoder".

    A frozen BatchNorm also keeps its statistics and uses them, as it would in inference.
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


def auxiliary_heads(model: keras.Model, coarse: bool, second: bool) -> tuple[keras.Model, int]:
    """Return a network that shares all layers with `model` and gives more masks, as channels.

    Its channels are the mask's, with `coarse` those of up to two masks read off the last maps at
    a quarter, an eighth or a sixteenth of the input's side (Lee et al., Deeply-Supervised Nets,
    2015), and with `second` one mask of something else, read off the map that the mask itself is
    read off. Also returned is how many masks of the same kind it gives.
    """
    labels, side = model.output_shape[-1], model.output_shape[1]
    full = model.inputs[0].shape[1]
    last = [layer for layer in model.layers if layer.weights][-1]
    source = last.input[0] if isinstance(last.input, list) else last.input
    masks = [model.output]
    if coarse:
        # Layers come in the order in which they run, so the last of a size is the decoder's.
        maps = [layer.output for layer in model.layers if isinstance(layer.output, KerasTensor)]
        ends = {x.shape[1]: x for x in maps if len(x.shape) == 4 and x.shape[1] == x.shape[2]}
        sides = [full // part for part in (2, 4, 8, 16) if full % part == 0]
        sides = [s for s in sides if s in ends and s < source.shape[1] and side % s == 0][:2]
        if not sides:
            raise SeglibError(
                f"{model.name} has no coarser maps for deep supervision; set deep_supervision to 0"
            )
        masks += [_head(ends[s], labels, side, f"coarse{s}") for s in sides]
    same = len(masks)
    if second:
        masks.append(_head(source, 1, side, "auxiliary"))
    joined = layers.Concatenate(name="masks", dtype="float32")(masks)
    return keras.Model(model.input, joined, name=f"{model.name}_in_training"), same


def _head(x: KerasTensor, channels: int, side: int, name: str) -> KerasTensor:
    x = layers.Conv2D(channels, 1, name=f"{name}_logits", dtype="float32")(x)
    if x.shape[1] != side:
        options = {"interpolation": "bilinear", "name": f"{name}_resize", "dtype": "float32"}
        x = layers.UpSampling2D(side // x.shape[1], **options)(x)
    return layers.Activation("sigmoid", name=f"{name}_mask", dtype="float32")(x)


class MeanIoU(keras.metrics.Mean):
    """Mean IoU per image and channel at threshold 0.5.

    Images without a known mask are left out. Targets larger than the masks are averaged down, and
    channels that only training adds are left out.

    Args:
        channel: the output channel to score; None averages all.
        name: the name in logs.
        channels: how many channels are scored at most; None takes all.
    """

    def __init__(
        self, channel: int | None = None, name: str = "iou", channels: int | None = None
    ) -> None:
        super().__init__(name=name)
        self.chosen = slice(0, channels) if channel is None else slice(channel, channel + 1)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Add a batch; both are (batch, height, width, channels), targets below 0 unknown."""
        y_pred = y_pred[..., self.chosen]
        y_true = averaged_down(y_true[..., self.chosen], y_pred.shape[1])
        known = y_true >= 0
        truth = ops.cast(y_true >= 0.5, "float32")
        mask = ops.cast(ops.logical_and(y_pred >= 0.5, known), "float32")
        both, either = (ops.sum(part, (1, 2)) for part in (truth * mask, ops.maximum(truth, mask)))
        # Two empty masks agree, as in seglib.metrics.
        score = ops.where(either > 0, both / ops.maximum(either, 1.0), 1.0)
        super().update_state(score, ops.cast(ops.any(known, (1, 2)), "float32"))


def averaged_down(y_true: KerasTensor, side: int) -> KerasTensor:
    """Return targets at a network's output side; an average over any unknown pixel is unknown."""
    factor = y_true.shape[1] // side
    if factor == 1:
        return y_true
    y_true = ops.cast(y_true, "float32")
    lowest = -ops.max_pool(-y_true, factor)
    return ops.where(lowest < 0, -1.0, ops.average_pool(ops.maximum(y_true, 0.0), factor))


def reestimate_batchnorm(model: keras.Model, batches: Batches, steps: int = 60) -> None:
    """Estimate BatchNorm's moving statistics anew, as plain means over `steps` batches.

    During training they trail weights that keep changing; for a network trained from scratch the
    lag can cost a fifth of the IoU. The weights stay as they are, and so do frozen layers.
    """
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    norms = [norm for norm in norms if norm.trainable]
    momenta = [norm.momentum for norm in norms]
    try:
        for step in range(steps):
            # The k-th batch weighs 1/k: after the last one every batch weighs the same.
            for norm in norms:
                norm.momentum = step / (step + 1)
            model(batches[step % len(batches)][0], training=True)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
