"""`seglib convert` and `audit`: files for phones, and what a phone would refuse of them.

Chapters: TFLite conversion; Core ML conversion; the GPU delegate.
"""

import argparse
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
    parser = commands.add_parser(
        "convert",
        help="turn trained weights into a file for phones",
        description="Turn trained weights into a file for phones, or with --grid write untrained "
        "models of many sizes and widths, to measure on a device.",
    )
    parser.add_argument(
        "--model", metavar=f"X{shared.WEIGHTS}", help="trained weights, or a shipped name"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="what to write")
    parser.add_argument(
        "--target", metavar="NAME", help="format and precision; `--target list` shows them all"
    )
    parser.add_argument(
        "--precision",
        help="instead of --target, for the format that FILE ends in [float16, or the only one]",
    )
    options = parser.add_argument_group("options of some targets")
    options.add_argument("--flat", action="store_true", help=".tflite: give the mask as one row")
    options.add_argument(
        "--representative", type=Path, metavar="DIR", help="int8: photos like those to come"
    )
    options.add_argument("--input-type", choices=("image", "array"), help="Core ML: [image]")
    options.add_argument("--output-type", choices=("array", "image"), help="Core ML: [array]")
    options.add_argument(
        "--value-range",
        type=float,
        nargs=2,
        metavar=("BLACK", "WHITE"),
        help="Core ML: what the model reads, for models that do not normalise themselves [0 255]",
    )
    options.add_argument("--bits", type=int, help="palettised: bits of an index [6]")
    options.add_argument(
        "--channels-first", action="store_true", help=".onnx: read (1, 3, H, W) [(1, H, W, 3)]"
    )
    grid = parser.add_argument_group("untrained models to measure")
    grid.add_argument("--grid", type=Path, metavar="DIR", help="write them here")
    grid.add_argument("--sizes", type=int, nargs="+", default=[224, 192, 160, 128], metavar="N")
    grid.add_argument("--widths", type=float, nargs="+", default=[1, 0.75, 0.5, 0.25], metavar="W")
    grid.add_argument("--network", default="transpose_unet", help="[transpose_unet]")
    parser.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> None:
    from seglib import export, models
    from seglib.images import read_folder

    if options.target == "list":
        for name, target in export.TARGETS.items():
            print(f"{name:30} {target.suffix or 'a folder':12} {target.about}")
        return
    if options.grid:
        target = options.target or "coreml-float16"
        given = _given(options, target)
        if "representative" in given:
            raise SeglibError(
                "untrained models have no ranges to learn; leave --representative out"
            )
        for path in export.benchmark_grid(
            options.grid, target, options.sizes, options.widths, options.network, **given
        ):
            print(f"wrote {path}")
        return
    if not options.model or not options.output:
        raise SeglibError("give --model and --output, or --grid DIR for models to measure")
    target = options.target or _target_for(options.output, options.precision)
    given = _given(options, target)
    weights = Path(options.model)
    shared.keep(options.output, weights)
    if "representative" in given:
        size = models.load_config(weights_of(options.model)).size
        given["representative"] = read_folder(options.representative, size)
    print(f"wrote {export.convert(options.model, target, options.output, **given)}")


def _given(options: argparse.Namespace, target: str) -> dict[str, Any]:
    """Return the target's options that the command line gives; the others must not be there."""
    from seglib.export.convert import target_named

    known = target_named(target).options
    names = ("flat", "representative", "input_type", "output_type", "value_range", "bits")
    names += ("channels_first",)
    found = {name: getattr(options, name) for name in names if getattr(options, name)}
    wrong = [f"--{name.replace('_', '-')}" for name in found if name not in known]
    if wrong:
        raise SeglibError(f"{' and '.join(wrong)}: not for {target}; leave it out")
    if "value_range" in found:
        found["value_range"] = tuple(found["value_range"])
    return found


def _target_for(output: Path, precision: str | None) -> str:
    """Return the target that a file's ending and a precision mean."""
    from seglib.export.convert import TARGETS

    endings = {target.suffix for target in TARGETS.values() if target.suffix}
    ending = next((suffix for suffix in endings if output.name.endswith(suffix)), None)
    if ending is None:
        raise SeglibError(
            f"{output} must end in {', '.join(sorted(endings))}; rename it, or choose a --target"
        )
    fitting = {name: target for name, target in TARGETS.items() if target.suffix == ending}
    if len(fitting) == 1 and precision in (None, "float32"):
        return next(iter(fitting))
    for name, target in fitting.items():
        plain = "integer_io" not in target.fixed
        if target.fixed.get("precision") == (precision or "float16") and plain:
            return name
    known = [target.fixed.get("precision", "float32") for target in fitting.values()]
    raise SeglibError(
        f"unknown precision {precision!r} for {ending}; choose one of "
        f"{', '.join(dict.fromkeys(known))}"
    )


def weights_of(name: str) -> Path:
    """Return the weight file that `name` is, or the shipped one that it names."""
    from seglib import pretrained

    path = Path(name)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    return pretrained.path(name, shared.WEIGHTS)


def _add_audit(commands: Any) -> None:
    parser = commands.add_parser("audit", help="say what a phone's GPU would refuse in a .tflite")
    parser.add_argument("model", metavar="FILE", help=".tflite file or shipped name")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> int:
    from seglib.export.audit import audit

    found = audit(shared.model_file(options.model))
    if options.json:
        refusals = [refusal._asdict() for refusal in found.refusals]
        print(json.dumps({"ok": found.ok, "ops": found.ops, "refusals": refusals}))
    else:
        print(found.table())
    return 0 if found.ok else 1
