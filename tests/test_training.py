"""Training: it learns, goes on where it was stopped, refuses what it cannot do, tells others."""

import csv
import errno
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from seglib import SeglibError, losses, pretrained, training
from seglib.data import Batches
from seglib.metrics import iou
from seglib.runtime import Segmenter
from seglib.training import TrainConfig, fit, reestimate_batchnorm
from seglib.training.config import learning_rate, plateau
from seglib.training.objective import background_per_pixel, make_loss
from training_net import HARD, batches, blobs, net

HERE = Path(__file__).parent


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


def weights_of(model: keras.Model) -> list[np.ndarray]:
    return [np.array(weight) for weight in model.get_weights()]


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


def test_a_checkpoint_of_the_first_edition_goes_on(tmp_path):
    """It knew other fields, and a place within an epoch, at which it could be written as well."""
    config = TrainConfig(epochs=2, bn_batches=0)
    rows = fit(net(), batches(), None, config, tmp_path / "new").rows

    class Stopped(Exception):
        pass

    def stop(progress):
        if len(progress.rows) == 1:
            raise Stopped

    with pytest.raises(Stopped):
        fit(net(), batches(), None, config, tmp_path / "old", watch=stop)
    path = tmp_path / "old" / "checkpoint.npz"
    with np.load(path) as saved:
        state = json.loads(str(saved["state"]))
        arrays = {name: saved[name] for name in saved.files if name[0] == "v"}
    arrays["m0"] = np.zeros(())  # the sums behind the epoch's log so far
    known = {name: state["config"][name] for name in ("epochs", "learning_rate", "loss")}
    known |= {"bn_batches": 0, "save_steps": 0, "save_minutes": 5.0}
    for batch in (2, 0):
        position = {"seed": 1, "pictures": 48, "batch_size": 16, "epoch": 1, "batch": batch}
        state |= {"config": known, "position": position}
        np.savez(path, state=np.array(json.dumps(state)), **arrays)
        if batch:
            with pytest.raises(SeglibError, match="go on as it began, with batch=2"):
                fit(net(), batches(), None, config, tmp_path / "old")
    again = fit(net(), batches(), None, config, tmp_path / "old").rows
    assert [row["loss"] for row in again] == pytest.approx([row["loss"] for row in rows], rel=1e-5)


def test_patience_ends_a_run_that_stopped_improving():
    # A rate this small changes no mask, so no epoch is better than the first.
    config = TrainConfig(epochs=20, learning_rate=1e-12, patience=2, bn_batches=0)
    model = net()
    history = fit(model, batches(), batches(9, train=False), config)
    assert len(history.rows) < 20


def test_a_folder_of_another_run_is_refused_and_kept_and_a_cut_checkpoint_named(tmp_path):
    config = TrainConfig(epochs=1, bn_batches=0)
    fit(net(), batches(), None, config, tmp_path)
    checkpoint = tmp_path / "checkpoint.npz"
    before = checkpoint.read_bytes()
    other = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Conv2D(1, 1, activation="sigmoid")]
    )
    fewer = Batches(*blobs(48, 0), batch_size=8, size=32, seed=1, shuffle=True)
    for model, train, changed, message in (
        (net(), batches(), replace(config, epochs=2), "another config.*with epochs=1"),
        (net(), fewer, config, "other batches.*with.* batch_size=16"),
        (other, batches(), config, "of another network"),
    ):
        with pytest.raises(SeglibError, match=message):
            fit(model, train, None, changed, tmp_path)
    assert checkpoint.read_bytes() == before
    checkpoint.write_bytes(before[:1000])
    with pytest.raises(SeglibError, match="checkpoint.npz cannot be read"):
        fit(net(), batches(), None, config, tmp_path)


