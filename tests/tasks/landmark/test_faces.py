import importlib.util
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from hrnet_keras.tasks.landmark.faces import (
    _detector,
    boxes_to_centers_scales,
    find_faces,
    points_to_centers_scales,
)

REASON = "finding faces needs the extra: pip install 'hrnet-keras[faces]'"
# Faces that can be seen in the pictures of each set, counted by eye; MTCNN finds all of at least 20 pixels.
SEEN = {
    "indoor_029.png": 1,
    "indoor_020.png": 1,
    "image22568.jpg": 1,
    "image04476.jpg": 1,
    "001766.jpg": 1,
    "001805.jpg": 1,
    "36_Football_americanfootball_ball_36_415.jpg": 3,
    "7_Cheering_Cheering_7_16.jpg": 19,
}


@pytest.fixture
def mtcnn():
    return pytest.importorskip("mtcnn", reason=REASON)


def annotated(samples, name):
    """Picture, points `(k, 2)` and annotation of every sample face of a set."""
    folder = samples / "mmpose" / name
    content = json.loads((folder / f"test_{name}.json").read_text())
    files = {image["id"]: folder / image["file_name"] for image in content["images"]}
    for face in content["annotations"]:
        yield files[face["image_id"]], np.reshape(face["keypoints"], (-1, 3))[:, :2], face


def tight(points):
    """The official crop_box by itself: centre, and scale of 200 pixels."""
    low, high = np.floor(points.min(0)), np.ceil(points.max(0))
    return (low + high) / 2, (high - low).max() / 200


def picture(file):
    return np.asarray(Image.open(file).convert("RGB"))


def residuals(centers, scales, center, scale):
    """Of the nearest box: distance of the centres over the side, and relative difference of the scales."""
    distances = np.linalg.norm(centers - center, axis=1) / (200 * scale)
    nearest = np.argmin(distances)
    return distances[nearest], scales[nearest] / scale - 1


@pytest.fixture(scope="module")
def found(samples):
    """Every sample picture's boxes."""
    pytest.importorskip("mtcnn", reason=REASON)
    files = {file for name in ("300w", "aflw", "cofw", "wflw") for file, _, _ in annotated(samples, name)}
    return {file.name: find_faces(picture(file)) for file in files}


def test_finds_what_can_be_seen(found):
    assert {name: len(boxes) for name, (boxes, _) in found.items()} == SEEN
    for boxes, scores in found.values():
        assert boxes.dtype == scores.dtype == np.float64 and boxes.shape == (len(scores), 4)
        assert np.all(boxes[:, 2:] > boxes[:, :2])
        assert np.all(np.diff(scores) <= 0) and scores.min() >= 0.8 and scores.max() <= 1


def test_boxes_lead_to_the_official_crops(samples, found):
    # The bounds are the residuals that were measured when the numbers were fitted, rounded up.
    left, raw = [], []
    for name in ("300w", "wflw", "cofw"):
        for file, points, face in annotated(samples, name):
            center, scale = (face["center"], face["scale"]) if "scale" in face else tight(points)
            boxes, _ = found[file.name]
            left.append(residuals(*boxes_to_centers_scales(boxes), np.array(center), scale))
            raw.append(residuals(*boxes_to_centers_scales(boxes, "tight"), np.array(center), scale))
    left, raw = np.abs(left), np.abs(raw)
    assert len(left) == 8
    assert left[:, 0].mean() < 0.06 and left[:, 0].max() < 0.105
    assert np.sqrt((left[:, 1] ** 2).mean()) < 0.06 and left[:, 1].max() < 0.10
    assert raw[:, 0].mean() > 0.15 and np.sqrt((raw[:, 1] ** 2).mean()) > 0.19  # what the step is for


def test_boxes_lead_to_the_crops_of_aflw(samples, found):
    for file, _, face in annotated(samples, "aflw"):
        boxes, _ = found[file.name]
        centers_scales = boxes_to_centers_scales(boxes, crop_box="aflw")
        distance, difference = residuals(*centers_scales, np.array(face["center"]), face["scale"])
        assert distance < 0.09 and abs(difference) < 0.18


def test_large_pictures_are_shrunk(samples, mtcnn):
    image = Image.open(samples / "mmpose" / "cofw" / "001805.jpg").convert("RGB")
    (box,), _ = find_faces(np.asarray(image))
    (large,), _ = find_faces(np.asarray(image.resize((image.width * 8, image.height * 6))))  # 2816 x 1518 pixels
    assert np.allclose(large / [8, 6, 8, 6], box, atol=0.1 * (box[3] - box[1]))


