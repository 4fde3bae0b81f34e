"""Every network against its reference program: outputs, intermediate maps, parameters, multiplications."""

import inspect
from collections import Counter

import keras
import numpy as np
import pytest

import hrnet_keras as hk
from hrnet_keras.architecture import ARCHITECTURES, REPRESENTATIONS
from hrnet_keras.builders import hrnet
from hrnet_keras.counting import count_macs, count_parameters, macs_of_layers
from hrnet_keras.layers.model_info import info_of
from hrnet_keras.tasks import TASKS
from tests.networks import NETWORKS, PYRAMID, macs, network_input, parameters, worst


def run(model, x):
    """All outputs of one forward pass, op by op: quicker than tracing for a single picture."""
    return keras.tree.flatten(model(keras.ops.convert_to_tensor(x), training=False))


@pytest.mark.parametrize("case", NETWORKS)
def test_outputs_and_parameters_equal_the_reference(case, golden, weights_rule):
    network = NETWORKS[case]
    meta, arrays = golden(network.kind, case)
    model = network.loaded(meta, weights_rule)
    names = [network.output, *network.taps]
    taps = [model.output, *(model.get_layer(layer).output for layer in network.taps.values())]
    found = run(keras.Model(model.input, taps), network_input(case, meta, weights_rule))
    differences = {name: worst(value, arrays[name]) for name, value in zip(names, found, strict=True)}
    assert max(differences.values()) < network.tolerance, differences
    assert count_parameters(model) == parameters(meta)


def test_pyramid_equals_the_reference(golden, weights_rule):
    case = "det_hrfpn_w48_64x96"
    meta, arrays = golden("detection", case)
    model = PYRAMID.loaded(meta, weights_rule)
    maps = [model.get_layer(f"stage4.2.fuse_layers.{i}").output for i in range(4)]
    found = run(keras.Model(model.input, [*model.outputs, *maps]), network_input(case, meta, weights_rule))
    names = [f"fpn_{i}" for i in range(5)] + [f"backbone_{i}" for i in range(4)]
    differences = {name: worst(value, arrays[name]) for name, value in zip(names, found, strict=True)}
    assert max(differences.values()) < 1e-4, differences
    assert count_parameters(model) == parameters(meta)


def test_timms_feature_maps_are_layers_of_the_classification_net(golden, weights_rule):
    case = "timm_hrnet_w18_small_v2_features_64x96"
    meta, arrays = golden("classification", case)
    whole = hk.HRNetV2W18SmallV2("cls", lineage="timm", include_preprocessing=False)
    layers = ["bn1.relu", *(f"incre_modules.{i}.0" for i in range(4))]
    model = keras.Model(whole.input, [whole.get_layer(name).output for name in layers])
    report = hk.load_torch_weights(model, weights_rule.state_dict(meta))
    assert not report.missing
    found = run(model, network_input(case, meta, weights_rule))
    for i, value in enumerate(found):
        assert worst(value, arrays[f"feat_{i}"]) < 1e-4
    assert count_parameters(model) == parameters(meta)
    assert {size: count_macs(model, size) for size in macs(meta)} == macs(meta)


@pytest.mark.parametrize("case", NETWORKS)
def test_multiplications_equal_the_reference(case, golden):
    meta, _ = golden(NETWORKS[case].kind, case)
    model = NETWORKS[case].build(reference_form=True)
    assert {size: count_macs(model, size) for size in macs(meta)} == macs(meta)


def test_multiplications_of_the_pyramid(golden):
    meta, _ = golden("detection", "det_hrfpn_w48_64x96")
    model = PYRAMID.build(reference_form=True)
    assert count_macs(model, (800, 1280)) == sum(meta["macs_800x1280"].values())
    assert count_macs(model, (64, 96)) == sum(meta["macs_test_size"].values())


