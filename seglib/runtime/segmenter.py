"""Run a `.tflite` segmentation model on photos of any size: photo in, mask of the same size out.

The file says for itself what it needs: size and number type of its input are in the model, range of
values, layout of the output and labels in the metadata which our exports put in the file. Nobody
has to know how the network was trained, and a wrong normalisation, which cost an older project six
points of IoU unnoticed (Portrait-Segmentation by anilsathyan7, measured for the book), cannot
happen. LiteRT, the interpreter, is the one that runs on phones.

A file with a second input called "previous" reads the mask of the frame before; the `Segmenter`
keeps that mask from call to call.

Chapters: TFLite conversion; real-time video.
"""

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, resize
from seglib.metadata import check_tflite, read_metadata
from seglib.runtime.tensors import dequantise, is_previous, one_line, quantise

# Room for rounding in float16 and int8 files; a file that gives logits is far outside.
_SLACK = 0.05


class Segmenter:
    """A segmentation model that is called like a function.

    >>> segmenter = Segmenter("portrait.tflite")
    >>> mask = segmenter(photo)          # uint8 H x W x 3 -> float32 H x W in [0, 1]

    One `Segmenter` may be shared between threads; calls then wait for each other.

    Where the network reads the mask of the frame before (`remembers`), calls are taken for the
    frames of one film, in order: each gets the mask of the call before. The first call, one with a
    photo of another size, and the one after `reset` get an empty mask. Give each film a `Segmenter`
    of its own, and call `reset` between photos that have nothing to do with each other.

    Attributes:
        path: the model file.
        info: the file's metadata, empty where it has none.
        size: (height, width) of the model's input.
        labels: a name for each output channel, empty where the file names none.
        remembers: whether the network reads its own mask of the frame before.
    """

    def __init__(
        self,
        path: str | Path,
        threads: int = 1,
        channel: int | str | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        """Load a model file.

        Args:
            path: a `.tflite` or `.onnx` file with one RGB image input (1, H, W, 3) and one output:
                (1, h, w), (1, h, w, C) or flat (1, h*w*C), row by row; float or 8-bit integers. A
                `.tflite` may have a second input "previous", shaped as the output (1, h, w, C).
            threads: CPU threads. One is often the fastest for networks as small as these.
            channel: which output channel is the mask, by number or label. Needed where there are
                several.
            value_range: what black and white are to the model. By default the metadata says, and a
                file without metadata is taken to read 0 to 255, with a warning.

        Raises:
            SeglibError: the file is missing, empty, damaged, no TFLite model, or a model of another
                kind.
        """
        self.path = Path(path)
        if threads < 1:
            raise SeglibError(f"threads is {threads}; give 1 or more")
        self._interpreter, metadata = self._open(threads)
        self.info: dict[str, Any] = metadata or {}
        self.labels: tuple[str, ...] = tuple(self.info.get("labels", ()))
        self._lock = threading.Lock()
        inputs = self._interpreter.get_input_details()
        before = [tensor for tensor in inputs if is_previous(tensor)] if len(inputs) == 2 else []
        inputs = [tensor for tensor in inputs if not before or tensor is not before[0]]
        self._input = self._only(inputs, "inputs")
        self._output = self._only(self._interpreter.get_output_details(), "outputs")
        self.size = self._input_size()
        self._output_shape = self._find_output_shape()
        self._previous = self._only(before, "masks before") if before else None
        self.remembers = self._previous is not None
        if self.remembers and tuple(self._previous["shape"]) != (1, *self._output_shape):
            raise self._unusable(
                f"reads a mask before of shape {tuple(map(int, self._previous['shape']))} and "
                f"gives one of {(1, *self._output_shape)}"
            )
        self._seen: tuple[int, ...] | None = None
        self.reset()
        self._channel = self._find_channel(channel)
        self._low, self._high = self._find_range(value_range, metadata)

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """Return the mask of `photo` (uint8 RGB, H x W x 3) as float32 in [0, 1], H x W.

        The photo is stretched to the model's size and the mask is brought back, both with
        half-pixel centres.

        Raises:
            SeglibError: not an image, or the model gives something other than probabilities.
        """
        photo = as_image(photo, "photo")
        return resize(self.raw(photo), photo.shape[:2])

    def raw(self, photo: np.ndarray) -> np.ndarray:
        """Return the mask at the model's own output size, float32 in [0, 1], h x w.

        Raises:
            SeglibError: as for a call.
        """
        photo = as_image(photo, "photo")
        image = resize(photo, self.size).astype(np.float32)
        image = self._low + image * ((self._high - self._low) / 255)
        with self._lock:
            if self.remembers:
                self._recall(photo.shape)
            self._interpreter.set_tensor(
                self._input["index"], quantise(image[None].astype(np.float32), self._input)
            )
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                raise self._unusable(f"fails while running: {one_line(error)}") from error
            values = dequantise(self._interpreter.get_tensor(self._output["index"]), self._output)
            masks = values.reshape(self._output_shape)
            mask = masks[..., self._channel]
            # Written so that NaN, which fails every comparison, is refused as well.
            if not (mask.min() >= -_SLACK and mask.max() <= 1 + _SLACK):
                raise self._unusable(
                    f"gives values from {mask.min():g} to {mask.max():g} where probabilities from "
                    "0 to 1 are expected"
                )
            if self.remembers:
                self._before = masks.clip(0, 1)
        return mask.clip(0, 1)

    def reset(self) -> None:
        """Forget the mask of the frame before: the next call is that of a first frame.

        Without such a mask (`remembers` is false) there is nothing to forget.
        """
        with self._lock:
            self._before: np.ndarray | None = None

    def _recall(self, shape: tuple[int, ...]) -> None:
        """Hand the network its last mask, or an empty one where the film is another."""
        if self._before is None or shape != self._seen:
            self._before = np.zeros(self._output_shape, np.float32)
        self._seen = shape
        given = quantise(self._before[None], self._previous)
        self._interpreter.set_tensor(self._previous["index"], given)

    def __repr__(self) -> str:
        """Return the file and the input size, as a notebook shows it."""
        height, width = self.size
        return f"Segmenter({self.path.name!r}, input {width}x{height})"

    def _open(self, threads: int) -> tuple[Any, dict[str, Any] | None]:
        """Return the interpreter of the file's format, and the file's metadata."""
        if self.path.suffix == ".onnx":
            from seglib.runtime.onnx_interpreter import OnnxInterpreter

            interpreter = OnnxInterpreter(self.path, threads)
            return interpreter, interpreter.metadata
        # Looked at before the metadata, so that an empty file is called a model that is none.
        content = check_tflite(self.path)
        metadata = read_metadata(self.path)
        return self._load(content, threads), metadata

    def _load(self, content: bytes, threads: int) -> Any:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise SeglibError(
                f"{self.path} needs LiteRT to run; install it with: pip install ai-edge-litert"
            ) from error
        try:
            interpreter = Interpreter(model_content=content, num_threads=threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise SeglibError(
                f"{self.path} is damaged, cut short or not for LiteRT ({one_line(error)}); "
                "copy or export it again"
            ) from error
        return interpreter

    def _only(self, tensors: list[dict[str, Any]], what: str) -> dict[str, Any]:
        if len(tensors) != 1:
            raise self._unusable(f"has {len(tensors)} {what} where one is expected")
        if np.dtype(tensors[0]["dtype"]) not in (np.float32, np.uint8, np.int8):
            raise self._unusable(
                f"has {what} of type {np.dtype(tensors[0]['dtype'])}; float32, uint8 and int8 work"
            )
        return tensors[0]

    def _input_size(self) -> tuple[int, int]:
        shape = [int(side) for side in self._input["shape_signature"]]
        # A free batch (-1) is run with 1; a free height or width leaves nothing to resize to.
        if len(shape) != 4 or shape[0] not in (1, -1) or min(shape[1:]) < 1 or shape[3] != 3:
            raise self._unusable(
                f"has an input of shape {tuple(shape)} where (1, height, width, 3) is expected"
            )
        return shape[1], shape[2]

    def _find_output_shape(self) -> tuple[int, int, int]:
        batch, *shape = (int(side) for side in self._output["shape"])
        count = int(np.prod(shape))
        if batch == 1 and len(shape) == 3:
            return shape[0], shape[1], shape[2]
        if batch == 1 and len(shape) == 2:
            return shape[0], shape[1], 1
        if batch == 1 and len(shape) == 1:
            height, width, channels = self.info.get("output_shape", (*self.size, 0))
            channels = channels or count // (height * width)
            if channels and height * width * channels == count:
                return height, width, channels
        raise self._unusable(
            f"has an output of shape {(batch, *shape)}, which is no mask for an input of "
            f"{self.size[1]}x{self.size[0]}"
        )

    def _find_channel(self, channel: int | str | None) -> int:
        count = self._output_shape[2]
        names = ", ".join(self.labels) or f"0 to {count - 1}"
        if channel is None:
            if count > 1:
                raise SeglibError(
                    f"{self.path} has {count} output channels ({names}); choose one with "
                    "channel=... (--channel on the command line)"
                )
            return 0
        if isinstance(channel, str) and channel in self.labels:
            channel = self.labels.index(channel)
        if isinstance(channel, str) or not 0 <= channel < count:
            raise SeglibError(f"{self.path} has no output channel {channel!r}; it has {names}")
        return channel

    def _find_range(
        self, value_range: tuple[float, float] | None, metadata: dict[str, Any] | None
    ) -> tuple[float, float]:
        if value_range is None and metadata is None:
            warnings.warn(
                f"{self.path.name} carries no metadata, so it is taken to read RGB values from 0 "
                "to 255; if that is wrong, give value_range, for example (0, 1)",
                stacklevel=3,
            )
        low, high = value_range or self.info.get("value_range", (0, 255))
        return float(low), float(high)

    def _unusable(self, what: str) -> SeglibError:
        return SeglibError(f"{self.path} {what}; export the model with seglib.export.to_tflite")
