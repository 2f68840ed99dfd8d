"""Keras model to Core ML: a picture or an array in, a mask out, in the newer or the older format.

By default the result is an ML program (`.mlpackage`) for iOS 15, macOS 12 and later. Its input
`image` is an RGB picture: Core ML hands the values 0..255 on as they are (scale 1, bias 0), because
the model normalises them itself; a model that does not gets its scale and bias from `value_range`.
Its output `mask` is a multi-array (1, H, W, C) of probabilities, or a grey picture.

Core ML itself runs on Apple's systems only. `seglib.export.coreml_run` executes the saved file
anywhere, and every file is run that way on two images before it takes its name.

Source: coremltools (apple/coremltools), unified conversion of TensorFlow 2 concrete functions.

Chapter: Core ML conversion.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglib.errors import SeglibError
from seglib.export.converters import conversion_error, quiet
from seglib.export.coreml_convert import COMPRESSED, Form, convert
from seglib.export.coreml_run import Program, import_coremltools
from seglib.export.graph import Graph, check_model, facts, metadata_text
from seglib.export.proof import probe_images, problem_with

if TYPE_CHECKING:
    import coremltools
    import keras

SUFFIXES = {"mlprogram": ".mlpackage", "neuralnetwork": ".mlmodel"}
PRECISIONS = ("float32", "float16", *COMPRESSED)

# Mean absolute difference to Keras past which a package is broken and not merely rounded.
_BROKEN = {"float32": 0.01, "float16": 0.02, "int8-weights": 0.1, "palettised": 0.15}


def to_coreml(
    model: "keras.Model",
    path: str | Path,
    precision: str = "float16",
    metadata: dict[str, Any] | None = None,
    kind: str = "mlprogram",
    takes: str = "picture",
    gives: str = "array",
    value_range: tuple[float, float] = (0, 255),
    bits: int = 6,
) -> Path:
    """Write a segmentation model for Core ML and check that it still does its work.

    Args:
        model: input (None, H, W, 3), output (None, H, W, C) probabilities.
        path: what to write: a `.mlpackage` (a folder), or an `.mlmodel` file for the kind
            "neuralnetwork". An earlier one of this name is replaced once the new one is complete.
        precision: "float16" (weights and arithmetic; what the Neural Engine runs), "float32", or
            float16 arithmetic with compressed weights: "int8-weights" (one scale for each output
            channel) or "palettised" (indices into a table of `2**bits` values for each kernel).
            The two need iOS 16. A "neuralnetwork" takes "float32" or "float16", which there means
            the weights in the file.
        metadata: what to keep about the model. `author`, `licence`, `description` and `version`
            are shown by Xcode; everything, with size, value range, layout, first iOS version and
            the checksum of the weights, is kept as JSON under the user-defined key `seglib`.
        kind: "mlprogram" (iOS 15), or "neuralnetwork", the format before it (iOS 14).
        takes: "picture" (RGB, of any pixel format that Core ML can turn into it) or "array": a
            multi-array (1, H, W, 3) of values in `value_range`.
        gives: "array", or "picture": a grey picture, 0 to 255; for masks of one channel.
        value_range: what black and white are to the model: (0, 255) where it normalises the picture
            itself, (-1, 1) or (0, 1) for models of others. Core ML computes
            `scale * pixel + bias`, with scale = (white - black) / 255 and bias = black.
        bits: of "palettised": 1, 2, 4, 6 or 8.

    Returns:
        The path.

    Raises:
        SeglibError: an argument does not fit, coremltools is missing, the model cannot be
            converted, the file gives other masks than the model, or it cannot be written.
    """
    path = Path(path)
    form = Form(kind, precision, takes, gives, tuple(value_range), bits)
    _check_options(path, form)
    channels = check_model(model)[1][2]
    if gives == "picture" and channels != 1:
        raise SeglibError(
            f"the model {model.name} has {channels} output channels, and a grey picture has one; "
            "use gives='array'"
        )
    package, graph = _convert(model, form)
    known = facts(graph, precision, value_range=form.value_range)
    known |= {"minimum_ios": form.ios, "takes": takes, "gives": gives}
    _describe(package, {**(metadata or {}), **known}, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as folder:
            new = Path(folder) / path.name
            with quiet():
                package.save(str(new))
            images, limit = probe_images(graph.input_shape), _BROKEN[precision]
            problem = problem_with(graph, Program(new).masks, images, limit, form.value_range)
            if problem:
                raise SeglibError(
                    f"the Core ML conversion of {model.name} is broken ({problem}), so {path} was "
                    "not written; check the model's own masks, or use precision='float32'"
                )
            _replace(new, path, Path(folder) / f"earlier{path.suffix}")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SeglibError(
            f"cannot write {path} ({reason}); what stood there is unchanged, choose another place"
        ) from error
    return path


def _convert(model: "keras.Model", form: Form) -> tuple["coremltools.models.MLModel", Graph]:
    import_coremltools()
    log: list[str] = []
    try:
        with quiet() as log:
            return convert(model, form)
    except SeglibError:
        raise
    except Exception as error:  # the converter raises many kinds; every one means "cannot"
        raise conversion_error("Core ML", model, error, log) from error


def _describe(package: "coremltools.models.MLModel", metadata: dict[str, Any], path: Path) -> None:
    package.author = str(metadata.get("author", ""))
    package.license = str(metadata.get("licence", ""))
    package.short_description = str(metadata.get("description", metadata.get("name", "")))
    package.version = str(metadata.get("version", ""))
    low, high = metadata["value_range"]
    package.input_description["image"] = (
        "RGB picture, scaled to the model's size"
        if metadata["takes"] == "picture"
        else f"RGB values from {low:g} to {high:g}, (1, height, width, 3)"
    )
    what = "0 to 255" if metadata["gives"] == "picture" else "0 to 1"
    package.output_description["mask"] = f"Probability of each class, {what}, per pixel"
    package.user_defined_metadata["seglib"] = metadata_text(metadata, path)


def _replace(new: Path, path: Path, aside: Path) -> None:
    """Give `new` the name `path`; a package that stood there is lost only when that worked."""
    if path.exists():
        path.rename(aside)
    try:
        new.rename(path)
    except OSError:
        if aside.exists():
            aside.rename(path)
        raise


def _check_options(path: Path, form: Form) -> None:
    choices = {
        "kind": tuple(SUFFIXES),
        "precision": PRECISIONS if form.kind == "mlprogram" else PRECISIONS[:2],
        "takes": ("picture", "array"),
        "gives": ("array", "picture"),
        "bits": (1, 2, 4, 6, 8),
    }
    for name, known in choices.items():
        if getattr(form, name) not in known:
            raise SeglibError(
                f"unknown {name} {getattr(form, name)!r} for a Core ML {form.kind}; choose one of "
                f"{', '.join(map(str, known))}"
            )
    if len(form.value_range) != 2 or not form.value_range[0] < form.value_range[1]:
        raise SeglibError(f"value_range is {form.value_range}; give (black, white), black < white")
    suffix = SUFFIXES[form.kind]
    if path.suffix != suffix:
        raise SeglibError(f"{path} does not end in {suffix}; give the {form.kind} such a name")
    if path.suffix == ".mlpackage" and path.exists() and not (path / "Manifest.json").is_file():
        raise SeglibError(f"{path} exists and is no Core ML package; choose another name")
