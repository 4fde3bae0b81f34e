"""What leaves the trunk: V1, V2 and V2p (figure 3 of arXiv:1904.04514)."""

from keras.layers import AveragePooling2D, Concatenate, ReLU

from hrnet_keras.architecture import PYRAMID_CHANNELS
from hrnet_keras.backbone import kaiming
from hrnet_keras.layers import AggregationConv2D, BatchNormalization, Conv2D, Resize


def v1(maps):
    """HRNetV1: the finest map alone, `(batch, height / 4, width / 4, width of the net)`."""
    return maps[0]


def v2(maps, conventions, *, name, concatenated=None):
    """HRNetV2: all four maps, upsampled and mixed by a 1x1 convolution, `(batch, height / 4, width / 4, 15 * width)`.

    Args:
        maps: the trunk's four.
        conventions: the `Conventions` of the lineage.
        name: where the layers stand in the official state dict (`"last_layer"`, `"head"`).
        concatenated: the maps' concatenation, where the reference's own form is wanted: the same function, more work.
    """
    channels = sum(x.shape[-1] for x in maps)
    x = _aggregate(
        maps, channels, f"{name}.0", conventions, use_bias=conventions.mixing_bias, concatenated=concatenated
    )
    x = BatchNormalization(momentum=conventions.momentum, name=f"{name}.1")(x)
    return ReLU(name=f"{name}.2")(x)


def v2p(maps, conventions, *, concatenated=None):
    """HRNetV2p: a pyramid of maps of 256 channels, pooled from the mixture of all four maps of the trunk.

    Five levels of strides 4 to 64, but for nets whose conventions say otherwise.
    """
    mixed = _aggregate(maps, PYRAMID_CHANNELS, "reduction_conv", conventions, use_bias=True, concatenated=concatenated)
    if not conventions.levels:
        return [mixed]
    levels = []
    for i in range(conventions.levels):
        x = AveragePooling2D(2**i, name=f"pool.{i}")(mixed) if i else mixed
        conv = Conv2D(
            PYRAMID_CHANNELS, 3, strides=conventions.level_strides, kernel_initializer=kaiming(), name=f"fpn_convs.{i}"
        )
        levels.append(conv(x))
    return levels


def aggregate(maps, spec, *, name="last_layer"):
    """What leaves the trunk in a representation: a map, of V2p a list of five.

    Args:
        maps: the trunk's four.
        spec: what says `representation`, `conventions` (of V2p: also which levels) and
            `reference_form`: whether the maps are aggregated over their concatenation, as the references do.
        name: as in `v2`.
    """
    if spec.representation == "V1":
        return v1(maps)
    concatenated = concatenate(maps, spec.conventions) if spec.reference_form else None
    if spec.representation == "V2":
        return v2(maps, spec.conventions, name=name, concatenated=concatenated)
    return v2p(maps, spec.conventions, concatenated=concatenated)


def concatenate(maps, conventions):
    """All four maps at the finest resolution, side by side: `(batch, height / 4, width / 4, 15 * width)`."""
    finest, *others = maps
    resize = (Resize(align_corners=conventions.align_corners, name=f"upsampled.{i}") for i in (1, 2, 3))
    resized = [layer(x, finest) for layer, x in zip(resize, others, strict=True)]
    return Concatenate(name="concatenated")([finest, *resized])


def _aggregate(maps, filters, name, conventions, *, use_bias, concatenated):
    options = {"use_bias": use_bias, "kernel_initializer": kaiming(), "name": name}
    if concatenated is not None:
        return Conv2D(filters, 1, **options)(concatenated)
    return AggregationConv2D(filters, align_corners=conventions.align_corners, **options)(maps)
