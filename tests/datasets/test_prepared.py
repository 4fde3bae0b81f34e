"""Shards built by `tensorflow_datasets` from dummy archives: the same examples as the files, and the real command."""

import importlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError, prepared
from hrnet_keras.datasets.prepared.__main__ import main
from hrnet_keras.datasets.prepared.building import build
from hrnet_keras.tasks import task_named
from hrnet_keras.transforms import decode
from tests.archives import MAKERS, lip, pack

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("array_record")
pytest.importorskip("dill")  # for TFDS's own test case

OURS = {
    name: importlib.import_module(f"hrnet_keras.datasets.prepared.{name}.{name}_dataset_builder").Builder
    for name in ("lip", "pascal_context")
}


@pytest.fixture(scope="module", autouse=True)
def no_network():
    def refuse(*_):
        raise AssertionError("reaches for the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """`built(name)` -> the folder of files and the folder of shards, made once."""
    done = {}

    def make(name):
        if name not in done:
            top = tmp_path_factory.mktemp(name.replace("/", "_"))
            MAKERS[name](top / "files", top / "archives")
            build(name, top / "archives", top / "shards")
            done[name] = top / "files", top / "shards"
        return done[name]

    return make


PARTIAL = {"partial": True}
CASES = [
    ("cityscapes", "train", "cityscapes/semantic_segmentation", PARTIAL),
    ("cityscapes", "trainval", "cityscapes/semantic_segmentation", PARTIAL),
    ("cityscapes", "test", "cityscapes/semantic_segmentation", PARTIAL),
    ("cityscapes", "train_extra", "cityscapes/semantic_segmentation_extra", PARTIAL | {"annotation": "coarse"}),
    ("lip", "train", "lip", PARTIAL),
    ("lip", "val", "lip", PARTIAL),
    ("lip", "train", "lip", PARTIAL | {"size": (33, 33)}),
    ("imagenet", "train", "imagenet2012", {}),
]


def assert_same(found, expected, pictures=None):
    assert found.names == expected.names and found.split == expected.split and found.info == expected.info
    for i in range(min(len(expected), pictures or len(expected))):
        assert found.image_files[i].read() == expected.image_files[i].read_bytes()
        one, other = found.example(i), expected.example(i)
        assert one.keys() == other.keys()
        for word, value in other.items():
            assert np.asarray(one[word]).dtype == np.asarray(value).dtype
            np.testing.assert_array_equal(one[word], value)


@pytest.mark.parametrize(("name", "split", "builder", "options"), CASES)
def test_examples_are_those_of_the_files(built, name, split, builder, options):
    files, shards = built(builder)
    for _ in range(2):  # the second time by the list that the first has written
        found = datasets.load(name, split, prepared=shards, **options)
        assert_same(found, datasets.load(name, split, files, **options), pictures=20)
    assert datasets.check(found) == []
    assert (found.to_file is None) == (name != "cityscapes")
    rest = datasets.without(found, [(found.names[0], "broken")]) if len(found) > 1 else found
    assert rest.example(0)["name"] == found.names[min(1, len(found) - 1)]


@pytest.mark.parametrize("classes", [59, 60])
def test_pascal_context_is_that_of_its_annotation_file(built, classes):
    files, shards = built("pascal_context")
    for split, count in (("train", 3), ("val", 2)):
        expected = datasets.load("pascal_context", split, files, classes=classes)
        found = prepared.open_prepared("pascal_context", split, shards, expected.info, ids=expected.ids)
        assert len(found) == count
        assert_same(found, expected)


def test_label_files_are_kept_but_for_palettes(built):
    files, shards = built("lip")
    found = datasets.load("lip", "train", prepared=shards, partial=True)
    expected = datasets.load("lip", "train", files, partial=True)
    kept = [stored.read() == file.read_bytes() for stored, file in zip(found.label_files, expected.label_files)]  # noqa: B905
    assert kept == [False, True, True] and Image.open(expected.label_files[0]).mode == "P"
    feature = tfds.builder("lip", data_dir=shards).info.features["label_map"]  # whose decoder is TensorFlow's
    for i in range(3):
        by_tensorflow = feature.decode_example(found.label_files[i].read())
        np.testing.assert_array_equal(by_tensorflow[..., 0], expected.label_map(i))


def test_scored_pictures_of_imagenet_have_their_classes(built):
    files, shards = built("imagenet2012")
    found = datasets.load("imagenet", "val", prepared=shards)
    expected = datasets.load("imagenet", "val", files)  # five folders, of which the classes are not ImageNet's
    assert found.names == expected.names and len(found) == 5
    synsets = sorted(folder.name for folder in (files / "train").iterdir())
    for i, name in enumerate(found.names):
        assert synsets[found.example(i)["label"]] == name.split("/")[0]
        np.testing.assert_array_equal(found.example(i)["image"], expected.example(i)["image"])


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize(("name", "builder", "options"), [
    ("cityscapes", "cityscapes/semantic_segmentation", {}), ("lip", "lip", {}), ("lip", "lip", {"size": (33, 33)}),
])  # fmt: skip
def test_training_sees_the_same(built, name, builder, options, cache):
    files, shards = built(builder)
    batches = []
    for place in ({"root": files}, {"prepared": shards}):
        data = datasets.load(name, "train", partial=True, **place, **options)
        stream = task_named("seg").module("pipeline").training(data, batch=2, crop=(24, 24), cache=cache, seed=3)
        batches.append(list(stream.take(3).as_numpy_iterator()))
    for one, other in zip(*batches, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_pictures_are_decoded_in_the_graph(built, monkeypatch):
    """A stored picture costs the crop's part and no Pillow, and a record is read once for picture and label map."""
    files, shards = built("lip")
    data = datasets.load("lip", "train", prepared=shards, partial=True)
    expected, read = datasets.load("lip", "train", files, partial=True).example(1), []
    source = data.image_files[1].shards.source
    monkeypatch.setattr(datasets.Dataset, "example", None)
    old = source._deserialize
    monkeypatch.setattr(source, "_deserialize", lambda record: (read.append(1), old(record))[1])
    size, window, label_map = decode.open_source(data, cache=False)(np.int32(1))
    np.testing.assert_array_equal(window(np.int32([3, 4]), np.int32([20, 25])), expected["image"][3:20, 4:25])
    np.testing.assert_array_equal(label_map, expected["label_map"])
    assert tuple(size) == expected["label_map"].shape and len(read) == 1


def test_classification_trains_on_shards(built):
    files, shards = built("imagenet2012")
    batches = []
    for place in ({"root": files}, {"prepared": shards}):
        stream = (
            task_named("cls")
            .module("pipeline")
            .training(datasets.load("imagenet", "train", **place), batch=8, input_size=(16, 16))
        )
        batches.append(next(stream.take(1).as_numpy_iterator()))
    for one, other in zip(*batches, strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_looks_at_stored_files_first(built):
    _, shards = built("lip")
    assert datasets.glance(datasets.load("lip", "train", prepared=shards, partial=True)) == []


def test_a_broken_file_stays_as_broken_as_it_is(tmp_path):
    lip(tmp_path / "files", tmp_path / "archives")
    images = tmp_path / "files" / "TrainVal_images"
    cut = images / "train_images" / "77.jpg"
    cut.write_bytes(cut.read_bytes()[:300])
    pack(tmp_path / "archives" / "TrainVal_images.zip", tmp_path / "files", "TrainVal_images")
    build("lip", tmp_path / "archives", tmp_path / "shards")
    found = datasets.load("lip", "train", prepared=tmp_path / "shards", partial=True)
    ((name, reason),) = datasets.check(found)
    assert name == "77" and "1.0.0: image of '77': cannot be read as a picture" in reason
    assert datasets.check(datasets.without(found, [(name, reason)])) == []


def test_mistakes_are_named(built, tmp_path):
    files, shards = built("lip")
    with pytest.raises(DataError, match=r"lip is read from files: expected root, .*, or prepared, that of its shards"):
        datasets.load("lip", "train")
    with pytest.raises(ValueError, match=r"root='.*files' and prepared='.*shards': lip is read from one of the two"):
        datasets.load("lip", "train", files, prepared=shards)
    with pytest.raises(DataError, match=r"shards/lip/1.0.0: holds 3 of the 30462 pictures of split 'train': build it "):
        datasets.load("lip", "train", prepared=shards)
    with pytest.raises(DataError, match=r"holds no prepared lip: build it by python -m .*prepared lip --manual_dir=<f"):
        datasets.load("lip", "train", prepared=tmp_path)
    with pytest.raises(DataError, match=r"prepared cityscapes/semantic_segmentation_extra: build it by python "):
        datasets.load("cityscapes", "train", prepared=built("cityscapes/semantic_segmentation")[1], annotation="coarse")
    with pytest.raises(DataError, match=r"has no split 'train_extra' but train, validation, test: build it again"):
        datasets.load("cityscapes", "train_extra", prepared=built("cityscapes/semantic_segmentation")[1])
    with pytest.raises(ValueError, match="split='test': imagenet2012 has 'train' and 'val'"):
        datasets.load("imagenet", "test", prepared=shards)


def test_shards_without_random_access_are_refused(tmp_path):
    lip(tmp_path / "files", tmp_path / "archives")
    builder = tfds.builder("lip", data_dir=tmp_path / "shards")  # in TFDS's default format
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=tmp_path / "archives"))
    with pytest.raises(DataError, match=r"is in format tfrecord, .*: build it again by python .* --overwrite"):
        datasets.load("lip", "train", prepared=tmp_path / "shards", partial=True)
    build("lip", tmp_path / "archives", tmp_path / "shards", overwrite=True)
    assert len(datasets.load("lip", "train", prepared=tmp_path / "shards", partial=True)) == 3


