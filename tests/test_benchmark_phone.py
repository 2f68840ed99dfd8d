"""Files from phones: small samples in the documented layouts, read as what they say."""

import json
from pathlib import Path

import pytest

from seglib.benchmark import plot_latency, plot_profile, read_phone, read_profile, table
from seglib.cli import main
from seglib.errors import SeglibError

FILES = Path(__file__).parent / "phone_files"


def test_benchmark_model_gives_a_row_for_each_run():
    cpu, gpu = read_phone(FILES / "benchmark_model.txt", "Pixel 8")
    assert (cpu.file, cpu.device, cpu.runs) == ("portrait.tflite", "Pixel 8, CPU, 4 threads", 160)
    assert (cpu.init_ms, cpu.first_ms) == (20.283, 19.304)
    assert (cpu.statistic, cpu.steady_ms) == ("mean", 6.2735)
    assert (cpu.spread, cpu.low_ms, cpu.high_ms) == ("least to most", 6.137, 8.216)
    assert (gpu.device, gpu.statistic, gpu.steady_ms) == ("Pixel 8, GPU", "median", 3.988)
    assert (gpu.spread, gpu.low_ms, gpu.high_ms) == ("p5 to p95", 3.85, 4.302)
    assert gpu.init_ms == 812.4


def test_the_lines_are_found_in_a_phones_system_log(tmp_path):
    text = (FILES / "benchmark_model.txt").read_text()
    log = tmp_path / "logcat.txt"
    for encoding in ("utf-16", "utf-8-sig"):  # PowerShell's > writes the former
        log.write_text(text, encoding=encoding)
        assert read_phone(log) == read_phone(FILES / "benchmark_model.txt")
    lines = (line.replace("INFO: ", "", 1) for line in text.splitlines())
    log.write_text("\n".join(f"11-21 09:00:00.123  456  789 I tflite  : {x}" for x in lines))
    assert read_phone(log) == read_phone(FILES / "benchmark_model.txt")


def test_every_tools_json_is_read_as_what_it_says():
    (row,) = read_phone(FILES / "litert_benchmark.json")
    assert (row.file, row.device, row.runs) == ("portrait.tflite", "CPU", 50)
    assert (row.init_ms, row.first_ms, row.steady_ms) == (21.5, 8.25, 2.0)
    assert (row.low_ms, row.high_ms) == (1.85, 2.9)
    (row,) = read_phone(FILES / "xcresult_metrics.json")  # the clock alone
    assert (row.file, row.device) == ("SpeedTests/testPortrait()", "iPhone 15")
    assert row.steady_ms == pytest.approx(2.2)
    assert 2 <= row.low_ms < row.steady_ms < row.high_ms <= 3
    assert row.first_ms is None and row.runs == 5
    (row,) = read_phone(FILES / "mlmodel_benchmarker.json")
    assert (row.file, row.device, row.init_ms) == ("portrait.mlpackage", "iPhone 15", 42)
    assert (row.steady_ms, row.runs) == (2, 3)


@pytest.mark.parametrize("name", ["op_profile.txt", "op_profile.csv"])
def test_the_operations_of_regular_runs_are_read(name):
    profile = read_profile(FILES / name)
    assert [op.kind for op in profile.ops] == ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D"]
    both = {"CONV_2D": (2, pytest.approx(4.981)), "DEPTHWISE_CONV_2D": (1, 2.15)}
    assert profile.by_kind() == both and profile.total_ms == pytest.approx(7.131)
    assert profile.table().splitlines()[2].startswith("| CONV_2D | 2 | 4.981 | 70% |")
    assert len(plot_profile(profile).axes) == 2


def test_phones_stand_in_one_table_and_one_picture():
    rows = [row for path in sorted(FILES.glob("*.json")) for row in read_phone(path)]
    rows += read_phone(FILES / "benchmark_model.txt")
    lines = table(rows).splitlines()
    assert len(lines) == 2 + 5
    assert len({line.count("|") for line in lines}) == 1
    labels = [text.get_text() for text in plot_latency(rows).axes[0].get_yticklabels()]
    assert len(labels) == 5 and "iPhone 15" in labels[0] + labels[1] + labels[2]
    with pytest.raises(SeglibError, match="5 rows of times and 1 labels"):
        plot_latency(rows, ["one"])
    with pytest.raises(SeglibError, match="0 rows"):
        plot_latency([])


def test_the_command_shows_phones_beside_this_machine(tmp_path, capsys):
    command = ["benchmark", "--model", "portrait", "--runs", "3"]
    phone = ["--phone", str(FILES / "benchmark_model.txt")]
    picture = tmp_path / "times.svg"
    assert main([*command, *phone, "--figure", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert "this machine, CPU, 1 thread" in shown and "benchmark_model, GPU" in shown
    assert "<svg" in picture.read_text()
    assert main([*command, *phone, "--json"]) == 0
    ours, cpu, gpu = json.loads(capsys.readouterr().out)
    assert ours["file"] == cpu["file"] == gpu["file"] == "portrait.tflite"
    assert main([*command, "--phone", str(tmp_path / "absent.txt")]) == 2
    assert "absent.txt" in capsys.readouterr().err


def test_other_files_are_refused_by_name(tmp_path):
    broken = json.loads((FILES / "litert_benchmark.json").read_text())
    del broken["latency"]["median_ms"]
    cut = (FILES / "benchmark_model.txt").read_text()[:600]
    for name, content in {
        "empty.txt": "", "notes.txt": "no times", "cut.txt": cut, "list.json": "[]", "absent": None,
        "other.json": '{"a": 1}', "broken.json": json.dumps(broken), "wrong.json": "[1]",
    }.items():  # fmt: skip
        if content is not None:
            (tmp_path / name).write_text(content)
        for read in (read_phone, read_profile):
            with pytest.raises(SeglibError, match=name):
                read(tmp_path / name)


def test_the_live_demos_text_is_read() -> None:
    cpu, gpu = read_phone(FILES / "live_demo.txt", "mine")
    assert (cpu.file, cpu.device, cpu.runs) == ("hair_open", "mine, CPU, WebAssembly", 60)
    assert (cpu.init_ms, cpu.first_ms, cpu.steady_ms, cpu.high_ms) == (8.1, 98.3, 7.0, 10.4)
    assert (gpu.device, gpu.init_ms) == ("mine, GPU, WebGPU", 120)
