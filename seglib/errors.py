"""The one error that a user can mend, and the sentence for a name that has moved."""

from collections.abc import Callable, Mapping
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
