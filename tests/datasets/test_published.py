"""What published scores are of: names, splits and options of data sets."""

import importlib

import pytest

from hrnet_keras import datasets
from hrnet_keras.checkpoints import zoo
from hrnet_keras.datasets.published import published, scored_on
from tests import point_files


@pytest.mark.parametrize(
    ("name", "lineage", "expected"),
    [
        ("300w", "official", ("300w", "valid", {})),
        ("wflw", "mmlab", ("wflw", "test", {})),
        ("aflw", "official", ("aflw", "test", {})),
        ("cofw", "mmlab", ("cofw", "test", {"lineage": "mmlab"})),
        ("cofw", "official", ("cofw", "test", {"lineage": "official"})),
        ("cofw", None, ("cofw", "test", {})),
        ("coco", "mmlab", ("coco", "val", {"lineage": "mmlab"})),
        ("coco", "official_torch04", ("coco", "val", {"lineage": "official"})),
        ("mpii", "mmlab", ("mpii", "valid", {})),
        ("cityscapes", "official", ("cityscapes", "val", {})),
        ("pascal_context_59", "mmlab", ("pascal_context", "val", {"classes": 59})),
        ("pascal_context_60", "official", ("pascal_context", "val", {"classes": 60})),
        ("voc2012", "mmlab", ("voc2012", "val", {})),
    ],
)
def test_what_a_score_is_of(name, lineage, expected):
    assert scored_on(name, lineage) == expected


@pytest.mark.parametrize("name", sorted({e.data for e in zoo.entries() if e.task in ("landmark", "pose")}))
def test_the_split_opens(name, tmp_path):
    base, split, options = scored_on(name, "mmlab")
    dataset = datasets.load(base, split, point_files.MAKERS[name](tmp_path, {split: 1}), **options)
    assert len(dataset) == 1 and dataset.info.point_names == published(name).point_names


@pytest.mark.parametrize("name", ["300w", "aflw", "cofw", "mpii", "wflw"])
def test_it_is_a_split_of_the_set(name):
    module = importlib.import_module(f"hrnet_keras.datasets.{datasets.MODULES.get(name, name)}")
    tables = [getattr(module, word) for word in ("SPLITS", "VARIABLES", "FILES") if hasattr(module, word)]
    assert any(module.TEST_SPLIT in table for table in tables)
