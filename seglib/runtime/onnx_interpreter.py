"""An `.onnx` file behind the calls that LiteRT's interpreter has, so that `Segmenter` runs both.

Chapter: TFLite conversion.
"""

from pathlib import Path
from typing import Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.onnx import onnx_metadata, open_session


class OnnxInterpreter:
    """ONNX Runtime on the CPU, one picture (1, H, W, 3) or (1, 3, H, W) in, one output.

    Attributes:
        metadata: what `seglib.export.to_onnx` kept in the file, or None.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Open a file.

        Raises:
            SeglibError: onnxruntime is missing, or the file is missing, damaged or no ONNX model.
        """
        self._session = open_session(path, str(path), threads)
        self.metadata = onnx_metadata(self._session)
        # Channels first is turned round here, so that callers know one layout.
        self._planar = [_is_planar(given.shape) for given in self._session.get_inputs()]
        self._given: dict[int, np.ndarray] = {}
        self._found: list[np.ndarray] = []
        self._path = path

    def get_input_details(self) -> list[dict[str, Any]]:
        """Describe the inputs as LiteRT does, channels last."""
        given = self._session.get_inputs()
        shapes = [_last(one.shape) if _is_planar(one.shape) else one.shape for one in given]
        return [_details(i, one.type, shapes[i]) for i, one in enumerate(given)]

    def get_output_details(self) -> list[dict[str, Any]]:
        """Describe the outputs as LiteRT does."""
        outputs = self._session.get_outputs()
        return [_details(i, one.type, one.shape) for i, one in enumerate(outputs)]

    def set_tensor(self, index: int, values: np.ndarray) -> None:
        """Hand over an input, channels last."""
        self._given[index] = values.transpose(0, 3, 1, 2) if self._planar[index] else values

    def invoke(self) -> None:
        """Run the model.

        Raises:
            SeglibError: the model fails while it runs.
        """
        names = [one.name for one in self._session.get_inputs()]
        try:
            self._found = self._session.run(None, {names[i]: v for i, v in self._given.items()})
        except Exception as error:  # onnxruntime has an exception class for each kind of failure
            raise SeglibError(
                f"{self._path} fails while running ({' '.join(str(error).split())[:160]}); "
                "export it again"
            ) from error

    def get_tensor(self, index: int) -> np.ndarray:
        """Return an output."""
        return self._found[index]


def _is_planar(shape: list[Any]) -> bool:
    return len(shape) == 4 and shape[1] == 3 and shape[3] != 3


def _last(shape: list[Any]) -> list[Any]:
    return [shape[0], shape[2], shape[3], shape[1]]


def _details(index: int, kind: str, shape: list[Any]) -> dict[str, Any]:
    types = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}
    # A free dimension has a name, or none: LiteRT writes -1 in a signature and 1 in a shape.
    sides = [side if isinstance(side, int) else -1 for side in shape]
    return {
        "index": index,
        "dtype": types.get(kind, np.object_),
        "shape_signature": np.array(sides),
        "shape": np.array([max(side, 1) for side in sides]),
        "quantization": (0.0, 0),
    }
