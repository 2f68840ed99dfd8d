"""Files and folders: written whole or not at all, listed and read the same way everywhere."""

import codecs
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from seglib.errors import SeglibError

__all__ = ["atomic_path", "new_folder", "read_text", "list_files", "list_folders", "sha256"]

_SYSTEM_NAMES = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir"}


@contextmanager
def atomic_path(path: str | Path, free_bytes: int = 0) -> Iterator[Path]:
    """Yield a temporary path in the target's folder and rename it to `path` on success.

    Whatever stood at `path` stays untouched until the new content is complete. The temporary name
    keeps the suffix, since many writers choose their format by it.

    Args:
        path: the file to write. Its folder is made when missing.
        free_bytes: how much the disk must have room for, for writers that do not survive a full
            one: HDF5 brings the whole process down. The temporary file then comes with that many.

    Raises:
        SeglibError: the folder cannot be written or the disk is full; `path` is as it was.
    """
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.name[-40:], dir=path.parent)
        temporary = Path(name)
        try:
            with open(handle, "wb") as file:
                for start in range(0, free_bytes, 1 << 20):
                    # Noise, which no file system can pack.
                    file.write(os.urandom(min(1 << 20, free_bytes - start)))
                    file.flush()
                    os.fsync(handle)
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder` and rename it to that on success.

    Raises:
        SeglibError: `folder` exists already, its place cannot be written, or the disk is full;
            nothing is left of what was begun, and nothing that was there is changed.
    """
    folder = Path(folder)
    if folder.exists():
        raise SeglibError(f"{folder} exists already; choose a new folder name")
    with _explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".part-{folder.name}-", dir=folder.parent))
        try:
            yield unfinished
            unfinished.chmod(0o777 & ~_umask())
            os.rename(unfinished, folder)
        except SeglibError as error:
            # Whoever reads this never heard of the temporary folder.
            raise SeglibError(str(error).replace(str(unfinished), str(folder))) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def read_text(path: str | Path) -> str:
    """Return a text file's content: UTF-8 with or without a byte order mark, or marked UTF-16."""
    try:
        content = Path(path).read_bytes()
        marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if marked else "utf-8-sig")
    except FileNotFoundError as error:
        raise SeglibError(f"there is no file {path}; check the name") from error
    except OSError as error:
        raise SeglibError(f"cannot read {path} ({error.strerror}); check the file") from error
    except UnicodeDecodeError as error:
        raise SeglibError(f"{path} is not UTF-8 text ({error}); save it as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def list_files(folder: str | Path, suffixes: Collection[str] | None = None) -> list[Path]:
    """Return the files directly in a folder, sorted, without hidden and system files.

    Args:
        folder: where to look.
        suffixes: in lower case, such as (".jpg", ".png"); `.JPG` is then found as well.
    """
    files = [path for path in _entries(folder) if path.is_file()]
    return [path for path in files if suffixes is None or path.suffix.lower() in suffixes]


def list_folders(folder: str | Path) -> list[Path]:
    """Return the folders directly in a folder, sorted, without hidden and system folders."""
    return [path for path in _entries(folder) if path.is_dir()]


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of that name is what systems and editors leave about."""
    return name.startswith((".", "~$")) or name.lower() in _SYSTEM_NAMES


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entries(folder: str | Path) -> list[Path]:
    try:
        return sorted(path for path in Path(folder).iterdir() if not is_hidden(path.name))
    except OSError as error:
        raise SeglibError(f"there is no folder {folder} to read; check the name") from error


def _umask() -> int:
    """Return the user's mask: temporary files are private, a result is as any new file or folder.

    The system tells the mask only in exchange for another.
    """
    umask = os.umask(0)
    os.umask(umask)
    return umask


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn the system's errors into what the user can do about them."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SeglibError(
                f"the disk is full: {path} was not written and what stood there is unchanged; "
                "free some space or choose another folder"
            ) from error
        reason = error.strerror or error
        raise SeglibError(f"cannot write {path} ({reason}); choose another place") from error
