"""Ask LiteRT's GPU accelerator about many networks and keep its verdicts beside the audit's.

    apt-get install chromium-common libvulkan1
    python tests/benchmarks/gpu_verdicts.py [seglib/export/gpu_verdicts.json] [--models FOLDER]

Asked are the trial networks, the shipped weights and every network of the zoo at its published size
with random weights. For each: the audit's refusals, the accelerator's, and, where it runs, the
largest difference to the CPU on one picture of noise. Besides, the accelerator and a Core ML
package, re-executed, are asked which resize rule they follow. The chapter on the GPU delegate shows
what this wrote, as recorded; `make test-gpu` asks the small ones again. `--part` renews one part.
"""

import argparse
import functools
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from seglib import export, models, pretrained
from seglib.export import delegate_test_models
from seglib.export.audit import SOFTWARE_VULKAN
from seglib.files import atomic_path
from seglib.runtime import open_engine

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> None:
    """Ask about every network, write the file, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "output", type=Path, nargs="?", default=ROOT / "seglib/export/gpu_verdicts.json"
    )
    parser.add_argument("--models", type=Path, help="where exports of the zoo are kept")
    parser.add_argument("--part", choices=("networks", "resize", "all"), default="all")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="renew these networks alone")
    options = parser.parse_args()
    report = {
        "litert": metadata.version("ai-edge-litert"),
        "tensorflow": metadata.version("tensorflow"),
        "coremltools": metadata.version("coremltools"),
        "device": "SwiftShader, Vulkan in software" if SOFTWARE_VULKAN.exists() else "own GPU",
        "machine": platform.machine(),
    }
    if options.part != "all" or options.only:
        report = export.recorded_verdicts(options.output) | report
    with tempfile.TemporaryDirectory() as folder:
        if options.part != "resize":
            known = {row["name"]: row for row in report.get("networks", [])}
            report["networks"] = []
            for group, name, write in _networks(options.models or Path(folder)):
                row = known.get(name) if options.only and name not in options.only else None
                row = row or {"group": group, "name": name, **_verdicts(write())}
                report["networks"].append(row)
                print(f"{name}: {row}", file=sys.stderr, flush=True)
        if options.part != "networks":
            report["resize"] = _resize_rules(Path(folder))
    with atomic_path(options.output) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(export.verdict_table(options.output))


def _networks(folder: Path) -> Iterator[tuple[str, str, Callable[[], Path]]]:
    """Yield group, name and what writes the file: only those that are asked about are converted."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in delegate_test_models.names():
        yield "trial", name, functools.partial(_trial, name, folder / "trial.tflite")
    for name in pretrained.list_models():
        yield "shipped", name, functools.partial(pretrained.path, name)
    zoo = {name: (name, {}) for name in models.list()}
    zoo["mobile_unet, transposed"] = ("mobile_unet", {"decoder": "transpose"})
    zoo["v2_unet, bilinear"] = ("v2_unet", {"decoder": "bilinear"})
    for label, (name, kept) in zoo.items():
        path = folder / f"{label.replace(', ', '_')}.tflite"
        yield "zoo", label, functools.partial(_of_the_zoo, name, kept, path)


def _trial(name: str, path: Path) -> Path:
    path.write_bytes(delegate_test_models.network(name))
    return path


def _of_the_zoo(name: str, options: dict[str, Any], path: Path) -> Path:
    if not path.exists():
        export.to_tflite(models.build(name, **options), path, flat=True)
    return path


def _verdicts(path: Path) -> dict[str, Any]:
    found = export.audit(path)
    engine = open_engine(path)
    # A second input, the mask of the frame before, stays empty.
    *_, entry = sorted(engine.inputs, key=lambda tensor: tensor.shape[-1])
    feeds = [np.zeros(np.abs(tensor.shape), np.float32) for tensor in engine.inputs]
    noise = feeds[engine.inputs.index(entry)]
    noise[:] = np.random.default_rng(0).uniform(0, 255, noise.shape)
    run = export.run_gpu(path, noise if found.ok else None, timeout=600)
    difference = None
    if run.masks is not None:
        cpu = engine.run(*feeds)[0]
        scale = max(float(np.abs(cpu).max()), 1.0)
        difference = float(np.abs(run.masks.ravel() - cpu.ravel()).max() / scale)
    return {
        "audit": sorted({f"{r.op}: {r.reason}".lstrip(": ") for r in found.refusals}),
        "accelerated": run.accelerated,
        "words": list(run.refusals),
        "difference": difference,
    }


def _resize_rules(folder: Path) -> dict[str, str | None]:
    import keras
    import tensorflow as tf

    from seglib.export.converters import quiet

    def on_gpu(**flags: bool) -> Callable:
        def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
            function = tf.function(
                lambda x: tf.raw_ops.ResizeBilinear(images=x, size=size, **flags),
                input_signature=[tf.TensorSpec((1, *picture.shape, 1), tf.float32)],
            )
            concrete = [function.get_concrete_function()]
            with quiet():
                content = tf.lite.TFLiteConverter.from_concrete_functions(concrete).convert()
            path = folder / "resize.tflite"
            path.write_bytes(content)
            return export.run_gpu(path, picture[None, ..., None]).masks.reshape(size)

        return resize

    # Grows the red channel to twice the size and gives it as a probability.
    red = keras.layers.Conv2D(1, 1, use_bias=False)
    grow = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.UpSampling2D(2, interpolation="bilinear"), red]
    )
    red.set_weights([np.array([1 / 255, 0, 0], np.float32).reshape(1, 1, 3, 1)])
    program = export.Program(export.to_coreml(grow, folder / "grow.mlpackage", "float32"))

    def on_core_ml(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        image = np.repeat(picture[..., None].astype(np.uint8), 3, axis=-1)
        mask = program.masks(image[None])
        return 255 * mask.reshape(size)

    rules = {
        f"LiteRT's GPU accelerator, {name}": export.which_convention(on_gpu(**flags))
        for name, flags in {
            "half_pixel_centers": {"half_pixel_centers": True},
            "align_corners": {"align_corners": True},
            "neither": {},
        }.items()
    }
    rule = export.which_convention(on_core_ml, size=(8, 8), atol=0.01)
    return rules | {"Core ML, a package with UpSampling2D, re-executed": rule}


if __name__ == "__main__":
    main()
