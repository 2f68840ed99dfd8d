"""Open a model file and run it: one small class for each format, all with the same calls.

>>> engine = open_engine("portrait.tflite")
>>> engine.inputs[0].shape, engine.outputs[0].dtype
((1, 128, 128, 3), dtype('float32'))
>>> [mask] = engine.run(pixels)                 # (1, 128, 128, 3) -> (1, 128, 128, 1)

Engines take and return real numbers; what a file stores as integers is turned there and back. Here
are LiteRT and Keras; the others register themselves (`register_engine`).

Chapter: TFLite conversion.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.metadata import check_tflite, read_metadata
from seglib.registry import find_opener, register_engine

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model.

    Attributes:
        name: its name in the file.
        shape: its sides, the batch first; -1 where a side is free.
        dtype: what the file stores.
        scale: stored integers stand for scale * (integer - zero); 0 where they are not quantised.
        zero: see `scale`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float = 0.0
    zero: int = 0

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Turn real numbers into what the file stores."""
        if self.dtype.kind not in "iu":
            return values.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        steps = np.rint(values / (self.scale or 1) + self.zero)
        return steps.clip(limits.min, limits.max).astype(self.dtype)

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Turn what the file stores into real numbers, float32."""
        values = np.asarray(values)
        if self.dtype.kind not in "iu":
            return values.astype(np.float32, copy=False)
        return (values.astype(np.float32) - self.zero) * np.float32(self.scale or 1)


class Engine:
    """A model that is ready to run. The formats add `_run`: stored arrays in, stored arrays out.

    Attributes:
        name: the file, as errors call it.
        inputs, outputs: what goes in and comes out, in the order of `run`.
        metadata: what the file says about itself, None where it says nothing.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Keep what the formats find in the file."""
        self.name, self.metadata = name, metadata
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)

    def run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run once: an array of real numbers for each input, float32 for each output."""
        if len(arrays) != len(self.inputs):
            raise SeglibError(f"{self.name} has {len(self.inputs)} inputs; {len(arrays)} came")
        for tensor, array in zip(self.inputs, arrays, strict=True):
            pairs = zip(tensor.shape, array.shape, strict=False)
            if array.ndim != len(tensor.shape) or any(a not in (-1, b) for a, b in pairs):
                raise SeglibError(
                    f"{self.name} reads {tensor.name} of shape {tensor.shape}, not {array.shape}"
                )
        stored = [tensor.encode(a) for tensor, a in zip(self.inputs, arrays, strict=True)]
        try:
            found = self._run(stored)
        except Exception as error:  # each runtime has its own classes for what can go wrong
            raise SeglibError(
                f"{self.name} fails while running ({one_line(error)}); export it again"
            ) from error
        return [tensor.decode(a) for tensor, a in zip(self.outputs, found, strict=True)]

    def _run(self, arrays: list[np.ndarray]) -> Sequence[np.ndarray]:
        raise NotImplementedError

    @functools.cached_property
    def previous(self) -> Tensor | None:
        """The second input "previous", which takes the mask of the frame before, or None.

        A model has to have one picture (1, H, W, 3) or (1, 3, H, W) and one output beside it.
        """
        named = [tensor for tensor in self.inputs if "previous" in tensor.name.rpartition("/")[2]]
        previous = named[0] if len(self.inputs) == 2 and len(named) == 1 else None
        if len(self.inputs) != (2 if previous else 1) or len(self.outputs) != 1:
            raise SeglibError(
                f"{self.name} has {len(self.inputs)} inputs and {len(self.outputs)} outputs; a "
                "model with one picture as input and one output is expected"
            )
        return previous

    @functools.cached_property
    def image(self) -> Tensor:
        """The input that takes the picture."""
        return next(tensor for tensor in self.inputs if tensor is not self.previous)

    @functools.cached_property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        shape = self.image.shape
        if len(shape) != 4 or shape[0] not in (1, -1) or 3 not in shape[1::2] or min(shape[1:]) < 1:
            raise SeglibError(
                f"{self.name} has an input of shape {shape} where (1, height, width, 3) or "
                "(1, 3, height, width) is expected"
            )
        if shape[1] == shape[3]:
            raise SeglibError(f"{self.name} reads {shape}, of which either 3 may be the colours")
        return shape[2:] if shape[1] == 3 else shape[1:3]

    def run_image(self, image: np.ndarray, previous: np.ndarray | None = None) -> np.ndarray:
        """Return the only output (1, ...) for one picture.

        Args:
            image: (H, W, 3) of the model's size, numbers as the model reads them.
            previous: the output for the frame before, None for an empty mask; for a model that
                reads it.
        """
        planar = self.image_size == self.image.shape[2:]
        picture = image.transpose(2, 0, 1)[None] if planar else image[None]
        if self.previous is None:
            return self.run(picture)[0]
        shape = tuple(abs(side) for side in self.previous.shape)
        before = np.zeros(shape, np.float32) if previous is None else previous.reshape(shape)
        return self.run(*(before if one is self.previous else picture for one in self.inputs))[0]


