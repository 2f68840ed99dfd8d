"""The catalogue and the readers of the original layouts, on small trees made here."""

import base64
import json
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from seglib import SeglibError, data
from seglib.cli import main
from seglib.data.download import cache_folder
from seglib.data.sources import catalogue
from seglib.data.sources.annotations import draw_supervisely
from seglib.data.sources.prepare import LAYOUTS, find, read
from seglib.data.sources.published import CELEBA_PARTS, merge_celeba, upper_body

RNG = np.random.default_rng(3)


def sheet(path: Path, array: np.ndarray, **options: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = array if array.dtype == bool else np.asarray(array, np.uint8)
    Image.fromarray(array).save(path, **options)
    return path


def photo(path: Path, height: int = 40, width: int = 30) -> Path:
    return sheet(path, RNG.integers(0, 256, (height, width, 3)))


def mat(path: Path, **variables: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables)


def block(value: int = 1, height: int = 40, width: int = 30) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[4:20, 10:25] = value
    return mask


def test_every_source_says_what_one_may_do_and_how_to_get_it():
    names = [entry.name for entry in data.list()]
    assert len(set(names)) == len(names) >= 11
    for entry in data.list():
        assert entry.title and entry.shows and entry.kinds and entry.licence and entry.terms
        assert (entry.layout in LAYOUTS) != (entry.name == "portraits")
        assert bool(entry.steps) != entry.fetchable
        if entry.fetchable:
            assert entry.repository in entry.address and entry.commit in entry.address
            assert entry.citation
        checksums = catalogue.known_checksums(entry)
        assert all(len(digest) == 64 for digest in checksums.values())
        assert bool(checksums) == bool(entry.fetchable and entry.layout)
    handed = {"portraits", "ccp_full", "ccp_upper", "eg1800", "figaro1k", "lfw_hair", "celeba_hq"}
    assert {*handed, "scenes", "open_more", "negatives"} <= {*names}
    assert catalogue.source("ccp_full").raw == catalogue.source("ccp_upper").raw


def test_a_mistyped_name_gets_a_hint_and_the_list():
    with pytest.raises(SeglibError, match="did you mean figaro1k.*celebamask_hq"):
        catalogue.source("figaro")


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("SEGLIB_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "seglib"
    monkeypatch.setenv("SEGLIB_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"


def test_the_command_lists_all_of_it(capsys):
    assert main(["data", "list"]) == 0
    text = capsys.readouterr().out
    for entry in data.list():
        for said in (entry.name, entry.size, entry.terms, entry.citation, entry.address):
            assert said in text
    assert main(["data", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [entry.name for entry in data.list()]


def faults(listing) -> dict[str, str]:
    return {pair.stem: pair.fault for pair in listing.pairs if pair.fault}


def test_ccp_classes_become_kinds(tmp_path):
    labels = block(13)  # a coat
    labels[4:8, 10:25], labels[8:10, 10:25], labels[18:20, 10:25] = 19, 41, 2
    for stem in ("0001", "0002"):
        mat(tmp_path / f"repo/annotations/pixel-level/{stem}.mat", groundtruth=labels)
    for stem in ("0001", "0002", "2000"):
        photo(tmp_path / f"repo/photos/{stem}.jpg")
    listing = find("ccp", tmp_path)
    assert [pair.stem for pair in listing.pairs] == ["0001", "0002"]
    assert "1 photos have tags" in listing.notes[0]
    image, masks = read("ccp", listing.pairs[0])
    assert image.shape == (40, 30, 3) and tuple(masks) == listing.kinds
    pixels = {kind: int(mask.sum()) for kind, mask in masks.items()}
    assert pixels == {"person": 240, "hair": 60, "skin": 30, "clothes": 120}
    names = np.array(["null", "hair"] + ["x"] * 57, object)
    mat(tmp_path / "repo/label_list.mat", label_list=names)
    with pytest.raises(SeglibError, match="label_list.mat numbers"):
        find("ccp", tmp_path)


@given(*(st.integers(low, 60) for low in (1, 1, 0, 0, 1)))
def test_the_upper_body_square_lies_in_the_photo_and_holds_the_head(height, width, y, x, tall):
    person = np.zeros((height, width), bool)
    with pytest.raises(SeglibError, match="nobody"):
        upper_body(person)
    y, x = min(y, height - 1), min(x, width - 1)
    person[y : y + tall, x : x + 5] = True
    top, left, side = upper_body(person)
    assert side >= 1 and 0 <= top <= y and top + side <= height
    assert left >= 0 and left + side <= width
    assert person[top : top + side, left : left + side].any()


def test_eg1800_follows_its_lists_and_counts_what_is_absent(tmp_path):
    for number in (1, 2, 3, 9):
        photo(tmp_path / f"data/images_data_crop/{number:05d}.jpg")
        mat(tmp_path / f"data/images_mask/{number:05d}_mask.mat", mask=block())
    mat(tmp_path / "data/trainlist.mat", trainlist=np.array([[1, 3, 7]], np.uint16))
    mat(tmp_path / "data/testlist.mat", testlist=np.array([[2]], np.uint16))
    listing = find("eg1800", tmp_path)
    assert {p.stem: p.split for p in listing.pairs} == {
        "00001": "train", "00002": "test", "00003": "train",
    }  # fmt: skip
    assert [note[0] for note in listing.notes] == ["1", "1"]
    assert read("eg1800", listing.pairs[0])[1]["person"].sum() == 240
    mat(tmp_path / "data/images_mask/00001_mask.mat", mask=block(7))
    with pytest.raises(SeglibError, match="00001_mask.mat holds other values"):
        read("eg1800", listing.pairs[0])


def test_figaro_in_both_of_its_layouts(tmp_path):
    for split, number in (("Training", 1), ("Training", 2), ("Testing", 3)):
        stem = f"Frame{number:05d}"
        kept = tmp_path / "repo/data/Figaro1k" / split
        photo(kept / "imgs/Original" / f"{stem}-org.jpg")
        sheet(kept / "masks/GT" / f"{stem}-gt.png", block() > 0, format="PPM")
        (kept / "masks/GT" / f"._{stem}-gt.png").write_bytes(b"mac")
        own = tmp_path / "own/Figaro1k"
        photo(own / "Original" / split / f"{stem}-org.jpg")
        sheet(own / "GT" / split / f"{stem}-gt.pbm", block() > 0, format="PPM")
    for name in ("repo", "own"):
        listing = find("figaro1k", tmp_path / name)
        assert [p.split for p in listing.pairs] == ["train", "train", "test"]
        _, masks = read("figaro1k", listing.pairs[0])
        np.testing.assert_array_equal(masks["hair"], block())


def test_lfw_hair_takes_each_photo_once_and_groups_by_person(tmp_path):
    for split in ("Training", "Testing"):
        for stem in ("Ann_Lee_0001", "Ann_Lee_0012", "Bo_0001"):
            photo(tmp_path / f"data/Lfw/{split}/imgs/Original/{stem}.jpg")
            sheet(tmp_path / f"data/Lfw/{split}/masks/GT/{stem}.png", block(255))
    listing = find("lfw_hair", tmp_path)
    assert [p.group for p in listing.pairs] == ["Ann_Lee", "Ann_Lee", "Bo"]
    assert "6 files are there twice" in listing.notes[0]
    assert "Training" in listing.pairs[0].image.parts


def test_lfw_parts_are_red_green_and_blue(tmp_path):
    colours = np.zeros((40, 30, 3), np.uint8)
    colours[..., 2] = 255
    colours[4:8, 10:25], colours[8:20, 10:25] = (255, 0, 0), (0, 255, 0)
    sheet(tmp_path / "parts_gt/Bo_0001.ppm", colours)
    sheet(tmp_path / "parts_gt/Absent_0001.ppm", colours)
    photo(tmp_path / "lfw_funneled/Bo/Bo_0001.jpg")
    photo(tmp_path / "lfw_funneled/Bo/Bo_0002.jpg")
    listing = find("lfw_parts", tmp_path)
    assert faults(listing) == {"Absent_0001": "Absent_0001.ppm has no photo"}
    (pair,) = [pair for pair in listing.pairs if not pair.fault]
    assert pair.stem == "Bo_0001"
    _, masks = read("lfw_parts", pair)
    assert (masks["hair"].sum(), masks["skin"].sum()) == (60, 180)
    sheet(tmp_path / "parts_gt/Bo_0001.ppm", RNG.integers(0, 256, (40, 30, 3)))
    with pytest.raises(SeglibError, match="other colours"):
        read("lfw_parts", pair)


def test_celeba_parts_are_merged_in_order_and_bald_people_stay(tmp_path):
    parts = {
        "skin": (slice(2, 14), slice(2, 14)),
        "hair": (slice(0, 6), slice(0, 16)),
        "neck": (slice(12, 16), slice(4, 12)),
        "cloth": (slice(15, 16), slice(0, 16)),
        "u_lip": (slice(9, 10), slice(6, 10)),
    }
    for number in (7, 8, 2001):
        photo(tmp_path / f"CelebA-HQ-img/{number}.jpg", 32, 32)
    for number, part in ((n, part) for n in (7, 2001) for part in parts):
        mask = np.zeros((16, 16, 3), np.uint8)
        mask[parts[part]] = 255
        folder = tmp_path / f"CelebAMask-HQ-mask-anno/{number // 2000}"
        if (number, part) != (2001, "hair"):
            sheet(folder / f"{number:05d}_{part}.png", mask)
    listing = find("celebamask_hq", tmp_path)
    assert faults(listing) == {"8": "photo 8 has no part at all"}
    assert "several splits" in listing.notes[0]
    first, second = (pair for pair in listing.pairs if not pair.fault)
    assert (first.stem, second.stem) == ("00007", "02001")
    image, masks = read("celebamask_hq", first)
    assert image.shape == (16, 16, 3)
    # Hair is painted over skin, the neck over both, and the cloth over the neck.
    assert masks["hair"].sum() == 6 * 16
    assert masks["clothes"].sum() == 16
    assert masks["skin"][13, 5] == masks["skin"][9, 7] == 1 and masks["skin"][5, 5] == 0
    _, bald = read("celebamask_hq", second)
    assert bald["hair"].sum() == 0 and bald["skin"][2, 2] == 1
    (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").write_text(
        "idx orig_idx orig_file\n7 119613 119614.jpg\n2001 162770 162771.jpg\n"
    )
    listing = find("celebamask_hq", tmp_path)
    assert [pair.split for pair in listing.pairs if not pair.fault] == ["train", "val"]
    assert listing.notes == ()


@given(st.permutations(CELEBA_PARTS))
def test_the_merge_does_not_depend_on_the_order_of_files(names):
    parts = {name: np.ones((1, len(names)), bool) for name in names}
    assert (merge_celeba(parts) == CELEBA_PARTS.index("cloth") + 1).all()


def bitmap(mask: np.ndarray, origin: tuple[int, int], channels: int = 4) -> dict:
    picture = np.repeat(mask[..., None] * np.uint8(255), 4, axis=2)
    picture = picture if channels == 4 else picture[..., 0]
    data = cv2.imencode(".png", picture)[1].tobytes()
    return {"data": base64.b64encode(zlib.compress(data)).decode(), "origin": list(origin)}


def annotation(*objects: dict) -> dict:
    return {"size": {"height": 40, "width": 30}, "tags": [], "objects": list(objects)}


def person(form: str = "", data: dict | None = None, **points: list) -> dict:
    given = {"geometryType": form} if form else {}
    return {"classTitle": "person_x", "bitmap": data, "points": points, **given}


def test_supervisely_bitmaps_polygons_holes_and_rectangles():
    piece = np.ones((4, 3), np.uint8)
    hole = [[10, 10], [15, 10], [15, 15], [10, 15]]
    mask = draw_supervisely(
        annotation(
            person(data=bitmap(piece, (26, 30))),
            person(data=bitmap(piece, (0, 38), 1)),
            person(exterior=[[5, 5], [20, 5], [20, 20], [5, 20]], interior=[hole]),
            person(exterior=[[12, 12], [13, 12], [13, 13]]),
            {"classTitle": "neutral", "points": {"exterior": [[0, 0], [3, 0], [3, 3]]}},
        )
    )
    assert mask[30:34, 26:29].all() and not mask[30:34, 25].any() and not mask[29, 26:29].any()
    assert mask[38:, :3].all() and not mask[0, 0]
    # The outline is part of a polygon and of its hole; another person shows through the hole.
    assert mask[5, 5] and mask[20, 20] and not mask[10, 10] and not mask[14, 14] and mask[12, 12]
    mask = draw_supervisely(annotation(person("rectangle", exterior=[[20, 30], [5, 10]])))
    assert mask[10:31, 5:21].all() and mask.sum() == 21 * 16


@given(st.integers(-6, 32), st.integers(-6, 42))
def test_a_bitmap_that_sticks_out_is_cut_where_the_photo_ends(left, top):
    shape = np.ones((5, 4), np.uint8)
    mask = draw_supervisely(annotation(person(data=bitmap(shape, (left, top)))))
    expected = np.zeros((60, 60), bool)
    expected[10 + top : 15 + top, 10 + left : 14 + left] = True
    np.testing.assert_array_equal(mask, expected[10:50, 10:40])


def test_supervisely_projects_of_both_ages(tmp_path):
    for place in ("ds1/{}/a.png", "ds2/{}/a.png", "ds2/{}/b.png"):
        image = photo(tmp_path / place.format("img"))
        file = tmp_path / (place.format("ann") + ".json")
        file = file.with_name("a.json") if image.parts[-3] == "ds1" else file
        write(file, annotation(person(data=bitmap(block(), (0, 0)))))
    photo(tmp_path / "ds1/img/lone.png")
    listing = find("supervisely", tmp_path)
    assert [p.stem for p in listing.pairs if not p.fault] == ["b", "ds1-a", "ds2-a"]
    assert faults(listing) == {"lone": "lone.png has no annotation"}
    _, masks = read("supervisely", listing.pairs[0])
    np.testing.assert_array_equal(masks["person"], block())


def unpacked(data: str) -> dict:
    return annotation(person(data={"data": data, "origin": [0, 0]}))


BROKEN = [
    ({"objects": []}, "no size"),
    ({"size": {"height": 10**6, "width": 10**6}, "objects": []}, "states a size"),
    (unpacked("AAAA"), "cannot be read"),
    (unpacked(base64.b64encode(zlib.compress(bytes(70 << 20))).decode()), "more than 64 MB"),
]


@pytest.mark.parametrize(("broken", "match"), BROKEN)
def test_supervisely_annotations_that_cannot_be_used(tmp_path, broken, match):
    photo(tmp_path / "ds/img/a.png")
    write(tmp_path / "ds/ann/a.json", broken)
    pair = find("supervisely", tmp_path).pairs[0]
    with pytest.raises(SeglibError, match=match):
        read("supervisely", pair)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "csv"])
def test_an_empty_folder_is_told_what_it_lacks(tmp_path, layout):
    lacks = f"{tmp_path.name} (has|holds) no.*; (give|put|save|unpack)"
    with pytest.raises(SeglibError, match=lacks):
        find(layout, tmp_path)
    with pytest.raises(SeglibError, match="there is no"):
        find(layout, tmp_path / "absent")


def ring(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def coco(segmentations: list, **changes: object) -> dict:
    marks = [
        {"id": i, "image_id": 1, "category_id": 7, "iscrowd": 0, "segmentation": one}
        for i, one in enumerate(segmentations)
    ]
    table = {
        "images": [
            {"id": 1, "file_name": "sub/a.png", "height": 40, "width": 30},
            {"id": 2, "file_name": "b.png", "height": 40, "width": 30},
        ],
        "annotations": [
            *marks,
            {"image_id": 1, "category_id": 9, "segmentation": [ring(0, 0, 3, 3)]},
        ],
        "categories": [{"id": 7, "name": "person"}, {"id": 9, "name": "teddy bear"}],
    }  # fmt: skip
    return {**table, **changes}


def runs(mask: np.ndarray) -> list[int]:
    """COCO's run lengths: down the columns, zeros first."""
    flat = np.concatenate([[0], mask.T.ravel(), [0]]).astype(int)
    edges = np.flatnonzero(np.diff(flat))
    return np.diff([0, *edges, mask.size]).tolist()


def packed(mask: np.ndarray) -> dict:
    from pycocotools import mask as tools

    found = tools.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(found["size"]), "counts": found["counts"].decode()}


def write(path: Path, content: object, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize(
    "drawn",
    [
        [[ring(10, 4, 25, 12), ring(10, 12, 25, 20)]],
        [[ring(10, 4, 25, 12)], [ring(10, 12, 25, 20)]],
        [{"size": [40, 30], "counts": runs(block())}],
        [packed(block())],
    ],
)
def test_coco_polygons_and_run_lengths(tmp_path, drawn):
    photo(tmp_path / "images/sub/a.png")
    photo(tmp_path / "images/b.png")
    photo(tmp_path / "images/other/a.png")
    table = write(tmp_path / "annotations/instances_val2017.json", coco(drawn), "utf-8-sig")
    for raw in (tmp_path, table):
        listing = find("coco", raw)
        assert listing.kinds == ("person",) and "1 photos have no outline" in listing.notes[0]
        assert [(p.stem, p.split) for p in listing.pairs] == [("a", "val"), ("b", "val")]
        assert listing.pairs[0].image.parent.name == "sub"
        marked, bare = (read("coco", pair)[1]["person"] for pair in listing.pairs)
        np.testing.assert_array_equal(marked, block())
        assert bare.sum() == 0
    assert read("coco", find("coco", tmp_path, "teddy_bear").pairs[0])[1]["teddy_bear"].sum() == 9
    with pytest.raises(SeglibError, match="no label 'cat'; it has person, teddy_bear"):
        find("coco", tmp_path, "cat")


@pytest.mark.parametrize(
    ("drawn", "match"),
    [
        ([], "without an outline"),
        ([[1, 2, 3, 4]], "without an outline"),
        ({"size": [40, 30], "counts": [1, 2]}, "do not fill"),
        ({"size": [30, 40], "counts": runs(block())}, "do not fill"),
        ({"size": [40, 30], "counts": "~~~"}, "do not fill"),
    ],
)
def test_coco_outlines_that_cannot_be_used(tmp_path, drawn, match):
    photo(tmp_path / "a.png")
    write(tmp_path / "a.json", coco([drawn]))
    with pytest.raises(SeglibError, match=match):
        read("coco", find("coco", tmp_path).pairs[0])


def labelme(form: str, points: list, **more: object) -> dict:
    shape = {"label": "Person", "points": points, "shape_type": form, **more}
    other = {"label": "cat", "points": [[0, 0], [3, 0], [3, 3]], "shape_type": "polygon"}
    return {"version": "5.4", "imagePath": "..\\photos\\a.png", "shapes": [shape, other]}


CORNERS = [[10, 4], [24, 4], [24, 19], [10, 19]]


@pytest.mark.parametrize(
    ("form", "points", "more"),
    [
        ("polygon", CORNERS, {}),
        ("rectangle", [CORNERS[2], CORNERS[0]], {}),
        ("mask", [CORNERS[0], CORNERS[2]],
         {"mask": base64.b64encode(cv2.imencode(".png", np.ones((16, 15)))[1]).decode()}),
    ],
)  # fmt: skip
def test_labelme_shapes(tmp_path, form, points, more):
    photo(tmp_path / "photos/a.png")
    write(tmp_path / "notes/a.json", labelme(form, points, **more))
    listing = find("labelme", tmp_path)
    _, masks = read("labelme", listing.pairs[0])
    np.testing.assert_array_equal(masks["person"], block())
    circle = write(tmp_path / "notes/a.json", labelme("circle", [[15, 20], [15, 25]]))
    assert read("labelme", find("labelme", circle.parent.parent).pairs[0])[1]["person"].sum() in (
        range(75, 100)
    )
    write(tmp_path / "notes/b.json", labelme("polygon", CORNERS))
    for kind in (None, "person"):
        assert [p.stem for p in find("labelme", tmp_path, kind).pairs] == ["a", "b"]


def cvat(*shapes: str, extra: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
        '<image id="0" name="sub/a.png" subset="Test" width="30" height="40">'
        f'<tag label="person"/><box label="car" xtl="0" ytl="0" xbr="9" ybr="9"/>{"".join(shapes)}'
        f"</image>{extra}</annotations>"
    )


CVAT = {
    "polygon": '<polygon label="person" points="10,4;25,4;25,20;10,20"/>',
    "box": '<box label="person" xtl="10" ytl="4" xbr="25" ybr="20"/>',
    "turned": '<box label="person" xtl="9.5" ytl="4.5" xbr="25.5" ybr="19.5" rotation="90"/>',
    "mask": '<mask label="person" rle="0, 240" left="10" top="4" width="15" height="16"/>',
}


@pytest.mark.parametrize("shape", CVAT)
def test_cvat_shapes(tmp_path, shape):
    photo(tmp_path / "images/sub/a.png")
    write(tmp_path / "annotations.xml", cvat(CVAT[shape]), "utf-8-sig")
    listing = find("cvat", tmp_path)
    assert listing.pairs[0].split == "test"
    np.testing.assert_array_equal(read("cvat", listing.pairs[0])[1]["person"], block())
    write(tmp_path / "annotations.xml", cvat(extra='<track label="person"/>'))
    with pytest.raises(SeglibError, match="tracks of a video"):
        find("cvat", tmp_path)
    ellipse = '<ellipse label="person" cx="15" cy="20" rx="5" ry="10"/>'
    write(tmp_path / "annotations.xml", cvat(ellipse))
    area = read("cvat", find("cvat", tmp_path).pairs[0])[1]["person"].sum()
    assert area == pytest.approx(np.pi * 50, rel=0.05)


@pytest.mark.parametrize("form", ["line", "linestrip", "point", "points", "polyline", "cuboid"])
def test_shapes_without_an_area_are_refused_by_name(tmp_path, form):
    photo(tmp_path / "img/a.png")
    two = [[5, 5], [20, 30]]
    write(tmp_path / "a.json", {**labelme(form, two), "imagePath": "a.png"})
    write(tmp_path / "a.xml", cvat(f'<{form} label="person" points="5,5;20,30"/>'))
    write(tmp_path / "ann/a.png.json", annotation(person(form, exterior=two)))
    for layout in ("labelme", "cvat", "supervisely"):
        with pytest.raises(SeglibError, match=f"a {form} that encloses no area"):
            read(layout, find(layout, tmp_path).pairs[0])


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["images", "annotations", "categories",
                      "shapes", "id", "name", "label", "points", "file_name", "segmentation"]),
                      inner, max_size=4), max_leaves=12))  # fmt: skip
def test_any_json_is_read_or_refused_in_a_sentence(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    photo(folder / "a.png")
    write(folder / "a.json", content)
    for layout in ("coco", "labelme"):
        try:
            for pair in find(layout, folder).pairs:
                read(layout, pair)
        except SeglibError:
            pass
