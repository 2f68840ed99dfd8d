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

What is left out takes its default. Every mistake is one sentence that names the file and the key.

Chapter: training on Colab.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import keras

from seglib import data, models
from seglib.data.augment import AugmentConfig
from seglib.data.batches import Batches
from seglib.data.previous import FIRST_FRAMES, VideoBatches
from seglib.errors import SeglibError, check_types, typed
from seglib.files import atomic_path, read_text
from seglib.models.build import OURS, NetConfig
from seglib.models.unet import UNetConfig
from seglib.training.config import TrainConfig
from seglib.training.devices import PRECISIONS, precision
from seglib.training.fit import History, Watch, fit
from seglib.training.teacher import distil

_OLD = {"weight_decay": 0.0, "bn_batches": 0}
RECIPES: dict[str, TrainConfig] = {
    "full": TrainConfig(),
    # The decoder learns; the encoder keeps what it brought along, BatchNorm's statistics included.
    "transfer": TrainConfig(epochs=15, learning_rate=2e-3, freeze="encoder"),
    # All but the first layers move, a little.
    "fine_tune": TrainConfig(epochs=15, learning_rate=3e-4, freeze="half"),
    # How the older projects trained; facts in the chapter.
    "hair_2017": TrainConfig(
        250, 0.1, loss="dice_batch", optimizer="sgd", schedule="drops", **_OLD
    ),
    "portrait_2019": TrainConfig(
        300, 1e-3, loss="bce", optimizer="adam", schedule="plateau", plateau_patience=15, **_OLD
    ),
    "hair_2020": TrainConfig(50, 1e-3, patience=5, optimizer="adam", schedule="plateau", **_OLD),
}
"""Ways to train by name: three of ours, and those of three older projects (their rates, schedules,
optimizers and lengths; "hair_2020" mixes its two losses 0.4 to 0.6, we halve)."""


def recipe(name: str) -> TrainConfig:
    """Return the recipe of that name; `dataclasses.replace` changes single fields."""
    if name not in RECIPES:
        raise SeglibError(f"there is no recipe {name!r}; use one of {', '.join(RECIPES)}")
    return RECIPES[name]


@dataclass(frozen=True)
class DataConfig:
    """Which pictures, and how they become batches.

    Attributes:
        name: a set's name, or the folder of a prepared one.
        kind: what the masks show, such as person; None takes the set's first.
        batch_size: pictures a step.
        workers: threads that prepare batches ahead.
        teacher: a `.tflite` file whose masks are mixed with the labels; None mixes nothing.
        teacher_weight: fraction of the teacher in the mix, 0 to 1.
    """

    name: str
    kind: str | None = None
    batch_size: int = 32
    workers: int = 2
    teacher: str | None = None
    teacher_weight: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
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


def _defaults(config: type) -> dict[str, Any]:
    return {entry.name: entry.default for entry in fields(config)}


FLAT = {"precision": "float32", "encoder_weights": None, "weights": None}
SECTIONS = {
    "data": {**_defaults(DataConfig), "name": ""},
    "network": None,  # depends on its name
    "augment": _defaults(AugmentConfig),
    "train": {**_defaults(TrainConfig), "recipe": ""},
}
# Keys of edition 0.1, which saved within an epoch, too. Runs keep such files.
RETIRED = ("save_steps", "save_minutes")


def read_experiment(
    path: str | Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Experiment:
    """Read an experiment file.

    Args:
        path: the YAML file; None takes everything from the overrides.
        overrides: sections as in the file, such as ``{"train": {"epochs": 3}}``; they win.
    """
    merged: dict[str, Any] = {}
    for source in (path, None):
        with _named(source):
            given = overrides if source is None else parse_yaml(read_text(source))
            for name, content in _checked(given or {}).items():
                both = isinstance(content, dict) and isinstance(merged.get(name), dict)
                merged[name] = {**merged[name], **content} if both else content
    with _named(path):
        return _built(merged)


@contextlib.contextmanager
def _named(source: str | Path | None) -> Iterator[None]:
    """Let an error say where the mistake stands."""
    try:
        yield
    except SeglibError as error:
        where = source or "command line"
        raise SeglibError(
            str(error) if str(where) in str(error) else f"{where}: {error}"
        ) from error


def parse_yaml(text: str) -> Any:
    """Read YAML; a key that is given twice is refused."""
    try:
        import yaml
    except ImportError as error:
        raise SeglibError("experiment files need the PyYAML package; pip install pyyaml") from error

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for key in keys:
                if keys.count(key) > 1:
                    raise SeglibError(f"{key} is given twice; remove one")
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, SeglibError):
            raise
        line = f", line {error.problem_mark.line + 1}" if hasattr(error, "problem_mark") else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise SeglibError(f"this is no YAML ({problem}{line}); mend it") from error


