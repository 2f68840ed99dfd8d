"""A training that is killed loses nothing: the curve is that of an undisturbed one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seglib import SeglibError, training
from training_net import HARD, batches, net

HERE = Path(__file__).parent
ENVIRONMENT = {
    **os.environ,
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # One thread adds in one order: the curves are then equal to the last bit.
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)]),
}


def test_a_process_killed_at_random_moments_repeats_the_curve(tmp_path):
    command = [sys.executable, HERE / "training_net.py", tmp_path]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert any(result["killed"]), "every process ended before it was killed"
    assert len(result["whole"]) == HARD.epochs
    for mine, yours in zip(result["again"], result["whole"], strict=True):
        assert mine == pytest.approx(yours, rel=1e-6), f"seed {result['seed']}"
    ends = [np.load(tmp_path / run / "end.npz") for run in ("whole", "killed")]
    for name in ends[0].files:
        np.testing.assert_allclose(ends[0][name], ends[1][name], rtol=1e-5, atol=1e-6)
    # No half-written file is left in anybody's way.
    assert not [p for p in tmp_path.rglob("checkpoint.npz") if p.stat().st_size == 0]


class Ended(Exception):
    """What stands for the end of a process in these tests."""


def test_a_process_asked_to_end_does_so_after_its_step(tmp_path):
    from dataclasses import replace

    config = replace(HARD, save_steps=0, save_minutes=0, deep_supervision=0.0)
    train = batches()
    read = train.sampler.pictures

    def ask(epoch, index):
        # The epoch's second batch is being prepared, so its first step is done or under way.
        if (epoch, index) == (0, 1):
            os.kill(os.getpid(), signal.SIGTERM)
        return read(epoch, index)

    train.sampler.pictures = ask
    with pytest.raises(SystemExit) as stopped:
        training.fit(net(), train, None, config, tmp_path, watch=lambda _: None)
    assert stopped.value.code == 143
    assert not (tmp_path / "checkpoint.npz").exists()
    assert len(training.fit(net(), batches(), None, config, tmp_path).rows) == config.epochs


def test_the_job_of_a_cluster_passes_the_signal_on_and_queues_itself_again(tmp_path):
    text = (HERE.parent / "seglib" / "assets" / "train.sbatch").read_text()
    command = f"{sys.executable} -c 'import signal, sys, time;" + (
        'signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); print("up", flush=True);'
        "time.sleep(60)'"
    )
    job, bin_folder = tmp_path / "job.sbatch", tmp_path / "bin"
    job.write_text(text.replace("\nCOMMAND", f"\n{command}"))
    bin_folder.mkdir()
    scontrol = bin_folder / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/queued\n')
    scontrol.chmod(0o755)
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    with subprocess.Popen(["bash", job], stdout=subprocess.PIPE, env=environment) as shell:
        assert shell.stdout.readline() == b"up\n"
        shell.send_signal(signal.SIGTERM)
        assert shell.wait() == 143
    assert (tmp_path / "queued").read_text() == "requeue 7\n"


def test_other_batches_are_refused(tmp_path):
    from dataclasses import replace

    config = replace(HARD, epochs=1, deep_supervision=0.0)
    training.fit(net(), batches(), None, config, tmp_path)
    other = batches()
    other.sampler.batch_size = 8
    with pytest.raises(SeglibError, match="batch_size"):
        training.fit(net(), other, None, config, tmp_path)
