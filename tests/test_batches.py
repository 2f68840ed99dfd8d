"""Batches: repeatable, shared between processes, exact in Keras, bounded."""

import pickle
import tracemalloc

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglib import SeglibError
from seglib.data import AugmentConfig, Batches, Dataset
from seglib.data.batches import BatchSampler


def pictures(count: int, side: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Noise pictures with an off-centre block as the foreground."""
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (count, side, side - 10, 3), dtype=np.uint8)
    masks = np.zeros(photos.shape[:3], np.uint8)
    masks[:, 5:25, 3:12] = 255
    return photos, masks


def numbered(count: int) -> tuple[np.ndarray, np.ndarray]:
    """One-pixel pictures that are their own number."""
    photos = np.repeat(np.arange(count, dtype=np.uint8)[:, None, None, None], 3, axis=3)
    return photos, np.zeros((count, 1, 1), np.uint8)


def numbers(x: np.ndarray) -> list[int]:
    return np.asarray(x)[:, 0, 0, 0].astype(int).tolist()


def same(first: tuple, second: tuple) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def at(batches: Batches, epoch: int) -> Batches:
    batches.set_epoch(epoch)
    return batches


VARIED = {"batch_size": 4, "size": 32, "augment": AugmentConfig(), "seed": 3, "shuffle": True}


def test_a_batch_depends_on_seed_epoch_and_index_alone():
    photos, masks = pictures(13)
    plain = Batches(photos, masks, **VARIED)
    wanted = {(e, i): at(plain, e)[i] for e in (1, 0) for i in (2, 0, 1)}
    for workers in (0, 1, 3):
        batches = Batches(photos, masks, **VARIED, workers=workers)
        for epoch in range(2):
            assert batches.epoch == epoch
            for index, batch in enumerate(batches):
                assert same(batch, wanted[epoch, index])
            batches.on_epoch_end()
    assert not same(wanted[0, 0], wanted[1, 0])
    other = Batches(photos, masks, **{**VARIED, "seed": 4})
    assert not same(other[0], wanted[0, 0])
    assert other.identity != plain.identity == Batches(photos.copy(), masks, **VARIED).identity
    assert Batches(255 - photos, masks, **VARIED).identity != plain.identity


def test_a_pass_ends_a_last_batch_may_be_small_and_batches_go_to_another_process():
    batches = Batches(*pictures(13), **VARIED, workers=2)
    assert len(list(batches)) == len([*iter(batches)]) == 3
    assert same(pickle.loads(pickle.dumps(batches))[1], batches[1])
    assert same(batches[-1], batches[2])
    with pytest.raises(IndexError):
        batches[3]
    batches = Batches(*numbered(10), batch_size=4, size=1)
    assert [numbers(x) for x, _ in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 7), st.booleans(), st.integers(0, 3))
def test_processes_share_the_pictures(count, size, processes, shuffle, epoch):
    if processes > count:
        with pytest.raises(SeglibError, match="at least one picture for each process"):
            BatchSampler(count, size, 1, shuffle, (0, processes))
        return
    samplers = [BatchSampler(count, size, 1, shuffle, (i, processes)) for i in range(processes)]
    assert len({len(sampler) for sampler in samplers}) == 1 and len(samplers[0]) >= 1
    shown = []
    for step in range(len(samplers[0])):
        parts = []
        for sampler in samplers:
            together, mine = sampler.pictures(epoch, step)
            parts.append(together[mine])
            assert len(parts[-1]) >= 1
        # The parts of a step are the step, in order.
        np.testing.assert_array_equal(np.concatenate(parts), together)
        shown += together.tolist()
    assert len(set(shown)) == len(shown)
    if not shuffle:
        assert sorted(shown) == list(range(count))


def test_two_processes_see_what_one_with_a_double_batch_sees():
    photos, masks = pictures(19)
    options = {**VARIED, "augment": AugmentConfig(cutout=0.3, jpeg=0.3)}
    whole = Batches(photos, masks, **{**options, "batch_size": 8})
    halves = [Batches(photos, masks, **options, shard=(index, 2)) for index in range(2)]
    assert len(whole) == len(halves[0]) == len(halves[1]) == 2 and halves[1].shard == (1, 2)
    for epoch, step in np.ndindex(2, 2):
        parts = [at(half, epoch)[step] for half in halves]
        joined = tuple(np.concatenate(two) for two in zip(*parts, strict=True))
        assert same(at(whole, epoch)[step], joined)


class Recorder(keras.layers.Layer):
    """Passes pictures on and notes which ones a step really used."""

    def call(self, x):
        try:
            self.seen.append(numbers(keras.ops.convert_to_numpy(x)))
        except Exception:
            return x
        return x


def recording_model() -> tuple[keras.Model, list[list[int]]]:
    recorder = Recorder()
    recorder.seen = []
    model = keras.Sequential([recorder, keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], run_eagerly=True)
    return model, recorder.seen


def fed(count: int, **options) -> Batches:
    return Batches(*numbered(count), batch_size=4, size=1, shuffle=True, seed=2, **options)


def shown(count: int, epochs: int) -> list[list[int]]:
    """What a run of `epochs` learns from, batch by batch."""
    return [numbers(x) for epoch in range(epochs) for x, _ in at(fed(count), epoch)]


@pytest.mark.parametrize(("count", "workers"), [(4, 0), (19, 2)])
def test_keras_learns_from_each_epoch_exactly_once(count, workers):
    train, wanted = fed(count, workers=workers), shown(count, 5)
    model, seen = recording_model()
    model.fit(train, epochs=3, verbose=0, shuffle=False)
    assert seen == wanted[: 3 * len(train)] and train.epoch == 3
    # The same model goes on with what comes next; a new process does so from the epoch alone.
    model.fit(train, initial_epoch=3, epochs=4, verbose=0, shuffle=False)
    assert seen == wanted[: 4 * len(train)]
    fresh, seen = recording_model()
    fresh.fit(at(fed(count), 3), initial_epoch=3, epochs=5, verbose=0, shuffle=False)
    assert seen == wanted[3 * len(train) :]


def test_short_keras_epochs_walk_through_the_whole_set_and_validation_stays_the_same():
    train, val = fed(24), Batches(*numbered(6), batch_size=4, size=1)
    model, seen = recording_model()
    model.fit(train, validation_data=val, epochs=3, steps_per_epoch=2, verbose=0, shuffle=False)
    assert [batch for i, batch in enumerate(seen) if i % 4 < 2] == shown(24, 1)
    assert seen[2:4] == seen[6:8] == seen[10:12] == [[0, 1, 2, 3], [4, 5]] and train.epoch == 1


def test_unknown_channels_are_minus_one():
    photos, masks = pictures(4)
    both = np.stack([masks, masks], axis=-1)
    known = np.array([[True, False]] * 4)
    x, y = Batches(photos, both, batch_size=4, size=32, known=known)[0]
    assert x.dtype == y.dtype == np.float32 and x.max() > 1
    assert (y[..., 1] == -1).all() and set(np.unique(y[..., 0])) >= {0, 1}


def test_a_swapped_background_comes_from_the_photos_handed_in():
    photos, masks = pictures(4)
    green = np.zeros((1, 50, 50, 3), np.uint8)
    green[...] = (0, 255, 0)
    calm = {name: 0 for name in ("brightness", "contrast", "gamma", "saturation", "tint")}
    policy = AugmentConfig(background=1, grey=0, blur=0, noise=0, **calm)
    x, y = Batches(photos, masks, 4, 32, policy, backgrounds=green)[0]
    assert (x[y[..., 0] == 0] == (0, 255, 0)).all()


class Pipe:
    """A pipeline by albumentations' convention, with chance of its own."""

    def __init__(self):
        self.rng = np.random.default_rng()

    def set_random_seed(self, seed):
        self.rng = np.random.default_rng(seed)

    def __call__(self, *, image, mask):
        turns = self.rng.integers(4)
        return {"image": np.rot90(image, turns), "mask": np.rot90(mask, turns)}


@pytest.mark.parametrize("channels", [1, 2])
def test_a_pipeline_of_others_takes_the_place_of_ours(channels):
    masks = np.zeros((12, 20, 30, channels), np.uint8)
    masks[:, 3:9, 5:25] = 255
    photos = np.repeat(masks[..., :1], 3, axis=-1)
    options = {"batch_size": 4, "size": 32, "augment": Pipe(), "seed": 1, "shuffle": True}
    once = list(Batches(photos, masks, **options))
    for mine, yours in zip(once, Batches(photos, masks, **options, workers=2), strict=True):
        assert same(mine, yours)
    x, y = (np.concatenate(parts) for parts in zip(*once, strict=True))
    assert y.shape == (12, 32, 32, channels)
    np.testing.assert_allclose(x[..., 0], y[..., 0] * 255, atol=1)
    assert len({row.tobytes() for row in x}) > 1
    half = Batches(photos, masks, **{**options, "batch_size": 2}, shard=(1, 2))
    assert same(half[0], tuple(part[2:] for part in once[0]))


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (lambda image, mask: (image, mask), "no dictionary"),
        (lambda image, mask: {"image": image / 255, "mask": mask}, "leave out Normalize"),
        (lambda image, mask: {"image": image[:20], "mask": mask}, "changed alike"),
    ],
)
def test_a_pipeline_that_returns_something_else_is_named(result, says):
    with pytest.raises(SeglibError, match=says):
        Batches(*pictures(4), augment=lambda image, mask: result(image, mask))[0]


