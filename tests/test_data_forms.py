"""Data as people bring it: arrays and folders in every plain form equal the plain one."""

import json
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seglib import SeglibError, data
from seglib.data import AugmentConfig, Batches, Dataset, augment

RNG = np.random.default_rng(0)
GREY = np.repeat(RNG.integers(0, 256, (4, 24, 20, 1), dtype=np.uint8), 3, axis=-1)
PHOTOS = RNG.integers(0, 256, (4, 24, 20, 3), dtype=np.uint8)
HARD = np.zeros((4, 24, 20), bool)
HARD[:, 5:18, 3:12] = True
HARD[2] = False
SOFT = np.rint(255 * np.clip(RNG.normal(0.5, 0.6, HARD.shape), 0, 1)).astype(np.uint8)

IMAGE_FORMS = {
    "as it is": lambda x: x,
    "fortran order": np.asfortranarray,
    "a permuted view": lambda x: x.transpose(2, 1, 0, 3).copy().transpose(2, 1, 0, 3),
    "a turned view": lambda x: np.ascontiguousarray(x[:, ::-1, ::-1])[:, ::-1, ::-1],
    "floats": lambda x: (x / 255).astype(np.float32),
    "doubles": lambda x: x / 255,
    "int64": lambda x: x.astype(np.int64),
    "rgba": lambda x: np.concatenate([x, np.full_like(x[..., :1], 255)], axis=-1),
    "channels first": lambda x: x.transpose(0, 3, 1, 2),
    "a list": list,
    "pil": lambda x: [Image.fromarray(image) for image in x],
}
GREY_FORMS = {"grey": lambda x: x[..., 0], "one channel": lambda x: x[..., :1]}
MASK_FORMS = {
    "as it is": lambda m: m,
    "fortran order": np.asfortranarray,
    "a turned view": lambda m: np.ascontiguousarray(m[:, ::-1])[:, ::-1],
    "one channel": lambda m: m[..., None],
    "channels first": lambda m: m[:, None],
    "a list": list,
}
HARD_FORMS = {
    "bool": HARD,
    "0 and 1": HARD.astype(np.uint8),
    "floats": HARD.astype(np.float64),
    "0 and 255": HARD * np.uint8(255),
    "floats to 255": HARD * 255.0,
    "0 and 65535": HARD * np.uint16(65535),
}
SOFT_FORMS = {"grey": SOFT, "floats": SOFT / 255, "halves": SOFT / np.float32(255)}


def pairs_of(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.stack(part) for part in zip(*dataset, strict=True))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([*IMAGE_FORMS, *GREY_FORMS]),
    st.sampled_from([*HARD_FORMS, *SOFT_FORMS]),
    st.sampled_from(list(MASK_FORMS)),
    st.sampled_from([None, AugmentConfig(cutout=0.5)]),
)
def test_arrays_in_every_form_equal_the_plain_one(image_form, values, mask_form, policy):
    plain = GREY if image_form in GREY_FORMS else PHOTOS
    images = {**IMAGE_FORMS, **GREY_FORMS}[image_form](plain)
    truth = SOFT if values in SOFT_FORMS else HARD * 255
    masks = MASK_FORMS[mask_form]({**HARD_FORMS, **SOFT_FORMS}[values])
    found = pairs_of(Dataset.from_arrays(images, masks, "x", "person"))
    np.testing.assert_array_equal(found[0], plain)
    assert found[1].dtype == np.float32
    np.testing.assert_allclose(found[1], truth / 255, atol=1e-6)
    options = {"batch_size": 4, "size": 24, "augment": policy, "seed": 2}
    wanted = Batches(plain, truth.astype(np.uint8), **options)[0]
    for mine, yours in zip(Batches(images, masks, **options)[0], wanted, strict=True):
        np.testing.assert_array_equal(mine, yours)
    view, mask = augment(images[0], masks[0], np.random.default_rng(1), 32)
    assert view.shape == (32, 32, 3) and mask.dtype == np.uint8 and mask.max() == 255


