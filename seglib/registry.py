"""Which engine runs which kind of model file.

The core registers its own engines. Those of formats that need more packages are registered by the
package's `__init__` as "module:name", imported when such a file is first opened: so
`Segmenter("x.onnx")` works by itself, and no core file knows a room to its right.
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
        ending: of the file's name, in lower case, such as ".onnx"; or the name of a file that a
            folder of this kind holds, such as "saved_model.pb".
        opener: from path and number of threads to a `seglib.runtime.Engine`, or "module:name".
    """
    _openers[ending] = opener


def find_opener(path: Path) -> Opener:
    """Return what opens a model file: the longest registered ending decides."""
    fitting = [key for key in _openers if path.name.lower().endswith(key) or (path / key).is_file()]
    if not fitting:
        raise SeglibError(
            f"{path} is no model file of a known kind ({', '.join(_openers)}); give one, or load a "
            "shipped model by its name with seglib.load"
        )
    opener = _openers[max(fitting, key=len)]
    try:
        return pkgutil.resolve_name(opener) if isinstance(opener, str) else opener
    except ImportError as error:
        raise SeglibError(f"{path} needs {opener}, which is not there ({error})") from error
