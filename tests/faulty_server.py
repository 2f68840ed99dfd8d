"""A web server on 127.0.0.1 that misbehaves on request, and archives to serve with it."""

import io
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FaultyServer(ThreadingHTTPServer):
    """Serves `files` by path, and `content` elsewhere, after what `faults` lists, one a request.

    Faults: "404", "503", "cut" (half of what was asked for, then the line breaks), "cut unsaid"
    (the same, with no length stated), "redirect", "loop", "hang" (nothing is sent), "hang midway",
    "ok". `asked` holds the path of each request.
    """

    daemon_threads = True

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.files = content, {}
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.pause = 0.0  # seconds between pieces of 4 kB
        self.over = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/archive.tar.gz"

    def handle_error(self, *_request: object) -> None:
        """Clients that hang up are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: FaultyServer

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(unquote(self.path))
        fault = server.faults.pop(0) if server.faults else "ok"
        if fault in ("404", "503"):
            self.send_error(int(fault))
        elif fault in ("redirect", "loop"):
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            if fault == "loop":
                server.faults.append("loop")
        elif fault == "hang":
            server.over.wait(20)
        else:
            self._serve(fault)

    def _serve(self, fault: str) -> None:
        server = self.server
        body = server.files.get(unquote(self.path), server.content)
        self.send_response(200)
        if fault != "cut unsaid":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault != "ok":
            body = body[: len(body) // 2]
        for place in range(0, len(body), 4096):
            self.wfile.write(body[place : place + 4096])
            time.sleep(server.pause)
        if fault == "hang midway":
            self.wfile.flush()
            server.over.wait(20)

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def serving(content: bytes = b"") -> Iterator[FaultyServer]:
    """Run a server until the block ends."""
    server = FaultyServer(content)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


def tar(files: Mapping[str, bytes | tarfile.TarInfo], commit: str = COMMIT) -> bytes:
    """Return a .tar.gz as GitHub makes it: everything in one folder, the commit as a comment."""
    buffer = io.BytesIO()
    headers = {"comment": commit} if commit else {}
    with tarfile.open(fileobj=buffer, mode="w:gz", pax_headers=headers) as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return a link, or another entry without content, for `tar`."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info
