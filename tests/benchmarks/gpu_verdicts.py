"""Ask LiteRT's GPU accelerator about many networks and keep its verdicts beside the audit's.

    apt-get install chromium-common libvulkan1
    python tests/benchmarks/gpu_verdicts.py [seglib/export/gpu_verdicts.json] [--models FOLDER]

Asked are the trial networks, the shipped weights and every network of the zoo at its published size
with random weights. For each: the audit's refusals, the accelerator's, and, where it runs, the
largest difference to the CPU on one picture of noise. The chapter on the GPU delegate shows what
this wrote, as recorded; `make test-gpu` asks the small ones again.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from seglib import export, models, pretrained
from seglib.export import gpu, trial_nets
from seglib.files import atomic_path

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> None:
    """Ask about every network, write the file, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "output", type=Path, nargs="?", default=ROOT / "seglib/export/gpu_verdicts.json"
    )
    parser.add_argument("--models", type=Path, help="where exports of the zoo are kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        networks = []
        for group, name, path in _networks(options.models or Path(folder)):
            networks.append({"group": group, "name": name, **_verdicts(path)})
            print(f"{name}: {networks[-1]['accelerated']}", file=sys.stderr, flush=True)
    report = {
        "litert": metadata.version("ai-edge-litert"),
        "tensorflow": metadata.version("tensorflow"),
        "device": "SwiftShader, Vulkan in software" if gpu.SOFTWARE_VULKAN.exists() else "own GPU",
        "machine": platform.machine(),
        "networks": networks,
    }
    with atomic_path(options.output) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(export.verdict_table(options.output))


def _networks(folder: Path) -> Iterator[tuple[str, str, Path]]:
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(trial_nets.names()):
        path = folder / f"trial_{index}.tflite"
        path.write_bytes(trial_nets.network(name))
        yield "trial", name, path
    for name in pretrained.list_models():
        yield "shipped", name, pretrained.path(name)
    for name in models.list():
        path = folder / f"{name}.tflite"
        if not path.exists():
            export.to_tflite(models.build(name), path, flat=True)
        yield "zoo", name, path


def _verdicts(path: Path) -> dict[str, Any]:
    found = export.audit(path)
    interpreter = export.open_interpreter(path)
    (entry,) = interpreter.get_input_details()
    shape = tuple(int(n) for n in entry["shape"])
    noise = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    run = export.run_gpu(path, noise if found.ok else None, timeout=600)
    difference = None
    if run.masks is not None:
        interpreter.set_tensor(entry["index"], noise)
        interpreter.invoke()
        cpu = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        scale = max(float(np.abs(cpu).max()), 1.0)
        difference = float(np.abs(run.masks.ravel() - cpu.ravel()).max() / scale)
    return {
        "audit": sorted({f"{r.op}: {r.reason}".lstrip(": ") for r in found.refusals}),
        "accelerated": run.accelerated,
        "words": list(run.refusals),
        "difference": difference,
    }


if __name__ == "__main__":
    main()
