"""Files and folders: whole or not at all on a full disk, listed without clutter, read as UTF-8."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from seglib import SeglibError, files
from seglib.files import atomic_path, new_folder

PACKAGE = Path(files.__file__).parent


@pytest.fixture
def disk(tmp_path, request) -> Iterator[Path]:
    """A disk of 256 KB, or of the size that a test asks for."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = f"size={getattr(request, 'param', '256k')}"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", disk]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("asked", [0, 300_000])
def test_what_does_not_fit_leaves_the_old_file_and_nothing_else(disk, asked):
    path, begun = disk / "weights.h5", []
    path.write_bytes(b"the old one")
    with pytest.raises(SeglibError, match="disk is full.*what stood there is unchanged"):
        with atomic_path(path, free_bytes=asked) as temporary:
            begun.append(temporary)
            temporary.write_bytes(bytes(300_000))
    assert path.read_bytes() == b"the old one"
    assert list(disk.iterdir()) == [path]
    assert len(begun) == (asked == 0), "room is asked for before the writer begins"
    # What fits is written, and is no longer than what the writer wrote.
    with atomic_path(path, free_bytes=200_000) as temporary:
        temporary.write_bytes(bytes(150_000))
    assert path.read_bytes() == bytes(150_000)


@pytest.mark.parametrize(("name", "called"), [(None, "set"), ("masks/1.png", "set/masks/1.png")])
def test_a_folder_that_does_not_fit_leaves_nothing_and_is_called_by_its_own_name(
    disk, name, called
):
    message = f"disk is full: {disk}/{called} was not.*free some space"
    with pytest.raises(SeglibError, match=message), new_folder(disk / "set") as folder:
        with atomic_path(folder / name) if name else nullcontext(folder / "1.bin") as file:
            file.write_bytes(bytes(300_000))
    assert not list(disk.iterdir())


def test_hidden_and_system_entries_are_not_listed(tmp_path):
    names = ["b.PNG", "a.png", "ä.Png", "c.jpg", ".DS_Store", "._a.png", "Thumbs.db", "desktop.ini"]
    for name in (*names, "~$notes.docx"):
        (tmp_path / name).touch()
    for name in ("hair", "person", ".ipynb_checkpoints", "__MACOSX", "folder.png"):
        (tmp_path / name).mkdir()
    listed = [path.name for path in files.list_files(tmp_path)]
    assert listed == ["a.png", "b.PNG", "c.jpg", "ä.Png"]
    listed = [path.name for path in files.list_files(str(tmp_path), {".png"})]
    assert listed == ["a.png", "b.PNG", "ä.Png"]
    assert [path.name for path in files.list_folders(tmp_path)] == ["folder.png", "hair", "person"]
    for place in (tmp_path / "absent", tmp_path / "a.png"):
        with pytest.raises(SeglibError, match=f"no folder {place}"):
            files.list_files(place)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_in_every_marked_encoding(tmp_path, encoding):
    path = tmp_path / "split.csv"
    path.write_bytes("stem,split\r\nZoë,train\n".encode(encoding))
    assert files.read_text(path) == "stem,split\nZoë,train\n"


def test_what_is_no_text_is_one_sentence(tmp_path):
    path = tmp_path / "split.csv"
    path.write_bytes("Zoë".encode("latin-1"))
    for place, word in ((path, "0xeb in position 2"), (tmp_path, "cannot read"), ("x", "no file")):
        with pytest.raises(SeglibError, match=word) as caught:
            files.read_text(place)
        assert str(place) in str(caught.value) and "\n" not in str(caught.value)


def test_no_line_of_the_package_reads_or_writes_text_in_the_locales_encoding():
    calls = [
        (f"{path.relative_to(PACKAGE)}:{node.lineno}", node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(files.read_text(path)))
        if isinstance(node, ast.Call)
    ]
    assert [place for place, call in calls if _is_text(call)] == []


