"""The command line: a module for each family of commands.

Each command reads its options, calls the library and prints; what it does can be done in Python
with the same functions. A mistake that the user can mend is one sentence on the standard error and
exit code 2. Heavy libraries are imported by the commands that need them, so `seglib --help` is
quick.
"""

import argparse
import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import seglib
from seglib.cli import benchmark, convert, data, demo, measure, parity, train, video
from seglib.errors import SeglibError

_TRAIN = "seglib[train] @ git+https://github.com/segmentation-on-a-phone/book"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: done; 1: a check found something to mend; 2: a mistake; 130: interrupted.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        arguments = sys.argv[1:] if arguments is None else list(arguments)
        options = _parser(arguments).parse_args(arguments)
        with _short_warnings():
            code = options.run(options) or 0
        sys.stdout.flush()
        return code
    except SeglibError as error:
        return _failed(error)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("keras", "tensorflow"):
            raise
        return _failed(f'this command needs {package}; install it with: pip install "{_TRAIN}"')
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has seen enough; nothing may be written any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        return _failed(f"cannot use{place} ({error.strerror or error}); choose another place")
    except KeyboardInterrupt:
        return 130


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seglib", description="Portrait and hair segmentation for phones."
    )
    parser.add_argument("--version", action="version", version=seglib.__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo.add_parser(commands)
    train.add_parser(commands, complete="train" in arguments)
    measure.add_parser(commands)
    benchmark.add_parser(commands)
    convert.add_parser(commands)
    parity.add_parser(commands)
    data.add_parser(commands, complete="data" in arguments)
    video.add_parser(commands)
    return parser


@contextlib.contextmanager
def _short_warnings() -> Iterator[None]:
    """Print a warning as one line, without the line of code that gave it."""

    def show(message: Any, *_details: Any, **_more: Any) -> None:
        print(f"seglib: note: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.showwarning = show
        yield


def _failed(error: object) -> int:
    print(f"seglib: {error}", file=sys.stderr)
    return 2
