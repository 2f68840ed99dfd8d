"""Unpack an archive that others made, trusting nothing in it.

Refused: names that lead out of the target (`..`, absolute paths, drive letters), links that lead
out of it, devices, two files of one name, and bombs, by the sizes that are declared and by the
bytes that really come out. Links within the target are left out, since no data set needs them.

Chapter: data preparation.
"""

import fnmatch
import gzip
import lzma
import posixpath
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from seglib.errors import SeglibError

_CHUNK = 1 << 20
# Photos hardly shrink; what grows a hundredfold is made to fill a disk.
_MAX_RATIO = 100
_ALWAYS_ALLOWED = 256 * 2**20
_LONGEST_NAME = 4096
_LONGEST_TAIL = 64


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    kind: str  # "file", "folder", "link" or "other"
    target: str
    open: Callable[[], IO[bytes] | None]


def extract(
    archive: str | Path,
    folder: str | Path,
    keep: Sequence[str] = (),
    strip: int = 0,
    max_bytes: int = 16 * 2**30,
    max_files: int = 500_000,
    progress: Callable[[int], object] | None = None,
) -> list[Path]:
    """Unpack a .zip, .tar, .tar.gz, .tar.xz or .tar.bz2 file.

    Args:
        archive: the file; its kind is told by its content.
        folder: where to, a new folder. On an error it may hold part of the files.
        keep: patterns such as "photos/*" of the files to unpack; all by default.
        strip: how many leading folders of each name to leave away.
        max_bytes: largest sum of all files.
        max_files: largest count of entries.
        progress: called with the bytes of each file that was looked at.

    Returns:
        The files that were written.

    Raises:
        SeglibError: the archive is unsafe, damaged, too large, or no archive.
    """
    archive, folder = Path(archive), Path(folder)
    allowed = min(max_bytes, max(_ALWAYS_ALLOWED, _MAX_RATIO * archive.stat().st_size))
    declared, count, written = 0, 0, []
    seen: set[str] = set()
    try:
        for member in _members(archive):
            count += 1
            declared += max(member.size, 0)
            if declared > allowed or count > max_files:
                raise SeglibError(
                    f"{archive.name} would unpack to more than {allowed >> 20} MB or {max_files} "
                    "files, far more than its size explains; do not use it"
                )
            parts = _safe_parts(member, archive.name)
            name = posixpath.join(*parts[strip:]) if parts[strip:] else ""
            if progress:
                progress(member.size)
            if member.kind != "file" or not name or not _wanted(name, keep):
                continue
            if name.lower() in seen:
                raise SeglibError(f"{archive.name} holds {name} twice; do not use it")
            seen.add(name.lower())
            target = folder.joinpath(*parts[strip:])
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(member, target, archive.name)
            written.append(target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise SeglibError(
            f"{archive.name} holds a file where {error.filename} is already; unpack it into a new "
            "folder, and should it stay so, do not use it"
        ) from error
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        lzma.LZMAError,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise SeglibError(
            f"{archive.name} is damaged, cut short or locked ({error}); get it again"
        ) from error
    return written


def commit_of(archive: str | Path) -> str:
    """Return the commit that `git archive` wrote into a .tar(.gz), "" where there is none."""
    try:
        with tarfile.open(archive) as tar:
            found = tar.pax_headers.get("comment", "")
    except (tarfile.TarError, EOFError, zlib.error, OSError):
        return ""
    return found if re.fullmatch(r"[0-9a-f]{40}", found) else ""


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            infos = zipped.infolist()
            for info in infos:
                # The upper half of the attributes is the file's mode on Unix; 0o12 is a link.
                linked = info.external_attr >> 28 == 0o12
                if linked and info.file_size > _LONGEST_NAME:
                    raise SeglibError(f"{archive.name} holds a link of no sense; do not use it")
                kind = "folder" if info.is_dir() else "link" if linked else "file"
                target = zipped.read(info).decode(errors="replace") if linked else ""
                target = posixpath.join(posixpath.dirname(info.filename), target)
                yield _Member(
                    info.filename, info.file_size, kind, target, lambda i=info: zipped.open(i)
                )
        return
    try:
        tar = tarfile.open(archive)  # noqa: SIM115 (closed below)
    except tarfile.ReadError as error:
        raise SeglibError(
            f"{archive.name} is neither a zip nor a tar file, or it is damaged; get it again"
        ) from error
    with tar:
        for info in tar:
            kind = "other"
            if info.isfile():
                kind = "file"
            elif info.isdir():
                kind = "folder"
            elif info.islnk() or info.issym():
                kind = "link"
            # A hard link's target counts from the archive's root, a symbolic one's from its folder.
            start = "" if info.islnk() else posixpath.dirname(info.name)
            target = posixpath.join(start, info.linkname) if kind == "link" else ""
            yield _Member(info.name, info.size, kind, target, lambda i=info: tar.extractfile(i))
        # The checksum of a compressed stream stands at its end, behind the last file.
        for _ in range(_LONGEST_TAIL):
            if not tar.fileobj.read(_CHUNK):
                return
        raise SeglibError(f"{archive.name} goes on for long after its last file; do not use it")


def _safe_parts(member: _Member, archive: str) -> list[str]:
    name = member.name
    # A backslash or a colon is part of a name on Unix and leads elsewhere on Windows.
    bad = name.startswith("/") or "\\" in name or ":" in name or "\0" in name
    if bad or ".." in name.split("/"):
        raise SeglibError(f"{archive} holds {name!r}, which leads out of the folder; do not use it")
    if member.kind == "other":
        raise SeglibError(f"{archive} holds {name!r}, which is no file; do not use it")
    if member.kind == "link":
        target = member.target
        if target.startswith("/") or posixpath.normpath(target).startswith(".."):
            raise SeglibError(
                f"{archive} holds the link {name!r}, which leads out of the folder; do not use it"
            )
    return [part for part in name.split("/") if part not in ("", ".")]


def _wanted(name: str, keep: Sequence[str]) -> bool:
    return not keep or any(fnmatch.fnmatchcase(name, pattern) for pattern in keep)


def _copy(member: _Member, target: Path, archive: str) -> None:
    source = member.open()
    if source is None:
        raise SeglibError(f"{archive} does not hold the content of {member.name!r}; get it again")
    left = member.size
    with source, open(target, "xb") as file:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise SeglibError(
                    f"{archive} holds more of {member.name!r} than it says; do not use it"
                )
            file.write(chunk)
    if left:
        raise SeglibError(f"{archive} holds less of {member.name!r} than it says; get it again")
