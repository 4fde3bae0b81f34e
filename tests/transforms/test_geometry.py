"""Resizing, cropping and mirroring against what OpenCV made of the same pictures in the official training code."""

import numpy as np
import pytest
import tensorflow as tf

from hrnet_keras.transforms import color, geometry

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

# OpenCV resizes uint8 with 11-bit weights and rounds twice; the exact result lies up to this many grey levels away.
ROUNDING = 0.77


def crop_of(image, label_map, scaled, origin, crop):
    size, origin = tf.constant(image.shape[:2]), tf.constant(origin)
    begin, end = geometry.source_window(size, scaled, origin, crop)
    part = image[begin[0] : end[0], begin[1] : end[1]]
    resized = geometry.resample_image(tf.constant(part), begin, size, scaled, origin, crop)
    return resized, geometry.resample_labels(tf.constant(label_map), scaled, origin, crop)


def resized_whole(image, label_map, scaled):
    return crop_of(image, label_map, scaled, (0, 0), tuple(int(side) for side in scaled))


@pytest.mark.parametrize(
    ("case", "base", "key", "image_key", "label_key"),
    [("seg_pipeline", 90, f"out_resize_{s}", "in_image_bgr", "in_label") for s in ("0.5", "0.7", "1.3", "2.1")]
    + [("seg_transforms", 128, f"resized_{s}", "image", "train_ids") for s in ("0.5", "1.3", "2.0")],
)
def test_resized_like_opencv(golden, case, base, key, image_key, label_key):
    arrays = golden("segmentation", case)[1]
    image, label_map = arrays[image_key], arrays[label_key]
    scaled = geometry.scaled_size(tf.constant(image.shape[:2]), float(key.rsplit("_", 1)[1]), base)
    resized, labels = resized_whole(image, label_map, scaled)
    assert labels.shape == arrays[f"{key}_label"].shape
    np.testing.assert_array_equal(labels, arrays[f"{key}_label"])
    assert np.abs(resized - arrays[f"{key}_image"]).max() <= ROUNDING


def assert_sample_matches(arrays, prefix, resized, labels):
    """`resized` is BGR, the golden normalised RGB, channels first."""
    expected = (arrays[f"{prefix}_image"].transpose(1, 2, 0) * STD + MEAN) * 255
    np.testing.assert_array_equal(labels, arrays[f"{prefix}_label"])
    assert np.abs(np.asarray(resized)[..., ::-1] - expected).max() <= ROUNDING + 1e-3


@pytest.mark.parametrize("k", range(4))
def test_training_crop_of_the_official_code(golden, k):
    meta, arrays = golden("segmentation", "seg_pipeline")
    draws, image = meta["samples"][k], arrays["in_image_bgr"]
    scaled = geometry.scaled_size(tf.constant(image.shape[:2]), draws["scale"], 90)
    resized, labels = crop_of(image, arrays["in_label"], scaled, (draws["y"], draws["x"]), (48, 64))
    if draws["flip"] == -1:
        resized, labels = geometry.mirror(resized, labels)
    assert_sample_matches(arrays, f"out_sample{k}", resized, labels)


@pytest.mark.parametrize("k", range(3))
def test_training_crop_of_the_official_ocr_branch(golden, k):
    meta, arrays = golden("segmentation", "seg_transforms")
    draws, image = meta["samples"][k], arrays["image"]
    scaled = geometry.scaled_size(tf.constant(image.shape[:2]), draws["rand_scale"], 128)
    resized, labels = crop_of(image, arrays["train_ids"], scaled, (draws["crop_y"], draws["crop_x"]), (48, 80))
    if draws["brightness_shift"] is not None:
        resized = color.add_brightness(tf.constant(resized), draws["brightness_shift"])
    if draws["flip"]:
        resized, labels = geometry.mirror(np.asarray(resized), labels)
    assert_sample_matches(arrays, f"sample{k}", resized, labels)


def test_center_crops_of_the_official_code(golden):
    arrays = golden("segmentation", "seg_pipeline")[1]
    resized, labels = crop_of(arrays["in_image_bgr"], arrays["in_label"], (60, 90), (6, 13), (48, 64))
    assert_sample_matches(arrays, "out_centercrop", resized, labels)
    arrays = golden("segmentation", "seg_transforms")[1]
    resized, _ = crop_of(arrays["image"], arrays["train_ids"], (60, 110), (10, 16), (41, 77))
    np.testing.assert_array_equal(resized, arrays["center_crop_image"])  # not resized: not rounded either


@pytest.mark.parametrize("key", ["short52_a", "short52_b"])
def test_resized_by_the_short_side(golden, key):
    arrays = golden("segmentation", "seg_transforms")[1]
    image, label_map = arrays["image"], arrays["label_ids"]
    if key == "short52_b":
        image, label_map = image.transpose(1, 0, 2), label_map.T
    scaled = np.array(arrays[f"{key}_label"].shape) - arrays[f"{key}_pad_hw"]
    resized, labels = resized_whole(np.ascontiguousarray(image), np.ascontiguousarray(label_map), scaled)
    height, width = scaled
    np.testing.assert_array_equal(labels, arrays[f"{key}_label"][:height, :width])
    assert np.abs(resized - arrays[f"{key}_image"][:height, :width]).max() <= ROUNDING


@pytest.mark.parametrize(
    ("case", "before", "after"),
    [
        ("seg_pipeline", "in_lip_label", "out_lip_label_flipped"),
        ("seg_transforms", "lip_label", "lip_label_flipped"),
    ],
)
def test_mirrored_labels_of_lip(golden, case, before, after):
    arrays = golden("segmentation", case)[1]
    label_map = arrays[before]
    _, mirrored = geometry.mirror(label_map[..., None], label_map, ((14, 15), (16, 17), (18, 19)))
    np.testing.assert_array_equal(mirrored, arrays[after])


@pytest.mark.parametrize("scale", [0.37, 0.5, 1.0, 1.7, 3.3])
def test_crop_is_cut_from_the_resized_picture(scale):
    """`tf.image.resize` computes the whole picture by other code; float32 positions allow 2e-3 of a grey level."""
    image = np.random.default_rng(0).integers(0, 256, (53, 71, 3), np.uint8)
    scaled = geometry.scaled_size(tf.constant((53, 71)), scale)
    whole = tf.image.resize(image, scaled).numpy()
    for origin in ((0, 0), (3, 5), tuple(int(side) // 2 for side in scaled)):
        resized, labels = crop_of(image, image[..., 0], scaled, origin, (30, 40))
        rest = whole[origin[0] : origin[0] + 30, origin[1] : origin[1] + 40]
        height, width = rest.shape[:2]
        np.testing.assert_allclose(resized[:height, :width], rest, atol=2e-3)
        assert not np.any(resized[height:]) and not np.any(resized[:, width:])
        assert np.all(labels[height:] == 255) and np.all(labels[:, width:] == 255)


def test_long_side_rounds_in_double_precision():
    """45 * 0.7 + 0.5 is just below 32 in double precision, 32 in single: official nets have seen 31 pixels."""
    assert geometry.scaled_size(tf.constant((30, 45)), 0.7, 45).tolist() == [21, int(45 * 0.7 + 0.5)]
