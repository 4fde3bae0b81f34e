"""Detectors under the names of four programs: what they become, the way back, and what is said of them."""

from collections import Counter

import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.checkpoints import open_checkpoint, read_tensors, zoo
from hrnet_keras.checkpoints.loading import load_checkpoint
from hrnet_keras.checkpoints.model_weights import tensors_of
from hrnet_keras.checkpoints.pretrained import load_pretrained, resolve_weights
from hrnet_keras.datasets.published import published
from hrnet_keras.layers.model_info import info_of, update_info
from hrnet_keras.tasks import TASKS
from hrnet_keras.training.naming import fit_last_layer
from tests.checkpoints.published import CASES, filled
from tests.tasks.detection.tiny import CHANNELS, tiny

FORMS = {
    # what stands before the heads, the reduction, a level; class logits, deltas and masks of 80 classes
    "mmdet": ("roi_head.", "neck.reduction_conv.conv", "neck.fpn_convs.{}.conv", 81, 320, 80),
    "mmdet 1": ("", "neck.reduction_conv.conv", "neck.fpn_convs.{}.conv", 81, 324, 81),
    "official detection": ("", "neck.reduction_conv.0", "neck.fpn_conv.{}", 81, 324, 81),
}

CASCADES = ("cascade_rcnn", "cascade_mask_rcnn", "htc")
STAGES = [".0", ".1", ".2"]


def detector(form, framework="mask_rcnn", *, classes=80):
    """`{name: shape}` of a detector's tensors on a trunk of `tiny`, as its program writes them."""
    before, _, level, *_ = FORMS[form]
    first = int(before == "")  # the background's deltas and mask
    shapes = {}

    def layer(name, *shape):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]

    for i in range(6):
        trunk = "backbone." if i in (1, 2) else ""  # those that are named as in a trunk of HRNet
        layer(f"{trunk}conv{i}", CHANNELS, CHANNELS if i else 3, 3, 3)
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{trunk}bn{i}.{leaf}"] = (CHANNELS,)
    for i in range(5):
        layer(level.format(i), CHANNELS, CHANNELS, 3, 3)
    layer("rpn_head.rpn_conv", 256, CHANNELS, 3, 3)
    layer("rpn_head.rpn_cls", 3, 256, 1, 1)
    layer("rpn_head.rpn_reg", 12, 256, 1, 1)
    is_cascade = framework in CASCADES  # whose deltas are of all classes together
    for stage in STAGES if is_cascade else [""]:
        layer(f"{before}bbox_head{stage}.shared_fcs.0", 1024, CHANNELS * 49)
        layer(f"{before}bbox_head{stage}.shared_fcs.1", 1024, 1024)
        layer(f"{before}bbox_head{stage}.fc_cls", classes + 1, 1024)
        layer(f"{before}bbox_head{stage}.fc_reg", 4 if is_cascade else 4 * (classes + first), 1024)
    of_masks = {"mask_rcnn": [""], "cascade_mask_rcnn": STAGES, "htc": STAGES}
    width = CHANNELS if framework == "htc" else 256
    for stage in of_masks.get(framework, []):
        for i in range(4):
            layer(f"{before}mask_head{stage}.convs.{i}.conv", width, width if i else CHANNELS, 3, 3)
        shapes[f"{before}mask_head{stage}.upsample.weight"] = (width, width, 2, 2)
        shapes[f"{before}mask_head{stage}.upsample.bias"] = (width,)
        layer(f"{before}mask_head{stage}.conv_logits", classes + first, width, 1, 1)
    if framework == "htc":
        for stage in STAGES[1:]:
            layer(f"{before}mask_head{stage}.conv_res.conv", CHANNELS, width, 1, 1)
        for i in range(5):
            layer(f"{before}semantic_head.lateral_convs.{i}.conv", CHANNELS, CHANNELS, 1, 1)
        for i in range(4):
            layer(f"{before}semantic_head.convs.{i}.conv", CHANNELS, CHANNELS, 3, 3)
        layer(f"{before}semantic_head.conv_embedding.conv", CHANNELS, CHANNELS, 1, 1)
        layer(f"{before}semantic_head.conv_logits", 183, CHANNELS, 1, 1)
    return shapes


def random_tensors(shapes, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(0.5, 1.5, shape).astype(np.float32) for name, shape in shapes.items()
    }  # fmt: skip


