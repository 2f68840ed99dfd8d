"""Losses on probabilities, written with `keras.ops` so that they run on every Keras backend.

Contract of every loss here: `y_true` and `y_pred` are (batch, height, width, channels), `y_pred`
holds probabilities in 0..1 (the network ends in a sigmoid), `y_true` holds 0..1 and soft values
are allowed; a pixel whose `y_true` is below 0 is unknown and counts nowhere. The result is one
number, >= 0, and 0 where a mask of zeros and ones is answered exactly, an empty mask included.

Chapter: dice loss and metrics.
"""

from collections.abc import Callable

from keras import KerasTensor, ops

from seglib.errors import SeglibError

EPSILON = 1e-6


def dice_loss(
    y_true: KerasTensor, y_pred: KerasTensor, smooth: float = 1.0, per_image: bool = True
) -> KerasTensor:
    """Return 1 - dice, where dice is ``(2 |T P| + smooth) / (|T| + |P| + smooth)``.

    Args:
        y_true: targets 0..1, below 0 where unknown.
        y_pred: probabilities 0..1.
        smooth: pixels added above and below. An empty mask answered by an empty mask then scores
            0 rather than 0/0; a large value softens the loss of small things.
        per_image: average the loss of every image and channel. Otherwise pool all pixels of a
            channel, as the hair projects of 2017 and 2020 did: large heads then outvote small ones.

    Dice as a loss: Milletari et al., V-Net, 2016.
    """
    known = ops.cast(y_true >= 0, y_pred.dtype)
    y_true = ops.cast(y_true, y_pred.dtype) * known
    y_pred = y_pred * known
    axes = (1, 2) if per_image else (0, 1, 2)
    overlap = ops.sum(y_true * y_pred, axes)
    total = ops.sum(y_true + y_pred, axes)
    loss = 1 - (2 * overlap + smooth) / (total + smooth)
    # An image without a known pixel says nothing; it must not pull the mean towards 0.
    counts = ops.cast(ops.sum(known, axes) > 0, y_pred.dtype)
    return ops.sum(loss * counts) / ops.maximum(ops.sum(counts), 1)


def bce_loss(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return the mean binary cross-entropy of the known pixels, in nats."""
    known = ops.cast(y_true >= 0, y_pred.dtype)
    y_true = ops.cast(y_true, y_pred.dtype)
    y_pred = ops.clip(y_pred, EPSILON, 1 - EPSILON)
    loss = -(y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred))
    return ops.sum(loss * known) / ops.maximum(ops.sum(known), 1)


def dice_bce_loss(y_true: KerasTensor, y_pred: KerasTensor, bce_weight: float = 0.5) -> KerasTensor:
    """Return (1 - bce_weight) * dice loss + bce_weight * binary cross-entropy.

    Dice balances small things against a large background; the cross-entropy gives every pixel a
    gradient from the first step. The mix stands in realtime-hair-segmentation (2020, 0.4 and 0.6).
    """
    return (1 - bce_weight) * dice_loss(y_true, y_pred) + bce_weight * bce_loss(y_true, y_pred)


LOSSES: dict[str, Callable[[KerasTensor, KerasTensor], KerasTensor]] = {
    "dice": dice_loss,
    "bce": bce_loss,
    "dice_bce": dice_bce_loss,
}


def get(name: str) -> Callable[[KerasTensor, KerasTensor], KerasTensor]:
    """Return the loss of that name.

    Raises:
        SeglibError: no loss has that name; the message lists those there are.
    """
    if name not in LOSSES:
        raise SeglibError(f"no loss is called {name!r}; use one of {', '.join(LOSSES)}")
    return LOSSES[name]
