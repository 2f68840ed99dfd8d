"""`seglib train` and `seglib data`: from photos to a network."""

import contextlib
import inspect
import itertools
import json
import os
import re
import shlex
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated as A
from typing import Any, Literal

from seglib.cli.models import WEIGHTS, Channel, Json, Kind, Range, number_or_name, shipped
from seglib.errors import SeglibError
from seglib.files import atomic_path, read_text


def configs() -> list[tuple[type, dict[str, str]]]:
    """Return the configs whose fields are options of `train`, with a line of help for each."""
    from seglib.models import UNetConfig
    from seglib.training import TrainConfig

    found = []
    for config in (UNetConfig, TrainConfig):
        # Python 3.13 takes the margin off by itself; getdoc does so in every version.
        doc = inspect.getdoc(config)
        texts = re.findall(r"^ {4}(\w+): ([^\n]+(?:\n {5,}[^\n]+)*)", doc, re.M)
        found.append((config, {name: " ".join(text.split()) for name, text in texts}))
    return found


def train(
    *,
    config: A[Path | None, "an experiment, YAML; the other options win"] = None,
    data: A[str | None, "set name or its folder"] = None,
    kind: Kind = None,
    output: A[Path, "the run's folder"],
    batch_size: A[int | None, "pictures a step [32]"] = None,
    augment: A[bool | None, "vary the pictures from epoch to epoch [on]"] = None,
    network: A[str | None, "any of the zoo [mobile_unet]"] = None,
    recipe: A[str | None, "a way to train by name, such as transfer"] = None,
    set_: A[list[str] | None, "any other key, as augment.rotate=5; may be repeated"] = None,
    weights: A[str | None, "a .weights.h5 to start from"] = None,
    encoder_weights: A[str | None, "'imagenet' or a file to start the encoder from"] = None,
    teacher: A[str | None, "a .tflite to learn from, too"] = None,
    precision: A[str | None, "float32, mixed_float16 or mixed_bfloat16 [float32]"] = None,
    devices: A[Literal["one", "all"], "all: share batches between accelerators"] = "one",
    notify: A[list[str] | None, "apprise's address to tell of the end [$SEGLIB_NOTIFY]"] = None,
    sbatch: A[Path | None, "write a SLURM job for this command and end"] = None,
    **settings: Any,
) -> None:
    """Train a network on a prepared data set; the same command goes on after a stop.

    The run's folder holds checkpoints, the log and the best weights.
    """
    if config is None and data is None:
        raise SeglibError("there is nothing to learn from; give --data, or --config with a file")
    from seglib import training

    sections: dict[str, Any] = {
        "data": {"name": data, "kind": kind, "batch_size": batch_size, "teacher": teacher},
        "network": {"name": network},
        "train": {"recipe": recipe},
    }
    for name, (of, _) in zip(("network", "train"), configs(), strict=True):
        sections[name] |= {f.name: settings.get(f.name) for f in fields(of)}
    for name, content in sections.items():
        sections[name] = {key: value for key, value in content.items() if value is not None}
    flat = {"precision": precision, "encoder_weights": encoder_weights, "weights": weights}
    flat["augment"] = {} if augment else augment
    sections |= {name: value for name, value in flat.items() if value is not None}
    for text in set_ or ():
        _set(sections, text)
    experiment = training.read_experiment(config, sections)
    if sbatch is not None:
        _write_job(sbatch)
        return
    notify = [*(notify or ()), *os.environ.get("SEGLIB_NOTIFY", "").split()]
    if int(os.environ.get("SLURM_NTASKS", 1)) > 1 and devices == "all":
        training.join()
    shared = training.all_devices() if devices == "all" else contextlib.nullcontext((0, 1))
    with shared as shard:
        history = training.train_experiment(experiment, output, notify=notify, shard=shard)
    best = ", ".join(f"{name} {value:.4g}" for name, value in history.best.items())
    print(f"best epoch: {best}\nwrote {output / f'model{WEIGHTS}'}")


def _set(sections: dict[str, Any], text: str) -> None:
    """Add `SECTION.KEY=VALUE`, with a value as YAML writes it."""
    from seglib.training.experiment import parse_yaml

    key, equals, value = text.partition("=")
    section, _, name = key.partition(".")
    if not equals or not section:
        raise SeglibError(f"--set {text}: write it as SECTION.KEY=VALUE, such as train.epochs=3")
    parsed = parse_yaml(value)
    if not name:
        sections[section] = parsed
    elif isinstance(sections.setdefault(section, {}), dict):
        sections[section][name] = parsed
    else:
        raise SeglibError(f"--set {text}: {section} is switched off by another option")


def _write_job(path: Path) -> None:
    """Write a SLURM job that runs this command line without `--sbatch`."""
    pairs = itertools.pairwise(["", *sys.argv[1:]])
    kept = [word for before, word in pairs if "--sbatch" not in (before, word.partition("=")[0])]
    template = read_text(Path(__file__).parent.parent / "assets" / "train.sbatch")
    command = shlex.join([sys.executable, "-m", "seglib.cli", *kept])
    with atomic_path(path) as temporary:
        temporary.write_text(template.replace("COMMAND", command), encoding="utf-8")
    print(f"wrote {path}; look at its first lines, then: sbatch {path}")


