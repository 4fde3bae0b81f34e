"""How other programs name the heads of nets that label pixels."""

from hrnet_keras.tasks.task import Naming

_OCR = "ocr_distri_head.object_context_block"
_MMSEG_OCR = "decode_head.1.object_context_block"

# mmseg puts a convolution and its norm into one module, so ours come in pairs.
_MMSEG_PAIRS = {
    ("last_layer.0", "last_layer.1"): "decode_head.convs.0",
    ("aux_head.0", "aux_head.1"): "decode_head.0.convs.0",
    ("conv3x3_ocr.0", "conv3x3_ocr.1"): "decode_head.1.bottleneck",
    (f"{_OCR}.f_pixel.0", f"{_OCR}.f_pixel.1.0"): f"{_MMSEG_OCR}.query_project.0",
    (f"{_OCR}.f_pixel.2", f"{_OCR}.f_pixel.3.0"): f"{_MMSEG_OCR}.query_project.1",
    (f"{_OCR}.f_object.0", f"{_OCR}.f_object.1.0"): f"{_MMSEG_OCR}.key_project.0",
    (f"{_OCR}.f_object.2", f"{_OCR}.f_object.3.0"): f"{_MMSEG_OCR}.key_project.1",
    (f"{_OCR}.f_down.0", f"{_OCR}.f_down.1.0"): f"{_MMSEG_OCR}.value_project",
    (f"{_OCR}.f_up.0", f"{_OCR}.f_up.1.0"): f"{_MMSEG_OCR}.out_project",
    ("ocr_distri_head.conv_bn_dropout.0", "ocr_distri_head.conv_bn_dropout.1.0"): f"{_MMSEG_OCR}.bottleneck",
}


def _mmseg_parts() -> dict[str, str]:
    parts = {
        "last_layer.3": "decode_head.conv_seg",
        "aux_head.3": "decode_head.0.conv_seg",
        "cls_head": "decode_head.1.conv_seg",
    }
    for (convolution, norm), theirs in _MMSEG_PAIRS.items():
        parts[convolution] = f"{theirs}.conv"
        parts[norm] = f"{theirs}.bn"
    return parts


NAMINGS = {
    # The official names; PyTorch 0.4.1 counted no steps.
    "official_torch04": Naming("official_torch04", counters=False),
    "mmseg": Naming("mmlab", trunk="backbone.", parts=_mmseg_parts(), marks=("decode_head.",)),
}
