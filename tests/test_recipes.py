"""Every recipe: it loads, its net exists, and it trains a step on dummy files in the real layout of its data set."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hrnet_keras import builders, training
from hrnet_keras.checkpoints import zoo
from hrnet_keras.recipe import Recipe
from hrnet_keras.tasks import task_named
from hrnet_keras.training import assemble
from tests import coco_files, point_files, published_sets
from tests.tasks.detection.tiny import tiny

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "recipes").glob("*/*.yaml"))
OWN = ("camvid", "folder", "points", "raccoon", "toytown")
PUBLISHED = [path for path in RECIPES if path.stem.split("_")[0] not in OWN]
POINTS = [path for path in PUBLISHED if path.parent.name in ("landmark", "pose")]
DETECTORS = [path for path in PUBLISHED if path.parent.name == "det"]
OF_POINTS = [path for path in DETECTORS if "fcos" in path.stem or "centernet" in path.stem]  # detectors without regions
SMALL = {"model.weights": None, "train.batch": 2, "train.epochs": 1}
BASE_SIZE = {"augment.base_size": 96}  # where pictures are scaled
FAST = "HRNetV2W18SmallV1"  # a step of W48 takes minutes to trace; the recipe's own net is only looked up
MAKERS = published_sets.MAKERS | point_files.MAKERS | {"coco_detection": coco_files.coco}
WHOLE = ("lip_hrnetv2_w48", "pascal_context_59_hrnetv2_w48_ocr", "imagenet_hrnetv2_w18_small_v1")


def on_dummy_files(path, tmp_path, **more):
    """The recipe on two dummy pictures in the real layout of its data set, with a small net in the place of its own."""
    recipe = Recipe.load(path)
    data = recipe.data.name
    options = dict(recipe.data.options)
    options |= {"partial": True} if data in ("cityscapes", "lip", "ade20k", "cocostuff") else {}
    options |= {"size": [80, 80]} if "size" in options else {}
    options |= {"short_side": 50} if "short_side" in options else {}
    splits = {"train": 2, recipe.data.evaluate if data in point_files.MAKERS else "val": 1}
    root = MAKERS[data](tmp_path / "data", splits)
    changes = {
        **SMALL,
        **small_pictures(recipe),
        "model.name": fast(recipe),
        "data.root": str(root),
        "data.options": options,
        **more,
    }
    return Recipe.load(path, **changes)


def small_pictures(recipe):
    """What a recipe says of the sizes of pictures, of detectors a sixteenth, and of fewer samples."""
    if recipe.model.task == "seg":
        return {"augment.crop": [64, 64], **BASE_SIZE}
    if recipe.model.task != "det":
        return {"augment.input_size": [64, 64]}
    augment = recipe.augment
    sizes = {"augment.scale": [side // 16 for side in augment.scale], "loss.anchors": 32, "loss.regions": 16}
    sizes["augment.scales"] = [[side // 16 for side in size] for size in augment.scales]
    if augment.scale_range is not None:
        sizes["augment.scale_range"] = [side // 16 for side in augment.scale_range]
    if augment.crop is not None:
        sizes["augment.crop"] = [side // 16 for side in augment.crop]
    return sizes


def fast(recipe):
    """The small net of a recipe's representation."""
    return FAST.replace("V2", representation_of(recipe), 1)


def representation_of(recipe):
    return recipe.model.name.removeprefix("HRNet").split("W")[0]


@pytest.fixture
def tiny_detectors(monkeypatch):
    """A detector on a few convolutions in the place of the small one."""

    def build(task, *, num_classes, framework, lineage, include_preprocessing, **options):
        assert task == "det" and include_preprocessing and options["weights"] is None
        return tiny(framework, num_classes=num_classes, lineage=lineage)

    monkeypatch.setattr(builders, FAST.replace("V2", "V2p"), build)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_it_loads_and_says_what_it_reproduces(path):
    recipe = Recipe.load(path)
    assert recipe.model.name in vars(builders)
    task = task_named(recipe.model.task)
    assert representation_of(recipe) in task.representations
    task.conventions_of(recipe.model.lineage or "official", recipe.model.head, align_corners=recipe.model.align_corners)
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert len(head) >= 2
    assert f"[{path.parent.name}/{path.stem}]" in (ROOT / "recipes" / "README.md").read_text()


