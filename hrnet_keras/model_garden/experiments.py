"""Experiments of Model Garden with HRNet in them, under names that its commands take."""

from official.core import config_definitions, exp_factory
from official.vision.configs import decoders, retinanet, semantic_segmentation

from hrnet_keras.architecture import PYRAMID_LEVELS
from hrnet_keras.model_garden.backbones import FINEST_LEVEL, Backbone

_RESTRICTIONS = ["task.train_data.is_training != None", "task.validation_data.is_training != None"]


@exp_factory.register_config_factory("hrnetv2_semantic_segmentation")
def hrnetv2_semantic_segmentation() -> config_definitions.ExperimentConfig:
    """Model Garden's `semantic_segmentation` with the paper's net: HRNetV2 and one 1x1 convolution on it.

    Classes, sizes, data and the optimizer are still to be said.

    Source: arXiv:1904.04514, section 3.2.
    """
    model = semantic_segmentation.SemanticSegmentationModel(
        backbone=Backbone(type="hrnetv2"), decoder=decoders.Decoder(type="identity"), min_level=FINEST_LEVEL,
        max_level=FINEST_LEVEL, head=semantic_segmentation.SegmentationHead(level=FINEST_LEVEL, num_convs=0),
    )  # fmt: skip
    task = semantic_segmentation.SemanticSegmentationTask(model=model)
    return config_definitions.ExperimentConfig(task=task, restrictions=_RESTRICTIONS)


@exp_factory.register_config_factory("hrnetv2p_retinanet")
def hrnetv2p_retinanet() -> config_definitions.ExperimentConfig:
    """Model Garden's `retinanet` whose pyramid is HRNetV2p: levels 2 to 6, no decoder.

    Classes, sizes, data and the optimizer are still to be said; sides are multiples of 64.
    """
    model = retinanet.RetinaNet(
        backbone=Backbone(type="hrnetv2p"), decoder=decoders.Decoder(type="identity"), min_level=FINEST_LEVEL,
        max_level=FINEST_LEVEL + PYRAMID_LEVELS - 1,
    )  # fmt: skip
    task = retinanet.RetinaNetTask(model=model)
    return config_definitions.ExperimentConfig(task=task, restrictions=_RESTRICTIONS)
