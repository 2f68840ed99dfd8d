"""Every network by its name, and its weights on disk: `build`, `save`, `load`.

A file `NAME.weights.h5` stands beside `NAME.json`, the config that builds the network: a `.keras`
archive saved by one Keras often does not load in an older one, weights plus the code that builds
the network do.

Chapters: MobileNet-UNet design; training on Colab.
"""

import inspect
import json
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras

from seglib.errors import SeglibError, typed
from seglib.files import atomic_path, read_text
from seglib.models.encoders import load_encoder_weights
from seglib.models.unet import UNetConfig, mobile_unet
from seglib.runtime.engines import KerasEngine

OURS = "mobile_unet"
SUFFIX = ".weights.h5"
NETWORKS: dict[str, tuple[Callable[..., keras.Model], str | None]] = {}
"""The networks besides our own: what builds them, and the encoder whose weights they can take.

Each parameter of a builder is an option with a default, `size` among them. `seglib.models.zoo`
fills the table, and you may add yours."""


@dataclass(frozen=True)
class NetConfig:
    """What one of `NETWORKS` is made of, as it is kept beside its weights.

    Options that are not given take their defaults, so that weights stay loadable when a default
    changes.
    """

    network: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise SeglibError(
                f"there is no network {self.network!r}; choose one of {', '.join(list())}"
            )
        known = _options(NETWORKS[self.network][0])
        given = typed(self.network, self.options, known)
        object.__setattr__(self, "options", {**known, **given})

    @property
    def size(self) -> int:
        """Side of the square input in pixels."""
        return self.options["size"]

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of the mask's only channel."""
        return ("mask",)


def list() -> tuple[str, ...]:
    """Return the names that `build` knows: ours first, then the older networks by their age."""
    return (OURS, *NETWORKS)


def configure(name: str, **options: Any) -> UNetConfig | NetConfig:
    """Return the config of a network: what `save` keeps beside its weights."""
    if name != OURS:
        return NetConfig(name, options)
    return UNetConfig(**typed(name, options, _options(UNetConfig)))


def _options(builder: Callable) -> dict[str, Any]:
    parameters = inspect.signature(builder).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters}


def build(name: str, *, encoder_weights: str | Path | None = None, **options: Any) -> keras.Model:
    """Build a network by its name.

    Args:
        name: one of `list()`.
        encoder_weights: None (random start), "imagenet" or a file, see `load_encoder_weights`;
            only for networks with a MobileNet encoder.
        options: the network's own, see `seglib.models.zoo`, or the fields of `UNetConfig` for
            "mobile_unet".

    Returns:
        A model from "image", float32 (batch, size, size, 3) RGB in 0..255, to "mask", float32
        probabilities in 0..1 (batch, size, size, 1); `dense_unet`'s mask has half the side.
    """
    return from_config(configure(name, **options), encoder_weights)


def from_config(
    config: UNetConfig | NetConfig, encoder_weights: str | Path | None = None
) -> keras.Model:
    """Build the network that a config describes, as `build` does."""
    if isinstance(config, UNetConfig):
        return mobile_unet(config, encoder_weights)
    builder, encoder = NETWORKS[config.network]
    if encoder_weights is not None and encoder is None:
        able = [OURS, *(name for name, (_, encoder) in NETWORKS.items() if encoder)]
        raise SeglibError(
            f"{config.network} has no MobileNet encoder that ImageNet weights fit; leave "
            f"encoder_weights out, or choose one of {', '.join(able)}"
        )
    model = builder(**config.options)
    if encoder_weights is not None:
        load_encoder_weights(model, encoder_weights, encoder, config.options["width"])
    return model


def weights_bytes(model: keras.Model) -> int:
    """Return how many bytes a file of the model's weights takes at most."""
    # HDF5 writes 1 to 4 KB about each array.
    return sum(math.prod(variable.shape) * 4 + 8192 for variable in model.variables)


def _config_path(weights: Path) -> Path:
    if not weights.name.endswith(SUFFIX):
        raise SeglibError(f"{weights} does not end in {SUFFIX}; name the weights file NAME{SUFFIX}")
    return weights.with_name(weights.name.removesuffix(SUFFIX) + ".json")


def save(model: keras.Model, config: UNetConfig | NetConfig, path: str | Path) -> Path:
    """Write `NAME.weights.h5` and `NAME.json`; each is replaced whole or not at all.

    `config`, a `UNetConfig` or what `configure` returns, is what the model was built from.
    """
    path = Path(path)
    described = _config_path(path)
    # A compiled model would store its optimizer too, twice the size of the weights.
    bare = from_config(config)
    bare.set_weights(model.get_weights())
    with atomic_path(described) as temporary:
        temporary.write_text(json.dumps(asdict(config), indent=1) + "\n", encoding="utf-8")
    with atomic_path(path, weights_bytes(bare)) as temporary:
        bare.save_weights(temporary, overwrite=True)
    return path


def load_config(path: str | Path) -> UNetConfig | NetConfig:
    """Read the config beside `NAME.weights.h5`."""
    config = _config_path(Path(path))
    if not config.exists():
        raise SeglibError(f"{config} is missing; keep it beside {path}, whose network it describes")
    try:
        content = json.loads(read_text(config))
        return NetConfig(**content) if "network" in content else configure(OURS, **content)
    except (ValueError, TypeError, AttributeError) as error:  # of JSON, and our own
        raise SeglibError(
            f"{config} describes no network that this version builds: {error}"
        ) from error


def load(path: str | Path) -> keras.Model:
    """Load a network: `NAME.weights.h5` with `NAME.json`, or a whole `.keras` or `.h5` file."""
    path = Path(path)
    if not path.exists():
        raise SeglibError(f"{path} does not exist; check the name")
    if not path.name.endswith(SUFFIX) and path.suffix.lower() in (".keras", ".h5"):
        with _explained(path, "a whole network"):
            return keras.saving.load_model(path, compile=False)
    model = from_config(load_config(path))
    fill(model, path, f"the weights of the network in {_config_path(path).name}")
    return model


def open_engine(path: str | Path, threads: int = 1) -> KerasEngine:
    """Open a network's file for `seglib.runtime`; a config beside it says what the labels are."""
    metadata = None
    if Path(path).name.endswith(SUFFIX):
        metadata = {"labels": [*load_config(path).labels], "value_range": [0, 255]}
    return KerasEngine(load(path), metadata, str(path))


def fill(model: keras.Model, path: str | Path, what: str) -> None:
    """Read a model's weights from a file; `what` says in an error what it should hold."""
    with _explained(path, what), warnings.catch_warnings():
        # Keras only warns where the file lacks a layer, and leaves random numbers in it.
        warnings.filterwarnings("error", message=".*no matching group")
        model.load_weights(path)


@contextmanager
def _explained(path: str | Path, what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, UserWarning) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise SeglibError(f"{path} does not hold {what} ({first}); give another file") from error
