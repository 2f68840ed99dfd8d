"""Memory layouts: what goes in comes out, and the order is the one that is documented."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglib.errors import SeglibError
from seglib.export import flatten, from_phwc4, ops, stored_bytes, to_phwc4, unflatten

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


def test_wrong_sizes_are_refused():
    with pytest.raises(SeglibError, match="12 values"):
        unflatten(np.zeros(12), (3, 5, 1))
    with pytest.raises(SeglibError, match="5 channels"):
        from_phwc4(np.zeros((1, 2, 2, 4)), 5)
    for call in (flatten, to_phwc4):
        with pytest.raises(SeglibError, match="height, width, channels"):
            call(np.zeros((4, 4)))


def test_ops_of_what_is_no_model(tmp_path):
    with pytest.raises(SeglibError, match="absent"):
        ops(tmp_path / "absent.tflite")
    path = tmp_path / "cut.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))
    with pytest.raises(SeglibError, match=r"cut\.tflite"):
        ops(path)