# Measured on the official programs; "GFLOPs" of the official tables are these counts / 2^30.
SIZES = [
    ("V2", "W18SmallV1", "seg", {}, (1024, 2048), 1_540_819, 33_390_854_144),
    ("V2", "W18SmallV2", "seg", {}, (1024, 2048), 3_939_579, 76_856_885_248),
    ("V2", "W18", "seg", {}, (1024, 2048), 9_641_119, 147_401_048_064),
    ("V2", "W30", "seg", {}, (1024, 2048), 26_024_695, 323_583_836_160),
    ("V2", "W32", "seg", {}, (1024, 2048), 29_546_515, 361_226_043_392),
    ("V2", "W40", "seg", {}, (1024, 2048), 45_894_435, 535_447_470_080),
    ("V2", "W44", "seg", {}, (1024, 2048), 55_424_779, 636_749_742_080),
    ("V2", "W48", "seg", {}, (1024, 2048), 65_859_379, 747_513_053_184),
    ("V2", "W64", "seg", {}, (1024, 2048), 116_640_339, 1_285_176_688_640),
    ("V2", "W48", "seg", {"num_classes": 20}, (473, 473), 65_860_100, 81_584_825_856),
    ("V2", "W48", "seg", {"num_classes": 150}, (520, 520), 65_953_830, 99_570_749_568),
    ("V2", "W48", "seg", {"head": "ocr"}, (1024, 2048), 70_372_678, 1_295_328_935_936),
    ("V2", "W48", "seg", {"lineage": "mmlab"}, (512, 1024), 65_858_659, 186_878_263_296),
    ("V2", "W18SmallV1", "cls", {}, (224, 224), 13_187_464, 1_601_508_352),
    ("V2", "W18SmallV2", "cls", {}, (224, 224), 15_597_464, 2_595_712_864),
    ("V2", "W18", "cls", {}, (224, 224), 21_299_004, 4_283_537_072),
    ("V2", "W30", "cls", {}, (224, 224), 37_712_220, 8_105_781_680),
    ("V2", "W32", "cls", {}, (224, 224), 41_232_680, 8_921_133_056),
    ("V2", "W40", "cls", {}, (224, 224), 57_557_160, 12_691_997_440),
    ("V2", "W44", "cls", {}, (224, 224), 67_064_984, 14_883_104_960),
    ("V2", "W48", "cls", {}, (224, 224), 77_469_864, 17_277_996_032),
    ("V2", "W64", "cls", {}, (224, 224), 128_059_944, 28_895_395_840),
    ("V2", "W48", "cls", {"head": "ssld", "lineage": "timm"}, (224, 224), 77_466_024, 17_277_996_032),
    ("V2", "W18", "landmark", {"num_keypoints": 98}, (256, 256), 9_662_528, 4_693_650_432),
    ("V1", "W32", "pose", {}, (384, 288), 28_536_113, 17_201_258_496),
    ("V1", "W48", "pose", {}, (256, 192), 63_595_745, 15_691_825_152),
    ("V1", "W48", "pose", {"num_keypoints": 16}, (256, 256), 63_595_696, 20_922_236_928),
]


@pytest.mark.parametrize(("representation", "width", "task", "options", "size", "weights", "work"), SIZES)
def test_sizes_measured_on_the_official_programs(representation, width, task, options, size, weights, work):
    model = hrnet(representation, width, task, reference_form=True, **options)
    assert count_parameters(model) == weights
    assert count_macs(model, size) == work


# Measured on mmdet 3.3.0 with 80 classes: parameters of trunk, pyramid, Faster R-CNN and Mask R-CNN; multiplications of
# trunk and pyramid at 800 x 1280 in units of 1e9 (exactly those of W18 are golden).
DETECTORS = [
    ("W18", 9_562_260, 3_019_776, 27_482_676, 30_125_956, 66.98, 54.70),
    ("W32", 29_305_536, 3_073_536, 47_279_712, 49_922_992, 161.05, 58.14),
    ("W40", 45_521_216, 3_104_256, 63_526_112, 66_169_392, 237.68, 60.11),
    ("W48", 65_325_120, 3_134_976, 83_360_736, 86_004_016, 330.94, 62.07),
]
PARTS = {"neck": ("reduction_conv", "fpn_convs."), "rpn": ("rpn_head.",), "boxes": ("roi_head.bbox_head.",),
         "masks": ("roi_head.mask_head.",), "semantics": ("roi_head.semantic_head.",),
         "points": ("bbox_head.",)}  # fmt: skip


def part_of(layer):
    return next((part for part, beginnings in PARTS.items() if layer.startswith(beginnings)), "trunk")


