"""The command line: `seglib demo`, `train`, `eval`, `convert`, `benchmark`, `models` and `data`.

Each command reads its options, calls the library and prints; what it does can be done in Python
with the same functions. A mistake that the user can mend is one sentence on the standard error and
exit code 2. Heavy libraries are imported by the commands that need them, so `seglib --help` is
quick.

Chapters: quick start; training on Colab; TFLite conversion; Core ML conversion.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seglib
from seglib import cli_data, cli_options
from seglib.errors import SeglibError

if TYPE_CHECKING:
    from seglib.postprocess import PostprocessConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: done; 1: a check found something to mend; 2: a mistake; 130: interrupted.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        arguments = sys.argv[1:] if arguments is None else list(arguments)
        options = _parser(arguments).parse_args(arguments)
        with _short_warnings():
            return options.run(options) or 0
    except SeglibError as error:
        return _failed(error)
    except ModuleNotFoundError as error:
        if error.name not in ("keras", "tensorflow", "coremltools"):
            raise
        return _failed(
            f"this command needs {error.name}; install it with: pip install {error.name}"
        )
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        return _failed(f"cannot use{place} ({error.strerror or error}); choose another place")
    except KeyboardInterrupt:
        return 130


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seglib", description="Portrait and hair segmentation for phones."
    )
    parser.add_argument("--version", action="version", version=seglib.__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_demo(commands)
    # The options of networks and training are read off their configs, which takes Keras.
    _add_train(commands, with_configs="train" in arguments)
    _add_eval(commands)
    _add_convert(commands)
    _add_audit(commands)
    _add_benchmark(commands)
    _add_models(commands)
    cli_data.add_parser(commands, complete="data" in arguments)
    return parser


def _add_demo(commands: Any) -> None:
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
    cli_options.add_model(parser, required=False, text=".tflite file or shipped name [the task's]")
    parser.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> None:
    from seglib.images import read_image, write_image
    from seglib.postprocess import Pipeline

    for name in ("background",) if options.task == "hair" else ("color", "strength"):
        if getattr(options, name) is not None:
            raise SeglibError(f"--{name} does not go with --task {options.task}; leave it out")
    config = _demo_config(options)
    picture = Path(options.background) if config.effect in ("replace", "clone") else None
    _keep(options.output, options.image, picture)
    photo = read_image(options.image)
    scene = None if picture is None else read_image(picture)
    segment = cli_options.segmenter(options, options.model or options.task)
    # The network's own small mask where it is to be had: enlarging it is the pipeline's work.
    mask = getattr(segment, "raw", segment)(photo)
    frame = Pipeline(config)(photo, mask, scene)
    print(f"wrote {write_image(options.output, frame)}")


def _demo_config(options: argparse.Namespace) -> "PostprocessConfig":
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


def _add_train(commands: Any, with_configs: bool) -> None:
    parser = commands.add_parser(
        "train", help="train a network; the same command goes on after a stop"
    )
    cli_options.add_data(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="the run's folder"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="pictures a step [32]")
    parser.add_argument(
        "--augment",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="vary the pictures from epoch to epoch [on]",
    )
    parser.set_defaults(run=_train)
    if with_configs:
        from seglib.models import UNetConfig
        from seglib.training import TrainConfig

        cli_options.add_fields(parser, UNetConfig, leave_out=("labels",))
        cli_options.add_fields(parser, TrainConfig)


def _train(options: argparse.Namespace) -> None:
    import keras

    from seglib import models
    from seglib.data import AugmentConfig, Batches
    from seglib.training import TrainConfig, fit

    if options.batch_size < 1:
        raise SeglibError(f"--batch-size is {options.batch_size}; give 1 or more")
    config = cli_options.from_fields(TrainConfig, options)
    train = cli_options.dataset(options.data, "train", options.kind)
    val = cli_options.dataset(options.data, "val", options.kind)
    network = cli_options.from_fields(models.UNetConfig, options, labels=(train.kind,))
    keras.utils.set_random_seed(config.seed)
    model = models.mobile_unet(network)
    augment = AugmentConfig() if options.augment else None
    photos, masks = train.arrays(network.size)
    if masks.min() == masks.max():
        raise SeglibError(
            f"{options.data}: its {len(train)} {train.kind} masks hold one class only; "
            "add photos whose masks mark something and leave something out"
        )
    batches = Batches(photos, masks, options.batch_size, network.size, augment, config.seed, True)
    checks = Batches(*val.arrays(network.size), options.batch_size, network.size)
    print(f"{train.name}: {len(train)} photos to learn from, {len(val)} to check on")
    history = fit(model, batches, checks, config, options.output)
    weights = models.save(model, network, options.output / f"model{cli_options.WEIGHTS}")
    best = ", ".join(f"{name} {value:.4g}" for name, value in history.best.items())
    print(f"best epoch: {best}\nwrote {weights}")


def _add_eval(commands: Any) -> None:
    parser = commands.add_parser("eval", help="score a model on a data set")
    cli_options.add_model(parser, text=f".tflite or {cli_options.WEIGHTS} file, or shipped name")
    cli_options.add_data(parser)
    parser.add_argument("--split", default="val", help="train, val or all [val]")
    parser.add_argument("--json", action="store_true", help="print all scores as JSON")
    parser.set_defaults(run=_eval)


def _eval(options: argparse.Namespace) -> None:
    from seglib.evaluation import evaluate

    segment = cli_options.segmenter(options, options.model)
    dataset = cli_options.dataset(options.data, options.split, options.kind)
    scores = evaluate(segment, dataset, progress=sys.stderr.isatty())
    if options.json:
        facts = {"model": options.model, "data": scores.dataset, "kind": scores.kind}
        facts |= {"split": dataset.split, "count": len(dataset)}
        print(json.dumps({**facts, "means": scores.means, "rows": scores.rows}))
        return
    print(
        f"{options.model} on {scores.dataset} ({scores.kind}, {dataset.split}): "
        f"{len(dataset)} photos"
    )
    for name, value in scores.means.items():
        print(f"{name:>14} {value:.4f}")
    worst = ", ".join(f"{row['stem']} ({row['iou']:.2f})" for row in scores.worst(3))
    print(f"lowest IoU: {worst}")


def _add_convert(commands: Any) -> None:
    parser = commands.add_parser("convert", help="turn trained weights into a file for phones")
    parser.add_argument(
        "--model", required=True, metavar=f"X{cli_options.WEIGHTS}", help="trained weights"
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
    _keep(options.output, Path(options.model))
    config = models.load_config(options.model)
    metadata = {**cli_options.card_beside(Path(options.model)), "labels": list(config.labels)}
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

    found = audit(cli_options.model_file(options.model))
    if options.json:
        refusals = [dataclasses.asdict(refusal) for refusal in found.refusals]
        print(json.dumps({"ok": found.ok, "ops": found.ops, "refusals": refusals}))
    else:
        print(found.table())
    return 0 if found.ok else 1


def _add_benchmark(commands: Any) -> None:
    parser = commands.add_parser("benchmark", help="measure how long models take, turn by turn")
    cli_options.add_model(parser, text=".tflite file or shipped name", more=False)
    parser.add_argument(
        "--compare", nargs="+", default=[], metavar="FILE", help="other models, in the same run"
    )
    parser.add_argument("--runs", type=int, default=100, help="measured runs [100]")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads [1]")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.set_defaults(run=_benchmark)


def _benchmark(options: argparse.Namespace) -> None:
    from seglib.benchmark import compare

    files = [cli_options.model_file(name) for name in (options.model, *options.compare)]
    comparison = compare(files, options.runs, options.threads)
    if options.json:
        print(json.dumps([dataclasses.asdict(row) for row in comparison.rows]))
    else:
        print(comparison.table())


def _add_models(commands: Any) -> None:
    parser = commands.add_parser("models", help="list the shipped weights and their terms")
    parser.set_defaults(run=_models)


def _models(_options: argparse.Namespace) -> None:
    from seglib import pretrained

    for name in pretrained.list_models():
        print(f"{name}: {pretrained.card(name)['terms']}")


def _keep(output: Path, *inputs: Path | None) -> None:
    """Refuse an output that is one of the inputs, under whatever name."""
    for file in inputs:
        if file is not None and file.exists() and output.exists() and output.samefile(file):
            raise SeglibError(f"{output} is an input and would be lost; choose another --output")


@contextlib.contextmanager
def _short_warnings() -> Iterator[None]:
    """Print a warning as one line, without the line of code that gave it."""

    def show(message: Any, *_details: Any, **_more: Any) -> None:
        print(f"seglib: note: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.showwarning = show
        yield


def _failed(error: object) -> int:
    print(f"seglib: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
