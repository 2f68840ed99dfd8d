"""The live demo served on localhost and a headless Chromium that looks at it, for the tests."""

import base64
import functools
import http.server
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "live_demo"))

import assemble

# A browser that asks for nothing but what the page asks for.
QUIET = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
CPU = ["--disable-gpu"]
SOFTWARE_GPU = ["--enable-unsafe-webgpu", "--enable-unsafe-swiftshader"]
SOFTWARE_GPU += ["--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]
FAKE_CAMERA = ["--use-fake-device-for-media-stream"]


def chromium() -> str | None:
    """Return the machine's Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


class Site:
    """The folder of the demo with its page, served on a free port; remembers what was asked for."""

    def __init__(self, folder: Path, missing: str | None) -> None:
        self.folder = folder
        self.info = assemble.assemble(folder, assemble.WORK / "npm", missing)
        (folder / "vectors").mkdir()
        shutil.copytree(ROOT / "tests" / "browser", folder / "tests")
        (folder / "book").mkdir()
        (folder / "book" / "live_demo.html").write_text(page_of_the_book(), encoding="utf8")
        self.asked: list[str] = []
        asked = self.asked

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, form: str, *args: object) -> None:
                asked.append(self.path)

        handler = functools.partial(Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.page = f"{self.address}/book/live_demo.html"

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()

    def array(self, array: np.ndarray) -> dict[str, Any]:
        """Write an array where the page can fetch it and return what names it in a call."""
        count = len(list((self.folder / "vectors").iterdir()))
        file = self.folder / "vectors" / f"{count}.bin"
        kind = "mask" if array.ndim == 2 else "image"
        file.write_bytes(array.astype(np.float32 if kind == "mask" else np.uint8).tobytes())
        return {"file": file.name, "kind": kind, "height": len(array), "width": len(array[0])}


def page_of_the_book() -> str:
    """Return the HTML that the chapter embeds, without the book's theme."""
    text = (ROOT / "book" / "live_demo.md").read_text(encoding="utf8")
    blocks = re.findall(r"^```\{raw\} html\n(.*?)^```", text, flags=re.M | re.S)
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Live demo</title>'
    head += '<meta name="color-scheme" content="light dark">'
    head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
    return f"{head}<body>{''.join(blocks)}</body></html>"


@contextmanager
def browsers() -> Iterator[Callable[..., Any]]:
    """Hand out a function that starts Chromium with some flags, for as long as the block runs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = []

        def launch(flags: Sequence[str] = CPU) -> Any:
            flags = [*QUIET, *flags]
            started.append(playwright.chromium.launch(executable_path=chromium(), args=flags))
            return started[-1]

        try:
            yield launch
        finally:
            for browser in started:
                browser.close()


def wait(page: Any, code: str, what: Any = None) -> Any:
    """Run the body of an async function of `what`, and return what it gives.

    The page keeps the promise: one that only the debugger holds may be collected as garbage.
    """
    return page.evaluate(f"(what) => (window.pending = (async () => {{ {code} }})())", what)


def call(page: Any, module: str, name: str, *args: Any) -> np.ndarray:
    """Call a function of one of the demo's modules and return the plane or picture it gives."""
    code = "return (await import('/tests/vectors.js')).run(what);"
    return decode(wait(page, code, [module, name, list(args)]))


def look(page: Any, name: str, *args: Any) -> dict[str, Any]:
    """Call a function of `tests/browser/networks.js`."""
    code = "return (await import('/tests/networks.js'))[what[0]](...what[1]);"
    return wait(page, code, [name, list(args)])


def decode(result: dict[str, Any]) -> np.ndarray:
    """Return a mask (H x W float32) or a picture (H x W x 3 uint8) that a page handed over."""
    data, shape = base64.b64decode(result["data"]), (result["height"], result["width"])
    if result["kind"] == "mask":
        return np.frombuffer(data, np.float32).reshape(shape)
    return np.frombuffer(data, np.uint8).reshape(*shape, 4)[..., :3]
