"""Weights that ship with the library, each with a card that says what they are and may be used for.

A model NAME is four files in this folder: `NAME.tflite` (float16, what `load` runs),
`NAME.weights.h5` and `NAME.json` (the same weights for Keras, with the config that builds the
network: `seglib.models.load(seglib.pretrained.path("portrait", ".weights.h5"))`), and
`NAME.card.json` (training data, scores, terms; the idea of model cards is Mitchell et al., 2019).

Chapter: quick start.
"""

import json
import sys
from pathlib import Path
from typing import Any

from seglib.errors import SeglibError
from seglib.files import read_text
from seglib.runtime import Segmenter

FOLDER = Path(__file__).parent

_announced: set[str] = set()


def list_models() -> list[str]:
    """Return the names of the models that ship with this copy of the library, sorted."""
    names = (card.name.removesuffix(".card.json") for card in FOLDER.glob("*.card.json"))
    return sorted(name for name in names if (FOLDER / f"{name}.tflite").is_file())


def path(name: str, suffix: str = ".tflite") -> Path:
    """Return where a file of a shipped model lies: .tflite, .weights.h5, .json or .card.json."""
    names = list_models()
    if name not in names:
        choice = f"choose one of {', '.join(names)}" if names else "this copy has none"
        raise SeglibError(f"no shipped model is called {name!r}; {choice}")
    file = FOLDER / f"{name}{suffix}"
    if not file.is_file():
        raise SeglibError(f"{file} is missing; install seglib again")
    return file


def card(name: str) -> dict[str, Any]:
    """Return a model's card: what it does, what trained it, how it scores and its terms."""
    file = path(name, ".card.json")
    try:
        content = json.loads(read_text(file))
        terms = content["terms"]
    except (ValueError, TypeError, KeyError) as error:
        raise SeglibError(f"{file} is no valid card ({error!r}); install seglib again") from error
    if not terms:
        raise SeglibError(f"{file} names no terms of use; install seglib again")
    return content


def load(name: str, threads: int = 1) -> Segmenter:
    """Return a ready segmenter with shipped weights, for example `load("portrait")`.

    The first time a process loads a model, its terms are printed to the standard error: some of the
    weights are for research and teaching only, since the photos that trained them are.

    Args:
        name: one of `list_models()`; names that end in `_open` were trained only on openly licensed
            and synthetic pictures.
        threads: CPU threads.
    """
    content = card(name)
    segmenter = Segmenter(path(name), threads=threads, channel=content.get("channel"))
    if name not in _announced:
        _announced.add(name)
        print(f"seglib: the {name!r} weights: {content['terms']}", file=sys.stderr)
    return segmenter
