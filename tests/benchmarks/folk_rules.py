"""Measure the rules of thumb that people design phone networks by, each group in one run.

    python tests/benchmarks/folk_rules.py rules.json --runs 50

Groups: deep and thin against shallow and wide at equal multiplications; the input's side; channels
that are multiples of 4, 8 or 32 and those that are not; the kind of decoder; the activation. Each
group takes turns in one process and its ratios are to its first network; one network stands in the
group twice, and how far that pair is from 1 says how far the other ratios can be trusted.

Weights are random: time does not depend on them.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import layers
from study import gpu_bytes

from seglib import export, models
from seglib.benchmark import compare
from seglib.files import atomic_path

SIDE = 64


def main() -> int:
    """Export, measure, write; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="the JSON file to write")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS))
    options = parser.parse_args()

    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, 1 thread",
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "runs": options.runs,
        "groups": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        for group in options.groups:
            print(f"measuring {group}", file=sys.stderr, flush=True)
            report["groups"][group] = _measure(GROUPS[group](), Path(folder) / group, options.runs)
            # Written after every group: what was measured is kept if a later one fails.
            with atomic_path(options.output) as temporary:
                temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table(report))
    return 0


def _measure(
    networks: dict[str, keras.Model], folder: Path, runs: int
) -> dict[str, list[dict[str, Any]]]:
    """Export the networks of a group, run them turn by turn, return a row for each."""
    rows, paths = [], []
    for number, (label, model) in enumerate(networks.items()):
        cost = models.cost(model)
        paths.append(export.to_tflite(model, folder / f"{number}.tflite"))
        rows.append(
            {
                "label": label,
                "params": cost.params,
                "macs": cost.macs,
                "gpu_bytes": gpu_bytes(cost)["gpu_bytes"],
                "operations": len(export.ops(paths[-1])),
            }
        )
    measured = compare([*paths, paths[0]], runs)
    for row, latency in zip(rows, measured, strict=False):
        row |= {
            "cpu_ms": round(latency.cpu_ms, 3),
            "ratio": round(latency.ratio, 3),
            "macs_ratio": round(row["macs"] / rows[0]["macs"], 3),
        }
    return {"twice_the_same": round(measured[-1].ratio, 3), "networks": rows}


def _network(body: Callable[[keras.KerasTensor], keras.KerasTensor], name: str) -> keras.Model:
    """A picture at half side into a body, a mask of half side out of it."""
    image = keras.Input((2 * SIDE, 2 * SIDE, 3), name="image", dtype="float32")
    x = layers.Conv2D(16, 3, 2, padding="same", activation="relu", name="stem")(image)
    x = layers.Conv2D(1, 1, activation="sigmoid", name="mask")(body(x))
    return keras.Model(image, x, name=name)


def _dense_stack(x: keras.KerasTensor, channels: int, depth: int) -> keras.KerasTensor:
    # The 1x1 convolution makes all layers after it alike, so that multiplications come out equal.
    x = layers.Conv2D(channels, 1)(x)
    for _ in range(depth):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
    return x


def _separable_stack(
    x: keras.KerasTensor, channels: int, depth: int, act: str = "relu"
) -> keras.KerasTensor:
    x = layers.Conv2D(channels, 1)(x)
    for _ in range(depth):
        x = layers.DepthwiseConv2D(3, padding="same")(x)
        x = _activate(layers.Conv2D(channels, 1)(x), act)
    return x


def _activate(x: keras.KerasTensor, act: str) -> keras.KerasTensor:
    if act == "prelu":
        return layers.PReLU(shared_axes=[1, 2])(x)
    if act == "relu6":
        return layers.ReLU(6.0)(x)
    return layers.Activation(act)(x)


def depth_and_width() -> dict[str, keras.Model]:
    """Half the width allows four times as many layers, for the same multiplications within 1 %."""
    networks = {}
    for channels, depth in ((64, 2), (32, 8), (16, 32)):
        networks[f"3x3, {depth} layers of {channels}"] = _network(
            lambda x, c=channels, d=depth: _dense_stack(x, c, d), f"dense_{depth}x{channels}"
        )
    for channels, depth in ((96, 4), (48, 15), (24, 52)):
        networks[f"separable, {depth} layers of {channels}"] = _network(
            lambda x, c=channels, d=depth: _separable_stack(x, c, d), f"thin_{depth}x{channels}"
        )
    return networks


