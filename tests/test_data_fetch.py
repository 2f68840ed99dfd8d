"""Fetching: every way a line, a server, a disk or a process can fail, and what is left then."""

import dataclasses
import errno
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from faulty_server import COMMIT, serving, tar
from killing import kill_at_random
from seglib import SeglibError, data
from seglib.data.sources import _unfinished, catalogue, download
from seglib.data.sources.fetch import MANIFEST, fetch, manifest, verify

FILES = {
    f"repo-{COMMIT}/data/Figaro1k/{name}": np.random.default_rng(i).bytes(40_000)
    for i, name in enumerate(("Training/a-org.jpg", "Training/a-gt.png", "b.bin"))
}
EXTRA = {f"repo-{COMMIT}/app.py": b"print()", f"repo-{COMMIT}/README.md": b"read me"}
ARCHIVE = tar({**FILES, **EXTRA})
QUICK = {"progress": False, "backoff": 0.01, "timeout": 5.0, "tries": 3, "checksums": {}}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SEGLIB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server():
    with serving(ARCHIVE) as running:
        yield running


def source(server, **changes) -> data.Source:
    known = catalogue.source("figaro1k")
    given = {"address": server.address, "commit": COMMIT[:7], **changes}
    return dataclasses.replace(known, **given)


def assert_whole(folder: Path) -> None:
    for name, content in FILES.items():
        assert (folder / name.split("/", 1)[1]).read_bytes() == content
    assert verify(folder) == []


def fails(server, folder: Path, match: str, **options) -> str:
    with pytest.raises(SeglibError, match=match) as caught:
        fetch(source(server), folder, **{**QUICK, **options})
    assert not folder.exists()
    return str(caught.value)


def test_a_set_arrives_whole_with_a_manifest_and_is_not_fetched_twice(server, tmp_path):
    folder = fetch(source(server), **QUICK)
    assert folder == tmp_path / "cache" / "raw" / "hairseg"
    assert_whole(folder)
    found = manifest(folder)
    assert found["commit"] == COMMIT and "research" in found["terms"]
    assert (folder / "README.md").exists() and not (folder / "app.py").exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["hairseg"]
    assert fetch(source(server), **QUICK) == folder and len(server.ranges) == 1


def test_a_changed_or_missing_file_is_noticed_later(server, tmp_path):
    folder = fetch(source(server), tmp_path / "x", **QUICK)
    (folder / "data/Figaro1k/b.bin").write_bytes(b"changed")
    (folder / "data/Figaro1k/Training/a-gt.png").unlink()
    assert len(verify(folder)) == 2
    with pytest.raises(SeglibError, match="2 files differ .*is missing.* fetch again"):
        fetch(source(server), folder, **QUICK)
    (folder / MANIFEST).write_text("{")
    with pytest.raises(SeglibError, match="damaged"):
        verify(folder)


def test_a_folder_of_the_users_own_is_left_alone(server, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(SeglibError, match="no complete fetch"):
        fetch(source(server), folder, **QUICK)
    assert (folder / "notes.txt").read_text() == "mine" and not server.ranges


def test_a_lost_page_is_reported_at_once(server, tmp_path):
    server.faults = ["404"] * 9
    assert "by hand" in fails(server, tmp_path / "x", "gone .404.")
    assert len(server.ranges) == 1


def test_an_overloaded_server_is_asked_again(server, tmp_path):
    server.faults = ["503", "503"]
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))
    assert len(server.ranges) == 3


def test_waiting_doubles_with_each_try(server, tmp_path):
    server.faults = ["503"] * 4
    waits = []
    get = download.Download(tmp_path / "part", 5, 5, 1.0, False, sleep=waits.append)
    get(server.address, str(tmp_path / "whole"), None)
    assert waits == [1, 2, 4, 8] and (tmp_path / "whole").read_bytes() == ARCHIVE


def test_a_cut_download_goes_on_where_it_stopped(server, tmp_path):
    server.faults = ["cut", "cut"]
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))
    starts = [int(asked[6:-1]) for asked in server.ranges[1:]]
    assert server.ranges[0] is None and len(ARCHIVE) // 4 < starts[0] < starts[1]


def test_halves_of_two_contents_are_not_glued_together(server, tmp_path):
    old = tar({name: bytes(40_000) for name in FILES})
    server.content, server.faults = old + bytes(len(ARCHIVE)), ["cut"]

    def renew(_seconds: float) -> None:
        server.content, server.tag = ARCHIVE, '"two"'

    get = download.Download(tmp_path / "part", 3, 5, 0.01, False, sleep=renew)
    get(server.address, str(tmp_path / "whole"), None)
    assert (tmp_path / "whole").read_bytes() == ARCHIVE


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.faults = ["cut", "no ranges"]
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))


def test_a_line_that_breaks_for_good_leaves_its_part_for_the_next_call(server, tmp_path):
    server.faults = ["cut", "hang midway", "hang", "hang", "hang"]
    message = fails(server, tmp_path / "x", "in 3 tries", timeout=0.3)
    assert "same command again" in message and "are kept" in message
    asked = len(server.ranges)
    server.faults = []
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))
    assert int(server.ranges[asked][6:-1]) > len(ARCHIVE) // 2


def test_silence_ends_in_an_error(server, tmp_path):
    server.faults = ["hang", "hang"]
    start = time.monotonic()
    fails(server, tmp_path / "x", "server is silent", timeout=0.3, tries=2)
    assert time.monotonic() - start < 10


def test_a_redirect_is_followed_and_a_circle_is_not(server, tmp_path):
    server.faults = ["redirect"]
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))
    server.faults = ["loop"]
    fails(server, tmp_path / "y", "in circles")


