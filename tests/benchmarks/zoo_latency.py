"""Measure every network of the zoo beside the book's own, turn by turn, and predict it from costs.

    python tests/benchmarks/zoo_latency.py zoo.json --runs 30

Every network is exported at its published size with random weights (the time does not depend on
them), then all take turns in one process. The JSON holds, for each network, its weights, its
multiplications, its activation bytes, its time and its ratio to `mobile_unet`, and how well the
time can be told from the costs alone. One network is measured twice: how far the ratio of that
pair is from 1 says how far the other ratios can be trusted.
"""

import argparse
import itertools
import json
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from study import gpu_bytes

from seglib import export, models
from seglib.benchmark import compare
from seglib.files import atomic_path

# label: (network, options); the first is what the others are compared with.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "mobile_unet": ("mobile_unet", {}),
    "mobile_unet again": ("mobile_unet", {}),
    "mobile_unet transpose": ("mobile_unet", {"decoder": "transpose"}),
    "mobile_unet V1": ("mobile_unet", {"encoder": "mobilenet_v1"}),
    "mobile_unet V3 small": ("mobile_unet", {"encoder": "mobilenet_v3_small", "width": 1.0}),
    "mobile_unet V3 large": ("mobile_unet", {"encoder": "mobilenet_v3_large", "width": 1.0}),
    "add_unet": ("add_unet", {}),
    "add_unet early head": ("add_unet", {"late_head": False}),
    "transpose_unet 1 / .25": ("transpose_unet", {}),
    "transpose_unet .25 / .25": ("transpose_unet", {"width": 0.25, "size": 224}),
    "v2_unet transpose": ("v2_unet", {}),
    "v2_unet bilinear": ("v2_unet", {"decoder": "bilinear"}),
    "dense_unet": ("dense_unet", {}),
    "dilated_unet": ("dilated_unet", {}),
    "shuffle_skipnet": ("shuffle_skipnet", {}),
    "esp_dense": ("esp_dense", {}),
    "residual_bisenet": ("residual_bisenet", {}),
    "residual_matting": ("residual_matting", {}),
    "pyramid_pooling": ("pyramid_pooling", {}),
}


def main() -> int:
    """Export, measure, fit, write; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="the JSON file to write")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--models", type=Path, default=Path("build/zoo"), help="exports, kept")
    options = parser.parse_args()

    rows = [_row(label, options.models) for label in NETWORKS]
    files = [options.models / row["file"] for row in rows]
    for row, latency in zip(rows, compare(files, options.runs), strict=True):
        row |= {
            "median_ms": round(latency.steady_ms, 3),
            "cpu_ms": round(latency.cpu_ms, 3),
            "ratio": round(latency.ratio, 3),
        }
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, 1 thread",
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "runs": options.runs,
        "twice_the_same": rows[1]["ratio"],
        "networks": rows,
        "fits": fits([row for row in rows if row["label"] != "mobile_unet again"]),
    }
    with atomic_path(options.output) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table(report))
    return 0


def _row(label: str, folder: Path) -> dict[str, Any]:
    """Build one network, count it, and export it unless its file is there already."""
    name, options = NETWORKS[label]
    path = folder / f"{label.replace(' / ', '_').replace(' ', '_')}.tflite"
    model = models.build(name, **options)
    if not path.exists():
        print(f"exporting {label}", file=sys.stderr, flush=True)
        export.to_tflite(model, path)
    cost = models.cost(model)
    return {
        "label": label,
        "network": name,
        "options": options,
        "file": path.name,
        "size": model.input_shape[1],
        "params": cost.params,
        "trainable": sum(math.prod(weight.shape) for weight in model.trainable_weights),
        "macs": cost.macs,
        "bytes": cost.bytes,
        **gpu_bytes(cost),
        "operations": len(export.ops(path)),
    }


def fits(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predict milliseconds from costs: t = a * GMAC + b * GB + c * operations, none below zero.

    The relative error is minimised, so that small networks count as much as large ones. Errors are
    those of networks left out of the fit one by one.
    """
    units = {"macs": 1e9, "bytes": 1e9, "operations": 1.0}
    measured = np.array([row["cpu_ms"] for row in rows])
    found = []
    for names in (("macs",), ("bytes",), ("macs", "bytes"), ("macs", "bytes", "operations")):
        costs = np.array([[row[name] / units[name] for name in names] for row in rows])
        errors = []
        for left_out in range(len(rows)):
            kept = np.arange(len(rows)) != left_out
            factors = _factors(costs[kept], measured[kept])
            errors.append(abs(costs[left_out] @ factors / measured[left_out] - 1))
        factors = _factors(costs, measured)
        found.append(
            {
                "costs": names,
                "factors": dict(zip(names, factors.round(4).tolist(), strict=True)),
                "median_error": round(float(np.median(errors)), 3),
                "largest_error": round(float(np.max(errors)), 3),
                "rank_correlation": round(_rank_correlation(costs @ factors, measured), 3),
                "predicted_ms": (costs @ factors).round(2).tolist(),
            }
        )
    return found


def _factors(costs: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Least squares of the relative error without negative factors: the best subset of costs."""
    relative = costs / measured[:, None]
    best, least = np.zeros(costs.shape[1]), np.inf
    for count in range(1, costs.shape[1] + 1):
        for chosen in itertools.combinations(range(costs.shape[1]), count):
            part = np.linalg.lstsq(relative[:, chosen], np.ones(len(measured)), rcond=None)[0]
            error = float(np.sum((relative[:, chosen] @ part - 1) ** 2))
            if part.min() >= 0 and error < least:
                best, least = np.zeros(costs.shape[1]), error
                best[[*chosen]] = part
    return best


def _rank_correlation(predicted: np.ndarray, measured: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (predicted, measured)]
    return float(np.corrcoef(*ranks)[0, 1])


def table(report: dict[str, Any]) -> str:
    """Return the networks and the fits as Markdown."""
    lines = [
        "| network | side | weights | trainable | MMAC | MB | GPU MB | CPU ms | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in report["networks"]:
        lines.append(
            f"| {row['label']} | {row['size']} | {row['params']:,} | {row['trainable']:,} "
            f"| {row['macs'] / 1e6:.1f} | {row['bytes'] / 1e6:.1f} | {row['gpu_bytes'] / 1e6:.1f} "
            f"| {row['cpu_ms']:.2f} | {row['ratio']:.2f} |"
        )
    lines.append("")
    for fit in report["fits"]:
        lines.append(
            f"from {' + '.join(fit['costs'])}: median error {fit['median_error']:.0%}, largest "
            f"{fit['largest_error']:.0%}, rank correlation {fit['rank_correlation']:.2f}, "
            f"{fit['factors']}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
