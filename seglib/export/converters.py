"""What converters have in common: they print hundreds of lines, and they give up in many ways.

`quiet` keeps the lines off the screen, `conversion_error` turns a failure into one sentence with
the converter's reason, and `MissingPackage` says how to install what a format needs.

Chapter: TFLite conversion.
"""

import contextlib
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from seglib.errors import SeglibError

if TYPE_CHECKING:
    import keras

_quiet_lock = threading.RLock()


class MissingPackage(SeglibError):
    """A format needs a package that is not installed; the message says how to install it."""


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep what converters print off the screen and hand it over as one text when the block ends.

    The compilers behind the converters write hundreds of lines straight to the process's output,
    past Python, so the file descriptors are turned aside. One block runs at a time; other threads'
    output made meanwhile is kept back too.
    """
    lines: list[str] = []
    with _quiet_lock, tempfile.TemporaryFile() as log, contextlib.ExitStack() as stack:
        python_log = stack.enter_context(
            open(os.dup(log.fileno()), "w", encoding="utf-8", errors="replace")
        )
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        saved = {number: os.dup(number) for number in (1, 2)}
        level = logging.root.manager.disable
        try:
            for number in saved:
                os.dup2(log.fileno(), number)
            logging.disable(logging.ERROR)
            with (
                warnings.catch_warnings(),
                contextlib.redirect_stdout(python_log),
                contextlib.redirect_stderr(python_log),
            ):
                warnings.simplefilter("ignore")
                yield lines
        finally:
            logging.disable(level)
            for number, original in saved.items():
                os.dup2(original, number)
                os.close(original)
            python_log.flush()
            log.seek(0)
            lines.append(log.read().decode(errors="replace"))


def conversion_error(
    kind: str, model: "keras.Model", error: Exception, log: list[str]
) -> SeglibError:
    """Return the SeglibError for a converter which gave up, with the converter's own reason."""
    text = "".join(log).splitlines()
    found = [line.strip() for line in text if "error:" in line.lower()]
    reason = (found[0][:200] if found else first_line(error)).rstrip(".")
    return SeglibError(
        f"the model {model.name} could not be converted to {kind} ({reason}); use layers with "
        "float32 weights and operations which the format knows"
    )


def first_line(error: Exception) -> str:
    """Return the kind of an error and the first line of what it says."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].strip()[:200]}" if lines else type(error).__name__
