"""One function over many items, by several processes.

The processes are fresh interpreters rather than forks: OpenCV's and TensorFlow's threads survive no
fork, and a script needs no `if __name__ == "__main__"`. They end by themselves when this process is
gone.

Chapter: data preparation.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import cv2
from tqdm import tqdm

from seglib.errors import SeglibError

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 8
# Below this a pool takes longer to start than the work itself.
_FEW = 64


def spread(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int | None = None,
    progress: str = "",
) -> list[Result]:
    """Return `function` of every item, in the items' order; what is said of `each` holds here."""
    results: list = [None] * len(items)
    each(function, items, results.__setitem__, workers, progress)
    return results


def each(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    take: Callable[[int, Result], object],
    workers: int | None = None,
    progress: str = "",
    few: int | None = None,
) -> None:
    """Call `take(number, result)` for every item, in whatever order the results come.

    Each process holds one chunk at a time, so that nothing piles up in queues.

    Args:
        function: found by its name in another process, or a `functools.partial` of such a one.
        items: what it is called with; items and results can be pickled.
        take: called in this process, one call at a time.
        workers: processes; None takes every core, 1 does everything in this process, as few items
            do.
        progress: what the progress bar says; "" shows none.
        few: fewer items than this are done in this process; by default 64.

    Raises:
        SeglibError: a process died.
        Exception: whatever the function raises first.
    """
    workers = min(workers or cores(), max(1, -(-len(items) // _CHUNK)))
    with tqdm(total=len(items), unit="pair", desc=progress, disable=not progress) as bar:
        if workers == 1 or len(items) < (_FEW if few is None else few):
            for number, item in enumerate(items):
                take(number, function(item))
                bar.update()
        else:
            _in_processes(function, items, take, workers, bar)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    take: Callable[[int, Result], object],
    workers: int,
    bar: tqdm,
) -> None:
    failures: list[BaseException] = []
    starts = iter(range(0, len(items), _CHUNK))
    lock = threading.Lock()

    def drive(_number: int) -> None:
        process = _process()
        try:
            while not failures:
                with lock:
                    start = next(starts, None)
                if start is None:
                    return
                answer = _ask(process, function, items[start : start + _CHUNK])
                with lock:
                    for number, result in enumerate(answer, start):
                        take(number, result)
                    bar.update(len(answer))
        except Exception as error:
            failures.append(error)
        finally:
            process.communicate()

    with ThreadPoolExecutor(workers) as threads:
        try:
            list(threads.map(drive, range(workers)))
        except BaseException as error:
            # Ctrl-C: let the processes finish what they hold, and no more.
            failures.append(error)
            raise
    if failures:
        raise failures[0]


def _process() -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", "from seglib.data._workers import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
    )


def _ask(process: subprocess.Popen, function: Callable, items: Sequence) -> list[Any]:
    try:
        pickle.dump((function, items), process.stdin)
        process.stdin.flush()
        answer = pickle.load(process.stdout)
    except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
        raise SeglibError(
            "a process died, perhaps for want of memory; run the same again with fewer workers"
        ) from error
    if isinstance(answer, Exception):
        raise answer
    return answer


def serve() -> None:
    """Do what the standard input asks for until it ends; for the processes started here."""
    # The processes are the threads here, and Ctrl-C reaches all of them: the parent decides.
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not end up between the answers.
    os.dup2(2, 1)
    parent = os.getppid()
    while True:
        try:
            function, items = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer: object = [function(item) for item in _while_wanted(items, parent)]
        except Exception as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


def _while_wanted(items: Sequence[Item], parent: int) -> Iterator[Item]:
    """Yield the items, and none once the parent was killed: the next run may be at work already."""
    for item in items:
        if os.getppid() != parent:
            return
        yield item
