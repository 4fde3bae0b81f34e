"""Toytown as a set of objects: boxes and masks as drawn."""

import numpy as np
import pytest

from hrnet_keras import datasets
from hrnet_keras.datasets.toytown import THINGS, draw_scene

COUNT = 8


@pytest.fixture(scope="module")
def objects():
    return datasets.load("toytown", "val", count=COUNT, annotation="objects")


def test_objects_are_those_of_the_scenes(objects):
    town = datasets.load("toytown", "val", count=COUNT)
    for i in range(COUNT):
        example, scene = objects.example(i), draw_scene(1_000_000 + i)
        for word in ("image", "masks"):
            np.testing.assert_array_equal(example[word], scene[word])
        np.testing.assert_array_equal(example["boxes"], scene["boxes"])
        names = [town.info.class_names[label] for label in scene["labels"]]
        assert [objects.info.class_names[label] for label in example["labels"]] == names
        assert example["boxes"].dtype == np.float64 and example["size"] == objects.size(i) == scene["image"].shape[:2]
        assert set(scene["labels"]) <= set(THINGS)
        assert objects.trainable(i) == (len(names) > 0)
    assert objects.info.class_names == ("car", "bus", "person", "sign") and len(objects.info.palette) == 4


def test_run_lengths_are_pycocotools(objects):
    from pycocotools import mask as run_lengths

    ids = set()
    for i in range(COUNT):
        row = objects.annotations(i)
        masks = row.pop("masks")
        np.testing.assert_array_equal(datasets.masks_of(row), masks)
        for entry, mask, box in zip(row["truth"], masks, row["boxes"], strict=True):
            rle = run_lengths.encode(np.asfortranarray(mask))
            assert run_lengths.frPyObjects(entry["segmentation"], *row["size"])["counts"] == rle["counts"]
            assert entry["bbox"] == run_lengths.toBbox(rle).tolist() == [*box[:2], *(box[2:] - box[:2])]
            assert entry["area"] == run_lengths.area(rle) and entry["image_id"] == row["image_id"]
            ids.add(entry["id"])
    assert len(ids) == sum(len(objects.annotations(i)["boxes"]) for i in range(COUNT))


def test_what_is_small_is_neither_learnt_nor_missed(objects):
    large = datasets.load("toytown", "val", count=COUNT, annotation="objects", smallest=60)
    for i in range(COUNT):
        row, usual = large.annotations(i), objects.annotations(i)
        np.testing.assert_array_equal(row["boxes"], usual["boxes"])
        sides = (row["boxes"][:, 2:] - row["boxes"][:, :2]).max(1)
        np.testing.assert_array_equal(row["crowd"], sides < 60)
        assert [entry["iscrowd"] for entry in row["truth"]] == (sides < 60).astype(int).tolist()
    with pytest.raises(ValueError, match="smallest=0: expected a length of 1 pixel or more"):
        datasets.load("toytown", "val", annotation="objects", smallest=0)


def test_rows_are_the_caller_s_own(objects):
    objects.annotations(0)["boxes"][:] = 0
    assert objects.annotations(0)["boxes"].any()
    assert objects.subset([3]).annotations(0)["name"] == objects.names[3]
