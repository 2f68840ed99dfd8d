"""Networks that read the mask of the frame before: made, trained, exported, run on a film."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export_net import SIZE, net, pictures
from seglib import SeglibError, Segmenter, export, models, video
from seglib.data import AugmentConfig, Batches, Dataset, write_folder
from seglib.data.previous import FIRST_FRAMES, KINDS, PreviousConfig, VideoBatches, previous_mask
from seglib.metadata import read_metadata
from seglib.models import UNetConfig, add_previous, drop_previous, mobile_unet, reads_previous
from seglib.runtime import open_engine, reset_state
from seglib.training import TrainConfig, fit, train_experiment
from seglib.training.experiment import DataConfig, Experiment

CONFIG = UNetConfig(SIZE, "mobilenet_v1", 0.25, decoder_channels=(24, 16, 16, 12), dropout=0.0)


@pytest.fixture(scope="module")
def film_net() -> keras.Model:
    """A trained network that leans on the mask before where there is one, by weights of ours."""
    model, _ = add_previous(net(), CONFIG)
    kernel, *rest = model.get_weights()
    kernel[:, :, 3:] = np.random.default_rng(3).normal(0, 0.3, kernel[:, :, 3:].shape)
    model.set_weights([kernel, *rest])
    return model


@pytest.fixture(scope="module")
def file(film_net, tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.tflite"
    return export.to_tflite(film_net, path, metadata={"labels": ["shape"]})


def own_masks(model: keras.Model, images: np.ndarray, before: np.ndarray | None = None):
    """Masks (N, SIZE, SIZE) of a film, worked out by hand."""
    masks = [np.zeros((1, SIZE, SIZE, 1), np.float32) if before is None else before]
    for image in images.astype(np.float32):
        masks.append(np.asarray(model({"image": image[None], "previous": masks[-1]})))
    return np.concatenate(masks[1:])[..., 0]


# The network.


def test_a_network_that_gets_the_input_answers_as_before_whatever_the_mask():
    images = pictures()[0][:3].astype(np.float32)
    rng = np.random.default_rng(0)
    before = rng.uniform(0, 1, (3, SIZE, SIZE, 1)).astype(np.float32)
    model, config = add_previous(net(), CONFIG)
    assert config.previous and reads_previous(model) and not reads_previous(net())
    found = np.asarray(model({"image": images, "previous": before}))
    np.testing.assert_array_equal(found, np.asarray(net()(images)))
    # Nine more weights for each kernel of the first convolution.
    assert model.count_params() == net().count_params() + 9 * 8


def test_with_an_empty_mask_it_is_a_network_of_three_channels(film_net):
    images = pictures()[0][:3].astype(np.float32)
    empty = np.zeros((3, SIZE, SIZE, 1), np.float32)
    both = {"image": images, "previous": empty}
    single, config = drop_previous(film_net, replace(CONFIG, previous=True))
    assert config == CONFIG
    np.testing.assert_allclose(np.asarray(single(images)), np.asarray(film_net(both)), atol=1e-6)
    assert (
        np.abs(np.asarray(film_net({**both, "previous": empty + 1})) - single(images)).max() > 0.1
    )


def test_it_is_kept_and_comes_back(film_net, tmp_path):
    config = replace(CONFIG, previous=True)
    path = models.save(film_net, config, tmp_path / "film.weights.h5")
    again = models.load(path)
    images = pictures()[0][:2]
    np.testing.assert_array_equal(own_masks(again, images), own_masks(film_net, images))
    assert models.load_config(path) == config


def test_what_cannot_be_is_refused(film_net):
    film = replace(CONFIG, previous=True)
    with pytest.raises(SeglibError, match="already"):
        add_previous(film_net, film)
    with pytest.raises(SeglibError, match="only mobile_unet"):
        add_previous(net(), models.configure("esp_dense"))
    with pytest.raises(SeglibError, match="reads no mask"):
        drop_previous(net(), CONFIG)
    with pytest.raises(SeglibError, match="add_previous"):
        mobile_unet(film, encoder_weights="imagenet")


# The masks before.


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1), st.integers(1, 2))
def test_a_mask_before_is_a_mask_and_hangs_on_its_seed_alone(kind, seed, channels):
    mask = np.repeat(pictures()[1][0], channels, axis=-1)
    other = 1 - mask
    made, again = (previous_mask(mask, kind, np.random.default_rng(seed), other) for _ in range(2))
    assert made.shape == mask.shape and made.dtype == np.float32
    assert made.min() >= 0 and made.max() <= 1
    np.testing.assert_array_equal(made, again)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a >= 0.5, b >= 0.5
    return (a & b).sum() / max((a | b).sum(), 1)


def test_each_kind_does_what_it_says():
    rows, columns = np.mgrid[:64, :64]
    mask = (np.hypot(rows - 30, columns - 34) < 18).astype(np.float32)[..., None]
    made = {
        kind: [previous_mask(mask, kind, np.random.default_rng(i), 1 - mask) for i in range(60)]
        for kind in KINDS
    }
    scores = {kind: np.array([overlap(one, mask) for one in made[kind]]) for kind in KINDS}
    assert not np.any(made["empty"])
    assert scores["moved"].min() > 0.7 and 0.9 < np.median(scores["moved"]) < 1
    areas = np.array([one.sum() for one in made["grown"]]) / mask.sum()
    assert 0.7 < areas.min() < 0.97 and 1.03 < areas.max() < 1.4
    assert scores["lost"].max() < 0.7
    assert scores["other"].max() < 0.1
    hurt = [np.abs(one - mask) > 0.5 for one in made["blotted"]]
    assert max(h.mean() for h in hurt) > 0.05 and np.median([h.mean() for h in hurt]) < 0.2


def test_a_kind_that_is_not_there_and_shares_that_do_not_add_up():
    for kind, says in (("next", "use one of empty, moved"), ("other", "other=")):
        with pytest.raises(SeglibError, match=says):
            previous_mask(np.zeros((8, 8, 1), np.float32), kind, np.random.default_rng(0))
    for shares in ({"empty": 0.5}, {"empty": -0.05, "moved": 0.65}):
        with pytest.raises(SeglibError, match="add up to 1"):
            PreviousConfig(**shares)


def batches(**options) -> VideoBatches:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 40, 40, 3), dtype=np.uint8)
    masks = np.where(images[..., :1] > 100, 255, 0).astype(np.uint8)
    usual = {"batch_size": 4, "size": 32, "augment": AugmentConfig(), "shuffle": True, "seed": 5}
    return VideoBatches(images, masks, **{**usual, **options})


def test_batches_hold_what_plain_ones_hold_and_a_mask_before():
    film = batches()
    plain = Batches(film.images, film.masks, 4, 32, AugmentConfig(), 5, True)
    for index in range(3):
        x, y = film[index]
        np.testing.assert_array_equal(x["image"], plain[index][0])
        np.testing.assert_array_equal(y, plain[index][1])
        assert x["previous"].shape == y.shape and x["previous"].dtype == np.float32
    assert not any(batches(previous=FIRST_FRAMES)[i][0]["previous"].any() for i in range(6))
    changed = [batches(seed=seed)[0][0]["previous"] for seed in (5, 6)]
    assert np.abs(changed[0] - changed[1]).max() > 0.5


def test_the_shares_are_kept_and_an_unknown_mask_has_no_mask_before():
    film = batches(augment=None, previous=PreviousConfig(0.5, 0, 0, 0, 0, 0.5), shuffle=False)
    empty = []
    for epoch in range(8):
        film.set_epoch(epoch)
        empty += [not one.any() for x, _ in film for one in x["previous"]]
    assert 0.4 < np.mean(empty) < 0.6
    film = batches(augment=None, previous=PreviousConfig(0, 1, 0, 0, 0, 0), shuffle=False)
    film.known = np.arange(24)[:, None] % 2 == 0
    x, y = film[0]
    assert (y[1] == -1).all() and not x["previous"][1].any() and x["previous"][0].any()


# Training.


def test_what_the_mask_before_shows_is_learnt():
    """The picture is noise, so only the mask before can tell: the network has to read it."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (32, 64, 64, 3), dtype=np.uint8)
    masks = (pictures()[1][:32] * 255).astype(np.uint8)
    model, _ = add_previous(net(), CONFIG)
    film = VideoBatches(images, masks, 16, SIZE, previous=PreviousConfig(0, 1, 0, 0, 0, 0))
    fit(model, film, None, TrainConfig(12, 5e-3, bn_batches=2))
    x, y = film[0]
    with_it = np.abs(np.asarray(model(x)) - y).mean()
    without = np.abs(np.asarray(model({**x, "previous": np.zeros_like(y)})) - y).mean()
    assert with_it < 0.9 * without


