"""The goldens of boxes on whatever backend runs: each function compares one stage and answers its worst differences.

The tests run them on TensorFlow; `python -m tests.tasks.detection.parts.cases` prints them on any backend.
"""

import keras
import numpy as np
from keras import ops

from hrnet_keras.tasks.detection.parts import (
    anchors,
    assigner,
    boxes,
    coder,
    detections,
    levels,
    losses,
    nms,
    proposals,
    sampler,
    selecting,
)
from tests.tasks.detection.parts.reference import network_golden

VALUES = 1e-4  # README_detection.md, numeric cases
STRIDES = (4, 8, 16, 32, 64)


def tensor(array):
    return ops.convert_to_tensor(array)


def numpy(x):
    return ops.convert_to_numpy(x)


def off(found, expected):
    found = numpy(found)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return float(np.abs(found - expected).max(initial=0))


def anchor_case():
    meta, arrays = network_golden("det_anchors")
    worst = {"new": 0.0, "v1": 0.0}
    for i, (stride, size) in enumerate(zip(STRIDES, meta["featmap_sizes"], strict=True)):
        for name, prefix in (("new", ""), ("v1", "v1_")):
            base = anchors.base_anchors(stride, v1=name == "v1")
            grid = anchors.grid_anchors(tuple(size), stride, v1=name == "v1")
            far = max(off(base, arrays[f"{prefix}base_{i}"]), off(grid, arrays[f"{prefix}anchors_{i}"]))
            worst[name] = max(worst[name], far)
        inside = anchors.cells_inside(size, stride, np.array([meta["pad_shape_for_valid"]]))
        assert (numpy(inside)[0] == arrays[f"valid_{i}"]).all()
    return worst


def coder_case():
    meta, arrays = network_golden("det_bbox_coder")
    sizes = np.array([meta["image_hw"]])
    start, truths, deltas = (tensor(arrays[name][None]) for name in ("proposals", "gts", "deltas"))
    many = tensor(arrays["deltas_3cls"].reshape(1, 64, 3, 4))
    worst = {}
    for name, stds in meta["stds"].items():
        found = {
            f"enc_{name}": coder.encode(start, truths, stds=stds),
            f"dec_{name}": coder.decode(start, deltas, stds=stds, sizes=sizes),
            f"dec_noclip_{name}": coder.decode(start, deltas, stds=stds),
            f"dec3_{name}": coder.decode(start[:, :, None], many, stds=stds, sizes=sizes),
            f"v1_enc_{name}": coder.encode(start, truths, stds=stds, plus_one=True),
            f"v1_dec_{name}": coder.decode(start, deltas, stds=stds, sizes=sizes, plus_one=True),
        }
        for key, value in found.items():
            worst[key] = off(ops.reshape(value, arrays[key].shape), arrays[key])
    return worst


def assigner_case():
    meta, arrays = network_golden("det_assigner")
    padding = np.float32([[0, 0, 0, 0], [5, 5, 90, 90]])  # what stands there doesn't count
    truths = tensor(np.concatenate([arrays["gt_boxes"], padding])[None])
    valid = tensor(np.arange(11)[None] < 9)
    ignored = tensor(np.concatenate([arrays["ignore_boxes"], padding])[None])
    rules = {}
    for name, (positive, negative, least, low_quality) in meta["params"].items():
        rules[name] = assigner.AssignRule(positive, negative, least, low_quality)
    rules["rcnn_ign"] = assigner.AssignRule(0.5, 0.5, 0.5, low_quality=False, ignore=0.5)
    labels_of_truths = tensor(np.concatenate([arrays["gt_labels"], [7, 7]])[None].astype("int32"))
    worst = {}
    for name, rule in rules.items():
        start = tensor(arrays["anchors" if name == "rpn" else "proposals"][None])
        regions = tensor(np.arange(5)[None] < 3)
        found = assigner.assign(start, truths, valid, rule, ignored=ignored, ignored_valid=regions)
        assert (numpy(found.truths)[0] == arrays[f"{name}_gt_inds"]).all(), name
        labels = assigner.of_truths(labels_of_truths, found.truths)
        labels = np.where(numpy(found.truths) > 0, numpy(labels), -1)
        assert (labels[0] == arrays[f"{name}_labels"]).all(), name
        worst[name] = off(found.overlaps[0], arrays[f"{name}_max_iou"])
    nobody = assigner.assign(start, truths, ops.zeros_like(valid), rules["rpn"])
    assert (numpy(nobody.truths)[0] == arrays["empty_gt_inds"]).all()
    return worst


