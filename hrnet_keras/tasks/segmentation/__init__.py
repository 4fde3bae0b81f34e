"""What is at every pixel? (`seg`)"""

from hrnet_keras.architecture import OFFICIAL_DENSE, Conventions
from hrnet_keras.tasks.segmentation.namings import NAMINGS
from hrnet_keras.tasks.segmentation.recipe import Augment, Loss
from hrnet_keras.tasks.task import DemoConfig, Task

_MMLAB = Conventions(upsampling="bilinear_two_steps", mixing_bias=False)
_OCR_BRANCH = Conventions(align_corners=True)


def _variant_of(names):
    return "ocr" if any(name.startswith(("cls_head.", "decode_head.1.")) for name in names) else None


TASK = Task(
    name="seg",
    folder="segmentation",
    representations=("V2", "V1"),
    conventions={
        "official": OFFICIAL_DENSE,
        # Trained under PyTorch 0.4.1 with in-place batch norm, whose gamma in effect is |weight| + 1e-5.
        "official_torch04": OFFICIAL_DENSE,
        "mmlab": _MMLAB,
    },
    variant_conventions={"ocr": {"official": _OCR_BRANCH, "official_torch04": _OCR_BRANCH, "mmlab": _MMLAB}},
    counts="num_classes",
    default_count=19,
    output="logits",
    last_layers={None: ("last_layer.3",), "ocr": ("cls_head", "aux_head.3")},
    marks=("last_layer.", "decode_head.", "aux_head.", "cls_head."),
    augment=Augment,
    loss=Loss,
    head_layers=("last_layer.", "cls_head.", "aux_head.", "conv3x3_ocr."),
    variant_of=_variant_of,
    namings=NAMINGS,
    output_strides=(1, 4),
    may_align_corners=True,
    saved_as=".png",
    predict_options=("size",),
    demo=DemoConfig(
        goal="label the pixels of drawn street scenes",
        recipe="seg/toytown_hrnetv2_w18_small_v1",
        drawing={"legend": False},
    ),
)
