"""Losses on probabilities, written with `keras.ops` so that they run on every Keras backend.

Of every loss here, `y_true` and `y_pred` are (batch, height, width, channels). `y_pred` holds
probabilities in 0..1 (the network ends in a sigmoid); `y_true` holds 0..1, soft values are allowed,
and a pixel below 0 is unknown and counts nowhere. Both may be of any type: losses are computed in
float32, since float16 overflows at 65504 pixels and cannot hold 1 - 1e-6. The result is one number,
>= 0, and 0 where a mask of zeros and ones is answered exactly, an empty mask included.

Chapter: dice loss and metrics.
"""

from collections.abc import Callable, Sequence
from functools import partial

from keras import KerasTensor, ops

from seglib.errors import SeglibError

EPSILON = 1e-6
Loss = Callable[[KerasTensor, KerasTensor], KerasTensor]


def dice_loss(
    y_true: KerasTensor,
    y_pred: KerasTensor,
    smooth: float = 1.0,
    per_image: bool = True,
    squared: bool = False,
) -> KerasTensor:
    """Return 1 - dice, where dice is ``(2 |T P| + smooth) / (|T| + |P| + smooth)``.

    Milletari et al., V-Net, 2016.

    Args:
        y_true: targets.
        y_pred: probabilities.
        smooth: pixels added above and below. An empty mask answered by an empty mask then scores
            0 rather than 0/0; a large value softens the loss of small objects.
        per_image: average the loss of every image and channel. Otherwise pool all pixels of a
            channel, as the hair projects of 2017 and 2020 did: large heads then outvote small ones.
        squared: sum squares below, as V-Net does; unsure pixels then cost less.
    """
    y_true, y_pred, valid = _valid(y_true, y_pred)
    axes = (1, 2) if per_image else (0, 1, 2)
    power = 2 if squared else 1
    overlap = ops.sum(y_true * y_pred, axes)
    total = ops.sum(y_true**power + y_pred**power, axes)
    return _mean(1 - (2 * overlap + smooth) / (total + smooth), ops.max(valid, axes))


def tversky_loss(
    y_true: KerasTensor,
    y_pred: KerasTensor,
    false_positives: float = 0.3,
    false_negatives: float = 0.7,
    smooth: float = 1.0,
) -> KerasTensor:
    """Return 1 - Tversky index: dice with a price of its own for each kind of mistake.

    The index is ``(TP + smooth) / (TP + a FP + b FN + smooth)``, a mean over images and channels.
    One half for both gives dice (with half its smooth term). A higher price on missed pixels helps
    where the foreground fills little of the frame. Salehi et al., 2017.
    """
    y_true, y_pred, valid = _valid(y_true, y_pred)
    hit = ops.sum(y_true * y_pred, (1, 2))
    wrong = ops.sum((1 - y_true) * y_pred * valid, (1, 2))
    missed = ops.sum(y_true * (1 - y_pred), (1, 2))
    index = (hit + smooth) / (hit + false_positives * wrong + false_negatives * missed + smooth)
    return _mean(1 - index, ops.max(valid, (1, 2)))


def bce_loss(y_true: KerasTensor, y_pred: KerasTensor, positive_weight: float = 1.0) -> KerasTensor:
    """Return the mean binary cross-entropy of the known pixels, in nats.

    A pixel of the foreground counts `positive_weight` times as much as one of the background.
    """
    y_true, y_pred, valid = _valid(y_true, y_pred)
    weights = valid * (1 + (positive_weight - 1) * y_true)
    return _mean(_cross_entropy(y_true, y_pred), weights)


def focal_loss(y_true: KerasTensor, y_pred: KerasTensor, gamma: float = 2.0) -> KerasTensor:
    """Return the cross-entropy times ``|target - probability| ** gamma``, a mean of known pixels.

    Pixels that are nearly right stop counting, so the edge pixels lead. 0 gives the cross-entropy.
    Lin et al., RetinaNet, 2017; the factor for soft targets is that of Li et al., 2020.
    """
    y_true, y_pred, valid = _valid(y_true, y_pred)
    # A power of exactly 0 has no gradient for exponents below 1.
    factor = ops.maximum(ops.abs(y_true - y_pred), EPSILON) ** gamma
    return _mean(factor * _cross_entropy(y_true, y_pred), valid)


def edge_bce_loss(
    y_true: KerasTensor, y_pred: KerasTensor, width: int = 3, weight: float = 4.0
) -> KerasTensor:
    """Return the cross-entropy with `weight` added to 1 within `width` pixels of the target's edge.

    The weight map is the older half of U-Net's (Ronneberger et al., 2015); PortraitNet (Zhang et
    al., 2019) supervises edges for the same reason.
    """
    y_true, y_pred, valid = _valid(y_true, y_pred)
    side = 2 * width + 1
    highest = ops.max_pool(y_true, side, strides=1, padding="same")
    lowest = -ops.max_pool(-y_true, side, strides=1, padding="same")
    weights = valid * (1 + weight * ops.stop_gradient(highest - lowest))
    return _mean(_cross_entropy(y_true, y_pred), weights)


