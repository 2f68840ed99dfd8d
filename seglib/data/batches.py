"""Batches for `keras.Model.fit` on every backend: shuffled, augmented, repeatable, resumable.

Batch `i` of epoch `e` depends on the seed, `e` and `i` alone: not on how many threads prepare it,
nor on what was drawn before. A run that is stopped anywhere and started again therefore sees the
very pictures it would have seen, and several processes share each batch without talking.

Chapter: training on Colab.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from seglib.data.augment import AugmentConfig, augment_batch, draw
from seglib.data.dataset import Dataset
from seglib.data.pipelines import Pipeline, squares
from seglib.data.plan import Plan
from seglib.errors import SeglibError


class Batches(keras.utils.PyDataset):
    """A data set, in memory or on disk, cut into batches.

    Args:
        images: uint8 (count, height, width, 3) RGB, in memory or memory-mapped;
            or a `Dataset`, read from disk batch by batch.
        masks: uint8 (count, height, width) or (count, height, width, channels), 0..255; None with a
            `Dataset`.
        batch_size: pictures a batch; the last one may be smaller when `shuffle` is off.
        size: side of the square pictures handed out, pixels.
        augment: how far to change pictures; None leaves them as they are. Any callable that takes
            `image=` and `mask=` and returns a dictionary of the two, such as an albumentations
            pipeline, may stand in its place.
        seed: start of all chance.
        shuffle: draw a new order each epoch and drop the incomplete last batch.
        known: bool (count, channels); false where a picture has no mask of that channel.
        workers: threads that prepare batches ahead; 0 prepares each when it is asked for. OpenCV
            leaves Python's lock while it works, so threads suffice, and no picture is copied
            between processes.
        shard: (index, count): this is one of `count` processes. In every epoch each picture goes to
            one of them only, all make equally many steps, and the `count` batches of a step are
            together the batch that one process with `count` times the batch size would see.
        start: (epoch, batch) to begin at.
        backgrounds: photos that `AugmentConfig.background` chooses from; without them, the batch's
            other pictures lend theirs.
        labels: masks hold class numbers; they are never mixed, and y is int32.

    Each batch is (x, y): x float32 (batch, size, size, 3) in 0..255, y float32 (batch, size, size,
    channels) in 0..1, or -1 where the mask is unknown.

    `self[i]` is batch `i` of the present epoch; beyond the epoch's end the next ones follow.
    """

    def __init__(
        self,
        images: np.ndarray | Dataset,
        masks: np.ndarray | None = None,
        batch_size: int = 32,
        size: int = 128,
        augment: AugmentConfig | Callable[..., dict] | None = None,
        seed: int = 0,
        shuffle: bool = False,
        known: np.ndarray | None = None,
        workers: int = 0,
        shard: tuple[int, int] = (0, 1),
        start: tuple[int, int] = (0, 0),
        backgrounds: Sequence[np.ndarray] | None = None,
        labels: bool = False,
    ) -> None:
        super().__init__(workers=1)
        pairs = isinstance(images, Dataset)
        count, others = len(images), 0 if masks is None else len(masks)
        if not count or (masks is None) != pairs or (not pairs and others != count):
            raise SeglibError(
                f"{count} images and {others} masks make no batches; give as many masks as images, "
                "and at least one, or a Dataset and no masks"
            )
        if size < 1 or workers < 0:
            raise SeglibError(f"size is {size} and workers {workers}; use 1 or more, 0 or more")
        self.plan = Plan(count, batch_size, seed, shuffle, shard)
        self.images = images
        self.masks = masks[..., None] if masks is not None and masks.ndim == 3 else masks
        self.known = known
        self.size = size
        self.augment = Pipeline(augment) if callable(augment) else augment
        self.backgrounds = backgrounds
        self.labels = labels
        self.threads = workers
        self._reset_threads()
        # What Keras has done so far: asked for workers, been seen to end a pass, read the last one.
        self._asked = self._driven = self._saw_last = False
        self._go_to(*start)

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.plan.steps

    @property
    def epoch(self) -> int:
        """The present epoch, from 0; set it to begin another one at its first batch."""
        return self._first // len(self)

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._go_to(epoch, 0)

    def set_epoch(self, epoch: int) -> None:
        """Begin epoch `epoch`, whose batches depend on the seed and on its number alone."""
        self._go_to(epoch, 0)

    @property
    def shard(self) -> tuple[int, int]:
        """(index, count) of this process among those that share the pictures."""
        return self.plan.shard

    @property
    def identity(self) -> dict[str, Any]:
        """What other batches must share to be the same ones, ready for JSON."""
        return self.plan.identity

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the present epoch's batches; Keras before 3.11 would never stop."""
        return (self[index] for index in range(len(self)))

    @property
    def remaining(self) -> int:
        """Batches from `self[0]` to the end of its epoch; fewer than `len` after a restore."""
        return len(self) - self._first % len(self)

    def state(self, done: int) -> dict[str, Any]:
        """Return where a run stands, ready for JSON, to be handed to `restore`.

        Args:
            done: batches learnt from since `self[0]`. Only the training loop can tell: Keras
                fetches batches ahead of time.
        """
        epoch, batch = divmod(self._first + done, len(self))
        return {**self.plan.identity, "epoch": epoch, "batch": batch}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken: `self[0]` is now the batch that was due next.

        To end that epoch in Keras, and then go on with whole ones:

            model.fit(batches, steps_per_epoch=batches.remaining, initial_epoch=e, epochs=e + 1)
            batches.epoch = e + 1
            model.fit(batches, initial_epoch=e + 1, epochs=all_epochs)

        Raises:
            SeglibError: the state belongs to other pictures or settings.
        """
        mine = self.plan.identity
        other = [key for key in mine if state.get(key) != mine[key]]
        if other:
            raise SeglibError(
                f"this state belongs to other batches ({', '.join(other)} differ); "
                "make the batches with the settings of the stopped run"
            )
        self._go_to(state["epoch"], state["batch"])

    def _go_to(self, epoch: int, batch: int) -> None:
        if epoch < 0 or not 0 <= batch < len(self):
            raise SeglibError(
                f"there is no batch {batch} in epoch {epoch}; an epoch has {len(self)} batches"
            )
        self._begin(epoch * len(self) + batch)

    def _begin(self, first: int) -> None:
        with self._lock:
            for future in self._ahead.values():
                future.cancel()
            self._ahead.clear()
            self._first, self._next, self._saw_last = first, None, False

    # Keras: one pass over the data is one epoch.

    @property
    def workers(self) -> int:
        """Always 1: `Batches` has threads of its own, since Keras' would mix two epochs.

        Keras reads this once whenever it sets up `fit` or `evaluate`. It may then fetch batches
        to look at their shapes, and ends that pass before the first real one begins; noting the
        question is how `on_epoch_end` tells the two apart.
        """
        self._asked = True
        return 1

    @workers.setter
    def workers(self, count: int) -> None:
        self.threads = count

    def on_epoch_end(self) -> None:
        """Move to the next epoch's order and views.

        Keras calls this after each pass. A pass that only set things up does not count, nor does
        one that `steps_per_epoch` ends early: the next then goes on with the same epoch.
        """
        if self._asked:
            self._asked, self._saw_last, self._driven = False, False, True
        elif self._saw_last or not self._driven:
            self._begin(self._first + len(self))

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index` of the present epoch, prepared ahead where `workers` are set."""
        if index < 0:
            raise IndexError(f"batch {index}; batches count from 0")
        with self._lock:
            step = self._first + index
            self._saw_last |= index == len(self) - 1
            future = self._ahead.pop(step, None)
            # Ahead only of a reader who goes on in order: a single look costs a single batch.
            if self.threads and step == self._next:
                for later in range(index + 1, min(index + 1 + 2 * self.threads, len(self))):
                    self._fetch(self._first + later)
            self._next = step + 1
        return future.result() if future is not None else self._batch(step)

    def _fetch(self, step: int) -> None:
        if step not in self._ahead:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="batches")
            self._ahead[step] = self._pool.submit(self._batch, step)

    def _batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, index = divmod(step, len(self))
        together, mine = self.plan.pictures(epoch, index)
        chosen = together[mine]
        # Drawn for all processes' pictures: what one of them sees does not hang on how many share.
        rng = np.random.default_rng([self.plan.seed, epoch, index])
        images, masks = self._read(chosen)
        known = None if self.known is None else self.known[chosen]
        if self.augment is None:
            views, changed = squares(images, masks, self.size, self.labels)
        elif isinstance(self.augment, Pipeline):
            seeds = rng.integers(2**32, size=len(together))[mine]
            views, changed = self.augment(images, masks, seeds, self.size, self.labels)
        else:
            chances = {name: row[mine] for name, row in draw(rng, len(together)).items()}
            views, changed = augment_batch(
                images,
                masks,
                chances,
                self.size,
                self.augment,
                self.backgrounds,
                None if known is None else known[:, 0],
                self.labels,
            )
        if self.labels:
            y = changed.astype(np.int32)
        else:
            y = np.divide(changed, np.float32(255), dtype=np.float32)
        if known is not None:
            y[np.broadcast_to(~known[:, None, None], y.shape)] = -1
        return views.astype(np.float32), y

    def _read(self, chosen: np.ndarray) -> tuple[list[np.ndarray], ...]:
        """Return uint8 (h, w, 3) photos and uint8 (h, w, channels) masks."""
        if self.masks is not None:
            return tuple(
                [np.asarray(rows[i]) for i in chosen] for rows in (self.images, self.masks)
            )
        pairs = [self.images[int(i)] for i in chosen]
        scale = 1 if self.labels else 255
        masks = [np.rint(mask * scale).astype(np.uint8)[..., None] for _, mask in pairs]
        return [image for image, _ in pairs], masks

    # Threads and locks stay behind when batches are copied or sent to another process.

    def _reset_threads(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._ahead: dict[int, Future] = {}

    def __getstate__(self) -> dict[str, Any]:
        mine = ("_lock", "_pool", "_ahead")
        return {name: value for name, value in vars(self).items() if name not in mine}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset_threads()
