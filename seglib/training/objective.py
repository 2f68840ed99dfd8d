"""The number that a training lowers: a loss, the weight of its classes, and more masks' losses.

Chapter: training on Colab.
"""

from functools import partial

import numpy as np
from keras import KerasTensor, ops

from seglib import losses
from seglib.data.batches import Batches
from seglib.errors import SeglibError
from seglib.training.config import TrainConfig
from seglib.training.measures import averaged_down


def objective(train: Batches, config: TrainConfig, channels: int, masks: int) -> losses.Loss:
    """Return the loss of a network that `seglib.training.heads.supervised` may have added to.

    Args:
        train: whose masks are counted where `config.positive_weight` is 0.
        config: how the network is trained.
        channels: those of its mask.
        masks: how many masks of the same thing it gives, finest first.

    Raises:
        SeglibError: an auxiliary mask has no target in the batches.
    """
    plain = losses.get(config.loss)
    if config.positive_weight != 1:
        plain = _balanced(config.loss, config.positive_weight or background_per_pixel(train))
    extra = losses.auxiliary_loss(plain)
    found = train[0][1].shape[-1]
    if config.auxiliary and found != channels + 1:
        raise SeglibError(
            f"auxiliary needs targets with {channels + 1} channels, the mask's and then the second "
            f"one's; these batches have {found}"
        )
    # Two coarser masks weigh `deep_supervision` and half of it.
    weights = [1.0, config.deep_supervision, config.deep_supervision / 2][:masks]

    def loss(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        # Sums of pixels leave the range of float16, and its numbers near 1 are coarse.
        y_pred = ops.cast(y_pred, "float32")
        y_true = averaged_down(y_true, y_pred.shape[1])
        target = y_true[..., :channels]
        parts = [y_pred[..., i * channels : (i + 1) * channels] for i in range(masks)]
        total = sum(w * plain(target, part) for w, part in zip(weights, parts, strict=True))
        if config.auxiliary:
            total = total + config.auxiliary * extra(y_true, y_pred)
        # One number in a list: a bare one is not shared out between TensorFlow's replicas, whose
        # gradients would then add up to as many times the right ones.
        return ops.reshape(total, (1,))

    return loss


def _balanced(name: str, weight: float) -> losses.Loss:
    bce = partial(losses.bce_loss, positive_weight=weight)
    if name == "bce":
        return bce
    return lambda y_true, y_pred: 0.5 * (losses.dice_loss(y_true, y_pred) + bce(y_true, y_pred))


def background_per_pixel(train: Batches, batches: int = 20) -> float:
    """Return how many known background pixels there are for each pixel of the thing.

    Args:
        train: looked at from its present epoch's first batch on.
        batches: how many of them, at most.

    Raises:
        SeglibError: no pixel of the thing was seen.
    """
    thing = background = 0.0
    for index in range(min(batches, len(train))):
        y = train[index][1]
        thing += float(np.maximum(y, 0).sum())
        background += float(np.where(y >= 0, 1 - y, 0).sum())
    if not thing:
        raise SeglibError("the masks mark nothing, so there is no weight to balance them by")
    return background / thing
