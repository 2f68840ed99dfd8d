"""Keeps a run: the log, the best weights, checkpoints within and after each epoch.

Chapter: training on Colab.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from seglib.data.batches import Batches
from seglib.errors import SeglibError
from seglib.models.build import weights_bytes
from seglib.training import checkpoint, schedules
from seglib.training.config import TrainConfig
from seglib.training.logs import TensorBoard, score, write_csv

BEST = "best.weights.h5"


class Recorder(keras.callbacks.Callback):
    """Writes the run's folder, reads it back, sets the rate of "plateau", and stops early.

    Args:
        folder: the run's, or None to keep nothing.
        config: how the run is trained.
        train: the batches, whose position is saved.
        network: whose best weights are kept; what is trained may have more.
        metrics: the metrics of the log besides the loss.
        asked: set when the process is asked to end.
    """

    def __init__(
        self,
        folder: Path | None,
        config: TrainConfig,
        train: Batches,
        network: keras.Model,
        metrics: Sequence[keras.metrics.Metric],
        asked: threading.Event,
    ) -> None:
        super().__init__()
        # Several processes train together; one of them writes.
        self.folder = folder
        self.writes = folder is not None and train.shard[0] == 0
        self.config, self.train, self.network, self.asked = config, train, network, asked
        self.metrics = metrics
        self.rows: list[dict[str, float]] = []
        self.best_weights: list[np.ndarray] | None = None
        self.board = TensorBoard(folder) if config.tensorboard else None
        self.raw: list[np.ndarray] | None = None
        self._first = 0

    def resume(self, model: keras.Model) -> int:
        """Load the checkpoint, if there is one; return the epoch that is due."""
        sums = self._sums_of(model)
        found = self.folder and checkpoint.read(
            self.folder, checkpoint.numbers(model), sums, self.config
        )
        if not found:
            self.train.set_epoch(0)
            return 0
        self.rows[:] = found["rows"]
        mine, stored = self.train.identity, found["position"] or {}
        other = [name for name in mine if stored.get(name, mine[name]) != mine[name]]
        if other:
            raise SeglibError(
                f"{self.folder} holds a run on other batches ({', '.join(other)} differ); make the "
                "batches with the settings of the stopped run, or choose a new folder"
            )
        self.train.set_epoch(len(self.rows))
        return len(self.rows)

    @property
    def finished(self) -> bool:
        """Whether no epoch is left, or too many brought nothing."""
        if len(self.rows) >= self.config.epochs:
            return True
        if not self.rows or not self.config.patience:
            return False
        best = max(range(len(self.rows)), key=lambda i: score(self.rows[i]))
        return len(self.rows) - 1 - best >= self.config.patience

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note the number of the epoch's first step."""
        self._first = epoch * len(self.train)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Draw dropout on PyTorch from the step's number.

        Keras takes it there from PyTorch's own generator, which others draw from too. On the other
        backends its state is one of the network's variables.
        """
        if keras.backend.backend() == "torch":
            import torch

            torch.manual_seed(self.config.seed * 2**32 + self._first + batch)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """End where the process is asked to; the run goes on at the start of this epoch."""
        # After the last batch the epoch is saved first.
        if self.asked.is_set() and batch + 1 < len(self.train):
            raise SystemExit(143)

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Validate the running mean of the weights, where there is one."""
        if self.config.ema:
            self.raw = self._average(self.model)

    def on_test_end(self, logs: dict | None = None) -> None:
        """Go on with the weights themselves."""
        self.put_back(self.model)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Add a row; keep the best weights; save."""
        model = self.model
        row = {name: float(value) for name, value in (logs or {}).items()}
        row["learning_rate"] = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        self.rows.append({"epoch": epoch + 1, **row})
        with self._averaged(model):
            self._keep_best()
        if self.config.schedule == "plateau":
            model.optimizer.learning_rate = schedules.plateau(self.config, self.rows)
        if self.board is not None and self.writes:
            self.board.add(self.rows[-1])
        if self.writes:
            write_csv(self.folder, self.rows)
            # Last, since its presence says that the epoch is whole.
            self._save([], self.train.identity)
        if self.finished:
            model.stop_training = True
        if self.asked.is_set() and not self.finished:
            raise SystemExit(143)
        if self.config.ema:
            # Keras puts the running mean into the network where `fit` ends.
            self.raw = checkpoint.values(model.trainable_variables)

    def put_back(self, model: keras.Model) -> None:
        """Put the weights themselves back where their running mean stands."""
        if self.raw is not None:
            for variable, value in zip(model.trainable_variables, self.raw, strict=True):
                variable.assign(value)
        self.raw = None

    def restore_best(self) -> None:
        """Put the best epoch's weights into the network."""
        if self.best_weights is not None:
            self.network.set_weights(self.best_weights)
        elif self.folder is not None and (self.folder / BEST).exists():
            self.network.load_weights(self.folder / BEST)

    def _keep_best(self) -> None:
        if max(self.rows, key=score) is not self.rows[-1]:
            return
        self.best_weights = checkpoint.values(self.network.weights)
        if self.folder is not None:
            room = weights_bytes(self.network)
            with checkpoint.one_writes(self.folder / BEST, self.writes, room) as temporary:
                self.network.save_weights(temporary, overwrite=True)

    def _save(self, sums: list, position: dict) -> None:
        checkpoint.write(
            self.folder, checkpoint.numbers(self.model), sums, self.config, self.rows, position
        )

    def _sums_of(self, model: keras.Model) -> list[keras.Variable]:
        loss = [metric for metric in model.metrics if metric.name == "loss"]
        return [variable for metric in (*loss, *self.metrics) for variable in metric.variables]

    @staticmethod
    def _average(model: keras.Model) -> list[np.ndarray]:
        """Put the running mean into the model and return the weights themselves."""
        raw = checkpoint.values(model.trainable_variables)
        model.optimizer.finalize_variable_values(model.trainable_variables)
        # On JAX the optimizer would share these arrays, which the next step uses up.
        mean = checkpoint.values(model.trainable_variables)
        for variable, value in zip(model.trainable_variables, mean, strict=True):
            variable.assign(value)
        return raw

    @contextmanager
    def _averaged(self, model: keras.Model) -> Iterator[None]:
        self.on_test_begin()
        try:
            yield
        finally:
            self.on_test_end()
