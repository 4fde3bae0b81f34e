"""The segmentation head: one 1x1 convolution from the representation to a logit per class."""

from keras.initializers import RandomNormal

from hrnet_keras.layers import Conv2D

NUM_CLASSES = 19
COUNTS = ("num_classes", "class_names")  # what is counted, and the word of a data set's facts that names it


def build(features, num_classes):
    """Builds logits `(batch, height / 4, width / 4, num_classes)`.

    Args:
        features: the representation's map at stride 4.
        num_classes: number of classes.
    """
    return Conv2D(num_classes, 1, kernel_initializer=RandomNormal(stddev=0.001), name="last_layer.3")(features)
