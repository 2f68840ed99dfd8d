"""Where the field's data sets come from, under which terms, and their files, fetched and checked.

The archive of a commit is not the same bytes every day, its files are. So a fetched folder carries
a manifest with the SHA-256 of each file; the folder appears together with it, and each later use
checks it.

Chapter: data preparation.
"""

import csv
import difflib
import fnmatch
import gzip
import json
import lzma
import os
import re
import shutil
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from seglib.data import portraits
from seglib.data.download import cache_folder, get_files, unfinished
from seglib.errors import SeglibError
from seglib.files import read_text, sha256

MANIFEST = "seglib-manifest.json"
_HERE = Path(__file__).parent
# Photos hardly shrink; what grows a hundredfold is made to fill a disk.
_MOST_GROWTH, _ALWAYS_ALLOWED = 100, 256 * 2**20
_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, gzip.BadGzipFile, zlib.error),
    *(EOFError, NotImplementedError, RuntimeError),
    *(FileExistsError, NotADirectoryError, IsADirectoryError),
)


@dataclass(frozen=True)
class Source:
    """One data set, or one way to bring one's own photos.

    Attributes:
        name: what `fetch`, `prepare` and `load` call it.
        title: its full name.
        shows: what the photos show.
        kinds: what its masks mark, the main one first; "mask" where the owner decides.
        licence: the licence as stated, or "none stated".
        terms: what that allows, in plain words.
        layout: which reader understands its files; "" where they need no preparing.
        citation: what to cite, "" where there is nothing.
        count: how many pairs the source names; None where it does not say.
        size: pixels of the photos, as stated; "" where it varies or is unknown.
        raw: name of the folder its files are fetched to; sets of one repository share it.
        repository: owner/name on GitHub, for sets that can be fetched.
        commit: the commit to fetch, full or abbreviated; the archive must carry it.
        address: the archive to fetch; "" where only a person can get the files.
        keep: path patterns of the files the reader needs; others are left in the archive.
        steps: what a person does to get the files, in order.
        faults: what is known to be wrong with it.
    """

    name: str
    title: str
    shows: str
    kinds: tuple[str, ...]
    licence: str
    terms: str
    layout: str = ""
    citation: str = ""
    count: int | None = None
    size: str = ""
    raw: str = ""
    repository: str = ""
    commit: str = ""
    address: str = ""
    keep: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def fetchable(self) -> bool:
        """Whether `seglib.data.fetch` can get it without a person."""
        return bool(self.address)


@cache
def entries() -> tuple[Source, ...]:
    """Return every source of the catalogue, in the order of the book; also `seglib.data.list()`."""
    content = tomllib.loads(read_text(_HERE / "catalogue.toml"))
    shared, found = content.pop("shared"), []
    for name, own in content.items():
        facts = {**shared.get(own.pop("like", ""), {}), **own}
        if "repository" in facts:
            archive = f"https://github.com/{facts['repository']}/archive/{facts['commit']}.tar.gz"
            facts.setdefault("address", archive)
        lists = {key: tuple(value) for key, value in facts.items() if isinstance(value, list)}
        found.append(Source(name, **{**facts, **lists}))
    return tuple(found)


def source(name: str) -> Source:
    """Return the source of this name; the error for another lists those there are."""
    found = {entry.name: entry for entry in entries()}
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise SeglibError(f"no source is called {name!r}{meant}; there are {', '.join(found)}")


def known_checksums(entry: Source) -> dict[str, str]:
    """Return path -> SHA-256 of the few files that are the authors' own, byte for byte."""
    path = _HERE / "manifests" / f"{entry.raw}.csv"
    rows = csv.DictReader(read_text(path).splitlines()) if entry.raw and path.exists() else ()
    return {row["path"]: row["sha256"] for row in rows}


def fetch(
    name: str | Source,
    folder: str | Path | None = None,
    progress: bool = True,
    timeout: float = 10.0,
    checksums: Mapping[str, str] | None = None,
) -> Path:
    """Fetch a data set's files in their original layout.

    A folder that is there already is checked against its manifest and not fetched again. Nothing
    half-made is ever left under the folder's name.

    Args:
        name: a name of the catalogue, or a `Source` of your own.
        folder: where to; by default raw/<name> in the cache.
        progress: whether to draw a bar.
        timeout: seconds of silence after which nobody is there.
        checksums: path -> SHA-256 that files must have; by default those known of the source.

    Returns:
        The folder. `seglib.data.prepare` takes it; `portraits` can be loaded as it is.
    """
    entry = source(name) if isinstance(name, str) else name
    if not entry.fetchable:
        steps = "; ".join(f"{number}. {step}" for number, step in enumerate(entry.steps, 1))
        raise SeglibError(f"{entry.name} cannot be fetched without you: {steps}")
    if entry.name == "portraits":
        return next(iter(portraits.fetch_photos(progress).values())).parent.parent
    target = Path(folder) if folder else cache_folder() / "raw" / (entry.raw or entry.name)
    expected = known_checksums(entry) if checksums is None else checksums
    with unfinished(target) as part:
        archive, tree = part / "archive", part / "tree"
        if not target.exists():
            get_files({archive.name: (entry.address, None)}, part, progress, timeout)
            shutil.rmtree(tree, ignore_errors=True)
            try:
                _write_manifest(tree, unpack(archive, tree, entry.keep, 1), entry, expected)
            except SeglibError as error:
                # Whatever is wrong with the archive, the next run must not meet it again.
                shutil.rmtree(part)
                raise SeglibError(f"{entry.address} cannot be used: {error}") from error
            os.replace(tree, target)
        shutil.rmtree(part)
    if manifest(target)["address"] != entry.address:
        raise SeglibError(f"{target} was not fetched from {entry.address}; choose another folder")
    if faults := verify(target):
        raise SeglibError(
            f"{target} is not as it was fetched: {len(faults)} files differ ({faults[0]}); move it "
            "away and fetch again"
        )
    return target


