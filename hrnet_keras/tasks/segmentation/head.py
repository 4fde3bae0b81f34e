"""The segmentation heads: one 1x1 convolution from the representation to a logit per class, or OCR."""

from keras.initializers import RandomNormal

from hrnet_keras.layers import Conv2D, Resize
from hrnet_keras.representations import aggregate
from hrnet_keras.tasks.segmentation import ocr


def build(images, maps, spec):
    """Builds logits `(batch, height, width, count)`; at an output stride of 4, `(batch, height / 4, width / 4, count)`.

    Args:
        images: the net's input.
        maps: the trunk's four maps.
        spec: a `HeadSpec`; the variant `"ocr"` stands on HRNetV2 alone.
    """
    logits = _logits(maps, spec)
    if spec.output_stride != 1:
        return logits
    resize = Resize(align_corners=spec.conventions.align_corners, dtype="float32", name="logits_at_input_size")
    return resize(logits, images)


def _logits(maps, spec):
    if spec.variant == "ocr":
        if spec.representation != "V2":
            raise ValueError(f"head='ocr' needs all four maps: expected HRNetV2, given HRNet{spec.representation}")
        return ocr.build(maps, spec)
    features = aggregate(maps, spec)
    return Conv2D(spec.count, 1, kernel_initializer=RandomNormal(stddev=0.001), name="last_layer.3")(features)