def distinct(paths):
    """One recipe of those whose step on dummy files is one: their nets' widths and first weights alone are others.

    Of those of points it is one where net and loss are alike: what they learn from is looked at without a net. Of
    detectors the length of the training makes no difference.
    """
    found = {}
    for path in paths:
        recipe = Recipe.load(path)
        net = replace(recipe.model, name=fast(recipe), weights=None)
        whole = (recipe.data, recipe.augment, recipe.loss, recipe.optimizer, recipe.schedule, recipe.train)
        learns = recipe.loss if path in POINTS else whole
        if path in DETECTORS:
            learns = (recipe.augment, recipe.loss, recipe.optimizer)
        found.setdefault(repr((net, learns)), path)
    return list(found.values())


@pytest.mark.parametrize("path", distinct(PUBLISHED), ids=lambda path: path.stem)
def test_its_first_step(path, tmp_path, tiny_detectors):
    """One step of its loss, optimizer and pipeline, without the minutes that tracing takes."""
    recipe = on_dummy_files(path, tmp_path)
    data, held_out = assemble.open_data(recipe.data)
    model = assemble.build(recipe, data)
    fitted = assemble.fitted(model, recipe, data, steps=1)
    fitted.run_eagerly = True
    image, truth = next(iter(assemble.stream_of(recipe, data)()))
    before = fitted.trainable_variables[0].numpy()
    loss = fitted.train_on_batch(image, truth)
    assert np.isfinite(loss).all() and np.ravel(loss)[0] > 0
    assert not np.array_equal(before, fitted.trainable_variables[0])
    assert len(held_out) in (1, 3)  # three class folders of ImageNet
    if path in DETECTORS:
        moves = recipe.train.batch_norm == "batch"
        assert bool(model.get_layer("bn1").moving_mean.numpy().any()) == moves


@pytest.mark.parametrize("path", [path for path in DETECTORS if path not in OF_POINTS], ids=lambda path: path.stem)
def test_detectors_say_the_score_of_the_published_weights(path):
    """Where weights of the very training are listed; the schedule by the length in the name."""
    recipe, head = Recipe.load(path), path.read_text()
    pattern = r"coco_(\w+_rcnn|htc)_hrnetv2p_(w\d\d)_(\dx|\d\de)(?:_\w+)?"
    framework, width, length = re.fullmatch(pattern, path.stem).groups()
    model, is_v1 = recipe.model, "_official" in path.stem
    assert (model.framework, model.name.lower()) == (framework, f"hrnetv2p{width}")
    assert model.lineage == ("official" if is_v1 else "mmlab")
    entry = zoo.named(
        f"v1_{framework}_hrnetv2p_{width}_{length}" if is_v1 else f"{path.stem.removeprefix('coco_')}_coco"
    )
    assert entry is not None or is_v1 or "a configuration without weights" in head
    if entry is not None:
        assert f"{entry.score['AP']} AP" in head and f"masks {entry.score.get('mask AP')} AP" in head + "masks None AP"
    milestones = {"1x": [8, 11], "2x": [20, 23] if is_v1 else [16, 22], "20e": [16, 19], "28e": [24, 27]}
    assert recipe.train.epochs == {"1x": 12, "2x": 24, "20e": 20, "28e": 28}[length] and recipe.train.batch == 16
    assert recipe.schedule.milestones == milestones[length]
    rate = assemble.schedule_of(recipe, 7330)  # batches of an epoch
    first = 1 / 3 if is_v1 else 0.001
    for step, expected in ((0, first), (499, 1), (8 * 7330 - 1, 1), (recipe.train.epochs * 7330 - 1, 0.01)):
        assert float(rate(step)) == pytest.approx(0.02 * expected, rel=1e-4)
    assert recipe.augment.masks == (framework not in ("faster_rcnn", "cascade_rcnn"))
    assert recipe.augment.semantic == (framework == "htc")


