"""Options that several commands share, and what they stand for: a model, a data set, a config."""

import argparse
import contextlib
import dataclasses
import re
import sys
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError

if TYPE_CHECKING:
    from seglib.data import Dataset
    from seglib.postprocess import PostprocessConfig

WEIGHTS = ".weights.h5"


def add_model(
    parser: argparse.ArgumentParser, text: str, required: bool = True, more: bool = True
) -> None:
    """Add `--model`, and with `more` what it takes to run models that are not ours."""
    parser.add_argument("--model", required=required, metavar="FILE", help=text)
    if more:
        parser.add_argument("--channel", help="which output channel, where there are several")
        parser.add_argument(
            "--value-range",
            type=float,
            nargs=2,
            metavar=("BLACK", "WHITE"),
            help="what a .tflite without our metadata reads [0 255]",
        )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add `--data` and `--kind`."""
    parser.add_argument("--data", required=True, metavar="NAME|DIR", help="set name or its folder")
    parser.add_argument("--kind", help="what the masks show, such as person [the set's first]")


def add_task(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """Add `--task`; where it is not required, it is the portrait."""
    parser.add_argument(
        "--task",
        choices=("portrait", "hair"),
        required=required,
        default=None if required else "portrait",
        help="hair: dye it; portrait: change what is behind the person"
        + ("" if required else " [portrait]"),
    )


def add_effect(parser: argparse.ArgumentParser) -> None:
    """Add what a frame can become: `--background`, `--color`, `--strength` and `--preset`."""
    parser.add_argument(
        "--background",
        metavar="blur|bokeh|grey|transparent|COLOUR|FILE",
        help="portrait: defocus it, take its colour, cut it away, or put a colour such as #00ff00 "
        "or a picture there [the preset's, or blur]",
    )
    parser.add_argument(
        "--color", type=int, nargs=3, metavar=("R", "G", "B"), help="hair: 0 to 255 [255 0 0]"
    )
    parser.add_argument("--strength", type=float, help="hair: 0 (nothing) to 1 (full dye) [1]")
    parser.add_argument(
        "--preset",
        default="default",
        metavar="NAME",
        help="how the mask is cleaned and enlarged; a wrong name lists the choices [default]",
    )


def effect(options: argparse.Namespace) -> tuple["PostprocessConfig", Path | None]:
    """Return the settings that `add_effect`'s options ask for, and the new background's file.

    The preset's own effect stays where it suits the task and needs no picture that is not there.
    """
    from seglib.postprocess import preset

    for name in ("background",) if options.task == "hair" else ("color", "strength"):
        if getattr(options, name) is not None:
            raise SeglibError(f"--{name} does not go with --task {options.task}; leave it out")
    own = preset(options.preset).effect
    picture = None
    if options.task == "hair":
        changes = {"effect": own if own in ("recolour", "multiply") else "recolour"}
        changes |= {"color": tuple(options.color or (255, 0, 0))}
        if options.strength is not None:
            changes["strength"] = options.strength
    elif options.background is None:
        changes = {"effect": own if own in ("blur", "bokeh", "grey") else "blur"}
    elif options.background in ("blur", "bokeh", "grey"):
        changes = {"effect": options.background}
    elif options.background == "transparent" or options.background.startswith("#"):
        changes = {"effect": "replace", "background": options.background}
    else:
        changes = {"effect": "clone" if own == "clone" else "replace"}
        picture = Path(options.background)
    return preset(options.preset, **changes), picture


def add_fields(
    parser: argparse.ArgumentParser,
    config: type,
    leave_out: Sequence[str] = (),
    given_only: bool = False,
) -> None:
    """Add an option for each field of a frozen dataclass, with the docstring's line as its help.

    With `given_only` the parsed options hold those alone that the command line gives.
    """
    group = parser.add_argument_group(config.__name__)
    types = typing.get_type_hints(config)
    texts = dict(re.findall(r"^ {8}(\w+): ([^\n]+(?:\n {9,}[^\n]+)*)", config.__doc__ or "", re.M))
    for field in dataclasses.fields(config):
        if field.name in leave_out:
            continue
        text = " ".join(texts.get(field.name, field.name).split()).replace("%", "%%")
        kind = types[field.name]
        how: dict[str, Any] = {"type": kind}
        if kind is bool:
            how = {"action": argparse.BooleanOptionalAction}
        elif typing.get_origin(kind) is tuple:
            how = {"type": typing.get_args(kind)[0], "nargs": "+"}
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            default=argparse.SUPPRESS if given_only else field.default,
            help=f"{text} [{field.default}]",
            **how,
        )


def from_fields(config: type, options: argparse.Namespace, **given: Any) -> Any:
    """Build a frozen dataclass from the options that `add_fields` added, and what is `given`."""
    values = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(config)
        if field.name not in given
    }
    return config(**values, **given)


def model_file(name: str) -> Path:
    """Return the file that `name` is, or the shipped one that it names."""
    from seglib import pretrained

    # A bare word that is no file can only be meant as a name; the loader lists those there are.
    if not Path(name).exists() and not Path(name).suffix and len(Path(name).parts) == 1:
        return pretrained.path(name)
    return Path(name)


def segmenter(options: argparse.Namespace, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return what turns photos into masks: a shipped name, a `.tflite` file or Keras weights."""
    from seglib import pretrained
    from seglib.runtime import Segmenter, keras_segmenter

    channel = options.channel
    if channel is not None and channel.isdigit():
        channel = int(channel)
    if name.endswith(WEIGHTS):
        from seglib import models

        labels = models.load_config(name).labels
        if channel in labels:
            channel = labels.index(channel)
        if isinstance(channel, str):
            raise SeglibError(f"{name} has no channel {channel!r}; it has {', '.join(labels)}")
        return keras_segmenter(models.load(name), channel)
    # A name that is no file is looked up, so that a wrong one gets the list of right ones.
    if not Path(name).exists() and not Path(name).suffix:
        return pretrained.load(name)
    value_range = options.value_range and tuple(options.value_range)
    return Segmenter(name, channel=channel, value_range=value_range)


def dataset(name: str, split: str, kind: str | None) -> "Dataset":
    """Open a folder, or load a set by name; its notices go to the standard error."""
    from seglib import data

    with contextlib.redirect_stdout(sys.stderr):
        if Path(name).is_dir():
            return data.open_folder(name, split, kind)
        if Path(name).name != name:
            raise SeglibError(f"there is no folder {name}; give a prepared data set or its name")
        return data.load(name, split, kind)


def keep(output: Path, *inputs: Path | None) -> None:
    """Refuse an output that is one of the inputs, under whatever name."""
    for file in inputs:
        if file is not None and file.exists() and output.exists() and output.samefile(file):
            raise SeglibError(f"{output} is an input and would be lost; choose another --output")
