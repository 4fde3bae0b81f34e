"""Mask heads of which each also sees what the one before has seen: the information flow of arXiv:1901.07518, 3.1."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from hrnet_keras.architecture import PYRAMID_CHANNELS
from hrnet_keras.layers import Conv2D
from hrnet_keras.tasks.detection.parts.mask_head import MaskHead, kaiming
from hrnet_keras.tasks.detection.parts.mask_stages import NAMES


@dataclass(frozen=True)
class MaskFlow:
    """Features of boxes -> mask logits of several heads.

    Attributes:
        heads: one per stage.
        links: 1x1, one between every two heads, `conv_res.conv` of the later one.

    Source: `HTCMaskHead` of mmdet 3.3.0.
    """

    heads: tuple[MaskHead, ...]
    links: tuple[keras.layers.Layer, ...]

    @classmethod
    def create(cls, *, num_masks: int, channels: int = PYRAMID_CHANNELS) -> "MaskFlow":
        """New heads; arguments as of `MaskHead.create`."""
        heads = tuple(MaskHead.create(num_masks=num_masks, channels=channels, name=name) for name in NAMES)
        options: dict[str, Any] = {"activation": "relu"}
        links = tuple(
            Conv2D(channels, 1, kernel_initializer=kaiming(), name=f"{name}.conv_res.conv", **options)
            for name in NAMES[1:]
        )
        return cls(heads, links)

    @classmethod
    def of(cls, model: keras.Model) -> "MaskFlow":
        """The heads that a model has."""
        links = tuple(model.get_layer(f"{name}.conv_res.conv") for name in NAMES[1:])
        return cls(tuple(MaskHead.of(model, name=name) for name in NAMES), links)

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights."""
        return [*(layer for head in self.heads for layer in head.layers), *self.links]

    def __call__(self, features: Any) -> list[Any]:
        """Mask logits `(boxes, 28, 28, num_masks)` of every head from features `(boxes, 14, 14, channels)`."""
        return [head.answer(x) for head, x in zip(self.heads, self._looks(features), strict=True)]

    def of_stage(self, k: int, features: Any) -> Any:
        """The logits of head `k` alone; those before it pass on what they see."""
        looked = [x for _, x in zip(range(k + 1), self._looks(features), strict=False)]
        return self.heads[k].answer(looked[k])

    def _looks(self, features: Any) -> Iterator[Any]:
        """What each head sees, one after the other."""
        seen = self.heads[0].look(features)
        yield seen
        for head, link in zip(self.heads[1:], self.links, strict=True):
            seen = head.look(features + link(seen))
            yield seen
