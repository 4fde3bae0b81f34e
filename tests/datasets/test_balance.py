"""How often classes occur: what a training is told beforehand, and masks that would train on nothing."""

import numpy as np
import pytest
from PIL import Image

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from hrnet_keras.training import train
from tests import published_sets, streets


def write(root, masks, classes="background\nlesion\n"):
    """A folder of these label maps; every picture is as light as its mask."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text(classes)
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    for i, mask in enumerate(masks):
        Image.fromarray(np.repeat(mask[..., None], 3, axis=2)).save(root / "images" / f"{i}.png")
        Image.fromarray(mask).save(root / "labels" / f"{i}.png")
    return root


def square(inside, outside=0, size=64):
    mask = np.full((size, size), outside, np.uint8)
    mask[16:48, 16:48] = inside
    return mask


@pytest.mark.parametrize("classes", ["background\nlesion\n", "background\nlesion\nskin\n"])
@pytest.mark.parametrize("masks", [[square(255)], [square(255), square(0)], [square(255), square(255, 255)]])
def test_masks_drawn_0_and_255_are_refused_with_the_remedy(tmp_path, masks, classes):
    root = write(tmp_path, masks, classes)
    found = datasets.load("folder", "train", root)
    assert datasets.validate(found) == [], "no file is wrong for itself"
    reason = (
        r"labels: the label maps hold only 0 \(background\) and 255, which is ignored: .*mask_values: \{0: 0, 255: 1\}"
    )
    with pytest.raises(DataError, match=reason):
        datasets.label_report(found)
    with pytest.raises(DataError, match=reason):
        datasets.load("folder", "train", root, class_weights="balanced")


def test_the_remedy(tmp_path):
    root = write(tmp_path, [square(255), square(255)])
    found = datasets.load("folder", "train", root, mask_values={"0": 0, 255: 1}, class_weights="balanced")
    np.testing.assert_array_equal(found.example(0)["label_map"], square(1))
    assert datasets.label_report(found) == [] and datasets.validate(found) == []
    weights = np.array([1 / np.log(1.10 + 0.75), 1 / np.log(1.10 + 0.25)])  # a quarter is lesion; ENet's rule
    np.testing.assert_allclose(found.info.class_weights, weights / weights.mean())
    np.testing.assert_array_equal(found.to_file(square(1)), square(255)), "answers are saved as the masks are drawn"
    found = datasets.load("folder", "train", root, mask_values={0: 255, 255: 1})
    np.testing.assert_array_equal(found.label_map(1), square(1, 255))
    Image.fromarray(square(128)).save(root / "labels" / "0.png")
    with pytest.raises(DataError, match=r"0\.png: holds class ids 128: expected one of the 2 values"):
        found.label_map(0)


@pytest.mark.parametrize("given", [{}, {0: 2}, {256: 0}, {0: -1}, {"black": 0}, [0, 255], "{0: 0}", 7])
def test_values_that_are_none_are_named(tmp_path, given):
    with pytest.raises(
        ValueError, match=r"mask_values=.*: expected \{value in a mask, 0\.\.255: class id, 0\.\.1 or 255"
    ):
        datasets.load("folder", "train", write(tmp_path, [square(1)]), mask_values=given)


@pytest.mark.parametrize(
    ("masks", "lines"),
    [
        ([square(1), square(2)], []),
        ([square(1)], ["split 'val': no sky in its 1 label maps"]),
        (
            [square(2, 2)] * 3,
            ["split 'val': all that is labelled in its 3 label maps is 'sky': no other class is learnt"],
        ),
    ],
)
def test_absent_classes_are_said(tmp_path, masks, lines):
    found = datasets.load("folder", "val", write(tmp_path, masks, "road\ncar\nsky\n"))
    assert datasets.label_report(found) == lines


def test_a_report_in_time_says_how_much_it_saw(tmp_path):
    found = datasets.load("folder", "train", write(tmp_path, [square(1, size=64)] * 40, "a\nb\nc\n"))
    assert datasets.label_report(found, seconds=0) == ["split 'train': no c in 32 of its 40 label maps"]


def test_sets_of_other_kinds(tmp_path):
    root = published_sets.imagenet(tmp_path / "imagenet", {"train": 2})
    assert datasets.label_report(datasets.load("imagenet", "train", root)) == []
    assert datasets.label_report(datasets.load("toytown", "train")) == []
    root = published_sets.cityscapes(tmp_path / "city", {"train": 1})
    assert datasets.label_report(datasets.load("cityscapes", "train", root, partial=True)) == []


def test_a_training_refuses_before_its_first_step_and_says_what_is_absent(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "hrnet_keras.training.assemble.build", lambda *_: 1 / 0
    )  # data are looked at before a net is built
    options = {"augment.crop": [32, 32], "train.batch": 2, "train.epochs": 1}
    recipe = "recipes/seg/folder_hrnetv2_w18_small_v1.yaml"
    root = write(tmp_path / "drawn", [square(255)] * 2)
    for unreadable in ("raise", "skip"):
        more = {"data.root": str(root), "data.unreadable": unreadable, "output": str(tmp_path / unreadable)}
        with pytest.raises(DataError, match="mask_values"):
            train(recipe, **options, **more)
    root = streets.draw(tmp_path / "streets", count=2)
    (root / "classes.txt").write_text("ground\nsquare\nbar\nsky\n")
    with pytest.raises(ZeroDivisionError):
        train(recipe, **options, **{"data.root": str(root), "output": str(tmp_path / "other")})
    assert "split 'train': no sky in its 2 label maps" in capsys.readouterr().out
