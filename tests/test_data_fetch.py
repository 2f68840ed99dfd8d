"""Fetching: every way a line, a server, a disk or a process can fail, and what is left then."""

import dataclasses
import hashlib
import io
import json
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faulty_server import COMMIT, serving, tar
from killing import kill_at_random
from seglib import SeglibError, data, notebook
from seglib.cli import main
from seglib.data import download, portraits, synthetic
from seglib.data.sources import catalogue
from seglib.data.sources.catalogue import MANIFEST, fetch, manifest, verify

FILES = {
    f"repo-{COMMIT}/data/Figaro1k/{name}": np.random.default_rng(i).bytes(40_000)
    for i, name in enumerate(("Training/a-org.jpg", "Training/a-gt.png", "b.bin"))
}
EXTRA = {f"repo-{COMMIT}/app.py": b"print()", f"repo-{COMMIT}/README.md": b"read me"}
ARCHIVE = tar({**FILES, **EXTRA})
QUICK = {"progress": False, "timeout": 2.0, "checksums": {}}
PAUSES = (0.01, 0.01, None)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SEGLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "_PAUSES", PAUSES)


@pytest.fixture
def no_photos(monkeypatch):
    monkeypatch.delenv("SEGLIB_DATA", raising=False)


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
    assert fetch(source(server), **QUICK) == folder and len(server.asked) == 1


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
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (folder / "notes.txt").read_text() == "mine" and not server.asked
    with pytest.raises(SeglibError, match="choose another place"):
        fetch(source(server), folder / "notes.txt" / "x", **QUICK)


@pytest.mark.parametrize(
    ("faults", "match", "requests"),
    [
        (["503", "503"], "", 3),
        (["cut", "cut"], "", 3),
        (["redirect"], "", 2),
        (["cut", "503"], "", 3),
        (["404"], "says 404", 1),
        (["503"] * 9, "says 503", 3),
        (["cut"] * 9, "the connection broke", 3),
        (["hang"], "is silent", 1),
        (["hang midway"], "is silent", 1),
        (["loop"], "the connection broke", None),
        (["cut unsaid"], "damaged, cut short", 1),
    ],
)
def test_what_may_pass_is_tried_again_and_the_rest_is_one_sentence(
    server, tmp_path, faults, match, requests
):
    server.faults, start = list(faults), time.monotonic()
    if match:
        fails(server, tmp_path / "x", match)
    else:
        assert_whole(fetch(source(server), tmp_path / "x", **QUICK))
    assert time.monotonic() - start < 15 and requests in (None, len(server.asked))
    server.faults = []
    assert_whole(fetch(source(server), tmp_path / "x", **QUICK))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_no_network_is_over_within_20_seconds(server, tmp_path, monkeypatch, no_photos):
    # Nobody at the address; a name that nobody knows; packets that nobody answers.
    server.shutdown()
    server.server_close()
    fails(server, tmp_path / "x", "127.0.0.1:.* cannot be reached")
    never = dataclasses.replace(source(server), address="https://nowhere.invalid/a.tar.gz")
    with pytest.raises(download.Unavailable, match="nowhere.invalid cannot be reached"):
        fetch(never, tmp_path / "x", progress=False)

    def silent(*_: object, **__: object) -> None:
        time.sleep(25)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    start = time.monotonic()
    with pytest.raises(download.Unavailable, match="check the network"):
        data.load("portraits")
    assert time.monotonic() - start < 20


def test_another_content_is_refused_and_leaves_nothing(server, tmp_path):
    folder, wrong = tmp_path / "deep/er/x", {"data/Figaro1k/b.bin": "0" * 64}
    assert "b.bin" in fails(server, folder, "not those expected", checksums=wrong)
    fails(server, folder, "not those expected", checksums={"absent.txt": "0" * 64})
    fails(server, folder, r"Frame0000\d-gt.png", checksums=None)
    for content, match in (
        (tar(FILES, commit="f" * 40), "holds commit fff"),
        (b"<html>please log in</html>", "neither a zip nor a tar"),
        (tar({"repo/other.txt": b"x"}), "none of"),
        (tar({**FILES, "repo/../../evil.txt": b"evil"}), "leads out"),
    ):
        server.content = content
        fails(server, folder, match)
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]
    server.content = ARCHIVE
    assert_whole(fetch(source(server), folder, **QUICK))


def test_sets_behind_an_agreement_say_what_to_do():
    for name, step in (("celebamask_hq", "agreement"), ("supervisely_person", "account")):
        with pytest.raises(SeglibError, match=f"1. .*{step}.*2. "):
            fetch(name)


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
    finally:
        subprocess.run(["umount", disk], check=True)


CHILD = """
import dataclasses, json, sys
from seglib.data import fetch
from seglib.data.sources import catalogue
changes, folder = json.loads(sys.argv[1]), sys.argv[2]
source = dataclasses.replace(catalogue.source("figaro1k"), **changes)
print("ready", flush=True)
fetch(source, folder, progress=False, checksums={})
"""


def test_killed_at_any_moment_and_two_at_once(server, tmp_path):
    server.pause = 0.02
    changes = json.dumps({"address": server.address, "commit": COMMIT[:7]})
    command = [sys.executable, "-c", CHILD, changes, str(tmp_path / "x")]
    chance = random.Random(5)
    for _ in range(3):
        kill_at_random(command, chance, 0.05, 0.5)
        if (tmp_path / "x").exists():
            assert_whole(tmp_path / "x")
    asked = len(server.asked)
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    assert_whole(tmp_path / "x")
    assert len(server.asked) <= asked + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]