def list_sources(*, json_: Json = False) -> None:
    """List the sources, their terms and how to get them."""
    from seglib.data.sources import catalogue

    entries = catalogue.entries()
    if json_:
        rows = [{**asdict(entry), "fetchable": entry.fetchable} for entry in entries]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for entry in entries:
        size = (f"{entry.count:,} pairs" if entry.count else "", entry.size)
        print(", ".join(filter(None, (f"{entry.name}: {entry.title}", *size))))
        lines = [("shows", f"{entry.shows}; masks of {', '.join(entry.kinds)}")]
        lines += [("licence", entry.licence), ("terms", entry.terms)]
        lines += [("cite", entry.citation)] if entry.citation else []
        if entry.fetchable:
            lines += [("from", entry.address), ("get it", f"seglib data fetch {entry.name}")]
        else:
            steps = [f"{number}. {step}" for number, step in enumerate(entry.steps, 1)]
            lines += zip(["get it"] + [""] * len(steps), steps, strict=False)
        for what, text in lines:
            print(f"    {what:8} {text}")


def fetch(
    name: A[str, "a name that `seglib data list` shows"],
    *,
    folder: A[Path | None, "only fetch, to this folder [the cache]"] = None,
) -> None:
    """Fetch a set, so that it can be loaded."""
    from seglib.data.download import folders
    from seglib.data.sources import catalogue, prepare

    entry, bar = catalogue.source(name), sys.stderr.isatty()
    print(f"{entry.title}: {entry.terms}", file=sys.stderr)
    raw = catalogue.fetch(entry, folder, bar)
    loaded = folder or not entry.layout or folders(entry.name)
    print(raw if loaded else prepare.prepare(entry, raw, progress=bar))


def prepare(
    name: A[str, "a name that `seglib data list` shows"],
    *,
    raw: A[Path | None, "the unpacked files [where `fetch` puts them]"] = None,
    output: A[Path | None, "the new folder [in the user's cache]"] = None,
    size: A[int | None, "longest side in pixels [as it is]"] = None,
    kind: A[str | None, "what the masks of your own photos show, such as hair"] = None,
    workers: A[int | None, "processes [one for each core]"] = None,
    val_share: A[float, "share of val where the set has none"] = 0.1,
    test_share: A[float, "share of test where the set has none"] = 0.1,
    skip_bad: A[bool, "leave out what cannot be used, and note it"] = False,
) -> None:
    """Write a set in the one format the library reads."""
    from seglib.data.dataset import read_info
    from seglib.data.sources.prepare import prepare

    options = {"size": size, "kind": kind, "workers": workers, "skip_bad": skip_bad}
    options |= {"val_share": val_share, "test_share": test_share}
    folder = prepare(name, raw, output, progress=sys.stderr.isatty(), **options)
    info = read_info(folder)
    for note in info["notes"]:
        print(f"note: {note}", file=sys.stderr)
    moved = {f"moved {to}": rows for to, rows in info["moved"].items()}
    for what, rows in {**moved, "left out": info["skipped"]}.items():
        if rows:
            print(f"{len(rows)} {what}; {folder / 'dataset.json'} says which", file=sys.stderr)
    counts = ", ".join(f"{count} {split}" for split, count in sorted(info["counts"].items()))
    print(f"wrote {folder}: {info['count']} pairs ({counts})")


def export(
    folder: A[Path, "a prepared set"],
    *,
    to: A[Literal["npy", "csv"], "the form"],
    output: A[Path, "npy: a folder; csv: a file"],
    size: A[int | None, "npy: side of the squares in pixels"] = None,
    kind: A[str | None, "npy: what the masks must show [the set's first]"] = None,
    split: A[str | None, "npy: train, val, test or all [all]"] = None,
) -> None:
    """Write a prepared set as NumPy arrays or a CSV."""
    from seglib.data.sources.generic import to_csv, to_numpy

    if to == "npy":
        bar = sys.stderr.isatty()
        path = to_numpy(folder, output, size, kind, split or "all", progress=bar)
    else:
        for name, value in (("size", size), ("kind", kind), ("split", split)):
            if value is not None:
                raise SeglibError(f"--{name} does not go with --to csv; leave it out")
        path = to_csv(folder, output)
    print(f"wrote {path}")


def doctor(
    folder: A[Path, "the prepared data set"],
    *,
    kind: A[str | None, "look at masks of this kind only [all]"] = None,
    html: A[Path | None, "write a page with thumbnails"] = None,
    fix: A[Path | None, "write a mended copy to this folder"] = None,
    workers: A[int | None, "processes [one for each core]"] = None,
    model: A[str | None, "compare with a .tflite or shipped name"] = None,
    channel: Channel = None,
    value_range: Range = None,
    json_: Json = False,
) -> int:
    """Say what is wrong with a prepared data set.

    Exit code 1 when something must be mended, 0 when not, 2 for a mistake.
    """
    from seglib.data import doctor

    if fix is not None:
        if kind is not None:
            raise SeglibError("--fix mends all kinds of mask at once; leave --kind out")
        # Said before minutes of work, not after.
        if fix.exists():
            raise SeglibError(f"{fix} exists already; choose a new folder for --fix")
    bar = sys.stderr.isatty()
    options = {"channel": number_or_name(channel), "value_range": value_range, "workers": workers}
    model = model and shipped(model)
    report = doctor.examine(folder, kind, progress=bar, model=model, **options)
    print(json.dumps(report.to_dict()) if json_ else report.table())
    notes = sys.stderr if json_ else sys.stdout
    if html is not None:
        print(f"wrote {report.write_html(html)}", file=notes)
    if fix is not None:
        print(f"wrote {doctor.fix(report, fix, bar, workers)}", file=notes)
    return 1 if report.must_mend else 0
