"""The first half of two-stage detectors: a pyramid's regions that may be objects, and how they are learnt."""

from dataclasses import dataclass
from typing import Any

import keras

from hrnet_keras.tasks.detection.parts.anchors import pyramid_anchors
from hrnet_keras.tasks.detection.parts.proposals import Proposals, propose
from hrnet_keras.tasks.detection.parts.rpn import learn_anchors
from hrnet_keras.tasks.detection.parts.rpn_head import RPNHead
from hrnet_keras.tasks.detection.parts.rules import Rules
from hrnet_keras.tasks.detection.parts.sampler import Sampler
from hrnet_keras.tasks.detection.parts.stages import Propose, level_sizes
from hrnet_keras.tasks.detection.parts.truths import Truths

LOSSES = {"loss_rpn_cls": 1.0, "loss_rpn_bbox": 1.0}  # as mmdet logs them


def propose_regions(pyramid: list[Any], sizes: Any, rules: Rules) -> dict[str, Any]:
    """The proposals of a functional model, see `stages.Propose`.

    Args:
        pyramid: five levels.
        sizes: of the pictures without padding, `(batch, 2)`.
        rules: of the lineage.
    """
    logits, deltas = RPNHead.create()(pyramid)
    layer = Propose(rules.inference, v1=rules.v1, name="proposals")
    return layer(maps=pyramid, logits=logits, deltas=deltas, sizes=sizes)


@dataclass(frozen=True)
class Proposer:
    """The trained RPN of a detector, and how it learns.

    Attributes:
        head: the RPN's.
        rules: of the lineage.
        sampler: chooses the anchors that the losses look at.
    """

    head: RPNHead
    rules: Rules
    sampler: Sampler

    @classmethod
    def of(cls, model: keras.Model, rules: Rules, seed: Any) -> "Proposer":
        """That of a model.

        Args:
            model: a detector.
            rules: of its lineage.
            seed: a `keras.random.SeedGenerator` for the samples; `None` keeps all.
        """
        sampler = Sampler(None) if seed is None else Sampler(rules.num_anchors, 0.5, seed)
        return cls(RPNHead.of(model), rules, sampler)

    @property
    def layers(self) -> list[keras.Layer]:
        """All layers with weights."""
        return self.head.layers

    def learn(self, pyramid: list[Any], truths: Truths) -> tuple[dict[str, Any], Proposals]:
        """The losses of a batch, `{name: (batch,)}`, and the proposals that its heads learn from."""
        rules = self.rules
        logits, deltas = self.head(pyramid)
        learnt = learn_anchors(
            pyramid, logits, deltas, truths, self.sampler, beta=rules.rpn_beta, inside=rules.anchors_inside, v1=rules.v1
        )
        anchors = pyramid_anchors(level_sizes(pyramid), v1=rules.v1)
        proposals = propose(logits, deltas, anchors, truths.sizes, rules.training)
        return dict(zip(LOSSES, learnt, strict=True)), proposals
