"""What converters have in common: they print hundreds of lines, and they give up in many ways."""

import contextlib
import importlib
import io
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglib.errors import SeglibError
from seglib.runtime.engines import one_line

if TYPE_CHECKING:
    import keras

_lock = threading.RLock()


class Unavailable(SeglibError):
    """This machine cannot run a file, which is no fault of the file."""


class MissingPackage(Unavailable):
    """A format needs a package that is not installed; the message says how to install it."""


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep what converters print off the screen and hand it over as texts when the block ends.

    Their compilers write straight to the process's output, so the file descriptors are turned
    aside: one block runs at a time, and what other threads print meanwhile is kept back too.
    """
    lines: list[str] = []
    with _lock, tempfile.TemporaryFile() as log, contextlib.ExitStack() as stack:
        text = io.StringIO()  # never closed: TensorFlow keeps what stderr is when it first warns
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
            saved = os.dup(number)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, number)
            os.dup2(log.fileno(), number)
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.ERROR)
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(contextlib.redirect_stdout(text))
        stack.enter_context(contextlib.redirect_stderr(text))
        warnings.simplefilter("ignore")
        try:
            yield lines
        finally:
            log.seek(0)
            lines += [text.getvalue(), log.read().decode(errors="replace")]


@contextlib.contextmanager
def converting(kind: str, model: "keras.Model") -> Iterator[None]:
    """Run a converter without its output; what makes it give up becomes one SeglibError."""
    log: list[str] = []
    try:
        with quiet() as log:
            yield
    except SeglibError:
        raise
    except Exception as error:  # converters raise many kinds; every one means "cannot"
        found = [line.strip() for line in "".join(log).splitlines() if "error:" in line.lower()]
        reason = (found[0][:200] if found else one_line(error)).rstrip(".")
        raise SeglibError(
            f"the model {model.name} could not be converted to {kind} ({reason}); use layers with "
            "float32 weights and operations which the format knows"
        ) from error


def named(path: str | Path, suffix: str) -> Path:
    """Return the path of a file to write, which must end as its format does."""
    if not Path(path).name.endswith(suffix):
        raise SeglibError(f"{path} does not end in {suffix}; give the file such a name")
    return Path(path)


def import_package(name: str, install: str = "") -> Any:
    """Import a package that one format needs, without its notices."""
    try:
        with quiet():
            return importlib.import_module(name)
    except ImportError as error:
        raise MissingPackage(
            f"{name} cannot be imported ({error}); install it with: pip install {install or name}"
        ) from error
