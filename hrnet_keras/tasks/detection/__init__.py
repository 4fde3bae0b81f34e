"""Where is what in this picture? (`det`)"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from hrnet_keras.architecture import NEAREST, Pixels
from hrnet_keras.tasks.detection.namings import NAMINGS, notes_of
from hrnet_keras.tasks.detection.recipe import Augment, Loss
from hrnet_keras.tasks.task import DemoConfig, Task

_BOX_HEAD = ("roi_head.bbox_head.fc_cls", "roi_head.bbox_head.fc_reg")
_STAGES = range(3)  # of cascades, whose deltas are of all classes together
_BOX_HEADS = tuple(f"roi_head.bbox_head.{k}.fc_cls" for k in _STAGES)
_MASK_HEADS = tuple(f"roi_head.mask_head.{k}.conv_logits" for k in _STAGES)
# mmdet's FCOS are shown blue first, each colour by its own statistics; others the colours of Caffe's nets.
_BLUE_FIRST = Pixels(bgr=True)
_CAFFE = Pixels(mean=(122.7717, 115.9465, 102.9801), std=(1.0, 1.0, 1.0), bgr=True)
_FCOS = replace(NEAREST, level_strides=2)
_FCOS_6L = replace(NEAREST, levels=6)
_POINT_HEAD = ("bbox_head.conv_cls",)
_OF_POINTS = (".fcos_cls.weight", "bbox_head.conv_cls.weight", ".head.centerness.weight")  # of mmdet 1, 2, HRNet-FCOS
_TRIPLET_HEAD = tuple(f"bbox_head.{point}_heat.1" for point in ("tl", "br", "ct"))
# CenterNet's own colours, and the mixed map alone.
_CENTERNET = replace(
    NEAREST, levels=0, pixels=Pixels(
        mean=(0.47026115 * 255, 0.44719302 * 255, 0.40789654 * 255),
        std=(0.27809835 * 255, 0.27408164 * 255, 0.28863828 * 255), bgr=True,
    ),
)  # fmt: skip


def _variant_of(names: Collection[str]) -> str | None:
    """The framework whose heads these are; `None` for a pyramid alone, or one that this version does not have."""
    if any(name.endswith(_OF_POINTS) for name in names):
        has_six_levels = any(name.endswith(".scales.5.scale") for name in names)
        return "fcos_6l" if has_six_levels else "fcos"
    if f"{_TRIPLET_HEAD[0]}.weight" in names:
        return "centernet"
    return _variant_of_regions({name.removeprefix("roi_head.") for name in names})


def _variant_of_regions(names: Collection[str]) -> str | None:
    """The same of frameworks with regions, of names without what mmdet puts before them."""
    beginnings = {name.split(".")[0] for name in names}
    has_masks = "mask_head" in beginnings
    has_semantics = "semantic_head" in beginnings
    if "bbox_head.fc_cls.weight" in names and not has_semantics:
        return "mask_rcnn" if has_masks else "faster_rcnn"
    stages = {name for name in names if name.startswith("bbox_head.") and name.endswith(".fc_cls.weight")}
    if stages == {f"bbox_head.{k}.fc_cls.weight" for k in _STAGES}:
        return _cascade_of(has_masks, has_semantics, "mask_head.1.conv_res.conv.weight" in names)
    return None


def _cascade_of(has_masks: bool, has_semantics: bool, has_links: bool) -> str | None:
    """The cascade with these heads; `None` for an HTC without its semantic branch, and the like."""
    if has_semantics != has_links or has_links > has_masks:
        return None
    if has_links:
        return "htc"
    return "cascade_mask_rcnn" if has_masks else "cascade_rcnn"


def _columns(layer: str, places: Sequence[int], lineage: str) -> list[int]:
    """Outputs of a last layer that belong to classes; the background keeps its place."""
    if layer in _POINT_HEAD + _TRIPLET_HEAD:
        return list(places)
    is_v1 = lineage == "official"  # class 0 is the background, else the last one
    if is_v1:
        places = [0, *(place + 1 for place in places)]
    if layer.endswith("fc_reg"):
        return [4 * place + i for place in places for i in range(4)]
    if layer.endswith("fc_cls") and not is_v1:
        return [*places, len(places)]
    return list(places)


TASK = Task(
    name="det",
    folder="detection",
    representations=("V2p",),
    # mmdet 2 and 3; official: the official fork and mmdet 0.6 to 1.x.
    conventions={"mmlab": NEAREST, "official": NEAREST},
    counts="num_classes",
    default_count=80,
    output="detections",
    last_layers={
        "faster_rcnn": _BOX_HEAD,
        "mask_rcnn": (*_BOX_HEAD, "roi_head.mask_head.conv_logits"),
        "cascade_rcnn": _BOX_HEADS,
        "cascade_mask_rcnn": (*_BOX_HEADS, *_MASK_HEADS),
        "htc": (*_BOX_HEADS, *_MASK_HEADS),
        "fcos": _POINT_HEAD,
        "fcos_6l": _POINT_HEAD,
        "centernet": _TRIPLET_HEAD,
    },
    variant_conventions={
        # mmdet 2 and 3; official: HRNet-FCOS, and mmdet 1 but for its suppression.
        "fcos": {"mmlab": replace(_FCOS, pixels=_BLUE_FIRST), "official": replace(_FCOS, pixels=_CAFFE)},
        "fcos_6l": {"official": replace(_FCOS_6L, pixels=_CAFFE)},
        "centernet": {"official": _CENTERNET},  # of the paper: no nets are published
    },
    extra_outputs=lambda layer: int(layer.endswith("fc_cls")),
    columns=_columns,
    one_order=False,
    notes_of=notes_of,
    variant_word="framework",
    marks=("neck.", "rpn_head.", "roi_head.", "bbox_head.", "backbone.neck.", "backbone.fpn.", "rpn.head."),
    augment=Augment,
    loss=Loss,
    head_layers=("rpn_head.", "roi_head.", "bbox_head."),
    variant_of=_variant_of,
    namings=NAMINGS,
    starts_from_any=True,
    saved_as=".json",
    predict_options=("size", "min_score"),
    has_own_model=True,
    marks_padding=True,
    scored_with={"coco": "coco_detection"},
    published_unit=0.01,
    demo=DemoConfig(
        goal="find cars, buses, people and signs of drawn streets",
        recipe="det/toytown_faster_rcnn_w18_small_v1",
        drawing={"enlarge": 3, "threshold": 0.5},
    ),
    nothing_found="nothing found",
)
