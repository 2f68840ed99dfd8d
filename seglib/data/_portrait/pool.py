"""Several processes that draw synthetic portraits, each a share of one series.

They are plain child processes that run this module. A `multiprocessing` pool would copy a process
full of TensorFlow's threads or import the caller's script a second time; this does neither, so it
works from a notebook and from a script without `if __name__ == "__main__"`. Drawn pictures come
back through the child's standard output as bytes, straight into the caller's arrays.
Chapter: augmentation and synthetic portraits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

import seglib
from seglib.errors import SeglibError

if TYPE_CHECKING:
    from seglib.data.synthetic import PortraitConfig

_BLOCK = 8


def fill_arrays(arrays: tuple[np.ndarray, ...], seed: int, config: PortraitConfig,
                workers: int) -> None:
    """Draw a whole series into arrays (images, labels, alphas) by several processes.

    Args:
        arrays: uint8 (N, s, s, 3), (N, s, s), (N, s, s); filled in place.
        seed: which series.
        config: what is drawn how often.
        workers: how many processes, at least 1.

    Raises:
        SeglibError: a process ended before its share was drawn.
    """
    count, size = arrays[1].shape[:2]
    task = {"count": count, "size": size, "seed": int(seed), "step": workers,
            "config": asdict(config)}
    with ExitStack() as stack:
        children = [stack.enter_context(_child({**task, "start": start}))
                    for start in range(workers)]
        threads = stack.enter_context(ThreadPoolExecutor(workers))
        try:
            done = threads.map(lambda k: _receive(children[k], k, workers, arrays), range(workers))
            if not all(done):
                raise SeglibError("a process that drew synthetic portraits ended early, perhaps "
                                  "for want of memory; ask for fewer pictures or workers=1.")
        finally:
            # Before the threads are waited for: they read until their child is gone.
            for child in children:
                child.kill()


def _child(task: dict) -> subprocess.Popen:
    """Start a process that draws one share; it must find this very package."""
    path = [str(Path(seglib.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    # NumPy's numbers and arrays are as good in a config as Python's own.
    text = json.dumps(task, default=lambda value: np.asarray(value).tolist())
    return subprocess.Popen([sys.executable, "-m", __name__, text], stdout=subprocess.PIPE,
                            env=environment)


def _shares(count: int, start: int, step: int) -> Iterator[range]:
    """Blocks of indices that share `start` of `step` draws: every step-th block."""
    for first in range(start * _BLOCK, count, step * _BLOCK):
        yield range(first, min(first + _BLOCK, count))


def _receive(child: subprocess.Popen, start: int, step: int,
             arrays: tuple[np.ndarray, ...]) -> bool:
    """Read a child's blocks into the arrays; whether all of them came."""
    for block in _shares(len(arrays[0]), start, step):
        for array in arrays:
            target = memoryview(array[block.start:block.stop]).cast("B")
            if child.stdout.readinto(target) < len(target):
                return False
    return True


def _work() -> None:
    """Draw one share and write it to standard output."""
    from seglib.data.synthetic import PortraitConfig, draw_bytes

    task = json.loads(sys.argv[1])
    # The other cores have their own process.
    cv2.setNumThreads(1)
    values = {name: tuple(value) if isinstance(value, list) else value
              for name, value in task["config"].items()}
    config = PortraitConfig(**values)
    for block in _shares(task["count"], task["start"], task["step"]):
        drawn = [draw_bytes((task["seed"], index), task["size"], config) for index in block]
        for plane in zip(*drawn, strict=True):
            sys.stdout.buffer.write(np.stack(plane).tobytes())


if __name__ == "__main__":
    _work()
