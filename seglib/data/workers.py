"""One function over many items by several processes, through joblib.

The processes are fresh interpreters rather than forks, since OpenCV's and TensorFlow's threads
survive no fork; joblib keeps them for the next call.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from seglib.errors import SeglibError

_CHUNK = 8


def spread(
    function: Callable[[Any], Any], items: Sequence, workers: int | None = None, progress: str = ""
) -> Iterator[Any]:
    """Yield `function` of every item, in the items' order, worked out a few chunks ahead.

    Function, items and results must pickle. `workers` is the count of processes: 1 does everything
    in this one, None takes every core from 64 items on, below which their start takes longer.
    `progress` names the bar; "" shows none.
    """
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    workers = workers or (cores() if len(items) >= 64 else 1)
    workers = max(1, min(workers, len(chunks)))
    with tqdm(total=len(items), unit="pair", desc=progress, disable=not progress) as bar:
        parallel = Parallel(workers, return_as="generator")
        try:
            for results in parallel(delayed(_call)(function, chunk, workers) for chunk in chunks):
                bar.update(len(results))
                yield from results
        except TerminatedWorkerError as error:
            raise SeglibError(
                "a process died, perhaps for want of memory; run the same again with fewer workers"
            ) from error


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _call(function: Callable[[Any], Any], items: Sequence, workers: int) -> list:
    if workers > 1:
        cv2.setNumThreads(1)  # the processes are the threads here
    return [function(item) for item in items]
