"""How the learning rate runs over a training.

* "cosine": a straight rise from 1 % of the highest rate during `warmup`, then half a cosine down to
  1 % (Loshchilov and Hutter, 2017).
* "one_cycle": half a cosine up from 1/25 during `warmup` (give it 0.3), half a cosine down to
  1/10000 (Smith, 2018, without its cycle of the momentum).
* "drops": the highest rate until half of the steps, a tenth until 75 %, a hundredth until 90 %, a
  thousandth to the end, as mobile-semantic-segmentation trained in 2017.
* "plateau": the highest rate, halved after `plateau_patience` epochs without a lower validation
  loss, down to 1 %.
* "constant".

All but "plateau" follow from the number of the step alone; "plateau" follows from the log alone.
So nothing has to be stored for a stopped run to go on at the right rate.

Chapter: training on Colab.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import keras
from keras import KerasTensor, ops

from seglib.training.config import TrainConfig

# Changes of the loss smaller than this are chance.
_LOWER = 1e-4


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Half a cosine from `peak / 25` up to `peak`, and half a cosine down to `peak / 10000`.

    Args:
        peak: the highest rate.
        steps: steps of the whole training.
        rise: steps until the highest rate.
    """

    def __init__(self, peak: float, steps: int, rise: int) -> None:
        self.peak, self.steps, self.rise = peak, steps, rise

    def __call__(self, step: int | KerasTensor) -> KerasTensor:
        """Return the rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        up = _half_cosine(self.peak / 25, self.peak, step / max(1, self.rise))
        part = (step - self.rise) / max(1, self.steps - self.rise)
        return ops.where(step < self.rise, up, _half_cosine(self.peak, self.peak / 1e4, part))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"peak": self.peak, "steps": self.steps, "rise": self.rise}


def _half_cosine(start: float, end: float, part: KerasTensor) -> KerasTensor:
    return end + (start - end) * 0.5 * (1 + ops.cos(math.pi * ops.clip(part, 0, 1)))


def learning_rate(
    config: TrainConfig, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return what an optimizer takes as its rate for a training of `steps` steps in all.

    "plateau" and "constant" give a number; the former's later ones come from `plateau`.
    """
    top, rise = config.learning_rate, int(config.warmup * steps)
    if config.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=top / 100 if rise else top,
            decay_steps=max(1, steps - rise),
            alpha=0.01,
            warmup_target=top if rise else None,
            warmup_steps=rise,
        )
    if config.schedule == "one_cycle":
        return OneCycle(top, steps, rise)
    if config.schedule == "drops":
        edges = [round(steps * part) for part in (0.5, 0.75, 0.9)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(
            edges, [top, top / 10, top / 100, top / 1000]
        )
    return top


def plateau(config: TrainConfig, rows: Iterable[Mapping[str, float]]) -> float:
    """Return the rate of "plateau" after the epochs in `rows`."""
    rate, best, waited = config.learning_rate, math.inf, 0
    for row in rows:
        loss = row.get("val_loss", row["loss"])
        better = loss < best - _LOWER
        best, waited = (loss, 0) if better else (best, waited + 1)
        if waited >= config.plateau_patience:
            rate, waited = max(rate / 2, config.learning_rate / 100), 0
    return rate
