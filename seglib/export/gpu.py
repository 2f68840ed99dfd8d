"""LiteRT's GPU accelerator, run for real: on this machine's GPU or on a software Vulkan device.

No phone is needed to see what a GPU delegate says: the accelerator in the `ai-edge-litert` wheel
runs on any Vulkan device, and SwiftShader, which Debian ships with Chromium, is one in software
(`apt-get install chromium-common libvulkan1`). Its speed says nothing about phones; its verdicts
and its numbers do. It computes in float32: what float16 arithmetic changes is not seen here.

The accelerator runs in a process of its own, since an operation it does not expect can end it.

Chapter: the GPU delegate and flattened output.
"""

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglib.errors import SeglibError
from seglib.metadata import check_tflite

SOFTWARE_VULKAN = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
_REFUSED = "Following operations are not supported by GPU delegate:"


@dataclass(frozen=True)
class GpuRun:
    """What the accelerator made of a file.

    Attributes:
        accelerated: whether the whole graph runs on the GPU.
        refusals: the accelerator's own words, one line per refused operation.
        masks: float32, one row of outputs per image; None where it did not run.
    """

    accelerated: bool
    refusals: tuple[str, ...]
    masks: np.ndarray | None


def run_gpu(path: str | Path, images: np.ndarray | None = None, timeout: float = 300) -> GpuRun:
    """Compile a `.tflite` for the GPU alone and, with images, run it there.

    Args:
        path: the model; one input, one output; to one that also reads the mask of the frame before
            the images are a film.
        images: float32 or uint8 (N, H, W, 3), handed over as they are.
        timeout: seconds.

    Raises:
        SeglibError: the file is no model, there is no Vulkan device, or the accelerator takes the
            file but does not run it.
    """
    path = Path(path)
    check_tflite(path)
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "given.npy"), Path(folder, "found.npy")
        if images is not None:
            np.save(given, np.asarray(images, np.float32))
        command = [sys.executable, "-m", "seglib.export.gpu", str(path), str(given), str(found)]
        try:
            done = subprocess.run(
                command, env=_environment(folder), capture_output=True, text=True,
                errors="replace", timeout=timeout,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise SeglibError(
                f"{path}: the GPU accelerator gave no answer in {timeout:g} s; allow it more time"
            ) from error
        log = done.stdout + done.stderr
        if re.search(r"No adapters found|vulkan.*not (be )?(found|loaded)", log, re.I):
            raise SeglibError(
                "no Vulkan device was found; on Debian a software one comes with: "
                "apt-get install chromium-common libvulkan1"
            )
        if _REFUSED in log:
            return GpuRun(False, _refusals(log), None)
        if done.returncode < 0:
            reason = f"the accelerator was ended by signal {-done.returncode}"
            return GpuRun(False, (reason,), None)
        if "fully accelerated: True" not in log:
            return GpuRun(False, (_last_error(log),), None)
        if images is not None and not found.exists():
            raise SeglibError(
                f"{path} was compiled for the GPU but did not run there: {_last_error(log)}"
            )
        return GpuRun(True, (), np.load(found) if images is not None else None)


def _environment(folder: str) -> dict[str, str]:
    known = dict(os.environ)
    known.setdefault("XDG_RUNTIME_DIR", folder)
    if SOFTWARE_VULKAN.exists():
        known.setdefault("VK_ICD_FILENAMES", str(SOFTWARE_VULKAN))
    return known


def _refusals(log: str) -> tuple[str, ...]:
    lines = log[log.index(_REFUSED) :].splitlines()[1:]
    found = []
    for line in lines:
        if not re.match(r"^[A-Z0-9_]+: ", line):
            break
        found.append(line.strip())
    return tuple(dict.fromkeys(found))


def _last_error(log: str) -> str:
    lines = [line for line in log.splitlines() if re.search(r"ERROR|Error|Failed to modify", line)]
    return (
        re.sub(r"^\W*(ERROR|INFO|WARNING)?:?\s*(\[[^\]]*\])?\s*", "", lines[-1])
        if lines
        else ("the accelerator gives no reason")
    )


def _child(path: str, given: str, found: str) -> None:
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.gpu_options import GpuOptions
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import Options

    options = Options(
        hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True)
    )
    with CompiledModel.from_file(path, options=options) as model:
        print("fully accelerated:", model.is_fully_accelerated(), flush=True)
        if not Path(given).exists():
            return
        entries, (result,) = model.create_input_buffers(0), model.create_output_buffers(0)
        entry, before = entries[0], None
        if len(entries) == 2:
            # In the file's own order.
            names = next(iter(model.get_signature_list().values()))["inputs"]
            entry, before = (entries[names.index(name)] for name in ("image", "previous"))
            shape = before.get_tensor_details()["shape"]
            before.write(np.zeros(shape, np.float32))
        details = result.get_tensor_details()
        count = int(np.prod(details["shape"])) if "shape" in details else None
        # Class numbers come as integers; read as floats they would be near zero.
        dtype = np.dtype(details.get("dtype", "float32"))
        masks = []
        for image in np.load(given):
            entry.write(np.ascontiguousarray(image[None]))
            model.run_by_index(0, entries, [result])
            masks.append(np.array(result.read(count, dtype)).astype(np.float32))
            if before is not None:
                before.write(masks[-1].reshape(shape))
        np.save(found, np.stack(masks))


if __name__ == "__main__":
    _child(*sys.argv[1:])
