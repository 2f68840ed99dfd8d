"""The one error that a user can mend, and its sentences for moved names and mistaken options."""

import contextlib
import difflib
import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any


class SeglibError(ValueError):
    """Something the caller handed in cannot be used.

    The message is one sentence that says what was wrong, where (the file's name) and what to do.
    The command line prints it and exits with code 2.
    """


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module's `__getattr__` (PEP 562) which says what an old name is called now.

    Args:
        module: the module's `__name__`.
        names: old name to what the sentence says to use instead.
    """

    def __getattr__(name: str) -> Any:
        if name in names:
            raise SeglibError(f"{module}.{name} is gone since 0.2; use {names[name]}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__


def typed(owner: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in the types that their defaults have, or say which cannot be.

    Args:
        owner: what the options belong to, for the sentence.
        values: the options given.
        defaults: name to default of all there are: a number, a text, a truth value, a tuple of one
            of these, or None for a text that may be left out.
    """
    found = {}
    for name, value in values.items():
        if name not in defaults:
            close = difflib.get_close_matches(str(name), defaults)
            meant = f"do you mean {' or '.join(close)}? It" if close else "it"
            raise SeglibError(f"{owner} has no {name!r}; {meant} has {', '.join(defaults)}")
        try:
            found[name] = _cast(value, defaults[name])
        except TypeError as error:
            raise SeglibError(f"{owner}'s {name} is {value!r}; use {error}") from error
    return found


def check_types(config: Any) -> None:
    """Bring a frozen dataclass' fields to their defaults' types, from its `__post_init__`."""
    # A field without a default is a text that must be given.
    defaults = {e.name: "" if e.default is MISSING else e.default for e in fields(config)}
    for name, value in typed(type(config).__name__, vars(config), defaults).items():
        object.__setattr__(config, name, value)


def _cast(value: Any, default: Any) -> Any:
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        return tuple(_cast(one, default[0]) for one in value)
    if isinstance(default, tuple) and isinstance(value, str) and isinstance(default[0], str):
        return (value,)
    if default is None and (value is None or isinstance(value, str)):
        return value
    if isinstance(default, float) and isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)  # YAML reads 1e-3, without a point, as text
    number = not isinstance(value, bool) and isinstance(value, numbers.Real)
    for kind, right, word in (
        (bool, isinstance(value, bool), "True or False"),
        (int, number and isinstance(value, numbers.Integral), "a whole number"),
        (float, number and math.isfinite(value), "a number"),
        (str, isinstance(value, str), "text"),
    ):
        if isinstance(default, kind):
            if right:
                return kind(value)
            raise TypeError(f"{word}, such as {default!r}")
    raise TypeError("text, or leave it out" if default is None else f"values, such as {default!r}")
