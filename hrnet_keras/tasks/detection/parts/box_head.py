"""The head that names and refines boxes: two shared fully connected layers (arXiv:1612.03144, section 4.2)."""

from typing import Any

from keras.initializers import GlorotUniform, RandomNormal

from hrnet_keras.tasks.detection.parts.roi_layers import Dense, GridDense


def build_box_head(
    features: Any,
    *,
    num_classes: int,
    class_agnostic: bool = False,
    units: int = 1024,
    name: str = "roi_head.bbox_head",
) -> tuple[Any, Any]:
    """Builds the head for a functional model.

    Args:
        features: of every box, `(boxes, 7, 7, channels)`.
        num_classes: without the background.
        class_agnostic: whether all classes share one box.
        units: of the two shared layers.
        name: what the layers' names begin with; they are mmdet's: `shared_fcs.0`, `shared_fcs.1`, `fc_cls`, `fc_reg`.

    Returns:
        Class logits `(boxes, num_classes + 1)`, the last class is the background; deltas
        `(boxes, num_classes * 4)`, class by class, or `(boxes, 4)` if class-agnostic. Both float32.

    Source: `Shared2FCBBoxHead` of mmdet 3.3.0; initial weights: Xavier uniform; normal, 0.01 (classes) and 0.001.
    """
    x = GridDense(units, activation="relu", kernel_initializer=GlorotUniform(), name=f"{name}.shared_fcs.0")(features)
    x = Dense(units, activation="relu", kernel_initializer=GlorotUniform(), name=f"{name}.shared_fcs.1")(x)
    classes = Dense(
        num_classes + 1, kernel_initializer=RandomNormal(stddev=0.01), dtype="float32", name=f"{name}.fc_cls"
    )
    num_deltas = 4 if class_agnostic else 4 * num_classes
    deltas = Dense(num_deltas, kernel_initializer=RandomNormal(stddev=0.001), dtype="float32", name=f"{name}.fc_reg")
    return classes(x), deltas(x)
