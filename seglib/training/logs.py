"""What a training tells others: its log read back, TensorBoard, a message when it ends or fails.

Chapter: training on Colab.
"""

import csv
import io
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras

from seglib.errors import SeglibError
from seglib.files import read_text
from seglib.training.fit import LOG, History


def read_history(run: str | Path) -> History:
    """Read the log of a run from its folder or its `history.csv`."""
    path = Path(run)
    path = path / LOG if path.is_dir() else path
    try:
        table = csv.DictReader(io.StringIO(read_text(path)))
        rows = [{name: float(value) for name, value in row.items() if value} for row in table]
        rows = [{**row, "epoch": int(row["epoch"])} for row in rows]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise SeglibError(
            f"{path} is no training log ({error}); give the folder of a run that has ended an epoch"
        ) from error
    if not rows:
        raise SeglibError(f"{path} is no training log: it has no rows")
    return History(rows)


class TensorBoard(keras.callbacks.Callback):
    """Writes a run's rows for TensorBoard, on every Keras backend and without TensorFlow.

    Training and validation become two runs with the same names of values under `folder/logs`, so
    that TensorBoard draws them into one graph. A row that is written twice is drawn twice at the
    same place.
    """

    def __init__(self, folder: Path | None, rows: Sequence[dict[str, float]]) -> None:
        super().__init__()
        if folder is None:
            raise SeglibError("tensorboard=True needs a folder to write to; hand one to fit")
        try:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError as error:
            raise SeglibError(
                "tensorboard=True needs the tensorboard package; pip install tensorboard"
            ) from error
        self.rows = rows
        self.writers = {
            part: EventFileWriter(str(folder / "logs" / part)) for part in ("train", "validation")
        }

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the last row."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        for name, number in self.rows[-1].items():
            part = "validation" if name.startswith("val_") else "train"
            if name != "epoch":
                value = Summary.Value(tag=f"epoch_{name.removeprefix('val_')}", simple_value=number)
                event = Event(wall_time=time.time(), step=epoch + 1, summary=Summary(value=[value]))
                self.writers[part].add_event(event)
        for writer in self.writers.values():
            writer.flush()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the files."""
        for writer in self.writers.values():
            writer.close()


@contextmanager
def notifications(addresses: Sequence[str], run: str) -> Iterator[Callable[[str, str], None]]:
    """Tell services when the block fails or is interrupted; what is yielded tells them more.

    Any service goes that apprise (https://github.com/caronc/apprise) knows: Telegram, mail, Slack,
    ntfy and a hundred more. Each is one address, such as ``tgram://bot-token/chat-id`` or
    ``mailto://user:password@gmail.com``. Such addresses hold secrets: they are never stored. A
    service that cannot be reached is a warning: no training is lost over a message.
    """
    try:
        import apprise
    except ImportError as error:
        raise SeglibError(
            "notifications need the apprise package; pip install apprise, or leave notify out"
        ) from error
    services = apprise.Apprise()
    for address in addresses:
        if not services.add(address):
            # What follows the scheme may be a password.
            raise SeglibError(
                "apprise knows no service for the address that begins with "
                f"{address.split('://')[0]!r}; see its list at https://github.com/caronc/apprise"
            )

    def send(title: str, text: str) -> None:
        if not services.notify(title=f"{run}: {title}", body=text):
            warnings.warn(f"the message {title!r} did not reach every service", stacklevel=2)

    try:
        yield send
    except BaseException as error:
        send("training stopped", f"{type(error).__name__}: {error}".rstrip(": "))
        raise
