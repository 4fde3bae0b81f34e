"""The networks that golden numbers exist for: how we build what the reference program built."""

from dataclasses import dataclass, field

import numpy as np

from hrnet_keras.builders import hrnet
from hrnet_keras.checkpoints import load_torch_weights

MAPS = [f"stage4.2.fuse_layers.{i}" for i in range(4)]
SMALL_MAPS = [f"stage4.1.fuse_layers.{i}" for i in range(4)]
TINY_MAPS = [f"stage4.0.fuse_layers.{i}" for i in range(4)]


def stages(last3, last4):
    """Tap names of a golden -> our layers: the outputs of layer1 and of the last module of every stage."""
    taps = {f"stage2_{i}": f"stage2.0.fuse_layers.{i}" for i in range(2)}
    taps |= {f"stage3_{i}": f"stage3.{last3}.fuse_layers.{i}" for i in range(3)}
    return taps | {f"stage4_{i}": f"stage4.{last4}.fuse_layers.{i}" for i in range(4)}


_BUILT = {}
LARGE = 25_000_000  # numbers of a model above which it is not kept for later tests


@dataclass(frozen=True)
class Network:
    """One golden case: `net` is (representation, width, task), `taps` maps names in its npz to our layers."""

    kind: str
    net: tuple
    options: dict = field(default_factory=dict)
    output: str = "logits"
    taps: dict = field(default_factory=dict)
    tolerance: float = 1e-4  # of the output's standard deviation: the golden README's

    def build(self, *, reference_form=False):
        """The model as the reference takes and gives numbers: normalised input, the head's own stride.

        Small models are built once; of large ones, and of those in the reference's form, the last one is kept.
        """
        key = (id(self), reference_form)
        if key not in _BUILT:
            for other, model in list(_BUILT.items()):
                if other[1] or model.count_params() > LARGE:
                    del _BUILT[other]
            stride = {"output_stride": 4} if self.net[2] == "seg" else {}
            _BUILT[key] = hrnet(
                *self.net, include_preprocessing=False, reference_form=reference_form, **stride, **self.options
            )
        return _BUILT[key]

    def loaded(self, meta, weights_rule):
        """The model with the weights of the rule."""
        model = self.build()
        load_torch_weights(model, weights_rule.state_dict(meta), lineage=self.options.get("lineage"))
        return model


POOLED = 2e-5  # pooled logits hardly change from input to input, so the README asks for more
SEG, CLS = "segmentation", "classification"
NETWORKS = {
    "cls_w18_64x96": Network(CLS, ("V2", "W18", "cls"), taps={
        "stem": "bn2.relu", "layer1": "layer1.3", **stages(3, 2),
        "final_layer": "final_layer.1.relu"}, tolerance=POOLED),
    "cls_w18_small_v1_64x64": Network(CLS, ("V2", "W18SmallV1", "cls"), tolerance=POOLED),
    "cls_w18_small_v2_96x64": Network(CLS, ("V2", "W18SmallV2", "cls"), tolerance=POOLED),
    "cls_w32_64x96": Network(CLS, ("V2", "W32", "cls"), tolerance=POOLED),
    "timm_hrnet_w18_small_v2_64x96": Network(CLS, ("V2", "W18SmallV2", "cls"), {"lineage": "timm"}, tolerance=POOLED),
    "timm_hrnet_w18_ssld_64x64": Network(
        CLS, ("V2", "W18", "cls"), {"lineage": "timm", "head": "ssld"}, tolerance=POOLED),
    "seg_pt11_w18small_v2_64x96": Network(
        SEG, ("V2", "W18SmallV2", "seg"), taps={"layer1": "layer1.1", **stages(2, 1)}),
    "seg_v11_w18_small_v1_64x96": Network(
        SEG, ("V2", "W18SmallV1", "seg"), output="output",
        taps={"layer1": "layer1.0", **stages(0, 0), "last_layer_0": "last_layer.0"}),
    "seg_v11_w18_small_v2_72x88": Network(SEG, ("V2", "W18SmallV2", "seg"), output="output"),
    "seg_pt11_w48_59cls_61x75": Network(SEG, ("V2", "W48", "seg"), {"num_classes": 59}),
    "seg_pt11_w48_64x96": Network(SEG, ("V2", "W48", "seg")),
    "seg_master_w18_small_v1_64x64": Network(
        SEG, ("V2", "W18SmallV1", "seg"), {"lineage": "official_torch04"}, output="output"),
    "seg_master_w18small_v2_64x96": Network(SEG, ("V2", "W18SmallV2", "seg"), {"lineage": "official_torch04"}),
    "seg_ocrbranch_w18_ac1_64x96": Network(SEG, ("V2", "W18", "seg"), {"align_corners": True}),
    "seg_ocr_w18_64x96": Network(SEG, ("V2", "W18", "seg"), {"head": "ocr"}, output="out", taps={"aux": "aux_head.3"}),
    "mmseg_fcn_hr18_64x96": Network(
        SEG, ("V2", "W18", "seg"), {"lineage": "mmlab"}, taps={f"backbone_{i}": MAPS[i] for i in range(4)}),
    "mmseg_fcn_hr18s_72x88": Network(SEG, ("V2", "W18SmallV2", "seg"), {"lineage": "mmlab"}, output="output"),
    "landmark_w18_19pt_64x64": Network("landmark", ("V2", "W18", "landmark"), {"num_keypoints": 19}, output="heatmap"),
    "landmark_w18_29pt_72x88": Network("landmark", ("V2", "W18", "landmark"), {"num_keypoints": 29}, output="heatmap"),
    "landmark_w18_68pt_64x64": Network(
        "landmark", ("V2", "W18", "landmark"), output="heatmap",
        taps={"layer1": "layer1.3", **{k: v for k, v in stages(3, 2).items() if "stage3" not in k}}),
    "pose_w32_16kp_64x64": Network("pose", ("V1", "W32", "pose"), {"num_keypoints": 16}, output="heatmap"),
    "pose_w32_17kp_128x96": Network("pose", ("V1", "W32", "pose"), output="heatmap"),
}  # fmt: skip
PYRAMID = Network("detection", ("V2p", "W48", None), {"lineage": "mmlab"})


def network_input(case, meta, weights_rule):
    """The case's input, `(batch, height, width, 3)`."""
    shape = meta["input_shape"] if "input_shape" in meta else meta["input"]["shape"]
    return weights_rule.network_input(case, shape).transpose(0, 2, 3, 1)


def channels_last(array):
    """A map of the goldens in our layout."""
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def worst(found, expected):
    """Largest difference, in standard deviations of what was expected."""
    expected = channels_last(expected)
    assert tuple(found.shape) == expected.shape
    return float(np.abs(np.asarray(found) - expected).max() / expected.std())


def parameters(meta):
    """Trainable parameters that a golden states."""
    return meta.get("param_count") or meta.get("params_trainable") or sum(meta["params"].values())


def macs(meta):
    """`{(height, width): multiply-accumulates}` that a golden states, for batch 1."""
    stated = meta.get("macs_conv_linear_batch1") or meta.get("macs_conv_linear")
    return {tuple(map(int, size.split()[0].split("x"))): count for size, count in stated.items()}
