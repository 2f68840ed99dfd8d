"""The doctor: every fault named on sets broken on purpose, none on a clean one, and all mended."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglib import SeglibError, data, images, pretrained
from seglib.cli import main
from seglib.data import synthetic

pytest.importorskip("imagehash")
from seglib.data import doctor, duplicates
from seglib.data.doctor import Finding
from seglib.data.doctor.checks import inside_out as find_inside_out
from seglib.data.doctor.examine import people
from seglib.data.doctor.findings import index_folder
from seglib.data.doctor.fixes import plan_fixes

COUNT = 24
SIZE = 128


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    """Portraits of different people, none empty, none grey."""
    config = synthetic.PortraitConfig(empty=0, grey=0)
    portraits = synthetic.portraits(COUNT, SIZE, seed=7, config=config)
    return data.write_folder(
        tmp_path_factory.mktemp("sets") / "clean", portraits.dataset("person"), val_share=0.25
    )


@pytest.fixture
def folder(clean, tmp_path) -> Path:
    return shutil.copytree(clean, tmp_path / "set")


def photo(folder: Path, number: int) -> Path:
    return sorted((folder / "images").iterdir())[number]


def mask(folder: Path, number: int) -> Path:
    return folder / "masks" / f"{photo(folder, number).stem}.png"


def pair(folder: Path, number: int) -> tuple[np.ndarray, np.ndarray]:
    return images.read_image(photo(folder, number)), images.read_mask(mask(folder, number))


def examine(folder: Path) -> doctor.Report:
    return doctor.examine(folder, progress=False, workers=1)


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def add(folder: Path, stem: str, image: np.ndarray, alpha: np.ndarray, split: str) -> None:
    images.write_image(folder / "images" / f"{stem}.jpg", image)
    images.write_mask(folder / "masks" / f"{stem}.png", alpha)
    with open(folder / "splits.csv", "a") as file:
        file.write(f"{stem},{split}\n")


def split_of(folder: Path, number: int) -> str:
    with open(folder / "splits.csv", newline="") as file:
        return {row["stem"]: row["split"] for row in csv.DictReader(file)}[
            photo(folder, number).stem
        ]


def cut_short(folder):
    photo(folder, 1).write_bytes(photo(folder, 1).read_bytes()[:900])


def empty_file(folder):
    mask(folder, 1).write_bytes(b"")


def turned(folder):
    # A phone's way: the pixels lie on their side, and a tag says how to show them.
    path, exif = photo(folder, 1), Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.rot90(images.read_image(path)[: SIZE - 24]))
    stored.save(path.with_suffix(".jpg"), quality=95, exif=exif)
    path.unlink()
    images.write_mask(mask(folder, 1), np.rot90(images.read_mask(mask(folder, 1))[: SIZE - 24]))


def upside_down(folder):
    # Half a turn leaves the size alone, so that only the edges can tell.
    path, exif = photo(folder, 1), Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(images.read_image(path)[::-1, ::-1]).save(path, exif=exif)
    images.write_mask(mask(folder, 1), images.read_mask(mask(folder, 1))[::-1, ::-1])


def half_size(folder):
    path = mask(folder, 1)
    images.write_mask(path, images.resize(images.read_mask(path), (SIZE // 2, SIZE // 2)))


def other_shape(folder):
    images.write_mask(mask(folder, 1), np.ones((SIZE // 2, SIZE), np.float32))


def zeros_and_ones(folder, colours=None):
    picture = Image.fromarray((images.read_mask(mask(folder, 1)) >= 0.5).astype(np.uint8))
    if colours:
        picture.putpalette(colours)
    picture.save(mask(folder, 1))


def palette(folder):
    zeros_and_ones(folder, [0, 0, 0, 128, 0, 0])


def many_colours(folder):
    rainbow = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    images.write_image(mask(folder, 1), rainbow)


def jpeg_file(folder):
    path = mask(folder, 1)
    alpha = (images.read_mask(path) >= 0.5) * np.uint8(255)
    Image.fromarray(alpha).save(path.with_suffix(".jpg"), quality=75)
    path.unlink()


def jpeg_once(folder):
    jpeg_file(folder)
    path = mask(folder, 1).with_suffix(".jpg")
    Image.open(path).convert("L").save(path.with_suffix(".png"))
    path.unlink()


def inside_out(folder):
    images.write_mask(mask(folder, 1), 1 - images.read_mask(mask(folder, 1)))


def all_inside_out(folder):
    for path in (folder / "masks").iterdir():
        images.write_mask(path, 1 - images.read_mask(path))


def lone(folder):
    mask(folder, 1).unlink()


def twice_in_a_split(folder):
    small = [images.resize(one, (96, 96)) for one in pair(folder, 1)]
    add(folder, "again", *small, split_of(folder, 1))


def mirrored_in_val(folder):
    add(folder, "mirror", *(one[:, ::-1] for one in pair(folder, 1)), "val")


def people_in_both(folder):
    stems = [path.stem for path in sorted((folder / "images").iterdir())]
    names = [f"Given_Family-{chr(97 + i // 2)}_{i % 2 + 1:04d}" for i in range(len(stems))]
    for old, new in zip(stems, names, strict=True):
        for place in ("images", "masks"):
            (folder / place / f"{old}.png").rename(folder / place / f"{new}.png")
    lines = [f"{n},{'val' if i in (3, 10, 11) else 'train'}" for i, n in enumerate(names)]
    (folder / "splits.csv").write_text("\n".join(["stem,split", *lines]) + "\n")


def lost_and_double(folder):
    lines = (folder / "splits.csv").read_text().splitlines()
    (folder / "splits.csv").write_text("\n".join([*lines[:-1], "nobody,train", lines[3]]) + "\n")


MEND = [
    (cut_short, "unreadable"), (empty_file, "unreadable"), (turned, "rotation"),
    (upside_down, "rotation"), (half_size, "size"), (other_shape, "size"),
    (zeros_and_ones, "values"), (palette, "values"), (many_colours, "values"),
    (jpeg_file, "jpeg"), (jpeg_once, "jpeg"), (inside_out, "polarity"),
    (all_inside_out, "polarity"), (lone, "unmatched"), (twice_in_a_split, "duplicate"),
    (mirrored_in_val, "leak"), (people_in_both, "identity"), (lost_and_double, "split"),
]  # fmt: skip


def test_a_clean_set_raises_no_alarm(clean, tmp_path):
    report = examine(clean)
    assert report.findings == () and not report.must_mend
    assert report.count == COUNT and report.balance["person"]["all"]["empty"] == 0
    assert "nothing found" in report.table()
    copy = doctor.fix(report, tmp_path / "copy", progress=False)
    for path in [*(clean / "images").iterdir(), *(clean / "masks").iterdir()]:
        assert (copy / path.relative_to(clean)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("harm", "fault"), MEND, ids=[harm.__name__ for harm, _ in MEND])
def test_each_fault_is_named_and_mended(folder, tmp_path, harm, fault):
    harm(folder)
    report = examine(folder)
    assert {finding.fault for finding in report.findings} == {fault}, report.table()
    assert report.must_mend
    before = snapshot(folder)
    mended = doctor.fix(report, tmp_path / "mended", progress=False)
    assert snapshot(folder) == before
    again = examine(mended)
    assert not again.must_mend, again.table()
    assert data.validate(mended) == []
    with open(mended / "mended.csv", newline="") as file:
        assert {row["fault"] for row in csv.DictReader(file)} == {fault}
    assert json.loads((mended / "dataset.json").read_text())["mended"]["changes"].keys() == {fault}


@pytest.mark.parametrize(
    "harm", [turned, upside_down, zeros_and_ones, palette, jpeg_once, inside_out, all_inside_out]
)
def test_a_mended_mask_is_what_it_was(clean, folder, tmp_path, harm):
    harm(folder)
    mended = doctor.fix(examine(folder), tmp_path / "mended", progress=False)
    shown, truth = images.read_mask(mask(mended, 1)), images.read_mask(mask(clean, 1))
    truth = truth[: shown.shape[0]]
    assert np.mean((shown >= 0.5) != (truth >= 0.5)) < 0.004
    picture = images.read_image(photo(mended, 1)).astype(float)
    assert np.abs(picture - images.read_image(photo(clean, 1))[: shown.shape[0]]).mean() < 4


def test_one_call_mends_what_one_fault_hides_behind_another(folder, tmp_path):
    # Of a mask that cannot be read, nobody knows what else is wrong with it or with its photo.
    inside_out(folder)
    zeros_and_ones(folder)
    alpha = images.read_mask(mask(folder, 2))
    images.write_mask(mask(folder, 2), images.resize(1 - alpha, (SIZE // 2, SIZE // 2)))
    images.write_image(photo(folder, 4), images.read_image(photo(folder, 3))[:, ::-1])
    first = examine(folder)
    assert {"values", "size"} <= {f.fault for f in first.findings}
    mended = doctor.fix(first, tmp_path / "mended", progress=False)
    left = examine(mended)
    assert not [f for f in left.findings if f.remedy], left.table()
    assert left.count == COUNT - 1
    with open(mended / "mended.csv", newline="") as file:
        log = {(row["stem"], row["fault"]) for row in csv.DictReader(file)}
    assert {(photo(folder, 1).stem, "values"), (photo(folder, 1).stem, "polarity")} <= log
    assert {(photo(folder, 2).stem, "size"), (photo(folder, 2).stem, "polarity")} <= log
    assert {fault for _, fault in log} & {"leak", "duplicate"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mended", "set"]


def test_a_pair_whose_remedy_does_not_hold_is_left_out(folder):
    index = index_folder(folder)
    wrong = Finding("polarity", "mend", "inside out", (index.stems[1],), "person", "invert")
    first = plan_fixes([wrong], index)
    assert first.made() == {(index.stems[1], "person", "invert")} and not first.dropped
    again = plan_fixes([wrong], index, first.made())
    assert again.dropped == {index.stems[1]: "polarity"} and not again.made()


def test_hints_on_what_only_a_person_can_judge(folder):
    images.write_mask(mask(folder, 0), np.zeros((SIZE, SIZE), np.float32))
    images.write_mask(mask(folder, 1), np.ones((SIZE, SIZE), np.float32))
    grey = images.read_image(photo(folder, 2)).mean(axis=2).astype(np.uint8)
    images.write_image(photo(folder, 2), np.repeat(grey[..., None], 3, axis=2))
    images.write_image(photo(folder, 3), np.full((SIZE, SIZE, 3), 90, np.uint8))
    other = np.roll(images.read_mask(mask(folder, 5)), (17, 25), axis=(0, 1))
    images.write_mask(mask(folder, 5), other)
    report = examine(folder)
    stems = {fault: {s for f in report.of(fault) for s in f.stems} for fault in doctor.FAULTS}
    assert stems["empty"] == {photo(folder, 0).stem}
    assert stems["full"] == {photo(folder, 1).stem}
    assert stems["grey"] == {photo(folder, 2).stem}
    assert stems["blank"] == {photo(folder, 3).stem}
    assert stems["edges"] >= {photo(folder, 5).stem}
    assert not report.must_mend


def test_masks_of_one_picture_that_differ_but_not_of_two_crops_of_it(folder):
    twice_in_a_split(folder)
    images.write_mask(mask(folder, 0), np.roll(images.read_mask(mask(folder, 0)), 20, axis=1))
    found = examine(folder).of("disagree")
    assert [one.stems for one in found] == [("again", photo(folder, 2).stem)]
    for path in (photo(folder, 0), mask(folder, 0)):
        path.unlink()
    # Each is right for its own crop, and how far they overlap says nothing.
    image = images.read_image(photo(folder, 1))
    stripes = np.tile(np.arange(SIZE) // 8 % 2, (SIZE, 1)).astype(np.float32)
    images.write_mask(mask(folder, 1), stripes)
    add(folder, "crop", np.ascontiguousarray(image[:, 3:]), stripes[:, 3:], split_of(folder, 1))
    report = examine(folder)
    assert len(report.of("duplicate")) == 1 and not report.of("disagree")


def test_hair_that_fills_the_frame_is_no_background():
    # Hair above, a face below, before walls of other colours; then one head that fills the frame.
    rng = np.random.default_rng(0)
    masks = np.zeros((20, 32, 32), np.uint8)
    masks[:, 6:16, 9:23] = 255
    masks[0] = 255
    masks[0, 12:26, 10:22] = 0
    photos = np.empty((20, 32, 32, 3), np.uint8)
    photos[:] = rng.integers(120, 250, (20, 1, 1, 3))
    photos[masks > 0] = (60, 40, 30)
    photos[0][masks[0] == 0] = (220, 180, 150)
    assert find_inside_out(photos, masks, "hair") == ({}, False)
    masks[5] = 255 - masks[5]
    assert find_inside_out(photos, masks, "hair") == ({5: True}, False)


def test_names_of_people_and_names_of_series():
    lfw = ["Ann_Bee_0001", "Ann_Bee_0002", "Cy_Dee_0001", "Ed_van_Eff_0003", "Madonna_0001"]
    assert set(people(lfw)) == {"Ann_Bee", "Cy_Dee", "Ed_van_Eff", "Madonna"}
    assert people([f"Frame_{n:04d}" for n in range(9)]) == {}
    assert people([f"Hair_Photo_{n:04d}" for n in range(9)]) == {}
    assert people([f"eg1800_{n:05d}" for n in range(9)]) == {}


def test_groups_join_what_hangs_together():
    pairs = [("a", "b"), ("c", "d"), ("b", "c"), ("x", "y"), ("a", "d")]
    assert duplicates.groups(pairs) == [["a", "b", "c", "d"], ["x", "y"]]


def test_sets_with_labels(tmp_path):
    folder = tmp_path / "parts"
    portraits = synthetic.portraits(
        10, 96, seed=3, config=synthetic.PortraitConfig(empty=0, grey=0)
    )
    (folder / "labels").mkdir(parents=True)
    for number, (image, labels) in enumerate(zip(portraits.images, portraits.labels, strict=True)):
        images.write_image(folder / "images" / f"p{number}.png", image)
        if number == 4:
            labels = labels.copy()
            labels[:5] = 77
        if number == 5:
            labels = np.where(labels == 0, 255, labels).astype(np.uint16)
        Image.fromarray(labels).save(folder / "labels" / f"p{number}.png")
    (folder / "label_list.txt").write_text("0 null\n1 hair\n2 skin\n3 clothes\n")
    report = examine(folder)
    assert report.kinds == ("person", "hair", "skin", "clothes")
    assert set(report.classes) == {"null", "hair", "skin", "clothes", "77", "255"}
    assert [f.stems for f in report.of("values")] == [("p4",), ("p5",)]
    assert [(f.fault, f.stems) for f in report.findings if f.severity == "mend"] == [
        ("values", ("p4",))
    ]
    mended = examine(doctor.fix(report, tmp_path / "mended", progress=False))
    assert mended.count == 9 and not mended.must_mend
    with pytest.raises(SeglibError, match="of hair masks only"):
        doctor.fix(doctor.examine(folder, "hair", False, 1), tmp_path / "x", progress=False)


def test_the_page_is_whole_and_safe(folder):
    bad = 'a"><img src=x onerror=alert(1)>&'
    for place in ("images", "masks"):
        path = sorted((folder / place).iterdir())[0]
        path.rename(path.with_stem(bad))
    images.write_mask(folder / "masks" / f"{bad}.png", np.zeros((SIZE, SIZE), np.float32))
    page = examine(folder).write_html(folder.parent / "page.html").read_text()
    assert "<img src=x" not in page and "&lt;img src=x" in page
    assert "data:image/jpeg;base64," in page
    assert not re.search(r"https?://|<script|<link|url\(", page)
    assert "prefers-color-scheme: dark" in page


def command(*arguments: object) -> int:
    return main(["data", "doctor", *map(str, arguments)])


def test_the_command_and_its_exit_codes(clean, folder, tmp_path, capsys):
    assert command(clean, "--workers", 1) == 0
    assert "nothing found" in capsys.readouterr().out
    zeros_and_ones(folder)
    page, fixed = tmp_path / "page.html", tmp_path / "fixed"
    assert command(folder, "--workers", 1, "--json", "--html", page, "--fix", fixed) == 1
    assert page.is_file()
    assert json.loads(capsys.readouterr().out)["counts"] == {"values": {"mend": 1}}
    assert command(fixed, "--workers", 1) == 0
    assert command(folder, "--fix", fixed) == 2
    assert "exists already" in capsys.readouterr().err
    assert command(folder, "--kind", "person", "--fix", tmp_path / "y") == 2
    assert "leave --kind out" in capsys.readouterr().err
    assert command(tmp_path / "nowhere") == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_model_that_disagrees(folder):
    path = mask(folder, 3)
    images.write_mask(path, np.roll(images.read_mask(path), 60, axis=1))
    model = pretrained.path("portrait")
    report = doctor.examine(folder, progress=False, workers=1, model=model)
    assert photo(folder, 3).stem in {s for f in report.of("model") for s in f.stems}


def test_processes_find_what_one_process_finds(tmp_path):
    portraits = synthetic.portraits(70, 48, seed=5)
    folder = data.write_folder(tmp_path / "many", portraits.dataset("person"))
    inside_out(folder)
    alone = doctor.examine(folder, progress=False, workers=1)
    assert doctor.examine(folder, progress=False, workers=2) == alone


def test_a_folder_that_cannot_be_opened_is_reported(tmp_path):
    (tmp_path / "images").mkdir()
    report = examine(tmp_path)
    assert [f.fault for f in report.findings] == ["folder"] and report.must_mend
    with pytest.raises(SeglibError, match="takes a person"):
        doctor.fix(report, tmp_path.parent / "mended")


def test_a_copy_never_lands_on_or_in_a_set(clean, tmp_path):
    report = examine(clean)
    with pytest.raises(SeglibError, match="exists already"):
        doctor.fix(report, tmp_path)
    with pytest.raises(SeglibError, match="lies in the set"):
        doctor.fix(report, clean / "new")


def test_real_pairs_with_known_faults(real_data):
    report = examine(real_data / "dirty_samples")
    pairs = {f.stems for f in report.of("duplicate") if f.severity == "mend"}
    assert pairs == {("eg1800_02050", "eg1800_02051"), ("eg1800_02076", "eg1800_02359")}
    assert {f.stems[0] for f in report.of("full")} == {"eg1800_02188", "eg1800_02238"}
    assert len(report.of("empty")) == 6
    assert all(f.stems[0].startswith("lfw_") for f in report.of("empty"))
    assert report.of("polarity") == []


def test_real_copies_under_other_names(real_data, tmp_path):
    # 01245 is 01231 of the train part in other colours; beside each other they are a leak.
    folder = tmp_path / "both"
    for name, path in (
        ("01231", real_data / "eg1800"),
        ("eg1800_01245", real_data / "dirty_samples"),
    ):
        for place, suffix in (("images", ".jpg"), ("masks", ".png")):
            (folder / place).mkdir(parents=True, exist_ok=True)
            shutil.copy(path / place / f"{name}{suffix}", folder / place)
    (folder / "splits.csv").write_text("stem,split\n01231,train\neg1800_01245,val\n")
    assert [f.fault for f in examine(folder).findings if f.severity == "mend"] == ["leak"]


def test_a_mask_of_noise_or_a_grey_photo_is_no_alpha(folder, tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    Image.fromarray(noise).save(mask(folder, 1))
    grey = images.read_image(photo(folder, 2))[..., 1] // 2 + 60
    Image.fromarray(grey).save(mask(folder, 2))
    soft = images.resize(images.read_mask(mask(folder, 3)), (12, 12))
    images.write_mask(mask(folder, 3), images.resize(soft, (SIZE, SIZE)))
    report = examine(folder)
    stems = {one.stems[0] for one in report.of("values")}
    assert stems == {photo(folder, 1).stem, photo(folder, 2).stem} and report.must_mend
    assert all("between dark and bright" in one.message for one in report.of("values"))
    assert {f.stems[0] for f in data.validate(folder) if f.fault == "values"} == stems
    mended = examine(doctor.fix(report, tmp_path / "mended", progress=False))
    assert mended.count == COUNT - 2 and not mended.must_mend


def test_a_leak_between_any_two_of_three_splits(folder, tmp_path):
    image, alpha = images.read_image(photo(folder, 1)), images.read_mask(mask(folder, 1))
    places = {path.stem: "train" for path in sorted((folder / "images").iterdir())}
    stems = sorted(places)
    places |= {stems[2]: "val", stems[5]: "val", stems[3]: "test", stems[6]: "test", "seen": "test"}
    lines = [f"{stem},{split}" for stem, split in places.items() if stem != "seen"]
    (folder / "splits.csv").write_text("\n".join(["stem,split", *lines]) + "\n")
    for path in (photo(folder, 2), mask(folder, 2)):
        with Image.open(path.with_name(f"{stems[3]}.png")) as picture:
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    add(folder, "seen", image, alpha, "test")
    report = examine(folder)
    assert report.splits == {"train": COUNT - 4, "val": 2, "test": 3}
    homes = [re.search(r"in (\w+ and \w+);", one.message)[1] for one in report.of("leak")]
    assert sorted(homes) == ["test and train", "test and val"]
    mended = doctor.fix(report, tmp_path / "mended", progress=False)
    sets = [{*data.open_folder(mended, split).stems} for split in ("train", "val", "test")]
    assert sum(map(len, sets)) == len(set.union(*sets)) == COUNT - 1 and stems[1] in sets[0]
    assert not examine(mended).findings
    (folder / "splits.csv").write_text("stem,split\n" + "\n".join(f"{s},trian" for s in places))
    found = examine(folder).of("split")
    assert "'trian'; write train, val or test" in found[0].message


def test_litter_and_shouted_suffixes_are_no_fault(folder):
    (folder / "masks/.ipynb_checkpoints").mkdir()
    for place in ("images", "masks"):
        for name in ("._a.png", "Thumbs.db", ".DS_Store"):
            (folder / place / name).write_bytes(b"x")
    mask(folder, 1).rename(mask(folder, 1).with_suffix(".PNG"))
    text = (folder / "splits.csv").read_text()
    (folder / "splits.csv").write_text(text, encoding="utf-8-sig")
    assert examine(folder).findings == () and data.validate(folder) == []


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".gif"])
def test_a_mask_in_another_format_is_written_as_png(folder, tmp_path, suffix):
    truth, path = images.read_mask(mask(folder, 1)), mask(folder, 1)
    with Image.open(path) as picture:
        picture.save(path.with_suffix(suffix))
    path.unlink()
    report = examine(folder)
    assert [(f.fault, f.remedy) for f in report.findings] == [("jpeg", "png")]
    mended = doctor.fix(report, tmp_path / "mended", progress=False)
    np.testing.assert_allclose(images.read_mask(mask(mended, 1)), truth, atol=1e-6)
