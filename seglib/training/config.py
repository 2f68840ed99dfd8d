"""How a network is trained: one frozen description, and ready ones by name.

Chapter: training on Colab.
"""

from dataclasses import dataclass

from seglib import losses
from seglib.errors import SeglibError

OPTIMIZERS = ("adamw", "adam", "sgd", "rmsprop")
SCHEDULES = ("cosine", "one_cycle", "drops", "plateau", "constant")
FREEZES = ("none", "half", "encoder")
# What may change from one start of a run to the next: the curve stays the same.
FREE = ("tensorboard", "save_steps", "save_minutes")


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        epochs: passes over the data.
        learning_rate: the highest rate.
        warmup: share of all steps during which the rate of "cosine" and "one_cycle" rises.
        weight_decay: decay of weights in each step, times the rate and apart from the gradient.
        loss: a name in `seglib.losses.LOSSES`, such as "dice" or "dice_bce".
        patience: epochs without a better validation IoU before stopping; 0 never stops.
        bn_batches: batches over which BatchNorm's statistics are estimated anew after training;
            0 keeps those of the last steps.
        seed: start of the initial weights' and dropout's chance.
        tensorboard: also write TensorBoard logs (needs the `tensorboard` package).
        optimizer: "adamw", "adam", "sgd" (Nesterov momentum 0.9) or "rmsprop".
        schedule: how the rate runs: "cosine", "one_cycle", "drops", "plateau" or "constant"; see
            `seglib.training.schedules`.
        plateau_patience: epochs without a lower loss before "plateau" halves the rate.
        freeze: encoder layers that keep their weights: "none", "half" (the first ones) or
            "encoder" (all).
        ema: momentum of a running mean of the weights, such as 0.99, which is then validated and
            kept; 0 keeps the weights themselves.
        clip: largest norm of all gradients together; longer ones are shortened. 0 clips nothing.
        positive_weight: how much more a pixel of the thing counts in "bce" and "dice_bce"; 0
            measures how many background pixels there are for each.
        deep_supervision: weight of masks read off the decoder's coarser maps in training; 0 reads
            none.
        auxiliary: weight of a second mask, learnt from the targets' last channel in training, such
            as the face's beside the hair's; 0 learns none.
        save_steps: steps between checkpoints within an epoch; 0 leaves it to `save_minutes`.
        save_minutes: minutes between checkpoints within an epoch; 0 saves at its end only.
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
    save_steps: int = 0
    save_minutes: float = 5.0

    def __post_init__(self) -> None:
        losses.get(self.loss)
        if self.epochs < 1 or self.learning_rate <= 0 or not 0 <= self.warmup < 1:
            raise SeglibError(
                "TrainConfig needs epochs >= 1, learning_rate > 0 and warmup from 0 to below 1; "
                f"it has {self.epochs}, {self.learning_rate} and {self.warmup}"
            )
        for name, known in (
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("freeze", FREEZES),
        ):
            if getattr(self, name) not in known:
                raise SeglibError(
                    f"TrainConfig's {name} is {getattr(self, name)!r}; "
                    f"use one of {', '.join(known)}"
                )
        if not 0 <= self.ema < 1 or self.plateau_patience < 1:
            raise SeglibError(
                "TrainConfig needs ema from 0 to below 1 and plateau_patience >= 1; "
                f"it has {self.ema} and {self.plateau_patience}"
            )
        for name in (
            *("weight_decay", "patience", "bn_batches", "clip", "positive_weight"),
            *("deep_supervision", "auxiliary", "save_steps", "save_minutes"),
        ):
            if not getattr(self, name) >= 0:
                raise SeglibError(f"TrainConfig's {name} is {getattr(self, name)}; use 0 or more")
        if self.positive_weight != 1 and self.loss not in ("bce", "dice_bce"):
            raise SeglibError(
                f"positive_weight does nothing for the loss {self.loss}; use bce or dice_bce, "
                "or leave it at 1"
            )


RECIPES: dict[str, TrainConfig] = {
    "full": TrainConfig(),
    # The decoder learns; the encoder keeps what it brought along, BatchNorm's statistics included.
    "transfer": TrainConfig(epochs=15, learning_rate=2e-3, freeze="encoder"),
    # All but the first layers move, a little.
    "fine_tune": TrainConfig(epochs=15, learning_rate=3e-4, freeze="half"),
    # How the older projects trained; facts in the chapter.
    "hair_2017": TrainConfig(
        epochs=250,
        learning_rate=0.1,
        weight_decay=0,
        loss="dice_batch",
        optimizer="sgd",
        schedule="drops",
        bn_batches=0,
    ),
    "portrait_2019": TrainConfig(
        epochs=300,
        learning_rate=1e-3,
        weight_decay=0,
        loss="bce",
        optimizer="adam",
        schedule="plateau",
        plateau_patience=15,
        bn_batches=0,
    ),
    "hair_2020": TrainConfig(
        epochs=50,
        learning_rate=1e-3,
        weight_decay=0,
        patience=5,
        optimizer="adam",
        schedule="plateau",
        bn_batches=0,
    ),
}
"""Ways to train by name: three of ours, and those of three older projects (their rates, schedules,
optimizers and lengths; "hair_2020" mixes its two losses 0.4 to 0.6, we halve)."""


def recipe(name: str) -> TrainConfig:
    """Return the recipe of that name; `dataclasses.replace` changes single fields.

    Raises:
        SeglibError: no recipe has that name; the message lists those there are.
    """
    if name not in RECIPES:
        raise SeglibError(f"there is no recipe {name!r}; use one of {', '.join(RECIPES)}")
    return RECIPES[name]
