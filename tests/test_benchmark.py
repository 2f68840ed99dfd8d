"""Latency: times that fit together and ratios that hold while the machine is busy."""

import numpy as np
import pytest

from seglib import pretrained
from seglib.benchmark import WARM_UP, benchmark, compare, plot_start
from seglib.benchmark.timing import take_turns, time_ratios
from seglib.errors import SeglibError


@pytest.fixture(scope="module")
def net():
    return pretrained.path("portrait")


def test_times_fit_together(net):
    row = benchmark(net, runs=20, threads=2)
    assert (row.file, row.runs, row.ratio) == (net.name, 20, 1.0)
    assert row.device == "this machine, CPU, 2 threads"
    assert 0 < row.low_ms <= row.steady_ms <= row.high_ms
    assert len(row.times_ms) == 1 + WARM_UP + 20 and row.times_ms[0] == row.first_ms
    assert np.median(row.times_ms[-20:]) == pytest.approx(row.steady_ms)
    assert min(row.cpu_ms, row.init_ms, row.first_ms) > 0


def test_ratios_are_to_the_first_of_a_turn():
    times = np.array([[[2.0, 4], [3, 9], [1, 4]], [[1, 5], [1, 6], [1, 7]]])
    assert time_ratios(times, (1, 1)) == [1, 6]
    assert time_ratios(times, (2, 1)) == [1, 3]
    calls = []
    times = take_turns([lambda: calls.append("a"), lambda: calls.append("b")], 4)
    assert "".join(calls) == "abbaabba" and times.shape == (2, 4, 2)


def test_one_file_with_several_numbers_of_threads(net):
    rows = compare([net] * 3, runs=3, threads=[1, 2, 3])
    assert [row.device.split(", ")[-1] for row in rows] == ["1 thread", "2 threads", "3 threads"]
    assert len(plot_start(rows).axes[0].lines) == 6


def test_what_cannot_be_measured_is_refused(net, tmp_path):
    (tmp_path / "notes.tflite").write_text("no model at all")
    (tmp_path / "cut.tflite").write_bytes(net.read_bytes()[:40])
    for name in ("notes.tflite", "cut.tflite", "absent.tflite"):
        with pytest.raises(SeglibError, match=name):
            benchmark(tmp_path / name)
    for nothing in ([], str(net)):
        with pytest.raises(SeglibError, match="list"):
            compare(nothing)
    for wrong in ({"runs": 0}, {"threads": 0}, {"threads": [1, 2]}):
        with pytest.raises(SeglibError, match="at least 1|1 files and 2 threads"):
            compare([net], **wrong)
