"""Files that are either whole or absent: write beside the target, then rename."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seglib.errors import SeglibError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the target's folder and rename it to `path` on success.

    Whatever stood at `path` stays untouched until the new content is complete. The temporary name
    keeps the suffix, since many writers choose their format by it.

    Args:
        path: the file to write. Its folder is made when missing.

    Raises:
        SeglibError: the folder cannot be written or the disk is full; `path` is as it was.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.name, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _explained(error, path) from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result should carry the permissions of any new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def _explained(error: OSError, path: Path) -> SeglibError:
    if error.errno == errno.ENOSPC:
        return SeglibError(
            f"the disk is full: {path} was not written and what stood there is unchanged; "
            "free some space or choose another folder"
        )
    return SeglibError(f"cannot write {path} ({error.strerror or error}); choose another place")


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