def test_archives_that_lack_are_named(tmp_path):
    lip(tmp_path / "files", tmp_path / "archives")
    (tmp_path / "archives" / "TrainVal_images.zip").unlink()
    with pytest.raises(FileNotFoundError, match=r"TrainVal_images\.zip: no such file. manual_dir should contain Train"):
        build("lip", tmp_path / "archives", tmp_path / "shards")
    pack(tmp_path / "archives" / "TrainVal_images.zip", tmp_path / "files", "TrainVal_images/val_images")
    with pytest.raises(FileNotFoundError, match=r"holds no train_images/\*\.jpg: fetch the archive again"):
        build("lip", tmp_path / "archives", tmp_path / "shards2")
    with pytest.raises(FileNotFoundError, match=r"VOCtrainval_03-May-2010\.tar: no such file. manual_dir should conta"):
        build("pascal_context", tmp_path / "archives", tmp_path / "shards3")


def test_shards_that_may_only_be_read_can_be_opened(tmp_path, built, monkeypatch):
    shutil.copytree(built("lip")[1] / "lip", tmp_path / "lip")
    for file in tmp_path.rglob("order-*.json"):
        file.unlink()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError("read-only")))
    assert datasets.load("lip", "val", prepared=tmp_path, partial=True).names == ("0", "1")
    assert not list(tmp_path.rglob("order-*.json"))


