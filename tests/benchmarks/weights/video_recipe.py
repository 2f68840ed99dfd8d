"""How the weights for film were made: `portrait`, taught to read the mask of the frame before.

In `tests/benchmarks`:

    python -m weights.video_recipe --output runs [--seed 0] [--ship]

The shipped `portrait` gets a fourth input channel, empty at first, and is tuned on the photos with
person masks, each with a made-up mask of the frame before (`seglib.data.previous`); its BatchNorm
stays as it is, as in the last stage of `weights.recipe`. The best epoch is that of the
highest IoU on val photos with an empty mask before, so nothing is lost on single photos. As in that
recipe, the last bias is then moved so that 0.5 is the best cut. Photos come from `$SEGLIB_DATA`; a
run that was stopped goes on. `--ship` writes the files that the library loads, with the scores of
`tests/benchmarks/video_variant.py` left to `seglib/assets`.
"""

import argparse
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import keras
from weights import package_model, recipe, recipes, training_mix

from seglib import data, models, pretrained
from seglib.data.previous import FIRST_FRAMES, PreviousConfig, VideoBatches
from seglib.models import UNetConfig
from seglib.training import TrainConfig, fit

NAME = "portrait_video"
START = "portrait"
TASK = "person"
LIMITS = [
    "Made for the frames of one film, in order; between photos that are none, call reset_state().",
    "The first frame after a cut still suffers from the mask before it; seglib.video resets there.",
    *package_model.LIMITS[TASK],
]


@dataclass(frozen=True)
class VideoRecipe:
    """What the weights for film are made of.

    Attributes:
        sets: photo sets and the kinds of mask taken from each.
        repeat: how often an epoch shows the photos of a set; once where it is not named.
        previous: the masks of the frame before.
        train: the training; its `seed` starts all chance.
        augment: how far the photos are changed.
        batch_size: photos a step.
    """

    sets: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {name: (TASK,) for name in ("eg1800", "ccp_upper", "ccp_full")}
    )
    repeat: dict[str, int] = field(default_factory=dict)
    previous: PreviousConfig = PreviousConfig()
    train: TrainConfig = TrainConfig(epochs=3, learning_rate=1e-3, bn_batches=0, ema=0.99)
    augment: data.AugmentConfig = recipes.FLIPS
    batch_size: int = 32

    @property
    def seed(self) -> int:
        """The start of all chance."""
        return self.train.seed

    @property
    def photos(self) -> recipes.Recipe:
        """The part of it that `weights.training_mix` reads."""
        return recipes.Recipe(
            sets=self.sets,
            val_sets=self.sets,
            synthetic=0,
            repeat={TASK: self.repeat},
            batch_size=self.batch_size,
            seed=self.seed,
        )


def run(plan: VideoRecipe, output: Path) -> tuple[keras.Model, UNetConfig]:
    """Train, or go on, and save `NAME.weights.h5` under `output`.

    Raises:
        SeglibError: the photos or the shipped weights are missing.
    """
    weights = pretrained.path(START, ".weights.h5")
    start = models.load(weights)
    model, config = models.add_previous(start, models.load_config(weights))
    train = training_mix.load_training(plan.photos)
    val = training_mix.load_validation(plan.photos).of(TASK)
    print(f"{len(train.images)} training and {len(val.images)} validation pictures", flush=True)
    recipe.set_norm(model, fixed=True)
    shown, size = train.of(TASK), config.size
    shared = {"batch_size": plan.batch_size, "size": size, "seed": plan.seed}
    history = fit(
        model,
        VideoBatches(
            shown.images,
            shown.masks,
            augment=plan.augment,
            shuffle=True,
            previous=plan.previous,
            **shared,
        ),
        VideoBatches(val.images, val.masks, previous=FIRST_FRAMES, **shared),
        plan.train,
        output / TASK,
    )
    print(json.dumps(history.best), flush=True)
    # Where the mask before is empty the network is one of three channels: that one is calibrated.
    single, _ = models.drop_previous(model, config)
    cut = recipe.calibrate(single, train.most_repeated(TASK), plan.photos)
    model.get_layer("logits").set_weights(single.get_layer("logits").get_weights())
    print(f"the cut {cut:.2f} became 0.5")
    models.save(model, config, output / f"{NAME}.weights.h5")
    return model, config


def write(plan: VideoRecipe, output: Path, folder: Path = pretrained.FOLDER) -> Path:
    """Write the four files that ship and return the `.tflite`."""
    about = {"name": NAME, "task": TASK, **package_model.RESEARCH}
    about["training_data"] = [
        f"the weights of {START} to start from, and what trained them:",
        *package_model.RESEARCH["training_data"],
    ]
    story = {
        "recipe": {**asdict(plan), "seed": plan.seed},
        "limits": LIMITS,
        "log": package_model.log(output, TASK),
    }
    return package_model.write(output / f"{NAME}.weights.h5", about, story, folder)


def main() -> None:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="folder for run and weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=VideoRecipe().train.epochs)
    parser.add_argument("--ship", action="store_true", help="write the library's files from it")
    options = parser.parse_args()
    usual = VideoRecipe().train
    plan = VideoRecipe(train=replace(usual, epochs=options.epochs, seed=options.seed))
    if not (options.output / f"{NAME}.weights.h5").exists():
        run(plan, options.output)
    if options.ship:
        print(write(plan, options.output))


if __name__ == "__main__":
    main()
