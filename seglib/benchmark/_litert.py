"""LiteRT's own profiler, reached through the C functions of the `ai-edge-litert` wheel.

The Python interface of LiteRT 2.3 has no profiler, but the library behind it has. The C functions
are declared nowhere in the wheel and their arguments have changed between versions, so `profile`
asks for exactly the version that they were tried with, and calls them in a process of its own: a
wrong guess would end that process and not the caller's. The profiler's own summary averages over
all runs, and one interruption spoils an average, so the events are read run by run instead.

`python -m seglib.benchmark._litert MODEL RUNS THREADS RESULT.json` writes the events of every run.
"""

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

import ai_edge_litert
import numpy as np

KNOWN_VERSION = "2.3.0"
WARM_UP = 10

_CPU = 1  # the bit of `HardwareAccelerator.CPU`
_WRITE = 1  # the lock mode that lets a buffer be filled
_KERNEL, _DELEGATE = 2, 8  # event types: an operation's own kernel, and one inside a delegate

# An opaque option frees its payload by this; ours belongs to Python, so nothing is freed.
_keep = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _pointer: None)


class _Event(ctypes.Structure):
    """One entry of the profiler's log, as `LiteRtGetProfilerEvents` fills it in 2.3.0."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_uint64),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory_and_origin", ctypes.c_uint64 * 9),
    )


def _call(name: str, *arguments: Any) -> None:
    """Call a function, which returns a status; Python's integers go as sizes."""
    library = ctypes.CDLL(str(Path(ai_edge_litert.__file__).with_name("libLiteRt.so")))
    sizes = (ctypes.c_size_t(one) if isinstance(one, int) else one for one in arguments)
    status = getattr(library, f"LiteRt{name}")(*sizes)
    if status:
        sys.exit(f"LiteRt{name} gave status {status}")


def _get(name: str, *arguments: Any, kind: type = ctypes.c_void_p) -> Any:
    """Call a function that hands back what it made through its last argument."""
    made = kind()
    _call(name, *arguments, ctypes.byref(made))
    return made


def events(path: str, runs: int, threads: int) -> list[list[tuple[str, bool, int]]]:
    """Return for each run its operations in order: name, run by a delegate, microseconds."""
    environment = _get("CreateEnvironment", 0, None)
    model = _get("CreateModelFromFile", environment, path.encode())
    options = _get("CreateOptions")
    _call("SetOptionsHardwareAccelerators", options, _CPU)
    payloads = []  # the library reads them later: they must live as long as it does
    for name, text in (
        (b"runtime_options_string", "enable_profiling = true\n"),
        (b"xnnpack", f"num_threads = {threads}\n"),
    ):
        payloads.append(ctypes.create_string_buffer(text.encode()))
        option = _get("CreateOpaqueOptions", name, payloads[-1], _keep)
        _call("AddOpaqueOptions", options, option)
    compiled = _get("CreateCompiledModel", environment, model, options)
    signature = _get("GetModelSignature", model, 0)
    given, found = (_buffers(environment, compiled, signature, s) for s in ("Input", "Output"))
    for buffer in given:
        _fill(ctypes.c_void_p(buffer))
    profiler = _get("CompiledModelGetProfiler", compiled)
    logs = []
    for _ in range(WARM_UP + runs):
        _call("ResetProfiler", profiler)
        _call("StartProfiler", profiler)
        _call("RunCompiledModel", compiled, 0, len(given), given, len(found), found)
        _call("StopProfiler", profiler)
        logs.append(_log(profiler))
    return logs[WARM_UP:]


def _log(profiler: Any) -> list[tuple[str, bool, int]]:
    count = _get("GetNumProfilerEvents", profiler, kind=ctypes.c_int)
    found = (_Event * count.value)()
    _call("GetProfilerEvents", profiler, count, found)
    return [
        ((event.tag or b"").decode(errors="replace"), kind == _DELEGATE, event.elapsed_us)
        for event in found
        # The upper half of the field is not written.
        if (kind := event.kind & 0xFFFFFFFF) in (_KERNEL, _DELEGATE)
    ]


def _buffers(environment: Any, compiled: Any, signature: Any, side: str) -> Any:
    made = []
    for index in range(_get(f"GetNumSignature{side}s", signature, kind=ctypes.c_size_t).value):
        tensor = _get(f"GetSignature{side}TensorByIndex", signature, index)
        tensor_type = ctypes.create_string_buffer(512)  # more than the structure of any version
        _call("GetRankedTensorType", tensor, tensor_type)
        needs = _get(f"GetCompiledModel{side}BufferRequirements", compiled, 0, index)
        made.append(
            _get("CreateManagedTensorBufferFromRequirements", environment, tensor_type, needs)
        )
    return (ctypes.c_void_p * len(made))(*made)


def _fill(buffer: Any) -> None:
    """Fill an input with noise: zeros can be faster than what a camera gives."""
    size = _get("GetTensorBufferPackedSize", buffer, kind=ctypes.c_size_t).value
    place = ctypes.c_void_p()
    _call("LockTensorBuffer", buffer, ctypes.byref(place), _WRITE)
    # Float32 noise of 0..255 fits every float input, and its bytes are valid integers too.
    noise = np.random.default_rng(0).random(size // 4 + 1, np.float32) * np.float32(255)
    ctypes.memmove(place, noise.tobytes(), size)
    _call("UnlockTensorBuffer", buffer)


if __name__ == "__main__":
    _model, _runs, _threads, _result = sys.argv[1:]
    _text = json.dumps(events(_model, int(_runs), int(_threads)))
    Path(_result).write_text(_text, encoding="utf-8")
