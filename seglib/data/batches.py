"""Batches for `keras.Model.fit` on every backend: shuffled, augmented, repeatable.

The batches of an epoch depend on the seed and its number alone. A run that goes on at the start of
an epoch therefore sees the very pictures it would have seen, and several processes share each batch
without talking.

Chapter: training on Colab.
"""

import copy
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from seglib.data.augment import AugmentConfig, augment_batch, draw
from seglib.data.dataset import Dataset, array_pair, as_levels, white_of
from seglib.errors import SeglibError
from seglib.images import resize


@dataclass
class BatchSampler:
    """Which pictures make up which batch; every process works it out alone, and takes its part."""

    count: int
    batch_size: int
    seed: int = 0
    shuffle: bool = False
    shard: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        if self.batch_size < 1 or not 0 <= self.shard[0] < self.shard[1] <= self.count:
            raise SeglibError(
                f"batch_size is {self.batch_size} and shard {self.shard} for {self.count} pictures;"
                " use 1 or more, and (index, count) with at least one picture for each process"
            )
        self.batch_size = min(self.batch_size, self.count // self.shard[1])
        self._order = (-1, np.arange(0))

    def __len__(self) -> int:
        whole, rest = divmod(self.count, self.batch_size * self.shard[1])
        if self.shuffle:
            return whole
        # A last step too small to give every process a picture is spread over the others.
        return min(whole + (rest > 0), self.count // self.shard[1])

    def pictures(self, epoch: int, index: int) -> tuple[np.ndarray, slice]:
        """Return the pictures of one step, of all processes together, and which are this one's.

        Several processes that must show every picture once cut the epoch's order into parts whose
        sizes differ by one at most.
        """
        mine, processes = self.shard
        if self.shuffle or processes == 1:
            edges = np.arange(processes + 1) * self.batch_size
            edges = np.minimum(edges + index * processes * self.batch_size, self.count)
        else:
            parts = np.arange(index * processes, (index + 1) * processes + 1)
            edges = parts * self.count // (len(self) * processes)
        known, order = self._order
        if known != epoch:
            order = np.arange(self.count)
            if self.shuffle:
                np.random.default_rng([self.seed, epoch]).shuffle(order)
            # Replaced as a whole: another thread sees the old pair or the new one.
            self._order = (epoch, order)
        step = order[edges[0] : edges[-1]]
        return step, slice(edges[mine] - edges[0], edges[mine + 1] - edges[0])


class Batches(keras.utils.PyDataset):
    """A data set, in memory or on disk, cut into batches.

    Args:
        images: a `Dataset`, read batch by batch; or (count, height, width, 3) in memory or
            memory-mapped, or a sequence of pictures, in any form `Dataset.from_arrays` takes.
        masks: (count, height, width) or (count, height, width, channels), in any such form; None
            with a `Dataset`.
        batch_size: pictures a batch; the last one may be smaller when `shuffle` is off.
        size: side of the square pictures handed out, pixels.
        augment: how far to change pictures; None leaves them as they are. An albumentations
            pipeline, or what else takes `image=` and `mask=` and returns a dictionary of the two,
            may stand in its place; batches repeat where it has a method `set_random_seed`.
        seed: start of all chance.
        shuffle: draw a new order each epoch and drop the incomplete last batch.
        known: bool (count, channels); false where a picture has no mask of that channel.
        workers: threads that prepare batches ahead; 0 prepares each when it is asked for.
        shard: (index, count): this is one of `count` processes, whose batches of a step are
            together the batch that one process with `count` times the batch size would see.
        backgrounds: photos that `AugmentConfig.background` chooses from; without them, the batch's
            other pictures lend theirs.

    Each batch is (x, y): x float32 (batch, size, size, 3) in 0..255, y float32 (batch, size, size,
    channels) in 0..1, or -1 where the mask is unknown. `self[i]` is batch `i` of the present
    `epoch`, which counts from 0.
    """

    def __init__(
        self,
        images: Dataset | Sequence[np.ndarray],
        masks: Sequence[np.ndarray] | None = None,
        batch_size: int = 32,
        size: int = 128,
        augment: AugmentConfig | Callable[..., dict] | None = None,
        seed: int = 0,
        shuffle: bool = False,
        known: np.ndarray | None = None,
        workers: int = 0,
        shard: tuple[int, int] = (0, 1),
        backgrounds: Sequence[np.ndarray] | None = None,
    ) -> None:
        super().__init__(workers=1)
        if (masks is None) != isinstance(images, Dataset):
            raise SeglibError("give a Dataset and no masks, or images and as many masks")
        # A data set's masks reach to 1; those of arrays are looked at.
        self._white = 1 if masks is None else white_of(images, masks)
        if size < 1 or workers < 0:
            raise SeglibError(f"size is {size} and workers {workers}; use 1 or more, 0 or more")
        self.sampler = BatchSampler(len(images), batch_size, seed, shuffle, tuple(shard))
        self.shard = self.sampler.shard
        self.images, self.masks, self.known, self.size = images, masks, known, size
        self.augment, self.backgrounds, self.threads = augment, backgrounds, workers
        self._setting_up = False  # whether Keras is
        self._reset_threads()
        self.set_epoch(0)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        # Keras before 3.11 has none, and Python would count on without end.
        return (self[index] for index in range(len(self)))

    @property
    def identity(self) -> dict[str, Any]:
        """What other batches must share to be the same ones, ready for JSON."""
        shared = {name: getattr(self.sampler, name) for name in ("seed", "batch_size", "shuffle")}
        shared |= {"pictures": self.sampler.count, "processes": self.shard[1], "content": 0}
        for index in np.linspace(0, self.sampler.count - 1, 8).astype(int):
            for array in map(np.ascontiguousarray, self._pair(index)):
                shared["content"] = zlib.crc32(array, shared["content"])
        return shared

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch; a stopped run goes on by `set_epoch(e)` and `fit(initial_epoch=e)`."""
        with self._lock:
            for future in self._ahead.values():
                future.cancel()
            self._ahead.clear()
            self.epoch, self._next, self._read_all = epoch, None, False

    @property
    def workers(self) -> int:
        """Always 1: `Batches` has threads of its own, since Keras' would mix two epochs.

        Keras asks whenever it sets up `fit` or `evaluate`, and then ends a pass before the first
        real one begins, which `on_epoch_end` must not count.
        """
        self._setting_up = True
        return 1

    @workers.setter
    def workers(self, count: int) -> None:
        self.threads = count

    def on_epoch_end(self) -> None:
        """Move to the next epoch, once the last batch of this one was read.

        Keras calls this after each pass, also after one that it only set things up with, or that
        `steps_per_epoch` ended early.
        """
        if self._setting_up:
            self._setting_up = self._read_all = False
        elif self._read_all:
            self.set_epoch(self.epoch + 1)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        index = range(len(self))[index]
        with self._lock:
            epoch = self.epoch
            self._read_all |= index == len(self) - 1
            future = self._ahead.pop(index, None)
            # Ahead only of a reader who goes on in order: a single look costs a single batch.
            if self.threads and index == self._next:
                self._pool = self._pool or ThreadPoolExecutor(self.threads)
                for later in range(index + 1, min(index + 1 + 2 * self.threads, len(self))):
                    if later not in self._ahead:
                        self._ahead[later] = self._pool.submit(self._batch, epoch, later)
            self._next = index + 1
        return self._batch(epoch, index) if future is None else future.result()

    def _batch(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        together, mine = self.sampler.pictures(epoch, index)
        # Drawn for all processes' pictures: what one of them sees does not hang on how many share.
        rng = np.random.default_rng([self.sampler.seed, epoch, index])
        chosen, size = together[mine], self.size
        images, masks = zip(*map(self._pair, chosen), strict=True)
        known = None if self.known is None else np.asarray(self.known, bool)[chosen]
        if isinstance(self.augment, AugmentConfig):
            chances = {name: row[mine] for name, row in draw(rng, len(together)).items()}
            cuttable = None if known is None else known[:, 0]
            images, masks = augment_batch(
                images, masks, chances, size, self.augment, self.backgrounds, cuttable
            )
        elif self.augment is not None:
            seeds = rng.integers(2**32, size=len(together))[mine]
            images, masks = _changed(self.augment, images, masks, seeds)
        if not isinstance(images, np.ndarray):
            images, masks = (
                np.stack([resize(one, (size, size)) for one in part]) for part in (images, masks)
            )
        y = np.divide(masks, np.float32(255), dtype=np.float32)
        if known is not None:
            y[np.broadcast_to(~known[:, None, None], y.shape)] = -1
        return images.astype(np.float32), y

    def _pair(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a uint8 (h, w, 3) photo and its uint8 (h, w, channels) mask."""
        if self.masks is None:
            image, mask = array_pair(*([part] for part in self.images[int(index)]), 0)
        else:
            image, mask = array_pair(self.images, self.masks, index)
        return image, as_levels(mask, self._white)

    def _reset_threads(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._ahead: dict[int, Future] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave threads and locks behind when batches are copied or sent to another process."""
        mine = ("_lock", "_pool", "_ahead")
        return {name: value for name, value in vars(self).items() if name not in mine}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset_threads()


def _changed(
    change: Callable[..., dict], images: Sequence, masks: Sequence, seeds: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Call somebody else's augmentation on each pair and check what it returns."""
    seeded = hasattr(change, "set_random_seed")
    change = copy.deepcopy(change) if seeded else change  # each thread seeds its own
    pairs = []
    for image, mask, seed in zip(images, masks, seeds, strict=True):
        if seeded:
            change.set_random_seed(int(seed))
        result = change(image=image, mask=mask[..., 0] if mask.shape[2] == 1 else mask)
        if not isinstance(result, dict) or not {"image", "mask"} <= result.keys():
            raise SeglibError("the augmentation returned no dictionary of an image and a mask")
        view, changed = np.asarray(result["image"]), np.asarray(result["mask"])
        sides = (*view.shape[:2], mask.shape[2])
        right = view.shape == (*sides[:2], 3) and changed.shape in (sides, sides[:2])
        if not right or view.dtype != np.uint8 or changed.dtype != np.uint8:
            raise SeglibError(
                f"the augmentation returned a photo of {view.dtype} {view.shape} and a mask of "
                f"{changed.dtype} {changed.shape}; both must be changed alike and stay uint8, so "
                "leave out Normalize and ToTensor: the network scales pixels itself"
            )
        pairs.append((view, changed.reshape(sides)))
    return tuple(zip(*pairs, strict=True))
