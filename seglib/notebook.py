"""What a chapter needs to run the same way in the book, in Jupyter and in Colab."""

import os
from typing import Any

from seglib.errors import SeglibError

MODES = ("smoke", "full")


def mode() -> str:
    """Return the size of the runs: `"smoke"` (minutes on two CPU cores) or `"full"`.

    The environment variable `SEGLIB_MODE` decides; without it a chapter runs in smoke mode, so that
    nobody starts an hour of training by opening a page.

    Raises:
        SeglibError: `SEGLIB_MODE` holds another word.
    """
    chosen = os.environ.get("SEGLIB_MODE", "smoke")
    if chosen not in MODES:
        raise SeglibError(f"SEGLIB_MODE is {chosen!r}; set it to smoke or to full")
    return chosen


def scaled(smoke: Any, full: Any) -> Any:
    """Return the first value in smoke mode and the second in full mode.

    >>> epochs = scaled(smoke=2, full=40)
    """
    return smoke if mode() == "smoke" else full


def say(text: str) -> None:
    """Show a sentence whose numbers were computed, as Markdown where a notebook can show it.

    Numbers in the book's prose are never typed: a cell computes them and says them, so a reader who
    changes the run reads the numbers of that run.

    >>> say(f"The mask covers **{0.25:.0%}** of the photo.")
    The mask covers **25%** of the photo.
    """
    if in_notebook():
        from IPython.display import Markdown, display

        display(Markdown(text))
    else:
        print(text)


def in_notebook() -> bool:
    """Tell whether a Jupyter kernel shows what this process displays."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
