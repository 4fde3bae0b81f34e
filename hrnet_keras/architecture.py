"""The numbers of every HRNet and the conventions of every lineage (arXiv:1904.04514, section 3; no tensors here)."""

from dataclasses import dataclass, replace

REPRESENTATIONS = ("V1", "V2", "V2p")
PYRAMID_CHANNELS = 256  # of every level of V2p
PYRAMID_LEVELS = 5


@dataclass(frozen=True)
class Architecture:
    """One net: `modules` and `blocks` of stages 2, 3 and 4, bottlenecks of stage 1, channels of branch 0."""

    width: int
    modules: tuple[int, int, int] = (1, 4, 3)
    blocks: int = 4
    bottlenecks: int = 4
    bottleneck_planes: int = 64

    def channels(self, branches):
        """Channels of the first `branches` branches: every step down in resolution doubles them."""
        return tuple(self.width * 2**i for i in range(branches))


ARCHITECTURES = {f"W{width}": Architecture(width) for width in (18, 30, 32, 40, 44, 48, 64)}
ARCHITECTURES["W18SmallV1"] = Architecture(16, modules=(1, 1, 1), blocks=2, bottlenecks=1, bottleneck_planes=32)
ARCHITECTURES["W18SmallV2"] = Architecture(18, modules=(1, 3, 2), blocks=2, bottlenecks=2)


@dataclass(frozen=True)
class Conventions:
    """What a published family of weights expects of the graph around the same tensors.

    Attributes:
        upsampling: in the exchanges: `"nearest"`, `"bilinear"` (straight to the finer size) or `"bilinear_two_steps"`
            (by the power of two, then to the finer size).
        align_corners: whether bilinear resizing keeps the corner pixels in place, in exchanges, mixing and output.
        momentum: of the running statistics, in Keras's sense (1 - PyTorch's).
        mixing_bias: whether the 1x1 convolution that mixes the branches has a bias.
        head_biases: whether the convolutions of the classification head have biases.
    """

    upsampling: str = "bilinear"
    align_corners: bool = False
    momentum: float = 0.9
    mixing_bias: bool = True
    head_biases: bool = True


# Which task a representation follows where it is asked for without one, or for one the paper does not pair it with.
HOME_TASK = {"V1": "pose", "V2": "seg", "V2p": "det"}

_NEAREST = Conventions(upsampling="nearest")
_OFFICIAL_DENSE = Conventions(momentum=0.99)
LINEAGES = {
    "official": {
        "cls": _NEAREST, "pose": _NEAREST, "det": _NEAREST, "seg": _OFFICIAL_DENSE, "landmark": _OFFICIAL_DENSE,
    },
    # Trained under PyTorch 0.4.1 with in-place batch norm, whose gamma in effect is |weight| + 1e-5 (loading knows).
    "official_torch04": {"seg": _OFFICIAL_DENSE},
    "mmlab": {
        "seg": Conventions(upsampling="bilinear_two_steps", mixing_bias=False),
        "landmark": Conventions(), "pose": _NEAREST, "det": _NEAREST,
    },
    "timm": {"cls": _NEAREST},
}  # fmt: skip


def conventions(lineage, task, representation, *, align_corners=None, head=None):
    """Looks up the conventions of a lineage for a task.

    Args:
        lineage: a key of `LINEAGES`.
        task: `"cls"`, `"seg"`, `"landmark"`, `"pose"`, `"det"` or `None` (that of the representation's home task).
        representation: one of `REPRESENTATIONS`.
        align_corners: for seg, whether the net was trained with aligned corners; `None` is the lineage's own answer.
        head: `"ocr"` (seg), `"ssld"` (cls) or `None`.

    Returns:
        The `Conventions`.

    Raises:
        ValueError: the lineage has no such task, or `align_corners` is given for another task than seg.

    Source: sections 1 of the official classification, segmentation (three branches), facial-landmark and pose
    repositories and of mmsegmentation 1.2.2, mmpose 1.x and mmdetection 3.3.0.
    """
    asked = task or HOME_TASK[representation]
    table = LINEAGES[lineage]
    if asked not in table:
        tasks = ", ".join(repr(name) for name in table)
        raise ValueError(f"lineage={lineage!r} has no nets for task={asked!r}: it has {tasks}")
    found = table[asked]
    if align_corners is not None and asked != "seg":
        raise ValueError(f"align_corners={align_corners!r} is for task='seg' alone, given with task={task!r}")
    if head == "ocr":  # the OCR branch: aligned corners throughout, PyTorch's usual momentum
        official = lineage != "mmlab"
        found = replace(found, align_corners=official, momentum=0.9)
    if align_corners is not None:
        branch_momentum = 0.9 if align_corners else found.momentum
        found = replace(found, align_corners=align_corners, momentum=branch_momentum)
    if head == "ssld":
        found = replace(found, head_biases=False)
    return found
