"""How programs name the tensors of detectors."""

from hrnet_keras.tasks.task import Naming

_V1_HEADS = ("bbox_head.shared_fcs", "bbox_head.fc_", "bbox_head.0.", "bbox_head.fcos_", "mask_head.")


def _parts(reduction: str, level: str, heads: str = "roi_head.") -> dict[str, str]:
    """Our layers -> theirs: the pyramid, and the heads where something else stands before them."""
    parts = {f"fpn_convs.{i}": level.format(i) for i in range(5)}
    parts["reduction_conv"] = reduction
    if heads != "roi_head.":
        boxes = [f"bbox_head.{part}" for part in ("shared_fcs.0", "shared_fcs.1", "fc_cls", "fc_reg")]
        masks = [f"mask_head.{part}" for part in (*(f"convs.{i}.conv" for i in range(4)), "upsample", "conv_logits")]
        parts |= {f"roi_head.{part}": f"{heads}{part}" for part in (*boxes, *masks)}
    return parts


NAMINGS = {
    "mmdet": Naming(
        "mmlab", "backbone.", _parts("neck.reduction_conv.conv", "neck.fpn_convs.{}.conv"),
        ("neck.reduction_conv.conv.", "neck.fpn_convs.")),
    "mmdet 1": Naming(
        "official", "backbone.", _parts("neck.reduction_conv.conv", "neck.fpn_convs.{}.conv", ""),
        _V1_HEADS, instead_of="mmdet"),
    "official detection": Naming(
        "official", "backbone.", _parts("neck.reduction_conv.0", "neck.fpn_conv.{}", ""),
        ("neck.reduction_conv.0.", "neck.fpn_conv.")),
    "official maskrcnn-benchmark": Naming(
        "official", "backbone.body.", _parts("backbone.neck.reduction_conv.0", "backbone.neck.fpn_conv.{}"),
        ("backbone.neck.",), counters=False),
    "official FCOS": Naming(
        "official", "backbone.body.", _parts("backbone.fpn.reduction_conv.0", "backbone.fpn.fpn_conv.{}"),
        ("backbone.fpn.",), counters=False),
}  # fmt: skip
