"""The calls of coremltools behind `to_coreml`: one traced graph, in each of Core ML's forms.

A picture input has scale and bias, a picture output is a grey image of the values 0..255 that has
to lie as (1, 1, H, W), compressed weights need iOS 16, and the old neural network format needs iOS
14 for bilinear upsampling with half-pixel centres. All of that is decided here.

Source: coremltools (apple/coremltools), unified conversion and `optimize.coreml`. The palette is
found with Lloyd's k-means in one dimension (Lloyd 1982; for weights: Han et al. 2016, "Deep
Compression").

Chapter: Core ML conversion.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.export.coreml_run import import_coremltools
from seglib.export.graph import Graph, trace

if TYPE_CHECKING:
    import coremltools
    import keras
    import tensorflow as tf

COMPRESSED = ("int8-weights", "palettised")

# Tensors smaller than this stay as they are: biases would lose more than they could save.
_SMALL = 512


@dataclass(frozen=True)
class Form:
    """What a Core ML file shall be.

    Attributes:
        kind: "mlprogram" or "neuralnetwork".
        precision: "float32", "float16", "int8-weights" or "palettised".
        takes: "picture" or "array".
        gives: "array" or "picture".
        value_range: what black and white are to the model.
        bits: of an index into the palette.
    """

    kind: str
    precision: str
    takes: str
    gives: str
    value_range: tuple[float, float]
    bits: int

    @property
    def ios(self) -> int:
        """The first iOS that runs the file."""
        if self.kind == "neuralnetwork":
            return 14
        return 16 if self.precision in COMPRESSED else 15


def convert(model: "keras.Model", form: Form) -> tuple["coremltools.models.MLModel", Graph]:
    """Return the model in its form, with its output named `mask`, and the graph it came from."""
    ct = import_coremltools()
    graph = trace(model, finish=_as_picture if form.gives == "picture" else None)
    options: dict[str, Any] = {}
    if form.kind == "mlprogram":
        half = form.precision != "float32"
        options["compute_precision"] = ct.precision.FLOAT16 if half else ct.precision.FLOAT32
    if form.gives == "picture":
        options["outputs"] = [ct.ImageType(color_layout=ct.colorlayout.GRAYSCALE)]
    package = ct.convert(
        [graph.function],
        source="tensorflow",
        inputs=[_input(form, graph.input_shape)],
        convert_to=form.kind,
        minimum_deployment_target=getattr(ct.target, f"iOS{form.ios}"),
        skip_model_load=True,
        **options,
    )
    package = _compressed(package, form)
    # The converter names the output after a TensorFlow node ("Identity").
    spec = package.get_spec()
    ct.utils.rename_feature(spec, spec.description.output[0].name, "mask")
    renamed = ct.models.MLModel(spec, weights_dir=package.weights_dir, skip_model_load=True)
    return renamed, graph


def palette(bits: int) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return a function from weights to `2**bits` values and each weight's index among them.

    k-means in one dimension from evenly spread quantiles, so the same weights always give the same
    palette.
    """

    def find(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = np.sort(np.asarray(weights, np.float32).ravel())
        centres = np.quantile(values, (np.arange(2**bits) + 0.5) / 2**bits)
        sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        for _ in range(30):
            # Sorted values belong to the nearest centre: cut half-way between two centres.
            cuts = np.searchsorted(values, (centres[1:] + centres[:-1]) / 2)
            ends = np.concatenate([[0], cuts, [len(values)]])
            counts = np.diff(ends)
            means = np.diff(sums[ends]) / np.maximum(counts, 1)
            centres = np.where(counts > 0, means, centres)
        edges = (centres[1:] + centres[:-1]) / 2
        indices = np.searchsorted(edges, np.asarray(weights, np.float32).ravel())
        return centres.astype(weights.dtype), indices.astype(np.uint8)

    return find


def _input(form: Form, shape: tuple[int, int, int]) -> Any:
    ct = import_coremltools()
    if form.takes == "array":
        return ct.TensorType(name="image", shape=(1, *shape))
    low, high = form.value_range
    return ct.ImageType(
        name="image",
        shape=(1, *shape),
        color_layout=ct.colorlayout.RGB,
        scale=(high - low) / 255,
        bias=[float(low)] * 3,
    )


def _compressed(package: "coremltools.models.MLModel", form: Form) -> "coremltools.models.MLModel":
    ct = import_coremltools()
    if form.kind == "neuralnetwork":
        if form.precision == "float32":
            return package
        from coremltools.models.neural_network.quantization_utils import quantize_weights

        return ct.models.MLModel(_spec(quantize_weights(package, 16)), skip_model_load=True)
    if form.precision not in COMPRESSED:
        return package
    import coremltools.optimize.coreml as optimize

    if form.precision == "int8-weights":
        chosen = optimize.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=_SMALL)
        return optimize.linear_quantize_weights(package, optimize.OptimizationConfig(chosen))
    chosen = optimize.OpPalettizerConfig(
        mode="custom", lut_function=palette(form.bits), weight_threshold=_SMALL
    )
    return optimize.palettize_weights(package, optimize.OptimizationConfig(chosen))


def _spec(package: Any) -> Any:
    """Return the specification, which some of coremltools' functions hand over outside macOS."""
    return package.get_spec() if hasattr(package, "get_spec") else package


def _as_picture(mask: "tf.Tensor") -> "tf.Tensor":
    """Turn (1, H, W, 1), 0..1, into what Core ML takes for a grey picture: (1, 1, H, W), 0..255."""
    import tensorflow as tf

    return tf.transpose(mask, (0, 3, 1, 2)) * 255.0
