"""The recipes of the shipped weights, and of two that do not ship, as frozen configs.

`weights.recipe` says in words what they have in common, and runs them.

Chapter: training on Colab.
"""

from dataclasses import dataclass, field, fields, replace

from weights.training_mix import TASKS

from seglib import data
from seglib.models import UNetConfig

_OFF = {f.name: 0.0 for f in fields(data.AugmentConfig) if isinstance(f.default, float)}
FLIPS = data.AugmentConfig(**{**_OFF, "flip": 0.5, "zoom": (1.0, 1.0)})
"""Photos as they are, half of them mirrored."""


@dataclass(frozen=True)
class Stage:
    """One call of `fit`.

    Attributes:
        size: input size in pixels.
        epochs: passes over the data.
        learning_rate: the highest rate.
        ema: momentum of the running mean of the weights that is kept; 0 keeps the weights.
        fixed_norm: keep every BatchNorm as it is and use its statistics in training, too, so that
            the network is trained as it will run. For small changes at the end.
        augment: how far the photos are changed.
    """

    size: int
    epochs: int
    learning_rate: float
    ema: float = 0.0
    fixed_norm: bool = False
    augment: data.AugmentConfig = data.AugmentConfig()


@dataclass(frozen=True)
class Recipe:
    """What one variant is made of.

    Attributes:
        sets: photo sets and the kinds of mask taken from each.
        val_sets: sets whose val split picks the best epoch.
        synthetic: synthetic portraits added to the training photos.
        close_ups: sets with both masks and how many windows around the hair are cut from a photo.
        repeat: per task, how often an epoch of tuning shows the photos of a set; once where it is
            not named.
        joint: stages of the network that learns both tasks.
        tune: stage of each task's own network.
        polish: a last stage of each task's own network.
        polish_close_ups: close-ups that join there.
        polish_repeat: `repeat` of that stage, where it differs.
        nobody: sets out of whose photos squares without a person are cut, and how often an epoch
            of tuning shows them.
        mosaics: per task, pictures of four training photos each: small people, and several.
        start: folder with the weights, `person.weights.h5` and `hair.weights.h5`, that tuning
            starts from; without one a joint network is trained first.
        blend: share of the weights after that stage in the final ones, the rest being those before
            it: most of what the stage wins stays, and less of what it forgets is lost (Wortsman et
            al. 2022, "Robust fine-tuning of zero-shot models").
        unet: the network; `size` and `labels` are set by the stages.
        encoder_weights: where its encoder starts, as `seglib.models.mobile_unet` takes it.
        seed: start of all chance.
    """

    sets: dict[str, tuple[str, ...]]
    val_sets: dict[str, tuple[str, ...]]
    synthetic: int
    close_ups: dict[str, int] = field(default_factory=dict)
    repeat: dict[str, dict[str, float]] = field(default_factory=dict)
    joint: tuple[Stage, ...] = (Stage(96, 14, 3e-3), Stage(128, 14, 2e-3))
    tune: Stage = Stage(128, 5, 5e-4)
    polish: Stage = Stage(128, 3, 1e-3, ema=0.995, fixed_norm=True, augment=FLIPS)
    polish_close_ups: dict[str, int] = field(default_factory=dict)
    polish_repeat: dict[str, dict[str, float]] = field(default_factory=dict)
    nobody: dict[str, float] = field(default_factory=dict)
    mosaics: dict[str, int] = field(default_factory=dict)
    start: str | None = None
    blend: float = 1.0
    unet: UNetConfig = UNetConfig()
    encoder_weights: str | None = None
    batch_size: int = 32
    seed: int = 0

    def last(self) -> "Recipe":
        """Return the recipe by whose pictures the last stage trains."""
        close_ups = {**self.close_ups, **self.polish_close_ups}
        return replace(self, close_ups=close_ups, repeat={**self.repeat, **self.polish_repeat})


