"""`seglib convert` and `audit`: files for phones, and what a phone would refuse of them.

Chapters: TFLite conversion; Core ML conversion; the GPU delegate.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from seglib.cli import options as shared
from seglib.errors import SeglibError


def add_parser(commands: Any) -> None:
    """Add `convert` and `audit`."""
    _add_convert(commands)
    _add_audit(commands)


def _add_convert(commands: Any) -> None:
    parser = commands.add_parser("convert", help="turn trained weights into a file for phones")
    parser.add_argument(
        "--model", required=True, metavar=f"X{shared.WEIGHTS}", help="trained weights"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="X.tflite or X.mlpackage"
    )
    parser.add_argument(
        "--precision", default="float16", help="float32, float16, dynamic or int8 [float16]"
    )
    parser.add_argument("--flat", action="store_true", help=".tflite: give the mask as one row")
    parser.add_argument(
        "--representative", type=Path, metavar="DIR", help="int8: photos like those to come"
    )
    parser.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> None:
    from seglib import export, models
    from seglib.images import read_folder

    package = options.output.suffix == ".mlpackage"
    if not package and options.output.suffix != ".tflite":
        raise SeglibError(f"{options.output} must end in .tflite or .mlpackage; rename it")
    if package and (options.flat or options.representative):
        raise SeglibError("--flat and --representative are for .tflite files; leave them out")
    shared.keep(options.output, Path(options.model))
    config = models.load_config(options.model)
    metadata = {**shared.card_beside(Path(options.model)), "labels": list(config.labels)}
    photos = options.representative and read_folder(options.representative, config.size)
    model = models.load(options.model)
    if package:
        path = export.to_coreml(model, options.output, options.precision, metadata)
    else:
        path = export.to_tflite(
            model, options.output, options.precision, options.flat, photos, metadata
        )
    print(f"wrote {path}")


def _add_audit(commands: Any) -> None:
    parser = commands.add_parser("audit", help="say what a phone's GPU would refuse in a .tflite")
    parser.add_argument("model", metavar="FILE", help=".tflite file or shipped name")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> int:
    from seglib.export.audit import audit

    found = audit(shared.model_file(options.model))
    if options.json:
        refusals = [dataclasses.asdict(refusal) for refusal in found.refusals]
        print(json.dumps({"ok": found.ok, "ops": found.ops, "refusals": refusals}))
    else:
        print(found.table())
    return 0 if found.ok else 1
