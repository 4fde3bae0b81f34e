"""HRNet-W*-C's head (figure 4 of arXiv:1904.04514): every branch widened, summed down the resolutions, pooled."""

from keras.layers import Add, Dense, GlobalAveragePooling2D

from hrnet_keras.backbone import bottleneck, conv_bn_relu

PLANES = (32, 64, 128, 256)


def build(images, maps, spec):
    """Builds the classification head.

    Args:
        images: the net's input; not needed here.
        maps: the trunk's four maps.
        spec: a `HeadSpec`; the variant `"ssld"` has no biases.

    Returns:
        Logits `(batch, count)`, no softmax.
    """
    del images
    conventions = spec.conventions
    has_biases = spec.variant != "ssld"
    wide = [
        bottleneck(x, planes, f"incre_modules.{i}.0", conventions, project=True)
        for i, (x, planes) in enumerate(zip(maps, PLANES, strict=True))
    ]
    y = wide[0]
    for i, x in enumerate(wide[1:]):
        name = f"downsamp_modules.{i}"
        y = conv_bn_relu(y, x.shape[-1], 3, 2, f"{name}.0", f"{name}.1", conventions, use_bias=has_biases)
        y = Add(name=f"{name}.add")([x, y])
    y = conv_bn_relu(y, 2048, 1, 1, "final_layer.0", "final_layer.1", conventions, use_bias=has_biases)
    return Dense(spec.count, name="classifier")(GlobalAveragePooling2D(name="pool")(y))
