"""How the shipped weights were made; run again, it makes them again. Run in `tests/benchmarks`:

    python -m weights.recipe all --output runs --teachers mp_selfie.tflite mp_hair.tflite
    python -m weights.recipe open --output runs

One network learns persons and hair together, at 96 pixels first, where a step is cheap, and then
at 128. Photos that lack one of the two masks leave that channel unknown. The joint network is then
cut into one network per task, and each is tuned on its own task, during which the sets with the
most careful masks are seen more often, and its last bias is set so that 0.5 is the best cut on
the training pictures of those sets. A short last stage shows photos as they are, but for flips;
what ships may lie between the weights before and after it.
`all` uses every photo set (research and teaching) and an encoder that starts from ImageNet; `open`
starts from nothing and uses only the Apache-2.0 street photos, close-ups cut out of them, and
synthetic portraits. Two do not ship: `scratch` is `all` from nothing, with more passes, and
`teacher` a network of several times the size that could teach the others. Training
photos that a val split shows as well (Figaro1k's Frame00249 is the mirror image of Frame00250) are
left out, by the verdict of `seglib.data.duplicates`. Photos come from `$SEGLIB_DATA`; every stage
can be stopped and started again.

Chapter: training on Colab.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from weights.recipes import RECIPES, Recipe, Stage
from weights.training_mix import TASKS, TrainingMix, load_training, load_validation

from seglib import models
from seglib.data.batches import Batches
from seglib.models import UNetConfig, mobile_unet
from seglib.training import TrainConfig, fit

HERE = Path(__file__).parent


def cut(joint: keras.Model, config: UNetConfig, task: str) -> tuple[keras.Model, UNetConfig]:
    """Return a network for one task with the joint network's weights."""
    config = replace(config, labels=(task,))
    model = mobile_unet(config)
    for layer in model.layers:
        weights = joint.get_layer(layer.name).get_weights()
        if layer.name == "logits":
            channel = TASKS.index(task)
            weights = [weight[..., channel : channel + 1] for weight in weights]
        layer.set_weights(weights)
    return model, config


def calibrate(model: keras.Model, pool: TrainingMix, recipe: Recipe, pictures: int = 960) -> float:
    """Shift a one-channel network's last bias so that 0.5 is its best cut.

    Dice rewards marking a little too much, so the best threshold of a trained network often lies
    above 0.5. It is found on training pictures, as the one with the highest mean IoU, and moved to
    0.5 by the logits' bias: callers need no threshold of ours.

    Returns:
        The threshold that became 0.5.
    """
    size = model.input_shape[1]
    chosen = np.random.default_rng(recipe.seed).permutation(len(pool.images))[:pictures]
    batches = Batches(pool.images[chosen], pool.masks[chosen], recipe.batch_size, size)
    levels = np.arange(0.3, 0.85, 0.02)
    ious = []
    for index in range(len(batches)):
        x, y = batches[index]
        found = keras.ops.convert_to_numpy(model(x, training=False)) >= levels
        truth = y >= 0.5
        both, either = (found & truth).sum((1, 2)), (found | truth).sum((1, 2))
        ious.append(np.where(either > 0, both / np.maximum(either, 1), 1.0))
    best = float(levels[np.concatenate(ious).mean(0).argmax()])
    logits = model.get_layer("logits")
    kernel, bias = logits.get_weights()
    logits.set_weights([kernel, bias - np.log(best / (1 - best))])
    return best


