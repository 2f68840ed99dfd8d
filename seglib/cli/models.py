"""`seglib eval`, `models`, `benchmark`, `convert`, `audit` and `parity`: what a network can do.

Also what several commands open: a model by its file or name, a data set by its folder or name.
"""

import contextlib
import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from typing import Annotated as A

import numpy as np

from seglib.errors import SeglibError

if TYPE_CHECKING:
    from seglib.data import Dataset

WEIGHTS = ".weights.h5"
COMPARED = ("iou", "boundary_iou")
"""The scores whose differences `eval --compare` prints."""

Kind = A[str | None, "what the masks show, such as person [the set's first]"]
Channel = A[str | None, "which output channel, where there are several"]
Range = A[tuple[float, float] | None, "black and white as a model without metadata reads them"]
Json = A[bool, "print the numbers as JSON"]


def shipped(name: str, suffix: str = ".tflite") -> Path:
    """Return the file that `name` is, or that of the shipped model of this name."""
    from seglib import pretrained

    # A bare word that is no file can only be meant as a name; the loader lists those there are.
    path = Path(name)
    bare = not path.exists() and not path.suffix and len(path.parts) == 1
    return pretrained.path(name, suffix) if bare else path


def number_or_name(channel: str | None) -> int | str | None:
    """Return an output channel as the library takes it."""
    return int(channel) if channel is not None and channel.isdigit() else channel


