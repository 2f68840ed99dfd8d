"""The work on one pair, and the processes that do it.

Chapter: data preparation.
"""

import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
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
_FEW = 32
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

    Only a few chunks are under way at a time, so that nothing piles up in the queues.

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
        _write(job, image, masks)
    except SeglibError as error:
        raise SeglibError(
            f"{error}; then run the same command again, it goes on where it stopped"
        ) from error
    return Outcome(pair.stem, leaks.signature(image))


def _write(job: Job, image: np.ndarray, masks: dict[str, np.ndarray]) -> None:
    pair, shape = job.pair, _shape(image.shape[:2], job.size)
    for kind, mask in zip(job.kinds, masks.values(), strict=True):
        folder = job.folder / "masks"
        folder = folder / kind if len(job.kinds) > 1 else folder
        small = mask if mask.shape == shape else np.clip(resize(mask, shape), 0, 1)
        write_mask(folder / f"{pair.stem}.png", small)
    suffix = _copied_suffix(pair, image, shape)
    if suffix:
        with atomic_path(job.folder / "images" / f"{pair.stem}{suffix}") as temporary:
            shutil.copyfile(pair.image, temporary)
    else:
        small = image if image.shape[:2] == shape else resize(image, shape)
        # Whatever came without loss and at its own size goes on without loss.
        lossless = pair.row >= 0 or pair.image.suffix.lower() not in (".jpg", ".jpeg", ".webp")
        suffix = ".png" if lossless and image.shape[:2] == shape else ".jpg"
        write_image(job.folder / "images" / f"{pair.stem}{suffix}", small)


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
    waiting: dict[Future, int] = {}
    starts = iter(range(0, len(jobs), _CHUNK))
    # A forked process is there at once and needs no importable main module.
    method = "fork" if sys.platform == "linux" else "spawn"
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context(method), _start)
    try:
        while True:
            while len(waiting) < 2 * workers and (start := next(starts, None)) is not None:
                waiting[pool.submit(_chunk, jobs[start : start + _CHUNK])] = start
            if not waiting:
                break
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                start = waiting.pop(future)
                outcomes[start] = future.result()
                bar.update(len(outcomes[start]))
    except BrokenProcessPool as error:
        raise SeglibError(
            "a process died, perhaps for want of memory; run the same command again with fewer "
            "workers, it goes on where it stopped"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [outcome for start in sorted(outcomes) for outcome in outcomes[start]]


def _chunk(jobs: Sequence[Job]) -> list[Outcome]:
    return [prepare_pair(job) for job in jobs]


def _start() -> None:
    """Make a process a good worker."""
    # The processes are the threads here, and OpenCV's own do not survive a fork.
    cv2.setNumThreads(1)
    # Ctrl-C reaches all processes; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A worker whose parent was killed would wait for work, and hold the lock, for ever.
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