def with_values(*values: float) -> np.ndarray:
    return np.resize(np.array(values), HARD.shape)


@pytest.mark.parametrize(
    ("masks", "says"),
    [
        (with_values(0, 1, 255).astype(np.uint8), "may be class numbers"),
        (with_values(0, 1, 2, 5), "may be class numbers"),
        (with_values(0, 128).astype(np.uint8), "may be class numbers"),
        (with_values(0, 0.5, np.nan), "nan"),
        (with_values(0, 0.5, 2), "0 to 2"),
        (with_values(-1, 0, 1), "-1"),
        (np.repeat(HARD[..., None], 2, -1), "2 channels"),
        (HARD[:, :9], "resize the mask"),
        (HARD[:3], "not pairs"),
        ((mask for mask in HARD), "masks are a generator"),
        (HARD.astype(str), "<U5"),
        (HARD.astype(complex), "complex128"),
    ],
)
def test_arrays_that_may_mean_anything_are_refused(masks, says):
    with pytest.raises(SeglibError, match=says):
        Dataset.from_arrays(PHOTOS, masks, "x", "person")[0]
    if np.ndim(masks) == 3:
        with pytest.raises(SeglibError, match=says):
            Batches(PHOTOS, masks)[0]


# Folders.


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def plain(tmp_path):
    dataset = Dataset.from_arrays(PHOTOS, SOFT, "Zoë", "hair")
    return data.write_folder(tmp_path / "plain", dataset, val_share=0.25, test_share=0.25)


def same(folder, plain, **options):
    """Whether every part of two folders holds the same stems and pairs."""
    for split in ("all", "train", "val", "test"):
        mine, yours = (data.open_folder(path, split, **options) for path in (folder, plain))
        assert mine.stems == yours.stems
        for one, other in zip(pairs_of(mine), pairs_of(yours), strict=True):
            np.testing.assert_array_equal(one, other)


def test_hidden_entries_suffixes_and_encodings_change_nothing(plain, tmp_path):
    folder = tmp_path / "brought"
    for source in sorted(plain.glob("*/*.png")):
        # As a Mac stores it in the masks, and a spreadsheet in the list.
        stem = normalize("NFD" if source.parent.name == "masks" else "NFC", source.stem)
        name = stem + (".PNG" if source.stem < "Zoë-00002" else ".png")
        save(folder / source.parent.name / name, np.asarray(Image.open(source)))
    for place in ("images", "masks"):
        (folder / place / ".ipynb_checkpoints").mkdir()
        (folder / place / "._Zoë-00000.png").write_bytes(b"\0\5\26\7")
        (folder / place / "Thumbs.db").write_bytes(b"\0")
    (folder / "masks" / "__MACOSX").mkdir()
    (folder / "masks" / ".DS_Store").write_bytes(b"\0")
    for name, encoding in (("splits.csv", "utf-8-sig"), ("dataset.json", "utf-16")):
        text = (plain / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace("\n", "\r\n"), encoding=encoding, newline="")
    same(folder, plain)
    assert data.open_folder(folder).info == data.open_folder(plain).info
    assert "Zoë-00003" in data.open_folder(folder).stems


def test_text_in_another_encoding_and_two_files_of_one_stem_are_named(plain):
    (plain / "splits.csv").write_bytes("stem,split\nZoë,train\n".encode("latin-1"))
    with pytest.raises(SeglibError, match=r"splits\.csv is not UTF-8"):
        data.open_folder(plain, "val")
    save(plain / "images" / "Zoë-00001.JPG", PHOTOS[1])
    with pytest.raises(SeglibError, match=r"Zoë-00001\.\w+ in two forms"):
        data.open_folder(plain)


