"""How programs name the tensors of detectors, and what can be told from them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hrnet_keras.tasks.task import Naming

_V1_HEADS = ("bbox_head.shared_fcs", "bbox_head.fc_", "bbox_head.0.", "bbox_head.fcos_", "mask_head.")
_TOWERS = ("bbox_head.cls_convs.", "bbox_head.reg_convs.")
_BOX = ("shared_fcs.0", "shared_fcs.1", "fc_cls", "fc_reg")
_MASK = (*(f"convs.{i}.conv" for i in range(4)), "upsample", "conv_logits", "conv_res.conv")
_SEMANTIC = (
    *(f"lateral_convs.{i}.conv" for i in range(5)), *(f"convs.{i}.conv" for i in range(4)), "conv_embedding.conv",
    "conv_logits",
)  # fmt: skip
_STAGES = ("", "0.", "1.", "2.")  # the only head, or those of a cascade
_HEADS = (
    *(f"bbox_head.{stage}{part}" for stage in _STAGES for part in _BOX),
    *(f"mask_head.{stage}{part}" for stage in _STAGES for part in _MASK),
    *(f"semantic_head.{part}" for part in _SEMANTIC),
)


def _parts(reduction: str, level: str, heads: str = "roi_head.") -> dict[str, str]:
    """Our layers -> theirs: the pyramid, and the heads where something else stands before them."""
    parts = {f"fpn_convs.{i}": level.format(i) for i in range(6)}
    parts["reduction_conv"] = reduction
    if heads != "roi_head.":
        parts |= {f"roi_head.{part}": f"{heads}{part}" for part in _HEADS}
    return parts


def _points_of_mmdet_1() -> dict[str, str]:
    return {f"bbox_head.conv_{part}": f"bbox_head.fcos_{part}" for part in ("cls", "reg", "centerness")}


def _points_of_fcos() -> dict[str, str]:
    """Our layers -> those of HRNet-FCOS, whose towers count convolution, norm and ReLU."""
    parts = {
        "bbox_head.conv_cls": "rpn.head.cls_logits",
        "bbox_head.conv_reg": "rpn.head.bbox_pred",
        "bbox_head.conv_centerness": "rpn.head.centerness",
    }
    parts |= {f"bbox_head.scales.{i}": f"rpn.head.scales.{i}" for i in range(6)}
    for ours, theirs in zip(_TOWERS, ("cls_tower", "bbox_tower"), strict=True):
        for i in range(4):
            parts[f"{ours}{i}.conv"] = f"rpn.head.{theirs}.{3 * i}"
            parts[f"{ours}{i}.gn"] = f"rpn.head.{theirs}.{3 * i + 1}"
    return parts


NAMINGS = {  # the first of a lineage is the one that is written
    "mmdet": Naming(
        "mmlab", "backbone.", _parts("neck.reduction_conv.conv", "neck.fpn_convs.{}.conv"),
        ("neck.reduction_conv.conv.", "neck.fpn_convs.")),
    "official detection": Naming(
        "official", "backbone.", _parts("neck.reduction_conv.0", "neck.fpn_conv.{}", ""),
        ("neck.reduction_conv.0.", "neck.fpn_conv.")),
    "mmdet 1": Naming(
        "official", "backbone.",
        _parts("neck.reduction_conv.conv", "neck.fpn_convs.{}.conv", "") | _points_of_mmdet_1(),
        _V1_HEADS, instead_of="mmdet", without_biases=_TOWERS),
    "official maskrcnn-benchmark": Naming(
        "official", "backbone.body.", _parts("backbone.neck.reduction_conv.0", "backbone.neck.fpn_conv.{}"),
        ("backbone.neck.",), counters=False),
    "official FCOS": Naming(
        "official", "backbone.body.",
        _parts("backbone.fpn.reduction_conv.0", "backbone.fpn.fpn_conv.{}") | _points_of_fcos(),
        ("backbone.fpn.",), counters=False, variants=("fcos", "fcos_6l")),
}  # fmt: skip

# Biases of the last layers that have entries per class, by mmdet's names, and how many entries a class has.
_OF_CLASSES = {
    "roi_head.bbox_head.fc_reg.bias": 4,
    **{f"roi_head.mask_head.{stage}conv_logits.bias": 1 for stage in _STAGES},
}


def notes_of(tensors: Mapping[str, Any], lineage: str) -> list[str]:
    """What is to be said of a detector's tensors: whether their biases are a class too late.

    mmdet's upgrade of files of 1.x takes the background's entry from the weights of `fc_reg` and `conv_logits`, but the
    last class's from their biases. Then the first class has the background's biases, which no loss ever reaches: they
    stay at their initial value, exactly 0. What can't be told: a first class of which the training saw no example looks
    alike; biases whose background was moved before (or that did not begin at 0) show nothing; nor do biases without
    classes, such as those of the proposals' three anchors, which the upgrade rotates, too.

    Args:
        tensors: by mmdet's names.
        lineage: of the net; only files of `"mmlab"` can be upgraded ones.

    Returns:
        A sentence, or none.

    Source: tools/model_converters/upgrade_model_version.py of mmdet 2.
    """
    if lineage != "mmlab":
        return []
    shifted = [
        name for name, entries in _OF_CLASSES.items() if name in tensors and _begins_at_0(tensors[name], entries)
    ]
    if not shifted:
        return []
    return [
        f"the first class has exactly 0 in {' and '.join(shifted)}: so mmdet's upgrade of files of 1.x leaves them, "
        "each class with the biases of the one before (the weights are right); loaded as they are, as mmdet does"
    ]


def _begins_at_0(bias: Any, entries: int) -> bool:
    """Whether the first class alone has biases of 0."""
    values = np.asarray(bias)
    return not values[:entries].any() and bool(values[entries:].any())
