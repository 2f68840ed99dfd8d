"""Run a saved Core ML file on any system, operation by operation.

Core ML predicts on macOS and iOS only, so a package made on Linux would be shipped unseen. But an
`.mlpackage` holds its program in the open: a list of operations of Apple's model intermediate
language (MIL) and a file of weights. coremltools reads both back, and this module executes what it
read with NumPy and TensorFlow kernels. What it proves is that the file on disk, with its weights,
names and layout, computes the model's masks; how fast and with which rounding an Apple chip does
that, only the chip can tell. Sums are kept in float32 and each result is rounded to the type that
the package declares. The older `.mlmodel` format is executed by `coreml_layers`.

Source for the meaning of the operations: coremltools, MIL operation reference (iOS 15 opset).

Chapter: Core ML conversion.
"""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import MissingPackage, quiet
from seglib.export.coreml_layers import half_weights, run_layers
from seglib.export.mil_kernels import KERNELS
from seglib.export.proof import in_range


class Program:
    """A Core ML file loaded for execution.

    Attributes:
        path: the package or `.mlmodel` file.
        metadata: what `to_coreml` kept under the key `seglib`, or {}.
        kind: "mlprogram" or "neuralnetwork".
        precision: "float32"; "float16" where any operation computes in float16 or, in a neural
            network, where weights are kept so; "int8-weights" and "palettised" where weights are.
        takes: "picture" or "array".
        gives: "array" or "picture".
        input_shape: (H, W, 3) of the picture it takes.
    """

    def __init__(self, path: str | Path) -> None:
        """Read a file.

        Raises:
            SeglibError: coremltools is missing, the file is no Core ML model, or its one input is
                no picture and no array (1, H, W, 3).
        """
        self.path = Path(path)
        ct = import_coremltools()
        if not self.path.is_file() and not (self.path / "Manifest.json").is_file():
            raise SeglibError(
                f"{self.path} is no Core ML package; give a .mlpackage folder or .mlmodel file"
            )
        try:
            with quiet():
                package = ct.models.MLModel(str(self.path), skip_model_load=True)
                self._spec = package.get_spec()
                self.kind = {"mlProgram": "mlprogram", "neuralNetwork": "neuralnetwork"}.get(
                    self._spec.WhichOneof("Type"), "other"
                )
                if self.kind == "mlprogram":
                    self._function = _program(self._spec, package.weights_dir)
        except Exception as error:  # the readers raise many kinds; every one means "damaged"
            raise SeglibError(
                f"{self.path} cannot be read ({type(error).__name__}: {error}); export it again"
            ) from error
        if self.kind == "other":
            raise SeglibError(f"{self.path} is no ML program and no neural network; export it")
        described = self._spec.description
        kept = described.metadata.userDefined
        self.metadata: dict[str, Any] = json.loads(kept["seglib"]) if "seglib" in kept else {}
        self.takes, self.input_shape = self._read_input(described.input)
        self._input, self._outputs = described.input[0].name, [one.name for one in described.output]
        pictures = [one.type.WhichOneof("Type") == "imageType" for one in described.output]
        self.gives = "picture" if pictures[0] else "array"
        self.precision = self._read_precision()

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Run the file on one uint8 image (H, W, 3) and return every output as float32.

        An output of the kind picture is (1, 1, H, W) of whole numbers from 0 to 255.

        Raises:
            SeglibError: the image has another shape or type, or the file holds an operation which
                seglib does not know.
        """
        if image.dtype != np.uint8 or image.shape != self.input_shape:
            raise SeglibError(
                f"{self.path} takes a uint8 picture of shape {self.input_shape}, "
                f"not {image.dtype} of shape {image.shape}"
            )
        if self.takes == "picture":
            # Core ML holds a picture channels first, whatever the layout of the source framework.
            values = image.transpose(2, 0, 1)[None].astype(np.float32)
        else:
            values = in_range(image, tuple(self.metadata.get("value_range", (0, 255))))[None]
        if self.kind == "neuralnetwork":
            found = run_layers(self._spec.neuralNetwork, {self._input: values}, str(self.path))
        else:
            found = {self._input: values}
            for op in self._function.operations:
                self._execute(op, found)
        results = {name: found[name].astype(np.float32) for name in self._outputs}
        if self.gives == "picture":
            results = {name: np.rint(value).clip(0, 255) for name, value in results.items()}
        return results

    def masks(self, images: np.ndarray) -> np.ndarray:
        """Run on uint8 images (N, H, W, 3) and return the first output as (N, H, W, C), 0 to 1."""
        found = np.concatenate([self(image)[self._outputs[0]] for image in images])
        return found.transpose(0, 2, 3, 1) / 255 if self.gives == "picture" else found

    def _read_input(self, inputs: Any) -> tuple[str, tuple[int, int, int]]:
        kind = inputs[0].type.WhichOneof("Type") if len(inputs) == 1 else ""
        if kind == "imageType":
            picture = inputs[0].type.imageType
            return "picture", (picture.height, picture.width, 3)
        shape = tuple(inputs[0].type.multiArrayType.shape) if kind == "multiArrayType" else ()
        if len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
            raise SeglibError(f"{self.path} does not take one picture; export it with to_coreml")
        return "array", shape[1:]

    def _read_precision(self) -> str:
        if self.kind == "neuralnetwork":
            return "float16" if half_weights(self._spec.neuralNetwork) else "float32"
        types = {op.op_type for op in self._function.operations}
        if "constexpr_lut_to_dense" in types:
            return "palettised"
        if "constexpr_affine_dequantize" in types:
            return "int8-weights"
        halves = (
            _dtype(out) == np.float16 for op in self._function.operations for out in op.outputs
        )
        return "float16" if any(halves) else "float32"

    def _execute(self, op: Any, values: dict[str, np.ndarray]) -> None:
        result = op.outputs[0]
        if op.op_type == "const":
            values[result.name] = result.val
            return
        if op.op_type.startswith("constexpr"):  # compressed weights, unpacked when loaded
            values[result.name] = op.materialized_val_inference()
            return
        if op.op_type not in KERNELS:
            raise SeglibError(
                f"{self.path} holds the operation {op.op_type!r}, which seglib cannot execute; "
                "compare this package on a Mac with coremltools' predict"
            )
        arguments = {name: _value(given, values) for name, given in op.inputs.items()}
        values[result.name] = np.asarray(KERNELS[op.op_type](**arguments)).astype(_dtype(result))


def _program(spec: Any, weights: str) -> Any:
    """Return the main function of an ML program, with its weights."""
    from coremltools.converters.mil.frontend.milproto.load import load

    return load(spec, spec.specificationVersion, file_weights_dir=weights).functions["main"]


def run_coreml(path: str | Path, image: np.ndarray) -> dict[str, np.ndarray]:
    """Execute a saved file on one image: `{"mask": float32 (1, H, W, C)}`.

    For several images make one `Program` and call it, which reads the package once.

    Args:
        path: a `.mlpackage` or `.mlmodel` written by `to_coreml`.
        image: uint8 (H, W, 3) of the model's own size.

    Raises:
        SeglibError: see `Program`.
    """
    return Program(path)(image)


def import_coremltools() -> ModuleType:
    """Import coremltools without its notices about what it lacks outside macOS.

    Raises:
        SeglibError: it is not installed.
    """
    try:
        with quiet():
            import coremltools
    except ImportError as error:
        raise MissingPackage(
            f"coremltools cannot be imported ({error}); install it with pip install coremltools"
        ) from error
    return coremltools


def _value(given: Any, values: dict[str, np.ndarray]) -> Any:
    if given is None:
        return None
    if isinstance(given, (list, tuple)):
        return [_value(one, values) for one in given]
    return given.val if given.val is not None else values[given.name]


def _dtype(variable: Any) -> np.dtype:
    from coremltools.converters.mil.mil import types

    kind = variable.dtype
    return np.dtype(types.nptype_from_builtin(kind)) if types.is_scalar(kind) else np.dtype(object)
