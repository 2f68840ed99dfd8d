"""Fetch a data set from its public source: once, whole, and checked for ever after.

The archive of a commit is not the same bytes every day, its files are. So a fetched folder carries
a manifest with the SHA-256 of each file; the folder appears together with it, and each later use
checks it.

Chapter: data preparation.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from seglib.data.sources._unfinished import owned
from seglib.data.sources.archive import commit_of, extract
from seglib.data.sources.catalogue import cache_folder, known_checksums, source
from seglib.data.sources.download import Download
from seglib.data.sources.entry import Source
from seglib.errors import SeglibError
from seglib.files import sha256

MANIFEST = "seglib-manifest.json"


def fetch(
    name: str | Source,
    folder: str | Path | None = None,
    progress: bool = True,
    tries: int = 5,
    timeout: float = 30.0,
    backoff: float = 1.0,
    checksums: Mapping[str, str] | None = None,
) -> Path:
    """Fetch a data set's files in their original layout.

    A download that is cut goes on where it stopped, in this call or in the next; a folder that is
    there already is checked against its manifest and not fetched again.

    Args:
        name: a name of the catalogue, or a `Source` of your own.
        folder: where to; by default raw/<name> in the cache (`catalogue.cache_folder`).
        progress: whether to draw bars.
        tries: how often to try in a row without one new byte.
        timeout: seconds of silence after which a connection counts as dead.
        backoff: seconds before the second try; doubled for each further one.
        checksums: path -> SHA-256 that files must have; by default those known of the source.

    Returns:
        The folder. Hand it to `seglib.data.prepare`.

    Raises:
        SeglibError: only a person can get this set (the message lists the steps), it cannot be
            fetched, its files are not those expected, the disk is full, or the folder holds
            something else. Nothing half-made is left under the folder's name.
    """
    entry = source(name) if isinstance(name, str) else name
    if not entry.fetchable:
        steps = "; ".join(f"{number}. {step}" for number, step in enumerate(entry.steps, 1))
        raise SeglibError(f"{entry.name} cannot be fetched without you: {steps}")
    target = Path(folder) if folder else cache_folder() / "raw" / (entry.raw or entry.name)
    if target.exists():
        return _checked(target, entry)
    expected = known_checksums(entry) if checksums is None else checksums
    with owned(target) as part:
        if target.exists():
            return _checked(target, entry)
        archive = _archive(entry, part, tries, timeout, backoff, progress)
        tree = part / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        try:
            commit = _unpack(archive, tree, entry, progress)
            _write_manifest(tree, entry, commit, expected)
        except SeglibError:
            # Whatever is wrong with the archive, the next run must not meet it again.
            archive.unlink(missing_ok=True)
            shutil.rmtree(tree, ignore_errors=True)
            raise
        os.replace(tree, target)
        shutil.rmtree(part)
    return target


def verify(folder: str | Path) -> list[str]:
    """Compare a fetched folder with its manifest.

    Returns:
        One sentence for each file that is missing or has changed; [] where all is well. Files that
        were added are no fault.

    Raises:
        SeglibError: the folder has no manifest, or one that cannot be read.
    """
    folder = Path(folder)
    faults = []
    for path, digest in manifest(folder)["files"].items():
        file = folder / path
        if not file.is_file():
            faults.append(f"{path} is missing")
        elif sha256(file) != digest:
            faults.append(f"{path} has changed")
    return faults


def manifest(folder: str | Path) -> dict:
    """Return the manifest of a fetched folder: source, address, commit, terms, files.

    Raises:
        SeglibError: there is none, or it cannot be read.
    """
    path = Path(folder) / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["files"].items()
    except FileNotFoundError as error:
        raise SeglibError(
            f"{folder} has no {MANIFEST}, so it is no complete fetch; move it away or choose "
            "another folder"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SeglibError(f"{path} is damaged; remove {folder} and fetch again") from error
    return content


def _checked(folder: Path, entry: Source) -> Path:
    found = manifest(folder)
    if found.get("address") != entry.address:
        raise SeglibError(
            f"{folder} was fetched from {found.get('address')}, not from {entry.address}; choose "
            "another folder"
        )
    faults = verify(folder)
    if faults:
        raise SeglibError(
            f"{folder} is not as it was fetched: {len(faults)} files differ ({faults[0]}); move it "
            "away and fetch again"
        )
    return folder


def _archive(
    entry: Source, part: Path, tries: int, timeout: float, backoff: float, progress: bool
) -> Path:
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise SeglibError("fetching takes pooch; install it with: pip install pooch") from error
    # Its log tells the hash to pin, which for an archive of a commit would be wrong tomorrow.
    pooch.get_logger().setLevel("WARNING")
    download = Download(part / "archive.part", tries, timeout, backoff, progress)
    return Path(pooch.retrieve(entry.address, None, "archive", part, downloader=download))


def _unpack(archive: Path, tree: Path, entry: Source, progress: bool) -> str:
    """Unpack what is needed and return the archive's commit."""
    commit = commit_of(archive)
    if commit and not commit.startswith(entry.commit):
        raise SeglibError(
            f"{entry.address} holds commit {commit}, not {entry.commit}; get it again, and should "
            "it stay so, tell the authors of seglib"
        )
    with tqdm(unit="B", unit_scale=True, desc="unpacking", disable=not progress) as bar:
        # Archives of a commit hold one folder, called after the repository.
        written = extract(archive, tree, entry.keep, strip=1, progress=bar.update)
    if not written:
        raise SeglibError(f"{entry.address} holds none of {', '.join(entry.keep)}; get it by hand")
    return commit or entry.commit


def _write_manifest(tree: Path, entry: Source, commit: str, expected: Mapping[str, str]) -> None:
    files = {
        path.relative_to(tree).as_posix(): sha256(path)
        for path in sorted(tree.rglob("*"))
        if path.is_file()
    }
    wrong = [path for path, digest in expected.items() if files.get(path) != digest]
    if wrong:
        raise SeglibError(
            f"{len(wrong)} files of {entry.address} are not those expected (checksum of {wrong[0]} "
            "differs); nothing was kept, fetch again, and should it stay so, do not use it"
        )
    content = {
        "source": entry.title,
        "address": entry.address,
        "repository": entry.repository,
        "commit": commit,
        "licence": entry.licence,
        "terms": entry.terms,
        "citation": entry.citation,
        "files": files,
    }
    (tree / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
