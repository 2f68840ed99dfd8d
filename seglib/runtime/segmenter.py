"""Photo in, mask of the same size out, with a model file of any format.

The file says for itself what it needs: the size and the type of its input are in the model, the
range of values, the layout of the output and the labels in the metadata which our exports put in.
Nobody has to know how the network was trained, and a wrong normalisation, which cost an older
project six points of IoU unnoticed (Portrait-Segmentation by anilsathyan7, measured for the book),
cannot happen.

Chapters: TFLite conversion; real-time video.
"""

import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, resize
from seglib.runtime.engines import KerasEngine, open_engine
from seglib.runtime.reading import KEYS, checked_reading, model_input

if TYPE_CHECKING:
    import keras

# Room for rounding in float16 and int8 files; a file that gives logits is far outside.
_SLACK = 0.05


class Segmenter:
    """A segmentation model that is called like a function.

    >>> segmenter = Segmenter("portrait.tflite")
    >>> mask = segmenter(photo)          # H x W x 3 -> float32 H x W in [0, 1]

    One `Segmenter` may be shared between threads; calls then wait for each other. It can be
    pickled, for worker processes, which open the file anew.

    Where the network reads the mask of the frame before (`stateful`), calls are taken for the
    frames of one video, in order: each gets the mask of the call before. The first call, one with
    a photo of another size, and the one after `reset_state` get an empty mask. Give each video a
    `Segmenter` of its own, and call `reset_state` between photos that have nothing to do with each
    other.

    Attributes:
        path: the model file; None for a model in memory.
        info: the file's metadata, empty where it has none.
        size: (height, width) of the model's input.
        labels: a name for each output channel, empty where the file names none.
        stateful: whether the network reads its own mask of the frame before.
    """

    def __init__(
        self,
        path: "str | Path | keras.Model",
        threads: int = 1,
        channel: int | str | None = None,
        value_range: tuple[float, float] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        channels: str | None = None,
    ) -> None:
        """Load a model file, or take a Keras model.

        What the file says about its pictures holds where nothing else is said here; a file that
        says nothing is taken to read RGB values from 0 to 255, with a warning.

        Args:
            path: a `.tflite`, `.onnx`, `.keras` or `.h5` file (or another that has an engine) with
                one picture (1, H, W, 3) or (1, 3, H, W) as input and one output: (1, h, w),
                (1, h, w, C), (1, C, h, w), or flat, row by row. A second input "previous", shaped
                as the output, takes the mask of the frame before.
            threads: CPU threads. One is often the fastest for networks as small as these.
            channel: which output channel is the mask, by number or label. Needed where there are
                several.
            value_range: what black and white are to the model.
            mean: what is taken off each channel then, and
            std: what divides it; see `seglib.runtime.reading`.
            channels: the order of the colours that the model reads, "rgb" or "bgr".
        """
        said = {"value_range": value_range, "mean": mean, "std": std, "channels": channels}
        said = {key: value for key, value in said.items() if value is not None}
        from_file = isinstance(path, str | Path)
        self.path = Path(path) if from_file else None
        self._engine = open_engine(path, threads) if from_file else KerasEngine(path)
        self._name = self._engine.name
        self.info: dict[str, Any] = self._engine.metadata or {}
        self.labels: tuple[str, ...] = tuple(self.info.get("labels", ()))
        self.size = self._engine.image_size
        self.stateful = self._engine.previous is not None
        self._layout = self._find_layout()
        self._check_previous()
        self._channel = self._find_channel(channel)
        self._reading = self._find_reading(said)
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self.reset_state()
        source = self.path.absolute() if from_file else path
        self._again = functools.partial(type(self), source, threads, channel, **said)

    def __call__(self, photo: Any) -> np.ndarray:
        """Return the mask of a photo as float32 in [0, 1], H x W.

        The photo is stretched to the model's size and the mask is brought back, both with
        half-pixel centres.

        Args:
            photo: an array (uint8 RGB H x W x 3, or grey, RGBA, float 0..1), a PIL image or a
                path; see `seglib.images.as_image`.
        """
        image = as_image(photo, "photo")
        return resize(self.raw(image), image.shape[:2])

    def raw(self, photo: Any) -> np.ndarray:
        """Return the mask at the model's own output size, float32 in [0, 1], h x w."""
        image = as_image(photo, "photo")
        pixels = model_input(resize(image, self.size), self._reading)
        with self._lock:
            if image.shape != self._seen:
                self._before, self._seen = None, image.shape
            output = self._engine.run_image(pixels, self._before)
            height, width, channels, planar = self._layout
            if planar:
                masks = output.reshape(channels, height, width).transpose(1, 2, 0)
            else:
                masks = output.reshape(height, width, channels)
            mask = masks[..., self._channel]
            # Written so that NaN, which fails every comparison, is refused as well.
            if not (mask.min() >= -_SLACK and mask.max() <= 1 + _SLACK):
                raise SeglibError(
                    f"{self._name} gives values from {mask.min():g} to {mask.max():g} "
                    f"({self._engine.outputs[0].dtype}) where probabilities from 0 to 1 are "
                    "expected; end the model in a sigmoid or softmax, or export it with "
                    "activation=..., and see that it gets the range of values it was trained with"
                )
            if self.stateful:
                same = self._engine.previous.shape[1:] == output.shape[1:]
                self._before = (output if same else masks).clip(0, 1)
        return mask.clip(0, 1)

    def reset_state(self) -> None:
        """Forget the mask of the frame before: the next call is that of a first frame.

        Without such a mask (`stateful` is false) there is nothing to forget.
        """
        with self._lock:
            self._before: np.ndarray | None = None

    def __reduce__(self) -> tuple[Callable[[], "Segmenter"], tuple[()]]:
        """Pickle the path and the arguments; the state is not kept."""
        return self._again, ()

    def __repr__(self) -> str:
        """Return the file and the input size, as a notebook shows it."""
        height, width = self.size
        name = self.path.name if self.path else self._name
        return f"Segmenter({name!r}, input {width}x{height})"

    def _find_layout(self) -> "_Layout":
        shape = self._engine.outputs[0].shape
        if min(shape[1:], default=-1) < 1:
            # Some files do not say how large their output is: look.
            shape = self._engine.run_image(np.zeros((*self.size, 3), np.float32)).shape
        sides, size = shape[1:], self.size
        told = tuple(self.info.get("output_shape", ()))
        readings = [] if shape[0] not in (1, -1) else _readings(sides, told[:2] or size)
        if told and len(sides) == 1:
            readings = [one for one in readings if not one.planar]
        # From the strongest witness to the weakest; one that fits every reading says nothing.
        for witness in (
            lambda one: one[:3] == told,
            lambda one: one.channels == len(self.labels),
            lambda one: _in_proportion(one, size),
            lambda one: one.channels == 1,
        ):
            fitting = [one for one in readings if witness(one)]
            readings = fitting if len(fitting) == 1 else readings
        if len(readings) == 1:
            return readings[0]
        problem = "whose channels may be either axis" if readings else "which is no mask"
        raise SeglibError(
            f"{self._name} has an output of shape {shape}, {problem} for an input of "
            f"{size[1]}x{size[0]}; export it with seglib.export, which notes the layout in the file"
        )

    def _check_previous(self) -> None:
        if not self.stateful:
            return
        reads, gives = self._engine.previous.shape[1:], self._engine.outputs[0].shape[1:]
        if reads not in (gives, self._layout[:3]):
            raise SeglibError(
                f"{self._name} reads a mask before of shape {reads} and gives one of {gives}; "
                "export it with seglib.export.to_tflite"
            )

    def _find_channel(self, channel: int | str | None) -> int:
        count = self._layout.channels
        names = ", ".join(self.labels) or f"0 to {count - 1}"
        if channel is None and count > 1:
            raise SeglibError(
                f"{self._name} has {count} output channels ({names}); choose one with "
                "channel=... (--channel on the command line)"
            )
        if channel in self.labels:
            channel = self.labels.index(channel)
        if isinstance(channel, str) or not 0 <= (channel or 0) < count:
            raise SeglibError(f"{self._name} has no output channel {channel!r}; it has {names}")
        return channel or 0

    def _find_reading(self, said: dict[str, Any]) -> dict[str, Any]:
        """Return how the model reads its pictures: as the caller says, else as the file does."""
        if self.path and self._engine.metadata is None and not said:
            warnings.warn(
                f"{self.path.name} carries no metadata, so it is taken to read RGB values from 0 "
                "to 255; if that is wrong, give value_range, for example (0, 1)",
                stacklevel=3,
            )
        known = {key: self.info.get(key) for key in KEYS}
        if said.keys() - {"channels"}:
            # Range, mean and deviation belong together: they are the caller's or the file's.
            known = {"channels": known["channels"]}
        return checked_reading({**known, **said}, self._name)