def nms_case():
    _, arrays = network_golden("det_nms")
    start, scores = tensor(arrays["boxes"][None]), tensor(arrays["scores"][None])
    everything = ops.ones_like(scores, dtype="bool")
    for threshold in (5, 6, 7):
        for name, groups in (("keep", tensor(arrays["ids"][None])), ("keep_agn", None)):
            expected = arrays[f"{name}_{threshold}"]
            found = nms.nms(start, scores, everything, groups=groups, threshold=threshold / 10, max_output=600)
            assert (numpy(found.indices[0])[numpy(found.valid[0])] == expected).all()
            few = nms.nms(start, scores, everything, groups=groups, threshold=threshold / 10, max_output=100)
            assert (numpy(few.indices[0]) == expected[:100]).all()
    rule = detections.DetectionRule(0.05, 0.5, 50)
    classes = tensor(arrays["mc_boxes"].reshape(1, 120, 6, 4))
    of_classes = tensor(arrays["mc_scores"][None, :, :6])
    found = detections.best_of_classes(classes, of_classes, ops.ones((1, 120), dtype="bool"), rule)
    assert (numpy(found.proposals[0] * 6 + found.labels[0]) == arrays["mc_inds"]).all()
    assert (numpy(found.labels[0]) == arrays["mc_labels"]).all()
    return {
        "mc_dets": max(off(found.boxes[0], arrays["mc_dets"][:, :4]), off(found.scores[0], arrays["mc_dets"][:, 4]))
    }


def pyramid_of(arrays, logits, deltas):
    """The RPN's outputs of a golden, channels last, and the anchors of their sizes."""
    logits = [tensor(arrays[f"{logits}_{i}"].transpose(0, 2, 3, 1)) for i in range(5)]
    deltas = [tensor(arrays[f"{deltas}_{i}"].transpose(0, 2, 3, 1)) for i in range(5)]
    return logits, deltas, anchors.pyramid_anchors([tuple(x.shape[1:3]) for x in logits])


def proposals_case():
    meta, arrays = network_golden("det_rpn_proposals")
    worst = {}
    rules = {"test": proposals.INFERENCE, "train": proposals.TRAINING, "cascade_train": proposals.CASCADE_TRAINING}
    for name, rule in rules.items():
        found = proposals.propose(*pyramid_of(arrays, "cls", "reg"), np.array([meta["img_shape"]]), rule)
        assert numpy(found.valid).all()
        expected, scores = arrays[f"{name}_boxes"], arrays[f"{name}_scores"]
        # The reference has two equal scores at 102 and 103; its sort (torch, not stable) turns them round in training.
        own_order = np.lexsort((numpy(found.boxes[0, :, 0]), -scores))
        order = np.lexsort((expected[:, 0], -scores))
        worst[f"{name} boxes"] = off(numpy(found.boxes[0])[own_order], expected[order])
        worst[f"{name} scores"] = off(found.scores[0], scores)
    return worst


def detections_case():
    meta, arrays = network_golden("det_rcnn_detections")
    found = detections.detect(
        tensor(arrays["cls_score"][None]),
        tensor(arrays["bbox_pred"][None]),
        tensor(arrays["rois"][None, :, 1:]),
        ops.ones((1, 200), dtype="bool"),
        np.array([meta["img_meta"]["img_shape"]]),
        detections.DetectionRule(),
        scales=np.array([meta["img_meta"]["scale_factor"]]),
    )
    assert (numpy(found.labels[0]) == arrays["labels"]).all()
    assert numpy(found.valid).all()
    return {"boxes": off(found.boxes[0], arrays["boxes"]), "scores": off(found.scores[0], arrays["scores"])}


def losses_case():
    _, arrays = network_golden("det_losses")
    given = {name: tensor(value) for name, value in arrays.items()}
    l1 = losses.smooth_l1(given["reg_pred"], given["reg_target"])
    beta_1 = losses.smooth_l1(given["reg_pred"], given["reg_target"], beta=losses.ROI_BETA)
    beta_9 = losses.smooth_l1(given["reg_pred"], given["reg_target"], beta=losses.RPN_BETA)
    ce = losses.softmax_cross_entropy(given["logits"], given["labels"])
    rpn = losses.sigmoid_cross_entropy(given["bin_logits"][:, 0], given["bin_labels"] == 0)
    center = losses.sigmoid_cross_entropy(given["ctr_logits"], given["ctr_targets"])
    found = {
        "l1_none": l1,
        "smoothl1_b1_none": beta_1,
        "smoothl1_b19_none": beta_9,
        "ce_none": ce,
        "l1": ops.sum(l1 * given["reg_weight"]) / 17,
        "smoothl1_b1": ops.sum(beta_1 * given["reg_weight"]) / 17,
        "smoothl1_b19": ops.sum(beta_9 * given["reg_weight"]) / 17,
        "ce": ops.sum(ce * given["label_weight"]) / 32,
        "bce_rpn": ops.sum(rpn * given["label_weight"]) / 32,
        "ctr_loss": ops.mean(center),
    }
    return {name: off(value, arrays[name]) for name, value in found.items()}