@pytest.mark.parametrize("path", [path for path in OF_POINTS if "fcos" in path.stem], ids=lambda path: path.stem)
def test_detectors_of_points_say_the_score_of_the_published_weights(path):
    recipe, head = Recipe.load(path), path.read_text()
    pattern = r"coco_(fcos(?:_6l)?)_hrnetv2p_(w\d\d)_(\dx)(_mmdet1|_official)?(_syncbn)?(_ms)?"
    framework, width, length, whose, synchronized, sizes = re.fullmatch(pattern, path.stem).groups()
    model, augment = recipe.model, recipe.augment
    assert (model.framework, model.name.lower()) == (framework, f"hrnetv2p{width}")
    assert model.lineage == ("official" if whose else "mmlab")
    of_mmdet = f"fcos_hrnetv2p_{width}_gn-head{'_mstrain_640-800' if sizes else ''}_4x4_{length}_coco"
    of_mmdet1 = f"v1_fcos_hrnetv2p_{width}{'_mstrain' if sizes else ''}_{length}"
    name = {None: of_mmdet, "_mmdet1": of_mmdet1, "_official": ""}[whose]
    if name:
        assert f"Published: {zoo.named(name).score['AP']} AP." in head
    assert bool(augment.scales) == bool(sizes and whose != "_official")
    assert augment.scale_range == ((640, 800) if sizes and whose == "_official" else None)
    assert recipe.train.batch_norm == ("batch" if synchronized else "running")
    rate = assemble.schedule_of(recipe, 7330)  # batches of an epoch
    starts_in_a_line = (whose, length) == (None, "2x")
    first, late = (0.001, 0.001 + 0.999 * 400 / 499) if starts_in_a_line else (1 / 3, 1 / 3)
    for step, expected in ((0, first), (400, late), (499, 1), (recipe.train.epochs * 7330 - 1, 0.01)):
        assert float(rate(step)) == pytest.approx(0.01 * expected, rel=1e-4)
    options = recipe.optimizer
    assert (options.bias_rate, options.bias_decay, options.clip_norm) == (2, 0, None if whose else 35)


@pytest.mark.parametrize("path", POINTS, ids=lambda path: path.stem)
def test_its_first_batch_of_points(path, tmp_path):
    """Pictures and heat maps at the recipe's own size, without a net."""
    own = Recipe.load(path).augment
    recipe = on_dummy_files(path, tmp_path, **{"augment.input_size": list(own.input_size)})
    data, held_out = assemble.open_data(recipe.data)
    image, targets = (array.numpy() for array in next(iter(assemble.stream_of(recipe, data)())))
    height, width = own.input_size
    assert image.shape == (2, height, width, 3) and image.min() >= 0 and 150 < image.max() <= 255
    maps, weights = targets[:, :-1], targets[:, -1]
    assert maps.shape == (2, height // 4, width // 4, len(data.info.point_names))
    assert maps.min() >= 0 and 0.9 < maps.max() <= 1 and set(np.unique(weights)) <= {0, 1}
    k = maps[0].max((0, 1)).argmax()
    row = maps[0, maps[0, ..., k].max(1).argmax(), :, k]
    assert abs((row > 0.6).sum() - 2 * own.sigma) <= 1  # a Gaussian is two sigma wide at exp(-0.5) = 0.61
    assert len(held_out) == 1


@pytest.mark.parametrize("path", POINTS, ids=lambda path: path.stem)
def test_points_name_the_score_of_the_published_weights(path):
    recipe, head = Recipe.load(path), path.read_text()
    convention, codec = recipe.augment.convention, recipe.augment.codec or "official"
    width = recipe.model.name.removeprefix("HRNet")[2:]
    fitting = [
        entry for entry in zoo.entries()
        if (entry.task, entry.width, entry.data) == (recipe.model.task, width, recipe.data.name)
        and (entry.lineage, entry.codec, entry.input_size) == (convention, codec, tuple(recipe.augment.input_size))
        and ("awing" in entry.name) == ("awing" in path.stem)
    ]  # fmt: skip
    assert recipe.model.lineage == (None if convention == "official" else convention)
    said = {"NME": "{:.2f} NME", "AP": "{:.3f} AP", "PCKh": "{:.1f} PCKh"}
    (scores,) = {
        tuple(entry.score.items()) for entry in fitting if not {"aic", "fp16"} & set(re.split("[-_]", entry.name))
    }
    assert all(said[word].format(score).lstrip("0") in head for word, score in scores)


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_training_on_dummy_files(name, tmp_path):
    (path,) = [path for path in RECIPES if path.stem == name]
    history = training.train(on_dummy_files(path, tmp_path, output=str(tmp_path / "run")))
    main = "top1" if path.parent.name == "cls" else "mIoU"
    assert history.history["loss"][0] > 0 and 0 <= history.history[main][0] <= 100
