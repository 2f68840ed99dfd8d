"""Weights on disk: `NAME.weights.h5` beside `NAME.json`, the config that builds the network.

A `.keras` archive saved by one Keras often does not load in an older one. Weights plus the code
that builds the network do, and they are what this library exchanges.

Chapter: training on Colab.
"""

import json
import math
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.models.factory import NetConfig, from_config
from seglib.models.mobile_unet import UNetConfig

SUFFIX = ".weights.h5"


def config_path(weights: str | Path) -> Path:
    """Return the path of the config that belongs to a `NAME.weights.h5`."""
    weights = Path(weights)
    if not weights.name.endswith(SUFFIX):
        raise SeglibError(f"{weights} does not end in {SUFFIX}; name the weights file NAME{SUFFIX}")
    return weights.with_name(weights.name.removesuffix(SUFFIX) + ".json")


def room(model: keras.Model) -> int:
    """Return how many bytes a file of the model's weights takes at most.

    Those of the numbers, and for each array what HDF5 writes about it: measured, 1 to 4 KB.
    """
    sizes = [math.prod(variable.shape) * 4 for variable in model.variables]
    return sum(sizes) + 8192 * len(sizes)


def save(model: keras.Model, config: UNetConfig | NetConfig, path: str | Path) -> Path:
    """Write `NAME.weights.h5` and `NAME.json`; each is replaced whole or not at all.

    Args:
        model: a network built from the config.
        config: `UNetConfig` for our own network, else what `seglib.models.configure` returns.
        path: `NAME.weights.h5`.
    """
    path = Path(path)
    with atomic_path(config_path(path)) as temporary:
        temporary.write_text(json.dumps(asdict(config), indent=1) + "\n")
    # A compiled model would store its optimizer too, twice the size of the weights.
    bare = from_config(config)
    bare.set_weights(model.get_weights())
    with atomic_path(path, room(bare)) as temporary:
        bare.save_weights(temporary, overwrite=True)
    return path


def load_config(path: str | Path) -> UNetConfig | NetConfig:
    """Read the config beside `NAME.weights.h5`.

    Raises:
        SeglibError: the config is missing, is not JSON, has unknown fields or describes no network.
    """
    config = config_path(path)
    try:
        return _read(json.loads(config.read_text()))
    except FileNotFoundError as error:
        raise SeglibError(
            f"{config} is missing; keep it beside {Path(path).name}: it says "
            "how to build the network"
        ) from error
    except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as error:
        raise SeglibError(
            f"{config} is no network config ({error}); save the model again"
        ) from error
    except SeglibError as error:
        raise SeglibError(
            f"{config} describes no network that this version builds: {error}"
        ) from error


def _read(content: dict[str, Any]) -> UNetConfig | NetConfig:
    return NetConfig(**content) if "network" in content else UNetConfig(**content)


def load(path: str | Path) -> keras.Model:
    """Build the network from `NAME.json` and fill it from `NAME.weights.h5`.

    Raises:
        SeglibError: a file is missing, is no weights file, or the two do not belong together.
    """
    path = Path(path)
    model = from_config(load_config(path))
    if not path.exists():
        raise SeglibError(f"{path} does not exist; check the name")
    try:
        with warnings.catch_warnings():
            # Keras only warns where the file lacks a layer, and leaves random numbers in it.
            warnings.filterwarnings("error", message=".*no matching group")
            model.load_weights(path)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise SeglibError(
            f"{path} does not hold the weights of the network in {config_path(path).name} "
            f"({str(error).splitlines()[0]}); save both again from one model"
        ) from error
    return model
