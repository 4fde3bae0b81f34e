"""How published files name the tensors that our layers (named as in the official state dicts) hold."""

import re
from collections import Counter
from dataclasses import dataclass, field

TRUNK = (
    "conv1", "bn1", "conv2", "bn2", "layer1", "transition1", "transition2", "transition3", "stage2", "stage3", "stage4",
)  # fmt: skip
COUNTER = "num_batches_tracked"
_OCR = "ocr_distri_head.object_context_block"
_MM_OCR = "decode_head.1.object_context_block"


@dataclass(frozen=True)
class Naming:
    """One program's names.

    Attributes:
        lineage: whose conventions its nets follow, a key of `architecture.LINEAGES`.
        trunk: what stands before the trunk's names.
        parts: our layer -> theirs, for what is not trunk and not named alike.
        tasks: the tasks it writes; `"det"` is the pyramid, V2p.
        marks: beginnings of names; a file with one of them is of this naming.
        counters: whether it writes `num_batches_tracked`.
    """

    lineage: str
    trunk: str = ""
    parts: dict = field(default_factory=dict)
    tasks: tuple = ()
    marks: tuple = ()
    counters: bool = True


_MMSEG = {
    "last_layer.0": "decode_head.convs.0.conv",
    "last_layer.1": "decode_head.convs.0.bn",
    "last_layer.3": "decode_head.conv_seg",
    "aux_head.0": "decode_head.0.convs.0.conv",
    "aux_head.1": "decode_head.0.convs.0.bn",
    "aux_head.3": "decode_head.0.conv_seg",
    "conv3x3_ocr.0": "decode_head.1.bottleneck.conv",
    "conv3x3_ocr.1": "decode_head.1.bottleneck.bn",
    f"{_OCR}.f_down.0": f"{_MM_OCR}.value_project.conv",
    f"{_OCR}.f_down.1.0": f"{_MM_OCR}.value_project.bn",
    f"{_OCR}.f_up.0": f"{_MM_OCR}.out_project.conv",
    f"{_OCR}.f_up.1.0": f"{_MM_OCR}.out_project.bn",
    "ocr_distri_head.conv_bn_dropout.0": f"{_MM_OCR}.bottleneck.conv",
    "ocr_distri_head.conv_bn_dropout.1.0": f"{_MM_OCR}.bottleneck.bn",
    "cls_head": "decode_head.1.conv_seg",
}
for _ours, _theirs in (("f_pixel", "query_project"), ("f_object", "key_project")):
    for _i, (_conv, _bn) in enumerate((("0", "1.0"), ("2", "3.0"))):
        _MMSEG[f"{_OCR}.{_ours}.{_conv}"] = f"{_MM_OCR}.{_theirs}.{_i}.conv"
        _MMSEG[f"{_OCR}.{_ours}.{_bn}"] = f"{_MM_OCR}.{_theirs}.{_i}.bn"


def _neck(reduction, level):
    return {"reduction_conv": reduction, **{f"fpn_convs.{i}": level.format(i) for i in range(5)}}


NAMINGS = {
    "official": Naming("official", tasks=("cls", "seg", "landmark", "pose"), marks=TRUNK),
    "official_torch04": Naming("official_torch04", tasks=("seg",), counters=False),
    "timm": Naming("timm", tasks=("cls",)),  # named exactly as the official classification nets
    "official detection": Naming(
        "official", "backbone.", _neck("neck.reduction_conv.0", "neck.fpn_conv.{}"),
        ("det",), ("neck.reduction_conv.0.", "neck.fpn_conv.")),
    "official maskrcnn-benchmark": Naming(
        "official", "backbone.body.", _neck("backbone.neck.reduction_conv.0", "backbone.neck.fpn_conv.{}"),
        ("det",), ("backbone.neck.",), counters=False),
    "official FCOS": Naming(
        "official", "backbone.body.", _neck("backbone.fpn.reduction_conv.0", "backbone.fpn.fpn_conv.{}"),
        ("det",), ("backbone.fpn.",), counters=False),
    "mmdet": Naming(
        "mmlab", "backbone.", _neck("neck.reduction_conv.conv", "neck.fpn_convs.{}.conv"),
        ("det",), ("neck.reduction_conv.conv.", "neck.fpn_convs.")),
    "mmseg": Naming("mmlab", "backbone.", _MMSEG, ("seg",), ("decode_head.",)),
    "mmpose": Naming("mmlab", "backbone.", {
        "head.0": "head.conv_layers.0", "head.1": "head.conv_layers.1", "head.3": "head.final_layer",
        "final_layer": "head.final_layer"}, ("landmark", "pose"), ("head.final_layer.", "head.conv_layers.")),
    "mmpose 0.x": Naming("mmlab", "backbone.", {
        **{f"head.{i}": f"keypoint_head.final_layer.{i}" for i in (0, 1, 3)},
        "final_layer": "keypoint_head.final_layer"}, ("landmark", "pose"), ("keypoint_head.",)),
}  # fmt: skip