def test_floats_give_the_same(samples, mtcnn):
    image = picture(samples / "mmpose" / "cofw" / "001805.jpg")
    assert np.array_equal(find_faces(image.astype(np.float32))[0], find_faces(image)[0])


@pytest.mark.parametrize("size", [(64, 64), (1, 1), (5, 300), (1500, 2)])
def test_no_face(size, mtcnn):
    boxes, scores = find_faces(np.full((*size, 3), 90, np.uint8))
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_precision_and_folder_of_the_caller_do_not_matter(samples, mtcnn, monkeypatch, tmp_path):
    image = picture(samples / "mmpose" / "cofw" / "001805.jpg")
    expected, _ = find_faces(image)
    for letter in "pro":
        (tmp_path / f"{letter}net.lz4").write_bytes(b"somebody else's")
    monkeypatch.chdir(tmp_path)
    _detector.cache_clear()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert np.array_equal(find_faces(image)[0], expected)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")


def test_without_the_extra(monkeypatch):
    _detector.cache_clear()
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    with pytest.raises(ImportError, match=r"finding faces needs mtcnn: pip install 'hrnet-keras\[faces\]'"):
        find_faces(np.zeros((64, 64, 3), np.uint8))


def test_on_another_backend(monkeypatch):
    _detector.cache_clear()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="needs Keras on TensorFlow, not on 'jax': set KERAS_BACKEND=tensorflow"):
        find_faces(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 4), (1, 64, 64, 3), (0, 64, 3)])
def test_not_a_picture(shape):
    with pytest.raises(ValueError, match=r"image of shape .*: expected RGB, \(height, width, 3\)"):
        find_faces(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("name", ["300w", "wflw"])
def test_true_points_give_the_official_numbers(samples, name):
    for _, points, face in annotated(samples, name):
        centers, scales = points_to_centers_scales(points[None])
        assert np.array_equal(centers, [face["center"]]) and np.allclose(scales, face["scale"], rtol=1e-12)


def test_points_of_aflw_give_nearly_the_annotated_box(samples):
    for _, points, face in annotated(samples, "aflw"):
        centers, scales = points_to_centers_scales(points[None], "aflw")
        distance, difference = residuals(centers, scales, np.array(face["center"]), face["scale"])
        assert distance < 0.04 and abs(difference) < 0.04


@pytest.mark.parametrize("name, kind", [("300w", "mmpose"), ("wflw", "mmpose"), ("aflw", "mmpose"), ("cofw", "cofw")])
def test_annotated_boxes(samples, name, kind):
    count = 0
    for _, points, face in annotated(samples, name):
        x, y, width, height = face["bbox"]
        if height < np.ptp(points[:, 1]):
            continue  # cut at 768 pixels, though the picture is higher
        centers, scales = boxes_to_centers_scales([[x, y, x + width, y + height]], kind)
        distance, difference = residuals(centers, scales, *tight(points))
        assert distance < 0.02 and abs(difference) < 0.03
        count += 1
    assert count == {"wflw": 3}.get(name, 2)


def test_numbers_by_hand():
    # A box 100 wide and 200 high around (150, 300): the tight one is 170 high and 24 lower.
    centers, scales = boxes_to_centers_scales([[100, 200, 200, 400]])
    assert np.allclose(centers, [[150, 324]]) and np.allclose(scales, [0.85])
    centers, scales = boxes_to_centers_scales([[100, 200, 200, 400]], "mmpose", "tight")
    assert np.allclose(centers, [[150, 300]]) and np.allclose(scales, [1 / 1.2])
    # AFLW's box is 200 / 0.786 = 254.45 high, and higher up by 0.054 of that.
    centers, scales = boxes_to_centers_scales([[100, 200, 200, 400]], "tight", "aflw")
    assert np.allclose(centers, [[150, 300 - 13.7405]], atol=1e-4) and np.allclose(scales, [1.272265], atol=1e-6)
    centers, scales = boxes_to_centers_scales([[100, 200, 200, 400]], "aflw", "aflw")
    assert np.allclose(centers, [[150, 300]]) and np.allclose(scales, [1])


def test_no_boxes():
    centers, scales = boxes_to_centers_scales(np.zeros((0, 4)))
    assert centers.shape == (0, 2) and scales.shape == (0,)


def test_wrong_words_and_shapes():
    with pytest.raises(ValueError, match="kind='haar': expected one of 'tight', 'mtcnn', 'aflw', 'cofw', 'mmpose'"):
        boxes_to_centers_scales(np.ones((1, 4)), "haar")
    with pytest.raises(ValueError, match="crop_box='300w': expected one of 'tight'"):
        boxes_to_centers_scales(np.ones((1, 4)), "tight", "300w")
    with pytest.raises(ValueError, match=r"boxes of shape \(4,\): expected \(n, 4\), xyxy"):
        boxes_to_centers_scales(np.ones(4))


# benchmarks/box_noise.py, with locators whose answers can be worked out.


@pytest.fixture(scope="module")
def box_noise():
    path = Path(__file__).parents[3] / "benchmarks" / "box_noise.py"
    spec = importlib.util.spec_from_file_location("box_noise", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHAPE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])  # points of a face, over its side


