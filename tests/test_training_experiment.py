"""Experiments: YAML to frozen configs and back, overrides, mistakes named by file and key."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seglib import SeglibError, models
from seglib.cli import main
from seglib.data import AugmentConfig
from seglib.models import NetConfig, UNetConfig
from seglib.training import (
    RECIPES,
    DataConfig,
    Experiment,
    TrainConfig,
    read_experiment,
    write_experiment,
)

WHOLE = """\
data:
  name: eg1800
  kind: person
network:
  name: add_unet
  size: 96
augment:
  rotate: 5
  zoom: [0.9, 1.1]
train:
  recipe: transfer
  epochs: 7
  learning_rate: 1e-3
precision: mixed_float16
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "experiment.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_a_file_becomes_the_frozen_configs(written):
    found = read_experiment(written(WHOLE))
    assert found.data == DataConfig("eg1800", "person")
    assert found.network == NetConfig("add_unet", {"size": 96})
    assert found.augment == AugmentConfig(rotate=5.0, zoom=(0.9, 1.1))
    assert (found.train.freeze, found.train.epochs) == (RECIPES["transfer"].freeze, 7)
    assert found.train.learning_rate == 1e-3  # which YAML itself reads as text
    assert found.precision == "mixed_float16"


def test_what_is_left_out_takes_its_default(written):
    found = read_experiment(written("data: {name: faces}\naugment: false\ntrain:\n"))
    assert found == Experiment(DataConfig("faces"), augment=None)


def test_overrides_win(written):
    found = read_experiment(written(WHOLE), {"train": {"epochs": 2}, "augment": False})
    assert (found.train.epochs, found.train.freeze, found.augment) == (2, "encoder", None)
    assert read_experiment(None, {"data": {"name": "x"}}) == Experiment(DataConfig("x"))


networks = st.one_of(
    st.builds(
        UNetConfig,
        size=st.sampled_from([64, 96]),
        width=st.floats(0.1, 2),
        labels=st.sampled_from([("person",), ("person", "hair")]),
    ),
    st.sampled_from(models.list()[1:]).map(models.configure),
)
trainings = st.builds(
    TrainConfig,
    epochs=st.integers(1, 999),
    learning_rate=st.floats(1e-9, 1),
    ema=st.floats(0, 0.99),
    schedule=st.sampled_from(["cosine", "plateau"]),
    tensorboard=st.booleans(),
)
experiments = st.builds(
    Experiment,
    data=st.builds(DataConfig, name=st.text(min_size=1), kind=st.none() | st.text(min_size=1)),
    network=networks,
    augment=st.none() | st.builds(AugmentConfig, rotate=st.floats(0, 90)),
    train=trainings,
    precision=st.sampled_from(["float32", "mixed_bfloat16"]),
    weights=st.none() | st.text(min_size=1),
)