def input_side() -> dict[str, keras.Model]:
    """The book's network on larger and larger pictures: multiplications grow with the square."""
    return {f"{side} px": models.build("mobile_unet", size=side) for side in (128, 96, 160, 256)}


def channel_multiples() -> dict[str, keras.Model]:
    """Eight separable layers whose channels are multiples of 32, 8, 4 and of nothing."""
    return {
        f"{channels} channels": _network(
            lambda x, c=channels: _separable_stack(x, c, 8), f"channels_{channels}"
        )
        for channels in (32, 28, 29, 30, 31, 33, 36, 40)
    }


def decoder_kind() -> dict[str, keras.Model]:
    """Ways to double a map of 32 channels twice: which of them is dear?"""

    def body(double: Callable[[keras.KerasTensor], keras.KerasTensor]) -> Callable:
        def run(x: keras.KerasTensor) -> keras.KerasTensor:
            x = layers.Conv2D(32, 3, 4, padding="same", activation="relu")(x)
            return double(double(x))

        return run

    def dense(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Conv2D(32, 3, padding="same", activation="relu")(x)

    def separable(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.DepthwiseConv2D(3, padding="same")(x)
        return layers.Conv2D(32, 1, activation="relu")(x)

    def resize(kind: str) -> Callable[[keras.KerasTensor], keras.KerasTensor]:
        return lambda x: layers.UpSampling2D(2, interpolation=kind)(x)

    def native_nearest(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Resizing(2 * x.shape[1], 2 * x.shape[2], "nearest")(x)

    kinds = {
        "bilinear, separable 3x3": lambda x: separable(resize("bilinear")(x)),
        "bilinear, 3x3": lambda x: dense(resize("bilinear")(x)),
        "nearest (UpSampling2D), separable 3x3": lambda x: separable(resize("nearest")(x)),
        "nearest (Resizing), separable 3x3": lambda x: separable(native_nearest(x)),
        "transposed 2x2": lambda x: layers.Conv2DTranspose(32, 2, 2, activation="relu")(x),
        "transposed 3x3": lambda x: layers.Conv2DTranspose(
            32, 3, 2, padding="same", activation="relu"
        )(x),
        "transposed 4x4": lambda x: layers.Conv2DTranspose(
            32, 4, 2, padding="same", activation="relu"
        )(x),
    }
    return {
        label: _network(body(double), f"decoder_{number}")
        for number, (label, double) in enumerate(kinds.items())
    }


def activation() -> dict[str, keras.Model]:
    """Eight separable layers of 32 channels with one activation or another after each."""
    acts = ("relu6", "linear", "relu", "leaky_relu", "prelu", "hard_silu", "silu", "gelu")
    return {
        act: _network(lambda x, a=act: _separable_stack(x, 32, 8, a), f"act_{act}") for act in acts
    }


GROUPS: dict[str, Callable[[], dict[str, keras.Model]]] = {
    "depth_and_width": depth_and_width,
    "input_side": input_side,
    "channel_multiples": channel_multiples,
    "decoder_kind": decoder_kind,
    "activation": activation,
}


def table(report: dict[str, Any]) -> str:
    """Return every group as Markdown."""
    lines = []
    for group, found in report["groups"].items():
        lines += [
            f"{group} (the first one measured again: {found['twice_the_same']:.2f})",
            "",
            "| network | MMAC | operations | GPU MB | CPU ms | MAC ratio | ratio |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {row['label']} | {row['macs'] / 1e6:.1f} | {row['operations']} "
            f"| {row['gpu_bytes'] / 1e6:.2f} | {row['cpu_ms']:.2f} | {row['macs_ratio']:.2f} "
            f"| {row['ratio']:.2f} |"
            for row in found["networks"]
        ]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