@pytest.mark.parametrize("framework", ["faster_rcnn", "mask_rcnn", *CASCADES])
@pytest.mark.parametrize("form", FORMS)
def test_names_tell_lineage_framework_and_count(form, framework, tmp_path):
    tensors = random_tensors(detector(form, framework, classes=5))
    opened = open_checkpoint(tensors)
    lineage = "mmlab" if form == "mmdet" else "official"
    assert (opened.naming, opened.lineage, opened.variant, opened.count) == (form, lineage, framework, 5)
    assert opened.task == "det" and opened.has_head and opened.notes == ()

    model = tiny(framework, num_classes=5, lineage=lineage)
    report = hk.load_torch_weights(model, tensors)
    assert set(report.loaded) == set(tensors) and report.missing == report.unused == ()
    head = f"bbox_head{STAGES[-1]}" if framework in CASCADES else "bbox_head"
    matrix = tensors[f"{FORMS[form][0]}{head}.shared_fcs.0.weight"]  # of features (channels, 7, 7)
    kernel = np.asarray(model.get_layer(f"roi_head.{head}.shared_fcs.0").kernel)
    np.testing.assert_array_equal(kernel[2, 3, 4], matrix[:, 4 * 49 + 2 * 7 + 3])

    hk.save_torch_weights(model, tmp_path / "back.safetensors", lineage=lineage)
    back = {name: value for name, value in read_tensors(tmp_path / "back.safetensors").items() if value.ndim}
    written = "official detection" if lineage == "official" else form
    shapes = detector(written, framework, classes=5)
    own = dict(zip(shapes, tensors.values(), strict=True))  # in the one form of the lineage that is written
    assert set(back) == set(own)
    for name, value in own.items():
        np.testing.assert_array_equal(back[name], value, err_msg=name)


def test_lineages_are_not_mixed(tmp_path):
    """The same 81 logits, but the background is the first or the last of them."""
    mmlab = tiny(num_classes=80)
    with pytest.raises(
        ValueError, match="lineage 'official' have their classes in another order than the model, which"
    ):
        hk.save_torch_weights(mmlab, tmp_path / "x.safetensors")
    v1 = random_tensors(detector("mmdet 1", "faster_rcnn"))
    with pytest.raises(
        ValueError, match="classes in another order than the model, which was built with lineage='mmlab'"
    ):
        hk.load_torch_weights(mmlab, v1)
    before = np.asarray(mmlab.get_layer("roi_head.bbox_head.fc_cls").kernel)
    report = hk.load_torch_weights(mmlab, v1, strict=False)
    assert report.notes == ()
    np.testing.assert_array_equal(mmlab.get_layer("roi_head.bbox_head.fc_cls").kernel, before)
    assert set(report.missing) == {f"bbox_head.{name}" for name in
                                   ("fc_cls.weight", "fc_cls.bias", "fc_reg.weight", "fc_reg.bias")}  # fmt: skip
    with pytest.raises(ValueError, match=r"names of mmdet 1 \(lineage 'official'\), lineage='mmlab' was asked for"):
        open_checkpoint(v1, lineage="mmlab")


