"""HRNet for TensorFlow Model Garden (tf-models-official), whose models are of tf_keras."""

try:
    import official  # noqa: F401
    import tf_keras  # noqa: F401
except ImportError as error:
    raise ImportError(f"{error}: hrnet_keras.model_garden needs pip install 'hrnet-keras[detection]'") from error

from hrnet_keras.model_garden.backbones import Backbone, HRNet
from hrnet_keras.model_garden.experiments import hrnetv2_semantic_segmentation, hrnetv2p_retinanet
from hrnet_keras.model_garden.twin import twin

__all__ = ["Backbone", "HRNet", "hrnetv2_semantic_segmentation", "hrnetv2p_retinanet", "twin"]