def run_in_child(folder: Path, command: Path) -> dict:
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # One thread adds in one order: the curves are then equal to the last bit.
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)]),
    }
    command = [sys.executable, command, folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_process_killed_at_random_moments_repeats_the_curve_to_the_last_bit(tmp_path):
    result = run_in_child(tmp_path, HERE / "training_net.py")
    assert any(result["killed"]), "every process ended before it was killed"
    assert len(result["whole"]) == HARD.epochs
    assert result["again"] == result["whole"], f"seed {result['seed']}"
    ends = [np.load(tmp_path / run / "end.npz") for run in ("whole", "killed")]
    for name in ends[0].files:
        np.testing.assert_array_equal(ends[0][name], ends[1][name])
    # No half-written file is left in anybody's way.
    assert not [p for p in tmp_path.rglob("checkpoint.npz") if p.stat().st_size == 0]


def test_a_process_asked_to_end_does_so_after_its_step(tmp_path):
    steps = []

    class Asking(Batches):
        def __getitem__(self, index):
            # The second epoch's second batch is being prepared: its first step is under way.
            if (self.epoch, index) == (1, 1):
                os.kill(os.getpid(), signal.SIGTERM)
            steps.append((self.epoch, index))
            return super().__getitem__(index)

    config = replace(HARD, deep_supervision=0.0)
    train = batches()
    train.__class__ = Asking
    with pytest.raises(SystemExit) as stopped:
        fit(net(), train, None, config, tmp_path, watch=lambda _: None)
    assert stopped.value.code == 143 and max(steps)[0] == 1
    assert [row["epoch"] for row in training.read_history(tmp_path).rows] == [1]
    assert len(fit(net(), batches(), None, config, tmp_path).rows) == config.epochs


def test_the_job_of_a_cluster_passes_the_signal_on_and_queues_itself_again(tmp_path):
    text = (HERE.parent / "seglib" / "assets" / "train.sbatch").read_text("utf-8")
    command = f"{sys.executable} -c 'import signal, sys, time;" + (
        'signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); print("up", flush=True);'
        "time.sleep(60)'"
    )
    job, bin_folder = tmp_path / "job.sbatch", tmp_path / "bin"
    job.write_text(text.replace("\nCOMMAND", f"\n{command}"))
    bin_folder.mkdir()
    scontrol = bin_folder / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/queued\n')
    scontrol.chmod(0o755)
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    with subprocess.Popen(["bash", job], stdout=subprocess.PIPE, env=environment) as shell:
        assert shell.stdout.readline() == b"up\n"
        shell.send_signal(signal.SIGTERM)
        assert shell.wait() == 143
    assert (tmp_path / "queued").read_text() == "requeue 7\n"


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
    assert norm.momentum == 0.9
    trainable = [np.array(v) for v in model.trainable_variables]
    untouched = [w for w in before if any(np.array_equal(w, t) for t in trainable)]
    assert len(untouched) >= len(trainable)


def test_the_training_metric_is_the_iou_of_the_pictures_with_a_known_mask():
    rng = np.random.default_rng(1)
    truth, mask = (rng.integers(0, 2, (4, 16, 16, 1)).astype(np.float32) for _ in range(2))
    truth[1:3] = -1
    metric = training.MeanIoU()
    # The middle batch holds unknown pictures only; it must not count as a miss.
    for rows in (slice(0, 1), slice(1, 3), slice(3, 4)):
        metric.update_state(truth[rows], mask[rows])
    expected = np.mean([iou(mask[i, ..., 0], truth[i, ..., 0]) for i in (0, 3)])
    assert float(metric.result()) == pytest.approx(expected, abs=1e-5)


def test_tensorboard_draws_training_and_validation_into_one_graph(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    config = TrainConfig(epochs=2, bn_batches=0, tensorboard=True)
    rows = fit(net(), batches(), batches(9, train=False), config, tmp_path).rows
    for part, prefix in (("train", ""), ("validation", "val_")):
        log = accumulator.EventAccumulator(str(tmp_path / "logs" / part)).Reload()
        drawn = log.Scalars("epoch_loss")
        assert [point.step for point in drawn] == [1, 2]
        wanted = [row[f"{prefix}loss"] for row in rows]
        assert [point.value for point in drawn] == pytest.approx(wanted)
    with pytest.raises(SeglibError, match="folder"):
        fit(net(), batches(), None, TrainConfig(epochs=1, tensorboard=True))


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"epochs": 0}, "epochs is 0; use 1 or more"),
        ({"epochs": 2.5}, "epochs is 2.5; use a whole number, such as 30"),
        ({"epochs": True}, "a whole number"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'; use a number"),
        ({"learning_rate": float("nan")}, "a number, such as 0.003"),
        ({"ema": 1}, "from 0 to below 1"),
        ({"clip": -1}, "0 or more"),
        ({"tensorboard": "no"}, "True or False"),
        ({"loss": "huber"}, "dice_bce"),
        ({"optimizer": "lion"}, "adamw"),
        ({"loss": "focal", "positive_weight": 2}, "does nothing for the loss focal"),
    ],
)
def test_wrong_configs_are_refused(wrong, hint):
    with pytest.raises(SeglibError, match=hint):
        TrainConfig(**wrong)


