"""Sets of points: what an example holds, whose arrays they are, and pictures that don't fit their annotations."""

import numpy as np
import pytest

from hrnet_keras import datasets
from hrnet_keras.datasets import DataError
from hrnet_keras.datasets.points import (
    Instance,
    centers_and_scales,
    check_box,
    check_inside,
    names_of,
    point_set,
    rows_of,
    square_box,
    tight_boxes,
)
from tests import point_files

FACES = {"300w": (1, 1), "wflw": (1, 3), "aflw": (1, 1), "cofw": (1, 1)}  # faces per sample picture


def instance(picture, x=10.0, **more):
    points = np.array([[x, 20.0], [x + 5, 31.0]])
    return Instance(picture, points, np.array([1, 2], np.int8), (x, 20.0, x + 5, 31.0), **more)


def opened(tmp_path, instances, **more):
    for name in {one.picture for one in instances}:
        point_files.picture(tmp_path / name, (50, 60))
    rows = {name: row | more for name, row in rows_of(instances).items()}
    info = datasets.DatasetInfo("mine", point_names=("a", "b"))
    return point_set(info, "train", rows, folder=tmp_path, origin="mine.csv", archive="the pictures")


def test_a_picture_has_a_row_per_instance_in_the_order_of_the_file(tmp_path):
    found = opened(tmp_path, [instance("b.jpg", 1), instance("sub/a.jpg", 2), instance("b.jpg", 3, size=4.0)])
    assert found.names == ("b", "sub/a") and len(found) == 2
    example = found.example(0)
    assert example["image"].shape == (50, 60, 3) and example["image"].dtype == np.uint8
    np.testing.assert_array_equal(example["points"][:, 0, 0], [1, 3])
    assert example["points"].dtype == example["boxes"].dtype == np.float64 and example["visible"].dtype == np.int8
    assert "sizes" not in example and "centers" not in example, "only where every row has one"
    annotations = found.annotations(0)
    assert set(example) - set(annotations) == {"image"} and annotations["name"] == "b"


def test_the_arrays_are_the_caller_s(tmp_path):
    found = opened(tmp_path, [instance("b.jpg")])
    for ask in (found.annotations, found.example):
        ask(0)["points"][:] = -1
        assert found.annotations(0)["points"].min() > 0


def test_annotations_need_no_picture(tmp_path):
    found = opened(tmp_path, [instance("b.jpg")])
    (tmp_path / "b.jpg").unlink()
    assert found.annotations(0)["points"].shape == (1, 2, 2)
    with pytest.raises(DataError, match=r"b\.jpg: no such file"):
        found.example(0)


def test_a_picture_that_is_not_the_annotated_one_is_named(tmp_path):
    assert opened(tmp_path, [instance("b.jpg")], size=(50, 60)).example(0)["size"] == (50, 60)
    found = opened(tmp_path, [instance("b.jpg")], size=(60, 50))
    with pytest.raises(DataError, match=r"b\.jpg: the picture is 60x50, mine\.csv says 50x60 \(width x height\)"):
        found.example(0)


def test_sets_of_points_are_validated_and_rid_of_what_is_broken(tmp_path):
    found = opened(tmp_path, [instance("a.jpg"), instance("b.jpg", 70.0), instance("c.jpg", 5)])
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    problems = datasets.validate(found)
    assert [name for name, _ in problems] == ["a", "b"]
    assert "a.jpg: cannot be read as a picture" in problems[0][1]
    assert (
        "b.jpg: the box 70, 20, 75, 31 (left, top, right, bottom) lies outside the picture of 60x50" in problems[1][1]
    )
    rest = datasets.exclude(found, problems)
    assert rest.names == ("c",) and rest.example(0)["points"][0, 0, 0] == 5


@pytest.mark.parametrize("partial", [False, True])
def test_absent_pictures(tmp_path, partial):
    rows = rows_of([instance("x/a.jpg"), instance("x/b.jpg"), instance("y/c.jpg")])
    point_files.picture(tmp_path / "x" / "b.jpg")
    more = {"folder": tmp_path, "origin": "mine.csv", "archive": "all.zip", "partial": partial}
    info = datasets.DatasetInfo("mine")
    if partial:
        found = point_set(info, "train", rows, **more)
        assert found.names == ("x/b",) and len(found.rows) == 1
        (tmp_path / "x" / "b.jpg").unlink()
        with pytest.raises(DataError, match="one of 3 absent of the 3 pictures"):
            point_set(info, "train", rows, **more)
        return
    with pytest.raises(
        DataError, match=r"x/a\.jpg: no such file, one of 2 absent of the 3 pictures that mine\.csv nam"
    ):
        point_set(info, "train", rows, **more)
    with pytest.raises(DataError, match=r"unpack all\.zip there, or take what is there with the option partial: true"):
        point_set(info, "train", rows, **more)
    with pytest.raises(DataError, match=r"mine\.csv: annotates nothing of use"):
        point_set(info, "train", {}, **more)


def test_names_are_told_apart():
    assert names_of(["a/b.jpg", "b.png"]) == ["a/b", "b"]
    assert names_of(["b.jpg", "b.png"]) == ["b.jpg", "b.png"]


def test_tight_boxes_by_hand():
    points = [[[10.2, 5.0], [3.9, 8.1], [-4.5, 99.0]], [[0.0, 0.0], [1.0, 2.0], [0.5, 0.5]]]
    boxes = tight_boxes(points, [[1, 2, 0], [1, 1, 1]])
    np.testing.assert_array_equal(boxes, [[3, 5, 11, 9], [0, 0, 1, 2]])
    centers, scales = centers_and_scales(boxes)
    np.testing.assert_array_equal(centers, [[7, 7], [0.5, 1]])
    np.testing.assert_allclose(scales, [8 / 200, 2 / 200], rtol=1e-15)
    np.testing.assert_array_equal(tight_boxes([[[-4.5, -0.2], [1, 1]]], [[1, 1]]), [[-5, -1, 1, 1]])
    assert square_box((7, 7), 8 / 200) == (3, 3, 11, 11)


