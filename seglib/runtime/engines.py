"""Open a model file and run it: one small class for each format, all with the same calls.

>>> engine = open_engine("portrait.tflite")
>>> engine.inputs[0].shape, engine.outputs[0].dtype
((1, 128, 128, 3), dtype('float32'))
>>> [mask] = engine.run(pixels)                 # (1, 128, 128, 3) -> (1, 128, 128, 1)

Engines take and return real numbers: what a file stores as integers or float16 is turned there and
back. LiteRT and Keras are here; files of other formats are opened by other rooms, see
`seglib.registry`.

Chapter: TFLite conversion.
"""

import functools
from collections.abc import Iterable
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
    """An input or output: its name, its sides (-1 where free) and what the file stores.

    Stored integers stand for `scale * (integer - zero)`; `scale` is 0 where they are not quantised.
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
        if self.dtype.kind not in "iu":
            return values.astype(np.float32, copy=False)
        return (values.astype(np.float32) - self.zero) * np.float32(self.scale or 1)


class Engine:
    """A model that is ready to run. A format adds `_run`: what is stored in, what is stored out.

    Attributes:
        name: the file, as errors call it.
        inputs, outputs: what goes into `run` and comes out of it, in order.
        metadata: what the file says about itself, None where it says nothing.
    """

    def __init__(
        self,
        name: str,
        inputs: Iterable[Tensor],
        outputs: Iterable[Tensor],
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Keep what a format found in the file."""
        self.name, self.metadata = name, metadata
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        for tensor in self.inputs + self.outputs:
            if tensor.dtype.kind not in "buif":
                raise SeglibError(
                    f"{name} has {tensor.name} of type {tensor.dtype}; export it as float32"
                )

    def run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run once: an array of real numbers for each input, float32 for each output."""
        try:
            found = self._run([one.encode(a) for one, a in zip(self.inputs, arrays, strict=True)])
        except SeglibError:
            raise
        except Exception as error:  # every runtime has exceptions of its own
            wanted, given = [one.shape for one in self.inputs], [array.shape for array in arrays]
            raise SeglibError(
                f"{self.name} reads {wanted} and fails on {given} ({one_line(error)}); give it "
                "inputs of its shape, or export it again"
            ) from error
        return [one.decode(a) for one, a in zip(self.outputs, found, strict=True)]

    @functools.cached_property
    def previous(self) -> Tensor | None:
        """The second input, where it is called "previous": the mask of the frame before."""
        named = [one for one in self.inputs if "previous" in one.name.rpartition("/")[2]]
        previous = named[0] if len(self.inputs) == 2 and len(named) == 1 else None
        if len(self.inputs) - (previous is not None) != 1 or len(self.outputs) != 1:
            raise SeglibError(
                f"{self.name} has {len(self.inputs)} inputs and {len(self.outputs)} outputs; a "
                "model of one picture and one mask is expected"
            )
        reads, gives = previous and previous.shape, self.outputs[0].shape
        # A flat output is unfolded; others are handed back as they are.
        if reads and reads != gives and (len(gives) != 2 or np.prod(reads) != np.prod(gives)):
            raise SeglibError(
                f"{self.name} reads a mask before of shape {reads} and gives one of {gives}; "
                "export it with seglib.export.to_tflite"
            )
        return previous

    @functools.cached_property
    def image(self) -> Tensor:
        """The input that takes the picture, (1, H, W, 3) or (1, 3, H, W)."""
        image = next(one for one in self.inputs if one is not self.previous)
        batch, *sides = image.shape
        if batch not in (1, -1) or len(sides) != 3 or min(sides) < 1 or sides[::2].count(3) != 1:
            raise SeglibError(
                f"{self.name} has an input of shape {image.shape} where (1, height, width, 3) or "
                "(1, 3, height, width) is expected"
            )
        return image

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.image.shape[2:] if self.image.shape[1] == 3 else self.image.shape[1:3]

    def run_image(self, image: np.ndarray, previous: np.ndarray | None = None) -> np.ndarray:
        """Return the only output (1, ...) for one picture (H, W, 3), in numbers as the model reads.

        `previous` is the output for the frame before, None for an empty mask; it is not used where
        the model reads none.
        """
        picture = image[None] if self.image.shape[3] == 3 else image.transpose(2, 0, 1)[None].copy()
        if self.previous is None:
            return self.run(picture)[0]
        before = np.zeros(np.abs(self.previous.shape), np.float32)
        if previous is not None:
            before = previous.reshape(before.shape)
        return self.run(*(picture if one is self.image else before for one in self.inputs))[0]


class TFLiteEngine(Engine):
    """LiteRT, the interpreter that runs on phones; `interpreter` is LiteRT's own object."""

    def __init__(
        self, model: str | Path | bytes, threads: int = 1, delegate: bool = True, name: str = ""
    ) -> None:
        """Open a file, or the bytes of one, which errors call `name`.

        Without `delegate` nothing is handed to XNNPACK: LiteRT's own kernels compute everything.
        """
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        metadata = None
        if not isinstance(model, bytes):
            # Looked at before the metadata, so that an empty file is called a model that is none.
            name, path, model = str(model), model, check_tflite(model)
            metadata = read_metadata(path)
        kernels = "AUTO" if delegate else "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
        try:
            self.interpreter = Interpreter(
                model_content=model,
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
        # A free side is -1 in the signature, and 1 where it is run.
        inputs = (_tflite_tensor(one, "shape_signature") for one in self._given)
        super().__init__(name, inputs, (_tflite_tensor(one) for one in self._found), metadata)

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        for details, array in zip(self._given, arrays, strict=True):
            self.interpreter.set_tensor(details["index"], array)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(details["index"]) for details in self._found]


