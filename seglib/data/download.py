"""Where data sets lie on this machine, and how files that others publish get there.

Chapter: data preparation.
"""

import errno
import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from seglib.errors import SeglibError

_PAUSES = (1.0, 2.0, None)  # seconds before the second and the third try; then it is over
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers that may be another one soon
_AT_ONCE = 8  # files that are fetched side by side
_PATIENCE = 600.0  # seconds for which a second process waits until the first one is done


class Unavailable(SeglibError):
    """A data set that is neither on this machine nor can be fetched now."""


def cache_folder() -> Path:
    """Return the user's cache: `$SEGLIB_CACHE`, or seglib/ under `$XDG_CACHE_HOME` or ~/.cache."""
    if os.environ.get("SEGLIB_CACHE"):
        return Path(os.environ["SEGLIB_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "seglib"


def folders(name: str) -> list[Path]:
    """Return the folders called `name` under those that `$SEGLIB_DATA` lists and in the cache."""
    roots = [Path(root) for root in os.environ.get("SEGLIB_DATA", "").split(os.pathsep) if root]
    places = [root.expanduser() / name for root in (*roots, cache_folder() / "prepared")]
    return [place for place in places if (place / "images").is_dir()]


def find(name: str) -> Path:
    """Return the folder of the prepared set called `name`, or raise `Unavailable`."""
    for folder in folders(name) if name else ():
        return folder
    raise Unavailable(
        f"there is no data set {name!r} under $SEGLIB_DATA or in {cache_folder() / 'prepared'}; "
        f"`seglib data fetch {name}` gets it if `seglib data list` shows it, and a folder of your "
        "own goes where $SEGLIB_DATA points"
    )


@contextmanager
def unfinished(target: str | Path) -> Iterator[Path]:
    """Yield the folder `.part-<name>` beside `target`, for this process alone.

    It outlives a kill, and the next run goes on in it. A second process waits for the first.
    """
    from filelock import FileLock, Timeout

    target = Path(target)
    part, lock = (target.with_name(f".{kind}-{target.name}") for kind in ("part", "lock"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=_PATIENCE):
            part.mkdir(exist_ok=True)
            yield part
            # Whoever waits for the lock finds the target, so the file may go under their feet.
            if target.exists():
                lock.unlink(missing_ok=True)
    except Timeout as error:
        raise SeglibError(f"another process works on {target}; wait until it is done") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = f"the disk is full: {target} is not complete; free some space and run again"
        else:
            what = f"cannot write {target} ({error.strerror or error}); choose another place"
        raise SeglibError(what) from error


def get_files(
    files: Mapping[str, tuple[str, str | None]],
    folder: str | Path,
    progress: bool = True,
    timeout: float = 10.0,
) -> None:
    """Fetch files, each whole or not at all; those that lie there already are not fetched again.

    Args:
        files: path in `folder` -> (address, SHA-256 or None where it is not known beforehand).
        folder: where to.
        progress: whether to draw a bar: of bytes for one file, of files for several.
        timeout: seconds of silence after which `Unavailable` is raised.
    """
    jobs = [(address, Path(folder) / path, digest) for path, (address, digest) in files.items()]
    _reach(jobs[0][0], timeout)
    if len(jobs) == 1:
        _download(*jobs[0], progress, timeout)
        return
    with (
        ThreadPoolExecutor(_AT_ONCE) as pool,
        tqdm(total=len(jobs), unit="file", desc="fetching", disable=not progress) as bar,
    ):
        try:
            for _ in pool.map(lambda job: _download(*job, False, timeout), jobs):
                bar.update()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _reach(address: str, timeout: float) -> None:
    """Raise where the server cannot be reached, which a thread of its own asks.

    Neither the search for a name nor the many addresses that it may have keep to a time limit.
    """
    import requests

    answers = []

    def ask() -> None:
        with suppress(requests.RequestException):
            answers.append(requests.head(address, timeout=timeout).close())

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    if not answers:
        raise Unavailable(
            f"{urlsplit(address).netloc or address} cannot be reached, so {address} was not "
            "fetched; check the network and try again"
        )


def _download(address: str, path: Path, digest: str | None, progress: bool, timeout: float) -> None:
    import pooch
    import requests

    # Its log tells users to pin the hash of an archive, which GitHub packs anew some day.
    pooch.get_logger().setLevel("WARNING")
    path.parent.mkdir(parents=True, exist_ok=True)
    get = pooch.HTTPDownloader(progressbar=progress, chunk_size=1 << 16, timeout=timeout)
    known = digest and f"sha256:{digest}"
    for pause in _PAUSES:
        try:
            pooch.retrieve(address, known, path.name, path.parent, downloader=get)
            return
        except requests.RequestException as error:
            silent = isinstance(error, requests.Timeout) or "timed out" in str(error)
            reason = "the server is silent" if silent else "the connection broke"
            again = not silent and not isinstance(error, requests.TooManyRedirects)
            if isinstance(error, requests.HTTPError):
                reason = f"the server says {error.response.status_code}"
                again = error.response.status_code in _PASSING
        except ValueError as error:
            raise SeglibError(
                f"{address} is not the file that is expected (its SHA-256 differs) and was not "
                "kept; try again, and should it stay so, do not use it"
            ) from error
        if not again or pause is None:
            raise Unavailable(f"{address} could not be fetched ({reason}); try again later")
        time.sleep(pause)