def _is_text(call: ast.Call) -> bool:
    """Return whether a call reads or writes text, or hears a child process, in no encoding."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    options = {keyword.arg for keyword in call.keywords}
    modes = {arg.value for arg in call.args if isinstance(arg, ast.Constant)}
    text = name == "write_text" or (name == "read_text" and not call.args)
    if name in ("open", "fdopen"):
        text = bool(modes & {"w", "r", "a", "x"}) or "newline" in options
    if name in ("run", "Popen", "check_output"):
        text = bool(options & {"text", "universal_newlines", "errors"})
    return text and "encoding" not in options


def test_the_commands_know_names_in_every_language_and_no_locale(tmp_path):
    """What is written in UTF-8 is not read back in the locale's encoding."""
    code = """
import sys, warnings
from pathlib import Path
import numpy as np
import seglib
from seglib.cli import main

warnings.filterwarnings("error", category=EncodingWarning, module=r"seglib\\b")
here = Path(sys.argv[1])
photo = seglib.images.resize(seglib.sample_photo(), (48, 48))
mask = np.float32(np.hypot(*(np.mgrid[:48, :48] - 24)) < 15)
for i in range(12):
    seglib.write_image(here / f"raw/images/Zoë {i}.png", np.roll(photo, i, 1))
    seglib.images.write_mask(here / f"raw/masks/Zoë {i}.png", np.roll(mask, i, 1))
def run(command, *options):
    assert main([*command.split(), *map(str, options)]) in (0, 1), command
run("data prepare folder --raw", here / "raw", "--output", here / "set")
splits = here / "set/splits.csv"
assert "Zoë 3" in splits.read_text(encoding="utf-8")
splits.write_bytes(b"\\xef\\xbb\\xbf" + splits.read_bytes())  # as spreadsheets do
run("data doctor", here / "set", "--html", here / "page.html")
run("data export --to csv", here / "set", "--output", here / "table.csv")
train = "train --size 32 --width 0.1 --epochs 1 --batch-size 4 --data"
run(train, here / "set", "--output", here / "run", "--sbatch", here / "job.sbatch")
run(train, here / "set", "--output", here / "run")
run("convert --model", here / "run/model.weights.h5", "--output", here / "net.tflite")
run("eval --split val --data", here / "set", "--model", here / "net.tflite")
"""
    command = [sys.executable, "-X", "warn_default_encoding", "-c", code, tmp_path]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]


def test_results_carry_the_permissions_of_new_files_and_folders(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with atomic_path(tmp_path / "new.txt") as temporary:
        temporary.write_text("new", encoding="utf-8")
    with new_folder(tmp_path / "new"):
        pass
    for usual, new in (("file", "new.txt"), ("folder", "new")):
        assert (tmp_path / usual).stat().st_mode == (tmp_path / new).stat().st_mode


@pytest.mark.parametrize("disk", ["4m"], indirect=True)
def test_a_full_disk_costs_neither_the_old_weights_nor_the_process(disk):
    # In a process of its own: HDF5 would take this one down.
    code = """
import sys
from pathlib import Path
import seglib
from seglib import models
config = models.UNetConfig(size=32, width=0.1, decoder_channels=(8, 8, 8, 8))
model, path = models.from_config(config), Path(sys.argv[1], "a.weights.h5")
old = models.save(model, config, path).read_bytes()
Path(sys.argv[1], "filler").write_bytes(bytes(4 * 2**20 - len(old) - 100_000))
try:
    models.save(model, config, path)
except seglib.SeglibError as error:
    assert "disk is full" in str(error), error
    sys.exit(7 if path.read_bytes() == old else 8)
"""
    done = subprocess.run([sys.executable, "-c", code, disk], capture_output=True, text=True)
    assert done.returncode == 7, done.stderr[-2000:]
    assert sorted(file.name for file in disk.iterdir()) == ["a.json", "a.weights.h5", "filler"]
