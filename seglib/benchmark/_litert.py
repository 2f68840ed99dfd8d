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

import numpy as np

KNOWN_VERSION = "2.3.0"
WARM_UP = 10

_CPU = 1  # the bit of `HardwareAccelerator.CPU`
_WRITE = 1  # the lock mode that lets a buffer be filled
_KERNEL, _DELEGATE = 2, 8  # event types: an operation's own kernel, and one inside a delegate


class _Event(ctypes.Structure):
    """One entry of the profiler's log, as `LiteRtGetProfilerEvents` fills it in 2.3.0."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_uint64),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory_and_origin", ctypes.c_uint64 * 9),
    )


class _Library:
    """`libLiteRt.so`; every call is checked, since each function returns a status."""

    def __init__(self) -> None:
        import ai_edge_litert

        folder = Path(ai_edge_litert.__file__).parent
        self.functions = ctypes.CDLL(str(folder / "libLiteRt.so"))
        # An opaque option frees its payload by this; ours belongs to Python, so nothing is freed.
        self.keep = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _pointer: None)

    def call(self, name: str, *arguments: Any) -> None:
        function = getattr(self.functions, name)
        function.restype = ctypes.c_int
        status = function(*arguments)
        if status:
            sys.exit(f"{name} gave status {status}")

    def make(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Call a function that hands back an object through its last argument."""
        made = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(made))
        return made

    def count(self, name: str, *arguments: Any) -> int:
        made = ctypes.c_size_t()
        self.call(name, *arguments, ctypes.byref(made))
        return made.value


def events(path: str, runs: int, threads: int) -> list[list[tuple[str, bool, int]]]:
    """Return for each run its operations in order: name, run by a delegate, microseconds."""
    library = _Library()
    environment = library.make("LiteRtCreateEnvironment", ctypes.c_int(0), None)
    model = library.make("LiteRtCreateModelFromFile", environment, path.encode())
    options = library.make("LiteRtCreateOptions")
    library.call("LiteRtSetOptionsHardwareAccelerators", options, ctypes.c_int(_CPU))
    payloads = []  # the library reads them later: they must live as long as it does
    for name, text in (
        (b"runtime_options_string", "enable_profiling = true\n"),
        (b"xnnpack", f"num_threads = {threads}\n"),
    ):
        payloads.append(ctypes.create_string_buffer(text.encode()))
        option = library.make("LiteRtCreateOpaqueOptions", name, payloads[-1], library.keep)
        library.call("LiteRtAddOpaqueOptions", options, option)
    compiled = library.make("LiteRtCreateCompiledModel", environment, model, options)
    signature = library.make("LiteRtGetModelSignature", model, ctypes.c_size_t(0))
    given = _buffers(library, environment, compiled, signature, "Input")
    found = _buffers(library, environment, compiled, signature, "Output")
    _fill(library, given)

    def run() -> None:
        library.call(
            "LiteRtRunCompiledModel", compiled, ctypes.c_size_t(0),
            ctypes.c_size_t(len(given)), given, ctypes.c_size_t(len(found)), found,
        )  # fmt: skip

    for _ in range(WARM_UP):
        run()
    profiler = library.make("LiteRtCompiledModelGetProfiler", compiled)
    logs = []
    for _ in range(runs):
        library.call("LiteRtResetProfiler", profiler)
        library.call("LiteRtStartProfiler", profiler)
        run()
        library.call("LiteRtStopProfiler", profiler)
        logs.append(_log(library, profiler))
    return logs


def _log(library: _Library, profiler: Any) -> list[tuple[str, bool, int]]:
    count = ctypes.c_int()
    library.call("LiteRtGetNumProfilerEvents", profiler, ctypes.byref(count))
    found = (_Event * count.value)()
    library.call("LiteRtGetProfilerEvents", profiler, count, found)
    return [
        ((event.tag or b"").decode(errors="replace"), kind == _DELEGATE, event.elapsed_us)
        for event in found
        # The upper half of the field is not written.
        if (kind := event.kind & 0xFFFFFFFF) in (_KERNEL, _DELEGATE)
    ]


def _buffers(library: _Library, environment: Any, compiled: Any, signature: Any, kind: str) -> Any:
    made = []
    for index in range(library.count(f"LiteRtGetNumSignature{kind}s", signature)):
        place = ctypes.c_size_t(index)
        tensor = library.make(f"LiteRtGetSignature{kind}TensorByIndex", signature, place)
        tensor_type = ctypes.create_string_buffer(512)  # more than the structure of any version
        library.call("LiteRtGetRankedTensorType", tensor, tensor_type)
        needs = library.make(
            f"LiteRtGetCompiledModel{kind}BufferRequirements", compiled, ctypes.c_size_t(0), place
        )
        made.append(
            library.make(
                "LiteRtCreateManagedTensorBufferFromRequirements", environment, tensor_type, needs
            )
        )
    return (ctypes.c_void_p * len(made))(*made)


def _fill(library: _Library, buffers: Any) -> None:
    """Fill inputs with noise: zeros can be faster than what a camera gives."""
    rng = np.random.default_rng(0)
    for buffer in buffers:
        handle = ctypes.c_void_p(buffer)
        size = library.count("LiteRtGetTensorBufferPackedSize", handle)
        place = ctypes.c_void_p()
        library.call("LiteRtLockTensorBuffer", handle, ctypes.byref(place), ctypes.c_int(_WRITE))
        # Float32 noise of 0..255 fits every float input, and its bytes are valid integers too.
        noise = (rng.random(size // 4 + 1) * 255).astype(np.float32).tobytes()[:size]
        ctypes.memmove(place, noise, size)
        library.call("LiteRtUnlockTensorBuffer", handle)


if __name__ == "__main__":
    _model, _runs, _threads, _result = sys.argv[1:]
    Path(_result).write_text(
        json.dumps(events(_model, int(_runs), int(_threads))), encoding="utf-8"
    )
