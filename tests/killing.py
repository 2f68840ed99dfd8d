"""A process that is killed without warning, as a phone call for memory or a closed lid does it."""

import random
import signal
import subprocess
import time
from collections.abc import Sequence


def kill_at_random(
    command: Sequence[object], chance: random.Random, earliest: float, latest: float
) -> None:
    """Start a command that prints `ready` first, and kill it a random time after, in seconds."""
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    time.sleep(chance.uniform(earliest, latest))
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