def lovasz_hinge_loss(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return the Lovasz hinge: a convex stand-in for 1 - IoU, a mean over images and channels.

    Each pixel's hinge error is weighed by how much the IoU would fall if it and all worse pixels
    were wrong. Targets are cut at 0.5, logits are read back from the probabilities.
    Berman, Triki and Blaschko, 2018.
    """
    y_true, y_pred, valid = _valid(y_true, y_pred)
    batch, height, width, channels = ops.shape(y_pred)
    truth, p, known = (
        ops.reshape(values, (batch, height * width, channels))
        for values in (ops.cast(y_true >= 0.5, "float32"), y_pred, valid)
    )
    p = ops.clip(p, EPSILON, 1 - EPSILON)
    logit = ops.log(p) - ops.log(1 - p)
    # Unknown pixels have error 0: sorted behind all others, they add nothing.
    errors = ops.relu(1 - (2 * truth - 1) * logit) * known
    order = ops.stop_gradient(ops.argsort(-errors, axis=1))
    errors = ops.take_along_axis(errors, order, axis=1)
    truth = ops.take_along_axis(truth, order, axis=1)
    count = ops.sum(truth, axis=1, keepdims=True)
    missed, added = ops.cumsum(truth, axis=1), ops.cumsum(1 - truth, axis=1)
    jaccard = 1 - (count - missed) / ops.maximum(count + added, 1)
    steps = ops.concatenate([jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]], axis=1)
    return _mean(ops.sum(errors * ops.stop_gradient(steps), axis=1), ops.max(known, axis=1))


def dice_bce_loss(y_true: KerasTensor, y_pred: KerasTensor, bce_weight: float = 0.5) -> KerasTensor:
    """Return (1 - bce_weight) * dice loss + bce_weight * binary cross-entropy.

    Dice balances small objects against a large background; the cross-entropy gives every pixel a
    gradient from the first step. The mix stands in realtime-hair-segmentation (2020, 0.4 and 0.6).
    """
    return (1 - bce_weight) * dice_loss(y_true, y_pred) + bce_weight * bce_loss(y_true, y_pred)


def deep_supervision(
    loss: Loss, weights: Sequence[float] = (1.0, 0.4, 0.2)
) -> Callable[[KerasTensor, Sequence[KerasTensor]], KerasTensor]:
    """Return a loss for a network with several masks, finest first, each with its weight.

    The targets are averaged down to each mask's size; an average over any unknown pixel is unknown.
    Lee et al., Deeply-Supervised Nets, 2015.
    """

    def total(y_true: KerasTensor, masks: Sequence[KerasTensor]) -> KerasTensor:
        if len(masks) != len(weights):
            raise SeglibError(f"{len(masks)} masks need as many weights, not {len(weights)}")
        y_true, parts = ops.cast(y_true, "float32"), []
        for mask, weight in zip(masks, weights, strict=True):
            factor = y_true.shape[1] // mask.shape[1]
            target = ops.average_pool(ops.maximum(y_true, 0.0), factor)
            lowest = -ops.max_pool(-y_true, factor)
            parts.append(weight * loss(ops.where(lowest < 0, -1.0, target), mask))
        return sum(parts[1:], parts[0])

    return total


def auxiliary_loss(loss: Loss) -> Loss:
    """Return the loss of the last channel alone, of targets and masks that may have several.

    A second class to find while training, such as the face beside the hair, keeps a network from
    taking the one for the other; its mask is left out afterwards. Zhao et al., PSPNet, 2017, on
    auxiliary losses.
    """
    return lambda y_true, y_pred: loss(y_true[..., -1:], y_pred[..., -1:])


def _valid(y_true: KerasTensor, y_pred: KerasTensor) -> tuple[KerasTensor, ...]:
    """Return both in float32 with unknown pixels set to 0, and 1 where a pixel is known."""
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    valid = ops.cast(y_true >= 0, "float32")
    return y_true * valid, y_pred * valid, valid


def _cross_entropy(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    y_pred = ops.clip(y_pred, EPSILON, 1 - EPSILON)
    return -(y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred))


def _mean(values: KerasTensor, weights: KerasTensor) -> KerasTensor:
    """Weighted mean: an image without a known pixel must not pull it towards 0."""
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1)


LOSSES: dict[str, Loss] = {
    "dice": dice_loss,
    "dice_squared": partial(dice_loss, squared=True),
    "dice_batch": partial(dice_loss, per_image=False),
    "bce": bce_loss,
    "dice_bce": dice_bce_loss,
    "focal": focal_loss,
    "tversky": tversky_loss,
    "lovasz_hinge": lovasz_hinge_loss,
    "edge_bce": edge_bce_loss,
}


def get(name: str) -> Loss:
    """Return the loss of that name in `LOSSES`."""
    if name not in LOSSES:
        raise SeglibError(f"no loss is called {name!r}; use one of {', '.join(LOSSES)}")
    return LOSSES[name]
