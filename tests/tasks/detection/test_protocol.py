"""Several looks at a picture: where objects lie in it is the same in all of them, and each is found once."""

import numpy as np
import pytest

from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.predictor import Predictor
from hrnet_keras.tasks.detection.inference import processor
from hrnet_keras.tasks.detection.protocol import Protocol, protocol_of
from hrnet_keras.tasks.processing import PredictOptions


class Bright:
    """Finds the bright part of every picture, as a box and a mask whose left half is full."""

    input_size = (None, None)

    def __init__(self, lineage="mmlab"):
        self.info = ModelInfo("det", "V2p", "W18", lineage, num_classes=3, head="mask_rcnn")
        self.rows = []
        self.plus_one = lineage == "official"

    def __call__(self, batch):
        boxes, masks = np.zeros((len(batch), 100, 4), np.float32), np.zeros((len(batch), 100, 28, 28), np.float32)
        scores, labels = np.zeros((len(batch), 100), np.float32), np.zeros((len(batch), 100), np.int32)
        for row, box, mask in zip(batch, boxes, masks, strict=True):
            rows, columns = np.nonzero(row[..., 0] > 127)
            box[0] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            box[0, 2:] -= self.plus_one
            colours = row[(rows.min() + rows.max()) // 2, columns.min() : columns.max() + 1, 1]
            mask[0, :, np.repeat(colours[np.linspace(2, len(colours) - 3, 2).astype(int)] > 127, 14)] = 1
        self.rows.append(batch)
        scores[:, 0] = 0.5 + 0.1 * len(self.rows) + 0.01 * np.arange(len(batch))
        labels[:, 0] = 2
        return {"boxes": boxes, "scores": scores, "labels": labels, "masks": masks,
                "valid": np.ones(len(batch), np.int32)}  # fmt: skip


@pytest.fixture
def picture():
    """A bright rectangle, green in its left half."""
    image = np.zeros((100, 150, 3), np.uint8)
    image[20:60, 30:90, 0] = 255
    image[20:60, 30:60, 1] = 255
    return image


def look(runtime, picture, **options):
    return Predictor(runtime, processor(runtime, PredictOptions(min_score=0, **options))).predict_one(picture)


@pytest.mark.parametrize("lineage", ["mmlab", "official"])
def test_four_looks_find_one_object(lineage, picture):
    runtime = Bright(lineage)
    found = look(runtime, picture, protocol={"sizes": [(100, 150), (200, 300)], "flip": True})
    assert [batch.shape for batch in runtime.rows] == [(2, 128, 160, 3), (2, 224, 320, 3)]
    for batch in runtime.rows:  # the padding of the mirrored picture lies at the right as well
        assert (batch[:, -1] == -1).all() and (batch[:, :, -1] == -1).all() and (batch[:, 0, 0] >= 0).all()
    assert len(found.boxes) == 1 and found.labels.tolist() == [2]
    np.testing.assert_allclose(found.boxes[0], [30, 20, 90, 60], atol=1.01 if lineage == "official" else 0.51)
    assert found.scores[0] == pytest.approx(0.71)  # the best one's, of the second size in the mirror
    assert found.masks[0, 22:58, 32:58].mean() > 0.9 and found.masks[0, 22:58, 63:].mean() < 0.1


def test_mirrored_boxes_are_exact(picture):
    for lineage in ("mmlab", "official"):
        runtime = Bright(lineage)
        found = look(runtime, picture, protocol=Protocol(sizes=((100, 150),), flip=True, soft=True))
        assert len(found.boxes) == 2  # the worse one has lost score
        np.testing.assert_allclose(found.boxes, [[30, 20, 90, 60]] * 2, atol=1e-4)
        np.testing.assert_allclose(found.scores, [0.61, 0.6 * np.exp(-2)], rtol=1e-4)


def test_one_look_is_as_ever(picture):
    plain, given = Bright(), Bright()
    expected, found = look(plain, picture), look(given, picture, protocol=Protocol())
    assert len(plain.rows) == len(given.rows) == 1
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    one = Bright()
    look(one, picture, protocol={"sizes": [(50, 75)]})
    assert one.rows[0].shape == (1, 64, 96, 3)


def test_nothing_found_in_any_look(picture):
    runtime = Bright()
    nothing = {"boxes": (0, 4), "scores": (0,), "labels": (0,)}
    looks = processor(runtime, PredictOptions(protocol={"flip": True}))
    request = looks.preprocess(picture)
    decoded = {word: np.zeros((2, *shape)) for word, shape in nothing.items()} | {"valid": np.zeros(2, int)}
    assert len(looks.postprocess(decoded, request.back).boxes) == 0


def test_what_is_refused():
    for given in ({"scales": [1]}, "paper", {"flip": True, "window": 3}):
        with pytest.raises(ValueError, match="expected a dict of sizes, flip, soft, threshold where objects"):
            protocol_of(given)
    with pytest.raises(ValueError, match="threshold: expected a probability, given 2"):
        Protocol(threshold=2)
    with pytest.raises(ValueError, match="expected one of the two"):
        processor(Bright(), PredictOptions(size=300, protocol={"sizes": [300]}))
    with pytest.raises(ValueError, match=r"sizes=300: expected a list"):
        protocol_of({"sizes": 300})
    fixed = Bright()
    fixed.input_size = (64, 96)
    with pytest.raises(ValueError, match=r"size=\(300,\): the model sees all pictures at"):
        processor(fixed, PredictOptions(protocol={"sizes": [300]}))
