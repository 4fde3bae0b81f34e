"""The segmentation heads: one 1x1 convolution from the representation to a logit per class, or OCR."""

from keras.initializers import RandomNormal

from hrnet_keras.layers import Conv2D
from hrnet_keras.representations import aggregate
from hrnet_keras.tasks.segmentation import ocr


def build(maps, spec):
    """Builds logits `(batch, height / 4, width / 4, count)`.

    Args:
        maps: the trunk's four maps.
        spec: a `HeadSpec`; the variant `"ocr"` stands on HRNetV2 alone.
    """
    if spec.variant == "ocr":
        if spec.representation != "V2":
            raise ValueError(f"head='ocr' needs all four maps: expected HRNetV2, given HRNet{spec.representation}")
        return ocr.build(maps, spec)
    features = aggregate(maps, spec.representation, spec.conventions, name="last_layer", plain=spec.plain)
    return Conv2D(spec.count, 1, kernel_initializer=RandomNormal(stddev=0.001), name="last_layer.3")(features)
