"""Picture files of any sizes -> padded label maps, in one TensorFlow graph: the signatures of a SavedModel."""

import tensorflow as tf

from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.finite import no_class
from hrnet_keras.tasks.processing import Signature
from hrnet_keras.tasks.segmentation.decoding import decode
from hrnet_keras.tasks.segmentation.inference import LARGEST
from hrnet_keras.transforms import orientation, resizing
from hrnet_keras.transforms.decode import decode_or_black

NOTHING = 255  # in a label map where there is no picture; -1 with more than 255 classes


def signatures(model, info: ModelInfo) -> list[Signature]:
    """The signatures of an exported segmentation model.

    | name | takes | answers |
    |---|---|---|
    | `serving_default` | `image_bytes` `(batch,)`: JPEG or PNG files of any sizes | `label_map`, `sizes` |
    | `scores` | `image_bytes` | `label_map`, `sizes`, `scores` |
    | `images` | `images` uint8 `(batch, height, width, 3)` of any size | `label_map` |

    `label_map` is `(batch, height, width)`, uint8 up to 255 classes, else int32; `scores` float32 of that shape, the
    probability of the class. `sizes` int32 `(batch, 2)` says how much of it, (height, width), is whose: pictures of
    several sizes are answered one after the other, each as if alone, and padded to the largest at their right and
    bottom, label maps with 255 (int32: -1), scores with 0. Bytes that are no picture have the size (0, 0). A net of one
    input size is shown the picture resized, and its answer is resized back by nearest neighbour, as by `predict`; so is
    a net of any size a file of more than `inference.LARGEST` pixels, shrunk to that many. Photographs that are stored
    turned are looked at upright and answered on the pixels as stored. `images` are taken as they are.

    Args:
        model: the folded model.
        info: of the model.

    Returns:
        An empty list for a net that answers at stride 4, as `predict` takes none either.
    """
    if info.output_stride != 1:
        return []
    net = _Net(model)
    files = [tf.TensorSpec([None], tf.string, name="image_bytes")]
    pixels = [tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")]

    def of_images(images):
        shown = tf.map_fn(net.shown, images) if net.resizes else images
        return net.answer(shown, tf.shape(images)[1:3])

    return [
        Signature("serving_default", lambda image_bytes: _of_files(net, image_bytes), files),
        Signature("images", of_images, pixels),
        Signature("scores", lambda image_bytes: _of_files(net, image_bytes, scores=True), files),
    ]


class _Net:
    """A net that is shown pictures of any size, and answers at their size.

    Attributes:
        resizes: whether it takes one size alone, of height or width or both.
        id_type: of its label maps.
    """

    def __init__(self, model):
        self.model = model
        self.input_size = model.input_shape[1:3]
        self.resizes = any(self.input_size)
        self.id_type = tf.uint8 if no_class(model.output_shape[-1]) > 0 else tf.int32

    def shown(self, picture):
        """A picture uint8 `(height, width, 3)` at the size that the net takes, and of no more than `LARGEST` pixels."""
        own = tf.shape(picture)[:2]
        if self.resizes:
            size = tf.stack([fixed or own[i] for i, fixed in enumerate(self.input_size)])
        else:
            size = _bounded(own)
        is_fitting = tf.reduce_all(own == size)
        resized = tf.cond(is_fitting, lambda: picture, lambda: resizing.resize(picture, size))
        return tf.ensure_shape(resized, (*self.input_size, 3))

    def answer(self, pictures, size, scores=False):
        """The answers `(batch, *size)` to pictures of one size, as `shown` makes them of `size`."""
        shown_size = tf.shape(pictures)[1:3]
        pictures = tf.ensure_shape(pictures, (None, *self.input_size, 3))
        maps = decode(self.model(tf.cast(pictures, tf.float32), training=False), scores=scores)
        is_fitting = tf.reduce_all(shown_size == size)
        return tf.cond(
            is_fitting,
            lambda: maps,
            lambda: {name: resizing.resize_nearest(values, size) for name, values in maps.items()},
        )


def _bounded(own):
    """Height and width at which a net of any size sees a file of `own` (height, width): `inference.shown_size`."""
    sides = tf.cast(own, tf.float64)
    factor = tf.minimum(tf.sqrt(LARGEST / tf.maximum(sides[0] * sides[1], 1)), 1)
    return tf.maximum(tf.cast(sides * factor, tf.int32), 1)


def _of_files(net, image_bytes, scores=False):
    """The answers to files and the pictures' sizes: all at once where the sizes are equal, else one by one."""
    pictures, sizes, turns = _read(net, image_bytes)
    are_alike = tf.reduce_all(sizes == sizes[:1]) & tf.reduce_all(turns == turns[:1]) & tf.reduce_all(sizes > 0)

    def stored(shown, size, turn):
        """The answers to pictures that were stored in one way."""
        maps = net.answer(shown, orientation.turned_size(size, turn), scores)
        return {name: orientation.turned_back(values, turn, axis=1) for name, values in maps.items()}

    def together():
        return stored(pictures.stack(), sizes[0], turns[0])

    def one_by_one():
        largest = tf.reduce_max(sizes, axis=0)

        def one(i):
            maps = stored(pictures.read(i)[None], tf.maximum(sizes[i], 1), turns[i])
            return {name: _padded(values[0], sizes[i], largest) for name, values in maps.items()}

        kinds = {"label_map": tf.TensorSpec((None, None), net.id_type)}
        kinds |= {"scores": tf.TensorSpec((None, None), tf.float32)} if scores else {}
        return tf.map_fn(one, tf.range(tf.shape(sizes)[0]), fn_output_signature=kinds, parallel_iterations=1)

    return {**tf.cond(are_alike, together, one_by_one), "sizes": sizes}


def _read(net, image_bytes):
    """Pictures as the net is shown them, in a `tf.TensorArray`, and how they are stored.

    That is their own sizes int32 `(batch, 2)`, else (0, 0), and their orientations int32 `(batch,)`.
    """
    count = tf.shape(image_bytes)[0]
    pictures = tf.TensorArray(
        tf.uint8, count, element_shape=(*net.input_size, 3), infer_shape=False, clear_after_read=False
    )
    sizes = tf.TensorArray(tf.int32, count, element_shape=(2,))
    turns = tf.TensorArray(tf.int32, count, element_shape=())

    def read(i, pictures, sizes, turns):
        picture, is_read = decode_or_black(image_bytes[i])
        turn, _ = orientation.orientation_and_size(image_bytes[i])
        size = tf.where(is_read, tf.shape(picture)[:2], 0)
        shown = net.shown(orientation.turned(picture, turn))
        return i + 1, pictures.write(i, shown), sizes.write(i, size), turns.write(i, turn)

    _, pictures, sizes, turns = tf.while_loop(lambda i, *_: i < count, read, (0, pictures, sizes, turns))
    return pictures, tf.reshape(sizes.stack(), (-1, 2)), turns.stack()


def _padded(values, size, largest):
    """The upper left `size` of a map, with nothing around it up to `largest`."""
    if values.dtype == tf.float32:
        nothing = 0.0
    else:
        nothing = NOTHING if values.dtype == tf.uint8 else -1
    margins = [[0, largest[i] - size[i]] for i in (0, 1)]
    return tf.pad(values[: size[0], : size[1]], margins, constant_values=tf.cast(nothing, values.dtype))
