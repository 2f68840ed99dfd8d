"""Memory layouts: what goes in comes out, and the order is the one that is documented."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglib.errors import SeglibError
from seglib.export import (
    byte_table,
    deinterleave,
    flatten,
    footprint,
    from_phwc4,
    interleave,
    letter_f,
    ops,
    pack,
    stored_bytes,
    stripes,
    to_phwc4,
    to_tflite,
    unflatten,
)
from seglib.runtime import Segmenter, run_images

SIDES = st.integers(1, 9)
ARRAYS = st.tuples(SIDES, SIDES, st.integers(1, 13)).flatmap(
    lambda shape: hnp.arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
)


@given(ARRAYS)
def test_flat_and_back(array):
    flat = flatten(array)
    assert flat.shape == (array.size,)
    np.testing.assert_array_equal(unflatten(flat, array.shape), array)
    np.testing.assert_array_equal(unflatten(flat[None], array.shape), array)


@given(ARRAYS, st.data())
def test_flat_index_is_row_then_column_then_channel(array, data):
    _, width, channels = array.shape
    y, x, c = (data.draw(st.integers(0, n - 1)) for n in array.shape)
    assert flatten(array)[(y * width + x) * channels + c] == array[y, x, c]


@given(ARRAYS)
def test_flat_order_does_not_depend_on_the_arrays_own_memory(array):
    turned = np.asfortranarray(array)
    np.testing.assert_array_equal(flatten(turned), flatten(array))


@given(ARRAYS)
def test_slices_and_back(array):
    np.testing.assert_array_equal(from_phwc4(to_phwc4(array), array.shape[2]), array)


@given(ARRAYS, st.data())
def test_a_channel_lies_in_its_slice_and_the_rest_is_zero(array, data):
    stored = to_phwc4(array)
    y, x, c = (data.draw(st.integers(0, n - 1)) for n in array.shape)
    assert stored[c // 4, y, x, c % 4] == array[y, x, c]
    assert np.count_nonzero(stored) == np.count_nonzero(array)


@given(ARRAYS, st.sampled_from([np.float16, np.float32, np.uint8]))
def test_bytes_are_those_of_the_stored_array(array, dtype):
    array = array.astype(dtype)
    assert stored_bytes(*array.shape, itemsize=array.itemsize) == to_phwc4(array).nbytes


def test_one_channel_costs_four():
    assert stored_bytes(128, 128, 1) == stored_bytes(128, 128, 4) == 4 * 128 * 128 * 2
    assert stored_bytes(128, 128, 5) == 2 * stored_bytes(128, 128, 4)


@given(ARRAYS)
def test_planes_and_back(array):
    flat = flatten(array)
    planes = deinterleave(flat[None], array.shape)
    assert planes.shape == (array.shape[2], *array.shape[:2])
    for channel, plane in enumerate(planes):
        np.testing.assert_array_equal(plane, array[..., channel])
    np.testing.assert_array_equal(interleave(planes), flat)


@given(ARRAYS)
def test_packing_and_back(array):
    packed = pack(array)
    assert packed.shape[2] == 4 and packed.shape[0] == array.shape[0]
    height, width, channels = array.shape
    rows = packed.reshape(height, -1)[:, : width * channels]
    np.testing.assert_array_equal(rows.reshape(array.shape), array)
    assert np.count_nonzero(packed) == np.count_nonzero(array)
    assert packed.size - array.size < 4 * array.shape[0]


@given(ARRAYS)
def test_packed_slices_are_the_cpus_own_order(array):
    stored = to_phwc4(pack(array)).ravel()
    if array.shape[1] * array.shape[2] % 4 == 0:
        np.testing.assert_array_equal(stored, flatten(array))


@given(st.tuples(SIDES, SIDES, st.integers(1, 13)), st.sampled_from([1, 2, 4]))
def test_a_footprint_is_that_of_the_stored_array(shape, itemsize):
    height, width, channels = shape
    numbered = np.arange(1, height * width * channels + 1).reshape(shape)
    cpu, gpu = flatten(numbered), to_phwc4(numbered).ravel()
    cost = footprint(shape, itemsize)
    assert cost.useful_bytes == cpu.size * itemsize
    assert cost.stored_bytes == gpu.size * itemsize
    # Values that follow each other in both orders can be copied in one piece.
    place = {value: index for index, value in enumerate(gpu)}
    together = [place[b] - place[a] == 1 for a, b in itertools.pairwise(cpu)]
    assert cost.pieces >= 1 + together.count(False)
    assert (cost.pieces == 1) <= all(together)


def test_the_three_shapes_of_one_mask():
    rank4, flat, packed = (
        footprint(shape) for shape in ((128, 128, 1), (1, 1, 128 * 128), (128, 32, 4))
    )
    assert rank4.stored_bytes == 4 * flat.stored_bytes == 4 * packed.stored_bytes
    assert rank4.useful_bytes == flat.useful_bytes == packed.useful_bytes
    assert (rank4.pieces, flat.pieces, packed.pieces) == (128 * 128, 1, 1)
    lines = byte_table({"mask": (128, 128, 1), "flat": (1, 1, 16384)}).splitlines()
    assert len(lines) == 4 and "| 75% | 16,384 |" in lines[2] and "| 0% | 1 |" in lines[3]


@given(st.integers(8, 40), st.integers(8, 40))
def test_the_letter_shows_every_exchange_and_every_flip(height, width):
    letter = letter_f(height, width)[..., 0]
    assert set(np.unique(letter)) == {0, 1}
    for flipped in (letter[::-1], letter[:, ::-1], letter[::-1, ::-1]):
        assert not np.array_equal(letter, flipped)
    misread = flatten(letter[..., None]).reshape(width, height).T
    assert not np.array_equal(letter, misread)


@given(st.integers(4, 12), st.integers(4, 12))
def test_stripes_cannot_come_back_unseen(rows, columns):
    letter = letter_f(4 * rows, 4 * columns)
    misread = to_phwc4(letter).ravel()[: letter.size].reshape(letter.shape)
    assert stripes(misread) == 1
    assert stripes(letter) < 0.9
    assert stripes(unflatten(flatten(letter), letter.shape)) < 0.9
    assert stripes(from_phwc4(to_phwc4(letter), 1)) < 0.9


@pytest.mark.parametrize("flat", [False, True])
def test_an_export_hands_the_letter_over_as_it_is(tmp_path, flat):
    import keras

    # A network that gives its red channel back, as probabilities: what goes in must come out.
    layer = keras.layers.Conv2D(1, 1, use_bias=False)
    model = keras.Sequential([keras.Input((24, 36, 3)), layer])
    layer.set_weights([np.array([1 / 255, 0, 0], np.float32).reshape(1, 1, 3, 1)])
    path = to_tflite(model, tmp_path / "red.tflite", flat=flat)
    photo = np.zeros((24, 36, 3), np.uint8)
    photo[..., :1] = 255 * letter_f()
    mask = run_images(path, photo[None])[0]
    np.testing.assert_allclose(mask.reshape(24, 36, 1), letter_f(), atol=1e-6)
    np.testing.assert_allclose(Segmenter(path)(photo), letter_f()[..., 0], atol=1e-6)
    assert stripes(mask.reshape(24, 36)) < 0.5


def test_wrong_sizes_are_refused():
    with pytest.raises(SeglibError, match="12 values"):
        unflatten(np.zeros(12), (3, 5, 1))
    with pytest.raises(SeglibError, match="5 channels"):
        from_phwc4(np.zeros((1, 2, 2, 4)), 5)
    for call in (flatten, to_phwc4, pack):
        with pytest.raises(SeglibError, match="height, width, channels"):
            call(np.zeros((4, 4)))
    with pytest.raises(SeglibError, match="channels, height, width"):
        interleave(np.zeros((4, 4)))
    with pytest.raises(SeglibError, match="at least 8"):
        letter_f(4, 20)


def test_ops_of_what_is_no_model(tmp_path):
    with pytest.raises(SeglibError, match="absent"):
        ops(tmp_path / "absent.tflite")
    path = tmp_path / "cut.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))
    with pytest.raises(SeglibError, match=r"cut\.tflite"):
        ops(path)
