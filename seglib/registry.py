"""Which engine runs which kind of model file.

The core registers its own engines. Formats that need a package of their own are registered in the
package's `__init__`, as "module:name", which is imported when such a file is first opened: so
`Segmenter("x.onnx")` works without another import, and no core file knows a room to its right.
"""

import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seglib.errors import SeglibError

Opener = Callable[[Path, int], Any]

_openers: dict[str, Opener | str] = {}


def register_engine(ending: str, opener: Opener | str) -> None:
    """Let `seglib.runtime.open_engine` run another kind of model file.

    Args:
        ending: of the file's name, in lower case, such as ".onnx"; or the name of a file which a
            folder of this kind holds, such as "saved_model.pb".
        opener: called with the path and a number of threads, returns a `seglib.runtime.Engine`; or
            where to find it, as "module:name".
    """
    _openers[ending] = opener


def find_opener(path: Path) -> Opener:
    """Return what opens a model file, by the longest registered ending of its name."""
    name = path.name.lower()
    fitting = [key for key in _openers if name.endswith(key) or (path / key).is_file()]
    if not fitting:
        known = ", ".join(sorted(key for key in _openers if key.startswith(".")))
        raise SeglibError(
            f"{path} is no model file of a known kind; give one of {known}, or load a shipped "
            "model by its name with seglib.load"
        )
    opener = _openers[max(fitting, key=len)]
    if isinstance(opener, str):
        try:
            opener = pkgutil.resolve_name(opener)
        except ImportError as error:
            raise SeglibError(f"{path} needs {opener}, which is not there: {error}") from error
    return opener
