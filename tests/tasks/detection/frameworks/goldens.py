"""The network goldens of detectors: built, filled and run as their README says."""

import zlib
from dataclasses import replace

import keras
import numpy as np

import hrnet_keras as hk
from hrnet_keras.architecture import ARCHITECTURES
from hrnet_keras.backbone import trunk
from hrnet_keras.representations import aggregate
from hrnet_keras.tasks import TASKS, HeadSpec
from hrnet_keras.tasks.detection.frameworks import framework
from hrnet_keras.tasks.detection.parts.sampler import Sampler
from hrnet_keras.tasks.detection.parts.truths import Truths
from tests.tasks.detection.parts.reference import network_golden, state_of

MOST_POSITIVE = 32  # regions of a golden's picture that belong to truths


def detector_of(name, meta):
    """A detector of mmdet's conventions that is told how large the pictures are, and the maps on its way.

    The goldens' pictures have numbers in their padding, too, so that it can't be told by them.
    """
    module = framework(name)
    images = keras.Input((None, None, 3), name="image")
    sizes = keras.Input((2,), name="sizes")
    rules = module.rules_of("mmlab")
    if hasattr(rules, "inference"):
        kept = meta["test_cfg"]["rpn"]["max_per_img"]
        rules = replace(rules, inference=replace(rules.inference, num_after=kept))
    conventions = TASKS["det"].conventions_of("mmlab", name)
    pyramid = aggregate(trunk(images, ARCHITECTURES["W18"], conventions), HeadSpec("V2p", name, 80, conventions))
    outputs = module.build(pyramid, sizes, 80, rules)
    model = keras.Model([images, sizes], outputs)
    outputs = {"pyramid": pyramid, **outputs, **on_the_way(name, model)}
    return model, keras.Model([images, sizes], outputs), rules


def on_the_way(name, model):
    """What a golden has of a framework besides detections."""
    if name == "fcos":
        words = ("logits", "distances", "centerness")
        return {word: [model.get_layer(f"points.{word}.{i}").output for i in range(5)] for word in words}
    proposals, _ = model.get_layer("proposals").output  # boxes, valid
    maps = {"proposals": proposals}
    if name == "htc":
        maps["last_masks"] = model.get_layer("mask_probabilities.2").output
    return maps


def filled(name, case, weights_rule):
    """What `detector_of` gives with the golden's weights, the golden and its picture, and the picture's own size."""
    meta, arrays = network_golden(case)
    model, watched, rules = detector_of(name, meta)
    report = hk.load_torch_weights(model, state_of(meta, arrays, weights_rule))
    assert report.missing == report.unused == ()
    return model, watched, rules, meta, arrays, *picture_of(meta)


def picture_of(meta):
    """A golden's picture, and its size without padding."""
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(meta["case"].encode())))
    picture = generator.standard_normal(meta["input"]["shape"]).astype(np.float32).transpose(0, 2, 3, 1)
    return picture, np.array([meta["img_meta"]["img_shape"]], np.float32)


def masks_of(meta, arrays, word="det_masks_bits"):
    """The masks of a golden, bool `(n, height, width)`."""
    height, width = meta["img_meta"]["ori_shape"]
    return np.unpackbits(arrays[word], axis=1)[:, : height * width].reshape(-1, height, width).astype(bool)


def matched(meta, arrays, found):
    """The detections that are a golden's.

    Returns:
        How many there are, the largest difference of a coordinate, and where each of the golden's stands.
    """
    count = len(arrays["det_boxes"])
    scale = np.array(meta["img_meta"]["scale_factor_wh"] * 2, np.float32)
    boxes, labels = found["boxes"][0][:count] / scale, found["labels"][0][:count]
    distance = np.abs(boxes[:, None] - arrays["det_boxes"][None]).max(-1)
    distance = np.where(labels[:, None] == arrays["det_labels"][None], distance, np.inf)
    return count, distance.min(0).max(), distance.argmin(0)


def losses_of(name, model, rules, arrays, picture, size, pyramid):
    """A detector's losses with all samples kept, and the golden's, as `{word: number}`."""
    targets = {"boxes": arrays["gt_boxes"][None], "labels": arrays["gt_labels"][None].astype(np.int32)}
    if "gt_masks_bits" in arrays:
        shape = picture.shape[1:3]
        bits = np.unpackbits(arrays["gt_masks_bits"], axis=1)[:, : shape[0] * shape[1]]
        targets["masks"] = bits.reshape(1, -1, *shape)
    targets = {word: keras.ops.convert_to_tensor(value) for word, value in targets.items()}
    if "gt_semantic" in arrays:
        targets["semantic"] = keras.ops.convert_to_tensor(arrays["gt_semantic"][None])
    if hasattr(rules, "inference"):
        rules = replace(rules, training=rules.inference)  # the golden's proposals
    module = framework(name)
    learner = module.Learner.of(model, rules, None)
    if name == "htc":  # all are kept as well, but no mask of what is none is computed
        few = Sampler(1024, MOST_POSITIVE / 1024, keras.random.SeedGenerator(0))
        learner = replace(learner, cascade=replace(learner.cascade, sampler=few))
    levels = [keras.ops.convert_to_tensor(level) for level in pyramid]
    losses = learner(levels, Truths.of(targets, keras.ops.convert_to_tensor(size)))
    found = {
        word: float(keras.ops.convert_to_numpy(value).sum()) * module.LOSSES[word] for word, value in losses.items()
    }
    if name == "fcos":
        return found, {word: float(arrays[word]) for word in module.LOSSES}
    expected = {word: arrays[word].sum() for word in ("loss_rpn_cls", "loss_rpn_bbox")}  # of all levels
    of_regions = (word.removeprefix("roi_loss/") for word in arrays if word.startswith("roi_loss/"))
    expected |= {word: arrays[f"roi_loss/{word}"] for word in of_regions if "loss" in word}  # the rest is accuracy
    return found, {word: float(value) for word, value in expected.items()}