@pytest.mark.parametrize("form", ["0 and 1", "0 and 255", "0 and 65535", "bool"])
def test_masks_on_disk_are_looked_at_as_arrays_are(tmp_path, form):
    for index, mask in enumerate(HARD_FORMS[form]):
        save(tmp_path / "set/images" / f"{index}.png", PHOTOS[index])
        save(tmp_path / "set/masks" / f"{index}.png", mask)
    np.testing.assert_array_equal(pairs_of(data.open_folder(tmp_path / "set"))[1], HARD)
    save(tmp_path / "set/masks/1.png", with_values(0, 1, 255)[1].astype(np.uint8))
    with pytest.raises(SeglibError, match=r"1\.png.*may be class numbers"):
        data.open_folder(tmp_path / "set").arrays(8)


@pytest.mark.parametrize("form", ["uint16", "palette", "uint8"])
def test_class_numbers_in_other_clothes_are_the_same_classes(tmp_path, form):
    numbers = with_values(0, 2, 2, 255, 1)[0].astype(np.uint8)
    picture = numbers.astype(np.uint16) if form == "uint16" else numbers
    save(tmp_path / "set/images/a.png", PHOTOS[0])
    save(tmp_path / "set/labels/a.png", picture)
    if form == "palette":
        coloured = Image.frombytes("P", numbers.shape[::-1], numbers.tobytes())
        coloured.putpalette(RNG.integers(0, 256, 768, dtype=np.uint8).tobytes())
        coloured.save(tmp_path / "set/labels/a.png")
    listed = "0 null\r\n1 hair\r\n2 coat\r\n".encode("utf-8-sig")
    (tmp_path / "set/label_list.txt").write_bytes(listed)
    for kind, wanted in (("person", (1, 2)), ("hair", (1,)), ("clothes", (2,))):
        _, mask = data.open_folder(tmp_path / "set", kind=kind)[0]
        np.testing.assert_array_equal(mask, np.isin(numbers, wanted))
    with pytest.raises(SeglibError, match="names no class 'skin'"):
        data.open_folder(tmp_path / "set", kind="skin")


# Three parts.


def test_parts_share_no_photo_and_lose_none_and_the_info_file_gives_name_and_kind(plain):
    parts = [data.open_folder(plain, split).stems for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [2, 1, 1]
    assert sorted(sum(parts, ())) == list(data.open_folder(plain).stems)
    path = plain / "dataset.json"
    info = {**json.loads(path.read_text(encoding="utf-8")), "name": "renamed"}
    path.write_text(json.dumps(info), encoding="utf-8")
    dataset = data.open_folder(plain)
    assert (dataset.name, dataset.kind, dataset.info["count"]) == ("renamed", "hair", 4)


def test_only_three_names_and_one_part_for_each_photo(plain):
    path = plain / "splits.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(",test", ",holdout"), encoding="utf-8")
    with pytest.raises(SeglibError, match="'holdout'; use train, val, test"):
        data.open_folder(plain, "train")
    path.write_text(f"{text}Zoë-00001,test\n", encoding="utf-8")
    with pytest.raises(SeglibError, match="into two splits"):
        data.open_folder(plain, "train")
    path.write_text(text.replace(",test", ",train"), encoding="utf-8")
    with pytest.raises(SeglibError, match="no photo into 'test'"):
        data.open_folder(plain, "test")
    with pytest.raises(SeglibError, match="use train, val, test or all"):
        data.open_folder(plain, "validation")


def test_a_known_set_in_two_parts_is_read_in_three(tmp_path):
    folder = tmp_path / "figaro1k"
    for stem in ("Frame00001", "Frame00011", "Frame00015"):
        save(folder / f"images/{stem}.png", PHOTOS[0])
        save(folder / f"masks/{stem}.png", HARD_FORMS["0 and 255"][0])
    rows = "stem,split\nFrame00001,train\nFrame00011,val\nFrame00015,train\n"
    (folder / "splits.csv").write_text(rows)
    for split, stem in (("train", "01"), ("test", "11"), ("val", "15")):
        assert data.open_folder(folder, split).stems == (f"Frame000{stem}",)
    # Another set of that name keeps its own parts.
    (folder / "splits.csv").write_text("stem,split\nFrame00001,val\n")
    assert data.open_folder(folder, "val").stems == ("Frame00001",)
