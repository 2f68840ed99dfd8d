"""Preparing: the one format from any source, whole or not at all, and out of it again."""

import errno
import os
import random
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import seglib.files
from killing import kill_at_random
from seglib import SeglibError, data, images
from seglib.cli import main
from seglib.data import duplicates
from seglib.data.dataset import read_splits
from seglib.data.sources.generic import Pair
from seglib.data.sources.prepare import assign_splits

QUIET = {"progress": False, "workers": 1}


def scene(seed: int, height: int = 48, width: int = 36) -> np.ndarray:
    """A picture of coarse blocks, which keeps its looks through JPEG and resizing."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((4, 4, 1), np.uint8))


def tree(root: Path, count: int = 12, suffix: str = ".jpg") -> Path:
    """Own photos: images/ and masks/, 0 and 255."""
    (root / "images").mkdir(parents=True)
    for index in range(count):
        Image.fromarray(scene(index)).save(root / "images" / f"p{index:03d}{suffix}")
        mask = np.zeros((48, 36), np.float32)
        mask[8:30, 4 : 20 + index % 8] = 1
        images.write_mask(root / "masks" / f"p{index:03d}.png", mask)
    return root


MARKS = np.zeros((48, 36), bool)
MARKS[8:30, 4:20] = True


def hold(folder: Path, photos: np.ndarray, masks: np.ndarray, *names: str) -> Path:
    """Arrays as people keep them."""
    folder.mkdir(exist_ok=True)
    for name, array in zip(names or ("images.npy", "masks.npy"), (photos, masks), strict=True):
        np.save(folder / name, array, allow_pickle=True)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def prepare(raw: Path, output: Path, name: str = "folder", **options) -> data.Dataset:
    return data.open_folder(data.prepare(name, raw, output, **{**QUIET, **options}))


def test_a_folder_becomes_a_set_that_is_clean_and_can_be_prepared_again(tmp_path):
    raw = tree(tmp_path / "raw")
    dataset = prepare(raw, tmp_path / "out", kind="hair", val_share=0.4)
    assert (dataset.kind, len(dataset)) == ("hair", 12)
    assert data.validate(tmp_path / "out") == []
    assert dataset.info["counts"] == {"train": 6, "val": 5, "test": 1}
    assert len(dataset.info["list_sha256"]) == 64
    first = (tmp_path / "out/images/p000.jpg").read_bytes()
    assert first == (raw / "images/p000.jpg").read_bytes()
    prepare(tmp_path / "out", tmp_path / "small", kind="hair", size=24)
    names = [(tmp_path / name / "splits.csv").read_text() for name in ("out", "small")]
    assert names[0] == names[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw", "small"]


def test_the_user_finds_prepared_sets_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEGLIB_DATA", raising=False)
    for call in (data.load, data.prepare):
        with pytest.raises(SeglibError, match="seglib data fetch figaro1k"):
            call("figaro1k")
    raw = tmp_path / "raw/Figaro1k"
    (raw / "Original/Training").mkdir(parents=True)
    for stem in ("Frame00001", "Frame00002", "Frame00003", "Frame00004"):
        Image.fromarray(scene(int(stem[-1]))).save(raw / f"Original/Training/{stem}-org.jpg")
        images.write_mask(raw / f"GT/Training/{stem}-gt.png", np.eye(48, 36, dtype=np.float32))
    data.prepare("figaro1k", tmp_path / "raw", progress=False)
    assert data.load("figaro1k", "all").kind == "hair" and len(data.load("figaro1k", "all")) == 4


def test_photos_shrink_and_masks_get_soft_edges(tmp_path):
    dataset = prepare(tree(tmp_path / "raw", suffix=".png"), tmp_path / "out", size=24)
    image, mask = dataset[0]
    assert image.shape == (24, 18, 3) and mask.shape == (24, 18)
    expected = images.resize(data.open_folder(tmp_path / "raw")[0][1], (24, 18))
    np.testing.assert_allclose(mask, expected, atol=0.5 / 255 + 1e-6)
    whole = prepare(tmp_path / "raw", tmp_path / "whole", size=999)
    np.testing.assert_array_equal(whole[0][0], scene(0))


def test_turned_grey_and_transparent_photos_come_out_plain(tmp_path):
    raw = tree(tmp_path / "raw", 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene(9, 36, 48)).save(raw / "images/p000.jpg", exif=exif)
    Image.fromarray(scene(9)).convert("L").save(raw / "images/p001.jpg")
    (raw / "images/p002.jpg").unlink()
    Image.fromarray(scene(9)).convert("RGBA").save(raw / "images/p002.png")
    dataset = prepare(raw, tmp_path / "out")
    for index, path in enumerate(sorted((tmp_path / "out/images").iterdir())):
        with Image.open(path) as picture:
            assert picture.mode == "RGB" and picture.getexif().get(0x0112, 1) == 1
            assert picture.size == (36, 48) and dataset[index][0].shape == (48, 36, 3)


def break_raw(raw: Path) -> None:
    cut = raw / "images/p000.jpg"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    images.write_mask(raw / "masks/p001.png", np.ones((9, 9), np.float32))
    Image.fromarray(np.full((48, 36), 7, np.uint8)).save(raw / "masks/p002.png")
    (raw / "masks/p003.png").unlink()
    (raw / "images/p004.jpg").unlink()


def test_all_bad_pairs_are_named_at_once_or_left_out_and_noted(tmp_path):
    raw = tree(tmp_path / "raw")
    break_raw(raw)
    with pytest.raises(SeglibError, match="5 of 12 pairs cannot be used") as caught:
        prepare(raw, tmp_path / "out")
    for words in ["p000.jpg is", "9x9", "class numbers", "p003.jpg has no mask", "p004.png"]:
        assert words in str(caught.value)
    assert not (tmp_path / "out").exists()
    dataset = prepare(raw, tmp_path / "out", skip_bad=True)
    assert dataset.stems == tuple(f"p{index:03d}" for index in range(5, 12))
    skipped = {row["stem"]: row["reason"] for row in dataset.info["skipped"]}
    assert sorted(skipped) == ["p000", "p001", "p002", "p003", "p004"]
    assert data.validate(tmp_path / "out") == []


def test_nothing_usable_is_an_error_and_an_existing_folder_is_not_touched(tmp_path):
    raw = tree(tmp_path / "raw", 2)
    before = content(raw)
    with pytest.raises(SeglibError, match="exists already"):
        prepare(raw, raw)
    assert content(raw) == before
    for path in (raw / "images").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(SeglibError, match="none of the 2 pairs"):
        prepare(raw, tmp_path / "out", skip_bad=True)


@pytest.mark.parametrize(
    ("options", "match"),
    [({"size": 3}, "size is 3"), ({"val_share": 0}, "val_share"), ({"workers": 0}, "workers"),
     ({"kind": "a/b"}, "one word")],
)  # fmt: skip
def test_wrong_options(tmp_path, options, match):
    with pytest.raises(SeglibError, match=match):
        prepare(tree(tmp_path / "raw", 2), tmp_path / "out", **options)


def test_folders_of_splits_and_several_kinds(tmp_path):
    for split in ("train", "val"):
        tree(tmp_path / "raw" / split, 4)
        masks = tmp_path / "raw" / split / "masks"
        for kind in ("hair", "person"):
            (masks / kind).mkdir()
            for path in masks.glob("*.png"):
                (masks / kind / path.name).write_bytes(path.read_bytes())
        for path in masks.glob("*.png"):
            path.unlink()
    # The same four photos are in both folders: copies across splits, brought to one side.
    dataset = prepare(tmp_path / "raw", tmp_path / "out")
    assert dataset.info["kinds"] == ["hair", "person"]
    assert dataset.info["counts"] == {"train": 4, "val": 2, "test": 2}
    assert dataset.info["moved"]["to train"]["val-p001"] == "train-p001"
    places = dict(read_splits(tmp_path / "out/splits.csv"))
    assert all(places[f"val-p00{i}"] == places[f"train-p00{i}"] for i in range(4))


def test_arrays_of_the_older_projects_come_in_and_go_out(tmp_path):
    photos = np.stack([scene(i, 32, 32) for i in range(5)])
    masks = np.zeros((5, 32, 32, 1), np.uint8)
    masks[:, 4:20, 6:20] = 1
    hold(tmp_path / "raw", photos, masks, "img_uint8.npy", "msk_uint8.npy")
    dataset = prepare(tmp_path / "raw", tmp_path / "out", "numpy", kind="person")
    assert dataset.kind == "person"
    np.testing.assert_array_equal(dataset[3][0], photos[3])
    np.testing.assert_array_equal(dataset[3][1], masks[3, ..., 0])
    folder = data.to_numpy(tmp_path / "out", tmp_path / "npy", progress=False)
    np.testing.assert_array_equal(np.load(folder / "images.npy"), photos)
    np.testing.assert_array_equal(np.load(folder / "masks.npy"), masks[..., 0] * 255)
    assert (folder / "stems.csv").read_text().startswith("stem,split\n000000,")
    again = prepare(folder, tmp_path / "again", "numpy", kind="person")
    np.testing.assert_array_equal(again[3][1], dataset[3][1])
    small = data.to_numpy(tmp_path / "out", tmp_path / "small", size=16, progress=False)
    assert np.load(small / "images.npy").shape == (5, 16, 16, 3)


@pytest.mark.parametrize(
    ("photos", "masks", "match"),
    [
        (np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8), np.uint8), "count, height"),
        (np.zeros((2, 8, 8, 3), np.uint8), np.zeros((3, 8, 8), np.uint8), "are expected"),
        (np.full((2, 8, 8, 3), -1.5), np.zeros((2, 8, 8)), "before any normalisation"),
        (np.zeros((2, 8, 8, 3)), np.full((2, 8, 8), 7, np.uint8), "class numbers"),
        (np.zeros((2, 8, 8, 3)), np.full((2, 8, 8), -3), "values from -3 to -3"),
        (np.zeros((2, 8, 8, 3)), np.array([object()] * 2), "holds no plain numbers"),
        *(
            (
                np.zeros((3, 8, 8, 3)),
                np.resize(np.uint8(open_), (3, 8, 8)),
                "masks.npy holds .*class",
            )
            for open_ in ([0, 1, 255], [0, 2], [0, 1, 2])
        ),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, photos, masks, match):
    with pytest.raises(SeglibError, match=match):
        prepare(hold(tmp_path / "raw", photos, masks), tmp_path / "out", "numpy")


def test_a_csv_of_paths_comes_in_and_goes_out(tmp_path):
    raw = tree(tmp_path / "raw", 6)
    lines = [
        f"raw/images/p{i:03d}.jpg,raw/masks/p{i:03d}.png,{'test' if i > 3 else 'train'}"
        for i in range(6)
    ]
    table = tmp_path / "list.csv"
    table.write_text("\ufeffimage,mask,split\n" + "\n".join(lines) + "\n", encoding="utf-8")
    dataset = prepare(table, tmp_path / "out", "csv", kind="hair")
    assert dataset.info["counts"] == {"train": 3, "val": 1, "test": 2}
    back = data.to_csv(tmp_path / "out", tmp_path / "deep/er/back.csv")
    assert "../../out/images/p000.jpg,../../out/masks/p000.png," in back.read_text()
    again = prepare(back, tmp_path / "again", "csv", kind="hair")
    assert (tmp_path / "again/splits.csv").read_text() == (tmp_path / "out/splits.csv").read_text()
    np.testing.assert_array_equal(again[2][0], dataset[2][0])
    table.write_text("image,mask\nraw/images/p000.jpg,raw/masks/p000.png\nabsent.jpg,\n")
    with pytest.raises(SeglibError, match="line 3: there is no file .*absent.jpg"):
        prepare(table, tmp_path / "more", "csv")
    for text, match in {
        "a,b\n1,2\n": "columns image and mask",
        "": "columns image and mask",
        f"image,mask,split\n{lines[0].replace('train', 'maybe')}\n": "maybe",
        "image,mask\nabsent.jpg,no.png\n": r"no pair of photo and mask \(line 2: there is no file",
    }.items():
        table.write_text(text)
        with pytest.raises(SeglibError, match=match):
            prepare(table, tmp_path / "more", "csv")
    table.write_text("\n".join(["image,mask,split", *lines]).replace("/", "\\") + "\n")
    assert len(prepare(table, tmp_path / "windows", "csv")) == 6
    assert raw.exists()


def test_exports_refuse_what_they_cannot_do(tmp_path):
    raw = tree(tmp_path / "raw", 3)
    Image.fromarray(scene(1, 40, 36)).save(raw / "images/p001.jpg")
    images.write_mask(raw / "masks/p001.png", np.ones((40, 36), np.float32))
    with pytest.raises(SeglibError, match=r"p001 is 36x40 .*--size"):
        data.to_numpy(raw, tmp_path / "npy", progress=False)
    assert not (tmp_path / "npy").exists()
    for call in (data.to_numpy, data.to_csv):
        (tmp_path / "there.csv").write_text("")
        with pytest.raises(SeglibError, match="exists already"):
            call(raw, tmp_path / "there.csv")
    with pytest.raises(SeglibError, match=r"must end in \.csv"):
        data.to_csv(raw, tmp_path / "x.txt")


def test_people_stay_on_one_side_and_the_same_names_split_alike():
    pairs = [Pair(f"{who}_{n}", Path(), group=who) for who in map(str, range(40)) for n in range(3)]
    splits, _ = assign_splits(pairs, 0.1, 0.2)
    assert Counter(splits.values()) == {"train": 84, "val": 12, "test": 24}
    for who in range(40):
        assert len({splits[f"{who}_{n}"] for n in range(3)}) == 1
    assert assign_splits(pairs[::-1], 0.1, 0.2)[0] == splits


def test_copies_are_found_across_splits_mirrored_and_shrunk_but_not_likenesses():
    shown = {f"a{i}": scene(i) for i in range(30)}
    shown |= {"v1": scene(3)[:, ::-1], "v2": images.resize(scene(4), (30, 24)), "v3": scene(99)}
    shown |= {"t3": scene(99)[:, ::-1], "t4": scene(77), "t5": scene(5)}
    plain = np.full((40, 40, 3), 9, np.uint8)
    shown |= {"plain1": plain, "vplain": plain[:9, :9]}
    prints = {stem: duplicates.fingerprint(image) for stem, image in shown.items()}
    pairs = [
        Pair(stem, Path(), split={"v": "val", "t": "test"}.get(stem[0], "train")) for stem in shown
    ]
    splits, moved = assign_splits(pairs, 0.1, 0.1, prints=prints)
    assert moved == {"to train": {"v1": "a3", "v2": "a4", "t5": "a5"}, "to val": {"t3": "v3"}}
    assert [splits[stem] for stem in ("v1", "v2", "v3", "t3", "t4", "t5", "vplain")] == [
        *("train", "train", "val", "val", "test", "train", "val")
    ]


def of_pairs(folder: Path, places: dict[str, str]) -> tuple[dict, dict]:
    """Photos of a set, as `assign_splits` takes them."""
    photos = {stem: images.read_image(folder / "images" / f"{stem}.jpg") for stem in places}
    prints = {stem: duplicates.fingerprint(image) for stem, image in photos.items()}
    pairs = [Pair(stem, Path(), split=split) for stem, split in places.items()]
    return assign_splits(pairs, 0.1, 0, prints=prints)


@pytest.mark.parametrize("name", ["eg1800", "figaro1k", "lfw_hair"])
def test_real_copies_are_moved_and_other_real_photos_are_not(real_data, name):
    if not (real_data / name).is_dir():
        pytest.skip(f"no {name} in SEGLIB_DATA")
    sets = {split: data.open_folder(real_data / name, split) for split in ("train", "val")}
    places = {stem: split for split, one in sets.items() for stem in one.subset(80).stems}
    assert of_pairs(real_data / name, places)[1] == {"to train": {}, "to val": {}}
    if name == "figaro1k":  # one mirrors the other
        splits, moved = of_pairs(real_data / name, {"Frame00249": "train", "Frame00250": "test"})
        assert moved["to train"] == {"Frame00250": "Frame00249"}
        assert splits == {"Frame00249": "train", "Frame00250": "train"}


def test_a_full_disk_and_then_room_again(tmp_path, monkeypatch):
    raw = tree(tmp_path / "raw")
    real, calls = os.replace, []

    def full(source, target):
        calls.append(target)
        if len(calls) > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(seglib.files.os, "replace", full)
        with pytest.raises(SeglibError, match="disk is full.*goes on where it stopped"):
            prepare(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    part = tmp_path / ".part-out"
    kept = {path.name: path.stat().st_mtime_ns for path in (part / "images").iterdir()}
    assert len(kept) == 4
    prepare(raw, tmp_path / "out")
    for name, when in kept.items():
        assert (tmp_path / "out/images" / name).stat().st_mtime_ns == when
    assert data.validate(tmp_path / "out") == []


def test_unfinished_work_of_other_options_is_not_used(tmp_path, monkeypatch):
    raw = tree(tmp_path / "raw", 4)
    with monkeypatch.context() as patch:
        patch.setattr(import_module("seglib.data.dataset"), "write_info", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare(raw, tmp_path / "out")
    dataset = prepare(raw, tmp_path / "out", size=24)
    assert dataset[0][0].shape == (24, 18, 3)


CHILD = """
import sys
from seglib.data import prepare
print("ready", flush=True)
prepare("folder", sys.argv[1], sys.argv[2], size=300, workers=2, progress=False)
"""


def test_killed_at_any_moment_and_run_again_two_processes_write_what_one_does(tmp_path):
    raw = tmp_path / "raw"
    (raw / "images").mkdir(parents=True)
    for index in range(40):
        Image.fromarray(np.kron(scene(index), np.ones((8, 8, 1), np.uint8))).save(
            raw / f"images/p{index:03d}.jpg"
        )
        images.write_mask(raw / f"masks/p{index:03d}.png", np.eye(384, 288, dtype=np.float32))
    chance, command = random.Random(4), [sys.executable, "-c", CHILD, raw, tmp_path / "out"]
    # The two processes of the child take their time to start.
    kill_at_random(command, chance, 0.3, 2.0)
    if not (tmp_path / "out").exists():
        subprocess.run(command, check=True, timeout=120)
    assert len(data.open_folder(tmp_path / "out")) == 40
    assert data.validate(tmp_path / "out") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]
    prepare(raw, tmp_path / "quiet", size=300)
    quiet, loud = content(tmp_path / "quiet"), content(tmp_path / "out")
    assert quiet.pop("dataset.json") and loud.pop("dataset.json") and quiet == loud


def test_the_commands(tmp_path, capsys):
    raw, out = tree(tmp_path / "raw", 6), str(tmp_path / "out")
    given = ["data", "prepare", "folder", "--raw", str(raw), "--output"]
    assert main([*given, out, "--kind", "hair", "--size", "32"]) == 0
    assert "6 pairs (1 test, 4 train, 1 val)" in capsys.readouterr().out
    export = ["data", "export", out, "--output"]
    assert main([*export, str(tmp_path / "npy"), "--to", "npy", "--size", "16"]) == 0
    assert main([*export, str(tmp_path / "x.csv"), "--to", "csv"]) == 0
    break_raw(raw)
    assert main([*given, str(tmp_path / "z"), "--skip-bad"]) == 0
    assert "5 left out" in capsys.readouterr().err
    for mistake, words in (
        ([*given, out], "exists already"),
        ([*given, str(tmp_path / "y")], "5 of 6 pairs cannot be used"),
        ([*export, str(tmp_path / "y.csv"), "--to", "csv", "--size", "9"], "does not go with"),
        (["data", "fetch", "celebamask_hq"], "1. read the agreement"),
        (["data", "fetch", "celeba"], "did you mean"),
    ):
        assert main(mistake) == 2 and words in capsys.readouterr().err


def test_arrays_are_read_anew_by_every_call(tmp_path):
    # What lies on the disk counts, not what lay there under the same name, and no map is kept.
    photos, masks = np.stack([scene(i) for i in range(6)]), np.stack([MARKS] * 6)
    for count, inside in ((6, masks), (6, ~masks), (3, masks)):
        raw = hold(tmp_path / "raw", photos[:count], inside[:count])
        dataset = prepare(raw, tmp_path / f"{count}{inside[0, 0, 0]}", "numpy")
        np.testing.assert_array_equal([mask for _, mask in dataset], inside[:count])


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m,
        lambda m: m.astype(np.uint8),
        lambda m: m * np.uint8(255),
        lambda m: m.astype(np.float64),
        lambda m: (m * 255.0).astype(np.float32),
        lambda m: m.astype(np.uint16) * 65535,
        lambda m: np.asfortranarray(m[..., None]),
        lambda m: m.astype(np.int64),
    ],
)
def test_arrays_of_every_plain_type_become_the_same_masks(tmp_path, change):
    masks = np.stack([MARKS, np.zeros_like(MARKS), np.roll(MARKS, 5)])
    photos, held = np.stack([scene(i) for i in range(3)]), change(masks)
    raw = hold(tmp_path / "raw", photos / 255 if held.dtype == float else photos, held)
    for index, (image, mask) in enumerate(prepare(raw, tmp_path / "out", "numpy")):
        np.testing.assert_array_equal(mask, masks[index])
        np.testing.assert_array_equal(image, photos[index])


def save(array: np.ndarray, path: Path, mode: str = "", **options: object) -> None:
    picture = Image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path, **options)


def palette(mask: np.ndarray, path: Path) -> None:
    picture = Image.fromarray(mask.astype(np.uint8))
    picture.putpalette([0, 0, 0, 128, 0, 0])
    picture.save(path)


PHOTO = np.random.default_rng(1).integers(0, 256, (48, 36, 3), dtype=np.uint8)
# How people save one and the same mask.
FORMS = {
    "1 bit": lambda m, p: save(m, p),
    "0 and 1": lambda m, p: save(m.astype(np.uint8), p),
    "grey": lambda m, p: save(m * np.uint8(255), p),
    "RGB": lambda m, p: save(m * np.uint8(255), p, "RGB"),
    "16 bit": lambda m, p: save(m.astype(np.uint16) * 65535, p),
    "palette": palette,
    "alpha": lambda m, p: save(np.dstack([PHOTO, m * np.uint8(255)]), p),
    "white and alpha": lambda m, p: save(np.dstack([m * np.uint8(255)] * 4), p),
    "jpeg": lambda m, p: save(m * np.uint8(255), p.with_suffix(".jpg"), quality=90),
    "gif": lambda m, p: save(m * np.uint8(255), p.with_suffix(".gif")),
    "bmp": lambda m, p: save(m * np.uint8(255), p.with_suffix(".BMP")),
    "tiff": lambda m, p: save(m * np.uint8(255), p.with_suffix(".tif")),
    "shouted": lambda m, p: save(m * np.uint8(255), p.with_suffix(".PNG")),
    "named": lambda m, p: save(m * np.uint8(255), p.with_name(p.stem + "_mask.png")),
}
LITTER = ("masks/.ipynb_checkpoints/x.png", "images/._p000.jpg", "masks/._p001.png", "Thumbs.db",
          "masks/desktop.ini", "images/.DS_Store", ".git/images/a.jpg", "__MACOSX/images/p000.jpg",
          "images/notes.txt")  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(FORMS)), min_size=3, max_size=3),
    st.lists(st.sampled_from(LITTER), max_size=4, unique=True),
    st.sampled_from([".jpg", ".JPG", ".png", ".WEBP"]),
    st.sampled_from(["masks", "Masks", "gt"]),
    st.sampled_from(["", "\ufeff"]),
)
def test_every_form_of_a_folder_gives_what_its_plain_form_gives(
    tmp_path_factory, forms, litter, suffix, name, mark
):
    root = tmp_path_factory.mktemp("forms")
    (root / "raw/images").mkdir(parents=True)
    (root / "raw" / name).mkdir()
    for index, form in enumerate(forms):
        Image.fromarray(scene(index)).save(root / f"raw/images/p{index:03d}{suffix}")
        FORMS[form](MARKS, root / "raw" / name / f"p{index:03d}.png")
    for path in litter:
        place = root / "raw" / path.replace("masks", name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"\0\5\x16\7")
    lines = ["stem,split", "p000,train", "p001,val", "p002,test"]
    (root / "raw/splits.csv").write_text(mark + "\r\n".join(lines), encoding="utf-8")
    dataset = prepare(root / "raw", root / "out")
    assert dataset.info["counts"] == {"train": 1, "val": 1, "test": 1} and len(dataset) == 3
    for _, mask in dataset:
        np.testing.assert_array_equal(mask, MARKS)
    assert data.validate(root / "out") == []


def test_class_numbers_make_the_kinds_that_their_list_names(tmp_path):
    labels = np.zeros((48, 36), np.uint8)
    labels[8:30, 4:20], labels[:3] = 2, 255
    raw = tree(tmp_path / "raw", 3)
    (raw / "masks").rename(raw / "labels")
    (raw / "label_list.txt").write_text("\ufeff0 null\n1 hair\n2 coat\n", encoding="utf-8")
    for path in (raw / "labels").iterdir():
        Image.fromarray(labels).save(path)
    dataset = prepare(raw, tmp_path / "out")
    assert dataset.info["kinds"] == ["person", "hair"]
    np.testing.assert_array_equal(dataset[1][1], labels == 2)
    (raw / "labels").rename(raw / "masks")
    with pytest.raises(SeglibError, match="class numbers"):
        prepare(raw, tmp_path / "more")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"image,mask\n\xe9.jpg,x.png\n", b"\x00\xff"])
def test_text_that_cannot_be_decoded_is_one_sentence(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    (tmp_path / "img").mkdir()
    with pytest.raises(SeglibError, match=r"a\.csv"):
        prepare(tmp_path / "a.csv", tmp_path / "out", "csv")
    for name, layout in (("a.json", "coco"), ("a.json", "labelme"), ("a.xml", "cvat")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SeglibError, match=name.replace(".", r"\.")):
            prepare(tmp_path, tmp_path / "out", layout)


def test_a_set_with_a_name_from_anywhere(tmp_path):
    raw = tree(tmp_path / "Fötos 写真", 3)
    (raw / "images/p000.jpg").rename(raw / "images/Łódź, 1.jpg")
    (raw / "masks/p000.png").rename(raw / "masks/Łódź, 1.png")
    code = (
        "import sys, warnings\n"
        "warnings.filterwarnings('error', category=EncodingWarning, module='seglib')\n"
        "from seglib import data; from seglib.data import doctor\n"
        "out = data.prepare('folder', sys.argv[1], sys.argv[2], progress=False, workers=1)\n"
        "found = data.open_folder(out)\n"
        "assert '\\u0141\\xf3d\\u017a, 1' in found.stems and found.info['name'] == '\\xf6ut'\n"
        "assert not data.validate(out)\n"
        "doctor.examine(out, progress=False, workers=1).write_html(sys.argv[2] + '.html')\n"
        "data.to_csv(out, sys.argv[2] + '.csv')\n"
    )
    command = [sys.executable, "-X", "warn_default_encoding"]
    done = subprocess.run([*command, "-c", code, raw, tmp_path / "öut"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
