"""Files and folders that are either whole or absent: write beside the target, then rename."""

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

_SYSTEM_NAMES = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir"}


@contextmanager
def atomic_path(path: str | Path, room: int = 0) -> Iterator[Path]:
    """Yield a temporary path in the target's folder and rename it to `path` on success.

    Whatever stood at `path` stays untouched until the new content is complete. The temporary name
    keeps the suffix, since many writers choose their format by it.

    Args:
        path: the file to write. Its folder is made when missing.
        room: bytes that the disk must have for it, for writers that do not survive a full one:
            HDF5 brings the whole process down. The temporary file then comes with that many.

    Raises:
        SeglibError: the folder cannot be written or the disk is full; `path` is as it was.
    """
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.name, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            _take_up(temporary, room)
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder` and rename it to that on success.

    Args:
        folder: the folder to make; there must be none of that name yet.

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


def _take_up(path: Path, room: int) -> None:
    """Fill a file, with what a file system that packs cannot make smaller."""
    if room:
        with open(path, "wb") as file:
            for start in range(0, room, 1 << 20):
                file.write(os.urandom(min(1 << 20, room - start)))
            file.flush()
            os.fsync(file.fileno())


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


def read_text(path: str | Path) -> str:
    """Return a text file's content: UTF-8 with or without a byte order mark, or marked UTF-16."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SeglibError(f"cannot read {path} ({error.strerror}); check the name") from error
    try:
        marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise SeglibError(
            f"{path} is not UTF-8 text (byte {error.start} is {content[error.start]:#04x}); "
            "save it as UTF-8"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def list_files(folder: str | Path, suffixes: Collection[str] | None = None) -> list[Path]:
    """Return a folder's files, sorted; hidden and system files are left out.

    Args:
        folder: the folder to look into, not below.
        suffixes: in lower case, such as (".jpg", ".png"); files' own are compared in lower case.
    """
    return [
        path
        for path in _entries(folder)
        if (suffixes is None or path.suffix.lower() in suffixes) and path.is_file()
    ]


def list_folders(folder: str | Path) -> list[Path]:
    """Return the folders in a folder, sorted; hidden and system folders are left out."""
    return [path for path in _entries(folder) if path.is_dir()]


def _entries(folder: str | Path) -> list[Path]:
    try:
        entries = sorted(Path(folder).iterdir())
    except OSError as error:
        raise SeglibError(f"there is no folder {folder} to read; check the name") from error
    return [path for path in entries if not is_hidden(path.name)]


def is_hidden(name: str) -> bool:
    """Return whether a file's or folder's name is one that systems and editors leave about."""
    return name.startswith((".", "~$")) or name.lower() in _SYSTEM_NAMES


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
