"""What several test files share: where real photos and peers are, and a shell without a network."""

import os
from pathlib import Path

import hypothesis
import pytest

from chapter_run import offline_environment

# TensorFlow's kernels for a CPU differ in what they can do; it chooses them by the processor.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# A first call may compile something, and a busy machine is no failure: no timed tests.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def _folder(variable: str, what: str) -> Path:
    """Return the folder that an environment variable names, or skip the test."""
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is unset: no {what} here")
    if not Path(value).is_dir():
        pytest.fail(f"{variable} names {value}, which is no folder")
    return Path(value)


ELSEWHERE = {
    "gpu": "needs a Vulkan device: make test-gpu",
    "exports": "all networks to all targets: make test-exports",
    "offline": "the chapters once more: make test-offline",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long matrices and tests that need a device to their own commands, and say so."""
    for item in items:
        for marker, reason in ELSEWHERE.items():
            if item.get_closest_marker(marker) and marker not in config.getoption("-m"):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def real_data() -> Path:
    """The folder of prepared photo sets that SEGLIB_DATA names; skips where there is none."""
    return _folder("SEGLIB_DATA", "real photos")


@pytest.fixture
def peers() -> Path:
    """The folder of other projects' models that SEGLIB_PEERS names; skips where there is none."""
    return _folder("SEGLIB_PEERS", "models of other projects")


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """An environment for subprocesses: no network, an empty cache, smoke mode."""
    return offline_environment(tmp_path)
