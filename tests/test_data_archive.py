"""Unpacking what others packed: nothing leaves the folder, nothing fills the disk."""

import contextlib
import io
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faulty_server import link, tar
from seglib import SeglibError
from seglib.data.sources import catalogue
from seglib.data.sources.catalogue import unpack


def packed(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            made.writestr(info, target)
    return buffer.getvalue()


def refuse(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "given.bin"
    path.write_bytes(content)
    inside = tmp_path / "out" / "target"
    shutil.rmtree(inside, ignore_errors=True)
    with pytest.raises(SeglibError, match=match):
        unpack(path, inside)
    strangers = [p for p in tmp_path.rglob("*") if p.is_file() and inside not in p.parents]
    assert strangers == [path]


OUT = ["../x", "a/../../x", "/x", "/etc/x", "C:/x", "a\\..\\..\\x", "..", "a/.."]


@pytest.mark.parametrize("name", OUT)
def test_names_that_lead_out(tmp_path, name):
    refuse(tmp_path, tar({"good": b"1", name: b"2"}), "leads out of the folder")
    if "\\" not in name:  # zipfile itself turns a backslash into a slash on writing
        refuse(tmp_path, packed({"good": b"1", name: b"2"}), "leads out of the folder")


def test_links_and_devices_are_never_made(tmp_path):
    path = tmp_path / "a.tar.gz"
    for target in ("a", "../d/a", "/etc/passwd", "../../x"):
        entries = {"d/a": b"1", "d/l": link("d/l", target)}
        entries["d/h"] = link("d/h", target, tarfile.LNKTYPE)
        entries |= {k: link(k, "", kind) for k, kind in (("c", tarfile.CHRTYPE), ("f", b"6"))}
        # The way in through a link: the file behind it lands in a plain folder.
        entries |= {"out": link("out", ".."), "out/x": b"2"}
        for content in (tar(entries), packed({"d/a": b"1", "out/x": b"2"}, {"d/l": target})):
            path.write_bytes(content)
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
            unpack(path, tmp_path / "out")
            found = [p for p in tmp_path.rglob("*") if not p.is_dir() or p.is_symlink()]
            assert {*found} == {path, tmp_path / "out/d/a", tmp_path / "out/out/x"}
            assert not any(p.is_symlink() for p in found)


def test_bombs(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "_ALWAYS_ALLOWED", 1 << 20)
    zeros = bytes(8 << 20)
    for content in (tar({"z": zeros}), packed({"z": zeros})):
        refuse(tmp_path, content, "fill the disk")
    # Both headers of the only file say 10 bytes; a megabyte is inside.
    content = bytearray(packed({"z": bytes(1 << 20)}))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + place, 10)
    refuse(tmp_path, bytes(content), "damaged")
    written = tmp_path / "out" / "target" / "z"
    assert not written.exists() or written.stat().st_size <= 10


def test_two_files_of_one_name(tmp_path):
    refuse(tmp_path, tar({"a": b"1", "./a": b"2"}), "twice")
    refuse(tmp_path, tar({"a": b"1", "A": b"2"}), "twice")
    refuse(tmp_path, tar({"a": b"1", "a/b": b"2"}), "damaged")


def test_damaged_cut_locked_and_other_files(tmp_path):
    whole = tar({"a": bytes(range(256)) * 999})
    refuse(tmp_path, whole[: len(whole) // 2], "get it again")
    refuse(tmp_path, whole[:-9], "get it again|cut short")
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 255
    refuse(tmp_path, bytes(broken), "get it again")
    refuse(tmp_path, b"", "neither a zip nor a tar")
    refuse(tmp_path, b"<html>", "neither a zip nor a tar")
    spoiled = bytearray(packed({"a": b"secret" * 50}))
    spoiled[spoiled.index(b"PK\x03\x04") + 6] |= 1
    spoiled[spoiled.index(b"PK\x01\x02") + 8] |= 1
    refuse(tmp_path, bytes(spoiled), "locked")


def test_only_what_is_wanted_and_without_the_outer_folder(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(packed({"repo/photos/a.jpg": b"1", "repo/code.py": b"2", "repo/b/c": b"3"}))
    assert unpack(path, tmp_path / "out", ["photos/*"], 1) == ""
    assert [p for p in tmp_path.glob("out/**/*") if p.is_file()] == [tmp_path / "out/photos/a.jpg"]


NAMES = st.text(alphabet="ab./\\:~", min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4))
def test_no_name_whatever_leaves_the_folder(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("any")
    path = root / "a.tar"
    path.write_bytes(tar(dict.fromkeys(names, b"x")))
    inside = root / "deep" / "out"
    with contextlib.suppress(SeglibError):
        unpack(path, inside)
    assert all(p == path or inside in p.parents for p in root.rglob("*") if p.is_file())