def square_faces():
    centers, scales = np.array([[200.0, 240.0], [500.0, 300.0]]), np.array([1.0, 0.5])
    points = centers[:, None] + 200 * scales[:, None, None] * SHAPE
    image = np.zeros((600, 800, 3), np.uint8)
    return {"image": image, "centers": centers, "scales": scales, "points": points, "visible": np.ones((2, 4), int)}


def test_box_noise_of_one_who_sees_only_the_box(box_noise):
    rows = box_noise.measure(lambda image, c, s: c[:, None] + 200 * s[:, None, None] * SHAPE, [square_faces()])
    assert [(row["kind"], row["amount"]) for row in rows[:4]] == [
        ("true", 0), ("moved", 0.05), ("resized", 0.05), ("both", 0.05),
    ]  # fmt: skip
    by_case = {(row["kind"], row["amount"]): row for row in rows}
    assert len(by_case) == 10
    for word in ("moved", "moved_again", "error", "error_again"):
        assert by_case["true", 0][word] == pytest.approx(0, abs=1e-9)
        # Moved by 20 % of the side, all points move by that; resized by it, by half of it along either axis.
        tolerance = 0 if word in ("moved", "error") else 1  # whole pixels of the second pass's tight box
        assert by_case["moved", 0.2][word] == pytest.approx(20, abs=tolerance)
        assert by_case["resized", 0.2][word] == pytest.approx(20 * np.sqrt(0.5), abs=tolerance)


def test_box_noise_of_one_who_sees_half_of_the_way(box_noise):
    example = square_faces()

    def locate(image, centers, scales):
        given = centers[:, None] + 200 * scales[:, None, None] * SHAPE
        return (given + example["points"]) / 2

    rows = {row["kind"]: row for row in box_noise.measure(locate, [example, example], amounts=[0.2])}
    # Half of 20 % is left after the first pass and, up to whole pixels, a quarter after the second.
    assert rows["moved"]["moved"] == pytest.approx(10) and rows["moved"]["error"] == pytest.approx(10)
    assert rows["moved"]["moved_again"] == pytest.approx(5, abs=0.5)
    assert rows["both"]["moved"] > rows["both"]["moved_again"] > 0
    text = box_noise.table(list(rows.values()))
    assert "| 20 % | moved | 10.00 | " in text and len(text.splitlines()) == 6


def test_box_noise_disturbs_both_ways(box_noise):
    def boxes(kind):
        cases = box_noise.disturbed(np.array([[50.0, 60.0]]), np.array([2.0]), kind, 0.1)
        return sorted((*centers[0], *scales) for centers, scales in cases)

    moved = [(10, 60), (50, 20), (50, 100), (90, 60)]  # a side is 400 pixels
    assert np.allclose(boxes("true"), [(50, 60, 2)])
    assert np.allclose(boxes("moved"), [(*center, 2) for center in moved])
    assert np.allclose(boxes("resized"), [(50, 60, 1.8), (50, 60, 2.2)])
    assert np.allclose(boxes("both"), [(*center, scale) for center in moved for scale in (1.8, 2.2)])


def test_box_noise_counts_labelled_points_only(box_noise):
    example = square_faces()
    truth = example["points"].copy()
    example["points"] = truth + np.array([[[0, 0]] * 3 + [[1000, 0]]])  # a point that was not annotated
    example["visible"][:, 3] = 0
    (row,) = box_noise.measure(lambda image, c, s: truth, [example], amounts=[])
    assert row["error"] == row["error_again"] == 0


def test_box_noise_without_faces(box_noise):
    with pytest.raises(ValueError, match="no faces: expected examples with centers"):
        box_noise.measure(None, [])