@pytest.fixture
def published(server, monkeypatch, tmp_path, no_photos):
    """The repository of the portraits on a server of our own: other pictures, the same names."""
    lines = ["path,bytes,sha256"]
    for index in range(1, 101):
        colour = np.random.default_rng(index).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        picture = Image.fromarray(np.kron(colour, np.ones((100, 100, 1), np.uint8)))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG")
        path, content = f"500 x 500/{index:03d}.jpg", buffer.getvalue()
        server.files[f"/{path}"] = content
        lines.append(f"{path},{len(content)},{hashlib.sha256(content).hexdigest()}")
    (tmp_path / "assets").mkdir()
    for name in ("masks", "splits.csv", "dataset.json"):
        (tmp_path / "assets" / name).symlink_to(portraits.ASSETS / name)
    (tmp_path / "assets" / "manifest.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(portraits, "ASSETS", tmp_path / "assets")
    monkeypatch.setattr(portraits, "ADDRESS", f"http://127.0.0.1:{server.server_port}/")
    return server


def test_the_default_set_is_fetched_once_and_has_three_parts(published, capsys):
    parts = {split: data.load("portraits", split) for split in ("train", "val", "test")}
    assert [len(part) for part in parts.values()] == [55, 21, 24]
    assert len({stem for part in parts.values() for stem in part.stems}) == 100
    image, mask = parts["val"][0]
    assert image.shape == (500, 500, 3) and mask.shape == (500, 500) and mask.dtype == np.float32
    assert 0.1 < mask.mean() < 0.9 and parts["val"].info["licence"] == "CC0"
    assert len(published.asked) == 100 and "fetching" in capsys.readouterr().err
    assert main(["data", "fetch", "portraits"]) == 0 and len(published.asked) == 100
    with pytest.raises(SeglibError, match="no 'nose' masks; it has .*person"):
        data.load("portraits", kind="nose")
    with pytest.raises(SeglibError, match="use train, val, test or all"):
        data.load("portraits", "tests")


def test_a_broken_line_and_a_wrong_file_leave_the_photos_that_are_whole(published, tmp_path):
    published.faults = ["503", "cut", "ok", "404"]  # none has three at once, whoever asks first
    with pytest.raises(download.Unavailable, match="says 404"):
        data.load("portraits")
    right = published.files["/500 x 500/042.jpg"]
    published.files["/500 x 500/042.jpg"] = right[:-1] + b"x"
    with pytest.raises(SeglibError, match=r"042.jpg is not the file .*SHA-256"):
        data.load("portraits")
    assert not (tmp_path / "cache/prepared/portraits").exists()
    published.files["/500 x 500/042.jpg"] = right
    before = len(published.asked)
    assert len(data.load("portraits", "all")) == 100
    assert len(published.asked) - before < 100
    assert sorted(p.name for p in (tmp_path / "cache/prepared").iterdir()) == ["portraits"]


def test_photos_that_are_here_are_taken_at_their_size(real_data, monkeypatch):
    monkeypatch.setenv("SEGLIB_DATA", str(real_data))
    if not (real_data / "portraits").is_dir():
        pytest.skip("no portraits in SEGLIB_DATA")
    image, mask = data.load("portraits", "test")[3]
    assert image.shape == (640, 640, 3) and mask.shape == (640, 640)


def test_chapters_get_drawn_portraits_with_one_notice(no_photos, monkeypatch, capsys):
    monkeypatch.setattr(portraits, "ADDRESS", "http://127.0.0.1:9/")
    monkeypatch.setattr(notebook, "_missing", set())
    monkeypatch.setattr(synthetic, "_drawn", lambda split: synthetic.portraits(8, seed=1))
    drawn = notebook.load(size=48, count=5)
    assert (drawn.name, drawn.kind, len(drawn)) == ("synthetic", "person", 5)
    assert drawn[0][0].shape == (48, 48, 3) and drawn[0][1].shape == (48, 48)
    assert "drawn portraits stand in" in capsys.readouterr().out
    assert notebook.load("figaro1k", "test").kind == "hair"
    assert notebook.load("portraits", "val").name == "synthetic"
    assert capsys.readouterr().out == ""
    with pytest.raises(SeglibError, match="no source is called 'nothing'"):
        notebook.load("nothing")
    with pytest.raises(SeglibError, match="no masks of kind 'nose'"):
        notebook.load("portraits", kind="nose")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ccp_full", "person"), ("ccp_upper", "person"), ("eg1800", "person"), ("figaro1k", "hair"),
     ("lfw_hair", "hair")],
)  # fmt: skip
def test_real_files_from_the_archive_to_a_set(real_data, monkeypatch, name, kind):
    entry = catalogue.source(name)
    raw = real_data / "raw_samples" / entry.raw
    if not raw.is_dir():
        pytest.skip("no raw_samples in SEGLIB_DATA")
    commit = entry.commit.ljust(40, "0")
    assert catalogue.known_checksums(entry)
    files = {
        f"repo-{commit}/{path.relative_to(raw).as_posix()}": path.read_bytes()
        for path in raw.rglob("*")
        if path.is_file()
    }
    with serving(tar(files, commit)) as server:
        here = dataclasses.replace(entry, address=server.address)
        monkeypatch.setattr(catalogue, "entries", lambda: (here,))
        monkeypatch.delenv("SEGLIB_DATA")
        assert main(["data", "fetch", name]) == 0
        assert main(["data", "fetch", name]) == 0 and len(server.asked) == 1
    dataset = data.load(name, "all")
    assert dataset.kind == kind and len(dataset) >= 4
    for image, mask in dataset:
        assert image.shape[0] > 100 and 0.01 < mask.mean() < 0.9
    assert dataset.info["commit"] == commit and dataset.info["terms"] == entry.terms
