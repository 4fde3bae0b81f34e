"""Every way from a picture to the model's input: persons cut by an affine map, to learn, to score, to serve."""

import numpy as np
import tensorflow as tf

from hrnet_keras import datasets
from hrnet_keras.tasks.keypoints import affine, augment, encoding, serving
from hrnet_keras.tasks.keypoints.flips import mirror_points, swap_points
from hrnet_keras.tasks.keypoints.reading import reading_of
from hrnet_keras.tasks.keypoints.samples import samples as samples, stream
from hrnet_keras.tasks.pose.decoding import decode

# Of a `DataRecipe`, that mean something here.
OPTIONS = ("crop", "rules", "codec", "sigma", "scaling", "rotation", "half_body", "shift", "flip", "cache")
STRIDE = 4
SIZE = (256, 192)  # of the input, where a model's facts don't say
FLIP = {"official": True, "mmlab": True}  # whether published scores are measured with the mirrored crop, too


def training(
    dataset, *, batch, crop, rules="official", codec=None, sigma=2.0, scaling=None, rotation=None, half_body=None,
    shift=None, flip=0.5, seed=0, first_epoch=0, cache=None, worker=0, workers=1,
):  # fmt: skip
    """An endless stream of training batches: persons or half persons at random sizes and turns, mirrored or not.

    Args:
        dataset: a `PointSet` of persons.
        batch: persons per batch.
        crop: (height, width) of the model's input, multiples of 32.
        rules: whose order and ranges of chance: `"official"` or `"mmlab"`.
        codec: of the targets: `"official"`, `"classic"`, `"dark"`, `"udp"` or `"udp_combined"`; None: official, with
            mmlab classic.
        sigma: of the targets, in pixels of the heat maps: 2 at 256x192 and 256x256, 3 at 384x288.
        scaling: largest relative change of the crop's size; None: 0.35 (official, COCO), 0.5 (mmlab); MPII: 0.25.
        rotation: degrees of the turns: their standard deviation (official; None: 45, MPII: 30) or the most (mmlab; 80).
        half_body: how often a person of more than eight labelled points is shown by halves; None: 0.3; MPII: 0.
        shift: mmlab: how often the crop is moved; None: 0.3; MPII: 0.
        flip: probability of mirroring; 0 for a set whose `flip_pairs` nobody knows.
        seed, first_epoch, cache, worker, workers: as in `keypoints.samples.stream`.

    Returns:
        A `tf.data.Dataset` of `(image, targets)`, see `keypoints.samples.stream`.

    Raises:
        ValueError: an argument is out of its range, or the set has fewer persons than a batch.

    Source: `JointsDataset` of the official pose repository; mmpose's body recipes.
    """
    crop = tuple(int(side) for side in crop)
    codec = check(crop, rules, codec)
    drawn = {
        "scaling": scaling if scaling is not None else 0.35 if rules == "official" else 0.5,
        "turning": rotation if rotation is not None else 45.0 if rules == "official" else 80.0,
        "half_body": 0.3 if half_body is None else half_body,
        "flipping": flip,
    }
    if rules == "mmlab":
        drawn["shifting"] = 0.3 if shift is None else shift
    elif shift:
        raise ValueError(f"shift={shift}: the official rules move no crop: expected none, or rules mmlab")
    count = len(dataset.facts.point_names) * (3 if codec == "udp_combined" else 1)

    def one(image, annotations, row, rng):
        return _prepare(image, annotations, row, rng, dataset.facts, crop, sigma, codec, rules, drawn)

    return stream(
        dataset, one, size=crop, maps=(crop[0] // STRIDE, crop[1] // STRIDE, count), batch=batch, seed=seed,
        first_epoch=first_epoch, cache=cache, worker=worker, workers=workers,
    )  # fmt: skip


def check(crop, rules, codec):
    """The codec that `rules` and `codec` mean; raises `ValueError` where they or the crop don't fit."""
    if len(crop) != 2 or min(crop) < 32 or crop[0] % 32 or crop[1] % 32:
        raise ValueError(f"crop={crop}: expected (height, width), multiples of 32")
    if rules not in ("official", "mmlab"):
        raise ValueError(f"rules={rules!r}: expected 'official' or 'mmlab'")
    return codec or ("official" if rules == "official" else "classic")


def remembered(data):
    """What a model trained by a `DataRecipe` has to know of it afterwards, for its facts."""
    return {"input": list(data.crop), "rules": data.rules, "codec": check(data.crop, data.rules, data.codec)}


def evaluation(dataset, workers=2):
    """The examples of a `PointSet` in its order, as NumPy dicts, read ahead by `workers` threads."""
    return datasets.read_ahead(dataset, workers)


def centers_and_scales(example, facts, aspect_ratio):
    """The crops of a picture's persons.

    Args:
        example: with `boxes` `(n, 4)`, or, in a set with a `crop_drop`, `centers` and `scales`.
        facts: of the set, for its `crop_drop`.
        aspect_ratio: width / height of the input.

    Returns:
        Centres `(n, 2)` and scales `(n, 2)` (width, height) in units of 200 px, padded and of the aspect ratio.

    Source: `_box2cs` and the MPII reader of the official pose repository.
    """
    if getattr(facts, "crop_drop", None) is None or "centers" not in example:
        return affine.center_scale(example["boxes"], aspect_ratio)
    centers, scales = np.array(example["centers"], np.float64), np.array(example["scales"], np.float64)
    known = centers[:, 0] >= 0  # the file states -1 where it has no centre: neither moved nor padded then
    centers[:, 1] += np.where(known, facts.crop_drop * scales, 0.0)
    scales = scales * np.where(known, affine.PADDING, 1.0)
    return centers, affine.fix_aspect(np.repeat(scales[:, None], 2, axis=1), aspect_ratio)


def _prepare(image, annotations, row, rng, facts, size, sigma, codec, rules, drawn):
    ratio = size[1] / size[0]
    centers, scales = centers_and_scales(annotations, facts, ratio)
    center, scale = centers[row], scales[row]
    points, visible = annotations["points"][row], annotations["visible"][row]
    more = {"upper_body": facts.upper_body, **drawn}
    if rules == "official":
        look = augment.official_pose(rng, center, scale, points, visible, aspect_ratio=ratio, **more)
    else:
        look = augment.mmlab(rng, center, scale, points, visible, **more)
    center = look.center
    if look.flip:
        last = image.shape[1] - 1
        image, points = image[:, ::-1], mirror_points(points, last, facts.flip_pairs)
        visible, center = swap_points(visible, facts.flip_pairs), np.array([last - center[0], center[1]])
    scale = affine.fix_aspect(look.scale, ratio)
    matrix = (affine.udp_matrix if codec.startswith("udp") else affine.crop_matrix)(center, scale, size, look.rotation)
    maps, weights = encoding.encode(
        affine.transform(points, matrix), visible, codec=codec, input_size=size,
        map_size=(size[0] // STRIDE, size[1] // STRIDE), sigma=sigma,
    )  # fmt: skip
    if codec == "udp_combined":
        weights = np.repeat(weights, 3)
    return affine.warp(image, matrix, size), maps, weights


def endpoints(model, facts):
    """The signatures of an exported pose model: see `keypoints.serving.endpoints`. `boxes` are those of the persons."""
    del facts
    reading = reading_of(model, size=SIZE, flip=FLIP)
    unbiased, ratio = reading.codec.startswith("udp"), reading.size[1] / reading.size[0]

    def look(picture, boxes):
        boxes = tf.cast(boxes, tf.float64)
        wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        sides = tf.stack([tf.maximum(wide, high * ratio), tf.maximum(high, wide / ratio)], axis=1) * affine.PADDING
        back = serving.inverse_maps((boxes[:, :2] + boxes[:, 2:]) / 2, sides, reading.size, unbiased=unbiased)
        return serving.warp(picture, back, reading.size), back

    def decoded(maps, back):
        found = decode(maps, codec=reading.codec, input_size=reading.size)
        return serving.transform(found["points"], back), found["scores"]

    return serving.endpoints(model, reading, look=look, decoded=decoded)
