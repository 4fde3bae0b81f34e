"""Samples: counts, kinds and chances."""

import keras
import numpy as np

from hrnet_keras.tasks.detection.parts import sampler


def kinds(samples):
    return [int(np.array(x).sum()) for x in samples[1:]]


def chosen(truths, num, part, seed=0):
    return sampler.sample(truths, sampler.random_keys(truths, seed), num=num, positive_part=part)


def test_background_fills_up():
    truths = np.zeros((1, 500), "int32")
    truths[0, :10] = 1
    samples = chosen(truths, 64, 0.5)
    assert kinds(samples) == [10, 54]
    indices = np.array(samples.indices[0])
    assert len(set(indices)) == 64
    assert (truths[0, indices] > 0).tolist() == [True] * 10 + [False] * 54


def test_too_few_boxes_leave_padding():
    truths = np.full((1, 300), -1, "int32")
    truths[0, [5, 9, 200]] = [1, 0, 2]
    samples = chosen(truths, 64, 0.25)
    assert np.array(samples.indices).shape == (1, 64)
    assert kinds(samples) == [2, 1]
    assert set(np.array(samples.indices)[np.array(samples.valid)]) == {5, 9, 200}
    assert np.array(samples.valid)[0, :3].all()


def test_many_positive_ones_are_cut_and_background_may_be_missing():
    assert kinds(chosen(np.ones((2, 100), "int32"), 64, 0.25)) == [32, 0]


def test_a_picture_of_nothing():
    samples = chosen(np.full((1, 20), -1, "int32"), 64, 0.25)
    assert np.array(samples.indices).shape == (1, 20)
    assert kinds(samples) == [0, 0]
    assert float(sampler.num_samples(samples)) == 1


def test_all_have_the_same_chance():
    truths = np.zeros((200, 40), "int32")
    truths[:, ::2] = 1
    samples = chosen(truths, 20, 0.25, keras.random.SeedGenerator(3))
    counts = np.bincount(np.array(samples.indices).ravel(), minlength=40)
    assert abs(counts[::2].mean() - 50) < 1e-9 and abs(counts[1::2].mean() - 150) < 1e-9
    # Binomial with 200 draws of 1/4 and 3/4: deviation 6.1; five of them.
    assert np.abs(counts[::2] - 50).max() < 31 and np.abs(counts[1::2] - 150).max() < 31


def test_a_generator_draws_anew_and_a_seed_repeats():
    truths = np.zeros((1, 100), "int32")
    generator = keras.random.SeedGenerator(1)
    first, second = sampler.random_keys(truths, generator), sampler.random_keys(truths, generator)
    assert (np.array(first) != np.array(second)).any()
    np.testing.assert_array_equal(sampler.random_keys(truths, 1), sampler.random_keys(truths, 1))


def test_count_of_the_reference():
    samples = sampler.keep_all(np.array([[1, 0, 0, -1], [0, 0, 0, 0]], "int32"))
    assert float(sampler.num_samples(samples)) == 7
    assert float(sampler.num_samples(samples, at_least_one_each=True)) == 8
