"""The training stream: official resizing end to end, chance that repeats itself, one clear line for bad input."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.tasks.segmentation import pipeline
from hrnet_keras.transforms.decode import decode_bytes

INFO = datasets.DatasetInfo(name="stripes", class_names=tuple(f"class {i}" for i in range(200)))


class Drawn(datasets.MaskSet):
    """Pictures whose every pixel tells where it came from: row, column and index as colour, the column as label."""

    def __init__(self, count=11, size=(24, 40), info=INFO):
        super().__init__(info, "train", [f"{i:02}" for i in range(count)])
        self.size = size

    def example(self, i):
        rows, columns = np.mgrid[: self.size[0] + i, : self.size[1] + i].astype(np.uint8)
        image = np.stack([rows, columns, np.full_like(rows, 100 + i)], axis=-1)
        return {"image": image, "label_map": columns, "name": self.names[i]}


def take(count, dataset=None, **options):
    options = {"batch": 3, "crop": (16, 20), "brightness": 9, "contrast": 0.2, "saturation": 0.2, "seed": 5, **options}
    batches = pipeline.training(dataset or Drawn(), **options).take(count)
    return [(image.numpy(), labels.numpy()) for image, labels in batches]


def assert_equal_batches(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=False):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Eight pictures in files, JPEG and PNG by turns, with palette label maps."""
    root = tmp_path_factory.mktemp("files")
    (root / "classes.txt").write_text("\n".join(INFO.class_names))
    for kind in ("images", "labels"):
        (root / kind).mkdir()
    for i in range(8):
        example = Drawn().example(i)
        noise = np.random.default_rng(i).integers(0, 9, example["image"].shape).astype(np.uint8)
        Image.fromarray(example["image"] * 2 + noise).save(root / "images" / f"{i}{('.jpg', '.png')[i % 2]}")
        label_map = Image.fromarray(example["label_map"])
        label_map.putpalette(np.random.default_rng(i).integers(0, 256, 768).tolist())
        label_map.save(root / "labels" / f"{i}.png")
    return datasets.load("folder", "train", root)


@pytest.mark.parametrize("key", ["0.5", "0.7", "1.3", "2.1"])
@pytest.mark.parametrize("cache", [True, False])
def test_a_crop_of_everything_is_the_official_resized_picture(golden, tmp_path, key, cache):
    arrays = golden("segmentation", "seg_pipeline")[1]
    (tmp_path / "classes.txt").write_text("\n".join(INFO.class_names))
    for kind, array in (("images", arrays["in_image_bgr"][..., ::-1]), ("labels", arrays["in_label"])):
        (tmp_path / kind).mkdir()
        Image.fromarray(np.ascontiguousarray(array)).save(tmp_path / kind / "a.png")
    dataset = datasets.load("folder", "train", tmp_path)
    options = {"batch": 1, "crop": (130, 200), "scale": (float(key),) * 2, "base_size": 90, "flip": 0, "cache": cache}
    image, labels = next(iter(pipeline.training(dataset, **options)))
    expected, expected_labels = arrays[f"out_resize_{key}_image"][..., ::-1], arrays[f"out_resize_{key}_label"]
    height, width = expected_labels.shape
    np.testing.assert_array_equal(labels[0, :height, :width], expected_labels)
    assert np.abs(image[0, :height, :width] - expected).max() <= 0.77  # OpenCV rounds to grey levels
    assert not np.any(image[0, height:]) and np.all(labels[0, height:] == 255)
    assert not np.any(image[0, :, width:]) and np.all(labels[0, :, width:] == 255)


def test_factors_are_those_of_the_official_code():
    """0.5, 0.6, ..., 2.1 of the base size: `0.5 + randint(0, 16) / 10`, then `int(base * factor + 0.5)`."""
    batches = take(150, Drawn(1, (9, 45)), batch=1, crop=(20, 100), base_size=45, flip=0, brightness=0)
    widths = {int((labels[0, 0] != 255).sum()) for _, labels in batches}
    assert widths == {int(45 * (0.5 + k / 10.0) + 0.5) for k in range(17)}


def test_any_factor_between_two():
    batches = take(60, Drawn(1, (10, 100)), batch=1, crop=(20, 210), scale=(1.0, 2.0), scale_step=None, flip=0)
    widths = {int((labels[0, 0] != 255).sum()) for _, labels in batches}
    assert len(widths) > 30 and 100 <= min(widths) < 110 and 190 < max(widths) <= 200


def test_shapes_and_types():
    image, labels = take(1)[0]
    assert image.shape == (3, 16, 20, 3) and image.dtype == np.float32
    assert labels.shape == (3, 16, 20) and labels.dtype == np.uint8
    assert pipeline.training(Drawn(), batch=3, crop=[16, 20]).element_spec[0].shape == (3, 16, 20, 3)


def test_unscaled_crops_are_cut_from_the_pictures():
    corners = set()
    for image, labels in take(40, scale=None, brightness=0, contrast=0, saturation=0, cache=False):
        np.testing.assert_array_equal(image[..., 1], labels)
        for one in image:
            if one[0, 0, 1] < one[0, 1, 1]:  # else mirrored
                i = int(one[0, 0, 2]) - 100
                y, x = int(one[0, 0, 0]), int(one[0, 0, 1])
                corners.add((i, y, x))
                np.testing.assert_array_equal(one[..., :2], Drawn().example(i)["image"][y : y + 16, x : x + 20, :2])
    assert len(corners) > 40


