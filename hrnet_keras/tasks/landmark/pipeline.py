"""Every way from a picture to the model's input: faces cut by the official convention or by mmpose's."""

import functools

import numpy as np

from hrnet_keras import datasets
from hrnet_keras.tasks.keypoints import affine, augment
from hrnet_keras.tasks.keypoints.decoding import STRIDE
from hrnet_keras.tasks.keypoints.flips import mirror_points, swap_points
from hrnet_keras.tasks.keypoints.samples import affine_sample, check_chance, map_size, samples as samples, stream
from hrnet_keras.tasks.landmark import crop as cropping
from hrnet_keras.tasks.landmark.targets import targets

# Of a `DataRecipe`, that mean something here.
OPTIONS = ("crop", "convention", "codec", "sigma", "scaling", "rotation", "flip", "cache")


def training(
    dataset, *, batch, crop, convention="official", codec=None, sigma=None, scaling=None, rotation=None, flip=0.5,
    seed=0, first_epoch=0, cache=None, worker=0, workers=1,
):  # fmt: skip
    """An endless stream of training batches: faces at random sizes and turns, every second one mirrored.

    Args:
        dataset: a `PointSet` of faces.
        batch: faces per batch.
        crop: (height, width) of the model's input; the official convention knows squares alone.
        convention: `"official"`: contrast-stretched crops and whole-pixel targets; `"mmlab"`: affine crops, see `codec`.
        codec: of the targets, mmlab: `"msra"` (default), `"dark"` or `"udp"`.
        sigma: of the targets, in pixels of the heat maps; None: 1.5, as officially on AFLW, COFW and WFLW (300W: 1).
        scaling: largest relative change of the crop's size; None: 0.25.
        rotation: most degrees of a turn; None: 30 (official), 60 (mmlab).
        flip: probability of mirroring; 0 for a set whose `flip_pairs` nobody knows.
        seed, first_epoch, cache, worker, workers: as in `keypoints.samples.stream`.

    Returns:
        A `tf.data.Dataset` of `(image, targets)`, see `keypoints.samples.stream`.

    Raises:
        ValueError: an argument is out of its range, or the set has fewer faces than a batch.

    Source: the data sets of the official facial-landmark repository; mmpose's face recipes.
    """
    crop = tuple(int(side) for side in crop)
    codec = check(crop, convention, codec)
    chance = {
        "scaling": 0.25 if scaling is None else scaling,
        "turning": rotation if rotation is not None else 30.0 if convention == "official" else 60.0,
        "flipping": flip,
    }
    sigma = 1.5 if sigma is None else sigma
    check_chance(dataset.info, sigma=sigma, **chance)
    prepare = _official if convention == "official" else functools.partial(_mmlab, codec=codec)
    prepare = functools.partial(prepare, info=dataset.info, size=crop, sigma=sigma, chance=chance)
    return stream(
        dataset, prepare, size=crop, maps=(*map_size(crop), len(dataset.info.point_names)), batch=batch, seed=seed,
        first_epoch=first_epoch, cache=cache, worker=worker, workers=workers,
    )  # fmt: skip


def check(crop, convention, codec):
    """The codec that `convention` and `codec` mean; raises `ValueError` where they or the crop don't fit."""
    if len(crop) != 2 or min(crop) < 32 or crop[0] % STRIDE or crop[1] % STRIDE:
        raise ValueError(f"crop={crop}: expected (height, width), multiples of {STRIDE}, of at least 32 pixels")
    if convention not in ("official", "mmlab"):
        raise ValueError(f"convention={convention!r}: expected 'official' or 'mmlab'")
    if convention == "official":
        if crop[0] != crop[1] or codec not in (None, "official"):
            raise ValueError(
                f"crop={crop}, codec={codec!r}: the official convention cuts squares and has its own codec"
            )
        return "official"
    if codec not in (None, "msra", "dark", "udp"):
        raise ValueError(f"codec={codec!r}: expected 'msra', 'dark' or 'udp' with the convention of mmlab")
    return codec or "msra"


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


def _official(image, annotations, row, rng, *, info, size, sigma, chance):
    center, scale = annotations["centers"][row], annotations["scales"][row] * affine.PADDING
    points, visible = annotations["points"][row], annotations["visible"][row]
    look = augment.official_landmark(rng, center, scale, **chance)
    center = look.center
    if look.flip:
        width = image.shape[1]  # not the last column: the official code mirrors one pixel off
        image, points = image[:, ::-1], mirror_points(points, width, info.flip_pairs)
        visible, center = swap_points(visible, info.flip_pairs), np.array([width - center[0], center[1]])
    picture = cropping.crop(
        image, center, look.scale, side=size[0], rotation=look.rotation, stretch_first=info.stretch_first
    )
    maps = targets(points, center, look.scale, side=size[0] // STRIDE, sigma=sigma, rotation=look.rotation)
    return picture, maps, (visible > 0).astype(np.float32)


def _mmlab(image, annotations, row, rng, *, info, size, codec, sigma, chance):
    center, scale = annotations["centers"][row], annotations["scales"][row] * affine.PADDING
    points, visible = annotations["points"][row], annotations["visible"][row]
    look = augment.mmlab(rng, center, scale, points, visible, shifting=0.0, **chance)
    return affine_sample(image, points, visible, look, size=size, codec=codec, sigma=sigma, flip_pairs=info.flip_pairs)
