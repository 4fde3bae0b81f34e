"""FCOS under the names of three programs: what it becomes, and the way back."""

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.checkpoints import open_checkpoint, read_tensors, zoo
from hrnet_keras.checkpoints.pretrained import load_pretrained
from tests.tasks.detection.tiny import CHANNELS, tiny

# Naming: lineage, before the trunk, level, towers of convolutions and norms, last layers, scales.
FORMS = {
    "mmdet": (
        "mmlab", "backbone.", "neck.fpn_convs.{}.conv", "bbox_head.{}_convs.{}.{}", ("cls", "reg", "conv", "gn"),
        "bbox_head.conv_{}", ("cls", "reg", "centerness"), "bbox_head.scales.{}.scale",
    ),
    "mmdet 1": (
        "official", "backbone.", "neck.fpn_convs.{}.conv", "bbox_head.{}_convs.{}.{}", ("cls", "reg", "conv", "gn"),
        "bbox_head.fcos_{}", ("cls", "reg", "centerness"), "bbox_head.scales.{}.scale",
    ),
    "official FCOS": (
        "official", "backbone.body.", "backbone.fpn.fpn_conv.{}", "rpn.head.{}_tower.{}{}", ("cls", "bbox", 0, 1),
        "rpn.head.{}", ("cls_logits", "bbox_pred", "centerness"), "rpn.head.scales.{}.scale",
    ),
}  # fmt: skip


def detector(form, *, classes=5, levels=5):
    """`{name: shape}` of an FCOS on a trunk of `tiny`, as its program writes it."""
    _, trunk, level, tower, (first, second, conv, norm), last, outputs, scale = FORMS[form]
    shapes = {}

    def layer(name, *shape, bias=True):
        shapes[f"{name}.weight"] = shape
        if bias:
            shapes[f"{name}.bias"] = shape[:1]

    for i in range(7):
        own = trunk if i in (1, 2) else ""  # those that are named as in a trunk of HRNet
        layer(f"{own}conv{i}", CHANNELS, CHANNELS if i else 3, 3, 3)
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{own}bn{i}.{leaf}"] = (CHANNELS,)
    for i in range(levels):
        layer(level.format(i), CHANNELS, CHANNELS, 3, 3)
    for name in (first, second):
        for i in range(4):
            width = 256 if i else CHANNELS
            if form == "official FCOS":
                layer(tower.format(name, 3 * i, ""), 256, width, 3, 3)
                layer(tower.format(name, 3 * i + 1, ""), 256)
            else:
                layer(tower.format(name, i, conv), 256, width, 3, 3, bias=False)
                layer(tower.format(name, i, norm), 256)
    for name, count in zip(outputs, (classes, 4, 1), strict=True):
        layer(last.format(name), count, 256, 3, 3)
    shapes |= {scale.format(i): () for i in range(levels)}
    return shapes


def filled(shapes):
    rng = np.random.default_rng(0)
    return {name: np.asarray(rng.uniform(0.5, 1.5, shape), np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize(("form", "levels"), [(form, 5) for form in FORMS] + [("official FCOS", 6)])
def test_names_tell_lineage_framework_and_count(form, levels, tmp_path):
    tensors = filled(detector(form, levels=levels))
    opened = open_checkpoint(tensors)
    lineage = FORMS[form][0]
    framework = "fcos" if levels == 5 else "fcos_6l"
    assert (opened.naming, opened.lineage, opened.variant, opened.count) == (form, lineage, framework, 5)
    assert opened.task == "det" and opened.has_head and opened.notes == ()
    model = tiny(framework, num_classes=5, lineage=lineage)
    for variable in model.variables:
        variable.assign(variable + 1)
    report = hk.load_torch_weights(model, tensors)
    assert set(report.loaded) == set(tensors) and report.missing == report.unused == ()
    assert float(model.get_layer("bbox_head.scales.3").scale) == tensors[FORMS[form][-1].format(3)]

    hk.save_torch_weights(model, tmp_path / "back.safetensors", lineage=lineage)
    back = read_tensors(tmp_path / "back.safetensors")
    back = {name: value for name, value in back.items() if not name.endswith("num_batches_tracked")}
    if form != "mmdet 1":
        assert set(back) == set(tensors)
        for name, value in tensors.items():
            np.testing.assert_array_equal(back[name], value, err_msg=name)
            assert back[name].shape == value.shape
        return
    # By the names of HRNet-FCOS, whose towers have biases: here they are 0.
    assert set(back) == set(detector("official FCOS"))
    assert not back["rpn.head.bbox_tower.9.bias"].any()
    np.testing.assert_array_equal(back["rpn.head.cls_logits.weight"], tensors["bbox_head.fcos_cls.weight"])


def test_other_classes_keep_all_but_the_last_layer():
    model = tiny("fcos", num_classes=3)
    before = np.array(model.get_layer("bbox_head.conv_cls").kernel)
    tensors = filled(detector("mmdet"))
    load_pretrained(model, open_checkpoint(tensors), count=3)
    np.testing.assert_array_equal(before, model.get_layer("bbox_head.conv_cls").kernel)
    np.testing.assert_array_equal(
        model.get_layer("bbox_head.conv_reg").kernel, tensors["bbox_head.conv_reg.weight"].transpose(2, 3, 1, 0)
    )


def test_published():
    found = [entry for entry in zoo.entries() if entry.framework == "fcos"]
    assert len(found) == 14 and all(entry.is_built for entry in found)
    for width, expected in (
        ("W18", "fcos_hrnetv2p_w18_gn-head_mstrain_640-800_4x4_2x_coco"), ("W48", "v1_fcos_hrnetv2p_w48_mstrain_2x"),
    ):  # fmt: skip
        assert zoo.find("coco", task="det", representation="V2p", width=width, head="fcos").name == expected
