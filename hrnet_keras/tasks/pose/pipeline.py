"""Every way from a picture to the model's input: persons cut by an affine map, to learn and to score."""

import functools

from hrnet_keras import datasets
from hrnet_keras.tasks.keypoints import augment
from hrnet_keras.tasks.keypoints.samples import affine_sample, check_chance, map_size, samples as samples, stream
from hrnet_keras.tasks.pose.crop import centers_and_scales

# Of a `DataRecipe`, that mean something here.
OPTIONS = ("crop", "convention", "codec", "sigma", "scaling", "rotation", "half_body", "shift", "flip", "cache")
CODECS = ("official", "msra", "dark", "udp")  # of targets; udp_combined would need a loss of its own


def training(
    dataset, *, batch, crop, convention="official", codec=None, sigma=None, scaling=None, rotation=None, half_body=None,
    shift=None, flip=0.5, seed=0, first_epoch=0, cache=None, worker=0, workers=1,
):  # fmt: skip
    """An endless stream of training batches: persons or half persons at random sizes and turns, mirrored or not.

    Args:
        dataset: a `PointSet` of persons.
        batch: persons per batch.
        crop: (height, width) of the model's input, multiples of 32.
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
    crop = tuple(int(side) for side in crop)
    codec = check(crop, convention, codec)
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
        _prepare, info=dataset.info, size=crop, convention=convention, codec=codec, sigma=sigma, chance=chance
    )
    return stream(
        dataset, prepare, size=crop, maps=(*map_size(crop), len(dataset.info.point_names)), batch=batch, seed=seed,
        first_epoch=first_epoch, cache=cache, worker=worker, workers=workers,
    )  # fmt: skip


def check(crop, convention, codec):
    """The codec that `convention` and `codec` mean; raises `ValueError` where they or the crop don't fit."""
    if len(crop) != 2 or min(crop) < 32 or crop[0] % 32 or crop[1] % 32:
        raise ValueError(f"crop={crop}: expected (height, width), multiples of 32")
    if convention not in ("official", "mmlab"):
        raise ValueError(f"convention={convention!r}: expected 'official' or 'mmlab'")
    codec = codec or ("official" if convention == "official" else "msra")
    if codec not in CODECS:
        raise ValueError(f"codec={codec!r}: expected one of {', '.join(map(repr, CODECS))}")
    return codec


def remembered(data):
    """What a model trained by a `DataRecipe` has to know of it afterwards, for its info."""
    return {
        "input_size": tuple(data.crop),
        "convention": data.convention,
        "codec": check(data.crop, data.convention, data.codec),
    }


def evaluation(dataset, workers=2):
    """The examples of a `PointSet` in its order, as NumPy dicts, read ahead by `workers` threads."""
    return datasets.read_ahead(dataset, workers)


def _prepare(image, annotations, row, rng, *, info, size, convention, codec, sigma, chance):
    ratio = size[1] / size[0]
    # The official code widens first and draws then, mmpose the other way round.
    centers, scales = centers_and_scales(annotations, info, ratio if convention == "official" else None)
    points, visible = annotations["points"][row], annotations["visible"][row]
    draw = functools.partial(augment.official_pose, aspect_ratio=ratio) if convention == "official" else augment.mmlab
    look = draw(rng, centers[row], scales[row], points, visible, upper_body=info.upper_body, **chance)
    return affine_sample(image, points, visible, look, size=size, codec=codec, sigma=sigma, flip_pairs=info.flip_pairs)
