"""The test-time rules of published scores: which data set is looked at how, by whom."""

from dataclasses import dataclass, replace
from typing import Any

MODES = ("whole", "windows", "sliding", "cityscapes", "fixed")
MULTI_SCALE = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
MULTI_SCALE_TO_2 = (*MULTI_SCALE, 2.0)  # of PASCAL-Context, ADE20K and COCO-Stuff


@dataclass(frozen=True)
class Protocol:
    """How a picture is shown to the net.

    Args:
        mode: `"whole"`: the scaled picture at once; `"windows"`: windows of `window` at two thirds of their size apart,
            not moved back at the edge (PASCAL-Context, ADE20K, COCO-Stuff); `"sliding"`: windows `stride` apart, moved
            back at the edge, their logits averaged (mmsegmentation); `"cityscapes"`: whole up to scale 1, above it
            windows side by side, moved back at the edge; `"fixed"`: resized to `window` whatever its shape (LIP).
        window: `(height, width)`.
        base_size: pixels of the long side at scale 1; `None`: the picture's own.
        scales: whose scores are added.
        flip: adds the mirrored picture: mean of the logits (of the probabilities, where `combine` says so).
        stride: pixels between windows of `"sliding"`.
        short_size: pixels that the short side has at most at scale 1, beside `base_size` for the long one.
        first_short_size: the picture is first brought to this short side and padded with the mean colour to multiples
            of 8; scales and windows come after that (the official OCR branch).
        combine: `"exp"`: the exponentials of the logits are added (official); `"softmax"`: the mean of the
            probabilities of all scales and both sides (mmsegmentation).

    Source: `inference`, `multi_scale_inference` of the data sets of HRNet-Semantic-Segmentation; mmsegmentation 1.2.2.
    """

    mode: str = "whole"
    window: tuple[int, int] | None = None
    base_size: int | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    stride: tuple[int, int] | None = None
    short_size: int | None = None
    first_short_size: int | None = None
    combine: str = "exp"

    def __post_init__(self):
        if self.mode not in MODES:
            raise ValueError(f"mode={self.mode!r}: expected one of {', '.join(map(repr, MODES))}")
        if self.mode != "whole" and self.window is None:
            raise ValueError(f"mode={self.mode!r} needs window=(height, width)")
        if self.mode == "sliding" and self.stride is None:
            raise ValueError("mode='sliding' needs stride=(height, width)")
        if not self.scales or min(self.scales) <= 0:
            raise ValueError(f"scales={self.scales!r}: expected numbers above 0")
        if self.combine not in ("exp", "softmax"):
            raise ValueError(f"combine={self.combine!r}: expected 'exp' or 'softmax'")


# How the published scores of a data set were measured (single scale), by the name in its info: at the official
# branches master and pytorch-v1.1, and where the OCR branch and mmsegmentation do otherwise.
PUBLISHED = {
    "cityscapes": Protocol("cityscapes", (1024, 2048), 2048),
    "lip": Protocol("fixed", (473, 473)),
    "pascal_context_59": Protocol("windows", (480, 480), 520),
    "pascal_context_60": Protocol("windows", (480, 480), 520),
    "ade20k": Protocol("windows", (520, 520), 520, first_short_size=520),
    "cocostuff": Protocol("windows", (520, 520), 520, first_short_size=520),
}
_OCR_PASCAL = Protocol("windows", (520, 520), 520, first_short_size=520)
_MMSEG_PASCAL = Protocol("sliding", (480, 480), 520, stride=(320, 320), short_size=520, combine="softmax")
BRANCHES = {
    "HRNet-OCR": {"pascal_context_59": _OCR_PASCAL, "pascal_context_60": _OCR_PASCAL},
    "mmsegmentation": {
        "cityscapes": Protocol(base_size=2048, short_size=1024, combine="softmax"),
        "pascal_context_59": _MMSEG_PASCAL,
        "pascal_context_60": _MMSEG_PASCAL,
        "ade20k": Protocol(base_size=2048, short_size=512, combine="softmax"),
        "voc2012": Protocol(base_size=2048, short_size=512, combine="softmax"),
    },
}


def changed(protocol: Protocol, changes: dict[str, Any]) -> Protocol:
    """A protocol with other values; `rule` is the earlier name of `mode`."""
    changes = dict(changes)
    if "rule" in changes:
        changes["mode"] = changes.pop("rule")
    return replace(protocol, **changes)


def published_protocol(data: str, published: dict[str, Any] | None = None) -> Protocol:
    """How a published score was measured.

    Args:
        data: name of the data set, as in its info.
        published: of the weights that were published (`info_of(model).published`): `branch`, `multi_scale`, `flip`;
            `None`: the official single-scale rule.

    Returns:
        A `Protocol`; the plain one for a data set without published scores.
    """
    published = published or {}
    of_branch = BRANCHES.get(published.get("branch", ""), {})
    protocol = of_branch.get(data) or PUBLISHED.get(data, Protocol())
    if published.get("multi_scale"):
        to_2 = data != "cityscapes" and protocol.combine == "exp"
        protocol = replace(protocol, scales=MULTI_SCALE_TO_2 if to_2 else MULTI_SCALE)
    if published.get("flip"):
        protocol = replace(protocol, flip=True)
    return protocol
