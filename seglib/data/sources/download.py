"""One file over HTTP that arrives whole: goes on after a cut, tries again, gives up on silence.

Pooch chooses the place, checks the hash and moves the file; this is the downloader it calls. The
one that comes with it starts from nothing after every cut, which a slow line never survives.

Chapter: data preparation.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from seglib.errors import SeglibError

# What a cut may cost: an unfinished piece is lost.
_CHUNK = 1 << 14
_LONGEST_WAIT = 60.0
# Too many requests, time-outs and errors of the server's own may pass; other answers will not.
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class Download:
    """A downloader for pooch: `Download(...)(url, output_file, pooch)`.

    Attributes:
        part: the file that collects the bytes until it is complete; it survives a kill.
        tries: how often to try in a row without one new byte.
        timeout: seconds of silence after which a connection counts as dead.
        backoff: seconds before the second try; doubled for each further one.
        progress: whether to draw a bar.
    """

    def __init__(
        self,
        part: Path,
        tries: int = 5,
        timeout: float = 30.0,
        backoff: float = 1.0,
        progress: bool = True,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.part, self.tries, self.timeout = part, tries, timeout
        self.backoff, self.progress, self.sleep = backoff, progress, sleep

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        """Fetch `url` into `output_file`.

        Raises:
            SeglibError: the server does not have it, or all tries failed; what has arrived is kept
                and the next call goes on from there.
            OSError: the file cannot be written.
        """
        import requests

        failed, wait = 0, self.backoff
        while True:
            before = self._have()
            try:
                self._once(url)
                break
            except _Passing as error:
                reason, hint = str(error), error.wait
            except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
                raise SeglibError(f"{url} is no address of the web ({error}); mend it") from error
            except requests.exceptions.TooManyRedirects as error:
                raise SeglibError(f"{url} leads in circles; get the file by hand") from error
            except requests.exceptions.RequestException as error:
                reason, hint = _plain(error), None
            # A line that brings something each time is slow, not dead.
            failed = 1 if self._have() > before else failed + 1
            wait = self.backoff if failed == 1 else wait * 2
            if failed >= self.tries:
                raise SeglibError(
                    f"{url} could not be fetched in {self.tries} tries ({reason}); check the "
                    f"connection and run the same command again, the {self._have():,} bytes that "
                    "arrived are kept"
                )
            self.sleep(min(hint or wait, _LONGEST_WAIT))
        os.replace(self.part, output_file)
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.part.with_name(self.part.name + ".json")

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _validator(self, url: str) -> str:
        """Return what the server called the content that the part is of, "" where unknown."""
        try:
            note = json.loads(self._note.read_text())
            return note["validator"] if note["url"] == url else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _once(self, url: str) -> None:
        import requests

        validator = self._validator(url)
        have = self._have() if validator else 0
        # Compressed on the way, the bytes could be neither counted nor continued.
        headers = {"Accept-Encoding": "identity"}
        if have:
            # If-Range: should the content have changed, the server sends it whole.
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as answer:
            if urlsplit(url).scheme == "https" and urlsplit(answer.url).scheme != "https":
                raise SeglibError(
                    f"{url} leads to {answer.url}, which is not secure; do not use it"
                )
            if have and answer.status_code == 416:
                # Nothing is left to send, or the part is longer than the file: start anew.
                self._note.unlink(missing_ok=True)
                raise _Passing("the server has no such part")
            self._refuse(url, answer)
            resumed = answer.status_code == 206 and _start(answer) == have
            if answer.status_code == 206 and not resumed:
                self._note.unlink(missing_ok=True)
                raise _Passing("the server sent another part than was asked for")
            start = have if resumed else 0
            length = answer.headers.get("Content-Length", "")
            total = start + int(length) if length.isdigit() else None
            if not resumed:
                self._remember(url, answer)
            self._save(answer, start, total)
        if total is not None and self._have() != total:
            raise _Passing(f"the connection broke after {self._have():,} of {total:,} bytes")

    def _remember(self, url: str, answer: object) -> None:
        headers = answer.headers
        tag = headers.get("ETag", "")
        # A weak tag says "much the same", which is not enough to glue two halves together.
        validator = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")
        self.part.unlink(missing_ok=True)
        self._note.write_text(json.dumps({"url": url, "validator": validator}))

    def _save(self, answer: object, start: int, total: int | None) -> None:
        bar = tqdm(
            total=total,
            initial=start,
            unit="B",
            unit_scale=True,
            desc="fetching",
            disable=not self.progress,
        )
        with bar, open(self.part, "ab" if start else "wb") as file:
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))

    def _refuse(self, url: str, answer: object) -> None:
        code = answer.status_code
        if code in _PASSING:
            after = answer.headers.get("Retry-After", "")
            raise _Passing(f"the server says {code}", float(after) if after.isdigit() else None)
        if code in (404, 410):
            raise SeglibError(
                f"{url} is gone ({code}); look for a newer release of seglib or get it by hand"
            )
        if code not in (200, 206):
            raise SeglibError(f"{url} is refused by the server ({code}); get it by hand")


class _Passing(Exception):
    """A failure that may be over at the next try, perhaps after `wait` seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def _start(answer: object) -> int:
    """Return where a 206 answer starts, -1 where it does not say."""
    unit, _, span = answer.headers.get("Content-Range", "").partition(" ")
    first = span.split("-")[0]
    return int(first) if unit == "bytes" and first.isdigit() else -1


def _plain(error: Exception) -> str:
    import requests

    # A time-out in mid-file comes as a ConnectionError that says so.
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
        return "the server is silent"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    return f"no connection: {type(error).__name__}"