def _checked(given: Any) -> dict[str, Any]:
    """Return sections whose keys and types are right, those of the network left to its builder."""
    if not isinstance(given, Mapping):
        raise SeglibError("this is no experiment; begin with the line `data:`")
    known = {**dict.fromkeys(SECTIONS), **FLAT}
    typed("an experiment", dict.fromkeys(given), dict.fromkeys(known))
    found = typed("an experiment", {k: v for k, v in given.items() if k in FLAT}, FLAT)
    for name, defaults in SECTIONS.items():
        content = given.get(name, ...)
        if content is None or (name == "augment" and content is True):
            content = {}  # a heading with nothing below it asks for the defaults
        if content is ... or (name == "augment" and content is False):
            found |= {} if content is ... else {name: False}
            continue
        if not isinstance(content, Mapping):
            raise SeglibError(f"{name} is {content!r}; give it keys and values")
        content = {k: v for k, v in content.items() if name != "train" or k not in RETIRED}
        found[name] = dict(content) if defaults is None else typed(name, content, defaults)
    return found


def _built(sections: dict[str, Any]) -> Experiment:
    if "name" not in sections.get("data", {}):
        raise SeglibError("data.name is missing; give a set's name or folder")
    train = sections.get("train", {})
    network = {str(key): value for key, value in sections.get("network", {}).items()}
    base = recipe(train["recipe"]) if "recipe" in train else TrainConfig()
    augment = sections.get("augment", {})
    return Experiment(
        DataConfig(**sections["data"]),
        models.configure(str(network.pop("name", OURS)), **network),
        None if augment is False else AugmentConfig(**augment),
        replace(base, **{k: v for k, v in train.items() if k != "recipe"}),
        **{name: value for name, value in sections.items() if name in FLAT},
    )


def write_experiment(experiment: Experiment, path: str | Path) -> Path:
    """Write an experiment file that `read_experiment` turns into an equal experiment."""
    import yaml

    content, network = asdict(experiment), experiment.network
    if isinstance(network, NetConfig):
        content["network"] = {"name": network.network, **network.options}
    else:
        content["network"] = {"name": OURS, **content["network"]}
    content["augment"] = content["augment"] or False
    content = json.loads(json.dumps(content))  # tuples become lists, which YAML knows
    path = Path(path)
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8") as file:
            # Escaped, since PyYAML writes some of Unicode's line ends as they are and reads spaces.
            yaml.safe_dump(content, file, sort_keys=False, allow_unicode=False)
    return path


def train_experiment(
    experiment: Experiment,
    folder: str | Path,
    watch: Watch | None = None,
    notify: Sequence[str] = (),
    shard: tuple[int, int] = (0, 1),
) -> History:
    """Train what an experiment describes; called again, a stopped run goes on.

    Besides what `fit` writes, the folder gets `experiment.yaml`, the whole description, and
    `model.weights.h5` with `model.json`, the finished network.

    Args:
        experiment: what to train, on what and how.
        folder: the run's.
        watch: as for `fit`.
        notify: as for `fit`.
        shard: (index, count) of this process among several, from `all_devices`.
    """
    folder, config, wanted = Path(folder), experiment.train, experiment.data
    if not Path(wanted.name).is_dir() and Path(wanted.name).name != wanted.name:
        raise SeglibError(f"there is no folder {wanted.name}; give a prepared data set or its name")
    read = data.open_folder if Path(wanted.name).is_dir() else data.load
    with contextlib.redirect_stdout(sys.stderr):
        train_set, val_set = (read(wanted.name, part, wanted.kind) for part in ("train", "val"))
    network = experiment.network
    if isinstance(network, UNetConfig) and network.labels == UNetConfig().labels:
        network = replace(network, labels=(train_set.kind,))
    photos, masks = train_set.arrays(network.size)
    if masks.min() == masks.max():
        raise SeglibError(
            f"{wanted.name}: its {len(train_set)} {train_set.kind} masks hold one class only; add "
            "photos whose masks mark something and leave something out"
        )
    if wanted.teacher:
        masks, _ = distil(photos, masks, wanted.teacher, wanted.teacher_weight, cache=folder)
    keras.utils.set_random_seed(config.seed)
    with precision(experiment.precision):
        model = models.from_config(network, experiment.encoder_weights)
    if experiment.weights:
        _fill(model, Path(experiment.weights))
    several = {"batch_size": wanted.batch_size, "size": network.size, "shard": shard}
    several["workers"] = wanted.workers
    cut, first = Batches, {}
    if models.reads_previous(model):
        cut, first = VideoBatches, {"previous": FIRST_FRAMES}
    train = cut(
        photos, masks, augment=experiment.augment, seed=config.seed, shuffle=True, **several
    )
    val = cut(*val_set.arrays(network.size), **several, **first)
    print(f"{train_set.name}: {len(train_set)} photos to learn from, {len(val_set)} to check on")
    history = fit(model, train, val, config, folder, watch, notify)
    with contextlib.ExitStack() as stack:
        if shard[0]:
            # Keras brings weights together from all processes: each saves, one file is wanted.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_experiment(replace(experiment, network=network), folder / "experiment.yaml")
        models.save(model, network, folder / "model.weights.h5")
    return history


def _fill(model: keras.Model, path: Path) -> None:
    """Fill a network from weights of one that is built alike.

    One that reads the mask of the frame before may start from one that does not.
    """
    start = models.load(path)
    if models.reads_previous(model) and not models.reads_previous(start):
        start, _ = models.add_previous(start, models.load_config(path))
    weights = start.get_weights()
    if [w.shape for w in weights] != [tuple(w.shape) for w in model.weights]:
        raise SeglibError(
            f"{path} holds the weights of another network than {model.name}; describe the network "
            "as in the .json beside it, or choose other weights"
        )
    model.set_weights(weights)
