"""Run a `.tflite` file with LiteRT as it is: no resizing, and integers on request.

`seglib.runtime` is for photos; this is for comparing files, picture by picture of the model's own
size.

Chapter: TFLite conversion.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import MissingPackage, quiet
from seglib.metadata import check_tflite

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


def run_tflite(path: str | Path, images: np.ndarray, threads: int = 1) -> np.ndarray:
    """Run a `.tflite` file on images as they are, without resizing, and return its raw output.

    To a file that reads the mask of the frame before, the images are a film, whose first frame
    comes with an empty mask.

    Args:
        path: a model with one image input of batch 1, or a second one "previous", and one output.
        images: uint8 (N, H, W, 3) of the model's own size.
        threads: number of CPU threads.

    Returns:
        float32 (N, ...), in the file's output layout; integer outputs are dequantised.

    Raises:
        SeglibError: the file cannot be read or run, or the images do not fit it.
    """
    return run_interpreter(open_interpreter(path, threads), images, str(path))


def open_interpreter(path: str | Path, threads: int = 1, delegate: bool = True) -> "Interpreter":
    """Return a LiteRT interpreter for a file, with its tensors allocated.

    Args:
        path: the file.
        threads: number of CPU threads.
        delegate: hand what it knows to XNNPACK, as LiteRT does by itself; without it, LiteRT's own
            kernels compute everything.

    Raises:
        SeglibError: the file is missing, damaged, no TFLite model, or holds an operation which
            LiteRT does not know.
    """
    return interpreter_of(check_tflite(path), str(path), threads, delegate)


def interpreter_of(
    content: bytes, name: str, threads: int = 1, delegate: bool = True
) -> "Interpreter":
    """Return an interpreter for a file's bytes; see `open_interpreter`.

    Args:
        content: the bytes.
        name: what errors call the file.
        threads: see `open_interpreter`.
        delegate: see `open_interpreter`.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise MissingPackage(
            f"{name} cannot be run without LiteRT; install it with pip install ai-edge-litert"
        ) from error
    try:
        with quiet():
            interpreter = Interpreter(
                model_content=content,
                num_threads=threads,
                experimental_op_resolver_type=OpResolverType.AUTO
                if delegate
                else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise SeglibError(
            f"{name} cannot be run ({' '.join(str(error).split())[:200]}); export it again"
        ) from error
    return interpreter


def run_interpreter(interpreter: "Interpreter", images: np.ndarray, name: str) -> np.ndarray:
    """Run an open interpreter on uint8 images (N, H, W, 3); see `run_tflite`."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    film = [entry for entry in inputs if is_previous(entry)] if len(inputs) == 2 else []
    if len(inputs) - len(film) != 1 or len(outputs) != 1:
        raise SeglibError(
            f"{name} has {len(inputs)} inputs and {len(outputs)} outputs; give a model with one "
            "of each"
        )
    source = next(entry for entry in inputs if not film or entry is not film[0])
    target = outputs[0]
    mask = np.zeros(film[0]["shape"], np.float32) if film else None
    expected = tuple(int(n) for n in source["shape"])
    if images.ndim != 4 or (1, *images.shape[1:]) != expected:
        raise SeglibError(f"{name} reads images of shape {expected}, not {images.shape[1:]}")
    masks = []
    for image in images[:, None].astype(np.float32):
        interpreter.set_tensor(source["index"], _quantised(image, source))
        for entry in film:
            before = _quantised(mask.reshape(entry["shape"]), entry)
            interpreter.set_tensor(entry["index"], before)
        try:
            interpreter.invoke()
        except RuntimeError as error:
            raise SeglibError(
                f"{name} cannot be run ({' '.join(str(error).split())[:200]}); export it again"
            ) from error
        mask = _dequantised(interpreter.get_tensor(target["index"]), target)
        masks.append(mask[0])
    return np.stack(masks)


def is_previous(tensor: dict[str, Any]) -> bool:
    """Tell whether an input tensor is the mask of the frame before, by its name."""
    return "previous" in tensor["name"].rpartition("/")[2]


def _quantised(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    dtype = np.dtype(tensor["dtype"])
    if dtype.kind == "f":
        return values.astype(dtype)
    scale, zero = tensor["quantization"]
    limits = np.iinfo(dtype)
    steps = np.round(values / scale) + zero if scale else values
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def _dequantised(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    scale, zero = tensor["quantization"]
    values = values.astype(np.float32)
    return (values - zero) * np.float32(scale) if scale else values
