"""`seglib demo`: a finished picture from a photo, in one command.

Chapters: quick start; post-processing.
"""

import argparse
from pathlib import Path
from typing import Any

from seglib.cli import options as shared


def add_parser(commands: Any) -> None:
    """Add `demo`."""
    parser = commands.add_parser(
        "demo",
        help="dye the hair of a photo, or change its background",
        description="Write a copy of a photo with its hair dyed or its background changed. "
        "For example: seglib demo --task hair --image me.jpg --color 160 40 60 --output red.jpg",
    )
    shared.add_task(parser, required=True)
    parser.add_argument("--image", type=Path, required=True, metavar="FILE", help="the photo")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".jpg, .png ...")
    shared.add_effect(parser)
    shared.add_model(parser, required=False, text=".tflite file or shipped name [the task's]")
    parser.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> None:
    from seglib.images import read_image, write_image
    from seglib.postprocess import Pipeline

    config, picture = shared.effect(options)
    shared.keep(options.output, options.image, picture)
    photo = read_image(options.image)
    scene = None if picture is None else read_image(picture)
    segment = shared.segmenter(options, options.model or options.task)
    # The network's own small mask where it is to be had: enlarging it is the pipeline's work.
    mask = getattr(segment, "raw", segment)(photo)
    frame = Pipeline(config)(photo, mask, scene)
    print(f"wrote {write_image(options.output, frame)}")
