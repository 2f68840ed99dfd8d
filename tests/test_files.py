"""Files and folders appear whole or not at all, on a disk that is really full."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seglib import SeglibError
from seglib.files import atomic_path, new_folder


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A disk of 256 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_what_does_not_fit_leaves_the_old_file_and_nothing_else(disk):
    path = disk / "weights.h5"
    path.write_bytes(b"the old one")
    with pytest.raises(SeglibError, match="disk is full.*what stood there is unchanged"):
        with atomic_path(path) as temporary:
            temporary.write_bytes(bytes(300_000))
    assert path.read_bytes() == b"the old one"
    assert list(disk.iterdir()) == [path]


def test_room_is_asked_for_before_the_writer_begins(disk):
    path = disk / "weights.h5"
    path.write_bytes(b"the old one")
    begun = []
    with pytest.raises(SeglibError, match="disk is full"):
        with atomic_path(path, free_bytes=300_000) as temporary:
            begun.append(temporary)
    assert not begun and path.read_bytes() == b"the old one"
    assert list(disk.iterdir()) == [path]
    # What fits is written, and is no longer than what the writer wrote.
    with atomic_path(path, free_bytes=200_000) as temporary:
        temporary.write_bytes(bytes(150_000))
    assert path.read_bytes() == bytes(150_000)


def test_a_folder_that_does_not_fit_leaves_nothing(disk):
    with pytest.raises(SeglibError, match="disk is full.*free some space"):
        with new_folder(disk / "set") as folder:
            for index in range(4):
                (folder / f"{index}.bin").write_bytes(bytes(100_000))
    assert not list(disk.iterdir())


def test_a_file_in_a_new_folder_is_called_by_the_name_it_was_to_have(disk):
    with pytest.raises(SeglibError, match=f"disk is full: {disk}/set/masks/1.png was not"):
        with new_folder(disk / "set") as folder:
            with atomic_path(folder / "masks" / "1.png") as temporary:
                temporary.write_bytes(bytes(300_000))
    assert not list(disk.iterdir())


def test_results_carry_the_permissions_of_new_files_and_folders(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with atomic_path(tmp_path / "new.txt") as temporary:
        temporary.write_text("new")
    with new_folder(tmp_path / "new"):
        pass
    for usual, new in (("file", "new.txt"), ("folder", "new")):
        assert (tmp_path / usual).stat().st_mode == (tmp_path / new).stat().st_mode


def test_a_full_disk_costs_neither_the_old_weights_nor_the_process(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a small disk")
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
    try:
        done = subprocess.run([sys.executable, "-c", code, disk], capture_output=True, text=True)
        assert done.returncode == 7, done.stderr[-2000:]
        assert sorted(file.name for file in disk.iterdir()) == ["a.json", "a.weights.h5", "filler"]
    finally:
        subprocess.run(["umount", disk], check=True)
