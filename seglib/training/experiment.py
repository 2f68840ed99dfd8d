"""A whole training in one YAML file that turns into the frozen configs, and back.

Such a file looks like this::

    data:
      name: eg1800        # a set's name or its folder
      kind: person
      batch_size: 32
    network:
      name: mobile_unet   # any name of seglib.models.list()
      size: 160
    augment:              # `augment: false` leaves pictures as they are
      rotate: 10
    train:
      recipe: transfer    # of seglib.training.RECIPES; what follows differs from it
      epochs: 20
    encoder_weights: imagenet

What is left out takes its default. Every mistake is named with its line.

Chapter: training on Colab.
"""

import inspect
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from seglib import models
from seglib.data.augment import AugmentConfig
from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.models import NetConfig, UNetConfig
from seglib.models.build import NETWORKS, OURS
from seglib.training.config import TrainConfig, recipe
from seglib.training.devices import PRECISIONS
from seglib.training.yaml_file import cast, library, parse

Sections = dict[str, Any]


@dataclass(frozen=True)
class DataConfig:
    """Which pictures, and how they become batches.

    Attributes:
        name: a set's name, or the folder of a prepared one.
        kind: what the masks show, such as person; None takes the set's first.
        batch_size: pictures a step.
        workers: threads that prepare batches ahead.
        teacher: a `.tflite` file whose masks are mixed with the labels; None mixes nothing.
        teacher_weight: share of the teacher in the mix, 0 to 1.
    """

    name: str
    kind: str | None = None
    batch_size: int = 32
    workers: int = 2
    teacher: str | None = None
    teacher_weight: float = 0.5

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.workers < 0 or not 0 <= self.teacher_weight <= 1:
            raise SeglibError(
                "data needs batch_size >= 1, workers >= 0 and teacher_weight from 0 to 1; it has "
                f"{self.batch_size}, {self.workers} and {self.teacher_weight}"
            )


@dataclass(frozen=True)
class Experiment:
    """A whole training.

    Attributes:
        data: the pictures.
        network: a config of `seglib.models.configure`.
        augment: how far pictures are changed; None leaves them as they are.
        train: how the network is trained.
        precision: number format, see `seglib.training.precision`.
        encoder_weights: where the encoder starts: "imagenet", a file, or None for chance.
        weights: a `.weights.h5` of the same network to start from, or None.
    """

    data: DataConfig
    network: UNetConfig | NetConfig = UNetConfig()
    augment: AugmentConfig | None = AugmentConfig()
    train: TrainConfig = TrainConfig()
    precision: str = "float32"
    encoder_weights: str | None = None
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise SeglibError(
                f"the precision is {self.precision!r}; use one of {', '.join(PRECISIONS)}"
            )


