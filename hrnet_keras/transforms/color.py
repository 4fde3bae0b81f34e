"""Brightness, contrast and saturation of float pictures 0..255, the amounts given by the caller."""

import tensorflow as tf

# Luma of ITU-R BT.601, what "grey" means to Pillow and OpenCV.
_LUMA = (0.299, 0.587, 0.114)


def add_brightness(image: tf.Tensor, shift: tf.Tensor | float) -> tf.Tensor:
    """Adds `shift` (grey levels) to every pixel and clips to 0..255, as the official OCR branch does."""
    return tf.clip_by_value(image + tf.cast(shift, image.dtype), 0, 255)


def scale_contrast(image: tf.Tensor, factor: tf.Tensor | float) -> tf.Tensor:
    """Multiplies every pixel and clips to 0..255: black stays black, as in the distortion of SSD and mmseg."""
    return tf.clip_by_value(image * tf.cast(factor, image.dtype), 0, 255)


def scale_saturation(image: tf.Tensor, factor: tf.Tensor | float) -> tf.Tensor:
    """Moves `(..., 3)` pixels from their grey (factor 0) through themselves (1) to more vivid ones; clips to 0..255."""
    grey = tf.reduce_sum(image * tf.constant(_LUMA, image.dtype), axis=-1, keepdims=True)
    return tf.clip_by_value(grey + (image - grey) * tf.cast(factor, image.dtype), 0, 255)