def ending(*last: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((32, 32, 3)), *last])


@pytest.mark.parametrize(
    ("model", "train", "hint"),
    [
        (net, lambda: blobs(4, 0), "fit takes seglib.data.Batches; make some of the .*tuple"),
        (net, lambda: Batches(*blobs(4, 0), size=64), r"\(32, 32, 3\).*hold \[\(64, 64, 3\)\]"),
        (
            lambda: ending(keras.layers.Conv2D(1, 1)),
            batches,
            "no probabilities; end it in a sigmoid",
        ),
        (
            lambda: ending(keras.layers.Conv2D(2, 1, activation="sigmoid")),
            batches,
            "needs targets with 2 channels, one for each of its masks; these batches have 1",
        ),
        (
            lambda: ending(keras.layers.Flatten(), keras.layers.Dense(2, activation="sigmoid")),
            batches,
            "needs networks with one output",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_before_a_step(model, train, hint):
    with pytest.raises(SeglibError, match=hint):
        fit(model(), train(), None, TrainConfig(epochs=1))


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_what_was(tmp_path):
    config = TrainConfig(epochs=3, bn_batches=0)
    model = net()

    def spoil(progress):
        if len(progress.rows) == 1 and progress.step == 3:
            kernel, *rest = model.get_weights()
            model.set_weights([kernel * np.nan, *rest])

    with pytest.raises(SeglibError, match="the loss became nan in epoch 2"):
        fit(model, batches(), None, config, tmp_path, watch=spoil)
    assert [row["epoch"] for row in training.read_history(tmp_path).rows] == [1]


def test_each_schedule_has_the_shape_that_it_promises():
    def rates(**options):
        rate = learning_rate(TrainConfig(learning_rate=1.0, **options), 100)
        return np.array([float(rate(step)) for step in range(101)])

    cosine = rates(schedule="cosine", warmup=0.1)
    assert cosine.argmax() == 10
    assert cosine[[0, 10, 100]] == pytest.approx([0.01, 1, 0.01])
    cycle = rates(schedule="one_cycle", warmup=0.3)
    assert cycle.argmax() == 30
    assert cycle[[0, 30, 100]] == pytest.approx([1 / 25, 1, 1e-4])
    drops = rates(schedule="drops")
    assert drops[[0, 50, 51, 75, 76, 90, 91]] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001], rel=1e-5
    )
    assert learning_rate(TrainConfig(learning_rate=0.5, schedule="constant"), 9) == 0.5


def test_plateau_halves_the_rate_while_the_loss_stays():
    config = TrainConfig(learning_rate=1.0, schedule="plateau", plateau_patience=2)
    falling = [{"loss": 1 / epoch} for epoch in range(1, 9)]
    assert plateau(config, falling) == 1
    still = [{"loss": 0.1, "val_loss": 0.5}] * 5
    assert [plateau(config, still[:n]) for n in range(6)] == [1, 1, 1, 0.5, 0.5, 0.25]
    assert plateau(config, still * 20) == 0.01


def test_frozen_layers_keep_their_weights_and_thaw_afterwards():
    model = net()
    before = {layer.name: layer.get_weights() for layer in model.layers}
    history = fit(model, batches(), None, TrainConfig(epochs=1, freeze="encoder", bn_batches=1))
    assert history.rows
    for layer in model.layers:
        same = all(map(np.array_equal, before[layer.name], layer.get_weights()))
        assert same == (not layer.weights or layer.name.startswith(("stem", "block"))), layer.name
        assert layer.trainable
    bare = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(1, 1)])
    with pytest.raises(SeglibError, match="no encoder to freeze"):
        fit(bare, batches(), None, TrainConfig(epochs=1, freeze="encoder"))


