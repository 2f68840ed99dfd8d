"""The work on one pair, and the processes that do it.

Chapter: data preparation.
"""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from seglib.data import layouts, leaks
from seglib.data.layouts import RawPair
from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.images import read_image, resize, write_image, write_mask

_CHUNK = 8
# Below this a pool takes longer to start than the work itself.
_FEW = 64
_COPIED = {"JPEG": ".jpg", "PNG": ".png"}
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Job:
    """One pair to prepare: its layout, its files, the masks' names and where to."""

    layout: str
    pair: RawPair
    kinds: tuple[str, ...]
    folder: Path
    size: int | None


@dataclass(frozen=True)
class Outcome:
    """What became of a pair: its signature for `leaks`, or why it cannot be used."""

    stem: str
    signature: tuple[bytes, bytes] = (b"", b"")
    fault: str = ""


def work(jobs: Sequence[Job], workers: int | None, progress: bool) -> list[Outcome]:
    """Do all jobs and return their outcomes in the jobs' order.

    Each process holds one chunk at a time, so that nothing piles up in queues.

    Raises:
        SeglibError: a process died.
        OSError: the disk is full or not writable.
    """
    workers = min(workers or cores(), -(-len(jobs) // _CHUNK))
    bar = tqdm(total=len(jobs), unit="pair", desc="preparing", disable=not progress)
    with bar:
        if workers == 1 or len(jobs) < _FEW:
            outcomes = []
            for job in jobs:
                outcomes.append(prepare_pair(job))
                bar.update()
            return outcomes
        return _in_processes(jobs, workers, bar)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare_pair(job: Job) -> Outcome:
    """Read, shrink and write one pair; masks first, so that a photo says that its pair is whole."""
    pair = job.pair
    done = [job.folder / "images" / f"{pair.stem}{suffix}" for suffix in _COPIED.values()]
    try:
        for path in done:
            if path.exists():
                return Outcome(pair.stem, leaks.signature(read_image(path)))
        image, masks = layouts.read(job.layout, pair)
    except SeglibError as error:
        return Outcome(pair.stem, fault=f"{pair.stem}: {error}")
    try:
        small = _write(job, image, masks)
    except SeglibError as error:
        raise SeglibError(
            f"{error}; then run the same command again, it goes on where it stopped"
        ) from error
    return Outcome(pair.stem, leaks.signature(small))


def _write(job: Job, image: np.ndarray, masks: dict[str, np.ndarray]) -> np.ndarray:
    """Write the pair and return the photo at the size it was written."""
    pair, shape = job.pair, _shape(image.shape[:2], job.size)
    for kind, mask in zip(job.kinds, masks.values(), strict=True):
        folder = job.folder / "masks"
        folder = folder / kind if len(job.kinds) > 1 else folder
        fitted = mask if mask.shape == shape else np.clip(resize(mask, shape), 0, 1)
        write_mask(folder / f"{pair.stem}.png", fitted)
    small = image if image.shape[:2] == shape else resize(image, shape)
    suffix = _copied_suffix(pair, image, shape)
    if suffix:
        with atomic_path(job.folder / "images" / f"{pair.stem}{suffix}") as temporary:
            shutil.copyfile(pair.image, temporary)
    else:
        # Whatever came without loss and at its own size goes on without loss.
        lossless = pair.row >= 0 or pair.image.suffix.lower() not in (".jpg", ".jpeg", ".webp")
        suffix = ".png" if lossless and image.shape[:2] == shape else ".jpg"
        write_image(job.folder / "images" / f"{pair.stem}{suffix}", small)
    return small


def _shape(shape: tuple[int, int], size: int | None) -> tuple[int, int]:
    """Return (height, width) with the longest side at most `size`."""
    if size is None or max(shape) <= size:
        return shape
    return tuple(max(1, round(side * size / max(shape))) for side in shape)


def _copied_suffix(pair: RawPair, image: np.ndarray, shape: tuple[int, int]) -> str:
    """Return the suffix under which the photo's own bytes will do, "" where it must be written."""
    if pair.row >= 0 or image.shape[:2] != shape:
        return ""
    with Image.open(pair.image) as picture:
        upright = picture.getexif().get(_ORIENTATION, 1) == 1
        same = picture.size == shape[::-1] and picture.mode == "RGB"
        still = getattr(picture, "n_frames", 1) == 1
        return _COPIED.get(picture.format, "") if upright and same and still else ""


def _in_processes(jobs: Sequence[Job], workers: int, bar: tqdm) -> list[Outcome]:
    outcomes: dict[int, list[Outcome]] = {}
    failures: list[BaseException] = []
    starts = iter(range(0, len(jobs), _CHUNK))
    lock = threading.Lock()

    def drive(_number: int) -> None:
        process = _process()
        try:
            while not failures:
                with lock:
                    start = next(starts, None)
                if start is None:
                    return
                answer = _ask(process, jobs[start : start + _CHUNK])
                with lock:
                    outcomes[start] = answer
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
    return [outcome for start in sorted(outcomes) for outcome in outcomes[start]]


def _process() -> subprocess.Popen:
    # A fresh interpreter rather than a fork: OpenCV's and TensorFlow's threads survive no fork, and
    # a script needs no `if __name__ == "__main__"`. It ends by itself when this process is gone.
    return subprocess.Popen(
        [sys.executable, "-c", "from seglib.data._workers import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
    )


def _ask(process: subprocess.Popen, jobs: Sequence[Job]) -> list[Outcome]:
    try:
        pickle.dump(jobs, process.stdin)
        process.stdin.flush()
        answer = pickle.load(process.stdout)
    except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
        raise SeglibError(
            "a process died, perhaps for want of memory; run the same command again with fewer "
            "workers, it goes on where it stopped"
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
            jobs = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer: object = [prepare_pair(job) for job in _while_wanted(jobs, parent)]
        except Exception as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


def _while_wanted(jobs: Sequence[Job], parent: int) -> Iterator[Job]:
    """Yield the jobs, and none once the parent was killed: the next run may be at work already."""
    for job in jobs:
        if os.getppid() != parent:
            return
        yield job
