"""What training measures on the way: the IoU of the log, and BatchNorm's statistics at its end.

Chapter: training on Colab.
"""

import keras
from keras import KerasTensor, ops

from seglib.data.batches import Batches


class MeanIoU(keras.metrics.Metric):
    """Mean IoU per picture and channel at threshold 0.5.

    Pictures without a known mask are left out. Targets larger than the masks are averaged down, and
    channels that only training adds are left out.

    Args:
        channel: the output channel to score; None averages all.
        name: the name in logs.
        channels: how many channels are scored at most; None takes all.
    """

    def __init__(
        self,
        channel: int | None = None,
        name: str = "iou",
        channels: int | None = None,
        **options,
    ) -> None:
        super().__init__(name=name, **options)
        self.channel = channel
        self.channels = channels
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Add a batch; both are (batch, height, width, channels), targets below 0 unknown."""
        y_true, y_pred = y_true[..., : self.channels], y_pred[..., : self.channels]
        if self.channel is not None:
            y_true, y_pred = (y[..., self.channel : self.channel + 1] for y in (y_true, y_pred))
        y_true = averaged_down(y_true, y_pred.shape[1])
        known = y_true >= 0
        truth = ops.cast(y_true >= 0.5, "float32")
        mask = ops.cast(ops.logical_and(y_pred >= 0.5, known), "float32")
        both = ops.sum(truth * mask, (1, 2))
        either = ops.sum(ops.maximum(truth, mask), (1, 2))
        # Two empty masks agree, as in seglib.metrics.
        score = ops.where(either > 0, both / ops.maximum(either, 1.0), 1.0)
        counts = ops.cast(ops.any(known, (1, 2)), "float32")
        self.total.assign_add(ops.sum(score * counts))
        self.count.assign_add(ops.sum(counts))

    def result(self):
        """Return the mean so far, 0 before the first picture."""
        return self.total / ops.maximum(self.count, 1.0)


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
    norms = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
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
