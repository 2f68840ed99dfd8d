"""How a network is trained: one frozen description, ready ones by name, and how the rate runs.

Chapter: training on Colab.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import KerasTensor, ops

from seglib import losses
from seglib.errors import SeglibError, check_types

OPTIMIZERS = ("adamw", "adam", "sgd", "rmsprop")
SCHEDULES = ("cosine", "one_cycle", "drops", "plateau", "constant")
FREEZES = ("none", "half", "encoder")
# What may change from one start of a run to the next: the curve stays the same.
FREE = ("tensorboard",)


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        epochs: passes over the data.
        learning_rate: the highest rate.
        warmup: fraction of all steps during which the rate of "cosine" and "one_cycle" rises.
        weight_decay: decay of weights in each step, times the rate and apart from the gradient.
        loss: a name in `seglib.losses.LOSSES`, such as "dice" or "dice_bce".
        patience: epochs without a better validation IoU before stopping; 0 never stops.
        bn_batches: batches over which BatchNorm's statistics are estimated anew after training;
            0 keeps those of the last steps.
        seed: start of the initial weights' and dropout's chance.
        tensorboard: also write TensorBoard logs (needs the `tensorboard` package).
        optimizer: "adamw", "adam", "sgd" (Nesterov momentum 0.9) or "rmsprop".
        schedule: how the rate runs: "cosine", "one_cycle", "drops", "plateau" or "constant"; see
            `learning_rate` and `plateau` in this module.
        plateau_patience: epochs without a lower loss before "plateau" halves the rate.
        freeze: encoder layers that keep their weights: "none", "half" (the first ones) or
            "encoder" (all).
        ema: momentum of a running mean of the weights, such as 0.99, which is then validated and
            kept; 0 keeps the weights themselves.
        clip: largest norm of all gradients together; longer ones are shortened. 0 clips nothing.
        positive_weight: how much more a pixel of the foreground counts in "bce" and "dice_bce"; 0
            measures how many background pixels there are for each.
        deep_supervision: weight of masks read off the decoder's coarser maps in training; 0 reads
            none.
        auxiliary: weight of a second mask, learnt from the targets' last channel in training, such
            as the face's beside the hair's; 0 learns none.
    """

    epochs: int = 30
    learning_rate: float = 3e-3
    warmup: float = 0.05
    weight_decay: float = 1e-4
    loss: str = "dice_bce"
    patience: int = 0
    bn_batches: int = 60
    seed: int = 0
    tensorboard: bool = False
    optimizer: str = "adamw"
    schedule: str = "cosine"
    plateau_patience: int = 3
    freeze: str = "none"
    ema: float = 0.0
    clip: float = 0.0
    positive_weight: float = 1.0
    deep_supervision: float = 0.0
    auxiliary: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        losses.get(self.loss)
        not_negative = ("weight_decay", "patience", "bn_batches", "seed", "clip")
        not_negative += ("positive_weight", "deep_supervision", "auxiliary")
        for good, name, hint in (
            (self.epochs >= 1, "epochs", "1 or more"),
            (self.learning_rate > 0, "learning_rate", "a number above 0"),
            (0 <= self.warmup < 1, "warmup", "a number from 0 to below 1"),
            (0 <= self.ema < 1, "ema", "a number from 0 to below 1"),
            (self.plateau_patience >= 1, "plateau_patience", "1 or more"),
            (self.optimizer in OPTIMIZERS, "optimizer", f"one of {', '.join(OPTIMIZERS)}"),
            (self.schedule in SCHEDULES, "schedule", f"one of {', '.join(SCHEDULES)}"),
            (self.freeze in FREEZES, "freeze", f"one of {', '.join(FREEZES)}"),
            *((getattr(self, name) >= 0, name, "0 or more") for name in not_negative),
            (
                self.positive_weight == 1 or self.loss in ("bce", "dice_bce"),
                "positive_weight",
                f"1, since it does nothing for the loss {self.loss}, or bce or dice_bce",
            ),
        ):
            if not good:
                value = getattr(self, name)
                raise SeglibError(f"TrainConfig's {name} is {value!r}; use {hint}")


def make_optimizer(config: TrainConfig, steps: int) -> keras.optimizers.Optimizer:
    """Return the optimizer of a training of `steps` steps in all."""
    kinds = {"adamw": "AdamW", "adam": "Adam", "rmsprop": "RMSprop", "sgd": "SGD"}
    optimizer = getattr(keras.optimizers, kinds[config.optimizer])(
        learning_rate(config, steps),
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip or None,
        use_ema=bool(config.ema),
        ema_momentum=config.ema,
        **({"momentum": 0.9, "nesterov": True} if config.optimizer == "sgd" else {}),
    )
    # BatchNorm's and biases' few numbers must stay free to move.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def learning_rate(
    config: TrainConfig, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return what an optimizer takes as its rate for a training of `steps` steps in all.

    - "cosine": a straight rise from 1 % of the highest rate during `warmup`, then half a cosine
      down to 1 % (Loshchilov and Hutter, 2017);
    - "one_cycle": half a cosine up from 1/25 during `warmup` (give it 0.3), half a cosine down to
      1/10000 (Smith, 2018, without its cycle of the momentum);
    - "drops": the highest rate until half of the steps, a tenth until 75 %, a hundredth until 90 %,
      a thousandth to the end, as mobile-semantic-segmentation trained in 2017;
    - "plateau" and "constant" give a number; the former's later ones come from `plateau`.

    All follow from the number of the step alone, or from the log alone: nothing has to be stored
    for a stopped run to go on at the right rate.
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
        rates = [top, top / 10, top / 100, top / 1000]
        return keras.optimizers.schedules.PiecewiseConstantDecay(edges, rates)
    return top


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Half a cosine from `peak / 25` up to `peak` in `rise` steps, then half a cosine down."""

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


def plateau(config: TrainConfig, rows: Iterable[Mapping[str, float]]) -> float:
    """Return the rate of "plateau" after the epochs in `rows`.

    It is halved after `plateau_patience` epochs without a lower validation loss, down to 1 %.
    """
    rate, best, waited = config.learning_rate, math.inf, 0
    for row in rows:
        loss = row.get("val_loss", row["loss"])
        better = loss < best - 1e-4  # smaller changes are chance
        best, waited = (loss, 0) if better else (best, waited + 1)
        if waited >= config.plateau_patience:
            rate, waited = max(rate / 2, config.learning_rate / 100), 0
    return rate
