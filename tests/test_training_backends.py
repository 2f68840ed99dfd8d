"""Training on every Keras backend that is installed, on two devices, and in two processes."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def start(backend: str, *arguments: object) -> subprocess.Popen:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)]),
    }
    command = [sys.executable, HERE / "training_backend.py", *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def result(process: subprocess.Popen) -> dict:
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


def losses(rows: list[dict]) -> list[float]:
    return [row["loss"] for row in rows]


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_run_learns_and_goes_on_where_it_was_stopped(backend, tmp_path):
    found = result(start(backend, tmp_path / "run"))
    assert found["stopped"], "the run was not interrupted"
    assert losses(found["whole"])[1] < losses(found["whole"])[0]
    for mine, yours in zip(found["again"], found["whole"], strict=True):
        assert mine == pytest.approx(yours, rel=1e-4)


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_share_each_batch(backend, tmp_path):
    found = result(start(backend, tmp_path / "run", "mirrored"))
    assert found["devices"] == 2
    assert losses(found["again"]) == losses(found["rows"])
    # On TensorFlow BatchNorm sees half of each batch: the curves are close and not the same.
    assert losses(found["rows"]) == pytest.approx(losses(found["alone"]), rel=0.05)


def test_two_processes_share_each_step(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [start("jax", tmp_path / "run", "two", index, port) for index in range(2)]
    first, second = map(result, both)
    assert (first["shard"], second["shard"]) == ([0, 2], [1, 2])
    assert losses(first["rows"]) == losses(second["rows"])
    assert {"checkpoint.npz", "history.csv"} <= set(first["files"])
