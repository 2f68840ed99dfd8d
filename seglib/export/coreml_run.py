"""Run a saved Core ML package on any system, operation by operation.

Core ML predicts on macOS and iOS only, so a package made on Linux would be shipped unseen. But an
`.mlpackage` holds its program in the open: a list of operations of Apple's model intermediate
language (MIL) and a file of weights. coremltools reads both back, and this module executes what it
read with NumPy and TensorFlow kernels. What it proves is that the file on disk, with its weights,
names and layout, computes the model's masks; how fast and with which rounding an Apple chip does
that, only the chip can tell. Sums are kept in float32 and each result is rounded to the type that
the package declares.

Source for the meaning of the operations: coremltools, MIL operation reference (iOS 15 opset).

Chapter: Core ML conversion.
"""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.graph import quiet
from seglib.export.mil_kernels import KERNELS


class Program:
    """A Core ML package loaded for execution.

    Attributes:
        path: the package.
        metadata: what `to_coreml` kept under the key `seglib`, or {}.
        precision: "float16" where any operation computes in float16, else "float32".
        input_shape: (H, W, 3) of the picture it takes.
    """

    def __init__(self, path: str | Path) -> None:
        """Read a package.

        Raises:
            SeglibError: coremltools is missing, the folder is no ML program, or its one input is
                no picture.
        """
        self.path = Path(path)
        ct = import_coremltools()
        if not (self.path / "Manifest.json").is_file():
            raise SeglibError(f"{self.path} is no Core ML package; give a .mlpackage folder")
        try:
            with quiet():
                from coremltools.converters.mil.frontend.milproto.load import load

                package = ct.models.MLModel(str(self.path), skip_model_load=True)
                spec = package.get_spec()
                program = load(
                    spec, spec.specificationVersion, file_weights_dir=package.weights_dir
                )
        except Exception as error:  # the readers raise many kinds; every one means "damaged"
            raise SeglibError(
                f"{self.path} cannot be read ({type(error).__name__}: {error}); export it again"
            ) from error
        inputs = spec.description.input
        if len(inputs) != 1 or inputs[0].type.WhichOneof("Type") != "imageType":
            raise SeglibError(f"{self.path} does not take one picture; export it with to_coreml")
        self._input = inputs[0].name
        self._function = program.functions["main"]
        picture = inputs[0].type.imageType
        self.input_shape = (picture.height, picture.width, 3)
        kept = spec.description.metadata.userDefined
        self.metadata: dict[str, Any] = json.loads(kept["seglib"]) if "seglib" in kept else {}
        halves = (
            _dtype(out) == np.float16 for op in self._function.operations for out in op.outputs
        )
        self.precision = "float16" if any(halves) else "float32"

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Run the program on one uint8 image (H, W, 3) and return every output as float32.

        Raises:
            SeglibError: the image has another shape or type, or the program holds an operation
                which this module does not know.
        """
        if image.dtype != np.uint8 or image.shape != self.input_shape:
            raise SeglibError(
                f"{self.path} takes a uint8 picture of shape {self.input_shape}, "
                f"not {image.dtype} of shape {image.shape}"
            )
        # Core ML holds a picture channels first, whatever the layout of the source framework.
        values = {self._input: image.transpose(2, 0, 1)[None].astype(np.float32)}
        for op in self._function.operations:
            self._execute(op, values)
        return {out.name: values[out.name].astype(np.float32) for out in self._function.outputs}

    def masks(self, images: np.ndarray) -> np.ndarray:
        """Run on uint8 images (N, H, W, 3) and return the first output as (N, ...)."""
        name = self._function.outputs[0].name
        return np.concatenate([self(image)[name] for image in images])

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


def run_coreml(path: str | Path, image: np.ndarray) -> dict[str, np.ndarray]:
    """Execute a saved package on one image: `{"mask": float32 (1, H, W, C)}`.

    For several images make one `Program` and call it, which reads the package once.

    Args:
        path: a `.mlpackage` written by `to_coreml`.
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
        raise SeglibError(
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