@pytest.mark.parametrize(("width", "trunk", "neck", "faster", "mask", "trunk_work", "neck_work"), DETECTORS)
def test_sizes_of_detectors(width, trunk, neck, faster, mask, trunk_work, neck_work, golden):
    model = hrnet("V2p", width, "det", framework="mask_rcnn", reference_form=True)
    weights, work = Counter(), Counter()
    for layer in model.layers:
        weights[part_of(layer.name)] += sum(np.prod(variable.shape) for variable in layer.trainable_variables)
    for name, count in macs_of_layers(model, (800, 1280)).items():
        work[part_of(name)] += count
    assert count_parameters(model) == mask and mask - weights["masks"] == faster
    assert (weights["trunk"], weights["neck"]) == (trunk, neck)
    assert (round(work["trunk"] / 1e9, 2), round(work["neck"] / 1e9, 2)) == (trunk_work, neck_work)
    macs = golden("detection", "det_faster_rcnn_w18_128x192")[0]["macs_800x1280"]
    assert work["rpn"] == macs["rpn_head"] and count_macs(model, (800, 1280)) == sum(work.values())
    assert work["boxes"] == 1000 * macs["bbox_head_per_roi"][0] and work["masks"] == 100 * 529_858_560
    if width == "W18":
        assert (work["trunk"], work["neck"]) == (macs["backbone"], macs["neck"])


# The same of cascades and FCOS, behind a trunk and a pyramid of W18.
OTHERS = {"cascade_rcnn": 55_124_386, "cascade_mask_rcnn": 63_054_226, "htc": 65_987_913, "fcos": 17_500_654}
# HRNet-FCOS's own figures of its nets with six levels.
SIX_LEVELS = {"W18": 18.1e6, "W32": 37.9e6, "W40": 54.1e6}


def weights_of(model):
    """Parameters of pyramid and heads."""
    weights = Counter()
    for layer in model.layers:
        weights[part_of(layer.name)] += sum(np.prod(v.shape) for v in layer.trainable_variables)
    neck = weights["neck"]
    return neck, sum(weights.values()) - weights["trunk"] - neck


@pytest.mark.parametrize("framework", OTHERS)
def test_sizes_of_other_detectors(framework):
    """Of heads alone: they don't depend on the trunk's width."""
    model = hrnet("V2p", "W18SmallV1", "det", framework=framework, input_shape=(64, 64, 3))
    _, heads = weights_of(model)
    assert heads == OTHERS[framework] - 9_562_260 - 3_019_776
    if framework != "fcos":
        return
    totals = {"W18": 17_500_654, "W32": 37_297_690, "W40": 53_544_090, "W48": 73_378_714}
    assert all(trunk + neck + heads == totals[width] for width, trunk, neck, *_ in DETECTORS)
    work = macs_of_layers(hrnet("V2p", "W18SmallV1", "det", framework=framework), (800, 1280))
    macs = 104_775_690_240  # measured, as the rest
    assert sum(count for name, count in work.items() if name.startswith("bbox_head.")) == macs


def test_sizes_of_six_levels():
    model = hrnet("V2p", "W18SmallV1", "det", framework="fcos_6l", input_shape=(128, 128, 3))
    _, heads = weights_of(model)
    level = 256 * 256 * 9 + 256
    for width, trunk, neck, *_ in DETECTORS[:3]:
        assert trunk + neck + level + heads == pytest.approx(SIX_LEVELS[width], abs=0.05e6)


@pytest.mark.parametrize("size", [(64, 96), (61, 75), (72, 88)])
@pytest.mark.parametrize("align_corners", [False, True])
def test_the_split_mixing_is_the_plain_one(size, align_corners):
    """A 1x1 convolution and a resize commute: same weights, same answer, at odd sizes too."""
    options = {"task": "seg", "num_classes": 7, "include_preprocessing": False, "align_corners": align_corners}
    split, plain = (hrnet("V2", "W18SmallV1", **options, reference_form=form) for form in (False, True))
    plain.set_weights(split.get_weights())
    x = np.random.default_rng(0).standard_normal((1, *size, 3)).astype(np.float32)
    expected = np.asarray(run(plain, x)[0])
    assert np.abs(np.asarray(run(split, x)[0]) - expected).max() < 2e-5 * expected.std()


@pytest.mark.parametrize(("representation", "task"), [("V2p", None), ("V2", None), ("V2", "landmark"), ("V2", "pose")])
def test_the_split_mixing_is_the_plain_one_everywhere(representation, task):
    split, plain = (hrnet(representation, "W18SmallV1", task, reference_form=form) for form in (False, True))
    plain.set_weights(split.get_weights())
    x = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype(np.float32)
    for found, expected in zip(run(split, x), run(plain, x), strict=True):
        expected = np.asarray(expected)
        assert np.abs(np.asarray(found) - expected).max() < 2e-5 * expected.std()


