"""How long a model takes: the whole of it, each of its operations, here and on a phone.

`benchmark` and `compare` time whole files on this machine's CPU, `profile` splits one file into its
operations, `read_phone` and `read_profile` read what the phone makers' own tools wrote.

Chapter: measuring on the device.
"""

from seglib.benchmark.phone import read_phone
from seglib.benchmark.profile import plot_profile, profile, read_profile
from seglib.benchmark.timing import (
    WARM_UP,
    Latency,
    benchmark,
    compare,
    plot_latency,
    plot_start,
    table,
    take_turns,
)
from seglib.errors import renamed

__all__ = [
    "benchmark", "compare", "take_turns", "table", "Latency", "WARM_UP", "profile", "read_phone",
    "read_profile", "plot_latency", "plot_profile", "plot_start",
]  # fmt: skip

__getattr__ = renamed(
    __name__, {"PhoneRun": "Latency", "Comparison": "the list that compare returns, and table"}
)