def verify(folder: str | Path) -> list[str]:
    """Return one sentence for each file of a fetched folder that is missing or has changed."""
    files = manifest(folder)["files"]
    there = {path: Path(folder) / path for path in files if (Path(folder) / path).is_file()}
    missing = [f"{path} is missing" for path in files if path not in there]
    return missing + [f"{p} has changed" for p, file in there.items() if sha256(file) != files[p]]


def manifest(folder: str | Path) -> dict:
    """Return the manifest of a fetched folder: title, address, commit, terms, files."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise SeglibError(
            f"{folder} has no {MANIFEST}, so it is no complete fetch; move it away or choose "
            "another folder"
        )
    try:
        return {**json.loads(read_text(path)), "files": dict(json.loads(read_text(path))["files"])}
    except (ValueError, KeyError, TypeError) as error:
        raise SeglibError(f"{path} is damaged; remove {folder} and fetch again") from error


def unpack(archive: Path, folder: Path, keep: Sequence[str] = (), strip: int = 0) -> str:
    """Unpack a .zip or .tar(.gz, .xz, .bz2) that others made, trusting nothing in it.

    Only plain files are written. Names that lead out of the folder, names that come twice and
    archives that would fill the disk are refused.

    Args:
        archive: the file; its kind is told by its content.
        folder: where to, a new folder. On an error it may hold part of the files.
        keep: patterns such as `photos/*` of the files to unpack; all by default.
        strip: how many leading folders of each name to leave away.

    Returns:
        The commit that `git archive` wrote into a tar file, "" where there is none.
    """
    left = max(_ALWAYS_ALLOWED, _MOST_GROWTH * archive.stat().st_size)
    written: set[str] = set()
    zipped, comment = zipfile.is_zipfile(archive), ""
    try:
        with zipfile.ZipFile(archive) if zipped else tarfile.open(archive) as opened:
            for info in opened.infolist() if zipped else opened:
                name, size = (info.filename, info.file_size) if zipped else (info.name, info.size)
                left -= size
                if left < 0:
                    raise SeglibError("it would fill the disk, far beyond its own size")
                # A backslash or a colon is part of a name on Unix and leads elsewhere on Windows.
                if name.startswith("/") or set("\\:\0") & {*name} or ".." in name.split("/"):
                    raise SeglibError(f"it holds {name!r}, which leads out of the folder")
                parts = [part for part in name.split("/") if part not in ("", ".")][strip:]
                name = "/".join(parts)
                # The upper half of a zip's attributes is the file's mode on Unix; 0o12 is a link.
                link = zipped and info.external_attr >> 28 == 0o12
                plain = parts and not link and (not info.is_dir() if zipped else info.isfile())
                if not plain or (keep and not any(fnmatch.fnmatchcase(name, one) for one in keep)):
                    continue
                if name.lower() in written:
                    raise SeglibError(f"it holds {name} twice")
                written.add(name.lower())
                target = folder.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                content = opened.open(info) if zipped else opened.extractfile(info)
                with content, open(target, "xb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
            if not zipped:
                comment = opened.pax_headers.get("comment", "")
                # The checksum of a compressed stream stands at its end, behind the last file.
                if all(opened.fileobj.read(1 << 20) for _ in range(64)):
                    raise SeglibError("it goes on for long after its last file")
    except _DAMAGED as error:
        raise SeglibError(
            f"it is neither a zip nor a tar file, or damaged, cut short or locked ({error}); get "
            "it again"
        ) from error
    if not written:
        raise SeglibError(f"it holds none of {', '.join(keep) or 'any files'}")
    return comment if re.fullmatch("[0-9a-f]{40}", comment) else ""


def _write_manifest(tree: Path, commit: str, entry: Source, expected: Mapping[str, str]) -> None:
    paths = [path for path in sorted(tree.rglob("*")) if path.is_file()]
    files = {path.relative_to(tree).as_posix(): sha256(path) for path in paths}
    commit = commit or entry.commit
    if not commit.startswith(entry.commit):
        raise SeglibError(f"it holds commit {commit}, not {entry.commit}")
    if wrong := [path for path, digest in expected.items() if files.get(path) != digest]:
        raise SeglibError(
            f"{len(wrong)} of its files are not those expected (checksum of {wrong[0]} differs); "
            "fetch again, and should it stay so, do not use it"
        )
    keys = ("title", "address", "repository", "licence", "terms", "citation")
    facts = {**{key: getattr(entry, key) for key in keys}, "commit": commit, "files": files}
    (tree / MANIFEST).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
