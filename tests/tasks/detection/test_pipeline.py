"""The stream of training batches: mmdet's pixels and boxes (goldens), exact resumption, groups, nothing lost."""

import itertools

import cv2
import numpy as np
import pytest

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from hrnet_keras.layers import Normalize
from hrnet_keras.tasks import TASKS
from hrnet_keras.tasks.detection import pipeline
from hrnet_keras.tasks.detection.augment import Sample, cropped, mirrored, sample
from hrnet_keras.tasks.detection.recipe import Augment
from hrnet_keras.tasks.detection.resizing import resized_boxes, resized_masks
from tests.objects import Objects, Picture, random_picture

PLAIN = {"scale": (96, 64), "flip": 0}


def batches(dataset, count=1, **options):
    """The first batches of a stream as NumPy."""
    return list(itertools.islice(pipeline.training(dataset, **{**PLAIN, **options}).as_numpy_iterator(), count))


@pytest.fixture
def mixed():
    """Pictures of many sizes, seven lying and five upright."""
    rng = np.random.default_rng(0)
    sizes = [(50 + i, 90 - i) for i in range(7)] + [(90 - i, 50 + i) for i in range(5)]
    return Objects([random_picture(rng, size, boxes=1 + i % 4) for i, size in enumerate(sizes)])


def test_sizes_are_those_of_mmdet(golden):
    _, arrays = golden("detection", "det_pipeline")
    for (width, height), new in zip(arrays["wh"].tolist(), arrays["new_wh"].tolist(), strict=True):
        assert pipeline.resize_rule((height, width), 1333, 800) == (new[1], new[0])


def test_pixels_and_boxes_are_those_of_mmdet(golden):
    _, arrays = golden("detection", "det_pipeline")
    image, boxes = arrays["img_bgr"][..., ::-1], arrays["gt_boxes"]
    example = {"image": image, "boxes": boxes, "labels": np.arange(5), "crowd": np.zeros(5, bool)}
    for flip, image_key, boxes_key in ((0, "resized_bgr", "resized_boxes"), (1, "flipped_bgr", "flipped_boxes")):
        shown = sample(example, Augment(scale=(133, 80), flip=flip), np.zeros(5))
        np.testing.assert_array_equal(shown.image, arrays[image_key][..., ::-1])
        np.testing.assert_allclose(shown.boxes, arrays[boxes_key], atol=1e-4)


def test_a_batch_becomes_what_mmdet_shows_its_nets(golden):
    _, arrays = golden("detection", "det_pipeline")
    picture = Picture(arrays["img_bgr"][..., ::-1], arrays["gt_boxes"], np.arange(5) % 3)
    expected = arrays["network_input_nchw"].transpose(0, 2, 3, 1)
    ((images, targets),) = batches(Objects([picture]), batch=1, scale=(133, 80), flip=0)
    np.testing.assert_allclose(targets["boxes"][0], arrays["resized_boxes"], atol=1e-4)
    assert images.shape == expected.shape and images.dtype == np.float32
    np.testing.assert_allclose(Normalize(marks_padding=True)(images), expected, atol=1e-5)
    pixels = TASKS["det"].conventions_of("mmlab", "fcos").pixels
    blue_first = Normalize(marks_padding=True, pixels=pixels)(images)
    expected = arrays["network_input_fcos_nchw"].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(blue_first, expected, atol=1e-5)
    assert (images[0, :80, :112] >= 0).all() and (images[0, 80:] == -1).all() and (images[0, :, 112:] == -1).all()


def test_batches_hold_every_box_and_no_crowd():
    rng = np.random.default_rng(1)
    pictures = [random_picture(rng, (64, 96), boxes=n) for n in (1, 3, 7)]
    pictures[1].crowd = [False, True, False]
    ((images, targets),) = batches(Objects(pictures), batch=3)
    assert images.shape == (3, 64, 96, 3) and targets["boxes"].shape == (3, 7, 4) and targets["labels"].shape == (3, 7)
    for image, boxes, labels in zip(images, targets["boxes"], targets["labels"], strict=True):
        which = next(i for i, picture in enumerate(pictures) if (picture.image == image).all())
        kept = [True] * len(pictures[which].labels)
        if which == 1:
            kept[1] = False
        assert (labels >= 0).tolist() == [True] * sum(kept) + [False] * (7 - sum(kept))
        np.testing.assert_array_equal(labels[labels >= 0], pictures[which].labels[kept])
        np.testing.assert_allclose(boxes[labels >= 0], pictures[which].boxes[kept], rtol=1e-6)
        assert not boxes[labels < 0].any()


