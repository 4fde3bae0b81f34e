"""The numbers of every HRNet and the conventions of every lineage (arXiv:1904.04514, section 3; no tensors here)."""

from dataclasses import dataclass

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
class Pixels:
    """What a net's first convolution is shown of a picture: `(pixel - mean) / std`.

    Attributes:
        mean, std: of red, green and blue, in 0..255.
        bgr: whether blue comes first.
    """

    mean: tuple[float, float, float] = (0.485 * 255, 0.456 * 255, 0.406 * 255)
    std: tuple[float, float, float] = (0.229 * 255, 0.224 * 255, 0.225 * 255)
    bgr: bool = False


IMAGENET = Pixels()  # every official net


@dataclass(frozen=True)
class Conventions:
    """What a published family of weights expects of the graph around the same tensors.

    Attributes:
        upsampling: in the exchanges: `"nearest"`, `"bilinear"` (straight to the finer size) or `"bilinear_two_steps"`
            (by the power of two, then to the finer size).
        align_corners: whether bilinear resizing keeps the corner pixels in place, in exchanges, mixing and output.
        momentum: of the running statistics, in Keras's sense (1 - PyTorch's).
        mixing_bias: whether the 1x1 convolution that mixes the branches has a bias.
        pixels: how pictures are normalised.
        levels: of the pyramid of V2p; 0: the mixed map alone.
        level_strides: of the convolution of every level; 2 halves all levels.
    """

    upsampling: str = "bilinear"
    align_corners: bool = False
    momentum: float = 0.9
    mixing_bias: bool = True
    pixels: Pixels = IMAGENET
    levels: int = PYRAMID_LEVELS
    level_strides: int = 1

    @property
    def least_side(self) -> int:
        """Pixels that both sides of a picture need for the coarsest level of V2p to be pooled from anything."""
        return 2 ** (self.levels + 1)


NEAREST = Conventions(upsampling="nearest")
OFFICIAL_DENSE = Conventions(momentum=0.99)
LINEAGES = ("official", "official_torch04", "mmlab", "timm")
# Of a representation that is built without a task: those of the nets that it was published in.
BARE = {
    "V1": {"official": NEAREST, "mmlab": NEAREST},
    "V2": {
        "official": OFFICIAL_DENSE, "official_torch04": OFFICIAL_DENSE,
        "mmlab": Conventions(upsampling="bilinear_two_steps", mixing_bias=False),
    },
    "V2p": {"official": NEAREST, "mmlab": NEAREST},
}  # fmt: skip


def bare_conventions(lineage, representation):
    """The conventions of a representation that is built without a task.

    Raises:
        ValueError: the lineage has no such nets.
    """
    if lineage not in BARE[representation]:
        known = ", ".join(map(repr, BARE[representation]))
        raise ValueError(f"lineage={lineage!r} has no HRNet{representation} without a task: expected one of {known}")
    return BARE[representation][lineage]
