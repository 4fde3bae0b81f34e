"""The landmark head: one 1x1 convolution from the representation to a heat map per point."""

from keras.initializers import RandomNormal

from hrnet_keras.layers import Conv2D

NUM_KEYPOINTS = 68
COUNTS = ("num_keypoints", "point_names")  # what is counted, and the word of a data set's facts that names it


def build(features, num_keypoints):
    """Builds heat maps `(batch, height / 4, width / 4, num_keypoints)`, not activated.

    Args:
        features: the representation's map at stride 4.
        num_keypoints: number of points.
    """
    return Conv2D(num_keypoints, 1, kernel_initializer=RandomNormal(stddev=0.001), name="head.3")(features)
