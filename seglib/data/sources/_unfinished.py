"""Work in progress: a folder beside the target that one process owns and that outlives a kill.

Long work writes into `.part-<name>` beside its target and renames at the end, so what stands at the
target is whole, always. Unlike a temporary folder it is found again by the next run, which goes on.

Chapter: data preparation.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from seglib.errors import SeglibError

try:
    import fcntl
except ImportError:  # Windows: two runs at once are then the reader's own care.
    fcntl = None

# The helpers of a killed process need a moment to notice.
_PATIENCE = 5.0


def unfinished(target: Path) -> Path:
    """Return the folder for the unfinished work on `target`."""
    return target.with_name(f".part-{target.name}")


@contextmanager
def owned(target: Path) -> Iterator[Path]:
    """Yield the unfinished folder of `target`, made when missing, for this process alone.

    The lock is the operating system's: it ends with the process, however that ends.

    Raises:
        SeglibError: another process works on it, the disk is full, or the place is not writable;
            what was done so far stays for the next run.
    """
    part = unfinished(target)
    lock = target.with_name(f".lock-{target.name}")
    try:
        part.mkdir(parents=True, exist_ok=True)
        with open(lock, "w") as file:
            if fcntl:
                _lock(file, target)
            yield part
            lock.unlink(missing_ok=True)
    except OSError as error:
        raise explained(error, target) from error


def _lock(file: IO[str], target: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise SeglibError(
                    f"another process is at work on {target}; wait until it is done"
                ) from error
        time.sleep(0.1)


def explained(error: OSError, target: Path) -> SeglibError:
    """Return what to tell the user when work on `target` stopped for the system's reasons."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SeglibError(
            f"the disk is full: {target} is not complete; free some space and run the same command "
            "again, it goes on where it stopped"
        )
    place = error.filename or os.fspath(target)
    return SeglibError(
        f"cannot write {place} ({error.strerror or error}); choose another place or mend its "
        "permissions, and run the same command again"
    )
