"""`seglib demo`: a finished picture from a photo, in one command.

Chapters: quick start; post-processing.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglib.cli import options as shared
from seglib.errors import SeglibError

if TYPE_CHECKING:
    from seglib.postprocess import PostprocessConfig


def add_parser(commands: Any) -> None:
    """Add `demo`."""
    parser = commands.add_parser("demo", help="dye the hair of a photo, or change its background")
    parser.add_argument("--task", choices=("hair", "portrait"), required=True)
    parser.add_argument("--image", type=Path, required=True, metavar="FILE", help="the photo")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".jpg, .png ...")
    parser.add_argument(
        "--color", type=int, nargs=3, metavar=("R", "G", "B"), help="hair: 0 to 255 [255 0 0]"
    )
    parser.add_argument("--strength", type=float, help="hair: 0 (nothing) to 1 (full dye) [1]")
    parser.add_argument(
        "--background",
        metavar="blur|bokeh|grey|FILE",
        help="portrait: defocus it, take its colour or replace it [the preset's, or blur]",
    )
    parser.add_argument(
        "--preset",
        default="default",
        metavar="NAME",
        help="how the mask is cleaned and enlarged; a wrong name lists the choices [default]",
    )
    shared.add_model(parser, required=False, text=".tflite file or shipped name [the task's]")
    parser.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> None:
    from seglib.images import read_image, write_image
    from seglib.postprocess import Pipeline

    for name in ("background",) if options.task == "hair" else ("color", "strength"):
        if getattr(options, name) is not None:
            raise SeglibError(f"--{name} does not go with --task {options.task}; leave it out")
    config = config_of(options)
    picture = Path(options.background) if config.effect in ("replace", "clone") else None
    shared.keep(options.output, options.image, picture)
    photo = read_image(options.image)
    scene = None if picture is None else read_image(picture)
    segment = shared.segmenter(options, options.model or options.task)
    # The network's own small mask where it is to be had: enlarging it is the pipeline's work.
    mask = getattr(segment, "raw", segment)(photo)
    frame = Pipeline(config)(photo, mask, scene)
    print(f"wrote {write_image(options.output, frame)}")


def config_of(options: argparse.Namespace) -> "PostprocessConfig":
    """Return the preset's settings with the effect that the options ask for.

    The preset's own effect stays where it suits the task and needs no picture that is not there.
    """
    from seglib.postprocess import preset

    own = preset(options.preset).effect
    if options.task == "hair":
        changes = {"effect": own if own in ("recolour", "multiply") else "recolour"}
        changes |= {"color": tuple(options.color or (255, 0, 0))}
        if options.strength is not None:
            changes["strength"] = options.strength
    elif options.background is None:
        changes = {"effect": own if own in ("blur", "bokeh", "grey") else "blur"}
    elif options.background in ("blur", "bokeh", "grey"):
        changes = {"effect": options.background}
    else:
        changes = {"effect": "clone" if own == "clone" else "replace"}
    return preset(options.preset, **changes)
