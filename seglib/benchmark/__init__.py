"""How long a model takes: the whole of it, each of its operations, here and on a phone.

`benchmark` and `compare` time whole files on this machine's CPU, `profile` splits one file into its
operations, `read_phone` and `read_profile` read what the phone makers' own tools wrote, and the
plots put all of it side by side.

Chapter: measuring on the device.
"""

from seglib.benchmark.phone import PhoneRun, read_phone, table
from seglib.benchmark.plots import plot_latency, plot_profile, plot_start
from seglib.benchmark.profile import OpTime, Profile, profile, read_profile
from seglib.benchmark.timing import WARM_UP, Comparison, Latency, benchmark, compare

__all__ = [
    "WARM_UP",
    "Comparison",
    "Latency",
    "OpTime",
    "PhoneRun",
    "Profile",
    "benchmark",
    "compare",
    "plot_latency",
    "plot_profile",
    "plot_start",
    "profile",
    "read_phone",
    "read_profile",
    "table",
]
