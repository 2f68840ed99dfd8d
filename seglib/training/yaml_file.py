"""YAML with the line of every key, and values checked against type hints.

Chapter: training on Colab.
"""

import types
import typing
from pathlib import Path
from typing import Any

from seglib.errors import SeglibError

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def library() -> types.ModuleType:
    """Return PyYAML, or say that it is missing."""
    try:
        import yaml
    except ImportError as error:
        raise SeglibError("experiment files need the PyYAML package; pip install pyyaml") from error
    return yaml


def parse(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """Return a file's content and where each key stands.

    Raises:
        SeglibError: the file cannot be read, is no YAML, or gives a key twice.
    """
    yaml = library()
    try:
        text = path.read_text(encoding="utf-8")
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        places: dict[tuple[str, ...], str] = {}
        content = _plain(loader, root, (), places, path) if root else {}
    except (OSError, UnicodeDecodeError) as error:
        raise SeglibError(f"{path} cannot be read ({error}); check the name") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise SeglibError(f"{path}{line}: this is no YAML ({problem}); mend the line") from error
    if not isinstance(content, dict):
        raise SeglibError(f"{path} holds no experiment; begin with the line `data:`")
    return content, places


def _plain(loader: Any, node: Any, keys: tuple[str, ...], places: dict, path: Path) -> Any:
    """Turn a node into Python objects; note the lines of all keys, refuse one that is given twice.

    Plain `yaml.safe_load` forgets the lines, and lets the later of two equal keys win unseen.
    """
    if node.id != "mapping":
        return loader.construct_object(node, deep=True)
    content = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node))
        place = f"{path}, line {key_node.start_mark.line + 1}"
        if key in content:
            raise SeglibError(f"{place}: {'.'.join((*keys, key))} is given twice; remove one")
        places[(*keys, key)] = place
        content[key] = _plain(loader, value_node, (*keys, key), places, path)
    return content


def cast(value: Any, hint: Any) -> Any:
    """Return the value as the type that a field asks for.

    Raises:
        ValueError: it cannot be; the message says what to give instead.
    """
    options = typing.get_args(hint)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        if value is None and type(None) in options:
            return None
        return cast(value, next(one for one in options if one is not type(None)))
    if typing.get_origin(hint) is tuple:
        many = len(options) == 2 and options[1] is Ellipsis
        words = _WORDS.get(options[0], "values")
        if not isinstance(value, list | tuple) or not (many or len(value) == len(options)):
            count = "a list" if many else f"a list of {len(options)}"
            raise ValueError(f"{count}, each {words}")
        return tuple(cast(one, options[0]) for one in value)
    right = isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool)
    if hint is float and not right and not isinstance(value, bool):
        try:
            # YAML reads 1e-3, without a point, as text.
            return float(value)
        except (TypeError, ValueError):
            raise ValueError(_WORDS[float]) from None
    if not right:
        raise ValueError(_WORDS.get(hint, str(hint)))
    return value
