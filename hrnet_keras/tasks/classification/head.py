"""HRNet-W*-C's head (figure 4 of arXiv:1904.04514): every branch widened, summed down the resolutions, pooled."""

from keras.layers import Add, Dense, GlobalAveragePooling2D

from hrnet_keras.backbone import bottleneck, conv_bn_relu

NUM_CLASSES = 1000
COUNTS = ("num_classes", "class_names")  # what is counted, and the word of a data set's facts that names it
PLANES = (32, 64, 128, 256)


def build(maps, num_classes, conventions):
    """Builds the classification head.

    Args:
        maps: the trunk's four maps.
        num_classes: number of classes.
        conventions: the `Conventions`; `head_biases=False` builds the SSLD nets' head.

    Returns:
        Logits `(batch, num_classes)`, no softmax.
    """
    wide = [
        bottleneck(x, planes, f"incre_modules.{i}.0", conventions, project=True)
        for i, (x, planes) in enumerate(zip(maps, PLANES, strict=True))
    ]
    biases = conventions.head_biases
    y = wide[0]
    for i, x in enumerate(wide[1:]):
        name = f"downsamp_modules.{i}"
        y = conv_bn_relu(y, x.shape[-1], 3, 2, f"{name}.0", f"{name}.1", conventions, use_bias=biases)
        y = Add(name=f"{name}.add")([x, y])
    y = conv_bn_relu(y, 2048, 1, 1, "final_layer.0", "final_layer.1", conventions, use_bias=biases)
    return Dense(num_classes, name="classifier")(GlobalAveragePooling2D(name="pool")(y))
