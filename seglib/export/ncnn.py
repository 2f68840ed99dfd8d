"""Keras model to ncnn, Tencent's small runtime for phones: a `.ncnn.param` and a `.ncnn.bin` file.

pnnx, ncnn's own converter, reads the ONNX model. Its Python package asks for PyTorch, which only
its other functions need: the converter is a program of its own inside the package, so install it
with `pip install --no-deps pnnx`. What the two do not understand of each other is mended by
`ncnn_graph`.

A graph that ncnn does not understand can end the process that runs it, so `run_ncnn` works in a
process of its own.

Sources: ncnn and pnnx (Tencent/ncnn, tools/pnnx), ncnn's operation parameters weight table.

Chapter: TFLite conversion.
"""

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import MissingPackage, conversion_error, quiet
from seglib.export.graph import facts, metadata_text
from seglib.export.ncnn_graph import clean_param, split_crops
from seglib.export.onnx import onnx_model
from seglib.export.proof import probe_images, problem_with
from seglib.files import atomic_path

if TYPE_CHECKING:
    import keras
    import ncnn

SUFFIX = ".ncnn.param"
PRECISIONS = ("float32", "float16")

# Mean absolute difference to Keras past which files are broken and not merely rounded.
_BROKEN = {"float32": 0.01, "float16": 0.02}