def test_an_epoch_shows_every_picture_once():
    seen = [
        int(one[0, 0, 2]) - 100
        for image, _ in take(8, scale=None, brightness=0, contrast=0, saturation=0, batch=5)
        for one in image
    ]
    epochs = [seen[i : i + 10] for i in range(0, 40, 10)]  # 11 pictures: one is left over
    assert all(len(set(epoch)) == 10 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_every_picture_of_a_batch_has_chances_of_its_own():
    image, _ = take(1, scale=None, batch=11, brightness=0, contrast=0, saturation=0)[0]
    is_mirrored = image[:, 0, 0, 1] > image[:, 0, 1, 1]
    assert 0 < is_mirrored.sum() < 11
    assert len(set(image[:, 0, 0, 0])) > 3  # rows of the corners


def test_same_seed_same_batches():
    assert_equal_batches(take(5), take(5))
    assert any(np.any(one[0] != other[0]) for one, other in zip(take(5), take(5, seed=6), strict=False))


def test_the_third_epoch_is_where_a_resumed_run_starts():
    assert_equal_batches(take(9)[6:], take(3, first_epoch=2))


def test_same_batches_on_one_core():
    stream = pipeline.training(Drawn(), batch=3, crop=(16, 20), seed=5)
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    alone = stream.with_options(options)
    assert_equal_batches(
        [(a.numpy(), b.numpy()) for a, b in stream.take(6)], [(a.numpy(), b.numpy()) for a, b in alone.take(6)]
    )


def test_a_choice_that_is_off_leaves_the_others():
    plain = take(4, flip=0, brightness=0, contrast=0, saturation=0)
    coloured = take(4, flip=0)
    for (image, labels), (other, other_labels) in zip(plain, coloured, strict=False):
        np.testing.assert_array_equal(labels, other_labels)
        assert np.any(image != other)


def test_from_memory_and_from_files_alike(files):
    assert_equal_batches(take(6, files, cache=True), take(6, files, cache=False))
    assert_equal_batches(take(6, cache=True), take(6, cache=False))  # drawn


def test_flip_exchanges_sided_classes():
    info = datasets.DatasetInfo(name="sides", class_names=INFO.class_names, label_flip_pairs=((0, 39),))
    plain, swapped = (
        next(iter(pipeline.training(Drawn(1, info=f), batch=1, crop=(24, 40), scale=None, flip=1)))[1][0]
        for f in (INFO, info)
    )
    assert plain[0].numpy().tolist() == list(range(39, -1, -1))
    assert swapped[0].numpy().tolist() == [0, *range(38, 0, -1), 39]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"batch": 12}, "batch=12: expected 1..11, the set has 11 examples"),
        ({"crop": (16, 0)}, r"crop=\(16, 0\): expected \(height, width\) in pixels"),
        ({"scale": (2.0, 1.0)}, r"scale=\(2.0, 1.0\): expected \(lowest, highest\)"),
        ({"scale_step": 0}, "scale_step=0: expected a number above 0"),
        ({"base_size": 0}, "base_size=0: expected pixels"),
        ({"flip": 2}, "flip=2: expected a probability"),
        ({"brightness": -1}, "brightness=-1: expected 0..255"),
        ({"contrast": 1.5}, "contrast=1.5: expected 0..1"),
    ],
)
def test_arguments_out_of_range(options, line):
    with pytest.raises(ValueError, match=line):
        take(1, **options)


def test_a_broken_file_is_named(files, tmp_path):
    broken = datasets.exclude(files, [])
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(files.image_files[0].read_bytes()[:300])
    broken.image_files = (cut, *files.image_files[1:])
    with pytest.raises(datasets.DataError, match=r"cut.jpg: cannot be read as a picture"):
        pipeline.training(broken, batch=2, crop=(8, 8), cache=True)
    with pytest.raises(datasets.DataError, match=r"cut.jpg: cannot be read as a picture"):
        list(datasets.read_ahead(broken))


def test_evaluation_reads_in_order(files):
    examples = list(datasets.read_ahead(files))
    assert [example["name"] for example in examples] == list(files.names)
    np.testing.assert_array_equal(examples[3]["image"], files.example(3)["image"])


def test_serving_reads_what_the_data_set_reads(files):
    for i in range(2):
        pixels = tf.function(decode_bytes)(tf.constant(files.image_files[i].read_bytes()))
        np.testing.assert_array_equal(pixels, files.example(i)["image"])


def test_serving_can_be_saved(tmp_path):
    module = tf.Module()
    module.serve = tf.function(decode_bytes, input_signature=[tf.TensorSpec([], tf.string)])
    tf.saved_model.save(module, str(tmp_path))
    file = io.BytesIO()
    picture = Image.fromarray(Drawn().example(0)["image"])
    picture.save(file, "BMP")
    np.testing.assert_array_equal(tf.saved_model.load(str(tmp_path)).serve(file.getvalue()), np.asarray(picture))
