"""Networks of other projects behind the same call as ours: photo in, mask of the same size out.

Their files do not ship with the book. Put them into a folder, named as below, and let the
environment variable `SEGLIB_PEERS` name it. What each file reads and gives, it does not say itself;
it is written down here once, tried against its project's own demo or description. A wrong entry
would make a baseline look bad, so each one is tested by its score on real photos.
"""

import os
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglib.errors import SeglibError
from seglib.files import sha256
from seglib.images import as_image, resize
from seglib.runtime.engines import TFLiteEngine
from seglib.runtime.reading import model_input


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
    """Return the folder that `SEGLIB_PEERS` names, None where it is unset."""
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
    """Return where a baseline's file lies."""
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
    """Return a baseline, ready to be called with photos."""
    return BaselineSegmenter(BASELINES.get(name), path(name), threads)


class BaselineSegmenter:
    """Another project's network, called like a `Segmenter`.

    A fourth input channel, in which some networks take the previous frame's mask, is left empty:
    every photo is a first frame.
    """

    def __init__(self, baseline: Baseline, file: Path, threads: int = 1) -> None:
        """Load a file as its entry in `BASELINES` says."""
        self.baseline, self._engine = baseline, TFLiteEngine(file, threads)
        self._lock = threading.Lock()
        if not sha256(file).startswith(baseline.sha256):
            warnings.warn(
                f"{file.name} is another version than the one that is known; its input and output "
                "may differ from what is taken for granted here",
                stacklevel=2,
            )
        self._shape, outputs = self._engine.inputs[0].shape, self._engine.outputs[0].shape
        if self._shape[3:] not in ((3,), (4,)) or outputs[-1] <= baseline.channel:
            raise SeglibError(
                f"{file} has an input of {self._shape} and an output of {outputs}, so it is not "
                f"the {baseline.title} that is known"
            )

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """Return the mask of a photo as float32 in [0, 1], h x w, as a `Segmenter` does."""
        photo = as_image(photo, "photo")
        reading = {"value_range": self.baseline.value_range}
        values = np.zeros(self._shape, np.float32)
        values[0, ..., :3] = model_input(resize(photo, self._shape[1:3]), reading)
        with self._lock:
            output = self._engine.run(values)[0][0]
        mask = output[..., self.baseline.channel]
        if self.baseline.logits:
            other = output[..., 1 - self.baseline.channel]
            mask = 1 / (1 + np.exp(np.clip(other - mask, -60, 60)))
        return resize(mask, photo.shape[:2]).clip(0, 1)
