"""Reads what phones' own tools measured, so that their numbers stand beside ours.

Four files are understood, each by what is in it and not by its name:

- the text of TensorFlow Lite's or LiteRT's `benchmark_model` (also out of `adb logcat`), with its
  lines `count=... avg=...` and `Inference timings in us: Init: ...` in microseconds; several runs
  in one file are several rows (tensorflow/lite/tools/benchmark/README.md);
- the JSON of `litert-benchmark --result_json`, which comes with the `ai-edge-litert` wheel;
- the JSON of `xcrun xcresulttool get test-results metrics` (Xcode 16.3 and later): what an XCTest
  `measure` block with `XCTClockMetric` took, one row for each test;
- JSON of coremltools' `MLModelBenchmarker` on a connected iPhone: an object with the name `model`
  and, under `predict` and perhaps `load`, its measurements as `dataclasses.asdict` writes them.

The report of Xcode's *Performance* tab is not among them: Apple publishes no layout for its file.
Its numbers can be handed over by building a `PhoneRun`.

Chapter: measuring on the device.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seglib.benchmark.timing import Latency
from seglib.errors import SeglibError

_NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"
_TIMINGS = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
    rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}"
)
_STATS = re.compile(r"\bcount=\d+ .*\bavg=")
_CLOCK = re.compile(r"clock|wall|duration|^time\b", re.IGNORECASE)


@dataclass(frozen=True)
class PhoneRun:
    """The times of one model on one device, in milliseconds.

    Attributes:
        file: name of the model or of the test.
        device: where it ran and on what, as far as the file says.
        typical_ms: a run in the steady state.
        typical: what that is: "median" or "mean".
        low_ms, high_ms: between which values the runs were.
        spread: which these are: "p10 to p90", "p5 to p95" or "least to most".
        runs: number of steady runs.
        init_ms: loading the model and making the interpreter; None where not measured.
        first_ms: the first run; None where not measured.
    """

    file: str
    device: str
    typical_ms: float
    typical: str
    low_ms: float
    high_ms: float
    spread: str
    runs: int
    init_ms: float | None = None
    first_ms: float | None = None


def read_phone(path: str | Path, device: str = "") -> list[PhoneRun]:
    """Read every run in a file that a phone's tool wrote.

    Args:
        path: one of the files named above.
        device: put before what the file says of the device, for example "Pixel 8".

    Raises:
        SeglibError: the file cannot be read, is none of these, or holds no run.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise SeglibError(f"cannot read {path} ({error.strerror}); give a phone's file") from error
    try:
        rows = list(_from_json(json.loads(text), path.stem))
    except json.JSONDecodeError:
        rows = list(_from_text(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SeglibError(
            f"{path} looks like a benchmark's JSON, but a part of it is missing or has another "
            f"form ({error}); write it again with the tool"
        ) from error
    if not rows:
        raise SeglibError(
            f"{path} holds no times; give what benchmark_model, litert-benchmark, xcresulttool "
            "or MLModelBenchmarker wrote"
        )
    prefix = f"{device}, " if device else ""
    return [PhoneRun(**{**vars(row), "device": (prefix + row.device).rstrip(", ")}) for row in rows]


def as_run(row: Latency | PhoneRun) -> PhoneRun:
    """Return a row of `compare` in the form of a phone's, or a phone's row as it is."""
    if isinstance(row, PhoneRun):
        return row
    threads = "1 thread" if row.threads == 1 else f"{row.threads} threads"
    return PhoneRun(
        row.file, f"this machine, CPU, {threads}", row.median_ms, "median", row.p10_ms, row.p90_ms,
        "p10 to p90", row.runs, row.init_ms, row.first_ms,
    )  # fmt: skip


def table(rows: Sequence[Latency | PhoneRun]) -> str:
    """Return rows of `compare` and of `read_phone` as one Markdown table, in milliseconds."""
    lines = [
        "| file | device | init | first | steady | | from | to | | runs |",
        "|---|---|---:|---:|---:|---|---:|---:|---|---:|",
    ]
    for row in map(as_run, rows):
        init, first = ("" if x is None else f"{x:.2f}" for x in (row.init_ms, row.first_ms))
        lines.append(
            f"| {row.file} | {row.device} | {init} | {first} | {row.typical_ms:.2f} "
            f"| {row.typical} | {row.low_ms:.2f} | {row.high_ms:.2f} | {row.spread} | {row.runs} |"
        )
    return "\n".join(lines)


def _from_text(text: str) -> Iterator[PhoneRun]:
    start = 0
    for timings in _TIMINGS.finditer(text):
        part = text[start : timings.start()]
        start = timings.end()
        init, first, _, mean = (float(value) / 1000 for value in timings.groups())
        lines = [line for line in part.splitlines() if _STATS.search(line)]
        stats = dict(re.findall(rf"(\w+)={_NUMBER}", lines[-1])) if lines else {}
        ms = {name: float(value) / 1000 for name, value in stats.items()}
        ends = ("p5", "p95") if "p95" in ms else ("min", "max")
        yield PhoneRun(
            file=Path(_last(r"Graph: \[(.*?)\]", part) or "model").name,
            device=_backend(part),
            typical_ms=ms.get("median", mean),
            typical="median" if "median" in ms else "mean",
            low_ms=ms.get(ends[0], mean),
            high_ms=ms.get(ends[1], mean),
            spread="p5 to p95" if "p95" in ms else "least to most",
            runs=int(float(stats.get("count", 0))),
            init_ms=init,
            first_ms=first,
        )


def _backend(part: str) -> str:
    if re.search(r"Use gpu: \[(1|true)\]", part, re.IGNORECASE):
        return "GPU"
    threads = _last(r"(?:Num threads|#threads used for CPU inference): \[(\d+)\]", part)
    count = {None: "", "1": ", 1 thread"}.get(threads, f", {threads} threads")
    return f"CPU{count}"


def _last(pattern: str, text: str) -> str | None:
    found = re.findall(pattern, text)
    return found[-1] if found else None


def _from_json(content: Any, stem: str) -> Iterator[PhoneRun]:
    if isinstance(content, list):
        for test in content:
            for run in test["testRuns"]:
                yield from _from_test(test["testIdentifier"], run)
    elif isinstance(content, dict) and "latency" in content:
        ms = content["latency"]
        yield PhoneRun(
            Path(content["model"]).name, _accelerators(content), ms["median_ms"], "median",
            ms["p5_ms"], ms["p95_ms"], "p5 to p95", ms["num_runs"], ms["init_ms"],
            ms["warmup_first_ms"],
        )  # fmt: skip
    elif isinstance(content, dict) and "predict" in content:
        load = (content.get("load") or {}).get("samples")
        samples = content["predict"]["samples"]
        init = float(np.median(load)) if load else None
        name = Path(content.get("model", stem)).name
        yield _from_samples(name, content.get("device", ""), samples, init)


def _accelerators(content: dict) -> str:
    names = content["accelerators"]
    return "+".join(names) if isinstance(names, list) else str(names)


def _from_test(name: str, run: dict) -> Iterator[PhoneRun]:
    device = run.get("device", {})
    where = device.get("modelName") or device.get("deviceName", "")
    for metric in run["metrics"]:
        scale = {"s": 1000, "ms": 1}.get(metric["unitOfMeasurement"])
        told = f"{metric.get('identifier') or ''} {metric['displayName']}"
        if scale and _CLOCK.search(told) and "cpu" not in told.lower():
            yield _from_samples(name, where, [scale * x for x in metric["measurements"]])


def _from_samples(
    name: str, device: str, samples: list[float], init: float | None = None
) -> PhoneRun:
    low, middle, high = (float(x) for x in np.percentile(samples, [10, 50, 90]))
    return PhoneRun(name, device, middle, "median", low, high, "p10 to p90", len(samples), init)
