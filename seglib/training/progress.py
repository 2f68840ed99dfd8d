"""Where a training stands while it runs: a bar, or whatever the caller draws.

Chapter: training on Colab.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
from tqdm.auto import tqdm


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Attributes:
        rows: the log so far, one row per whole epoch.
        step: steps taken since the training began, those before a stop included.
        steps: steps of the whole training.
        seconds_left: until the last step at the pace since this start, validation included; None
            before there is a pace.
    """

    rows: Sequence[dict[str, float]]
    step: int
    steps: int
    seconds_left: float | None

    def __str__(self) -> str:
        """Word it for a title: the share that is done and the time left."""
        text = f"{self.step / self.steps:.0%} of {self.steps} steps"
        if self.seconds_left is None:
            return text
        minutes, seconds = divmod(round(self.seconds_left), 60)
        return f"{text}, {minutes}:{seconds:02} left"


Watch = Callable[[Progress], None]


class Reporter(keras.callbacks.Callback):
    """Tells `watch` after each epoch and at most once a second, or draws tqdm's bar."""

    def __init__(
        self,
        rows: Sequence[dict[str, float]],
        done: int,
        steps: int,
        watch: Watch | None = None,
    ) -> None:
        super().__init__()
        self.rows, self.done, self.steps, self.watch = rows, done, steps, watch
        self.before, self.began = done, time.monotonic()
        self.told = self.began
        self.bar = None
        if watch is None:
            self.bar = tqdm(total=steps, initial=done, desc="training", unit="step")

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count a step."""
        self.done += 1
        if self.bar is not None:
            self.bar.update()
        elif time.monotonic() - self.told >= 1:
            self._tell()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Show the epoch's row."""
        if self.bar is not None:
            row = self.rows[-1]
            names = [name for name in ("loss", "iou", "val_iou") if name in row]
            self.bar.set_postfix(epoch=epoch + 1, **{name: f"{row[name]:.3f}" for name in names})
        else:
            self._tell()

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()

    def _tell(self) -> None:
        self.told = time.monotonic()
        taken = self.done - self.before
        left = (self.told - self.began) / taken * (self.steps - self.done) if taken else None
        self.watch(Progress(self.rows, self.done, self.steps, left))