def test_pictures_without_boxes_make_a_row_of_padding():
    rng = np.random.default_rng(6)
    crowd = random_picture(rng, (64, 96))
    crowd.crowd = [True, True]
    ((_, targets),) = batches(Objects([crowd]), batch=1)
    assert targets["labels"].tolist() == [[-1]] and targets["boxes"].tolist() == [[[0] * 4]]
    empty = Sample(np.zeros((32, 32, 3), np.uint8), np.zeros((0, 4)), np.zeros(0, np.int32), np.zeros((0, 32, 32)))
    _, size, boxes, labels, masks = empty.arrays()
    assert size.tolist() == [32, 32] and boxes.tolist() == [[0] * 4] and labels.tolist() == [-1] and not masks.any()


def test_masks_go_with_their_boxes():
    toytown = datasets.load("toytown", "train", count=4, annotation="objects")
    ((images, targets),) = batches(toytown, batch=4, scale=(384, 256), flip=0.5, masks=True)
    assert (
        targets["masks"].shape == (*targets["labels"].shape, *images.shape[1:3]) and targets["masks"].dtype == np.uint8
    )
    for masks, boxes, labels in zip(targets["masks"], targets["boxes"], targets["labels"], strict=True):
        assert not masks[labels < 0].any()
        for mask, box in zip(masks[labels >= 0], boxes[labels >= 0], strict=True):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            # Twice the size: nothing is lost between pixels.
            tight = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            np.testing.assert_allclose(box, tight)


