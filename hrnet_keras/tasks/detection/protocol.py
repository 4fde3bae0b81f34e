"""How often a detector looks at a picture: at several sizes, at its mirror image, and how it joins what it found."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hrnet_keras.ranges import probability
from hrnet_keras.tasks.detection.resizing import Size

BEST = 100  # objects of a picture, as COCO counts them


@dataclass(frozen=True)
class Protocol:
    """Looks at a picture.

    Args:
        sizes: (short, long) side at most of every look, or the long one alone; none: the model's own, or `predict`'s.
        flip: looks at the mirror image of every one, too.
        soft: of objects found in several looks the worse lose score by how much they overlap the best (as CenterNet
            does); else they go.
        threshold: intersection over union above which they go.

    Source: `DetTTAModel` of mmdet 3.3.0 and its configurations, whose looks are joined by one more suppression.
    """

    sizes: tuple[int | Size, ...] = ()
    flip: bool = False
    soft: bool = False
    threshold: float = 0.5

    def __post_init__(self):
        probability(threshold=self.threshold)

    @property
    def is_one_look(self) -> bool:
        """Whether there is nothing to join."""
        return len(self.sizes) < 2 and not self.flip


def protocol_of(given: Any) -> Protocol:
    """The `Protocol` that a user gives: one, a dict of its fields, or `None` for one look.

    Raises:
        ValueError: anything else.
    """
    if given is None:
        return Protocol()
    if isinstance(given, Protocol):
        return given
    known = [field.name for field in fields(Protocol)]
    if not isinstance(given, Mapping) or not set(given) <= set(known):
        raise ValueError(f"protocol={given!r}: expected a dict of {', '.join(known)} where objects are looked for")
    sizes = given.get("sizes", ())
    if not isinstance(sizes, (list, tuple)):
        raise ValueError(f"protocol: sizes={sizes!r}: expected a list of (short, long)")
    return Protocol(**{**given, "sizes": tuple(sizes)})


@dataclass(frozen=True)
class Found:
    """What one look, or several, found in a picture.

    Attributes:
        boxes: float64 `(n, 4)` xyxy in pixels of the picture.
        scores: `(n,)`, best first.
        labels: `(n,)`.
        masks: `(n, height, width)`, probabilities over the boxes, or `None`.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None = None

    def mirrored(self, width: float, *, plus_one: bool = False) -> "Found":
        """The same in a picture that is `width` pixels wide and was looked at in a mirror.

        Args:
            width: in the units of the boxes.
            plus_one: boxes end on their last pixel (v1).
        """
        boxes = self.boxes.copy()
        boxes[:, [0, 2]] = width - int(plus_one) - self.boxes[:, [2, 0]]
        masks = None if self.masks is None else self.masks[:, :, ::-1]
        return Found(boxes, self.scores, self.labels, masks)

    def scaled(self, factors: tuple[float, float]) -> "Found":
        """With boxes in a picture that is so many times as high and as wide."""
        boxes = self.boxes * np.array([factors[1], factors[0]] * 2)
        return Found(boxes, self.scores, self.labels, self.masks)


def joined(looks: list[Found], protocol: Protocol, *, plus_one: bool = False) -> Found:
    """What several looks at a picture found, each object once.

    Args:
        looks: in pixels of the same picture.
        protocol: how they are joined.
        plus_one: widths are `x2 - x1 + 1` (v1).

    Returns:
        The best 100.
    """
    from hrnet_keras.tasks.detection.parts.nms import nms
    from hrnet_keras.tasks.detection.parts.soft_nms import soft_nms

    boxes, scores, labels = (
        np.concatenate([getattr(look, word) for look in looks]) for word in ("boxes", "scores", "labels")
    )
    if not len(scores):
        return looks[0]
    rows = (boxes[None].astype(np.float32), scores[None].astype(np.float32), np.ones((1, len(scores)), bool))
    options: dict[str, Any] = {"groups": labels[None].astype(np.int32), "max_output": BEST, "plus_one": plus_one}
    if protocol.soft:
        kept: Any = soft_nms(*rows, **options)
    else:
        kept = nms(*rows, **options, threshold=protocol.threshold)
    valid = np.asarray(kept.valid)[0]
    indices = np.asarray(kept.indices)[0][valid]
    left = np.asarray(kept.scores)[0][valid] if protocol.soft else scores[indices]
    masks = None
    if looks[0].masks is not None:
        masks = np.concatenate([look.masks for look in looks if look.masks is not None])[indices]
    return Found(boxes[indices], left, labels[indices], masks)
