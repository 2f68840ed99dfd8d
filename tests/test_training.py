"""Training: it learns, it resumes exactly, it stops, and a full disk costs nothing."""

import csv
import errno

import keras
import numpy as np
import pytest

from seglib import SeglibError, models, training
from seglib.data import AugmentConfig, Batches
from seglib.evaluation import evaluate
from seglib.models import UNetConfig, mobile_unet
from seglib.runtime import keras_segmenter
from seglib.training import TrainConfig, fit, recorder, reestimate_batchnorm

CONFIG = UNetConfig(
    size=32, encoder="mobilenet_v1", width=0.25, decoder_channels=(16, 16, 8, 8), dropout=0.2
)


@pytest.fixture(autouse=True, scope="module")
def eager():
    """Run steps one by one: tracing a graph takes longer than the few steps of these tests."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def net() -> keras.Model:
    keras.utils.set_random_seed(0)
    return mobile_unet(CONFIG)


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Warm ellipses on cool noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:1:32j, 0:1:32j]
    centres, radii = rng.uniform(0.3, 0.7, (2, count, 1, 1)), rng.uniform(0.15, 0.3, (count, 1, 1))
    masks = (y - centres[0]) ** 2 + (x - centres[1]) ** 2 < radii**2
    photos = np.where(masks[..., None], (200, 120, 60), (60, 100, 180)) + rng.normal(
        0, 20, (count, 32, 32, 3)
    )
    return photos.clip(0, 255).astype(np.uint8), masks.astype(np.uint8) * 255


def batches(seed: int = 0, train: bool = True) -> Batches:
    return Batches(
        *blobs(48 if train else 16, seed),
        batch_size=16,
        size=32,
        augment=AugmentConfig() if train else None,
        seed=1,
        shuffle=train,
    )


def weights_of(model: keras.Model) -> list[np.ndarray]:
    return [np.array(weight) for weight in model.get_weights()]


def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(tmp_path, monkeypatch):
    config = TrainConfig(epochs=4, learning_rate=3e-3, bn_batches=2, seed=5)
    whole = net()
    rows = fit(whole, batches(), batches(9, train=False), config).rows

    stop = recorder.Recorder.on_epoch_end

    def pull_the_plug(self, epoch, logs=None):
        stop(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(recorder.Recorder, "on_epoch_end", pull_the_plug)
    with pytest.raises(KeyboardInterrupt):
        fit(net(), batches(), batches(9, train=False), config, tmp_path / "run")
    monkeypatch.undo()
    resumed = net()
    again = fit(resumed, batches(), batches(9, train=False), config, tmp_path / "run").rows
    assert [row["loss"] for row in again] == pytest.approx([row["loss"] for row in rows], rel=1e-4)
    for mine, yours in zip(weights_of(resumed), weights_of(whole), strict=True):
        np.testing.assert_allclose(mine, yours, rtol=1e-3, atol=1e-4)


def test_a_run_leaves_its_files_and_learns(tmp_path):
    config = TrainConfig(epochs=8, learning_rate=1e-2, bn_batches=6)
    model = net()
    history = fit(model, batches(), batches(9, train=False), config, tmp_path)
    assert {"checkpoint.npz", "best.weights.h5", "history.csv"} <= {
        p.name for p in tmp_path.iterdir()
    }
    with open(tmp_path / "history.csv", newline="") as file:
        assert [int(row["epoch"]) for row in csv.DictReader(file)] == list(range(1, 9))
    assert history.rows[-1]["loss"] < 0.85 * history.rows[0]["loss"]
    assert history.best["val_iou"] == max(row["val_iou"] for row in history.rows)


def test_a_finished_run_is_not_trained_again(tmp_path):
    config = TrainConfig(epochs=2, bn_batches=2)
    first, second = net(), net()
    fit(first, batches(), None, config, tmp_path)
    stamp = (tmp_path / "checkpoint.npz").stat().st_mtime_ns
    assert len(fit(second, batches(), None, config, tmp_path).rows) == 2
    assert (tmp_path / "checkpoint.npz").stat().st_mtime_ns == stamp
    for mine, yours in zip(weights_of(first), weights_of(second), strict=True):
        np.testing.assert_allclose(mine, yours, rtol=1e-4, atol=1e-5)


def test_patience_ends_a_run_that_stopped_improving():
    # A rate this small changes no mask, so no epoch is better than the first.
    config = TrainConfig(epochs=20, learning_rate=1e-12, patience=2, bn_batches=0)
    model = net()
    history = fit(model, batches(), batches(9, train=False), config)
    assert len(history.rows) < 20


def test_a_folder_of_another_run_is_refused_and_kept(tmp_path):
    fit(net(), batches(), None, TrainConfig(epochs=1, bn_batches=0), tmp_path)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    with pytest.raises(SeglibError, match="another config"):
        fit(net(), batches(), None, TrainConfig(epochs=2, bn_batches=0), tmp_path)
    other = mobile_unet(UNetConfig(size=32, width=0.5))
    with pytest.raises(SeglibError, match="another network"):
        fit(other, batches(), None, TrainConfig(epochs=1, bn_batches=0), tmp_path)
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


def test_a_cut_checkpoint_is_named(tmp_path):
    config = TrainConfig(epochs=1, bn_batches=0)
    fit(net(), batches(), None, config, tmp_path)
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SeglibError, match="checkpoint.npz cannot be read"):
        fit(net(), batches(), None, config, tmp_path)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    config = TrainConfig(epochs=3, bn_batches=0)
    savez, calls = np.savez, []

    def fill_up(*arguments, **arrays):
        calls.append(1)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        savez(*arguments, **arrays)

    monkeypatch.setattr(np, "savez", fill_up)
    with pytest.raises(SeglibError, match="disk is full.*checkpoint.npz"):
        fit(net(), batches(), None, config, tmp_path)
    monkeypatch.undo()
    assert not list(tmp_path.glob(".part-*"))
    assert len(fit(net(), batches(), None, config, tmp_path).rows) == 3


def test_batchnorm_statistics_become_those_of_the_data():
    model, pictures = net(), batches(train=False)
    norm = next(x for x in model.layers if isinstance(x, keras.layers.BatchNormalization))
    before = weights_of(model)
    reestimate_batchnorm(model, pictures, steps=1)
    features = keras.Model(model.input, norm.input)(pictures[0][0])
    means = keras.ops.convert_to_numpy(keras.ops.mean(features, (0, 1, 2)))
    np.testing.assert_allclose(np.array(norm.moving_mean), means, atol=1e-4)
    assert norm.momentum == CONFIG.bn_momentum
    trainable = [np.array(v) for v in model.trainable_variables]
    untouched = [w for w in before if any(np.array_equal(w, t) for t in trainable)]
    assert len(untouched) >= len(trainable)


def test_the_training_metric_is_the_iou_of_the_metrics_room():
    from seglib.metrics import iou

    rng = np.random.default_rng(0)
    truth, mask = (rng.integers(0, 2, (3, 16, 16, 1)).astype(np.float32) for _ in range(2))
    expected = np.mean([iou(m[..., 0], t[..., 0]) for m, t in zip(mask, truth, strict=True)])
    metric = training.MeanIoU()
    metric.update_state(truth, mask)
    assert float(metric.result()) == pytest.approx(expected, abs=1e-5)


def test_the_training_metric_leaves_out_pictures_without_a_known_mask():
    from seglib.metrics import iou

    rng = np.random.default_rng(1)
    truth, mask = (rng.integers(0, 2, (4, 16, 16, 1)).astype(np.float32) for _ in range(2))
    truth[1:3] = -1
    metric = training.MeanIoU()
    # The middle batch holds unknown pictures only; it must not count as a miss.
    for rows in (slice(0, 1), slice(1, 3), slice(3, 4)):
        metric.update_state(truth[rows], mask[rows])
    expected = np.mean([iou(mask[i, ..., 0], truth[i, ..., 0]) for i in (0, 3)])
    assert float(metric.result()) == pytest.approx(expected, abs=1e-5)


def test_tensorboard_logs_are_written_when_asked_for(tmp_path):
    pytest.importorskip("tensorboard")
    fit(net(), batches(), None, TrainConfig(epochs=1, bn_batches=0, tensorboard=True), tmp_path)
    assert list((tmp_path / "logs").rglob("events.*"))
    with pytest.raises(SeglibError, match="folder"):
        fit(net(), batches(), None, TrainConfig(epochs=1, tensorboard=True))


def test_wrong_configs_are_refused():
    with pytest.raises(SeglibError, match="epochs >= 1"):
        TrainConfig(epochs=0)
    with pytest.raises(SeglibError, match="dice_bce"):
        TrainConfig(loss="huber")


def test_evaluation_scores_every_photo_at_its_own_size():
    from seglib.data import Dataset

    photos, masks = blobs(5, 3)
    dataset = Dataset.from_arrays(photos, masks, "blobs", "person")
    perfect = evaluate(lambda photo: (photo[..., 0] > 130).astype(np.float32), dataset)
    nothing = evaluate(lambda photo: np.zeros(photo.shape[:2], np.float32), dataset)
    assert len(perfect.rows) == 5
    assert perfect.means["iou"] > 0.9 > 0.1 > nothing.means["iou"]
    ordered = [row["iou"] for row in perfect.worst(5)]
    assert ordered == sorted(ordered)


def test_a_keras_model_can_be_evaluated_like_a_file(tmp_path):
    path = models.save(net(), CONFIG, tmp_path / "net.weights.h5")
    segment = keras_segmenter(models.load(path))
    assert segment(np.zeros((50, 40, 3), np.uint8)).shape == (50, 40)