class TFLiteEngine(Engine):
    """LiteRT, the interpreter that runs on phones. `interpreter` is LiteRT's own object."""

    def __init__(
        self,
        model: str | Path | bytes,
        threads: int = 1,
        delegate: bool = True,
        name: str = "the model",
    ) -> None:
        """Open a file, or the bytes of one, which errors call `name`.

        Args:
            model: the file or the bytes.
            threads: CPU threads.
            delegate: hand what it knows to XNNPACK, as LiteRT does by itself; without it, LiteRT's
                own kernels compute everything.
            name: see there.
        """
        name = name if isinstance(model, bytes) else str(model)
        # Looked at before the metadata, so that an empty file is called a model that is none.
        content = model if isinstance(model, bytes) else check_tflite(model)
        metadata = None if isinstance(model, bytes) else read_metadata(model)
        try:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError as error:
            raise SeglibError(
                f"{name} needs LiteRT to run; install it with: pip install ai-edge-litert"
            ) from error
        kernels = "AUTO" if delegate else "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
        try:
            self.interpreter = Interpreter(
                model_content=content,
                num_threads=threads,
                experimental_op_resolver_type=OpResolverType[kernels],
            )
            self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise SeglibError(
                f"{name} is damaged, cut short or not for LiteRT ({one_line(error)}); "
                "copy or export it again"
            ) from error
        self._given = self.interpreter.get_input_details()
        self._found = self.interpreter.get_output_details()
        inputs = [_tflite_tensor(one, "shape_signature") for one in self._given]
        super().__init__(name, inputs, [_tflite_tensor(one) for one in self._found], metadata)

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        for details, array in zip(self._given, arrays, strict=True):
            self.interpreter.set_tensor(details["index"], array)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(details["index"]) for details in self._found]


class KerasEngine(Engine):
    """Keras itself, with a model in memory or a whole model's `.keras` or `.h5` file."""

    def __init__(self, model: "keras.Model | str | Path", threads: int = 1) -> None:
        """Take a model, or load one; Keras' backend chooses the threads."""
        name = str(model) if isinstance(model, str | Path) else f"the model {model.name}"
        self.model = _load_keras(Path(model)) if isinstance(model, str | Path) else model
        if not getattr(self.model, "inputs", None):
            raise SeglibError(f"{name} has no fixed inputs; build it with keras.Input first")
        tensors = [
            [
                Tensor(t.name, tuple(-1 if n is None else n for n in t.shape), np.dtype(t.dtype))
                for t in some
            ]
            for some in (self.model.inputs, self.model.outputs)
        ]
        super().__init__(name, *tensors)

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        import keras

        names = [tensor.name for tensor in self.inputs]
        given = dict(zip(names, arrays, strict=True)) if len(names) > 1 else arrays[0]
        found = keras.tree.flatten(self.model(given, training=False))
        return [keras.ops.convert_to_numpy(one) for one in found]


def open_engine(path: str | Path, threads: int = 1) -> Engine:
    """Open a model file of any known format.

    Args:
        path: a `.tflite`, or a whole Keras model (`.keras`, `.h5`), or what else is registered.
        threads: CPU threads, where the format lets one choose.
    """
    if threads < 1:
        raise SeglibError(f"threads is {threads}; give 1 or more")
    return find_opener(Path(path))(Path(path), threads)


def run_images(model: Engine | str | Path, images: np.ndarray, threads: int = 1) -> np.ndarray:
    """Run a model on pictures as they are, without resizing, and return its raw outputs.

    `Segmenter` is for photos; this compares files. To a model that reads the mask of the frame
    before, the pictures are a film, whose first frame comes with an empty mask.

    Args:
        model: a file or an open engine, with one picture as input and one output.
        images: (N, H, W, 3) of the model's own size, numbers as the model reads them.
        threads: CPU threads for a file.

    Returns:
        float32 (N, ...), in the file's output layout.
    """
    engine = model if isinstance(model, Engine) else open_engine(model, threads)
    outputs, before = [], None
    for image in images:
        before = engine.run_image(image.astype(np.float32), before)
        outputs.append(before[0])
    return np.stack(outputs)


def one_line(error: Exception) -> str:
    """Return the beginning of an error's text without line breaks."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _tflite_tensor(details: dict[str, Any], shape: str = "shape") -> Tensor:
    sides = tuple(int(side) for side in details[shape])
    scale, zero = details["quantization"]
    return Tensor(details["name"], sides, np.dtype(details["dtype"]), float(scale), int(zero))


def _load_keras(path: Path) -> "keras.Model":
    if not path.is_file():
        raise SeglibError(f"there is no file {path}; give the path of a Keras model")
    if path.name.endswith(".weights.h5"):
        raise SeglibError(
            f"{path} holds weights alone; build the model with seglib.models.load and hand it to "
            "seglib.runtime.keras_segmenter"
        )
    try:
        import keras
    except ImportError as error:
        raise SeglibError(f"{path} needs Keras; install it with: pip install tensorflow") from error
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises what it finds: unknown layers, damaged zips, ...
        raise SeglibError(f"{path} cannot be loaded by Keras ({one_line(error)})") from error


register_engine(".tflite", TFLiteEngine)
register_engine(".keras", KerasEngine)
register_engine(".h5", KerasEngine)
