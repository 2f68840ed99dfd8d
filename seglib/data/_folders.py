"""Folders that are either whole or absent: write beside the target, then rename.

Chapter: data preparation.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seglib.errors import SeglibError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder` and rename it to that on success.

    Raises:
        SeglibError: `folder` exists already, its place cannot be written, or the disk is full;
            nothing is left of what was begun, and nothing that was there is changed.
    """
    if folder.exists():
        raise SeglibError(f"{folder} exists already; choose a new folder name")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".part-{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise _explained(error, folder) from error
    try:
        yield unfinished
        # mkdtemp makes private folders; a result should carry the permissions of any new one.
        umask = os.umask(0)
        os.umask(umask)
        unfinished.chmod(0o777 & ~umask)
        os.rename(unfinished, folder)
    except OSError as error:
        raise _explained(error, folder) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _explained(error: OSError, folder: Path) -> SeglibError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SeglibError(
            f"the disk is full: nothing was left of {folder}; free some space or choose another "
            "folder"
        )
    return SeglibError(
        f"cannot write {folder} ({error.strerror or error}); nothing was left of it, choose "
        "another folder"
    )