def upgraded(v1, first=0.0):
    """mmdet 2's tensors of those of mmdet 1, as its own program upgrades them: biases lose the last class."""
    tensors = {}
    for name, value in v1.items():
        value = value.copy()
        if name.endswith(("fc_reg.bias", "conv_logits.bias")):
            entries = len(value) // 6
            value[:entries] = first  # of the background, which nothing is learnt of
            value = value[:-entries]
        elif name.endswith(("fc_reg.weight", "conv_logits.weight")):
            value = value[len(value) // 6 :]
        elif "fc_cls" in name:
            value = np.concatenate([value[1:], value[:1]])
        is_head = name.startswith(("bbox_head.", "mask_head."))
        tensors[f"roi_head.{name}" if is_head else name] = value
    return tensors


def test_biases_that_are_a_class_too_late_are_noticed():
    tensors = upgraded(random_tensors(detector("mmdet 1", classes=5)))
    model = tiny("mask_rcnn", num_classes=5)
    with pytest.warns(
        UserWarning, match="upgrade of files of 1.x leaves them, each class with the biases of the one be"
    ):
        report = hk.load_torch_weights(model, tensors)
    assert "roi_head.bbox_head.fc_reg.bias and roi_head.mask_head.conv_logits.bias" in report.notes[0]
    assert "loaded as they are" in report.summary() and report.missing == ()
    np.testing.assert_array_equal(
        model.get_layer("roi_head.bbox_head.fc_reg").bias, tensors["roi_head.bbox_head.fc_reg.bias"]
    )
    assert open_checkpoint(upgraded(random_tensors(detector("mmdet 1", classes=5)), first=0.1)).notes == ()
    untrained = {name: value * ("bias" not in name) for name, value in tensors.items()}
    assert open_checkpoint(untrained).notes == ()
    v1 = random_tensors(detector("mmdet 1", classes=5))
    v1["bbox_head.fc_reg.bias"][:4] = 0  # as all files of mmdet 1 have it
    assert open_checkpoint(v1).notes == ()


OTHER_HEADS = {
    "cascade": ("mmdet", ["neck.fpn_convs.0.conv.weight", "roi_head.bbox_head.0.fc_cls.weight"]),
    "htc": ("mmdet", ["neck.fpn_convs.0.conv.weight", "roi_head.bbox_head.0.fc_cls.weight",
                      "roi_head.semantic_head.conv_embedding.conv.weight"]),
    "maskrcnn-benchmark": ("official maskrcnn-benchmark", ["backbone.neck.fpn_conv.0.weight", "rpn.head.conv.weight",
                                                           "roi_heads.box.predictor.cls_score.weight"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHER_HEADS)
def test_heads_that_are_not_taken_are_named(kind):
    naming, names = OTHER_HEADS[kind]
    trunk = "backbone.body.conv1.weight" if naming.startswith("official") else "backbone.conv1.weight"
    opened = open_checkpoint({name: np.ones((2, 2, 1, 1), np.float32) for name in (trunk, *names)})
    assert opened.naming == naming and not opened.has_head
    (note,) = opened.notes
    known = ", ".join(map(repr, TASKS["det"].variants))
    assert note == f"its heads, by the names of {naming}, are none that this version takes ({known})"
    with pytest.raises(
        ValueError, match=f"the names of {naming} whose heads are none .* with task=None its feature maps"
    ):
        resolve_weights(opened, task="det", representation="V2p", width="W18")
    pyramid = open_checkpoint({name: value for name, value in opened.tensors.items() if name in (trunk, names[0])})
    assert pyramid.notes == ()


# ---- published names


def test_which_published_detectors_are_built():
    built = [entry for entry in zoo.entries() if entry.task == "det" and entry.is_built]
    count = Counter(entry.framework for entry in built)
    assert (count["faster_rcnn"], count["mask_rcnn"]) == (8, 8)
    assert (count["cascade_rcnn"], count["cascade_mask_rcnn"], count["htc"]) == (5, 6, 7)
    for entry in zoo.entries():
        net = {"representation": entry.representation, "width": entry.width}
        if entry.is_built:
            assert zoo.find(entry.name, task=entry.task, **net) is entry
            continue
        assert zoo.find(entry.name, task=None, **net) is entry  # the pyramid
        with pytest.raises(
            ValueError,
            match=rf"this version has 'faster_rcnn', .*, not '{entry.framework}'; with task=None",
        ):
            zoo.find(entry.name, task="det", **net)
        with pytest.raises(ValueError, match=f"this version has .*, not '{entry.framework}'"):
            hk.evaluate(entry.name, root="nowhere")


@pytest.mark.parametrize(
    ("width", "framework", "expected"),
    [
        ("W18", None, "faster_rcnn_hrnetv2p_w18_2x_coco"),
        ("W32", "mask_rcnn", "mask_rcnn_hrnetv2p_w32_2x_coco"),
        ("W40", "faster_rcnn", "faster_rcnn_hrnetv2p_w40_2x_coco"),
        ("W48", None, "v1_faster_rcnn_hrnetv2p_w48_2x"),
        ("W48", "mask_rcnn", "v1_mask_rcnn_hrnetv2p_w48_2x"),
        ("W40", "cascade_rcnn", "cascade_rcnn_hrnetv2p_w40_20e_coco"),
        ("W32", "cascade_mask_rcnn", "cascade_mask_rcnn_hrnetv2p_w32_20e_coco"),
        ("W32", "htc", "htc_hrnetv2p_w32_20e_coco"),
        ("W48", "htc", "v1_htc_hrnetv2p_w48_28e"),
    ],
)
def test_coco_means_the_best_detector(width, framework, expected):
    assert zoo.find("coco", task="det", representation="V2p", width=width, head=framework).name == expected


def test_what_the_list_says_that_coco_means():
    aliases = {row["name"]: row["aliases"] for row in hk.list_weights("det")}
    meant = {name for name, words in aliases.items() if words == ["coco"]}
    two_stage = {f"{kind}_hrnetv2p_{width}_2x_coco" for kind in ("faster_rcnn", "mask_rcnn") for width in
                 ("w18", "w32", "w40")}  # fmt: skip
    v1 = {"v1_faster_rcnn_hrnetv2p_w48_2x", "v1_mask_rcnn_hrnetv2p_w48_2x"}
    for kind in ("cascade_rcnn", "cascade_mask_rcnn"):
        two_stage |= {f"{kind}_hrnetv2p_{width}_20e_coco" for width in ("w18", "w32", "w40")}
        v1.add(f"v1_{kind}_hrnetv2p_w48_20e")
    two_stage |= {f"fcos_hrnetv2p_{width}_gn-head_mstrain_640-800_4x4_2x_coco" for width in ("w18", "w32", "w40")}
    v1.add("v1_fcos_hrnetv2p_w48_mstrain_2x")
    pyramids = {name for name in meant if "htc" in name}  # with task=None, too
    assert meant == two_stage | v1 | pyramids and len(pyramids) == 4


def test_any_trunk_may_start_a_detector():
    net = {"task": "det", "representation": "V2p"}
    assert zoo.find("imagenet", **net, width="W48").name == "timm_hrnetv2_w48"
    for name, width in (("hrnet_cs_8090_torch11", "W48"), ("hrnet_w32_mpii_256x256_dark", "W32")):
        assert zoo.find(name, **net, width=width).name == name
    with pytest.raises(ValueError, match="does not fit HRNetV2pW18 for task 'det'"):
        zoo.find("hrnet_cs_8090_torch11", **net, width="W18")


def test_scores_of_persons_and_objects_are_not_compared():
    assert zoo.best("coco").task == "pose"
    assert zoo.best("faster_rcnn_hrnetv2p_w18_1x_coco").task == "det"


def test_a_published_detector_by_name(golden, weights_rule, tmp_path, monkeypatch, caplog):
    """The whole way of `weights=`: net, framework, names and published score of the very file."""
    case = next(case for case in CASES if case.name == "mmdet")
    meta, _ = golden(case.kind, case.case)
    state = weights_rule.state_dict(meta)
    path = filled(case, meta, weights_rule, "zip", tmp_path)
    monkeypatch.setenv(zoo.HOME, str(tmp_path / "home"))
    for name in ("faster_rcnn_hrnetv2p_w18_2x_coco", "faster_rcnn_hrnetv2p_w18_1x_coco"):
        entry = zoo.named(name)
        zoo.os.makedirs(zoo.os.path.dirname(entry.path), exist_ok=True)
        zoo.os.link(path, entry.path)
        with open(f"{entry.path}.checked", "w"):
            pass
    with caplog.at_level("INFO"):
        model = hk.HRNetV2pW18(task="det", weights="coco")
    assert caplog.text == ""  # nothing stays random, nothing had to be assumed
    info = info_of(model)
    assert (info.lineage, info.head, info.num_classes, info.data) == ("mmlab", "faster_rcnn", 80, "coco")
    assert info.weights == "faster_rcnn_hrnetv2p_w18_2x_coco" and info.published["score"] == {"AP": 38.9}
    assert info.class_names == published("coco").class_names and info.input_size == (800, 1333)
    assert set(model.output) == {"boxes", "scores", "labels", "valid"}

    for variable in model.weights:
        variable.assign(np.ones(variable.shape))
    checkpoint = resolve_weights(
        "faster_rcnn_hrnetv2p_w18_1x_coco", task="det", representation="V2p", width="W18"
    )  # fmt: skip
    report = load_checkpoint(model, checkpoint)
    theirs = {name for name in state if not name.endswith("num_batches_tracked")}
    assert set(report.loaded) == theirs and report.unused == report.notes == ()
    hk.save_torch_weights(model, tmp_path / "back.safetensors", lineage="mmlab")
    back = read_tensors(tmp_path / "back.safetensors")
    assert set(back) == set(state)
    for name, value in state.items():
        np.testing.assert_array_equal(back[name], value, err_msg=name)


# ---- starting from something else


def test_other_classes_keep_all_but_the_last_layers(caplog):
    tensors = random_tensors(detector("official detection", classes=5))
    model = tiny("mask_rcnn", num_classes=3, lineage="official")
    last = ("fc_cls", "fc_reg", "conv_logits")
    before = {name: value for name, value in tensors_of(model).items() if any(word in name for word in last)}
    with caplog.at_level("INFO"):
        load_pretrained(model, open_checkpoint(tensors), count=3)
    assert "6 not in the file, unchanged: bbox_head (4), mask_head (2)" in caplog.text
    assert "heads" not in caplog.text and "not used" not in caplog.text
    after = tensors_of(model)
    for name, value in after.items():
        if value.ndim and name not in before:
            np.testing.assert_array_equal(value, tensors[name], err_msg=name)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)


@pytest.mark.parametrize("form", ["mmdet", "official detection"])
def test_classes_in_another_order_are_brought_into_the_datas(form, caplog):
    """Every tensor of PyTorch's with its classes moved by hand, the background left where it is."""
    names, order = ("cat", "dog", "cow", "hen", "emu"), [3, 0, 4, 2, 1]
    tensors = random_tensors(detector(form, classes=5))
    lineage = "mmlab" if form == "mmdet" else "official"
    model = tiny("mask_rcnn", num_classes=5, lineage=lineage)
    hk.load_torch_weights(model, tensors)
    update_info(model, class_names=names)
    with caplog.at_level("INFO"):
        fit_last_layer(model, "published", [names[i] for i in order])
    assert "the last layer is reordered" in caplog.text
    found = tensors_of(model)
    v1 = int(lineage == "official")
    for name, value in tensors.items():
        if name.endswith(("fc_cls.weight", "fc_cls.bias")):
            classes = value[1:] if v1 else value[:-1]
            background = value[:1] if v1 else value[-1:]
            moved = [background, classes[order]] if v1 else [classes[order], background]
            value = np.concatenate(moved)
        elif "fc_reg" in name or "conv_logits" in name:
            of_classes = value.reshape(5 + v1, -1, *value.shape[1:])
            moved = np.concatenate([of_classes[:v1], of_classes[v1:][order]])
            value = moved.reshape(value.shape)
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_columns_of_classes():
    columns = TASKS["det"].columns
    layer = "roi_head.bbox_head."
    assert columns(f"{layer}fc_cls", [1, 0], "mmlab") == [1, 0, 2]
    assert columns(f"{layer}fc_cls", [1, 0], "official") == [0, 2, 1]
    assert columns(f"{layer}fc_reg", [1, 0], "mmlab") == [4, 5, 6, 7, 0, 1, 2, 3]
    assert columns(f"{layer}fc_reg", [1, 0], "official") == [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7]
    assert columns("roi_head.mask_head.conv_logits", [1, 0], "mmlab") == [1, 0]
    assert columns("roi_head.mask_head.conv_logits", [1, 0], "official") == [0, 2, 1]
    of_cascades = TASKS["det"].last_layers["cascade_mask_rcnn"]  # not the deltas, which are of all classes together
    assert not any(layer.endswith("fc_reg") for layer in of_cascades)
    assert columns(of_cascades[2], [1, 0], "official") == [0, 2, 1]
    assert columns(of_cascades[0], [1, 0], "mmlab") == [1, 0, 2]
    assert columns(of_cascades[-1], [1, 0], "official") == [0, 2, 1]


def test_trunks_of_other_tasks_start_a_detector(caplog, tmp_path):
    """Also the one that uses the finest map alone, whose last exchange is smaller."""
    model = hk.HRNetV2pW18SmallV1("det", num_classes=3)
    heads = ("reduction_conv", "fpn_convs", "rpn_head", "roi_head")
    for other in (hk.HRNetV2W18SmallV1("seg", num_classes=3), hk.HRNetV1W18SmallV1("pose", num_keypoints=2)):
        tensors = tensors_of(other)
        tensors = {name: np.full_like(value, 0.25) if value.ndim else value for name, value in tensors.items()}
        before = tensors_of(model)
        caplog.clear()
        with caplog.at_level("INFO"):
            load_pretrained(
                model, resolve_weights(open_checkpoint(tensors), task="det", representation="V2p", width="W18SmallV1")
            )
        assert "not in the file, unchanged:" in caplog.text and all(word in caplog.text for word in heads)
        assert ("stage4.0 (" in caplog.text) == (info_of(other).task == "pose")
        for name, value in tensors_of(model).items():
            own = name.removeprefix("backbone.")
            is_loaded = name.startswith("backbone.") and own in tensors
            expected = tensors[own] if is_loaded else before[name]
            np.testing.assert_array_equal(value, expected, err_msg=name)
    del tensors["stage3.0.branches.0.0.conv1.weight"]
    with pytest.raises(ValueError, match=r"1 tensors of the trunk are missing or misshapen: stage3\.0\.branches\.0"):
        load_pretrained(model, open_checkpoint(tensors))
