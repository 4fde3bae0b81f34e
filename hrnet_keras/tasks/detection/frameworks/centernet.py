"""CenterNet (Duan et al., arXiv:1904.08189, keypoint triplets): an object is two corners with its centre between."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from hrnet_keras.tasks.detection.parts.selecting import rows
from hrnet_keras.tasks.detection.parts.triplet_head import OUTPUTS, output_layers, triplet_head, unit
from hrnet_keras.tasks.detection.parts.triplet_losses import heat_loss, offset_loss, tag_losses
from hrnet_keras.tasks.detection.parts.triplet_targets import SPREAD, heat_maps, spots_of
from hrnet_keras.tasks.detection.parts.triplets import DetectTriplets, TripletRules
from hrnet_keras.tasks.detection.parts.truths import Truths

# A tenth, and the published trainings add up tags' losses over the six pictures of each of their devices.
OF_TAGS = 0.1 * 6
LOSSES = {"loss_heat": 1.0, "loss_pull": OF_TAGS, "loss_push": OF_TAGS, "loss_offset": 1.0}


def rules_of(lineage: str) -> TripletRules:
    """The conventions of nets of the paper, the only ones."""
    del lineage
    return TripletRules()


def build(pyramid: list[Any], sizes: Any, count: int, rules: TripletRules) -> dict[str, Any]:
    """Builds the detections of a functional model, see `parts.stages.Detect`.

    Args:
        pyramid: the mixed map of stride 4.
        sizes: height and width of the pictures without padding, `(batch, 2)`.
        count: of classes.
        rules: of the paper.
    """
    (mixed,) = pyramid
    outputs = triplet_head(unit(mixed, mixed.shape[-1], "bbox_head.cnv"), count)
    return DetectTriplets(rules, name="detect")(outputs=outputs, sizes=sizes)


def inputs_of(model: keras.Model) -> list[str]:
    """Names of the layers whose outputs the `Learner` is called with: what the head says."""
    del model
    return output_layers()


@dataclass(frozen=True)
class Learner:
    """What a CenterNet minimises; called with the outputs of its head and a batch's truths."""

    rules: TripletRules

    @classmethod
    def of(cls, model: keras.Model, rules: TripletRules, seed: Any) -> "Learner":
        """For a model; nothing is drawn by chance, whatever `seed`."""
        del model, seed
        return cls(rules)

    @property
    def layers(self) -> list[keras.Layer]:
        """Layers that the losses run by themselves: none."""
        return []

    def __call__(self, outputs: list[Any], truths: Truths) -> dict[str, Any]:
        named = dict(zip(OUTPUTS, outputs, strict=True))
        (stride,) = self.rules.strides
        spots = spots_of(truths, stride, self.rules.overlap)
        heat, offset, tags = 0.0, 0.0, {}
        for point, part in SPREAD.items():
            logits = named[f"{point}_heat"]
            batch, height, width, count = ops.shape(logits)
            cells, known = spots.cells[point], spots.valid
            targets = heat_maps(cells, spots.radii, truths.labels, known, (height, width), count, part)
            heat = heat + heat_loss(logits, targets)
            pixels = cells[..., 1] * width + cells[..., 0]
            moved = rows(ops.reshape(named[f"{point}_regr"], (batch, height * width, 2)), pixels)
            offset = offset + offset_loss(moved, spots.offsets[point], known)
            if point != "ct":
                tags[point] = rows(ops.reshape(named[f"{point}_tag"], (batch, height * width)), pixels)
        pull, push = tag_losses(tags["tl"], tags["br"], spots.valid)
        return dict(zip(LOSSES, (heat, pull, push, offset), strict=True))
