"""Every way from a picture to the model's input: random crops to train on, the middle to score, bytes to serve."""

import math
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from PIL import Image

from hrnet_keras.datasets import ClassSet, read_ahead
from hrnet_keras.datasets.dataset import Example
from hrnet_keras.datasets.source import ImageSource
from hrnet_keras.tasks.classification import decoding
from hrnet_keras.transforms import decode, orientation, resizing
from hrnet_keras.transforms.order import sample_indices

AREA, ASPECT, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10
SIZE, CROP = 224, 0.875
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


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
        w = round(math.sqrt(area * aspect))
        h = round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    h, w = height, width
    if width / height < ASPECT[0]:
        h = round(width / ASPECT[0])
    elif width / height > ASPECT[1]:
        w = round(height * ASPECT[1])
    return (height - h) // 2, (width - w) // 2, h, w


def cut_and_resize(image, window, size, how="bilinear"):
    """A part `(top, left, height, width)` of a picture at another `(height, width)`, by Pillow, antialiased."""
    top, left, height, width = window
    part = Image.fromarray(image[top : top + height, left : left + width])
    return np.asarray(part.resize(size[::-1], FILTERS[how]))


def view_of(input_size, info):
    """How a model looks at pictures, as options of `prepare`.

    Args:
        input_size: (height, width) of the model's input, `None` where it takes any.
        info: of the model: `input`, `crop` and `interpolation`, where its training or publisher says so.

    Raises:
        ValueError: an interpolation that this package does not know.
    """
    how = info.interpolation or "bilinear"
    if how not in FILTERS:
        raise ValueError(f"interpolation={how!r}: expected one of {', '.join(map(repr, FILTERS))}")
    usual = info.input_size or (SIZE, SIZE)
    size = tuple(fixed or side for fixed, side in zip(input_size, usual, strict=True))
    return {"size": size, "crop": info.crop_ratio or CROP, "how": how}


def prepare(image, *, size=(SIZE, SIZE), crop=CROP, how="bilinear"):
    """The middle of a picture as published scores see it: short side to `size / crop`, then the middle of `size`.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        size: `(height, width)` of the model's input. Where it is no square, the picture is brought to the least size
            that covers `size / crop`.
        crop: share of the resized picture's short side that the crop has.
        how: `"bilinear"` or `"bicubic"`.

    Returns:
        uint8 `(*size, 3)`.

    Source: the test transform of the official classification repository (torchvision on Pillow).
    """
    (height, width), (high, wide) = image.shape[:2], (int(side / crop) for side in size)
    if height * wide < width * high:
        scaled = high, int(high * width / height)
    else:
        scaled = int(wide * height / width), wide
    found = cut_and_resize(image, (0, 0, height, width), scaled, how)
    top, left = (round((n - side) / 2) for n, side in zip(scaled, size, strict=True))
    return found[top : top + size[0], left : left + size[1]]


def prepare_in_graph(picture, *, size, crop, how):
    """As `prepare`, to the last bit, of a uint8 tensor `(height, width, 3)`: part of the exported signatures."""
    height, width = tf.unstack(tf.cast(tf.shape(picture)[:2], tf.int64))
    high, wide = (int(side / crop) for side in size)
    as_high = tf.stack([high, tf.cast(high * width / height, tf.int64)])  # divided in float64, as in Python
    as_wide = tf.stack([tf.cast(wide * height / width, tf.int64), wide])
    scaled = tf.where(height * wide < width * high, as_high, as_wide)
    begin = tf.cast(tf.round(tf.cast(scaled - size, tf.float64) / 2), tf.int32)  # halves to even, as in Python
    return tf.ensure_shape(resizing.resize(picture, scaled, how, (begin, size)), (*size, 3))


def evaluation(dataset: ClassSet, workers: int = 2) -> Iterator[Example]:
    """The examples of a data set in its order, read ahead by `workers` threads."""
    return read_ahead(dataset, workers)


def endpoints(model, info):
    """The signatures of an exported classifier, for `exporting`.

    | name | takes | answers |
    |---|---|---|
    | `serving_default` | `image_bytes` `(batch,)`: JPEG or PNG files of any sizes | `labels` |
    | `scores` | `image_bytes` | `labels`, `scores` |
    | `images` | `images` uint8 `(batch, height, width, 3)` of any size | `labels`, `scores` |

    `labels` int32 `(batch, 5)` are class ids, best first (fewer where there are fewer classes), `scores` float32 their
    probabilities. Bytes that are no picture are answered by labels of -1 and scores of 0. Photographs that are stored
    turned are looked at upright, as by `predict`; `images` are taken as they are.

    Args:
        model: the folded model.
        info: of the model.

    Returns:
        List of `(name, function, what it takes)`.
    """
    view = view_of(model.input_shape[1:3], info)
    shown = tf.TensorSpec((*view["size"], 3), tf.uint8)

    def answer(pictures):
        return decoding.decode(model(tf.cast(pictures, tf.float32), training=False), scores=True)

    def of_images(images):
        return answer(tf.map_fn(lambda image: prepare_in_graph(image, **view), images, fn_output_signature=shown))

    def read(contents):
        picture, is_read = decode.decode_or_black(contents)
        turn, _ = orientation.orientation_and_size(contents)
        return prepare_in_graph(orientation.turned(picture, turn), **view), is_read

    def of_files(image_bytes):
        pictures, are_read = tf.map_fn(read, image_bytes, fn_output_signature=(shown, tf.TensorSpec((), tf.bool)))
        found, are_read = answer(pictures), are_read[:, None]
        return {"labels": tf.where(are_read, found["labels"], -1), "scores": tf.where(are_read, found["scores"], 0.0)}

    files = [tf.TensorSpec([None], tf.string, name="image_bytes")]
    pixels = [tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")]
    return [
        ("serving_default", lambda image_bytes: {"labels": of_files(image_bytes)["labels"]}, files),
        ("scores", of_files, files),
        ("images", of_images, pixels),
    ]