class _Layout(NamedTuple):
    """What an output's sides mean; planar: (C, H, W), else (H, W, C)."""

    height: int
    width: int
    channels: int
    planar: bool


def _readings(sides: Sequence[int], size: Sequence[int]) -> list[_Layout]:
    """Return everything that an output without its batch may be; `size` unfolds a flat one."""
    (height, width), count = size, int(np.prod(sides))
    channels, rest = divmod(count, height * width)
    if len(sides) == 3:
        a, b, c = sides
        return [_Layout(a, b, c, False), _Layout(b, c, a, True)]
    found = [_Layout(*sides, 1, False)] if len(sides) == 2 else []
    flat = {(height * width, channels): False, (channels, height * width): True}
    if len(sides) == 2 and tuple(sides) in flat:
        found.append(_Layout(height, width, channels, flat[tuple(sides)]))
    if len(sides) == 1 and channels and not rest:
        found += [_Layout(height, width, channels, planar) for planar in {False, channels > 1}]
    return found


def _in_proportion(layout: _Layout, size: tuple[int, int]) -> bool:
    """Tell whether a mask has the input's proportions, but for what a stride rounds."""
    (height, width), slack = size, 0 if size[0] == size[1] else max(size)
    return abs(layout.height * width - layout.width * height) <= slack


def keras_segmenter(model: "keras.Model", channel: int | None = None) -> Segmenter:
    """Return a Keras model as a `Segmenter`, to score or show it before it is converted.

    Args:
        model: from (batch, H, W, 3), 0..255, to probabilities (batch, h, w, C).
        channel: which output channel is the mask. Needed where there are several.
    """
    return Segmenter(model, channel=channel)


def reset_state(segment: Callable[[np.ndarray], np.ndarray]) -> None:
    """Let a segmenter forget the mask of the frame before, where it keeps one.

    Args:
        segment: anything that is called with a photo: a `Segmenter`, its `raw`, or a function,
            which has nothing to forget.
    """
    keeper = getattr(segment, "__self__", segment)
    if getattr(keeper, "stateful", False):
        keeper.reset_state()
