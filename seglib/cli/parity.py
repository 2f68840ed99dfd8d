"""`seglib parity`: one model as every target in every runtime here, beside Keras.

Chapter: TFLite conversion.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from seglib.cli import options as shared
from seglib.cli.convert import weights_of
from seglib.errors import SeglibError


def add_parser(commands: Any) -> None:
    """Add `parity`."""
    parser = commands.add_parser(
        "parity",
        help="compare a model's exports with the model",
        description="Export a model to every target, run each file in every runtime that is here, "
        "and compare masks, sizes and times with Keras. Exit code 1 when an export is broken.",
    )
    parser.add_argument(
        "--model", required=True, metavar=f"X{shared.WEIGHTS}", help="weights or shipped name"
    )
    parser.add_argument("--files", nargs="+", default=[], type=Path, metavar="FILE",
                        help="compare these, which exist, instead of exporting")  # fmt: skip
    parser.add_argument("--targets", nargs="+", metavar="NAME", help="only these [all]")
    parser.add_argument("--data", metavar="NAME|DIR", help="photos [drawn portraits]")
    parser.add_argument("--kind", help="what the masks show, such as person [the set's first]")
    parser.add_argument("--split", default="val", help="train, val or all [val]")
    parser.add_argument("--count", type=int, default=16, help="photos to compare on [16]")
    parser.add_argument("--turns", type=int, default=20, help="of the stop-watch, 0: none [20]")
    parser.add_argument("--no-gpu", action="store_true", help="leave the GPU accelerator out")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the exported files here")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.set_defaults(run=_parity)


def _parity(options: argparse.Namespace) -> int:
    from seglib import models
    from seglib.export import matrix

    if options.count < 1 or options.turns < 0:
        raise SeglibError("--count must be at least 1 and --turns at least 0")
    if options.files and (options.targets or options.keep):
        raise SeglibError("--files compares what exists; leave --targets and --keep out")
    weights = weights_of(options.model)
    model = models.load(weights)
    images, masks, others = _photos(options, models.load_config(weights).labels, model)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)

    def progress(target: str) -> None:
        print(f"seglib: exporting {target}", file=sys.stderr)

    found = matrix(
        model, images, masks, others,
        targets=[] if options.files else options.targets, files=options.files,
        folder=options.keep, turns=options.turns, gpu=not options.no_gpu,
        progress=progress if sys.stderr.isatty() else None,
    )  # fmt: skip
    if options.json:
        task = None if math.isnan(found.task_iou) else found.task_iou
        facts = {"model": options.model, "count": len(images), "ok": found.ok, "task_iou": task}
        print(json.dumps({**facts, "cells": found.records()}))
    else:
        print(found.table())
    if not found.ok:
        broken = sum(not row.ok for row in found.rows)
        print(f"seglib: {broken} exports are not as the model", file=sys.stderr)
    return 0 if found.ok else 1


def _photos(options: argparse.Namespace, labels: tuple[str, ...], model: Any) -> tuple:
    """Return photos, their masks (None where they do not fit the model) and others to calibrate."""
    from seglib.data import synthetic

    (_, size, width, _), shape = model.inputs[0].shape, model.output_shape[1:]
    if size != width:
        raise SeglibError(f"parity shows square pictures; {options.model} takes other ones")
    if options.data:
        chosen = shared.dataset(options.data, options.split, options.kind)
    else:
        kind = options.kind or (labels[0] if labels[0] in ("person", "hair") else "person")
        chosen = synthetic.portraits(2 * options.count, size, workers=1).dataset(kind)
    images, masks = chosen.subset(2 * options.count).arrays(size)
    half = max(len(images) // 2, 1)
    fits = shape == (size, size, 1)
    return images[:half], masks[:half] if fits else None, images[half:] if half > 1 else images
