"""Orders of training: every example once per epoch, resumed as if never stopped, dealt out to workers."""

import itertools

import numpy as np
import pytest

from hrnet_keras.transforms.order import grouped, sample_indices


def first(count, stream):
    return [tuple(int(x) for x in row) for row in itertools.islice(stream.as_numpy_iterator(), count)]


def test_every_epoch_has_every_example_once_in_another_order():
    rows = np.array(first(20, sample_indices(10, 2, seed=3)))
    assert (rows[:10, 0] == 0).all() and (rows[10:, 0] == 1).all()
    assert (rows[:10, 1] == np.arange(10)).all()
    assert sorted(rows[:10, 2]) == sorted(rows[10:, 2]) == list(range(10))
    assert (rows[:10, 2] != rows[10:, 2]).any()
    assert first(10, sample_indices(10, 2, seed=3, first_epoch=1)) == [tuple(row) for row in rows[10:].tolist()]
    assert first(10, sample_indices(10, 2, seed=4)) != [tuple(row) for row in rows[:10].tolist()]


@pytest.mark.parametrize(("count", "batch", "workers"), [(12, 2, 2), (23, 3, 2), (30, 2, 5)])
def test_workers_share_what_one_with_a_larger_batch_would_see(count, batch, workers):
    steps = count // (batch * workers)
    whole = np.array(first(2 * steps * workers * batch, sample_indices(count, batch * workers))).reshape(
        2 * steps, -1, 3
    )
    parts = [
        np.array(first(2 * steps * batch, sample_indices(count, batch, worker=worker, workers=workers))).reshape(
            -1, batch, 3
        )
        for worker in range(workers)
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_impossible_shares_are_named():
    with pytest.raises(ValueError, match=r"worker=2: expected 0\.\.1, of 2 workers"):
        sample_indices(10, 2, worker=2, workers=2)
    with pytest.raises(ValueError, match=r"batch=6: expected 1\.\.5 for each of 2 workers, the set has 10 examples"):
        sample_indices(10, 6, workers=2)
    with pytest.raises(ValueError, match=r"batch=0: expected 1\.\.10, the set has 10 examples to train on"):
        sample_indices(10, 0)


@pytest.mark.parametrize(("count", "step"), [(10, 3), (24, 4), (7, 7), (5, 1)])
def test_groups_fill_steps_and_what_is_left_comes_last(count, step):
    rng = np.random.default_rng(count)
    for _ in range(20):
        groups, order = rng.integers(0, 3, count), rng.permutation(count).astype(np.int32)
        changed = grouped(order, groups, step)
        assert changed.dtype == order.dtype and sorted(changed) == list(range(count))
        # The same by filling a bucket per group, as a loader goes through its indices.
        buckets, expected = {group: [] for group in range(3)}, []
        for index in order:
            bucket = buckets[groups[index]]
            bucket.append(index)
            if len(bucket) == step:
                expected += bucket
                bucket.clear()
        assert changed.tolist() == expected + [index for bucket in buckets.values() for index in bucket]


def test_groups_of_a_stream():
    groups = np.arange(20) % 2
    rows = np.array(first(40, sample_indices(20, 5, groups=groups, seed=1)))
    assert sorted(rows[:20, 2]) == sorted(rows[20:, 2]) == list(range(20))
    assert all(len(set(groups[step])) == 1 for step in rows[:, 2].reshape(-1, 5))
    assert rows[:20, 2].tolist() != rows[20:, 2].tolist()
