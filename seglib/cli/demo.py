"""`seglib demo`: finished pictures from photos, in one command."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seglib.cli import options as shared
from seglib.errors import SeglibError
from seglib.files import list_files

PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def add_parser(commands: Any) -> None:
    """Add `demo`."""
    parser = commands.add_parser(
        "demo",
        help="dye the hair of a photo, or change its background or cut it away",
        description="Write a copy of a photo, or of each photo of a folder, with its hair dyed or "
        "its background changed. For example: seglib demo --task portrait --image me.jpg "
        "--background transparent --output me.png",
    )
    shared.add_task(parser, required=True)
    parser.add_argument("--image", type=Path, required=True, metavar="FILE|DIR", help="the photo")
    parser.add_argument(
        "--output", type=Path, metavar="FILE|DIR", help=".jpg, .png ..., or a folder for a folder"
    )
    parser.add_argument(
        "--mask", type=Path, metavar="FILE|DIR", help="write the bare mask too, as a grey .png"
    )
    shared.add_effect(parser)
    shared.add_model(parser, required=False, text=".tflite file or shipped name [the task's]")
    parser.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> None:
    from seglib.images import read_image, write_image, write_mask
    from seglib.postprocess import Pipeline, cover

    if options.output is None and options.mask is None:
        raise SeglibError("there is nothing to write; give --output or --mask")
    config, picture = shared.effect(options)
    scene = None if picture is None else read_image(picture)
    # A photo that cannot be read is said before any model is loaded.
    first = None if options.image.is_dir() else read_image(options.image)
    segment = shared.segmenter(options, options.model or options.task)
    pipeline = Pipeline(config)
    for photo_path, output, mask_path in _work(options, clear=config.background == "transparent"):
        for path in (output, mask_path):
            if path is not None:
                shared.keep(path, photo_path, picture)
        photo = read_image(photo_path) if first is None else first
        # The network's own small mask where it is to be had: enlarging it is the pipeline's work.
        alpha = pipeline.alpha(photo, getattr(segment, "raw", segment)(photo))
        if output is not None:
            behind = None if scene is None else cover(scene, photo.shape[:2])
            write_image(output, pipeline.compose(photo, alpha, behind))
        if mask_path is not None:
            write_mask(mask_path, alpha)
    print(f"wrote {' and '.join(str(x) for x in (options.output, options.mask) if x)}")


def _work(
    options: argparse.Namespace, clear: bool
) -> Iterator[tuple[Path, Path | None, Path | None]]:
    """Yield each photo with where its picture and its mask go; a folder's under its own names."""
    if not options.image.is_dir():
        yield options.image, options.output, options.mask
        return
    from tqdm.auto import tqdm

    files = list_files(options.image, PICTURES)
    if not files:
        raise SeglibError(f"{options.image} holds no pictures ({', '.join(PICTURES)}); add some")
    for folder in (options.output, options.mask):
        if folder is not None and folder.is_file():
            raise SeglibError(f"{folder} is a file; {options.image} is a folder and needs one")
    stems = [file.stem for file in files]
    for file in tqdm(files, unit="photo", desc=str(options.image)):
        # Two photos of one stem, such as me.jpg and me.png, must not overwrite each other.
        name = file.stem if stems.count(file.stem) == 1 else file.name.replace(".", "_")
        suffix = ".png" if clear else file.suffix
        yield (
            file,
            options.output and options.output / f"{name}{suffix}",
            options.mask and options.mask / f"{name}.png",
        )
