"""Run a saved Core ML package on any system, operation by operation.

Core ML predicts on Apple's systems only, but an `.mlpackage` holds its program in the open: a list
of operations of Apple's model intermediate language (MIL) and a file of weights. coremltools reads
both back, and this module executes what it read: convolution, pooling, normalisation and resizing
with the kernels of `mil_kernels`, everything else with the reference that coremltools itself has
for folding constants. That proves that the file on disk computes the model's masks; how fast and
with which rounding an Apple chip does that, only the chip can tell. Sums are kept in float32 and
each result is rounded to the type that the package declares.

The older `.mlmodel` format is read here, but not executed.

Chapter: Core ML conversion.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import Unavailable, import_package, quiet
from seglib.export.mil_kernels import KERNELS
from seglib.runtime.engines import Engine, Tensor, one_line, run_images
from seglib.runtime.reading import model_input

_ON_A_MAC = "compare the file on a Mac with coremltools' predict"


class Program(Engine):
    """A Core ML file opened for execution.

    Core ML itself scales an image, orders its colours and gives a grey image; so to an engine an
    input of type "image" reads RGB from 0 to 255, and every output is (1, H, W, C) from 0 to 1.

    Attributes:
        kind: "mlprogram" or "neuralnetwork".
        precision: as recorded; "float16", coremltools' own choice, where nothing is.
        input_type, output_type: "image" or "array".
        recorded: what the file says of the model; `metadata` says what the engine reads.
    """

    def __init__(self, path: str | Path, threads: int = 1, name: str | Path | None = None) -> None:
        """Read a `.mlpackage` folder or an `.mlmodel` file, which errors call `name`.

        NumPy and TensorFlow choose the threads.
        """
        path, name, ct = Path(path), str(name or path), import_package("coremltools")
        try:
            with quiet():
                package = ct.models.MLModel(str(path), skip_model_load=True)
                self._spec = package.get_spec()
        except Exception as error:  # the readers raise many kinds; every one means "damaged"
            raise SeglibError(
                f"{name} cannot be read ({one_line(error)}); give a .mlpackage or .mlmodel"
            ) from error
        self.kind = (self._spec.WhichOneof("Type") or "").lower()
        described = self._spec.description
        inputs, outputs = (
            [_tensor(one) for one in part] for part in (described.input, described.output)
        )
        known = self.kind in ("mlprogram", "neuralnetwork") and len(inputs) == len(outputs) == 1
        if not known or len(inputs[0].shape) != 4 or inputs[0].shape[::3] != (1, 3):
            raise SeglibError(f"{name} makes no mask of one image; export it with to_coreml")
        if self.kind == "mlprogram":
            self._function = _function(self._spec, package.weights_dir)
        (image,), (mask,) = described.input, described.output
        self.input_type, self.output_type = (
            "image" if one.type.HasField("imageType") else "array" for one in (image, mask)
        )
        colours = image.type.imageType
        self._bgr = colours.colorSpace == colours.ColorSpace.Value("BGR")
        self.recorded = metadata = json.loads(described.metadata.userDefined.get("seglib", "{}"))
        if self.input_type == "image":
            metadata = {k: v for k, v in metadata.items() if k not in ("mean", "std")}
            metadata |= {"value_range": [0, 255], "channels": "rgb"}
        self.precision = self.recorded.get("precision", "float16")
        super().__init__(name, inputs, outputs, metadata)

    def masks(self, images: np.ndarray) -> np.ndarray:
        """Run on uint8 RGB images (N, H, W, 3) and return the masks as (N, H, W, C), 0 to 1."""
        return run_images(self, model_input(images, self.metadata))

    def _run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        if self.kind == "neuralnetwork":
            raise Unavailable(f"seglib does not execute the older neural network; {_ON_A_MAC}")
        (image,) = arrays
        if image.shape != self.inputs[0].shape:
            raise ValueError("another shape")
        if self.input_type == "image":
            # Core ML holds an image channels first, whatever the layout of the source framework.
            image = (image[..., ::-1] if self._bgr else image).transpose(0, 3, 1, 2)
        values = {self.inputs[0].name: image}
        for op in self._function.operations:
            _execute(op, values, self._function.opset_version)
        found = [values[tensor.name] for tensor in self.outputs]
        if self.output_type == "image":
            found = [np.rint(x).clip(0, 255).transpose(0, 2, 3, 1) / 255 for x in found]
        return found


def _function(spec: Any, weights: str) -> Any:
    """Return the main function of an ML program, with its weights."""
    from coremltools.converters.mil.frontend.milproto.load import load

    try:
        with quiet():
            program = load(spec, spec.specificationVersion, file_weights_dir=weights)
    except Exception as error:  # an operation that this coremltools does not read back
        raise Unavailable(
            f"coremltools cannot read its program back ({one_line(error)}); {_ON_A_MAC}"
        ) from error
    return program.functions["main"]


def _tensor(described: Any) -> Tensor:
    """Describe an input or output as an engine takes or gives it."""
    image, shape = described.type.imageType, tuple(described.type.multiArrayType.shape)
    if described.type.HasField("imageType"):
        grey = image.colorSpace == image.ColorSpace.Value("GRAYSCALE")
        shape = (1, image.height, image.width, 1 if grey else 3)
    return Tensor(described.name, shape, np.dtype(np.float32))


def _execute(op: Any, values: dict[str, np.ndarray], opset: Any) -> None:
    """Compute one operation and add its results to the values, in the types that are declared."""
    if op.op_type == "const":
        return
    if op.op_type.startswith("constexpr"):  # compressed weights, unpacked when loaded
        results = [op.materialized_val_inference()]
    else:
        arguments = {name: _value(given, values) for name, given in op.inputs.items()}
        arguments = {name: value for name, value in arguments.items() if value is not None}
        try:
            with np.errstate(all="ignore"):
                if op.op_type in KERNELS:
                    results = [KERNELS[op.op_type](**arguments)]
                else:
                    results = _reference(op.op_type, arguments, opset)
        except Exception as error:  # whatever it is, this package has to be tried on a Mac
            raise Unavailable(
                f"seglib cannot execute its operation {op.op_type!r} ({one_line(error)}); "
                f"{_ON_A_MAC}"
            ) from error
    for result, value in zip(op.outputs, results, strict=True):
        values[result.name] = np.asarray(value).astype(_dtype(result))


def _reference(name: str, arguments: dict[str, Any], opset: Any) -> list[np.ndarray]:
    """Compute an operation as coremltools does where it folds constants."""
    from coremltools.converters.mil import Builder
    from coremltools.converters.mil.mil import Function

    with Function({}, opset_version=opset):
        found = getattr(Builder, name)(**arguments)
    results = [one.val for one in (found if isinstance(found, (list, tuple)) else [found])]
    if any(value is None for value in results):
        raise NotImplementedError("there is no kernel for it")
    return results


def _value(given: Any, values: dict[str, Any]) -> Any:
    """Return an argument of an operation, float16 as float32."""
    if isinstance(given, (list, tuple)):
        return [_value(one, values) for one in given]
    value = None if given is None else given.val if given.val is not None else values[given.name]
    if isinstance(value, np.bool_):
        return bool(value)
    return value.astype(np.float32) if getattr(value, "dtype", None) == np.float16 else value


def _dtype(variable: Any) -> np.dtype:
    from coremltools.converters.mil.mil import types

    kind = variable.dtype
    return np.dtype(types.nptype_from_builtin(kind)) if types.is_scalar(kind) else np.dtype(object)
