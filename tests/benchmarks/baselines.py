"""Networks of other projects behind the same call as ours: photo in, mask of the same size out.

Their files do not ship with the book. Put them into a folder, named as below, and let the
environment variable `SEGLIB_PEERS` name it. What each file reads and gives, it does not say itself;
it is written down here once, tried against its project's own demo or description. A wrong entry
would make a baseline look bad, so each one is tested by its score on real photos.
"""

import hashlib
import os
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, resize
from seglib.metadata import check_tflite


@dataclass(frozen=True)
class Baseline:
    """How to run one file.

    Attributes:
        name: a short name; the file is `NAME.tflite`.
        title: how the book calls it.
        kind: what its mask shows.
        source: where it comes from.
        licence: under which its project publishes it.
        sha256: begin of the file's hash, to notice another version.
        channel: which output channel is the mask.
        logits: the two output channels are logits, and their softmax is the mask.
        value_range: what black and white are to the network.
    """

    name: str
    title: str
    kind: str
    source: str
    licence: str
    sha256: str
    channel: int = 0
    logits: bool = False
    value_range: tuple[float, float] = (0.0, 1.0)


_MEDIAPIPE = "https://ai.google.dev/edge/mediapipe/solutions/vision/image_segmenter"
_MEET = "https://github.com/PINTO0309/PINTO_model_zoo/tree/main/082_MediaPipe_Meet_Segmentation"
_HAIR = "https://github.com/dahburj/realtime-Image-segmentation-onmobile"

BASELINES: dict[str, Baseline] = {
    baseline.name: baseline
    for baseline in (
        Baseline(
            "mp_selfie", "MediaPipe selfie", "person", _MEDIAPIPE, "Apache-2.0", "8d13b7fae74a"
        ),
        Baseline(
            "mp_selfie_landscape",
            "MediaPipe selfie, landscape",
            *("person", _MEDIAPIPE, "Apache-2.0", "4aafe6223bb8"),
        ),
        Baseline(
            "meet_full",
            "Google Meet, full",
            *("person", _MEET, "Apache-2.0", "4fa38a8d2e48"),
            channel=1,
            logits=True,
        ),
        Baseline(
            "meet_lite",
            "Google Meet, lite",
            *("person", _MEET, "Apache-2.0", "b13571477760"),
            channel=1,
            logits=True,
        ),
        Baseline(
            "mp_hair",
            "MediaPipe hair",
            *("hair", _MEDIAPIPE, "Apache-2.0", "d2c940c4fd80"),
            channel=1,
            logits=True,
        ),
        Baseline(
            "seed000_hair", "realtime-hair-segmentation", "hair", _HAIR, "MIT", "3caeaf0b18df"
        ),
    )
}


def folder() -> Path | None:
    """Return the folder that `SEGLIB_PEERS` names, None where it is unset.

    Raises:
        SeglibError: it names something that is no folder.
    """
    value = os.environ.get("SEGLIB_PEERS")
    if not value:
        return None
    if not Path(value).is_dir():
        raise SeglibError(f"SEGLIB_PEERS names {value}, which is no folder; correct or unset it")
    return Path(value)


def available(kind: str | None = None) -> list[str]:
    """Return the names of the baselines whose files are there, of one kind of mask or of all."""
    place = folder()
    return [
        name
        for name, baseline in BASELINES.items()
        if kind in (None, baseline.kind) and place and (place / f"{name}.tflite").is_file()
    ]


def path(name: str) -> Path:
    """Return where a baseline's file lies.

    Raises:
        SeglibError: there is no such baseline, or its file is not there.
    """
    if name not in BASELINES:
        raise SeglibError(f"no baseline is called {name!r}; use one of {', '.join(BASELINES)}")
    place = folder()
    if place is None:
        raise SeglibError(
            f"the files of other projects do not ship with seglib; get {name}.tflite from "
            f"{BASELINES[name].source} and let SEGLIB_PEERS name its folder"
        )
    if not (place / f"{name}.tflite").is_file():
        raise SeglibError(f"{place} has no {name}.tflite; get it from {BASELINES[name].source}")
    return place / f"{name}.tflite"


def load(name: str, threads: int = 1) -> "BaselineSegmenter":
    """Return a baseline, ready to be called with photos.

    Raises:
        SeglibError: there is no such baseline, or its file is missing or damaged.
    """
    return BaselineSegmenter(BASELINES.get(name), path(name), threads)


class BaselineSegmenter:
    """Another project's network, called like a `Segmenter`.

    A fourth input channel, in which some networks take the previous frame's mask, is left empty:
    every photo is a first frame.
    """

    def __init__(self, baseline: Baseline, file: Path, threads: int = 1) -> None:
        """Load a file as its entry in `BASELINES` says.

        Args:
            baseline: how to run it.
            file: the `.tflite` file.
            threads: CPU threads.

        Raises:
            SeglibError: the file is damaged or of another shape than the entry says.
        """
        from ai_edge_litert.interpreter import Interpreter

        self.baseline, self.path = baseline, Path(file)
        content = check_tflite(self.path)
        if not hashlib.sha256(content).hexdigest().startswith(baseline.sha256):
            warnings.warn(
                f"{self.path.name} is another version than the one that seglib knows; its input "
                "and output may differ from what is taken for granted here",
                stacklevel=2,
            )
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise SeglibError(f"{self.path} is damaged or not for LiteRT; get it again") from error
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._lock = threading.Lock()
        shape, channels = self._input["shape"], self._output["shape"][-1]
        if len(shape) != 4 or shape[3] not in (3, 4) or channels <= baseline.channel:
            raise SeglibError(
                f"{self.path} has an input of {tuple(map(int, shape))} and {channels} output "
                f"channels, so it is not the {baseline.title} that seglib knows"
            )
        self.size = int(shape[1]), int(shape[2])

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """Return the mask of a photo (uint8 RGB, h x w x 3) as float32 in [0, 1], h x w.

        Stretched to the network's size and back as by `Segmenter`.

        Raises:
            SeglibError: not an image.
        """
        low, high = self.baseline.value_range
        values = np.zeros(self._input["shape"], np.float32)
        small = resize(as_image(photo, "photo"), self.size)
        values[0, ..., :3] = low + small * np.float32((high - low) / 255)
        with self._lock:
            self._interpreter.set_tensor(self._input["index"], values)
            self._interpreter.invoke()
            output = self._interpreter.get_tensor(self._output["index"])[0].astype(np.float32)
        if self.baseline.logits:
            other = output[..., 1 - self.baseline.channel]
            mask = 1 / (1 + np.exp(np.clip(other - output[..., self.baseline.channel], -60, 60)))
        else:
            mask = output[..., self.baseline.channel]
        return resize(mask, photo.shape[:2]).clip(0, 1)

    def __repr__(self) -> str:
        """Return the name and the input size."""
        return f"BaselineSegmenter({self.baseline.name!r}, input {self.size[1]}x{self.size[0]})"
