"""Picture bytes and boxes -> points in picture coordinates, in one TensorFlow graph: a SavedModel of points."""

import tensorflow as tf

from hrnet_keras.tasks.keypoints.flips import average
from hrnet_keras.transforms import decode


def endpoints(model, reading, *, look, decoded):
    """The signatures of an exported model of points, for `exporting`.

    | name | takes | answers |
    |---|---|---|
    | `serving_default` | `image_bytes` `(batch,)`, `boxes` `(batch, 4)`: a box per picture | `points`, `scores` |
    | `picture` | `image_bytes` `()`, `boxes` `(n, 4)`: one picture with many boxes | `points`, `scores` |
    | `images` | `images` uint8 `(batch, height, width, 3)`, `boxes` `(batch, 4)` | `points`, `scores` |

    Args:
        model: the folded model.
        reading: its `Reading`.
        look: function `(picture uint8 (height, width, 3), boxes float32 (n, 4))` -> crops float32 `(n, *size, 3)` and
            whatever `decoded` needs to find back.
        decoded: function `(heat maps, back)` -> points `(n, k, 2)` in the picture, scores `(n, k)`.

    Returns:
        List of `(name, function, what it takes)`.
    """

    def answer(crops, back):
        crops = tf.ensure_shape(crops, (None, *reading.size, 3))
        maps = model(crops, training=False)
        if reading.flip:
            mirrored = model(tf.reverse(crops, [2]), training=False)
            shift = not reading.codec.startswith("udp")
            maps = average(maps, mirrored, reading.flip_pairs, shift=shift, codec=reading.codec)
        points, scores = decoded(maps, back)
        return {"points": tf.cast(points, tf.float32), "scores": tf.cast(scores, tf.float32)}

    def of_picture(image_bytes, boxes):
        return answer(*look(decode.decode_bytes(image_bytes), boxes))

    def each(pictures, boxes, of):
        def one(pair):
            crops, back = look(of(pair[0]), pair[1][None])
            return crops[0], back[0]

        crop, back = tf.TensorSpec((*reading.size, 3), tf.float32), tf.TensorSpec((None, None), tf.float64)
        return answer(*tf.map_fn(one, (pictures, boxes), fn_output_signature=(crop, back)))

    files = tf.TensorSpec([None], tf.string, name="image_bytes")
    boxes = tf.TensorSpec([None, 4], tf.float32, name="boxes")
    pixels = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
    return [
        ("serving_default", lambda image_bytes, boxes: each(image_bytes, boxes, decode.decode_bytes), [files, boxes]),
        ("picture", of_picture, [tf.TensorSpec([], tf.string, name="image_bytes"), boxes]),
        ("images", lambda images, boxes: each(images, boxes, lambda image: image), [pixels, boxes]),
    ]


def warp(picture, inverses, size):
    """Crops of one picture, bilinear, black beyond it: OpenCV's `warpAffine` but for its rounding of places.

    Args:
        picture: `(height, width, 3)`, any number type.
        inverses: float64 `(n, 2, 3)`, from crop to picture pixels.
        size: (height, width) of the crops.

    Returns:
        float32 `(n, *size, 3)`.
    """
    picture = tf.cast(picture, tf.float32)[None]
    rows = tf.concat([tf.reshape(inverses, (-1, 6)), tf.zeros((tf.shape(inverses)[0], 2), inverses.dtype)], axis=1)

    def one(row):
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=picture, transforms=row[None], output_shape=size, interpolation="BILINEAR", fill_mode="CONSTANT",
            fill_value=0.0,
        )[0]  # fmt: skip

    return tf.map_fn(one, tf.cast(rows, tf.float32), fn_output_signature=tf.TensorSpec((*size, 3), tf.float32))


def transform(points, matrices):
    """Points `(n, k, 2)` under maps `(n, 2, 3)`, float64."""
    points = tf.cast(points, tf.float64)
    return tf.einsum("nkc,nrc->nkr", points, matrices[..., :2]) + matrices[:, None, :, 2]


def inverse_maps(centers, sides, size, *, unbiased):
    """From crop to picture pixels: the inverses of `affine.crop_matrix` or, unbiased, of `affine.udp_matrix`.

    Args:
        centers: float64 `(n, 2)` as (x, y).
        sides: float64 `(n, 2)`, width and height of what is shown, in pixels.
        size: (height, width) of the crops.
        unbiased: pixel centres are matched, not corners.

    Returns:
        float64 `(n, 2, 3)`.
    """
    less = 1 if unbiased else 0
    shape = tf.constant([size[1], size[0]], tf.float64)
    steps = sides / (shape - less) if unbiased else tf.repeat(sides[:, :1] / size[1], 2, axis=1)
    begin = centers - (sides / 2 if unbiased else steps * shape / 2)
    return tf.stack(
        [
            tf.stack([steps[:, 0], tf.zeros_like(steps[:, 0]), begin[:, 0]], axis=-1),
            tf.stack([tf.zeros_like(steps[:, 1]), steps[:, 1], begin[:, 1]], axis=-1),
        ],
        axis=1,
    )
