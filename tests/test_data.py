"""Data: the folder format, its faults, loading by name."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglib import SeglibError, data
from seglib.data import Dataset, synthetic

RNG = np.random.default_rng(0)
PHOTOS = RNG.integers(0, 256, (6, 40, 30, 3), dtype=np.uint8)
MASKS = np.zeros((6, 40, 30), np.uint8)
MASKS[:, 5:25, 3:12] = 255


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clean prepared set of six photos."""
    dataset = Dataset.from_arrays(PHOTOS, MASKS, name="tiny", kind="hair")
    return data.write_folder(tmp_path / "tiny", dataset, val_share=0.34)


def test_a_written_folder_reads_back_the_same_and_is_never_overwritten(folder):
    dataset = data.open_folder(folder)
    assert (dataset.kind, len(dataset), dataset.info["count"]) == ("hair", 6, 6)
    for index, (image, mask) in enumerate(dataset):
        np.testing.assert_array_equal(image, PHOTOS[index])
        np.testing.assert_array_equal(mask, MASKS[index] / np.float32(255))
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    with pytest.raises(SeglibError, match="tiny exists already"):
        data.write_folder(folder, Dataset.from_arrays(PHOTOS, MASKS, name="x", kind="hair"))
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


def test_arrays_are_square_and_subset_is_repeatable(folder):
    dataset = data.open_folder(folder)
    photos, masks = dataset.arrays(32)
    assert photos.shape == (6, 32, 32, 3) and masks.shape == (6, 32, 32)
    assert photos.dtype == masks.dtype == np.uint8
    assert dataset.subset(3, seed=4).stems == dataset.subset(3, seed=4).stems
    assert len(dataset.subset(99)) == 6


def store(folder: Path, index: int, array: np.ndarray) -> None:
    Image.fromarray(array).save(folder / "masks" / f"tiny-{index:05d}.png")


def add(folder: Path, line: str) -> None:
    with open(folder / "splits.csv", "a") as file:
        file.write(line + "\n")


HARMS = {
    "unmatched": lambda f: (f / "masks" / "tiny-00000.png").unlink(),
    "masks": lambda f: shutil.rmtree(f / "masks"),
    "splits": lambda f: add(f, "nobody,train"),
    "split twice": lambda f: add(f, "tiny-00001,val"),
    "info": lambda f: (f / "dataset.json").write_text("{"),
    "info's kind": lambda f: (f / "dataset.json").write_text('{"kind": 1}'),
    "size": lambda f: store(f, 1, np.full((8, 8), 255, np.uint8)),
    "colours": lambda f: store(f, 2, np.full((40, 30, 3), (255, 0, 0), np.uint8)),
    "photo": lambda f: (f / "images" / "tiny-00003.png").write_bytes(b"\x89PNG\r\n\x1a\n"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_broken_is_not_opened_or_not_read(folder, harm):
    HARMS[harm](folder)
    with pytest.raises(SeglibError, match="tiny" if list(HARMS).index(harm) < 6 else "tiny-0000"):
        data.open_folder(folder, "train").arrays(16)
        data.open_folder(folder, "val").arrays(16)


def test_drawn_portraits_are_drawn_once_and_shared_with_nobody(monkeypatch):
    draw, calls = synthetic.portraits, []
    monkeypatch.setattr(synthetic, "portraits", lambda *a, **k: calls.append(a) or draw(*a, **k))
    synthetic._drawn.cache_clear()
    first = data.load("synthetic", "val")
    image, mask = first[0]
    kept = image.copy(), mask.copy()
    image[:], mask[:] = 7, 0.5
    again = data.load("synthetic", "val", "person")
    assert len(calls) == 1
    for loaded in (first, again):
        np.testing.assert_array_equal(loaded[0][0], kept[0])
        np.testing.assert_array_equal(loaded[0][1], kept[1])


def test_a_set_is_found_or_one_sentence_says_what_is_absent(folder, tmp_path, monkeypatch):
    with pytest.raises(SeglibError, match="images/"):
        data.open_folder(tmp_path / "nowhere")
    with pytest.raises(SeglibError, match="no 'person' masks; it has hair"):
        data.open_folder(folder, kind="person")
    monkeypatch.setenv("SEGLIB_DATA", str(folder.parent))
    monkeypatch.setenv("SEGLIB_CACHE", str(folder.parent / "cache"))
    assert data.load("tiny", "train").name == "tiny"
    monkeypatch.delenv("SEGLIB_DATA")
    with pytest.raises(SeglibError, match="no data set 'tiny' .*seglib data list"):
        data.load("tiny")


SETS = {entry.name: entry.kinds for entry in data.list() if entry.raw}


@pytest.mark.parametrize("name", sorted(SETS))
def test_real_sets_load_with_every_kind(real_data, monkeypatch, name):
    if not (real_data / name).is_dir():
        pytest.skip(f"no {name} in SEGLIB_DATA")
    monkeypatch.setenv("SEGLIB_DATA", str(real_data))
    for kind in SETS[name]:
        dataset = data.load(name, "val", kind)
        shares = [mask.mean() for _, mask in dataset.subset(12)]
        assert np.mean(shares) < 0.9 and (np.mean(shares) > 0.005) == (name != "negatives")
        assert not set(dataset.stems) & set(data.load(name, "train", kind).stems)
