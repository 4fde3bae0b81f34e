"""The head of detectors: the pyramid, and a framework on it."""

from typing import Any

from hrnet_keras.representations import aggregate
from hrnet_keras.tasks.detection.frameworks import framework
from hrnet_keras.tasks.detection.parts.stages import PictureSizes
from hrnet_keras.tasks.task import HeadSpec


def build(images: Any, maps: list[Any], spec: HeadSpec) -> dict[str, Any]:
    """Builds a dict of `boxes` float32 `(batch, 100, 4)` xyxy in pixels of the input, `scores`, `labels`, `valid`
    (how many there are) and, where the framework has them, `masks` `(batch, 100, 28, 28)`.

    Args:
        images: the net's input.
        maps: the trunk's four maps.
        spec: a `HeadSpec`.
    """
    module = framework(spec.variant or "")
    sizes = PictureSizes(padded=spec.include_preprocessing, name="picture_sizes")(images)
    return module.build(aggregate(maps, spec), sizes, spec.count, module.rules_of(spec.lineage))