def test_an_experiment_may_describe_it(tmp_path):
    """A network that reads the mask before, from the weights of one that does not."""
    network = UNetConfig(32, "mobilenet_v1", 0.1, decoder_channels=(8, 8, 8, 8))
    start = models.save(mobile_unet(network), network, tmp_path / "start.weights.h5")
    images, masks = (part[:12] for part in pictures())
    masks = (masks[..., 0] * 255).astype(np.uint8)
    dataset = Dataset.from_arrays(images, masks, name="shapes", kind="shape")
    folder = write_folder(tmp_path / "shapes", dataset, val_share=0.34)
    experiment = Experiment(
        network=replace(network, previous=True),
        data=DataConfig(str(folder), "shape", batch_size=4),
        train=TrainConfig(1, 1e-3, bn_batches=1),
        weights=str(start),
    )
    train_experiment(experiment, tmp_path / "run")
    found = models.load(tmp_path / "run" / "model.weights.h5")
    assert reads_previous(found)
    assert np.abs(found.get_weights()[0][:, :, 3:]).max() > 0


# Files and the segmenter.


def test_the_file_says_what_it_reads_and_the_parity_sees_where_it_goes(file, film_net):
    inside = read_metadata(file)
    assert inside["previous_shape"] == [SIZE, SIZE, 1] and inside["size"] == SIZE
    (signature,) = open_engine(file).interpreter.get_signature_list().values()
    assert sorted(signature["inputs"]) == ["image", "previous"]
    assert signature["outputs"] == ["mask"]
    assert export.audit(file).ok
    assert export.parity(film_net, [file], pictures()[0][:4]).ok
    deaf, _ = add_previous(net(), CONFIG)
    assert not export.parity(deaf, [file], pictures()[0][:4]).ok


