"""Every way in which an exported file can be run here: runtimes, threads, delegates.

A way turns uint8 pictures into masks, and where its time says something it also hands over a
function for a stop-watch. A software GPU and re-executed Core ML have no time worth showing.

Chapter: TFLite conversion.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import quiet
from seglib.export.coreml_run import Program
from seglib.export.gpu import run_gpu
from seglib.export.ncnn import open_ncnn, run_ncnn, run_net
from seglib.export.operations import ops
from seglib.export.saved import run_graphdef, run_savedmodel
from seglib.runtime.engines import TFLiteEngine, open_engine, run_images

Run = Callable[[np.ndarray], np.ndarray]


class Unavailable(SeglibError):
    """A way cannot be gone on this machine or with this file, which is no fault of the file."""


@dataclass(frozen=True)
class Way:
    """One way to run one file.

    Attributes:
        format: "TFLite", "Core ML", "ONNX", "ncnn", "GraphDef" or "SavedModel".
        name: what runs it and how, for a table.
        threads: CPU threads, 0 where the way does not choose them.
        run: from uint8 images (N, H, W, 3) to masks (N, ...).
        open: returns `run` for single pictures without loading the file again; None where time says
            nothing about the file.
    """

    format: str
    name: str
    threads: int
    run: Run
    open: Callable[[], Run] | None = None


def ways(path: str | Path, gpu: bool = True) -> tuple[Way, ...]:
    """Return every way to run a file, whether or not this machine can go it.

    Args:
        path: a file from any of the exports.
        gpu: ask LiteRT's GPU accelerator too.

    Raises:
        SeglibError: the file is of no known format.
    """
    path = Path(path)
    if path.suffix == ".tflite":
        return _tflite(path) + ((_gpu(path),) if gpu else ())
    if path.suffix in (".mlpackage", ".mlmodel"):
        return (Way("Core ML", "re-executed", 0, lambda images: Program(path).masks(images)),)
    if path.suffix == ".onnx":
        return tuple(_onnx(path, threads) for threads in (1, 2))
    if path.suffix == ".param":
        return tuple(_ncnn(path, threads) for threads in (1, 2))
    if path.suffix == ".pb":
        return (Way("GraphDef", "TensorFlow", 0, lambda images: run_graphdef(path, images)),)
    if (path / "saved_model.pb").is_file():
        return (Way("SavedModel", "TensorFlow", 0, lambda images: run_savedmodel(path, images)),)
    raise SeglibError(
        f"{path} is no file that seglib can run; give a .tflite, .mlpackage, .mlmodel, .onnx, "
        ".ncnn.param or .pb file or a SavedModel folder"
    )


def time_ratios(runs: Sequence[tuple[Run, int]], images: np.ndarray, turns: int) -> list[float]:
    """Return each run's time divided by the first one's, from turns that all of them take part in.

    Args:
        runs: function and number of threads; with one thread processor time is compared, which
            other programs do not disturb, else the time on the wall.
        images: uint8 (N, H, W, 3); each turn shows all functions the same picture.
        turns: at least 1.
    """
    took = np.empty((2, turns, len(runs)))
    for run, _ in runs:
        run(images[:1])
    for turn in range(turns):
        image = images[turn % len(images)][None]
        for position in range(len(runs)):
            # Who comes after a large model finds the cache emptied: share that out.
            index = (turn + position) % len(runs)
            wall, cpu = time.perf_counter(), time.process_time()
            runs[index][0](image)
            took[:, turn, index] = time.perf_counter() - wall, time.process_time() - cpu
    kinds = [1 if threads == 1 else 0 for _, threads in runs]
    return [
        float(np.median(took[kind, :, index] / took[kind, :, 0]))
        for index, kind in enumerate(kinds)
    ]


def _tflite(path: Path) -> tuple[Way, ...]:
    def way(threads: int, delegate: bool) -> Way:
        name = f"{'XNNPACK' if delegate else 'no delegate'}, {_count(threads)}"

        def opened() -> Run:
            with quiet():
                engine = TFLiteEngine(path, threads, delegate)
            return lambda images: run_images(engine, images)

        return Way("TFLite", name, threads, lambda images: opened()(images), opened)

    return way(1, True), way(2, True), way(1, False)


def _gpu(path: Path) -> Way:
    def run(images: np.ndarray) -> np.ndarray:
        if ops(path)[0].inputs[0] == "int8":
            raise Unavailable("its input is int8, and the accelerator is fed floats here")
        try:
            found = run_gpu(path, images)
        except SeglibError as error:
            if "no Vulkan device" in str(error):
                raise Unavailable(str(error)) from error
            raise
        if found.masks is None:
            raise Unavailable(f"the GPU accelerator refuses it: {'; '.join(found.refusals)}")
        return found.masks

    return Way("TFLite", "GPU", 0, run)


def _onnx(path: Path, threads: int) -> Way:
    def opened() -> Run:
        engine = open_engine(path, threads)
        return lambda images: run_images(engine, images)

    name = f"ONNX Runtime, {_count(threads)}"
    return Way("ONNX", name, threads, lambda images: run_images(path, images, threads), opened)


def _ncnn(path: Path, threads: int) -> Way:
    def opened() -> Run:
        net = open_ncnn(path, threads)
        return lambda images: np.stack([run_net(net, image, str(path)) for image in images])

    name = f"ncnn, {_count(threads)}"
    # On a busy machine ncnn's second thread is waited for and not ncnn: its time says nothing.
    timed = opened if threads == 1 else None
    return Way("ncnn", name, threads, lambda images: run_ncnn(path, images, threads), timed)


def _count(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"
