"""`seglib train`: a network from a prepared data set.

What is trained is one `seglib.training.Experiment`: its file, `--config`, and the options, which
win. The same command goes on after a stop.

Chapter: training on Colab.
"""

import argparse
import dataclasses
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from seglib.cli import options as shared
from seglib.errors import SeglibError
from seglib.files import read_text


def add_parser(commands: Any, complete: bool = True) -> None:
    """Add `train`; with `complete` False without the options that are read off the configs."""
    parser = commands.add_parser(
        "train",
        help="train a network; the same command goes on after a stop",
        description="Train a network on a prepared data set. The run's folder holds checkpoints, "
        "the log and the best weights; the same command goes on after a stop.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="an experiment, YAML")
    parser.add_argument("--data", metavar="NAME|DIR", help="set name or its folder")
    parser.add_argument("--kind", help="what the masks show, such as person [the set's first]")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="the run's folder"
    )
    parser.add_argument("--batch-size", type=int, help="pictures a step [32]")
    parser.add_argument(
        "--augment",
        action=argparse.BooleanOptionalAction,
        help="vary the pictures from epoch to epoch [on]",
    )
    parser.add_argument("--network", metavar="NAME", help="any of the zoo [mobile_unet]")
    parser.add_argument("--recipe", metavar="NAME", help="a way to train by name, such as transfer")
    parser.add_argument(
        "--set",
        action="append",
        metavar="SECTION.KEY=VALUE",
        help="any other key of an experiment, such as augment.rotate=5; may be repeated",
    )
    parser.add_argument("--weights", metavar="FILE", help="a .weights.h5 to start from")
    parser.add_argument(
        "--encoder-weights", metavar="FILE", help="'imagenet' or a file to start the encoder from"
    )
    parser.add_argument("--teacher", metavar="FILE", help="a .tflite to learn from, too")
    parser.add_argument("--precision", help="float32, mixed_float16 or mixed_bfloat16 [float32]")
    parser.add_argument(
        "--devices", choices=("one", "all"), help="all: share batches between accelerators [one]"
    )
    parser.add_argument(
        "--notify",
        action="append",
        metavar="ADDRESS",
        help="apprise's address of a service to tell of the end; also read from $SEGLIB_NOTIFY",
    )
    parser.add_argument(
        "--sbatch", type=Path, metavar="FILE", help="write a SLURM job for this command and end"
    )
    parser.set_defaults(run=_train)
    # The options of networks and training are read off their configs, which takes Keras.
    if complete:
        from seglib.models import UNetConfig
        from seglib.training import TrainConfig

        shared.add_fields(parser, UNetConfig, leave_out=("labels",), given_only=True)
        shared.add_fields(parser, TrainConfig, given_only=True)


def _train(options: argparse.Namespace) -> None:
    given = vars(options)
    if "config" not in given and "data" not in given:
        raise SeglibError("there is nothing to learn from; give --data, or --config with a file")
    from seglib import training

    experiment = training.read_experiment(given.get("config"), _overrides(given))
    if "sbatch" in given:
        _write_job(given["sbatch"])
        return
    notify = [*given.get("notify", ()), *os.environ.get("SEGLIB_NOTIFY", "").split()]
    if given.get("devices") == "all":
        if int(os.environ.get("SLURM_NTASKS", 1)) > 1:
            training.join()
        with training.all_devices() as shard:
            history = training.train_experiment(
                experiment, options.output, notify=notify, shard=shard
            )
    else:
        history = training.train_experiment(experiment, options.output, notify=notify)
    best = ", ".join(f"{name} {value:.4g}" for name, value in history.best.items())
    print(f"best epoch: {best}\nwrote {options.output / f'model{shared.WEIGHTS}'}")


def _overrides(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options as sections of an experiment."""
    from seglib.data import AugmentConfig
    from seglib.models import UNetConfig
    from seglib.training import TrainConfig

    # Where an experiment calls a key otherwise than the option.
    called = {"data": "name", "network": "name"}
    keys = {
        "data": ("data", "kind", "batch_size", "teacher"),
        "network": ("network", *_names(UNetConfig)),
        "train": ("recipe", *_names(TrainConfig)),
    }
    sections: dict[str, Any] = {}
    for section, names in keys.items():
        content = {called.get(name, name): given[name] for name in names if name in given}
        if content:
            sections[section] = content
    for name in ("precision", "encoder_weights", "weights"):
        if name in given:
            sections[name] = given[name]
    if "augment" in given:
        sections["augment"] = given["augment"] and dataclasses.asdict(AugmentConfig())
    for text in given.get("set", ()):
        _set(sections, text)
    return sections


def _names(config: type) -> list[str]:
    return [field.name for field in dataclasses.fields(config)]


def _set(sections: dict[str, Any], text: str) -> None:
    """Add `SECTION.KEY=VALUE`, with a value as YAML writes it."""
    try:
        import yaml
    except ImportError as error:
        raise SeglibError("--set needs the PyYAML package; pip install pyyaml") from error
    key, equals, value = text.partition("=")
    section, _, name = key.partition(".")
    if not equals or not section:
        raise SeglibError(f"--set {text}: write it as SECTION.KEY=VALUE, such as train.epochs=3")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise SeglibError(f"--set {text}: {value!r} is no value that YAML knows") from error
    if not name:
        sections[section] = parsed
    elif isinstance(sections.setdefault(section, {}), dict):
        sections[section][name] = parsed
    else:
        raise SeglibError(f"--set {text}: {section} is switched off by another option")


def _write_job(path: Path) -> None:
    """Write a SLURM job that runs this command line without `--sbatch`."""
    from seglib.files import atomic_path

    words = iter(sys.argv[1:])
    kept = []
    for word in words:
        if word == "--sbatch":
            next(words)
        elif not word.startswith("--sbatch="):
            kept.append(word)
    template = read_text(Path(__file__).parent.parent / "assets" / "train.sbatch")
    command = shlex.join([sys.executable, "-m", "seglib.cli", *kept])
    with atomic_path(path) as temporary:
        temporary.write_text(template.replace("COMMAND", command), encoding="utf-8")
    print(f"wrote {path}; look at its first lines, then: sbatch {path}")
