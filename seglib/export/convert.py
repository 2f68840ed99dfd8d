"""One call for every format: `convert(model, "coreml-float16", "portrait.mlpackage")`.

Every writer fixes the batch at 1, calls input and output `image` and `mask`, keeps the metadata in
the file or beside it, runs the result beside the Keras model and only then gives it its name.

Chapter: TFLite conversion.
"""

import csv
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seglib.errors import SeglibError
from seglib.export.coreml import SUFFIXES, to_coreml
from seglib.export.graph import Reading
from seglib.export.ncnn import to_ncnn
from seglib.export.onnx import to_graphdef, to_onnx, to_savedmodel
from seglib.export.tflite import to_tflite
from seglib.files import atomic_path, read_text

if TYPE_CHECKING:
    import keras

_WEIGHTS = ".weights.h5"


class Target(NamedTuple):
    """One way to write a model."""

    write: Callable[..., Path]
    suffix: str  # of the file, "" for a folder
    about: str
    fixed: dict[str, Any]  # arguments of `write` that make it this target
    options: tuple[str, ...]  # what else may be given


def _target(write: Callable[..., Path], suffix: str, about: str, *own: str, **fixed: Any) -> Target:
    return Target(write, suffix, about, fixed, (*own, *Reading.__annotations__))


def _tflite(precision: str, about: str, *own: str, **fixed: Any) -> Target:
    return _target(to_tflite, ".tflite", about, "flat", *own, precision=precision, **fixed)


def _coreml(precision: str, about: str, *own: str, **fixed: Any) -> Target:
    suffix, own = SUFFIXES[fixed.get("kind", "mlprogram")], ("input_type", "output_type", *own)
    return _target(to_coreml, suffix, about, *own, precision=precision, **fixed)


TARGETS = {
    "tflite-float32": _tflite("float32", "as trained"),
    "tflite-float16": _tflite("float16", "half the size"),
    "tflite-dynamic": _tflite("dynamic", "int8 weights, inputs quantised on the fly"),
    "tflite-int8": _tflite("int8", "integers inside, floats at both ends", "representative"),
    "tflite-int8-io": _tflite(
        "int8", "integers from end to end", "representative", integer_io=True
    ),
    "tflite-int8-weights": _tflite("int8-weights", "int8 weights, float32 arithmetic"),
    "coreml-float32": _coreml("float32", "ML program, iOS 15"),
    "coreml-float16": _coreml("float16", "ML program, iOS 15; the Neural Engine's"),
    "coreml-int8-weights": _coreml("int8-weights", "ML program, iOS 16"),
    "coreml-palettised": _coreml("palettised", "ML program, iOS 16; indices into tables", "bits"),
    "coreml-neuralnetwork": _coreml("float32", "the older format, iOS 14", kind="neuralnetwork"),
    "coreml-neuralnetwork-float16": _coreml(
        "float16", "the older format, float16 weights, iOS 14", kind="neuralnetwork"
    ),
    "onnx": _target(to_onnx, ".onnx", "ONNX Runtime, browsers", "channels_first"),
    "ncnn-float32": _target(to_ncnn, ".ncnn.param", "with a .bin beside it", precision="float32"),
    "ncnn-float16": _target(to_ncnn, ".ncnn.param", "with a .bin beside it", precision="float16"),
    "graphdef": _target(to_graphdef, ".pb", "frozen graph, for older tools"),
    "savedmodel": _target(to_savedmodel, "", "TensorFlow's folder"),
}


def convert(
    model: "keras.Model | str | Path",
    target: str,
    path: str | Path,
    metadata: dict[str, Any] | None = None,
    batch: int | None = 1,
    **options: Any,
) -> Path:
    """Write a model as one of `TARGETS`.

    Args:
        model: a Keras model, its weights (`X.weights.h5` with the config beside it), or the name of
            a shipped model.
        target: a key of `TARGETS`.
        path: the file or folder to write.
        metadata: what to keep about the model. With weights their name, labels and, from a card
            beside them, task and terms are filled in.
        batch: pictures at once; only 1 is written, since GPU delegates refuse a free batch.
        options: of the target, see `TARGETS[target].options` and the writers, for example
            `representative=` for "tflite-int8" or `output_type="image"` for Core ML.
    """
    chosen = target_named(target)
    unknown = [name for name in options if name not in chosen.options]
    if unknown:
        known = ", ".join(chosen.options)
        raise SeglibError(f"{target} has no option {', '.join(unknown)}; its options: {known}")
    if batch != 1:
        raise SeglibError(
            f"batch is {batch}, but GPU delegates refuse a free or larger one; leave it at 1"
        )
    if isinstance(model, (str, Path)):
        model, known = _open(model)
        metadata = {**known, **(metadata or {})}
    return chosen.write(model, path, metadata=metadata, **chosen.fixed, **options)


def benchmark_grid(
    folder: str | Path,
    target: str = "coreml-float16",
    sizes: Sequence[int] = (224, 192, 160, 128),
    widths: Sequence[float] = (1.0, 0.75, 0.5, 0.25),
    network: str = "transpose_unet",
    **options: Any,
) -> list[Path]:
    """Write untrained models of every size and width, to measure on a device before training one.

    A network that is too slow for a phone need not be trained. The idea and the default grid are
    those of mobile-semantic-segmentation (coreml-converter-bench.py, 2017).

    Args:
        folder: where the files go, and `grid.csv`, which lists them with their parameters and
            multiply-accumulates; made when missing.
        target: a key of `TARGETS`.
        sizes: sides of the square input in pixels.
        widths: width multipliers of the encoder.
        network: a name of `seglib.models.list()` whose network has a width.
        options: of the target.
    """
    from seglib import models

    suffix = target_named(target).suffix
    folder, rows, paths = Path(folder), [], []
    for size, width in itertools.product(sizes, widths):
        model = models.build(network, size=size, width=width)
        name = f"{network}_{size}_{width:g}"
        about = {"name": name, "description": "untrained: for measuring time only"}
        paths.append(convert(model, target, folder / f"{name}{suffix}", about, **options))
        macs = models.cost(model).macs
        rows.append((paths[-1].name, size, width, model.count_params(), macs))
    with atomic_path(folder / "grid.csv") as temporary:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("file", "size", "width", "parameters", "macs"), *rows])
    return paths


def target_named(name: str) -> Target:
    """Return an entry of `TARGETS`; the error for another name lists them all."""
    if name not in TARGETS:
        raise SeglibError(f"there is no target {name!r}; choose one of {', '.join(TARGETS)}")
    return TARGETS[name]


def _open(name: str | Path) -> tuple["keras.Model", dict[str, Any]]:
    """Return the model behind a weight file or a shipped name, and what is known about it."""
    from seglib import models, pretrained

    weights = Path(name)
    if not weights.exists() and len(weights.parts) == 1 and not weights.suffix:
        weights = pretrained.path(str(name), _WEIGHTS)
    config, model = models.load_config(weights), models.load(weights)
    known: dict[str, Any] = {"name": weights.name.removesuffix(_WEIGHTS)}
    card = weights.with_name(f"{known['name']}.card.json")
    if card.is_file():
        content, terms = json.loads(read_text(card)), ("task", "licence", "terms", "training_data")
        known |= {key: content[key] for key in terms if key in content}
    return model, {**known, "labels": list(config.labels)}