@given(experiment=experiments)
@example(experiment=Experiment(DataConfig(name="a\x85b", kind="Größe")))
def test_an_experiment_survives_its_file(experiment, tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "experiment.yaml"
    assert read_experiment(write_experiment(experiment, path)) == experiment


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "  epochs: 7",
            "  epoch: 7",
            r"train has no 'epoch'; do you mean epochs\? It has epochs, .*",
        ),
        ("precision:", "precison:", r"an experiment has no 'precison'; do you mean precision\? .*"),
        ("  size: 96", "  depth: 3", "add_unet has no 'depth'; .*"),
        ("  rotate: 5", "  rotatate: 5", r"augment has no 'rotatate'; do you mean rotate\? .*"),
        ("kind:", "knd:", r"data has no 'knd'; do you mean kind\? .*"),
        ("epochs: 7", "epochs: many", "train's epochs is 'many'; use a whole number, such as 30"),
        ("epochs: 7", "epochs: 7.5", "train's epochs is 7.5; use a whole number, .*"),
        ("epochs: 7", "epochs: yes", "train's epochs is True; use a whole number, .*"),
        ("1e-3", "fast", "train's learning_rate is 'fast'; use a number, such as 0.003"),
        ("1e-3", ".nan", "train's learning_rate is nan; use a number, .*"),
        ("[0.9, 1.1]", "1.1", r"augment's zoom is 1.1; use values, such as \(0.75, 1.4\)"),
        ("  kind: person", "  kind: 3", "data's kind is 3; use text, or leave it out"),
        ("transfer", "wizardry", "there is no recipe 'wizardry'; use one of full, .*"),
        ("add_unet", "[add_unet]", "there is no network .*; choose one of .*"),
        ("  size: 96", "  size: 96\n  7: 1", "add_unet has no '7'; it has size, .*"),
        ("add_unet", "grand_net", "there is no network 'grand_net'; choose one of .*"),
        ("epochs: 7", "epochs: 0", "TrainConfig's epochs is 0; use 1 or more"),
        ("rotate: 5", "rotate: -5", r"rotate is -5.0; use 0 \(off\) or more"),
        ("mixed_float16", "half", "the precision is 'half'; use one of float32, .*"),
        ("  size: 96", "  size: 96\n  size: 128", "size is given twice; remove one"),
        ("zoom: [0.9", "zoom: [0.9]]", r"this is no YAML \(.*, line \d+\); mend it"),
        (WHOLE, "", "data.name is missing; give a set's name or folder"),
        (WHOLE, "train: {epochs: 3}", "data.name is missing; .*"),
        (WHOLE, "- a\n- b\n", "this is no experiment; begin with the line `data:`"),
        (WHOLE, "data: faces\n", "data is 'faces'; give it keys and values"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_file_and_key(written, old, new, message):
    assert old in WHOLE
    path = written(WHOLE.replace(old, new))
    with pytest.raises(SeglibError, match=rf"^{path}: {message}$") as refused:
        read_experiment(path)
    assert "\n" not in str(refused.value)


def test_a_missing_file_other_encodings_and_wrong_overrides_are_named(written, tmp_path):
    with pytest.raises(SeglibError, match=r"none\.yaml"):
        read_experiment(tmp_path / "none.yaml")
    path = written(WHOLE)
    with pytest.raises(SeglibError, match="^command line: train's epochs is 'x'"):
        read_experiment(path, {"train": {"epochs": "x"}})
    text = WHOLE.replace("kind: person", "kind: Gesichtszüge")
    path.write_text(text, "utf-8-sig")
    assert read_experiment(path).data.kind == "Gesichtszüge"
    path.write_text(text, "latin-1")
    with pytest.raises(SeglibError, match=r"experiment\.yaml .*UTF-8"):
        read_experiment(path)


def test_keys_of_the_first_edition_that_changed_no_curve_are_passed_over(written):
    path = written(WHOLE.replace("epochs: 7", "epochs: 7\n  save_steps: 1\n  save_minutes: 5.0"))
    assert read_experiment(path) == read_experiment(written(WHOLE))


@pytest.fixture
def faces(tmp_path):
    """A folder of twelve blobs with splits, as people have one."""
    from PIL import Image

    from training_net import blobs

    folder = tmp_path / "faces"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    photos, masks = blobs(12, 0)
    for index, (photo, mask) in enumerate(zip(photos, masks, strict=True)):
        Image.fromarray(photo).save(folder / "images" / f"{index}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{index}.png")
    return folder


def test_the_command_reads_a_file_and_its_options_win(written, faces, tmp_path, capsys):
    path = written(
        f"data: {{name: {faces}, batch_size: 4}}\n"
        "network: {name: add_unet, size: 32, width: 0.25}\n"
        "train: {epochs: 9, bn_batches: 1}\n"
    )
    output = tmp_path / "run"
    command = ["train", "--config", str(path), "--output", str(output), "--epochs", "1"]
    assert main([*command, "--set", "augment.rotate=3", "--learning-rate", "1e-2"]) == 0
    assert "wrote" in capsys.readouterr().out
    kept = read_experiment(output / "experiment.yaml")
    assert (kept.train.epochs, kept.train.learning_rate, kept.augment.rotate) == (1, 1e-2, 3)
    assert kept.network.network == "add_unet"
    mask = models.load(output / "model.weights.h5")(np.zeros((1, 32, 32, 3), np.float32))
    assert tuple(mask.shape) == (1, 32, 32, 1)


def test_mistakes_on_the_command_line(written, tmp_path, capsys):
    def refused(*command):
        assert main(["train", "--output", str(tmp_path / "run"), *command]) == 2
        return capsys.readouterr().err

    assert "give --data" in refused()
    assert "'grand_net'" in refused("--data", "x", "--network", "grand_net")
    assert "SECTION.KEY=VALUE" in refused("--data", "x", "--set", "rotate")
    assert "train has no 'speed'" in refused("--data", "x", "--set", "train.speed=3")
    assert "'wizardry'" in refused("--data", "x", "--recipe", "wizardry")
    assert "no folder" in refused("--data", "no/such")


def test_a_job_file_holds_the_command(written, tmp_path, monkeypatch, capsys):
    job = tmp_path / "job.sbatch"
    command = ["train", "--data", "my faces", "--output", "runs/a", "--sbatch", str(job)]
    monkeypatch.setattr(sys, "argv", ["seglib", *command])
    assert main() == 0
    text = job.read_text()
    assert "#SBATCH --signal=B:TERM@120" in text
    assert f"{sys.executable} -m seglib.cli train --data 'my faces' --output runs/a &" in text
    assert "sbatch" not in text.split("trap")[1]
