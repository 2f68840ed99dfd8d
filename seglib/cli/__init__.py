"""The command line: each command is a function, and its parameters are the command's options.

A parameter is annotated by its type and what the help says; those before the `*` are given by
place. What a command does can be done in Python with the same functions that it calls. A mistake
that the user can mend is one sentence on the standard error and exit code 2. Heavy libraries are
imported by the commands that need them, so `seglib --help` is quick.
"""

import argparse
import inspect
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Literal, get_args, get_origin

import seglib
from seglib.cli import frames, models, training
from seglib.errors import SeglibError

COMMANDS: dict[str, Any] = {
    "demo": frames.demo,
    "train": training.train,
    "eval": models.evaluate,
    "models": models.list_models,
    "benchmark": models.benchmark,
    "convert": models.convert,
    "audit": models.audit,
    "parity": models.parity,
    "data": {
        "list": training.list_sources,
        "fetch": training.fetch,
        "prepare": training.prepare,
        "export": training.export,
        "doctor": training.doctor,
    },
    "webcam": frames.webcam,
    "video": frames.video,
}
_REQUIRED = inspect.Parameter.empty
_TRAIN = "seglib[train] @ git+https://github.com/segmentation-on-a-phone/book"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: done; 1: a check found something to mend; 2: a mistake; 130: interrupted.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        arguments = sys.argv[1:] if arguments is None else list(arguments)
        given = vars(_parser(arguments).parse_args(arguments)).items()
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in given}
        command, groups = options.pop("command"), options.pop("groups")
        for name, group in groups.items():
            options[name] = group(**{one.name: options.pop(one.name) for one in fields(group)})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            # One line, without the line of code that gave it.
            warnings.showwarning = lambda text, *_, **__: _say(f"note: {text}")
            code = command(**options) or 0
        sys.stdout.flush()
        return code
    except SeglibError as error:
        return _say(error)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("keras", "tensorflow"):
            raise
        return _say(f'this command needs {package}; install it with: pip install "{_TRAIN}"')
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has seen enough; nothing may be written any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        return _say(f"cannot use{place} ({error.strerror or error}); choose another place")
    except KeyboardInterrupt:
        return 130


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seglib", description="Portrait and hair segmentation for phones."
    )
    parser.add_argument("--version", action="version", version=seglib.__version__)
    parsers = _add_commands(parser, COMMANDS)
    # The options of networks and trainings are read off their configs, which takes Keras.
    for config, texts in training.configs() if "train" in arguments else ():
        group = parsers["train"].add_argument_group(config.__name__)
        for field in fields(config):
            if field.name != "labels":
                text = f"{texts[field.name]} [{field.default}]"
                _add_option(group, field.name, field.type, argparse.SUPPRESS, text)
    return parser


def _add_commands(parser: argparse.ArgumentParser, table: dict[str, Any]) -> dict[str, Any]:
    """Add a parser for each command of the table and return them by name."""
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    added = {}
    for name, command in table.items():
        if isinstance(command, dict):
            _add_commands(commands.add_parser(name, help=", ".join(command)), command)
            continue
        text = inspect.getdoc(command)
        own = added[name] = commands.add_parser(name, help=text.splitlines()[0], description=text)
        groups = {}
        for one in inspect.signature(command).parameters.values():
            if is_dataclass(one.annotation):
                groups[one.name] = one.annotation
                for field in fields(one.annotation):
                    _add_option(own, field.name, field.type, field.default)
            elif one.kind is one.KEYWORD_ONLY:
                _add_option(own, one.name, one.annotation, one.default)
            elif one.kind is one.POSITIONAL_OR_KEYWORD:
                kind, text = get_args(one.annotation)
                own.add_argument(one.name, type=kind, help=text)
        own.set_defaults(command=command, groups=groups)
    return added


def _add_option(parser: Any, name: str, annotation: Any, default: Any, text: str = "") -> None:
    """Add one option; its type says how it is written."""
    kind = annotation
    if not text:
        kind, text = get_args(annotation)
        if default not in (None, False, (), _REQUIRED):
            text += f" [{'yes' if default is True else default}]"
    if type(None) in get_args(kind):
        kind = get_args(kind)[0]
    origin, (first, *others) = get_origin(kind), get_args(kind) or (kind,)
    how: dict[str, Any] = {"type": first, "metavar": getattr(first, "__name__", "").upper()}
    if kind is bool:
        how = {"action": "store_true" if default is False else argparse.BooleanOptionalAction}
    elif origin is Literal:
        how = {"choices": (first, *others)}
    elif origin is tuple:
        how["nargs"] = "+" if others == [...] else 1 + len(others)
    elif origin is list:
        how["action"] = "append"
    how |= {"required": True} if default is _REQUIRED else {"default": default}
    option = "--" + name.rstrip("_").replace("_", "-")
    parser.add_argument(option, dest=name, help=text.replace("%", "%%"), **how)


def _say(text: object) -> int:
    print(f"seglib: {text}", file=sys.stderr)
    return 2