def segmenter(
    name: str, channel: str | None, value_range: tuple[float, float] | None
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what turns photos into masks: a shipped name, a model file or Keras weights."""
    from seglib import pretrained
    from seglib.runtime import Segmenter, keras_segmenter

    which = number_or_name(channel)
    if name.endswith(WEIGHTS):
        from seglib import models

        labels = models.load_config(name).labels
        which = labels.index(which) if which in labels else which
        if isinstance(which, str):
            raise SeglibError(f"{name} has no channel {which!r}; it has {', '.join(labels)}")
        return keras_segmenter(models.load(name), which)
    if not Path(name).exists() and not Path(name).suffix:
        return pretrained.load(name)
    return Segmenter(name, channel=which, value_range=value_range)


def dataset(name: str, split: str, kind: str | None) -> "Dataset":
    """Open a folder, or load a set by name; its notices go to the standard error."""
    from seglib import data

    with contextlib.redirect_stdout(sys.stderr):
        if Path(name).is_dir():
            return data.open_folder(name, split, kind)
        if Path(name).name != name:
            raise SeglibError(f"there is no folder {name}; give a prepared data set or its name")
        return data.load(name, split, kind)


def keep(output: Path, *inputs: Path | None) -> None:
    """Refuse an output that is one of the inputs, under whatever name."""
    for file in inputs:
        if file is not None and file.exists() and output.exists() and output.samefile(file):
            raise SeglibError(f"{output} is an input and would be lost; choose another --output")


def list_models() -> None:
    """List the shipped weights and their terms."""
    from seglib import pretrained

    for name in pretrained.list_models():
        print(f"{name}: {pretrained.card(name)['terms']}")


def evaluate(
    *,
    model: A[str, f"model file, {WEIGHTS} file or shipped name"],
    data: A[str, "set name or its folder"],
    kind: Kind = None,
    split: A[str, "train, val, test or all"] = "val",
    compare: A[tuple[str, ...], "other models, on the same photos"] = (),
    intervals: A[bool, "say how far the means would move with the photos"] = False,
    by: A[Literal["difficulty"] | None, "split the scores by kinds of photos"] = None,
    robustness: A[bool, "blur, darken, turn ... the photos (25 x longer)"] = False,
    channel: Channel = None,
    value_range: Range = None,
    json_: Json = False,
) -> None:
    """Score models on the photos of a prepared data set, at the photos' own size."""
    from seglib import evaluation
    from seglib.evaluation.robustness import evaluate_corrupted, hard_subsets

    chosen, bar = dataset(data, split, kind), sys.stderr.isatty()
    # All are opened before the first is scored: a wrong name is no surprise after ten minutes.
    models = {name: segmenter(name, channel, value_range) for name in (model, *compare)}
    reports: list[dict[str, Any]] = []
    first = None
    for name in (model, *compare):
        scores = evaluation.evaluate(models[name], chosen, progress=bar)
        report = {"model": name, "data": scores.dataset, "kind": scores.kind}
        report |= {"split": chosen.split, "count": len(chosen), "means": scores.means}
        report |= {"empty": scores.empty, "rows": scores.rows}
        place = f"{scores.dataset} ({scores.kind}, {chosen.split})"
        lines = [f"{name} on {place}: {len(chosen)} photos"]
        for key, mean in scores.means.items():
            ends = scores.interval(key, scores.persons) if intervals else None
            lines.append(f"{key:>14} {mean:.4f}{_ends(ends)}")
            if ends:
                report.setdefault("intervals", {})[key] = asdict(ends)
        if scores.empty["photos"]:
            lines.append(
                "{photos} photos show nothing and are counted apart: something is marked in "
                "{false_alarms} of them, {marked:.2%} of their pixels".format(**scores.empty)
            )
        worst = ", ".join(f"{row['stem']} ({row['iou']:.2f})" for row in scores.worst(3))
        lines.append(f"lowest IoU: {worst}")
        first = first or scores
        # The difference is of use with its interval alone, asked for or not.
        for key in COMPARED if reports else ():
            gap = scores.against(first, key, scores.persons)
            lines.append(f"{key} minus that of {model}: {gap.mean:+.4f}{_ends(gap)}")
            report["compared_with"] = model
            report.setdefault("difference", {})[key] = asdict(gap)
        for group in hard_subsets(scores, chosen) if by else ():
            gap, iou = group.gap, group.mean if group.count else None
            row = {
                "group": group.name,
                "count": group.count,
                "iou": iou,
                "gap": gap and asdict(gap),
            }
            report.setdefault("difficulty", []).append(row)
            if iou is not None:
                against = f", against the rest {gap.mean:+.4f}{_ends(gap)}" if gap else ""
                lines.append(f"{group.name:>14} {iou:.4f} ({group.count} photos{against})")
        for one in evaluate_corrupted(models[name], chosen, progress=bar) if robustness else ():
            row = {"kind": one.kind, "level": one.level, "iou": one.scores.means["iou"]}
            report.setdefault("robustness", []).append(row)
            lines.append("{kind:>14} {level:>5g} {iou:.4f}".format(**row))
        reports.append(report)
        if not json_:
            print("\n".join(lines))
    if json_:
        print(json.dumps({**reports[0], **({"compare": reports[1:]} if compare else {})}))


def _ends(interval: Any) -> str:
    return f" [{interval.low:.4f}, {interval.high:.4f}]" if interval else ""


def benchmark(
    *,
    model: A[str, ".tflite file or shipped name"],
    compare: A[tuple[str, ...], "other models, in the same run"] = (),
    phone: A[tuple[Path, ...], "logs of phones' benchmark programs, shown beside"] = (),
    profile: A[bool, "time each operation of the model"] = False,
    runs: A[int, "measured runs"] = 100,
    threads: A[int, "CPU threads"] = 1,
    figure: A[Path | None, "draw it into X.png or X.svg"] = None,
    json_: Json = False,
) -> None:
    """Measure how long models take on this machine's processor.

    They take turns, so their ratios hold on a busy machine; the milliseconds are those of this
    machine.
    """
    from seglib import benchmark
    from seglib.files import atomic_path

    if figure and figure.suffix not in (".png", ".svg", ".pdf"):
        raise SeglibError(f"{figure} must end in .png, .svg or .pdf; rename it")
    if profile and (compare or phone):
        raise SeglibError("--profile looks into one model; leave out --compare and --phone")
    files = [shipped(name) for name in (model, *compare)]
    if profile:
        found = benchmark.profile(files[0], runs, threads)
        facts, plot = {**asdict(found), "pieces": found.pieces}, benchmark.plot_profile
        share = found.own_ms / max(found.total_ms, 1e-9)
        text = (
            f"{found.table()}\n\n{len(found.ops)} operations; pieces that the delegate runs: "
            f"{found.pieces}; time in what it left out: {share:.0%}"
        )
    else:
        # Read before anything is measured: a wrong name should not cost a minute.
        phones = [row for path in phone for row in benchmark.read_phone(path, path.stem)]
        found = [*benchmark.compare(files, runs, threads), *phones]
        facts, plot = [asdict(row) for row in found], benchmark.plot_latency
        text = benchmark.table(found)
    if figure:
        with atomic_path(figure) as temporary:
            plot(found).savefig(temporary)
    print(json.dumps(facts) if json_ else text)


@dataclass(frozen=True)
class TargetOptions:
    """Options that some targets of `convert` take."""

    flat: A[bool, ".tflite: give the mask as one row"] = False
    representative: A[Path | None, "int8: folder of photos like those to come"] = None
    input_type: A[Literal["image", "array"] | None, "Core ML: [image]"] = None
    output_type: A[Literal["array", "image"] | None, "Core ML: [array]"] = None
    value_range: Range = None
    bits: A[int | None, "palettised: bits of an index [6]"] = None
    channels_first: A[bool, ".onnx: read (1, 3, H, W) [(1, H, W, 3)]"] = False


def convert(
    *,
    model: A[str | None, f"trained weights, X{WEIGHTS}, or a shipped name"] = None,
    output: A[Path | None, "what to write"] = None,
    target: A[str | None, "format and precision; `--target list` shows them all"] = None,
    precision: A[str | None, "instead of --target [float16, or the format's only one]"] = None,
    options: TargetOptions,
    grid: A[Path | None, "write untrained models here, to measure on a device"] = None,
    sizes: A[tuple[int, ...], "of the untrained models"] = (224, 192, 160, 128),
    widths: A[tuple[float, ...], "of the untrained models"] = (1, 0.75, 0.5, 0.25),
    network: A[str, "of the untrained models"] = "transpose_unet",
) -> None:
    """Turn trained weights into a file for phones.

    With --grid, write untrained models of many sizes and widths, to measure on a device.
    """
    from seglib import export, models
    from seglib.images import read_folder

    if target == "list":
        for name, one in export.TARGETS.items():
            print(f"{name:30} {one.suffix or 'a folder':12} {one.about}")
        return
    if not grid and not (model and output):
        raise SeglibError("give --model and --output, or --grid DIR for models to measure")
    target = target or ("coreml-float16" if grid else _target_for(output, precision))
    given = {name: value for name, value in vars(options).items() if value}
    if grid and options.representative:
        raise SeglibError("untrained models have no ranges to learn; leave --representative out")
    if grid:
        for path in export.benchmark_grid(grid, target, sizes, widths, network, **given):
            print(f"wrote {path}")
        return
    keep(output, Path(model))
    if options.representative:
        size = models.load_config(shipped(model, WEIGHTS)).size
        given["representative"] = read_folder(options.representative, size)
    print(f"wrote {export.convert(model, target, output, **given)}")


def _target_for(output: Path, precision: str | None) -> str:
    """Return the target that a file's ending and a precision mean."""
    from seglib.export import TARGETS

    endings = sorted({target.suffix for target in TARGETS.values() if target.suffix})
    ending = next((suffix for suffix in endings if output.name.endswith(suffix)), None)
    if ending is None:
        raise SeglibError(
            f"{output} must end in {', '.join(endings)}; rename it, or choose a --target"
        )
    fitting = {
        target.fixed.get("precision", "float32"): name
        for name, target in TARGETS.items()
        if target.suffix == ending and "integer_io" not in target.fixed
    }
    wanted = precision or ("float16" if "float16" in fitting else "float32")
    if wanted not in fitting:
        raise SeglibError(
            f"unknown precision {precision!r} for {ending}; choose one of {', '.join(fitting)}"
        )
    return fitting[wanted]


def audit(model: A[str, ".tflite file or shipped name"], *, json_: Json = False) -> int:
    """Say what a phone's GPU would refuse in a .tflite; exit code 1 where it refuses anything."""
    from seglib.export.audit import audit

    found = audit(shipped(model))
    if json_:
        refusals = [refusal._asdict() for refusal in found.refusals]
        print(json.dumps({"ok": found.ok, "ops": found.ops, "refusals": refusals}))
    else:
        print(found.table())
    return 0 if found.ok else 1


def parity(
    *,
    model: A[str, f"X{WEIGHTS} or a shipped name"],
    files: A[tuple[Path, ...], "compare these, which exist, instead of exporting"] = (),
    targets: A[tuple[str, ...] | None, "only these [all]"] = None,
    data: A[str | None, "photos: set name or its folder [drawn portraits]"] = None,
    kind: Kind = None,
    split: A[str, "train, val, test or all"] = "val",
    count: A[int, "photos to compare on"] = 16,
    turns: A[int, "of the stop-watch, 0: none"] = 20,
    no_gpu: A[bool, "leave the GPU accelerator out"] = False,
    keep: A[Path | None, "keep the exported files in this folder"] = None,
    json_: Json = False,
) -> int:
    """Compare a model's exports with the model.

    Exports it to every target, runs each file in every runtime that is here, and compares masks,
    sizes and times with Keras. Exit code 1 when an export is broken.
    """
    from seglib import models
    from seglib.data import synthetic
    from seglib.export import matrix

    if count < 1 or turns < 0:
        raise SeglibError("--count must be at least 1 and --turns at least 0")
    if files and (targets or keep):
        raise SeglibError("--files compares what exists; leave --targets and --keep out")
    weights = shipped(model, WEIGHTS)
    network, (label, *_) = models.load(weights), models.load_config(weights).labels
    _, size, width, _ = network.inputs[0].shape
    if size != width:
        raise SeglibError(f"parity shows square pictures; {model} takes other ones")
    if data:
        chosen = dataset(data, split, kind)
    else:
        kind = kind or ("hair" if label == "hair" else "person")
        chosen = synthetic.portraits(2 * count, size, workers=1).dataset(kind)
    images, masks = chosen.subset(2 * count).arrays(size)
    half = max(len(images) // 2, 1)
    fits = network.output_shape[1:] == (size, size, 1)
    calibration = images[half:] if half > 1 else images
    options = {"files": files, "folder": keep, "turns": turns, "gpu": not no_gpu}
    if sys.stderr.isatty():
        options["progress"] = lambda name: print(f"seglib: exporting {name}", file=sys.stderr)
    masks, targets = masks[:half] if fits else None, [] if files else targets
    found = matrix(network, images[:half], masks, calibration, targets, **options)
    if json_:
        task = None if math.isnan(found.task_iou) else found.task_iou
        facts = {"model": model, "count": half, "ok": found.ok, "task_iou": task}
        print(json.dumps({**facts, "cells": found.records()}))
    else:
        print(found.table())
    if not found.ok:
        broken = sum(not row.ok for row in found.rows)
        print(f"seglib: {broken} exports are not as the model", file=sys.stderr)
    return 0 if found.ok else 1