def run(
    variant: str,
    output: Path,
    teachers: dict[str, Path] | None = None,
    tasks: tuple[str, ...] = TASKS,
    seed: int = 0,
) -> Iterator[tuple[str, keras.Model, UNetConfig]]:
    """Train one variant; yield (task, model, config) as each is ready and saved under `output`.

    The hair teacher joins at tuning. Stages that are finished under `output` are not run again, so
    two tasks can be tuned side by side once the joint network is there.
    """
    recipe = replace(RECIPES[variant], seed=seed)
    output = output / (f"{variant}-{seed}" if seed else variant)
    teachers = teachers or {}
    person = {task: path for task, path in teachers.items() if task == "person"}
    train, val = load_training(recipe, person), load_validation(recipe)
    print(f"{variant}: {len(train.images)} training and {len(val.images)} validation pictures")
    keras.utils.set_random_seed(recipe.seed)
    joint = None if recipe.start else _joint(recipe, train, val, output)
    if teachers != person:
        train = load_training(recipe, teachers)
    last = load_training(recipe.last(), teachers) if recipe.last() != recipe else train
    for task in tasks:
        if recipe.start:
            model = models.load(HERE / recipe.start / f"{task}.weights.h5")
            task_config = replace(recipe.unet, size=recipe.tune.size, labels=(task,))
        else:
            model, task_config = cut(joint, replace(recipe.unet, size=recipe.tune.size), task)
        _tuned(model, recipe, recipe.tune, train, val, task, output / task)
        models.save(model, task_config, output / f"{task}.tuned.weights.h5")
        before = model.get_weights()
        _tuned(model, recipe, recipe.polish, last, val, task, output / f"{task}.polish")
        models.save(model, task_config, output / f"{task}.polished.weights.h5")
        blend(model, before, recipe.blend)
        models.save(model, task_config, output / f"{task}.weights.h5")
        yield task, model, task_config


def _joint(recipe: Recipe, train: TrainingMix, val: TrainingMix, output: Path) -> keras.Model:
    """Train one network for both tasks, stage by stage."""
    joint = None
    for number, stage in enumerate(recipe.joint):
        config = replace(recipe.unet, size=stage.size, labels=TASKS)
        model = mobile_unet(config, recipe.encoder_weights if joint is None else None)
        if joint is not None:
            model.set_weights(joint.get_weights())
        train_stage(model, recipe, stage, train, val, output / f"joint{number}")
        joint = model
    models.save(joint, config, output / "joint.weights.h5")
    return joint


def _tuned(
    model: keras.Model,
    recipe: Recipe,
    stage: Stage,
    train: TrainingMix,
    val: TrainingMix,
    task: str,
    folder: Path,
) -> None:
    train_stage(model, recipe, stage, train.of(task), val.of(task), folder)
    cut_at = calibrate(model, train.of(task), recipe)
    print(f"{folder.name}: the cut {cut_at:.2f} became 0.5")


def blend(model: keras.Model, before: list[np.ndarray], share: float) -> None:
    """Move a model's weights to where `share` of the way from those before to its own is done."""
    pairs = zip(before, model.get_weights(), strict=True)
    model.set_weights([(1 - share) * old + share * new for old, new in pairs])


def set_norm(model: keras.Model, fixed: bool) -> None:
    """Fix every BatchNorm, so that it keeps and uses its statistics in training, or free it."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = not fixed


def train_stage(
    model: keras.Model,
    recipe: Recipe,
    stage: Stage,
    train: TrainingMix,
    val: TrainingMix,
    folder: Path,
) -> None:
    """Train a model for one stage, or go on where that was stopped."""
    set_norm(model, fixed=stage.fixed_norm)
    config = TrainConfig(
        stage.epochs,
        stage.learning_rate,
        bn_batches=0 if stage.fixed_norm else TrainConfig.bn_batches,
        seed=recipe.seed,
        ema=stage.ema,
    )
    history = fit(
        model,
        train.batches(recipe, stage.size, stage.augment),
        val.batches(recipe, stage.size),
        config,
        folder,
    )
    print(folder.name, json.dumps(history.best), flush=True)


def main() -> None:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variant", choices=RECIPES)
    parser.add_argument("--output", type=Path, required=True, help="folder for runs and weights")
    parser.add_argument(
        "--teachers",
        type=Path,
        nargs=2,
        metavar=("PERSON", "HAIR"),
        help=".tflite files that mask the photos which come without that mask",
    )
    parser.add_argument("--seed", type=int, default=0, help="start of all chance")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, help="tasks to tune")
    arguments = parser.parse_args()
    teachers = dict(zip(TASKS, arguments.teachers or (), strict=False))
    made = run(
        arguments.variant, arguments.output, teachers, tuple(arguments.tasks), arguments.seed
    )
    for task, _, _ in made:
        print(f"{task}: saved")


if __name__ == "__main__":
    main()