LITE = UNetConfig(encoder="efficientnet_lite0_short", width=0.5, decoder_channels=(96, 64, 32, 16))
"""About as fast as the default network, with an encoder that can start from ImageNet."""
STREET = {"ccp_upper": TASKS, "ccp_full": TASKS}
RECIPES = {
    "all": Recipe(
        sets={"eg1800": ("person",), "figaro1k": ("hair",), "lfw_hair": ("hair",), **STREET},
        val_sets={"eg1800": ("person",), "figaro1k": ("hair",), "ccp_upper": TASKS},
        synthetic=0,
        repeat={"person": {"eg1800": 2}, "hair": {"figaro1k": 3}},
        joint=(Stage(96, 6, 3e-3),),
        tune=Stage(128, 30, 2e-3),
        polish_close_ups={"ccp_upper": 1},
        polish_repeat={"person": {"eg1800": 3}, "hair": {"figaro1k": 6}},
        blend=0.6,
        unet=LITE,
        encoder_weights="imagenet",
    ),
    "open": Recipe(
        sets=STREET,
        val_sets=STREET,
        synthetic=3000,
        close_ups={"ccp_upper": 2},
        joint=(Stage(96, 16, 3e-3), Stage(128, 12, 2e-3)),
        tune=Stage(128, 8, 1e-3, ema=0.995),
    ),
}
RECIPES["scratch"] = replace(
    RECIPES["all"],
    joint=Recipe.joint,
    tune=Stage(128, 36, 2e-3),
    blend=1.0,
    unet=UNetConfig(),
    encoder_weights=None,
)
RECIPES["teacher"] = replace(
    RECIPES["all"],
    tune=Stage(160, 8, 2e-3),
    polish=replace(Recipe.polish, size=160),
    unet=replace(LITE, encoder="efficientnet_lite0", width=1.0),
)
"""Too slow for a phone: what such a network knows can be handed on by `seglib.training.distil`."""

RECIPES["any"] = Recipe(
    sets={
        "eg1800": ("person",), "portraits": ("person", "hair"), "open_more": ("person",),
        "scenes": ("person",), "celeba_hq": TASKS, "negatives": TASKS,
        "figaro1k": ("hair",), "lfw_hair": ("hair",), **STREET,
    },
    val_sets={
        "eg1800": ("person",), "figaro1k": ("hair",), "scenes": ("person",),
        "portraits": ("person",), "celeba_hq": ("hair",), "negatives": TASKS, "ccp_upper": TASKS,
        "ccp_full": TASKS,
    },
    synthetic=0,
    repeat={
        "person": {
            "eg1800": 3, "ccp_upper": 2, "ccp_full": 2, "scenes": 3, "portraits": 4,
            "celeba_hq": 0.3, "negatives": 3,
        },
        "hair": {
            "figaro1k": 3, "ccp_upper": 2, "portraits": 2, "celeba_hq": 0.8, "negatives": 3,
        },
    },
    close_ups={"ccp_upper": 1},
    nobody={"scenes": 1, "ccp_full": 0.5},
    mosaics={"person": 400, "hair": 200},
    start="start",
    tune=Stage(
        128, 12, 4e-4, ema=0.998, fixed_norm=True, augment=data.AugmentConfig(zoom=(0.75, 1.4))
    ),
    polish=Stage(128, 2, 2e-4, ema=0.998, fixed_norm=True, augment=FLIPS),
    unet=LITE,
)  # fmt: skip
"""Photos of every kind, from the weights of edition 0.1 on.

Its BatchNorm keeps the statistics that the start brings: a step then takes three fifths of the
time on a CPU, so more passes fit into an hour. That needs a low rate: at three times this one, val
falls from pass to pass.
"""
RECIPES["any_open"] = replace(
    RECIPES["any"],
    sets={"portraits": TASKS, "open_more": ("person",), **STREET},
    val_sets={"portraits": TASKS, "open_more": ("person",), **STREET},
    synthetic=2000,
    repeat={"person": {"portraits": 4, "ccp_upper": 2}, "hair": {"portraits": 6, "ccp_upper": 2}},
    close_ups={"ccp_upper": 2},
    nobody={"ccp_full": 2, "open_more": 1},
    start=None,
    joint=(Stage(96, 6, 3e-3),),
    tune=Stage(128, 16, 2e-3, ema=0.995, augment=RECIPES["any"].tune.augment),
    encoder_weights="imagenet",
)
"""The same from openly licensed photos, drawings and ImageNet's encoder alone."""
