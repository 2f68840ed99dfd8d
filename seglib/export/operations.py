"""The operations of a `.tflite` file, as a list that a person can read.

Reading a file needs no TensorFlow and runs nothing: what a delegate would make of the operations is
not asked here.

Chapter: the GPU delegate and flattened output.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglib.errors import SeglibError
from seglib.metadata import check_tflite


@dataclass(frozen=True)
class Op:
    """One operation of a `.tflite` file.

    Attributes:
        name: the operation, for example "CONV_2D"; custom operations have their own name.
        shape: shape of its first output.
        dtype: NumPy name of the output's type, for example "float32".
        inputs: types of its inputs, weights included.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    inputs: tuple[str, ...]


def ops(path: str | Path) -> list[Op]:
    """Return the operations of a `.tflite` file in the order they run, without TensorFlow.

    Raises:
        SeglibError: the file is missing or no TFLite model.
    """
    content = check_tflite(path)
    from ai_edge_litert.interpreter import Interpreter

    try:
        # Tensors are not allocated: a delegate would then replace the operations by its own.
        interpreter = Interpreter(model_content=content)
    except (ValueError, RuntimeError) as error:
        raise SeglibError(
            f"{path} cannot be read ({' '.join(str(error).split())[:200]}); export it again"
        ) from error
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    return [_op(details, tensors) for details in interpreter._get_ops_details()]


def _op(details: dict, tensors: dict[int, dict]) -> Op:
    output = tensors.get(int(details["outputs"][0])) if len(details["outputs"]) else None
    return Op(
        name=details["op_name"],
        shape=tuple(int(n) for n in output["shape"]) if output else (),
        dtype=np.dtype(output["dtype"]).name if output else "",
        inputs=tuple(
            np.dtype(tensors[int(index)]["dtype"]).name
            for index in details["inputs"]
            if int(index) in tensors
        ),
    )