# A file with a name that begins so is a net for that task; the first line that fits counts.
_TASK_MARKS = (
    ("det", ("neck.", "rpn_head.", "roi_head.", "bbox_head.", "backbone.neck.", "backbone.fpn.", "rpn.head.")),
    ("cls", ("classifier.",)),
    ("seg", ("last_layer.", "decode_head.", "aux_head.", "cls_head.")),
    ("landmark", ("head.0.", "head.conv_layers.", "keypoint_head.final_layer.0.")),
    ("pose", ("final_layer.weight", "head.final_layer.", "keypoint_head.final_layer.weight")),
)


# What wrappers put into names, at any place (DataParallel, torch.compile, sharding): no net has a part of that name.
_TRANSPARENT = frozenset({
    "module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module",
})  # fmt: skip
_HRNET = re.compile(r"(?:^|(?<=\.))(?:stage[234]\.\d+\.(?:branches|fuse_layers)|transition[123]\.\d+)\.")
_BACKBONES = ("backbone.body.", "backbone.")  # what frameworks put before the trunk, with the head outside
_OFFICIAL_HEADS = (
    "last_layer.", "classifier.", "incre_modules.", "final_layer.", "head.0.", "cls_head.", "aux_head.", "conv3x3_ocr.",
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """What the names of a state dict tell: a key of `NAMINGS`, and the task (`None`: a trunk alone)."""

    naming: str
    task: str | None

    @property
    def lineage(self):
        return NAMINGS[self.naming].lineage


def identify(names):
    """Tells whose names these are and for which task.

    Nets of the segmentation branch of PyTorch 0.4.1 are told by their head without any step counter; timm's names are
    the official ones. A trunk alone is `"official"` or `"mmdet"`.

    Raises:
        ValueError: no HRNet's names, or those of two programs.
    """
    names = set(names)
    found = [key for key, naming in NAMINGS.items() if any(name.startswith(naming.marks) for name in names)]
    bare = "official" in found and any(name.split(".")[0] in TRUNK for name in names)
    found = [key for key in found if key != "official" or bare]
    if not found and any(name.startswith("backbone.conv1.") for name in names):
        found = ["mmdet"]
    if len(found) > 1:
        raise ValueError(f"the names fit {' and '.join(map(repr, found))}: expected those of one program")
    if not found:
        some = ", ".join(sorted(names)[:4])
        raise ValueError(f"none of the {len(names)} tensors is named as in an HRNet: found {some or 'nothing'}")
    task = next((task for task, marks in _TASK_MARKS if any(name.startswith(marks) for name in names)), None)
    naming = found[0]
    if naming == "official" and task == "seg" and not any(name.endswith(COUNTER) for name in names):
        naming = "official_torch04"
    return Identity(naming, task)


def naming_for(lineage, task):
    """The key of `NAMINGS` under which a lineage writes a task's nets; `task` `None` for what has no head."""
    fitting = [key for key, naming in NAMINGS.items() if naming.lineage == lineage]
    return next((key for key in fitting if task in NAMINGS[key].tasks), fitting[0])


def their_name(layer_name, naming):
    """Turns the name of one of our layers into the beginning of its tensors' names under a key of `NAMINGS`."""
    how = NAMINGS[naming]
    if layer_name in how.parts:
        return how.parts[layer_name]
    return how.trunk + layer_name if is_trunk(layer_name) else layer_name


def is_trunk(name):
    """Whether a layer's or tensor's name, in our own naming, belongs to the trunk."""
    return name.split(".")[0] in TRUNK


def plain_name(name):
    """A tensor's name without what wrappers put into it at any place, such as `module.` and `_orig_mod.`."""
    return ".".join(word for word in name.split(".") if word not in _TRANSPARENT)


def nets_in(names):
    """Finds the HRNets among plain names: the beginnings of their names (`""`, `"model."`, `"student.net."`, ...).

    A framework's `backbone.` belongs to the names of its nets, not to what stands before them.
    """
    found = dict.fromkeys(name[: match.start()] for name in names if (match := _HRNET.search(name)))
    return [_without_backbone(prefix, names) for prefix in found]


def prefix_of(names):
    """What stands before the names of a single net, of which perhaps only a few are there; `""` where there is none."""
    nets = nets_in(names)
    if nets:
        return nets[0]
    found = Counter()
    for name in names:
        words = name.split(".")
        place = next((i for i, word in enumerate(words) if word in TRUNK), None)
        if place is not None:
            found["".join(f"{word}." for word in words[:place])] += 1
    return _without_backbone(found.most_common(1)[0][0], names) if found else ""


def without_wrapper(names):
    """Turns names as found in a file into plain ones: `{found: plain}`, without what training programs put before them.

    What stands beside the network (loss buffers) keeps its name.
    """
    plain = {name: plain_name(name) for name in names}
    prefix = prefix_of(plain.values())
    return {name: now.removeprefix(prefix) for name, now in plain.items()}


def _without_backbone(prefix, names):
    """The prefix of a net, from that of its trunk: a net of its own inside of `backbone.` has its head there too."""
    backbone = next((word for word in _BACKBONES if f".{prefix}".endswith(f".{word}")), None)
    heads = tuple(prefix + head for head in _OFFICIAL_HEADS)
    if backbone is None or any(name.startswith(heads) for name in names):
        return prefix
    return prefix.removesuffix(backbone)