def test_the_running_mean_is_what_is_validated_and_kept():
    config = TrainConfig(epochs=1, schedule="constant", learning_rate=0.05, bn_batches=0, ema=0.5)
    model, val = net(dropout=0.0), batches(9, train=False)
    start = [np.array(v) for v in model.trainable_variables]
    history = fit(model, batches(), val, config)
    raw = net(dropout=0.0)
    fit(raw, batches(), val, TrainConfig(**{**vars(config), "ema": 0.0}))
    kept, last = (
        np.concatenate([np.array(v).ravel() for v in m.trainable_variables]) for m in (model, raw)
    )
    start = np.concatenate([value.ravel() for value in start])
    # It trails the last weights, and so lies nearer to the first ones.
    assert np.abs(kept - start).mean() < 0.9 * np.abs(last - start).mean()
    x, y = val[0]
    metric = training.MeanIoU()
    metric.update_state(y, model(x, training=False))
    assert float(metric.result()) == pytest.approx(history.rows[0]["val_iou"], abs=1e-4)


def test_a_weight_of_zero_measures_how_rare_the_thing_is():
    train = Batches(*blobs(16, 3), batch_size=16, size=32)
    y = train[0][1]
    rarity = float((1 - y).sum() / y.sum())
    assert background_per_pixel(train) == pytest.approx(rarity, rel=1e-5)
    guess = np.full_like(y, 0.4)
    found = make_loss(train, TrainConfig(loss="bce", positive_weight=0), 1, 1)(y, guess)
    assert float(found[0]) == pytest.approx(float(losses.bce_loss(y, guess, rarity)), rel=1e-5)


def test_coarser_masks_and_a_second_one_are_learnt_and_left_out_afterwards():
    photos, masks = blobs(32, 4)
    second = np.stack([masks, 255 - masks], axis=-1)
    train = Batches(photos, second, batch_size=16, size=32, shuffle=True)
    config = TrainConfig(
        epochs=8, learning_rate=0.02, deep_supervision=0.4, auxiliary=0.5, bn_batches=4
    )
    model = net()
    history = fit(model, train, None, config)
    assert model.output_shape == (None, 32, 32, 1)
    assert history.rows[-1]["loss"] < 0.8 * history.rows[0]["loss"]
    assert history.rows[-1]["iou"] > history.rows[0]["iou"]
    with pytest.raises(SeglibError, match="2 channels"):
        fit(net(), batches(), None, config)


