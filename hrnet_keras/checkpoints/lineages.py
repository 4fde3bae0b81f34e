"""How each lineage names the tensors that our layers (named as in the official state dicts) hold."""

# Longest match first: our layer's name begins with the left side, theirs with the right. Everything else is the trunk.
_MMLAB = {
    "last_layer.0": "decode_head.convs.0.conv",
    "last_layer.1": "decode_head.convs.0.bn",
    "last_layer.3": "decode_head.conv_seg",
    "aux_head.0": "decode_head.0.convs.0.conv",
    "aux_head.1": "decode_head.0.convs.0.bn",
    "aux_head.3": "decode_head.0.conv_seg",
    "conv3x3_ocr.0": "decode_head.1.bottleneck.conv",
    "conv3x3_ocr.1": "decode_head.1.bottleneck.bn",
    "ocr_distri_head.object_context_block.f_pixel.0": "decode_head.1.object_context_block.query_project.0.conv",
    "ocr_distri_head.object_context_block.f_pixel.1.0": "decode_head.1.object_context_block.query_project.0.bn",
    "ocr_distri_head.object_context_block.f_pixel.2": "decode_head.1.object_context_block.query_project.1.conv",
    "ocr_distri_head.object_context_block.f_pixel.3.0": "decode_head.1.object_context_block.query_project.1.bn",
    "ocr_distri_head.object_context_block.f_object.0": "decode_head.1.object_context_block.key_project.0.conv",
    "ocr_distri_head.object_context_block.f_object.1.0": "decode_head.1.object_context_block.key_project.0.bn",
    "ocr_distri_head.object_context_block.f_object.2": "decode_head.1.object_context_block.key_project.1.conv",
    "ocr_distri_head.object_context_block.f_object.3.0": "decode_head.1.object_context_block.key_project.1.bn",
    "ocr_distri_head.object_context_block.f_down.0": "decode_head.1.object_context_block.value_project.conv",
    "ocr_distri_head.object_context_block.f_down.1.0": "decode_head.1.object_context_block.value_project.bn",
    "ocr_distri_head.object_context_block.f_up.0": "decode_head.1.object_context_block.out_project.conv",
    "ocr_distri_head.object_context_block.f_up.1.0": "decode_head.1.object_context_block.out_project.bn",
    "ocr_distri_head.conv_bn_dropout.0": "decode_head.1.object_context_block.bottleneck.conv",
    "ocr_distri_head.conv_bn_dropout.1.0": "decode_head.1.object_context_block.bottleneck.bn",
    "cls_head": "decode_head.1.conv_seg",
    "head.0": "head.conv_layers.0",
    "head.1": "head.conv_layers.1",
    "head.3": "head.final_layer",
    "final_layer": "head.final_layer",
    "reduction_conv": "neck.reduction_conv.conv",
    **{f"fpn_convs.{i}": f"neck.fpn_convs.{i}.conv" for i in range(5)},
}

NAMES = {"official": {}, "official_torch04": {}, "timm": {}, "mmlab": _MMLAB}
TRUNK_PREFIX = {"mmlab": "backbone."}


def their_name(layer_name, lineage):
    """Turns the name of one of our layers into the prefix of its tensors in a lineage's state dict."""
    table = NAMES[lineage]
    return table[layer_name] if layer_name in table else TRUNK_PREFIX.get(lineage, "") + layer_name


def find_lineage(names):
    """Tells the lineage from the names of a state dict.

    The nets of the master segmentation branch (PyTorch 0.4.1) are told by their head without any step counter.
    """
    names = set(names)
    if any(name.startswith("backbone.") for name in names):
        return "mmlab"
    has_counters = any(name.endswith(".num_batches_tracked") for name in names)
    if "last_layer.3.weight" in names and not has_counters:
        return "official_torch04"
    return "official"
