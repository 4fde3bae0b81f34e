"""HRNetV2 and HRNetV2p as backbones that Model Garden's factory builds by name, and what an experiment says of them."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import keras
import tf_keras
from official.modeling import hyperparams
from official.vision.configs import backbones
from official.vision.modeling.backbones import factory

from hrnet_keras.builders import hrnet
from hrnet_keras.model_garden.twin import twin

FINEST_LEVEL = 2  # 2**2 pixels of the input per pixel of the map


@dataclasses.dataclass
class HRNet(hyperparams.Config):
    """What an experiment says of a net.

    Attributes:
        width: `"W18"`, `"W32"`, `"W48"`, ...: as in the names of the builders.
        weights: as of the builders: `None`, a published name such as `"imagenet"`, or the path of a file.
        lineage: as of the builders; `None`: that of the weights, else official.
    """

    width: str = "W48"
    weights: Optional[str] = None  # noqa: UP045 (Model Garden reads the annotation)
    lineage: Optional[str] = None  # noqa: UP045


@dataclasses.dataclass
class Backbone(backbones.Backbone):
    """Model Garden's choice of backbones with ours among them: what an experiment has as its `task.model.backbone`.

    Attributes:
        hrnetv2: HRNetV2: level 2 alone, `15 * width` channels.
        hrnetv2p: HRNetV2p: levels 2 to 6, 256 channels each.
    """

    hrnetv2: HRNet = dataclasses.field(default_factory=HRNet)
    hrnetv2p: HRNet = dataclasses.field(default_factory=HRNet)


class HRNetBackbone(tf_keras.Model):
    """A net of tf_keras whose outputs are a dict of levels, as Model Garden's decoders and heads take them.

    Args:
        net: the twin of an HRNetV2 or HRNetV2p without a task.
    """

    def __init__(self, net: tf_keras.Model, **kwargs: Any) -> None:
        levels = {str(level): x for level, x in enumerate(net.outputs, FINEST_LEVEL)}
        self._output_specs = {level: x.shape for level, x in levels.items()}
        super().__init__(inputs=net.inputs, outputs=levels, name=net.name, **kwargs)

    @property
    def output_specs(self) -> dict[str, Any]:
        """`{level: TensorShape}` of the outputs."""
        return self._output_specs


@factory.register_backbone_builder("hrnetv2")
def build_hrnetv2(
    input_specs: tf_keras.layers.InputSpec, backbone_config: Any, norm_activation_config: Any = None,
    l2_regularizer: Any = None,
) -> HRNetBackbone:  # fmt: skip
    """Builds HRNetV2 from an experiment; see `build_hrnetv2p`."""
    return _build("V2", input_specs, backbone_config, l2_regularizer)


@factory.register_backbone_builder("hrnetv2p")
def build_hrnetv2p(
    input_specs: tf_keras.layers.InputSpec, backbone_config: Any, norm_activation_config: Any = None,
    l2_regularizer: Any = None,
) -> HRNetBackbone:  # fmt: skip
    """Builds HRNetV2p from an experiment, as Model Garden's factory calls it.

    Args:
        input_specs: of shape `(batch, height, width, 3)`: pictures as Model Garden's parsers normalise them, which is
            how the official nets' own loaders do.
        backbone_config: a `Backbone`.
        norm_activation_config: not used: the net has the activation, momentum and epsilon that its weights were
            trained with, and its batch norms are always synchronised.
        l2_regularizer: of the convolutions' kernels.

    Returns:
        A model of the precision of tf_keras's global policy.

    Raises:
        ValueError: a width, a size or weights that do not exist.
    """
    return _build("V2p", input_specs, backbone_config, l2_regularizer)


def _build(representation: str, input_specs: Any, backbone_config: Any, l2_regularizer: Any) -> HRNetBackbone:
    config = HRNet(**backbone_config.get().as_dict())
    with _precision_of_tf_keras():
        net = hrnet(
            representation, config.width, weights=config.weights, lineage=config.lineage,
            input_shape=tuple(input_specs.shape[1:]), include_preprocessing=False,
        )  # fmt: skip
    return HRNetBackbone(twin(net, kernel_regularizer=l2_regularizer))


@contextmanager
def _precision_of_tf_keras() -> Iterator[None]:
    """Lets Keras 3 build in the precision that Model Garden has set for tf_keras."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(tf_keras.mixed_precision.global_policy().name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