class KerasEngine(Engine):
    """A Keras model in memory; Keras' backend chooses the threads.

    Files are opened by `seglib.models.build.open_engine`.
    """

    def __init__(
        self, model: "keras.Model", metadata: dict[str, Any] | None = None, name: str = ""
    ) -> None:
        """Take a model, which errors call `name`."""
        name = name or f"the model {model.name}"
        if not getattr(model, "inputs", None):
            raise SeglibError(f"{name} has no fixed inputs; build it from keras.Input")
        self.model = model
        inputs, outputs = (map(_keras_tensor, some) for some in (model.inputs, model.outputs))
        super().__init__(name, inputs, outputs, metadata)

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        import keras

        names = [one.name for one in self.inputs]
        given = arrays[0] if len(names) == 1 else dict(zip(names, arrays, strict=True))
        found = keras.tree.flatten(self.model(given, training=False))
        return [keras.ops.convert_to_numpy(one) for one in found]


def open_engine(path: str | Path, threads: int = 1) -> Engine:
    """Open a model file: a `.tflite`, a Keras file, or what else is registered.

    Args:
        path: the file, or the folder of a format that is one.
        threads: CPU threads, where the format lets one choose.
    """
    if threads < 1:
        raise SeglibError(f"threads is {threads}; give 1 or more")
    return find_opener(Path(path))(Path(path), threads)


def run_images(model: Engine | str | Path, images: np.ndarray, threads: int = 1) -> np.ndarray:
    """Run a model on pictures as they are, to compare files; `Segmenter` is for photos.

    To a model that reads the mask of the frame before, the pictures are a video, whose first frame
    comes with an empty mask.

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
    return " ".join(str(error).split())[:200]


def _tflite_tensor(details: dict[str, Any], shape: str = "shape") -> Tensor:
    sides = tuple(int(side) for side in details[shape])
    scale, zero = details["quantization"]
    return Tensor(details["name"], sides, np.dtype(details["dtype"]), float(scale), int(zero))


def _keras_tensor(tensor: "keras.KerasTensor") -> Tensor:
    # NumPy has no bfloat16.
    dtype = np.dtype(tensor.dtype.replace("bfloat16", "float32"))
    return Tensor(tensor.name, tuple(side or -1 for side in tensor.shape), dtype)


register_engine(".tflite", TFLiteEngine)
