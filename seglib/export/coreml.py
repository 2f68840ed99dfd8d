"""Keras model to a Core ML package (`.mlpackage`) which takes a picture and gives a named mask.

The package is an ML program for iOS 15, macOS 12 and later. Its input `image` is an RGB picture:
Core ML hands the values 0..255 on as they are (scale 1, bias 0), because the model normalises them
itself. Its output `mask` is a multi-array (1, H, W, C) of probabilities.

Core ML itself runs on Apple's systems only. `seglib.export.coreml_run` executes the saved package
anywhere, and every package is run that way on two images before it takes its name.

Source: coremltools (apple/coremltools), unified conversion of TensorFlow 2 concrete functions.

Chapter: Core ML conversion.
"""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglib.errors import SeglibError
from seglib.export.coreml_run import Program, import_coremltools
from seglib.export.graph import (
    Graph,
    conversion_error,
    facts,
    probe_images,
    problem_with,
    quiet,
    trace,
)

if TYPE_CHECKING:
    import coremltools
    import keras

PRECISIONS = ("float32", "float16")

# Mean absolute difference to Keras past which a package is broken and not merely rounded.
_BROKEN = {"float32": 0.01, "float16": 0.02}


def to_coreml(
    model: "keras.Model",
    path: str | Path,
    precision: str = "float16",
    metadata: dict[str, Any] | None = None,
) -> Path:
    """Write a segmentation model as a Core ML package and check that it still does its work.

    Args:
        model: input (None, H, W, 3) of raw values 0..255, output (None, H, W, C) probabilities.
        path: the package (a folder) to write, ending in `.mlpackage`. An earlier package of this
            name is replaced once the new one is complete.
        precision: "float16" (weights and arithmetic; what the Neural Engine runs) or "float32".
        metadata: what to keep about the model. `author`, `licence`, `description` and `version`
            are shown by Xcode; everything, with size, value range, layout and the checksum of the
            weights, is kept as JSON under the user-defined key `seglib`.

    Returns:
        The path of the package.

    Raises:
        SeglibError: an argument does not fit, coremltools is missing, the model cannot be
            converted, the package gives other masks than the model, or it cannot be written.
    """
    path = Path(path)
    _check_options(path, precision)
    package, graph = _convert(model, precision)
    _describe(package, {**(metadata or {}), **facts(graph, precision, flat=False)}, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as folder:
            new = Path(folder) / path.name
            with quiet():
                package.save(str(new))
            problem = problem_with(
                graph, Program(new).masks, probe_images(graph.input_shape), _BROKEN[precision]
            )
            if problem:
                raise SeglibError(
                    f"the Core ML conversion of {model.name} is broken ({problem}), so {path} was "
                    "not written; check the model's own masks, or use precision='float32'"
                )
            _replace(new, path, Path(folder) / "earlier.mlpackage")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SeglibError(
            f"cannot write {path} ({reason}); what stood there is unchanged, choose another place"
        ) from error
    return path


def _convert(model: "keras.Model", precision: str) -> tuple["coremltools.models.MLModel", Graph]:
    ct = import_coremltools()
    log: list[str] = []
    try:
        with quiet() as log:
            graph = trace(model)
            package = ct.convert(
                [graph.function],
                source="tensorflow",
                inputs=[
                    ct.ImageType(
                        name="image",
                        shape=(1, *graph.input_shape),
                        color_layout=ct.colorlayout.RGB,
                        scale=1.0,
                        bias=[0.0, 0.0, 0.0],
                    )
                ],
                convert_to="mlprogram",
                minimum_deployment_target=ct.target.iOS15,
                compute_precision=getattr(ct.precision, precision.upper()),
                skip_model_load=True,
            )
            # The converter names the output after a TensorFlow node ("Identity").
            spec = package.get_spec()
            ct.utils.rename_feature(spec, spec.description.output[0].name, "mask")
            renamed = ct.models.MLModel(spec, weights_dir=package.weights_dir, skip_model_load=True)
            return renamed, graph
    except SeglibError:
        raise
    except Exception as error:  # the converter raises many kinds; every one means "cannot"
        raise conversion_error("Core ML", model, error, log) from error


def _describe(package: "coremltools.models.MLModel", metadata: dict[str, Any], path: Path) -> None:
    package.author = str(metadata.get("author", ""))
    package.license = str(metadata.get("licence", ""))
    package.short_description = str(metadata.get("description", metadata.get("name", "")))
    package.version = str(metadata.get("version", ""))
    package.input_description["image"] = "RGB picture, scaled to the model's size"
    package.output_description["mask"] = "Probability of each class, 0 to 1, per pixel"
    try:
        package.user_defined_metadata["seglib"] = json.dumps(metadata, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise SeglibError(
            f"the metadata for {path} does not fit into JSON ({error}); "
            "use text, numbers, lists and dicts"
        ) from error


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


def _check_options(path: Path, precision: str) -> None:
    if path.suffix != ".mlpackage":
        raise SeglibError(f"{path} does not end in .mlpackage; give the package such a name")
    if precision not in PRECISIONS:
        raise SeglibError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if path.exists() and not (path / "Manifest.json").is_file():
        raise SeglibError(f"{path} exists and is no Core ML package; choose another name")
