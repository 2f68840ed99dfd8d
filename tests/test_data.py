"""Data: the folder format, its faults, loading by name."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglib import SeglibError, data, images
from seglib.data import Dataset, synthetic


def pictures(count: int = 6, size: tuple[int, int] = (40, 30)) -> tuple[np.ndarray, np.ndarray]:
    """Noise pictures with an off-centre block as the thing."""
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (count, *size, 3), dtype=np.uint8)
    masks = np.zeros((count, *size), np.uint8)
    masks[:, 5:25, 3:12] = 255
    return photos, masks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clean prepared set of six photos."""
    dataset = Dataset.from_arrays(*pictures(), name="tiny", kind="hair")
    return data.write_folder(tmp_path / "tiny", dataset, val_share=0.34)


def stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "images").iterdir())


def test_a_written_folder_reads_back_the_same(folder):
    dataset = data.open_folder(folder)
    photos, masks = pictures()
    assert (dataset.kind, len(dataset), dataset.info["count"]) == ("hair", 6, 6)
    for index, (image, mask) in enumerate(dataset):
        np.testing.assert_array_equal(image, photos[index])
        np.testing.assert_array_equal(mask, masks[index] / np.float32(255))
    assert data.validate(folder) == []


def test_an_existing_folder_is_never_overwritten(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    with pytest.raises(SeglibError, match="tiny exists already"):
        data.write_folder(folder, Dataset.from_arrays(*pictures(), name="x", kind="hair"))
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


def test_arrays_are_square_and_subset_is_repeatable(folder):
    dataset = data.open_folder(folder)
    photos, masks = dataset.arrays(32)
    assert photos.shape == (6, 32, 32, 3) and masks.shape == (6, 32, 32)
    assert photos.dtype == masks.dtype == np.uint8
    assert dataset.subset(3, seed=4).stems == dataset.subset(3, seed=4).stems
    assert len(dataset.subset(99)) == 6


def break_unmatched(folder: Path) -> None:
    (folder / "masks" / f"{stems(folder)[0]}.png").unlink()


def break_size(folder: Path) -> None:
    images.write_mask(folder / "masks" / f"{stems(folder)[1]}.png", np.ones((8, 8), np.float32))


def break_values(folder: Path) -> None:
    path = folder / "masks" / f"{stems(folder)[2]}.png"
    Image.fromarray((np.array(Image.open(path)) > 0).astype(np.uint8)).save(path)


def break_colours(folder: Path) -> None:
    path = folder / "masks" / f"{stems(folder)[2]}.png"
    red = np.zeros((40, 30, 3), np.uint8)
    red[5:9, :, 0] = 255
    Image.fromarray(red).save(path)


def break_photo(folder: Path) -> None:
    path = folder / "images" / f"{stems(folder)[3]}.png"
    path.write_bytes(path.read_bytes()[:200])


def break_empty(folder: Path) -> None:
    path = folder / "masks" / f"{stems(folder)[4]}.png"
    images.write_mask(path, np.zeros((40, 30), np.float32))


def break_full(folder: Path) -> None:
    path = folder / "masks" / f"{stems(folder)[4]}.png"
    images.write_mask(path, np.ones((40, 30), np.float32))


def break_all_empty(folder: Path) -> None:
    for stem in stems(folder):
        images.write_mask(folder / "masks" / f"{stem}.png", np.zeros((40, 30), np.float32))


def break_masks(folder: Path) -> None:
    shutil.rmtree(folder / "masks")


def break_splits(folder: Path) -> None:
    with open(folder / "splits.csv", "a") as file:
        file.write("nobody,train\n")


def break_split_twice(folder: Path) -> None:
    path = folder / "splits.csv"
    path.write_text(path.read_text() + f"{stems(folder)[1]},val\n")


def break_split_lost(folder: Path) -> None:
    path = folder / "splits.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def break_info(folder: Path) -> None:
    (folder / "dataset.json").write_text("{")


@pytest.mark.parametrize(
    ("harm", "fault", "says"),
    [
        (break_unmatched, "unmatched", "photo only"),
        (break_size, "size", "8x8 pixels but its photo"),
        (break_values, "values", "multiply by 255"),
        (break_colours, "values", "tiny-00002.png"),
        (break_photo, "unreadable", "tiny-00003.png"),
        (break_empty, "empty", "marks no hair"),
        (break_full, "full", "100%"),
        (break_all_empty, "one class", "nothing to learn"),
        (break_masks, "folder", "no masks"),
        (break_splits, "split", "nobody"),
        (break_split_twice, "split", "tiny-00001 2 times"),
        (break_split_lost, "split", "leaves out 1 photos, such as tiny-00005"),
        (break_info, "folder", "dataset.json is not valid JSON"),
    ],
)
def test_validate_names_every_fault(folder, harm, fault, says):
    harm(folder)
    problems = data.validate(folder)
    assert [p for p in problems if p.fault == fault and says in p.message], problems


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


@pytest.mark.parametrize("harm", [break_unmatched, break_masks, break_splits, break_info])
def test_a_broken_folder_is_not_opened(folder, harm):
    harm(folder)
    with pytest.raises(SeglibError, match="tiny"):
        data.open_folder(folder, "train")


@pytest.mark.parametrize("harm", [break_size, break_photo, break_colours])
def test_a_broken_pair_is_not_read(folder, harm):
    harm(folder)
    with pytest.raises(SeglibError, match="tiny-0000"):
        data.open_folder(folder).arrays(16)


def test_no_folder_and_no_kind(folder, tmp_path):
    with pytest.raises(SeglibError, match="images/"):
        data.open_folder(tmp_path / "nowhere")
    with pytest.raises(SeglibError, match="no 'person' masks; it has hair"):
        data.open_folder(folder, kind="person")


def test_a_named_set_is_found_or_one_sentence_says_how_to_get_it(folder, monkeypatch):
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
