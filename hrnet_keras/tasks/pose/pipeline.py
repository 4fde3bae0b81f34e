"""Every way from a picture to the model's input: persons cut by an affine map, to learn, to score, to serve."""

import functools

import numpy as np
import tensorflow as tf

from hrnet_keras import datasets
from hrnet_keras.tasks.keypoints import affine, augment, serving
from hrnet_keras.tasks.keypoints.reading import reading_of
from hrnet_keras.tasks.keypoints.samples import affine_sample, check_chance, map_size, samples as samples, stream
from hrnet_keras.tasks.pose.decoding import decode

SIZE = (256, 192)  # of the input, where a model's info don't say
FLIP = {"official": True, "mmlab": True}  # whether published scores are measured with the mirrored crop, too
SYMMETRIC = ("udp", "udp_combined")  # see `keypoints.reading.reading_of`
CODECS = ("official", "msra", "dark", "udp")  # of targets; udp_combined would need a loss of its own
NO_CENTER = -2  # x of a person whose centre MPII's file does not state: -1 there, counted from 1


def training(
    dataset, *, batch, input_size, convention="official", codec=None, sigma=None, scaling=None, rotation=None,
    half_body=None, shift=None, flip=0.5, seed=0, first_epoch=0, cache=None, worker=0, workers=1,
):  # fmt: skip
    """An endless stream of training batches: persons or half persons at random sizes and turns, mirrored or not.

    Args:
        dataset: a `PointSet` of persons.
        batch: persons per batch.
        input_size: (height, width) of the model's input, multiples of 32.
        convention: whose order and ranges of chance: `"official"` or `"mmlab"`.
        codec: of the targets: `"official"`, `"msra"`, `"dark"` or `"udp"`; None: official, with mmlab msra.
        sigma: of the targets, in pixels of the heat maps; None: 2, as at 256x192 and 256x256 (384x288: 3).
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
    input_size = tuple(int(side) for side in input_size)
    codec = check(input_size, convention, codec)
    chance = {
        "scaling": scaling if scaling is not None else 0.35 if convention == "official" else 0.5,
        "turning": rotation if rotation is not None else 45.0 if convention == "official" else 80.0,
        "half_body": 0.3 if half_body is None else half_body,
        "flipping": flip,
    }
    if convention == "mmlab":
        chance["shifting"] = 0.3 if shift is None else shift
    elif shift:
        raise ValueError(f"shift={shift}: the official convention moves no crop: expected none, or convention mmlab")
    sigma = 2.0 if sigma is None else sigma
    check_chance(dataset.info, sigma=sigma, **chance)
    prepare = functools.partial(
        _prepare, info=dataset.info, size=input_size, convention=convention, codec=codec, sigma=sigma, chance=chance
    )
    return stream(
        dataset, prepare, size=input_size, maps=(*map_size(input_size), len(dataset.info.point_names)), batch=batch,
        seed=seed,
        first_epoch=first_epoch, cache=cache, worker=worker, workers=workers,
    )  # fmt: skip


def check(input_size, convention, codec):
    """The codec that `convention` and `codec` mean; raises `ValueError` where they or the size don't fit."""
    if len(input_size) != 2 or min(input_size) < 32 or input_size[0] % 32 or input_size[1] % 32:
        raise ValueError(f"input_size={input_size}: expected (height, width), multiples of 32")
    if convention not in ("official", "mmlab"):
        raise ValueError(f"convention={convention!r}: expected 'official' or 'mmlab'")
    codec = codec or ("official" if convention == "official" else "msra")
    if codec not in CODECS:
        raise ValueError(f"codec={codec!r}: expected one of {', '.join(map(repr, CODECS))}")
    return codec


def evaluation(dataset, workers=2):
    """The examples of a `PointSet` in its order, as NumPy dicts, read ahead by `workers` threads."""
    return datasets.read_ahead(dataset, workers)


def centers_and_scales(example, info, aspect_ratio):
    """The crops of a picture's persons.

    Args:
        example: with `boxes` `(n, 4)`, or, in a set with a `crop_drop`, `centers` and `scales`.
        info: of the set, for its `crop_drop`; None: there are boxes alone.
        aspect_ratio: width / height of the input, to which scales are widened; None: they are the persons' own.

    Returns:
        Centres `(n, 2)` and scales `(n, 2)` (width, height) in units of 200 px, padded.

    Source: `_box2cs` and the MPII reader of the official pose repository.
    """
    if getattr(info, "crop_drop", None) is None or example.get("centers") is None:
        return affine.center_scale(example["boxes"], aspect_ratio)
    centers, scales = np.array(example["centers"], np.float64), np.asarray(example["scales"], np.float64)
    known = centers[:, 0] != NO_CENTER  # one that is not known is neither moved nor padded
    centers[:, 1] += np.where(known, info.crop_drop * scales, 0.0)
    scales = np.repeat((scales * np.where(known, affine.PADDING, 1.0))[:, None], 2, axis=1)
    return centers, scales if aspect_ratio is None else affine.fix_aspect(scales, aspect_ratio)


def _prepare(image, annotations, row, rng, *, info, size, convention, codec, sigma, chance):
    ratio = size[1] / size[0]
    # The official code widens first and draws then, mmpose the other way round.
    centers, scales = centers_and_scales(annotations, info, ratio if convention == "official" else None)
    points, visible = annotations["points"][row], annotations["visible"][row]
    draw = functools.partial(augment.official_pose, aspect_ratio=ratio) if convention == "official" else augment.mmlab
    look = draw(rng, centers[row], scales[row], points, visible, upper_body=info.upper_body, **chance)
    return affine_sample(image, points, visible, look, size=size, codec=codec, sigma=sigma, flip_pairs=info.flip_pairs)


def endpoints(model, info):
    """The signatures of an exported pose model: see `keypoints.serving.endpoints`. `boxes` are those of the persons."""
    del info
    reading = reading_of(model, size=SIZE, flip=FLIP, symmetric=SYMMETRIC)

    @tf.function  # written once for all that call it
    def look(picture, boxes):
        boxes = tf.cast(boxes, tf.float64)
        centers, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, affine.PADDING * (boxes[:, 2:] - boxes[:, :2])
        return serving.look(picture, centers, sides, reading)

    return serving.endpoints(model, reading, serving.Steps(look, serving.decoded(decode, reading)))