@pytest.mark.parametrize(
    ("count", "others", "options", "says"),
    [
        (0, 0, {}, "0 pictures"),
        (4, 3, {}, "4 images and 3 masks are not pairs"),
        (4, None, {}, "images and as many masks"),
        (4, 4, {"batch_size": 0}, "batch_size is 0"),
        (4, 4, {"shard": (2, 2)}, "shard"),
        (4, 4, {"workers": -1}, "workers -1"),
    ],
)
def test_settings_that_make_no_batches_are_refused(count, others, options, says):
    photos, masks = pictures(4)
    with pytest.raises(SeglibError, match=says):
        Batches(photos[:count], None if others is None else masks[:others], **options)


def endless(count: int, side: int) -> Dataset:
    """A set of any length that draws each photo when it is read."""

    def read(stem):
        rng = np.random.default_rng(int(stem))
        photo = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        return photo, (photo[..., 0] > 128).astype(np.float32)

    return Dataset("endless", "person", "all", tuple(str(i) for i in range(count)), read)


def peak_of(batches: Batches, count: int) -> int:
    """Return the most bytes that Python held at a time while `count` batches were made."""
    for index in range(8):
        batches[index]  # the first few fill tables of noise that stay
    tracemalloc.start()
    for index in range(8, count):
        batches[index]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_data_set_on_disk_is_read_as_it_is_needed():
    small = endless(9, 40)
    in_memory = [np.stack([pair[k] for pair in small]) for k in range(2)]
    assert same(Batches(small, **VARIED)[1], Batches(*in_memory, **VARIED)[1])
    # All photos together are 2.3 GB; the order, a few batches and one batch's photos are 3 MB.
    assert peak_of(Batches(endless(30_000, 160), **VARIED, workers=2), 60) < 8e6


def test_thirty_thousand_mapped_photos_take_no_memory(tmp_path):
    shape = (30_000, 96, 96)
    masks = np.lib.format.open_memmap(tmp_path / "masks.npy", "w+", np.uint8, shape)
    images = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, (*shape, 3))
    images[29_999] = 200
    # A batch is 1 MB, and is held twice while it is converted; the set is 1.1 GB.
    assert peak_of(Batches(images, masks, 16, 64, AugmentConfig(), shuffle=True), 20) < 8e6
    assert Batches(images, masks, 1, 16)[29_999][0].min() == 200
