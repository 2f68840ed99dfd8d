"""Keras model to Core ML: an image or an array in, a mask out, in the newer or the older format.

By default the result is an ML program (`.mlpackage`) for iOS 15, macOS 12 and later, from the RGB
image `image` to the multi-array `mask` (1, H, W, C) of probabilities. Core ML itself runs on
Apple's systems only; `seglib.export.coreml_run` executes the saved file anywhere, and every ML
program is run that way on two images before it takes its name.

Source: coremltools (apple/coremltools), unified conversion of TensorFlow 2 concrete functions and
`optimize.coreml`, whose palettes come from k-means (Han et al. 2016, "Deep Compression").

Chapter: Core ML conversion.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack
from unittest import mock

from seglib.errors import SeglibError
from seglib.export.converters import converting, import_package, named, quiet, verify
from seglib.export.coreml_run import Program
from seglib.export.graph import Graph, Reading, facts, metadata_text, trace

if TYPE_CHECKING:
    import coremltools
    import keras
    import tensorflow as tf

SUFFIXES = {"mlprogram": ".mlpackage", "neuralnetwork": ".mlmodel"}
PRECISIONS = ("float32", "float16", "int8-weights", "palettised")

# Tensors smaller than this stay as they are: biases would lose more than they could save.
_SMALL = 512


def to_coreml(
    model: "keras.Model",
    path: str | Path,
    precision: str = "float16",
    metadata: dict[str, Any] | None = None,
    kind: str = "mlprogram",
    input_type: str = "image",
    output_type: str = "array",
    bits: int = 6,
    **reading: Unpack[Reading],
) -> Path:
    """Write a segmentation model for Core ML and check that it still does its work.

    An ML program that seglib cannot execute is written all the same, with a warning that names the
    operation; so is a "neuralnetwork", which it never executes.

    Args:
        model, reading: as in `to_tflite`. In an image input the reading becomes Core ML's
            scale * pixel + bias: scale = (white - black) / 255 / std, bias = (black - mean) / std.
        path: a `.mlpackage` (a folder), or an `.mlmodel` file for the kind "neuralnetwork". What
            stood there is replaced once the new one is complete.
        precision: "float16" (weights and arithmetic; what the Neural Engine runs), "float32", or
            float16 arithmetic with compressed weights: "int8-weights" (one scale for each output
            channel) or "palettised" (indices into a table of `2**bits` values for each kernel).
            The two need iOS 16. A "neuralnetwork" takes "float32" or "float16", which there means
            the weights in the file.
        metadata: what to keep about the model, as JSON under the user-defined key `seglib`. Xcode
            shows `author`, `licence`, `description` and `version`.
        kind: "mlprogram" (iOS 15), or "neuralnetwork", the format before it (iOS 14).
        input_type: "image" (of any pixel format that Core ML can turn into RGB) or "array": a
            multi-array (1, H, W, 3) of the values that the model reads.
        output_type: "array", or "image": a grey image, 0 to 255; for masks of one channel.
        bits: of "palettised": 1, 2, 4, 6 or 8.
    """
    for name, value, known in (
        ("kind", kind, tuple(SUFFIXES)),
        ("precision", precision, PRECISIONS if kind == "mlprogram" else PRECISIONS[:2]),
        ("input_type", input_type, ("image", "array")),
        ("output_type", output_type, ("array", "image")),
        ("bits", bits, (1, 2, 4, 6, 8)),
    ):
        if value not in known:
            raise SeglibError(
                f"unknown {name} {value!r} for a Core ML {kind}; choose one of "
                f"{', '.join(map(str, known))}"
            )
    path = named(path, SUFFIXES[kind])
    if path.suffix == ".mlpackage" and path.exists() and not (path / "Manifest.json").is_file():
        raise SeglibError(f"{path} exists and is no Core ML package; choose another name")

    ios = 14 if kind == "neuralnetwork" else 15 if precision in PRECISIONS[:2] else 16
    import_package("coremltools")
    import tensorflow as tf

    def inline(body: Any = None, **options: Any) -> Any:
        return (lambda plain: plain) if options.get("jit_compile") else function(body, **options)

    # Keras wraps grouped convolutions into functions for XLA, and coremltools knows no calls.
    function = tf.function
    with converting("Core ML", model), mock.patch.object(tf, "function", inline):
        finish = {"array": None, "image": _as_grey_image}[output_type]
        graph = trace(model, finish, metadata=metadata, **reading)
        if output_type == "image" and graph.output_shape[2] != 1:
            raise SeglibError(
                f"the model {model.name} has {graph.output_shape[2]} output channels, and a grey "
                "image has one; use output_type='array'"
            )
        package = _converted(graph, kind, precision, ios, input_type, output_type, bits)
    types = {"input_type": input_type, "output_type": output_type}
    known = {**facts(graph, precision), "minimum_ios": ios, **types}
    # What Xcode shows.
    package.author, package.license = str(known.get("author", "")), str(known.get("licence", ""))
    package.short_description = str(known.get("description", known.get("name", "")))
    package.version = str(known.get("version", ""))
    order = "RGB" if input_type == "image" else known["channels"].upper()
    package.input_description["image"] = f"{order} {input_type} of the model's size"
    top = 255 if output_type == "image" else 1
    package.output_description["mask"] = f"Probability of each class, 0 to {top}, per pixel"
    package.user_defined_metadata["seglib"] = metadata_text(known, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as folder:
            new, earlier = Path(folder, path.name), Path(folder, f"earlier{path.suffix}")
            with quiet():
                package.save(str(new))
            verify(graph, lambda: Program(new, name=path), path, precision)
            if path.exists():
                path.rename(earlier)
            new.rename(path)
    except (OSError, RuntimeError) as error:
        raise SeglibError(f"cannot write {path} ({error}); choose another place") from error
    return path


def _converted(
    graph: Graph, kind: str, precision: str, ios: int, input_type: str, output_type: str, bits: int
) -> "coremltools.models.MLModel":
    """Return what coremltools makes of a traced model, its output named `mask`."""
    import coremltools as ct
    import coremltools.optimize.coreml as optimize
    from coremltools.converters.mil import Builder, register_tf_op
    from coremltools.models.neural_network.quantization_utils import quantize_weights

    @register_tf_op(tf_alias=["Erfc"], override=True)  # of GELU
    def erfc(context: Any, node: Any) -> None:
        other = Builder.erf(x=context[node.inputs[0]])
        context.add(node.name, Builder.sub(x=1.0, y=other, name=node.name))

    @register_tf_op(tf_alias=["Expm1"], override=True)  # of CELU
    def expm1(context: Any, node: Any) -> None:
        other = Builder.exp(x=context[node.inputs[0]])
        context.add(node.name, Builder.sub(x=other, y=1.0, name=node.name))

    function, source = graph.function, ct.TensorType("image", (1, *graph.input_shape))
    if input_type == "image":
        function, source = _image_input(graph)
    options: dict[str, Any] = {}
    if kind == "mlprogram":
        half = precision != "float32"
        options["compute_precision"] = ct.precision.FLOAT16 if half else ct.precision.FLOAT32
    if output_type == "image":
        options["outputs"] = [ct.ImageType(color_layout=ct.colorlayout.GRAYSCALE)]
    package = ct.convert(
        [function],
        source="tensorflow",
        inputs=[source],
        convert_to=kind,
        minimum_deployment_target=getattr(ct.target, f"iOS{ios}"),
        skip_model_load=True,
        **options,
    )
    if kind == "neuralnetwork" and precision == "float16":
        package = quantize_weights(package, 16)
    elif precision == "int8-weights":
        chosen = optimize.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=_SMALL)
        package = optimize.linear_quantize_weights(package, optimize.OptimizationConfig(chosen))
    elif precision == "palettised":
        chosen = optimize.OpPalettizerConfig(mode="kmeans", nbits=bits, weight_threshold=_SMALL)
        package = optimize.palettize_weights(package, optimize.OptimizationConfig(chosen))
    # Some of these hand over the specification alone where they do not run on a Mac.
    weights = getattr(package, "weights_dir", None)
    spec = package.get_spec() if hasattr(package, "get_spec") else package
    # The converter names the output after a TensorFlow node ("Identity").
    ct.utils.rename_feature(spec, spec.description.output[0].name, "mask")
    return ct.models.MLModel(spec, weights_dir=weights, skip_model_load=True)


def _image_input(graph: Graph) -> tuple["tf.types.experimental.ConcreteFunction", Any]:
    """Return the function and Core ML's image that together read as the model is said to."""
    import coremltools as ct
    import tensorflow as tf

    low, high = graph.metadata["value_range"]
    mean, std = graph.metadata.get("mean", [0.0] * 3), graph.metadata.get("std", [1.0] * 3)
    function, divisor = graph.function, std[0]
    if len(set(std)) > 1:  # Core ML has one scale for all channels: divide inside the file
        divisor = 1.0
        signature = [tf.TensorSpec((1, *graph.input_shape), tf.float32, name="image")]
        divided = tf.function(lambda image: graph.function(image / std), input_signature=signature)
        function = divided.get_concrete_function()
    image = ct.ImageType(
        name="image",
        shape=(1, *graph.input_shape),
        color_layout=getattr(ct.colorlayout, graph.metadata["channels"].upper()),
        scale=(high - low) / 255 / divisor,
        bias=[(low - value) / divisor for value in mean],
    )
    return function, image


def _as_grey_image(mask: "tf.Tensor") -> "tf.Tensor":
    """Turn (1, H, W, 1), 0..1, into (1, 1, H, W), 0..255."""
    import keras

    return keras.ops.transpose(mask, (0, 3, 1, 2)) * 255.0