def to_ncnn(
    model: "keras.Model",
    path: str | Path,
    precision: str = "float16",
    metadata: dict[str, Any] | None = None,
) -> Path:
    """Write a segmentation model for ncnn and run it before the files get their names.

    Beside `NAME.ncnn.param`, the graph, lie `NAME.ncnn.bin`, the weights, and `NAME.ncnn.json`, the
    metadata: ncnn has no place for them inside. The picture `image` is (3, H, W), the mask `mask`
    (H, W, C) as everywhere.

    Args:
        model: input (None, H, W, 3) of raw values 0..255, output (None, H, W, C) probabilities.
        path: the graph's file, ending in `.ncnn.param`.
        precision: of the weights in the file, "float32" or "float16".
        metadata: what to keep about the model.

    Returns:
        The path of the graph.

    Raises:
        SeglibError: pnnx or ncnn is missing, the model cannot be converted, the files give other
            masks than the model, or they cannot be written.
    """
    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise SeglibError(f"{path} does not end in {SUFFIX}; give the file such a name")
    if precision not in PRECISIONS:
        raise SeglibError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    program = _pnnx()
    made, graph = onnx_model(model, channels_first=True)
    split_crops(made)
    text = metadata_text({**(metadata or {}), **facts(graph, precision)}, path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.onnx").write_bytes(made.SerializeToString())
        command = [program, "model.onnx", f"fp16={int(precision == 'float16')}"]
        heard = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
        done = subprocess.run(command, cwd=folder, **heard)
        param, weights = folder / "model.ncnn.param", folder / "model.ncnn.bin"
        if done.returncode or not param.is_file() or not weights.is_file():
            reason = RuntimeError(_last_line(done.stdout + done.stderr))
            raise conversion_error("ncnn", model, reason, [done.stdout, done.stderr])
        before = (folder / "model.pnnx.param").read_text(encoding="utf-8")
        text_of_graph = clean_param(param.read_text(encoding="utf-8"), before)
        param.write_text(text_of_graph, encoding="utf-8")
        images = probe_images(graph.input_shape)
        try:
            problem = problem_with(graph, lambda x: run_ncnn(param, x), images, _BROKEN[precision])
        except MissingPackage:
            raise
        except SeglibError as error:
            raise SeglibError(
                f"the model {model.name} could not be converted to ncnn, which cannot run what "
                "its converter made of it; use operations that ncnn has, such as resizing by whole "
                "factors instead of gathering rows"
            ) from error
        if problem:
            raise SeglibError(
                f"the ncnn conversion of {model.name} is broken ({problem}), so {path} was not "
                "written; check the model's own masks"
            )
        with (
            atomic_path(_beside(path, ".json")) as facts_file,
            atomic_path(_beside(path, ".bin")) as bin_file,
            atomic_path(path) as param_file,
        ):
            facts_file.write_text(text, encoding="utf-8")
            bin_file.write_bytes(weights.read_bytes())
            param_file.write_bytes(param.read_bytes())
    return path


def run_ncnn(path: str | Path, images: np.ndarray, threads: int = 1) -> np.ndarray:
    """Run ncnn files on images as they are and return the mask as float32 (N, H, W, C).

    Args:
        path: a `.ncnn.param` file with its `.ncnn.bin` beside it.
        images: uint8 (N, H, W, 3) of the model's own size.
        threads: number of CPU threads.

    Raises:
        SeglibError: ncnn is missing, or the files are missing, damaged or cannot be run.
    """
    path = Path(path)
    _check_files(path)
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "given.npy"), Path(folder, "found.npy")
        np.save(given, images)
        command = [sys.executable, "-m", "seglib.export.ncnn"]
        done = subprocess.run(
            [*command, str(path.resolve()), str(given), str(found), str(threads)],
            capture_output=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        if done.returncode == 0 and found.is_file():
            return np.load(found)
        said = re.findall(r"(?m)^seglib\.errors\.SeglibError: (.+)$", done.stderr)
        if said:
            raise SeglibError(said[-1])
        reason = _last_line(done.stderr)
        if done.returncode < 0:
            reason = f"ncnn ended with signal {-done.returncode}"
    raise SeglibError(f"{path} cannot be run ({reason}); export the model for another runtime")


def open_ncnn(path: str | Path, threads: int = 1) -> "ncnn.Net":
    """Return the loaded network. It computes in float32, as the other CPU runtimes do.

    Raises:
        SeglibError: ncnn is missing, or the files are missing or damaged.
    """
    ncnn = _ncnn()
    path = Path(path)
    _check_files(path)
    net = ncnn.Net()
    net.opt.num_threads = threads
    # Threads that wait for each other in a loop can take seconds a picture on a busy machine.
    net.opt.openmp_blocktime = 0
    # ncnn computes in float16 or bfloat16 where a processor can; a comparison needs one arithmetic.
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    with quiet() as log:
        failed = net.load_param(str(path)) or net.load_model(str(_beside(path, ".bin")))
    if failed:
        raise SeglibError(f"{path} cannot be run ({_last_line(''.join(log))}); export it again")
    return net


def run_net(net: "ncnn.Net", image: np.ndarray, name: str) -> np.ndarray:
    """Run a loaded network on one uint8 image (H, W, 3) and return its mask (H, W, C)."""
    ncnn = _ncnn()
    planes = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    extractor = net.create_extractor()
    # ncnn works in place, which it must not do in NumPy's memory: hand it a copy of its own.
    extractor.input("image", ncnn.Mat(planes).clone())
    failed, found = extractor.extract("mask")
    if failed:
        raise SeglibError(f"{name} has no output `mask` that can be computed; export it again")
    mask = np.array(found, np.float32)
    return mask if mask.ndim == 3 else mask[..., None]


def _check_files(path: Path) -> None:
    _ncnn()
    for file in (path, _beside(path, ".bin")):
        if not file.is_file():
            raise SeglibError(f"there is no file {file}; ncnn needs the .param and the .bin file")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name.removesuffix(".param") + suffix)


def _ncnn() -> Any:
    try:
        import ncnn
    except ImportError as error:
        raise MissingPackage(
            f"ncnn cannot be imported ({error}); install it with: pip install ncnn"
        ) from error
    return ncnn


def _pnnx() -> str:
    """Return the converter's program file; importing the package would ask for PyTorch."""
    found = importlib.util.find_spec("pnnx")
    if found is None or not found.origin:
        raise MissingPackage(
            "ncnn's converter is missing; install it with: pip install --no-deps pnnx"
        )
    return str(Path(found.origin).with_name("pnnx.exe" if sys.platform == "win32" else "pnnx"))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it gives no reason"


def _child(path: str, given: str, found: str, threads: str) -> None:
    net = open_ncnn(path, int(threads))
    np.save(found, np.stack([run_net(net, image, path) for image in np.load(given)]))


if __name__ == "__main__":
    _child(*sys.argv[1:])