@pytest.mark.parametrize(
    ("precision", "flat", "options"),
    [("float16", True, {}), ("int8", False, {"integer_io": True})],
)
def test_other_precisions_and_layouts_run_a_film(film_net, tmp_path, precision, flat, options):
    images = pictures()[0][:6]
    if precision == "int8":
        options = {**options, "representative": pictures()[0][:16]}
    path = tmp_path / "film.tflite"
    export.to_tflite(film_net, path, precision, flat, metadata={"labels": ["shape"]}, **options)
    segmenter = Segmenter(path)
    found = np.stack([segmenter(image) for image in images])
    limit = 0.06 if precision == "int8" else 0.005
    assert np.abs(found - own_masks(film_net, images)).mean() < limit


def test_other_formats_say_that_they_cannot(film_net, tmp_path):
    for target, name in (("coreml-float16", "a.mlpackage"), ("graphdef", "a.pb")):
        with pytest.raises(SeglibError, match="drop_previous"):
            export.convert(film_net, target, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_segmenter_keeps_its_mask_from_call_to_call(file, film_net):
    images = pictures()[0][:5]
    segmenter = Segmenter(file)
    assert segmenter.stateful
    found = np.stack([segmenter(image) for image in images])
    np.testing.assert_allclose(found, own_masks(film_net, images), atol=1e-4)
    first = np.concatenate([own_masks(film_net, images[i : i + 1]) for i in range(5)])
    assert np.abs(found[1:] - first[1:]).max() > 0.05
    segmenter.reset_state()
    np.testing.assert_allclose(segmenter(images[3]), first[3], atol=1e-4)
    # A photo of another size is another film.
    wide = np.concatenate([images[2], images[2]], axis=1)
    mask = segmenter(wide)
    assert mask.shape == wide.shape[:2]
    np.testing.assert_array_equal(mask, Segmenter(file)(wide))
    np.testing.assert_allclose(segmenter(images[1]), first[1], atol=1e-4)


def test_to_forget_is_for_whoever_remembers(file):
    image, raw = pictures()[0][0], Segmenter(file).raw
    first = raw(image)
    assert np.abs(raw(image) - first).max() > 0.01
    reset_state(raw)
    np.testing.assert_array_equal(raw(image), first)
    reset_state(np.mean)


def test_a_mask_of_another_shape_is_refused(tmp_path):
    from known_models import build_film

    path = build_film(tmp_path / "odd.tflite", (1, 8, 8, 1))
    with pytest.raises(SeglibError, match="odd.tflite reads a mask before of shape"):
        Segmenter(path)


# On film.


def test_a_film_is_cut_where_the_scene_changes_and_nowhere_else():
    clips = [video.moving_portrait(20, size=96, seed=seed, shake=0.03).images for seed in (1, 4)]
    flicker = np.linspace(0.8, 1.2, 20)[:, None, None, None]
    clips[0] = (clips[0] * flicker).clip(0, 255).astype(np.uint8)
    cuts = video.CutDetector()
    found = [cuts(image) for image in np.concatenate([*clips, clips[0]])]
    assert np.flatnonzero(found).tolist() == [20, 40]
    assert cuts(np.zeros((50, 70, 3), np.uint8))  # another size
    cuts.reset()
    assert not cuts(clips[1][0])
    with pytest.raises(SeglibError, match="threshold"):
        video.CutDetector(0)


def test_the_loop_lets_it_forget_at_the_start_and_at_cuts(file, film_net):
    # Two scenes of four frames, the second one the first in other colours and lying down.
    noise = np.random.default_rng(0).integers(0, 30, (4, SIZE, SIZE, 3))
    scene = (pictures()[0][0] * 0.8 + noise).astype(np.uint8)
    film = [*scene, *np.ascontiguousarray(255 - scene.transpose(0, 2, 1, 3))]
    cuts = video.CutDetector()
    assert np.flatnonzero([cuts(frame) for frame in film]).tolist() == [4]
    segmenter, shown = Segmenter(file), []

    def compose(image, mask):
        shown.append(mask)
        return image

    wanted = np.concatenate([own_masks(film_net, np.stack(film[:4])),
                             own_masks(film_net, np.stack(film[4:]))])  # fmt: skip
    segment = video.for_video(segmenter.raw)
    for frame in film:
        compose(frame, segment(frame))
    np.testing.assert_allclose(np.stack(shown), wanted, atol=1e-4)
    for _ in range(2):
        # The second run begins with an empty mask, though the first one left its last.
        shown.clear()
        video.process(video.Frames(film[:4]), segmenter.raw, compose, video.ListSink())
        np.testing.assert_allclose(np.stack(shown), wanted[:4], atol=1e-4)
    assert video.for_video(len) is len