def test_missing_packages_are_named(built, monkeypatch):
    monkeypatch.setitem(sys.modules, "array_record", None)
    with pytest.raises(ImportError, match=r"prepared data needs array_record: pip install 'hrnet-keras\[data\]'"):
        datasets.load("lip", "val", prepared=built("lip")[1], partial=True)


def test_the_command_that_is_named_builds(tmp_path, capsys):
    lip(tmp_path / "files", tmp_path / "archives")
    with pytest.raises(DataError, match="build it by python -m ") as caught:
        datasets.load("lip", "val", prepared=tmp_path / "shards", partial=True)
    command = str(caught.value).partition("build it by python -m hrnet_keras.datasets.prepared ")[2]
    main(shlex.split(command.replace("<folder of the archives>", str(tmp_path / "archives"))))
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "shards" / "lip" / "1.0.0")
    assert len(datasets.load("lip", "val", prepared=tmp_path / "shards", partial=True)) == 2
    assert sorted(path.name for path in (tmp_path / "shards").iterdir() if path.name != "downloads") == ["lip"]
    with pytest.raises(SystemExit):
        main(["lip", "--manual_dir", str(tmp_path / "files"), "--data_dir", str(tmp_path / "others")])
    assert "TrainVal_images.zip: no such file. manual_dir should contain" in capsys.readouterr().err
    with pytest.raises(ValueError, match="name='wflw': expected one of 'cityscapes/semantic_segmentation'"):
        build("wflw", tmp_path, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cityscapes/semantic_segmentation", "lip", "pascal_context"])
def test_the_command_of_tfds_builds(tmp_path, name):
    for package in ("apache_beam", "mlcroissant"):  # without which it does not even start
        pytest.importorskip(package)
    MAKERS[name](tmp_path / "files", tmp_path / "archives")
    what = Path(prepared.__file__).parent / name if name in OURS else name
    options = (f"--manual_dir={tmp_path / 'archives'}", f"--data_dir={tmp_path / 'shards'}")
    start = "from tensorflow_datasets.scripts.cli.main import launch_cli; launch_cli()"
    command = [sys.executable, "-c", start, "build", str(what), "--file_format=array_record", *options]
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr[-3000:]
    name, _, config = name.partition("/")
    assert len(prepared.open_prepared(name, "val", tmp_path / "shards", datasets.DatasetInfo(name), config=config)) == 2


class Conventions(tfds.testing.DatasetBuilderTestCase):
    """What TFDS asks of every builder."""

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        archives = Path(cls.EXAMPLE_DIR) / "archives"
        MAKERS[cls.DATASET_CLASS.name](Path(cls.EXAMPLE_DIR) / "files", archives)
        for file in archives.iterdir():
            file.rename(Path(cls.EXAMPLE_DIR) / file.name)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.EXAMPLE_DIR)


class TestLip(Conventions):
    DATASET_CLASS = OURS["lip"]
    SPLITS = {"train": 3, "validation": 2}


class TestPascalContext(Conventions):
    DATASET_CLASS = OURS["pascal_context"]
    SPLITS = {"train": 3, "validation": 2}


del Conventions  # which tests nothing itself