def read_experiment(
    path: str | Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Experiment:
    """Read an experiment file.

    Args:
        path: the YAML file; None takes everything from the overrides.
        overrides: sections as in the file, such as ``{"train": {"epochs": 3}}``; they win.

    Raises:
        SeglibError: the file cannot be read, a key is unknown, or a value is of the wrong type or
            out of range; the message names the line, or the command line for an override.
    """
    sections, places = parse(Path(path)) if path is not None else ({}, {})
    for name, content in (overrides or {}).items():
        if isinstance(content, Mapping) and isinstance(sections.get(name), dict):
            sections[name].update(content)
        else:
            sections[name] = dict(content) if isinstance(content, Mapping) else content
        for key in content if isinstance(content, Mapping) else ():
            places[name, key] = "command line"
        if not isinstance(content, Mapping):
            places[name,] = "command line"
    return _Builder(sections, places, str(path or "command line")).experiment()


def write_experiment(experiment: Experiment, path: str | Path) -> Path:
    """Write an experiment file that `read_experiment` turns into an equal experiment."""
    yaml = library()
    network = experiment.network
    if isinstance(network, NetConfig):
        described = {"name": network.network, **network.options}
    else:
        described = {"name": OURS, **asdict(network)}
    content = {
        "data": asdict(experiment.data),
        "network": described,
        "augment": asdict(experiment.augment) if experiment.augment else False,
        "train": asdict(experiment.train),
        "precision": experiment.precision,
        "encoder_weights": experiment.encoder_weights,
        "weights": experiment.weights,
    }
    path = Path(path)
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            # Escaped, since PyYAML writes some of Unicode's line ends as they are and reads spaces.
            yaml.safe_dump(_listed(content), file, sort_keys=False, allow_unicode=False)
    return path


def _listed(value: Any) -> Any:
    """Turn tuples into lists, which YAML knows."""
    if isinstance(value, dict):
        return {key: _listed(one) for key, one in value.items()}
    return [_listed(one) for one in value] if isinstance(value, tuple | list) else value


class _Builder:
    """Turns checked sections into the frozen configs."""

    def __init__(self, sections: Sections, places: dict[tuple[str, ...], str], source: str) -> None:
        self.sections, self.places, self.source = sections, places, source

    def experiment(self) -> Experiment:
        hints = typing.get_type_hints(Experiment)
        self._known((), self.sections, hints)
        flat = {
            name: self._typed((name,), value, hints[name])
            for name, value in self.sections.items()
            if name not in ("data", "network", "augment", "train")
        }
        self._known(("data",), self._section("data"), typing.get_type_hints(DataConfig))
        if "name" not in self._section("data"):
            raise SeglibError(f"{self.source}: data.name is missing; give a set's name or folder")
        parts = {
            "data": self._config("data", DataConfig),
            "network": self._network(),
            "train": self._config("train", TrainConfig, self._recipe()),
        }
        if self.sections.get("augment", True) is False:
            parts["augment"] = None
        else:
            parts["augment"] = self._config("augment", AugmentConfig)
        return self._made((), lambda: Experiment(**parts, **flat))

    def _section(self, name: str) -> Sections:
        content = self.sections.get(name)
        # `augment: true` and a heading with nothing below it ask for the defaults.
        if content is None or (name == "augment" and content is True):
            return {}
        if not isinstance(content, dict):
            raise SeglibError(
                f"{self._at((name,))}: {name} is {content!r}; give it keys and values"
            )
        return content

    def _recipe(self) -> TrainConfig | None:
        name = self._section("train").get("recipe")
        return None if name is None else self._made(("train", "recipe"), lambda: recipe(name))

    def _config(self, name: str, config: type, base: Any = None) -> Any:
        content = {k: v for k, v in self._section(name).items() if (name, k) != ("train", "recipe")}
        hints = typing.get_type_hints(config)
        self._known((name,), content, hints)
        values = {key: self._typed((name, key), v, hints[key]) for key, v in content.items()}
        return self._made(
            (name,), lambda: replace(base, **values) if base is not None else config(**values)
        )

    def _network(self) -> UNetConfig | NetConfig:
        content = dict(self._section("network"))
        name = content.pop("name", OURS)
        if name == OURS:
            hints = typing.get_type_hints(UNetConfig)
        elif name in NETWORKS:
            signature = inspect.signature(NETWORKS[name][0])
            hints = {key: p.annotation for key, p in signature.parameters.items()}
        else:
            return self._made(("network", "name"), lambda: models.configure(str(name)))
        self._known(("network",), content, hints)
        values = {
            key: self._typed(("network", key), value, hints[key]) for key, value in content.items()
        }
        return self._made(("network",), lambda: models.configure(name, **values))

    def _known(self, keys: tuple[str, ...], content: Sections, known: Mapping[str, Any]) -> None:
        for key in content:
            if key not in known:
                owner = keys[0] if keys else "an experiment"
                options = ", ".join((*known, *(["recipe"] if keys == ("train",) else [])))
                raise SeglibError(
                    f"{self._at((*keys, key))}: {'.'.join((*keys, key))} is unknown; "
                    f"{owner} has {options}"
                )

    def _typed(self, keys: tuple[str, ...], value: Any, hint: Any) -> Any:
        try:
            return cast(value, hint)
        except (ValueError, TypeError) as error:
            raise SeglibError(
                f"{self._at(keys)}: {'.'.join(keys)} is {value!r}; give {error}"
            ) from error

    def _made(self, keys: tuple[str, ...], make: Any) -> Any:
        """Say where a value stands that a config refuses."""
        try:
            return make()
        except SeglibError as error:
            raise SeglibError(f"{self._at(keys)}: {error}") from error

    def _at(self, keys: tuple[str, ...]) -> str:
        return self.places.get(keys, self.source)