@pytest.mark.parametrize("crop", [None, (96, 160)])
def test_semantic_maps_go_with_their_pictures(crop):
    """A picture whose colours are its classes: every pixel keeps its class, and padding has none."""
    rng = np.random.default_rng(3)
    dataset = Objects([random_picture(rng, size) for size in ((64, 96), (48, 96))])
    maps = [rng.integers(0, 4, (size[0] // 16, 6), np.uint8).repeat(16, 0).repeat(16, 1) for size in ((64,), (48,))]
    for picture, labels in zip(dataset.pictures, maps, strict=True):
        picture.image = np.repeat(labels[..., None] * 60, 3, axis=-1)
    dataset.label_map = maps.__getitem__
    for images, targets in batches(dataset, 3, batch=2, scale=(192, 128), crop=crop, semantic=True):
        semantic = targets["semantic"]
        assert semantic.shape == images.shape[:3] and semantic.dtype == np.uint8
        red = images[..., 0]
        np.testing.assert_array_equal(semantic == 255, red < 0)
        assert (np.round(red / 60) == semantic)[red >= 0].mean() > 0.9  # but for the edges, which are blended


def test_sets_without_semantic_maps_are_named():
    dataset = Objects([random_picture(np.random.default_rng(4), (64, 96))])
    with pytest.raises(DataError, match="has no semantic maps: expected a data set with them"):
        next(iter(pipeline.training(dataset, batch=1, semantic=True)))
    town = datasets.load("toytown", "train", count=1, annotation="objects")
    assert town.label_map(0).shape == town.size(0)


def test_masks_are_resized_to_the_nearest_pixel_of_opencv():
    masks = np.random.default_rng(2).random((3, 41, 57)) < 0.5
    for mask, resized in zip(masks, resized_masks(masks, (80, 111)), strict=True):
        np.testing.assert_array_equal(resized, cv2.resize(np.uint8(mask), (111, 80), interpolation=cv2.INTER_NEAREST))


def test_a_batch_is_of_one_aspect_but_for_the_last(mixed):
    steps = len(pipeline.samples(mixed)) // 3
    assert steps == 4
    for seed in range(3):
        seen = []
        for images, targets in batches(mixed, steps, batch=3, seed=seed):
            shapes = [(image[:, :, 0] >= 0) for image in images]
            seen.append([shape.any(0).sum() >= shape.any(1).sum() for shape in shapes])
            assert images.shape[1] % 32 == images.shape[2] % 32 == 0
            assert targets["boxes"].shape[0] == 3
        assert all(len(set(lying)) == 1 for lying in seen[:-1])
        assert sum(map(sum, seen)) == 7  # every picture once


def test_a_stream_goes_on_where_it_was_left(mixed):
    options = {"batch": 3, "flip": 0.5, "scales": [(96, 64), (80, 48)], "seed": 5}
    whole = batches(mixed, 8, **options)
    later = batches(mixed, 4, first_epoch=1, cache=False, **options)
    for (images, targets), (again, others) in zip(whole[4:], later, strict=True):
        np.testing.assert_array_equal(images, again)
        for word, values in targets.items():
            np.testing.assert_array_equal(values, others[word])
    assert not any(a[0].shape == b[0].shape and (a[0] == b[0]).all() for a, b in zip(whole[:4], later, strict=True))


def test_workers_share_a_step(mixed):
    options = {"flip": 0.5, "seed": 5}
    (_, whole), *_ = batches(mixed, batch=4, **options)
    parts = [batches(mixed, batch=2, worker=worker, workers=2, **options)[0][1] for worker in range(2)]
    found = np.concatenate([part["labels"][part["labels"] >= 0] for part in parts])
    np.testing.assert_array_equal(found, whole["labels"][whole["labels"] >= 0])


def test_sizes_are_drawn_per_picture():
    rng = np.random.default_rng(3)
    dataset = Objects([random_picture(rng, (60, 90)) for _ in range(16)])

    def heights(**options):
        ((images, _),) = batches(dataset, batch=16, **options)
        return {int((image[:, 0, 0] >= 0).sum()) for image in images}

    assert heights(scales=[(300, 60), (300, 40), (60, 60)]) == {60, 40}
    drawn = heights(scale=(300, 64), scale_range=(40, 50))
    assert len(drawn) > 4 and min(drawn) >= 40 and max(drawn) <= 50


def test_a_crop_keeps_the_boxes_whose_middle_it_shows():
    rng = np.random.default_rng(4)
    for numbers in rng.random((30, 3)):
        image = np.broadcast_to(np.arange(120 * 180, dtype=np.int64).reshape(120, 180, 1), (120, 180, 3))
        picture = random_picture(rng, (120, 180), boxes=6)
        masks = np.zeros((6, 120, 180), np.uint8)
        for mask, (left, top, right, bottom) in zip(masks, picture.boxes.astype(int), strict=True):
            mask[top:bottom, left:right] = 1
        shown = cropped(Sample(image, picture.boxes, picture.labels, masks), (50, 70), numbers)
        assert shown.image.shape == (50, 70, 3) and shown.masks.shape == (len(shown.boxes), 50, 70)
        top, left = divmod(int(shown.image[0, 0, 0]), 180)
        middles = (picture.boxes[:, :2] + picture.boxes[:, 2:]) / 2 - [left, top]
        kept = ((middles >= 0) & (middles < [70, 50])).all(1)
        expected = np.clip(picture.boxes[kept] - [left, top, left, top], 0, [70, 50, 70, 50])
        np.testing.assert_allclose(shown.boxes, expected)
        np.testing.assert_array_equal(shown.labels, picture.labels[kept])
        np.testing.assert_array_equal(shown.masks, masks[kept, top : top + 50, left : left + 70])
        chosen = middles[int(numbers[0] * 6)]
        limits = np.array([[left == 0, top == 0], [left == 110, top == 70]]).any(0)  # at the picture's edge
        assert ((np.abs(chosen - [35, 25]) <= [30.5, 10.5]) | limits).all()


def test_a_crop_larger_than_the_picture_is_the_picture(mixed):
    ((images, targets),) = batches(mixed, batch=12, crop=(400, 400))
    ((plain, boxes),) = batches(mixed, batch=12)
    np.testing.assert_array_equal(images, plain)
    np.testing.assert_array_equal(targets["boxes"], boxes["boxes"])


def test_labels_with_a_side_change_places_in_a_mirror():
    shown = Sample(np.zeros((8, 8, 3), np.uint8), np.tile([1.0, 2, 4, 6], (4, 1)), np.int32([0, 1, 2, 0]))
    flipped = mirrored(shown, [(0, 2)])
    assert flipped.labels.tolist() == [2, 1, 0, 2] and flipped.boxes[0].tolist() == [4, 2, 7, 6]
    assert shown.labels.tolist() == [0, 1, 2, 0] and shown.boxes[0].tolist() == [1, 2, 4, 6]


def test_boxes_are_cut_at_the_new_edge():
    boxes = resized_boxes(np.array([[-3.0, -2, 40, 50]]), (20, 30), (10, 45))
    assert boxes.tolist() == [[0, 0, 45, 10]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": (64, 96)}, r"scale: expected the long side first, given \[64, 96\]"),
        ({"scale": (0, 0)}, "scale: expected a number above 0, given 0"),
        ({"scales": [(96, 64), (96, -1)]}, "scale: expected a number above 0, given -1"),
        ({"scale_range": (60, 40)}, r"scale_range: expected lowest before highest, given \[60, 40\]"),
        ({"scale_range": (60, 100)}, "scale_range: expected up to the long side of scale, 96, given 100"),
        ({"scale_range": (4, 5), "scales": [(9, 8)]}, r"scale_range: expected it or scales, given \[4, 5\] beside"),
        ({"crop": (0, 5)}, "crop: expected a number above 0, given 0"),
        ({"flip": 1.5}, "flip: expected a probability, given 1.5"),
        ({"batch": 13}, r"batch=13: expected 1\.\.12, the set has 12 examples to train on"),
    ],
)
def test_what_cannot_be_is_named(mixed, options, message):
    with pytest.raises(ValueError, match=message):
        pipeline.training(mixed, **{**PLAIN, "batch": 2, **options})


def test_sets_without_boxes_are_named(mixed):
    with pytest.raises(ValueError, match="toytown train has no boxes with labels: expected a data set of objects"):
        pipeline.samples(datasets.load("toytown", "train", count=2, annotation="figures"))
    for picture in mixed.pictures:
        picture.boxes, picture.labels = np.zeros((0, 4)), []
    with pytest.raises(ValueError, match="objects train has nothing to learn from"):
        pipeline.samples(mixed)