def network_case():
    """The stages of the detector that are made of these parts, each from the stored outputs of the stage before."""
    meta, arrays = network_golden("det_faster_rcnn_w18_128x192")
    size = np.array([meta["img_meta"]["img_shape"]])
    logits, deltas, grid = pyramid_of(arrays, "rpn_cls", "rpn_reg")
    proposed = proposals.propose(logits, deltas, grid, size, proposals.ProposalRule(1000, 256))
    assert (numpy(levels.roi_levels(tensor(arrays["rois"][:, 1:]))) == arrays["roi_levels"]).all()
    width, height = meta["img_meta"]["scale_factor_wh"]
    found = detections.detect(
        tensor(arrays["prop_cls_score"][None]),
        tensor(arrays["prop_bbox_pred"][None]),
        tensor(arrays["proposals"][None]),
        ops.ones((1, 256), dtype="bool"),
        size,
        detections.DetectionRule(),
        scales=np.array([[height, width]]),
    )
    assert (numpy(found.labels[0]) == arrays["det_labels"]).all()
    return {
        "proposals": off(proposed.boxes[0], arrays["proposals"]),
        "proposal_scores": off(proposed.scores[0], arrays["proposal_scores"]),
        "det_boxes": off(found.boxes[0], arrays["det_boxes"]),
        "det_scores": off(found.scores[0], arrays["det_scores"]),
    }


def padded_truths(arrays):
    """The network golden's truths with three rows of padding: boxes, labels, validity."""
    truths = np.concatenate([arrays["gt_boxes"], np.zeros((3, 4), "float32")])[None]
    labels = np.concatenate([arrays["gt_labels"], np.zeros(3)])[None].astype("int32")
    return tensor(truths), tensor(labels), tensor(np.arange(8)[None] < 5)


def network_losses_case():
    """The RPN's losses of every level with all samples kept; relative differences."""
    _, arrays = network_golden("det_faster_rcnn_w18_128x192")
    truths, _, valid = padded_truths(arrays)
    found = rpn_losses_of_levels(*pyramid_of(arrays, "rpn_cls", "rpn_reg"), truths, valid)
    expected = np.stack([arrays["loss_rpn_cls"], arrays["loss_rpn_bbox"]], axis=1)
    return {"rpn": float((np.abs(found - expected) / np.maximum(expected, 1e-6)).max())}


def rpn_losses_of_levels(logits, deltas, grid, truths, valid):
    assigned = assigner.assign(ops.concatenate(grid, axis=0)[None], truths, valid, assigner.RPN)
    samples = sampler.keep_all(assigned.truths)
    count = sampler.num_samples(samples, at_least_one_each=True)
    matched = assigner.of_truths(truths, assigned.truths)
    begin, found = 0, []
    for i in range(5):
        end = begin + grid[i].shape[0]
        value = losses.rpn_losses(
            ops.reshape(logits[i], (1, -1)),
            ops.reshape(deltas[i], (1, -1, 4)),
            grid[i][None],
            matched[:, begin:end],
            samples.positive[:, begin:end],
            samples.negative[:, begin:end],
            num_samples=count,
        )
        found.append([float(value.classes[0]), float(value.boxes[0])])
        begin = end
    return np.array(found)


def sampled_case():
    """The same numbers give the same samples on every backend, and equal values keep their order."""
    rng = np.random.default_rng(0)
    truths = rng.choice([-1, 0, 0, 0, 1, 2], (2, 400)).astype("int32")
    keys = rng.permutation(800).reshape(2, 400).astype("float32") / 800
    found = sampler.sample(tensor(truths), tensor(keys), num=64, positive_part=0.25)
    for i in range(2):
        order = np.argsort(-keys[i])
        positive = order[truths[i][order] > 0][:16]
        negative = order[truths[i][order] == 0][:48]
        assert (numpy(found.indices[i]) == np.concatenate([positive, negative])).all()
    assert numpy(found.positive).sum() == 32
    assert numpy(found.negative).sum() == 96
    ties = selecting.best(tensor(np.float32([[1, 2, 1, 2, 1]])), 4)
    assert numpy(ties.indices).tolist() == [[1, 3, 0, 2]]
    same = boxes.paired_ious(tensor(np.float32([0, 0, 4, 4])), tensor(np.float32([2, 2, 6, 6])))
    return {"iou": abs(float(same) - 4 / 28)}


# Worst difference allowed: values by the goldens' README; what is exact arithmetic must be equal.
CASES = {
    "det_anchors": (anchor_case, 0.0),
    "det_bbox_coder": (coder_case, VALUES),
    "det_assigner": (assigner_case, 1e-6),
    "det_nms": (nms_case, 0.0),
    "det_rpn_proposals": (proposals_case, VALUES),
    "det_rcnn_detections": (detections_case, VALUES),
    "det_losses": (losses_case, VALUES),
    "det_faster_rcnn_w18_128x192": (network_case, VALUES),
    "det_faster_rcnn_w18_128x192, losses": (network_losses_case, 1e-3),
    "samples": (sampled_case, 1e-6),
}

if __name__ == "__main__":
    for name, (case, tolerance) in CASES.items():
        worst = case()
        print(keras.backend.backend(), name, {key: f"{value:.1e}" for key, value in worst.items()}, flush=True)
        assert max(worst.values()) <= tolerance, name
