"""The pose head: one 1x1 convolution from the representation to a heat map per joint."""

from keras.initializers import RandomNormal

from hrnet_keras.layers import Conv2D
from hrnet_keras.representations import aggregate


def build(images, maps, spec):
    """Builds heat maps `(batch, height / 4, width / 4, count)`, not activated.

    Args:
        images: the net's input; not needed here.
        maps: the trunk's four maps.
        spec: a `HeadSpec`.
    """
    del images
    features = aggregate(maps, spec, name="head")
    return Conv2D(spec.count, 1, kernel_initializer=RandomNormal(stddev=0.001), name="final_layer")(features)
