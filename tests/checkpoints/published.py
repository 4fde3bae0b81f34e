"""Files in the shape of published ones: names, wrappers and both formats of PyTorch, without their megabytes.

`make_torch_files.py` lets PyTorch write them with every tensor filled with its number, which compresses to nothing;
`filled` puts the goldens' weights in. What stands under which name is written here from the originals' own programs,
apart from the tables of the package.
"""

import io
import lzma
import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILES = Path(__file__).parent / "files"


def _official(name):
    return name


def _in_training_wrapper(name):
    return f"model.{name}"


def _parallel(name):
    return f"module.{name}"


def _mmpose(name):
    heads = {"head.0": "head.conv_layers.0", "head.1": "head.conv_layers.1", "head.3": "head.final_layer",
             "final_layer": "head.final_layer"}  # fmt: skip
    return _with_heads(name, heads)


def _mmpose_0(name):
    heads = {"head.0": "keypoint_head.final_layer.0", "head.1": "keypoint_head.final_layer.1",
             "head.3": "keypoint_head.final_layer.3", "final_layer": "keypoint_head.final_layer"}  # fmt: skip
    return _with_heads(name, heads)


def _with_heads(name, heads):
    layer, leaf = name.rsplit(".", 1)
    return f"{heads[layer]}.{leaf}" if layer in heads else f"backbone.{name}"


def _fork(name):
    """mmdet's names of 2019, from those of today."""
    name = name.replace("neck.reduction_conv.conv.", "neck.reduction_conv.0.")
    if name.startswith("neck.fpn_convs."):
        name = name.replace("fpn_convs.", "fpn_conv.").replace(".conv.", ".")
    return name.removeprefix("roi_head.")


@dataclass(frozen=True)
class Published:
    """`name` of the files here, the golden they hold (`kind`, `case`), how keys are renamed and wrapped."""

    name: str
    kind: str
    case: str
    rename: object = _official
    wrapper: str = ""  # of: "", "state_dict" (with scores and optimizer beside it), "mm" (with meta)
    extra: tuple = ()  # tensors that no network has


CASES = [
    Published("cls", "classification", "cls_w18_small_v1_64x64", wrapper="state_dict"),
    Published("timm", "classification", "timm_hrnet_w18_small_v2_64x96"),
    Published("seg", "segmentation", "seg_v11_w18_small_v1_64x96", _in_training_wrapper,
              extra=("loss.criterion.weight",)),
    Published("seg_torch04", "segmentation", "seg_master_w18_small_v1_64x64", _in_training_wrapper),
    Published("seg_ocr", "segmentation", "seg_ocr_w18_64x96", _in_training_wrapper, "state_dict"),
    Published("mmseg", "segmentation", "mmseg_fcn_hr18s_72x88", wrapper="mm"),
    Published("landmark", "landmark", "landmark_w18_19pt_64x64", _parallel),
    Published("mmpose_landmark", "landmark", "landmark_w18_19pt_64x64", _mmpose, "mm"),
    Published("mmpose0_landmark", "landmark", "landmark_w18_19pt_64x64", _mmpose_0, "mm"),
    Published("pose", "pose", "pose_w32_16kp_64x64"),
    Published("mmpose_pose", "pose", "pose_w32_16kp_64x64", _mmpose, "mm"),
    Published("mmdet", "detection", "det_faster_rcnn_w18_128x192", wrapper="mm"),
    Published("fork", "detection", "det_faster_rcnn_w18_128x192", _fork, "mm"),
]  # fmt: skip


def filled(published, meta, weights_rule, form, folder):
    """Writes the file of `form` (`"zip"` or `"legacy"`) with the golden's weights in it; returns its path."""
    state = weights_rule.state_dict(meta)
    values = [value for value in state.values() if value.dtype == np.float32]
    with lzma.open(FILES / f"{published.name}_{form}.pth.xz") as file:
        data = file.read()
    path = folder / f"{published.name}_{form}.pth"
    path.write_bytes((_fill_zip if form == "zip" else _fill_legacy)(data, values))
    return path


def _fill_zip(data, values):
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            content = old.read(info)
            if "/data/" in info.filename:
                content = _value(content, values)
            new.writestr(info.filename, content)
    return target.getvalue()


def _fill_legacy(data, values):
    stream = io.BytesIO(data)
    for _ in range(5):
        for _ in pickletools.genops(stream):
            pass
    parts = [data[: stream.tell()]]
    while stream.tell() < len(data):
        length = stream.read(8)
        count = int.from_bytes(length, "little")
        parts += [length, _value(stream.read(count * (8 if count == 1 else 4)), values)]
    return b"".join(parts)


def _value(content, values):
    """The weights that belong where PyTorch wrote a tensor's number; counters and extras stay."""
    number = 0.0 if len(content) <= 8 else float(np.frombuffer(content, np.float32, 1)[0])
    if number <= 0:
        return content
    value = values[int(number) - 1]
    assert value.nbytes == len(content)
    return value.tobytes()
