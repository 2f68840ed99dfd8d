"""Reads what phones' own tools measured, so that their numbers stand beside ours.

Five files are understood, each by what is in it and not by its name:

- the text that the book's live demo copies after *Measure my device*;
- the text of TensorFlow Lite's or LiteRT's `benchmark_model` (also out of `adb logcat`); several
  runs in one file are several rows;
- the JSON of `litert-benchmark --result_json`, which comes with the `ai-edge-litert` wheel;
- the JSON of `xcrun xcresulttool get test-results metrics` (Xcode 16.3 and later): what an XCTest
  `measure` block with `XCTClockMetric` took, one row for each test;
- JSON of coremltools' `MLModelBenchmarker` on a connected iPhone: an object with the name `model`
  and, under `predict` and perhaps `load`, its measurements as `dataclasses.asdict` writes them.

Apple publishes no layout for the report of Xcode's *Performance* tab: hand its numbers over as a
`Latency`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
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
_STATS = re.compile(r"\bcount=\d+ .*\bavg=.*")
_DEMO = re.compile(r"^([CG]PU, Web\w+)[ *]*" + rf" +{_NUMBER}" * 6 + r"\s*$", re.MULTILINE)
_CLOCK = re.compile(r"clock|wall|duration|^time\b", re.IGNORECASE)


def read_phone(path: str | Path, device: str = "") -> list[Latency]:
    """Read every run in a phone tool's file; `device` is put before what the file says of it."""
    text = read_log(path)
    try:
        rows = list(_from_json(json.loads(text), Path(path).stem))
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
    return [replace(row, device=", ".join(filter(None, (device, row.device)))) for row in rows]


def read_log(path: str | Path) -> str:
    """Return a tool's text: UTF-8 with what else a log may hold, or what PowerShell writes."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise SeglibError(f"cannot read {path} ({error.strerror}); give a phone's file") from error
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return content.decode("utf-16" if wide else "utf-8-sig", errors="replace")


def _from_text(text: str) -> Iterator[Latency]:
    network = _last(re.compile(r"^network (\w+)", re.MULTILINE), text)
    runs = 60  # see book/live_demo/site/measure.js
    for device, *numbers in _DEMO.findall(text):
        init, first, median, high, *_ = map(float, numbers)
        spread = (median, "median", median, high, "median to p90", runs, init, first)
        yield Latency(network, device, *spread)
    start = 0
    for timings in _TIMINGS.finditer(text):
        part, start = text[start : timings.start()], timings.end()
        init, first, _, mean = (float(value) / 1000 for value in timings.groups())
        stats = dict(re.findall(rf"(\w+)={_NUMBER}", _last(_STATS, part)))
        ms = {name: float(value) / 1000 for name, value in stats.items()}
        low, high, spread = "min", "max", "least to most"
        if "p95" in ms:
            low, high, spread = "p5", "p95", "p5 to p95"
        threads = _last(r"(?:Num threads|#threads used for CPU inference): \[(\d+)\]", part)
        device = f"CPU, {threads} thread{'s' * (threads != '1')}" if threads else "CPU"
        yield Latency(
            Path(_last(r"Graph: \[(.*?)\]", part) or "model").name,
            "GPU" if re.search(r"Use gpu: \[(1|true)\]", part, re.IGNORECASE) else device,
            *(ms.get("median", mean), "median" if "median" in ms else "mean"),
            *(ms.get(low, mean), ms.get(high, mean), spread),
            *(int(float(stats.get("count", 0))), init, first),
        )


def _last(pattern: str | re.Pattern, text: str) -> str:
    return (re.findall(pattern, text) or [""])[-1]


def _from_json(content: Any, stem: str) -> Iterator[Latency]:
    if isinstance(content, list):
        for test in content:
            for run in test["testRuns"]:
                yield from _from_test(test["testIdentifier"], run)
    elif isinstance(content, dict) and "latency" in content:
        ms, device = content["latency"], content["accelerators"]
        yield Latency(
            Path(content["model"]).name,
            "+".join(device) if isinstance(device, list) else str(device),
            *(ms["median_ms"], "median", ms["p5_ms"], ms["p95_ms"], "p5 to p95"),
            *(ms["num_runs"], ms["init_ms"], ms["warmup_first_ms"]),
        )
    elif isinstance(content, dict) and "predict" in content:
        load = (content.get("load") or {}).get("samples")
        run = _from_samples(
            Path(content.get("model", stem)).name,
            content.get("device", ""),
            content["predict"]["samples"],
        )
        yield replace(run, init_ms=float(np.median(load)) if load else None)


def _from_test(name: str, run: dict) -> Iterator[Latency]:
    device = run.get("device", {})
    where = device.get("modelName") or device.get("deviceName", "")
    for metric in run["metrics"]:
        scale = {"s": 1000, "ms": 1}.get(metric["unitOfMeasurement"])
        told = f"{metric.get('identifier') or ''} {metric['displayName']}"
        if scale and _CLOCK.search(told) and "cpu" not in told.lower():
            yield _from_samples(name, where, [scale * x for x in metric["measurements"]])


def _from_samples(name: str, device: str, samples: list[float]) -> Latency:
    low, middle, high = np.percentile(samples, [10, 50, 90]).tolist()
    return Latency(name, device, middle, "median", low, high, "p10 to p90", len(samples))