def test_a_fixed_input_size_changes_nothing():
    dynamic, fixed = (hk.HRNetV2W18SmallV1("seg", input_shape=shape) for shape in ((None, None, 3), (61, 75, 3)))
    fixed.set_weights(dynamic.get_weights())
    x = np.random.default_rng(0).uniform(0, 255, (1, 61, 75, 3)).astype(np.float32)
    np.testing.assert_allclose(run(fixed, x)[0], run(dynamic, x)[0], rtol=1e-6, atol=1e-7)


def test_the_graph_normalises_what_the_official_loaders_normalise():
    model = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    bare = hk.HRNetV2W18SmallV1("seg", num_classes=3, include_preprocessing=False)
    bare.set_weights(model.get_weights())
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 48, 3)).astype(np.float32)
    normalised = (image / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = np.asarray(run(bare, normalised.astype(np.float32))[0])
    assert np.abs(np.asarray(run(model, image)[0]) - expected).max() < 1e-5 * expected.std()


@pytest.mark.parametrize("task", [*TASKS, None])
def test_every_task_has_the_promised_output(task):
    for representation in REPRESENTATIONS if task is None else TASKS[task].representations:
        model = hrnet(representation, "W18SmallV1", task)
        features = [(None, None, None, 256)] * 5, (None, None, None, 16 * (15 if representation == "V2" else 1))
        expected = {
            "cls": (None, 1000), "seg": (None, None, None, 19), "landmark": (None, None, None, 68),
            "pose": (None, None, None, 17), None: features[0 if representation == "V2p" else 1],
            "det": {"boxes": (None, 100, 4), "scores": (None, 100), "labels": (None, 100), "valid": (None,)},
        }[task]  # fmt: skip
        assert keras.tree.map_structure(lambda output: output.shape, model.output) == expected


@pytest.mark.parametrize("width", [width for width in ARCHITECTURES if "Small" not in width])
def test_every_width_has_maps_of_its_channels(width):
    """Seg and cls of every width are counted above."""
    assert hrnet("V1", width).output_shape[-1] == int(width[1:])
    assert hrnet("V2p", width).output_shape == [(None, None, None, 256)] * 5


def test_layers_have_the_names_of_the_state_dict():
    model = hk.HRNetV2W48("seg")
    for name in ("conv1", "bn1", "layer1.0.downsample.0", "transition1.1.0.0", "stage3.2.fuse_layers.0.1.0",
                 "stage3.2.fuse_layers.2.0.1.1", "stage4.2.branches.3.3.conv2", "last_layer.0"):  # fmt: skip
        assert model.get_layer(name).weights


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: hrnet("V2", "W19"), "width='W19': expected one of 'W18', 'W30'"),
        (lambda: hrnet("V3", "W18"), "representation='V3': expected one of 'V1', 'V2', 'V2p'"),
        (lambda: hk.HRNetV2W18("segm"), "task='segm': expected one of 'cls', 'seg'"),
        (lambda: hk.HRNetV2W18("det"), "HRNetV2 has no task='det': that task exists for V2p"),
        (
            lambda: hk.HRNetV2pW18("det", framework="yolo"),
            "framework='yolo': expected one of 'faster_rcnn', ",
        ),
        (lambda: hk.HRNetV2pW18("det", head="ocr"), "with task='det', head='ocr': expected one of None"),
        (lambda: hk.HRNetV2W18("seg", framework="htc"), "with task='seg', framework='htc': expected one of None"),
        (lambda: hk.HRNetV2pW18("det", lineage="timm"), "lineage='timm' has no nets for task='det'"),
        (
            lambda: hk.HRNetV2pW18("det", framework="centernet", lineage="mmlab"),
            "lineage='mmlab' has no nets for task='det', framework='centernet': expected one of 'official'",
        ),
        (
            lambda: hk.HRNetV2pW18("det", framework="fcos_6l", input_shape=(64, 128, 3)),
            "height 64, expected a multiple of 32, at least 128",
        ),
        (lambda: hk.HRNetV2pW18("seg"), "HRNetV2p has no task='seg': that task exists for V1, V2"),
        (lambda: hk.HRNetV1W18("cls"), "HRNetV1 has no task='cls': that task exists for V2"),
        (lambda: hk.HRNetV2W18("seg", weights="cityscape"), "weights='cityscape': expected None, the path of"),
        (lambda: hk.HRNetV2W18("seg", weights="no.weights.h5"), "weights='no.weights.h5': no such file"),
        (lambda: hk.HRNetV2W18("seg", lineage="mmseg"), "lineage='mmseg': expected one of 'official'"),
        (
            lambda: hk.HRNetV2W18("seg", lineage="timm"),
            "lineage='timm' has no nets for task='seg': expected one of 'official'",
        ),
        (lambda: hk.HRNetV2W18("seg", head="fcn"), "head='fcn': expected one of None, 'ocr'"),
        (lambda: hk.HRNetV1W18("seg", head="ocr"), "head='ocr' needs all four maps"),
        (
            lambda: hk.HRNetV2W18("cls", align_corners=True),
            "align_corners=True: nets for task='cls' have no such choice",
        ),
        (lambda: hk.HRNetV2W18("pose", num_classes=3), "num_classes=3 does not belong to task='pose'"),
        (lambda: hk.HRNetV2W18("seg", num_classes=0), "num_classes=0: expected a positive whole number"),
        (lambda: hk.HRNetV2W18("seg", output_stride=2), "output_stride=2: expected one of 1, 4"),
        (lambda: hk.HRNetV1W32("pose", input_shape=(250, 192, 3)), r"height 250, expected a multiple of 32"),
        (lambda: hk.HRNetV2W18("cls", input_shape=(224, 200, 3)), r"width 200, expected a multiple of 32"),
        (lambda: hk.HRNetV2pW18(input_shape=(32, 64, 3)), r"height 32, expected a multiple of 32, at least 64"),
        (lambda: hk.HRNetV2W18("seg", input_shape=(64, 64)), r"expected \(height, width, 3\)"),
        (lambda: hk.HRNetV2W18("seg", input_shape=(64, 64, 1)), r"expected \(height, width, 3\)"),
    ],
)
def test_impossible_requests_are_named(call, expected):
    with pytest.raises(ValueError, match=expected) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("representation", "task"), [("V1", "pose"), ("V2", "cls"), ("V2p", None)])