def test_boxes_that_are_none():
    check_box((1, 2, 3, 4), "here")
    for box in ((1, 2, 1, 4), (1, 2, 3, 2), (3, 2, 1, 4)):
        with pytest.raises(DataError, match=r"^here: the box .* has no area: correct it or leave this one out$"):
            check_box(box, "here")
    check_inside((-5, -5, 0.1, 0.1), (50, 60), "here")
    check_inside((59.9, 49.9, 99, 99), (50, 60), "here")
    for box in ((-5, 5, -1, 9), (5, -5, 9, -1), (61, 5, 70, 9), (5, 51, 9, 60)):
        with pytest.raises(DataError, match=r"^here: the box .* lies outside the picture of 60x50"):
            check_inside(box, (50, 60), "here")


@pytest.mark.parametrize("name", FACES)
def test_sample_faces(samples, tmp_path, name):
    """Every sample picture of faces: the json's own numbers, found again by reading it without the package."""
    found = datasets.load(name, "test", point_files.from_samples(samples, name, tmp_path), **_mmlab(name))
    whole = point_files.json.loads((samples / "mmpose" / name / f"test_{name}.json").read_text())
    assert tuple(sorted(len(found.annotations(i)["points"]) for i in range(len(found)))) == FACES[name]
    for i, entry in enumerate(whole["images"]):
        example = found.example(i)
        faces = [one for one in whole["annotations"] if one["image_id"] == entry["id"]]
        assert example["name"] == entry["file_name"].rsplit(".", 1)[0]
        assert example["image"].shape == (entry["height"], entry["width"], 3)
        truth = np.array([one["keypoints"] for one in faces]).reshape(len(faces), -1, 3)
        np.testing.assert_array_equal(example["points"], truth[..., :2])
        np.testing.assert_array_equal(example["visible"], truth[..., 2])
        if name != "cofw":
            np.testing.assert_array_equal(example["centers"], [one["center"] for one in faces])
            np.testing.assert_array_equal(example["scales"], [one["scale"] for one in faces])
            np.testing.assert_allclose(np.ptp(example["boxes"].reshape(-1, 2, 2), 1)[:, 0], 200 * example["scales"])


@pytest.mark.parametrize("name", ["300w", "wflw"])
def test_the_sample_faces_keep_to_the_tight_box(samples, tmp_path, name):
    found = datasets.load(name, "test", point_files.from_samples(samples, name, tmp_path))
    for i in range(len(found)):
        row = found.annotations(i)
        centers, scales = centers_and_scales(tight_boxes(row["points"], row["visible"]))
        np.testing.assert_allclose(centers, row["centers"], rtol=0, atol=1e-9)
        np.testing.assert_allclose(scales, row["scales"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", FACES)
def test_sample_faces_are_those_of_the_official_pipeline(samples, tmp_path, golden, name):
    _, arrays = golden("landmark", f"landmark_sample_{name}")
    found = datasets.load(name, "test", point_files.from_samples(samples, name, tmp_path))
    rows = {row["name"]: row for row in map(found.annotations, range(len(found)))}
    for k, file in enumerate(arrays["in_file_names"]):
        row = rows[str(file).rsplit(".", 1)[0]]
        (j,) = np.flatnonzero(np.isclose(row["centers"], arrays["out_test_center"][k], atol=1e-4).all(1))
        np.testing.assert_allclose(row["points"][j], arrays["out_test_pts"][k], rtol=1e-6)
        np.testing.assert_allclose(1.25 * row["scales"][j], arrays["out_test_scale"][k], rtol=1e-12)


def _mmlab(name):
    return {"lineage": "mmlab"} if name == "cofw" else {}


@pytest.mark.parametrize("name", point_files.MAKERS)
def test_every_set_opens_in_its_layout_and_knows_its_points(tmp_path, name):
    split = "test" if name in ("aflw", "cofw", "wflw") else "train"
    root = point_files.MAKERS[name](tmp_path / "data", {split: 2})
    found = datasets.load(name, split, root)
    assert len(found) == 2 and len(set(found.names)) == 2
    info, example = found.info, found.example(1)
    count = len(info.point_names)
    assert example["points"].shape[1:] == (count, 2) and example["visible"].shape == example["points"].shape[:2]
    assert example["boxes"].shape == (len(example["points"]), 4)
    assert info.metric in ("nme", "oks", "pckh", "pck") and info.source
    with pytest.raises(DataError, match=r"expected root, the folder that holds"):
        datasets.load(name, split)
    with pytest.raises(DataError, match=str(tmp_path / "nowhere")):
        datasets.load(name, split, tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["300w", "wflw", "aflw", "cofw", "coco", "mpii"])
def test_mirror_pairs_are_the_names_of_left_and_right(name):
    info = datasets.published.published(name)
    partner = dict(info.flip_pairs) | {b: a for a, b in info.flip_pairs}
    for i, point in enumerate(info.point_names):
        mirrored = {"left": "right", "right": "left"}.get(point.split("_")[0])
        expected = f"{mirrored}_{point.split('_', 1)[1]}" if mirrored else point
        assert info.point_names[partner.get(i, i)] == expected
    assert len(set(info.point_names)) == len(info.point_names)
    assert all(0 <= i < len(info.point_names) and i != j for edge in info.edges for i, j in (edge, edge[::-1]))
