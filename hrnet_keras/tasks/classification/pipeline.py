"""From pictures to training batches: random crops, resized and mirrored; and the examples to score."""

import math

import numpy as np
import tensorflow as tf

from hrnet_keras.datasets import ClassSet
from hrnet_keras.datasets.source import ImageSource
from hrnet_keras.tasks.classification.center_crop import cut_and_resize
from hrnet_keras.transforms.order import sample_indices

AREA, ASPECT, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10


def training(
    dataset: ClassSet, *, batch: int, input_size: tuple[int, int], flip: float = 0.5, seed: int = 0,
    first_epoch: int = 0, cache: bool | None = None, worker: int = 0, workers: int = 1,
) -> tf.data.Dataset:  # fmt: skip
    """An endless stream of training batches: a random part of the picture, resized, mirrored half the time.

    Every epoch goes through the set in an order of its own and drops what does not fill a batch. All chance hangs on
    seed, epoch and position in the epoch alone.

    A mirrored picture of a class of the set's `label_flip_pairs` (left turn, right turn) is one of its partner.

    Args:
        dataset: pictures with a `label` each.
        batch: pictures per batch.
        input_size: `(height, width)` of the model's input.
        flip: probability of mirroring.
        seed: of all random choices.
        first_epoch: epoch to start with, counted from 0.
        cache: as in `hrnet_keras.datasets.source.ImageSource`.
        worker, workers: which of how many workers this stream is for, as for segmentation.

    Returns:
        A `tf.data.Dataset` of `(image, label)`: float32 `(batch, height, width, 3)` RGB 0..255, int32 `(batch,)`.

    Raises:
        ValueError: the set has fewer pictures than a batch.

    Source: the training transform of the official classification repository (torchvision's random resized crop).
    """
    height, width = map(int, input_size)
    partners = dict(dataset.info.label_flip_pairs)
    partners |= {right: left for left, right in dataset.info.label_flip_pairs}
    source = ImageSource(dataset, cache)

    def sample(epoch: int, position: int, index: int) -> tuple[np.ndarray, np.int32]:
        rng = np.random.default_rng((seed, int(epoch), int(position)))
        example = source.example(int(index))
        label = example["label"]
        window = random_window(example["image"].shape[:2], rng)
        image = cut_and_resize(example["image"], window, (height, width))
        if rng.random() < flip:
            image = image[:, ::-1]
            label = partners.get(label, label)
        return image.astype(np.float32), np.int32(label)

    def shaped(epoch: tf.Tensor, position: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = tf.numpy_function(sample, [epoch, position, index], (tf.float32, tf.int32), stateful=False)
        return tf.ensure_shape(image, (height, width, 3)), tf.ensure_shape(label, ())

    indices = sample_indices(len(dataset), batch, seed=seed, first_epoch=first_epoch, worker=worker, workers=workers)
    examples = indices.map(shaped, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return examples.batch(batch, drop_remainder=True).prefetch(2)


def random_window(size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """A random part of a picture: 8 to 100 % of its area, sides between 3:4 and 4:3.

    Args:
        size: `(height, width)` of the picture.
        rng: `numpy.random.Generator`.

    Returns:
        `(top, left, height, width)`; where ten draws do not fit, the middle at the nearest allowed shape.
    """
    height, width = size
    for _ in range(TRIES):
        area = height * width * rng.uniform(*AREA)
        aspect = math.exp(rng.uniform(math.log(ASPECT[0]), math.log(ASPECT[1])))
        # Python's rounding, halves to even: `RandomResizedCrop` of torchvision is written in Python, too.
        w = round(math.sqrt(area * aspect))
        h = round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    # After ten tries torchvision takes the middle, as large as the aspect ratios allow.
    h, w = height, width
    if width / height < ASPECT[0]:
        h = round(width / ASPECT[0])
    elif width / height > ASPECT[1]:
        w = round(height * ASPECT[1])
    return (height - h) // 2, (width - w) // 2, h, w