def test_pictures_of_an_unusable_size_are_refused(representation, task):
    model = hrnet(representation, "W18SmallV1", task)
    with pytest.raises(ValueError, match="picture of width 90: this network takes multiples of 32 alone"):
        model(np.zeros((1, 64, 90, 3), np.float32))
    with pytest.raises(ValueError, match="height 65"):
        model.predict(np.zeros((1, 65, 64, 3), np.float32), verbose=0)


def test_weights_of_another_width_are_refused_by_name(tmp_path):
    path = str(tmp_path / "small.weights.h5")
    hk.HRNetV2W18SmallV1("seg", num_classes=3).save_weights(path)
    again = hk.HRNetV2W18SmallV1("seg", num_classes=3, weights=path)
    assert count_parameters(again) > 0
    with pytest.raises(ValueError, match=r"small\.weights\.h5' do not fit 'hrnetv2_w18_seg'"):
        hk.HRNetV2W18("seg", num_classes=3, weights=path)


def test_public_builders_show_the_promised_signature():
    names = list(inspect.signature(hk.HRNetV2W48).parameters)
    assert names == ["task", "num_classes", "num_keypoints", "framework", "input_shape", "weights", "lineage",
                     "align_corners", "head", "include_preprocessing", "output_stride", "name"]  # fmt: skip
    assert "HRNetV2-W48" in hk.HRNetV2W48.__doc__


SAVED = [("V2", task.name, head) for task in TASKS.values() for head in task.variants if "V2" in task.representations]
SAVED += [("V1", None, None), ("V2p", None, None), ("V2p", "det", "mask_rcnn")]


@pytest.mark.parametrize(("representation", "task", "head"), SAVED)
def test_models_survive_saving(representation, task, head, tmp_path):
    variant = {} if task is None else {TASKS[task].variant_word: head}
    model = hrnet(representation, "W18SmallV1", task, **variant, input_shape=(64, 64, 3))
    model.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")
    x = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    for found, expected in zip(run(again, x), run(model, x), strict=True):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    if task:
        assert info_of(again) == info_of(model) and info_of(again).task == task


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_float32_outputs(policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    plain = hk.HRNetV2W18SmallV1("seg", num_classes=3)
    plain.set_weights(model.get_weights())
    x = np.random.default_rng(0).uniform(0, 255, (1, 61, 75, 3)).astype(np.float32)
    found, expected = np.asarray(run(model, x)[0]), np.asarray(run(plain, x)[0])
    assert found.dtype == np.float32
    # bfloat16 has 8 bits; the freshly built net has no long chain of scaled maps to amplify them
    assert np.abs(found - expected).max() < 0.2 * expected.std()