def test_nobody_at_the_address(server, tmp_path):
    server.shutdown()
    server.server_close()
    fails(server, tmp_path / "x", "check the connection", tries=2)


def test_an_archive_that_ends_early_without_saying_so(server, tmp_path):
    server.faults = ["cut unsaid"]
    fails(server, tmp_path / "x", "damaged, cut short")
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))


def test_a_wrong_checksum_is_refused(server, tmp_path):
    wrong = {"data/Figaro1k/b.bin": "0" * 64}
    message = fails(server, tmp_path / "x", "not those expected", checksums=wrong)
    assert "b.bin" in message
    fails(server, tmp_path / "x", "not those expected", checksums={"absent.txt": "0" * 64})
    fails(server, tmp_path / "x", r"Frame0000\d-gt.png", checksums=None)
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))


def test_another_commit_or_another_archive_is_refused(server, tmp_path):
    server.content = tar(FILES, commit="f" * 40)
    fails(server, tmp_path / "x", "holds commit fff")
    server.content = b"<html>please log in</html>"
    fails(server, tmp_path / "x", "neither a zip nor a tar")
    server.content = tar({"repo/other.txt": b"x"})
    fails(server, tmp_path / "x", "none of")


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "repo/../../evil.txt"])
def test_an_archive_that_reaches_out_leaves_nothing(server, tmp_path, name):
    server.content = tar({**FILES, name: b"evil"})
    folder = tmp_path / "deep" / "er" / "x"
    fails(server, folder, "leads out")
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]
    assert not Path("/tmp/evil.txt").exists()


def test_sets_behind_an_agreement_say_what_to_do():
    for name, step in (("celebamask_hq", "agreement"), ("supervisely_person", "account")):
        with pytest.raises(SeglibError, match=f"1. .*{step}.*2. "):
            fetch(name)


class FullDisk:
    """A file on a disk that has `left` bytes left."""

    def __init__(self, file, left: int) -> None:
        self.file, self.left = file, left

    def __enter__(self):
        return self

    def __exit__(self, *_error: object) -> None:
        self.file.close()

    def write(self, chunk: bytes) -> None:
        if len(chunk) > self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= self.file.write(chunk)


def test_a_disk_that_fills_up_while_fetching(server, tmp_path, monkeypatch):
    def full(path: Path, mode: str) -> FullDisk:
        return FullDisk(open(path, mode), 70_000)

    with monkeypatch.context() as patch:
        patch.setattr(download, "open", full, raising=False)
        message = fails(server, tmp_path / "x", "disk is full")
    assert "goes on where it stopped" in message
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))
    assert int(server.ranges[-1][6:-1]) > 60_000


def test_a_real_small_disk(server, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    # Room for the archive and a third of its files.
    options = f"size={(len(ARCHIVE) + 50_000) // 1024}k"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this user cannot mount a small disk")
    try:
        fails(server, disk / "x", "disk is full")
        subprocess.run(["mount", "-o", "remount,size=9m", disk], check=True)
        assert_whole(fetch(source(server), disk / "x", **QUICK))
        assert len(server.ranges) == 1
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_place_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SeglibError, match="choose another place"):
        fetch(source(server), tmp_path / "file" / "x", **QUICK)


def test_two_at_once_do_not_mix(server, tmp_path, monkeypatch):
    monkeypatch.setattr(_unfinished, "_PATIENCE", 0.0)
    with _unfinished.owned(tmp_path / "x"):
        fails(server, tmp_path / "x", "another process")
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))


CHILD = """
import dataclasses, json, sys
from seglib.data import fetch
from seglib.data.sources import catalogue
changes, folder = json.loads(sys.argv[1]), sys.argv[2]
source = dataclasses.replace(catalogue.source("figaro1k"), **changes)
print("ready", flush=True)
fetch(source, folder, progress=False, backoff=0.01, checksums={})
"""


def test_killed_at_any_moment_and_run_again(server, tmp_path):
    server.pause = 0.02
    changes = json.dumps({"address": server.address, "commit": COMMIT[:7]})
    command = [sys.executable, "-c", CHILD, changes, str(tmp_path / "x")]
    chance = random.Random(5)
    for _ in range(3):
        kill_at_random(command, chance, 0.05, 0.5)
        if (tmp_path / "x").exists():
            assert_whole(tmp_path / "x")
    server.pause = 0.0
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]


@pytest.mark.parametrize(
    ("name", "kind"), [("ccp_upper", "person"), ("eg1800", "person"), ("lfw_hair", "hair")]
)
def test_real_files_from_the_archive_to_a_set(real_data, tmp_path, name, kind):
    entry = catalogue.source(name)
    raw = real_data / "raw_samples" / entry.raw
    if not raw.is_dir():
        pytest.skip("no raw_samples in SEGLIB_DATA")
    commit = entry.commit.ljust(40, "0")
    files = {
        f"repo-{commit}/{path.relative_to(raw).as_posix()}": path.read_bytes()
        for path in raw.rglob("*")
        if path.is_file()
    }
    with serving(tar(files, commit)) as server:
        here = dataclasses.replace(entry, address=server.address)
        known = catalogue.known_checksums(entry)
        assert (
            known.items() <= manifest(fetch(here, progress=False, checksums=known))["files"].items()
        )
    folder = data.prepare(here, size=128, progress=False)
    dataset = data.open_folder(folder)
    assert dataset.kind == kind and len(dataset) >= 4 and folder.parent.name == "prepared"
    assert dataset.info["commit"] == commit and dataset.info["terms"] == entry.terms
