"""Latency: times that fit together and ratios that hold while the machine is busy."""

import os
from pathlib import Path

import numpy as np
import pytest

from seglib.benchmark import WARM_UP, benchmark, compare, plot_start
from seglib.errors import SeglibError


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    """A small and a large convolution, some 50 times apart in work."""
    import keras

    from seglib.export import to_tflite

    folder = tmp_path_factory.mktemp("nets")
    paths = []
    for name, filters in (("small", 4), ("large", 96)):
        x = inputs = keras.Input((64, 64, 3))
        for _ in range(2):
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        model = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))
        paths.append(to_tflite(model, folder / f"{name}.tflite"))
    return paths


def test_times_fit_together(nets):
    row = benchmark(nets[0], runs=20, threads=2)
    assert (row.file, row.runs, row.ratio) == ("small.tflite", 20, 1.0)
    assert row.device == "this machine, CPU, 2 threads"
    assert 0 < row.low_ms <= row.steady_ms <= row.high_ms
    assert len(row.times_ms) == 1 + WARM_UP + 20
    assert row.times_ms[0] == row.first_ms
    assert np.median(row.times_ms[-20:]) == pytest.approx(row.steady_ms)
    assert row.cpu_ms > 0
    assert row.init_ms > 0
    assert row.first_ms > 0


def test_the_larger_network_is_slower_whichever_comes_first(nets):
    small, large = nets
    forward = compare([small, large], runs=15)
    backward = compare([large, small], runs=15)
    assert [row.ratio for row in (forward[0], backward[0])] == [1.0, 1.0]
    assert forward[1].ratio > 3
    assert backward[1].ratio < 1 / 3
    assert forward[1].steady_ms > 3 * forward[0].steady_ms


def test_a_network_beside_itself_has_ratio_one(nets):
    rows = compare([nets[1], nets[1]], runs=25)
    assert rows[1].ratio == pytest.approx(1, abs=0.25)


def test_one_file_with_several_numbers_of_threads(nets):
    rows = compare([nets[0]] * 3, runs=3, threads=[1, 2, 3])
    assert [row.device.split(", ")[-1] for row in rows] == ["1 thread", "2 threads", "3 threads"]
    assert len(plot_start(rows).axes[0].lines) == 6
    with pytest.raises(SeglibError, match="3 files and 2 threads"):
        compare([nets[0]] * 3, threads=[1, 2])


def test_what_cannot_be_measured_is_refused(nets, tmp_path):
    text = tmp_path / "notes.tflite"
    text.write_text("no model at all")
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(nets[0].read_bytes()[:40])
    for path in (text, cut, tmp_path / "absent.tflite"):
        with pytest.raises(SeglibError, match=path.name):
            benchmark(path)
    with pytest.raises(SeglibError, match="at least 1"):
        benchmark(nets[0], runs=0)
    with pytest.raises(SeglibError, match="at least 1"):
        benchmark(nets[0], threads=0)
    for nothing in ([], str(nets[0])):
        with pytest.raises(SeglibError, match="list"):
            compare(nothing)


def test_networks_by_others_can_be_measured():
    folder = os.environ.get("SEGLIB_PEERS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SEGLIB_PEERS names no folder with networks by others")
    rows = compare(sorted(Path(folder).glob("*.tflite")), runs=2)
    assert all(np.isfinite(row.steady_ms) for row in rows)
