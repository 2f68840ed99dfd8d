"""Photo in, mask of the same size out, with a model file of any format.

The file says for itself what it needs: size and type of its input are in the model, the range of
values, the layout of the output and the labels in the metadata that our exports put in. Nobody has
to know how the network was trained, and a wrong normalisation, which cost an older project six
points of IoU unnoticed (Portrait-Segmentation by anilsathyan7, measured for the book), cannot
happen.

Chapters: TFLite conversion; real-time video.
"""

import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, resize
from seglib.runtime.engines import KerasEngine, open_engine
from seglib.runtime.reading import checked_reading, model_input

if TYPE_CHECKING:
    import keras

# Room for rounding in float16 and int8 files; a file that gives logits is far outside.
_SLACK = 0.05


class Segmenter:
    """A segmentation model that is called like a function.

    >>> segmenter = Segmenter("portrait.tflite")
    >>> mask = segmenter(photo)          # H x W x 3 -> float32 H x W in [0, 1]

    One `Segmenter` may be shared between threads, whose calls then wait for each other; a pickled
    one opens its file anew.

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

        Args:
            path: a `.tflite`, `.onnx`, `.keras` or `.h5` file (or another that has an engine) with
                one picture (1, H, W, 3) or (1, 3, H, W) as input and one output: (1, h, w),
                (1, h, w, C), (1, C, h, w), or flat, row by row. A second input "previous", shaped
                as the output, takes the mask of the frame before.
            threads: CPU threads. One is often the fastest for networks as small as these.
            channel: which output channel is the mask, by number or label. Needed where there are
                several.
            value_range: what black and white are to the model. What is said here, of range, mean
                and std together, holds against what the file says. A file that says nothing is
                taken to read 0 to 255, with a warning.
            mean: what is subtracted from each channel then, see `seglib.runtime.reading`.
            std: what divides it.
            channels: the order of the colours that the model reads, "rgb" or "bgr".
        """
        in_file = isinstance(path, str | Path)
        self.path = Path(path) if in_file else None
        self._engine = open_engine(path, threads) if in_file else KerasEngine(path)
        self._name = self._engine.name
        self.info: dict[str, Any] = self._engine.metadata or {}
        self.labels: tuple[str, ...] = self._noted("labels", str)
        self.size = self._engine.image_size
        self.stateful = self._engine.previous is not None
        *self._shape, self._planar = self._find_layout()
        self._channel = self._find_channel(channel)
        values = {"value_range": value_range, "mean": mean, "std": std}
        told = any(value is not None for value in values.values())
        if in_file and self._engine.metadata is None and not told:
            warnings.warn(
                f"{self.path.name} carries no metadata, so it is taken to read RGB values from 0 "
                "to 255; if that is wrong, give value_range, for example (0, 1)",
                stacklevel=2,
            )
        reading = dict(values if told else self.info)
        reading["channels"] = channels or self.info.get("channels")
        self._reading = checked_reading(reading, self._name)
        self._lock = threading.Lock()
        self.reset_state()
        source = self.path.absolute() if in_file else path
        self._reopen = functools.partial(
            type(self), source, threads, channel, value_range, mean, std, channels
        )

    def __call__(self, photo: Any) -> np.ndarray:
        """Return the mask of a photo as float32 in [0, 1], H x W.

        The photo is stretched to the model's size and the mask is brought back, both with
        half-pixel centres.

        Args:
            photo: uint8 RGB (H, W, 3), or what `seglib.images.as_image` takes for that: a path, a
                PIL image, grey, RGBA, floats from 0 to 1.
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
            masks = output.reshape(self._shape)
            mask = masks[self._channel] if self._planar else masks[..., self._channel]
            # Written so that NaN, which fails every comparison, is refused as well.
            if not (mask.min() >= -_SLACK and mask.max() <= 1 + _SLACK):
                raise SeglibError(
                    f"{self._name} gives values from {mask.min():g} to {mask.max():g} "
                    f"({self._engine.outputs[0].dtype}) where probabilities from 0 to 1 are "
                    "expected; end the model in a sigmoid or softmax, or export it with "
                    "activation=..., and see that it gets the range of values it was trained with"
                )
            self._before = output.clip(0, 1) if self.stateful else None
        return mask.clip(0, 1)

    def reset_state(self) -> None:
        """Forget the mask of the frame before: the next call is that of a first frame.

        Without such a mask (`stateful` is false) there is nothing to forget.
        """
        with self._lock:
            self._before: np.ndarray | None = None
            self._seen: tuple[int, ...] | None = None

    def __reduce__(self) -> tuple[Callable[[], "Segmenter"], tuple[()]]:
        """Pickle the path and the arguments."""
        return self._reopen, ()

    def __repr__(self) -> str:
        """Return the file and the input size, as a notebook shows it."""
        height, width = self.size
        return f"Segmenter({self.path.name if self.path else self._name!r}, input {width}x{height})"

    def _noted(self, key: str, kind: type) -> tuple:
        """Return a list of the file's metadata."""
        values = self.info.get(key) or ()
        if not isinstance(values, list | tuple) or not all(type(one) is kind for one in values):
            raise SeglibError(f"{self._name} has {values!r} as its {key}; export it again")
        return tuple(values)

    def _find_layout(self) -> tuple[int, int, int, bool]:
        """Return the output's shape, (H, W, C) or, where the last is true, (C, H, W)."""
        shape = self._engine.outputs[0].shape
        if min(shape[1:], default=-1) < 1:
            # Some files do not say how large their output is: look.
            shape = self._engine.run_image(np.zeros((*self.size, 3), np.float32)).shape
        told = self._noted("output_shape", int)
        size = told[:2] if len(told) == 3 and min(told) > 0 else self.size
        layouts = _layouts(shape[1:], size) if shape[:1] in ((1,), (-1,)) else []
        # From the strongest witness to the weakest; the first that leaves one layout decides.
        for witness in (
            lambda layout: layout == (*told, False),
            lambda layout: _in_proportion(layout, self.size),
            lambda layout: layout[0 if layout[3] else 2] == 1,
        ):
            fitting = [layout for layout in layouts if witness(layout)]
            layouts = fitting if len(fitting) == 1 else layouts
        if len(layouts) != 1:
            problem = "whose channels may be either axis" if layouts else "which is no mask"
            raise SeglibError(
                f"{self._name} has an output of shape {shape}, {problem} for an input of "
                f"{self.size[1]}x{self.size[0]}; export it with seglib.export, which notes the "
                "layout in the file"
            )
        return layouts[0]

    def _find_channel(self, channel: int | str | None) -> int:
        count = self._shape[0 if self._planar else 2]
        names = ", ".join(self.labels) or f"0 to {count - 1}"
        if channel is None and count > 1:
            raise SeglibError(
                f"{self._name} has {count} output channels ({names}); choose one with "
                "channel=... (--channel on the command line)"
            )
        if channel in self.labels:
            channel = self.labels.index(channel)
        if channel not in (None, *range(count)):
            raise SeglibError(f"{self._name} has no output channel {channel!r}; it has {names}")
        return int(channel or 0)


def _layouts(sides: tuple[int, ...], size: tuple[int, ...]) -> list[tuple[int, int, int, bool]]:
    """Return what an output without its batch may be; `size` unfolds one whose pixels are flat."""
    if len(sides) == 3:
        return [(*sides, False), (*sides, True)]
    (height, width), pixels = size, size[0] * size[1]
    count = int(np.prod(sides)) // pixels
    found = [(*sides, 1, False)] if len(sides) == 2 else []
    if sides in ((pixels * count,), (pixels, count)):
        found.append((height, width, count, False))
    if sides == (count, pixels) or (sides == (count * pixels,) and count > 1):
        found.append((count, height, width, True))
    return found


def _in_proportion(layout: tuple[int, int, int, bool], size: tuple[int, int]) -> bool:
    """Tell whether a mask has the input's proportions, but for what strides round."""
    height, width = layout[1:3] if layout[3] else layout[:2]
    slack = 1 if size[0] == size[1] else max(size)
    return abs(height * size[1] - width * size[0]) < slack


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