def test_a_teacher_is_mixed_in_and_fills_gaps():
    photos, masks = blobs(4, 5)
    known = np.array([[True], [True], [False], [True]])

    def teacher(photo):
        return np.full(photo.shape[:2], 0.2, np.float32)

    mixed, filled = training.distil(photos, masks, teacher, 0.25, known)
    labelled = np.rint(0.75 * masks[known[:, 0]] + 0.25 * 51)
    assert np.abs(mixed[known[:, 0]] - labelled).max() <= 1
    assert (mixed[2] == 51).all() and filled.all() and not known.all()
    # Masks as people hold them.
    for held in (masks > 0, masks / 255, masks // 255, masks[..., None]):
        found, _ = training.distil(photos, held, teacher, 0.25, known)
        np.testing.assert_array_equal(found.reshape(mixed.shape), mixed)
    for wrong, weight, message in (
        (teacher, 2.0, "0 to 1"),
        (lambda photo: teacher(photo) * 50, 0.5, "teacher gives .* to 10 .*values from 0 to 1"),
        (lambda photo: teacher(photo) * np.nan, 0.5, "teacher gives"),
    ):
        with pytest.raises(SeglibError, match=message):
            training.distil(photos, masks, wrong, weight)
    with pytest.raises(SeglibError, match="masks of .* do not go with images"):
        training.distil(photos, masks[:3], teacher)


def test_a_teacher_from_a_file_is_asked_once_for_the_same_photos(tmp_path, monkeypatch):
    photos, masks = blobs(3, 6)
    teacher, asked = pretrained.path("portrait"), []
    call = Segmenter.__call__
    monkeypatch.setattr(Segmenter, "__call__", lambda *a: asked.append(1) or call(*a))
    first, _ = training.distil(photos, masks, teacher, 1.0, cache=tmp_path)
    before = len(asked)
    again, _ = training.distil(photos, masks, teacher, 1.0, cache=tmp_path)
    np.testing.assert_array_equal(first, again)
    assert len(asked) == before + 1  # the first photo tells how the teacher is set
    # Another range of values is another teacher, another shape are other photos.
    other = Segmenter(teacher, value_range=(0, 1))
    changed, _ = training.distil(photos, masks, other, 1.0, cache=tmp_path)
    assert np.abs(changed.astype(int) - first).max() > 20
    high = photos.reshape(3, 64, 16, 3)
    taught, _ = training.distil(high, masks.reshape(3, 64, 16), teacher, 1.0, cache=tmp_path)
    assert taught.shape == (3, 64, 16)


def test_mixed_precision_learns_and_hands_back_full_weights():
    with training.precision("mixed_float16"):
        model = net()
    assert keras.config.dtype_policy().name == "float32"
    assert model.get_layer("up0_conv").compute_dtype == "float16"
    config = TrainConfig(epochs=6, learning_rate=0.02, ema=0.5, bn_batches=0)
    rows = fit(model, batches(), batches(9, train=False), config).rows
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    assert {weight.dtype for weight in model.get_weights()} == {np.dtype("float32")}
    with pytest.raises(SeglibError, match="mixed_bfloat16"):
        with training.precision("float8"):
            pass


@pytest.mark.parametrize("name", ["dice", "dice_bce", "bce"])
def test_losses_of_half_precision_are_those_of_full(name):
    """A network of somebody else's may hand its mask out in 16 bits."""
    rng = np.random.default_rng(2)
    truth = (rng.uniform(size=(2, 256, 256, 1)) < 0.7).astype(np.float32)
    guess = np.clip(truth * 0.8 + 0.1, 0, 1).astype(np.float16)
    config = TrainConfig(loss=name, positive_weight=1.5 if "bce" in name else 1)
    loss = make_loss(None, config, 1, 1)
    found, wanted = (float(loss(truth, guess.astype(kind))[0]) for kind in ("float16", "float32"))
    assert found == pytest.approx(wanted, rel=1e-3)
    metric = training.MeanIoU()
    metric.update_state(truth, keras.ops.convert_to_tensor(guess))
    assert float(metric.result()) == 1


def test_whoever_watches_is_told_how_far_it_is(tmp_path):
    seen = []
    config = TrainConfig(epochs=2, bn_batches=0)
    fit(net(), batches(), None, config, tmp_path, watch=seen.append)
    assert [len(p.rows) for p in seen][-1] == 2 or seen[-1].step == 6
    assert (seen[-1].step, seen[-1].steps, round(seen[-1].seconds_left)) == (6, 6, 0)
    assert "100% of 6 steps" in str(seen[-1])
    # A finished run is read back, and shown as one.
    again = []
    fit(net(), batches(), None, config, tmp_path, watch=again.append)
    assert [(len(p.rows), p.step) for p in again] == [(2, 6)]


class Mailbox(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.letters.append(json.loads(content))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def mailbox():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mailbox)
    server.letters = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_end_and_a_failure_are_told(mailbox, tmp_path):
    pytest.importorskip("apprise")
    address = f"json://127.0.0.1:{mailbox.server_address[1]}"
    config = TrainConfig(epochs=1, bn_batches=0)
    fit(net(), batches(), None, config, tmp_path / "mine", notify=[address])
    with pytest.raises(SeglibError):
        fit(net(), batches(), None, TrainConfig(epochs=2), tmp_path / "mine", notify=[address])
    ended, failed = mailbox.letters
    assert ended["title"] == "mine: training finished" and "best of 1 epochs" in ended["message"]
    assert failed["title"] == "mine: training stopped" and "another config" in failed["message"]


def test_notifications_need_apprise_and_a_service_that_it_knows(monkeypatch):
    with pytest.raises(SeglibError, match=r"pip install apprise|begins with 'nosuch'"):
        fit(net(), batches(), None, notify=["nosuch://secret"])
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SeglibError, match="pip install apprise"):
        fit(net(), batches(), None, notify=["json://localhost"])


def test_a_message_that_does_not_arrive_costs_no_training():
    pytest.importorskip("apprise")
    config = TrainConfig(epochs=1, bn_batches=0)
    with pytest.warns(UserWarning, match="did not reach"):
        history = fit(net(), batches(), None, config, notify=["json://127.0.0.1:9"])
    assert len(history.rows) == 1


def test_logs_are_read_back(tmp_path):
    rows = fit(net(), batches(), None, TrainConfig(epochs=2, bn_batches=0), tmp_path).rows
    assert training.read_history(tmp_path).rows == rows
    # As a spreadsheet program leaves it.
    log = tmp_path / "history.csv"
    log.write_text(log.read_text("utf-8"), "utf-8-sig")
    assert training.read_history(log).rows == rows
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for wrong in (tmp_path / "other.csv", tmp_path / "none"):
        with pytest.raises(SeglibError, match="no training log"):
            training.read_history(wrong)
