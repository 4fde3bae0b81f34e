"""Pictures of any size through models of dynamic and of fixed input size."""

import keras
import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras.datasets import Facts
from hrnet_keras.tasks.segmentation import inference
from hrnet_keras.tasks.segmentation.inference import answerer


@pytest.mark.parametrize("size", [(61, 75), (32, 100)])
def test_dynamic_model_answers_at_the_pictures_size(size):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = answerer(model, scores=True)(image)
    logits = np.asarray(model(image[None].astype(np.float32), training=False))[0]
    assert found["label_map"].shape == found["scores"].shape == size
    top = np.sort(logits, -1)
    sure = top[..., -1] - top[..., -2] > 1e-4 * logits.std()
    np.testing.assert_array_equal(found["label_map"][sure], logits.argmax(-1)[sure])


def test_fixed_model_is_shown_the_picture_resized():
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5, input_shape=(32, 64, 3))
    found = answerer(model)(np.zeros((50, 70, 3), np.uint8))
    assert found["label_map"].shape == (50, 70)


def test_a_model_of_output_stride_4_is_refused():
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5, output_stride=4, input_shape=(32, 64, 3))
    with pytest.raises(ValueError, match="output_stride=1"):
        answerer(model)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return hk.HRNetV2W18SmallV1("seg", num_classes=5)


IMAGE = np.random.default_rng(0).integers(0, 256, (61, 90, 3), dtype=np.uint8)


def test_large_pictures_are_answered_in_strips_with_the_same_answer(model, monkeypatch):
    at_once = answerer(model, scores=True)(IMAGE)
    monkeypatch.setattr(inference, "AT_ONCE", 60 * 90)
    monkeypatch.setattr(inference, "_in_strips", in_strips := Called(inference._in_strips))
    found = answerer(model, scores=True)(IMAGE)
    assert in_strips.count == 1 and set(found) == {"label_map", "scores"}
    np.testing.assert_allclose(found["scores"], at_once["scores"], atol=1e-6)
    sure = at_once["scores"] > 0.2 + 1e-4  # of five classes
    np.testing.assert_array_equal(found["label_map"][sure], at_once["label_map"][sure])


class Called:
    """A function that counts its calls."""

    def __init__(self, function):
        self.function, self.count = function, 0

    def __call__(self, *words):
        self.count += 1
        return self.function(*words)


@pytest.mark.parametrize(
    ("own", "size", "largest", "expected"),
    [
        ((480, 640), None, None, (480, 640)),
        ((480, 640), (100, 90), None, (100, 90)),
        ((480, 640), 320, None, (240, 320)),
        ((640, 480), 1280, 100, (1280, 960)),
        ((1, 1000), 100, None, (1, 100)),
        ((2048, 2048), None, 2**22, (2048, 2048)),
        ((3000, 4000), None, 2**22, (1773, 2364)),  # 2**22 pixels at 3:4: sqrt(2**22 * 3 / 4) = 1773.6 rows
    ],
)
def test_the_size_that_the_net_sees(own, size, largest, expected):
    assert inference.shown_size(own, size, largest) == expected


@pytest.mark.parametrize("size", [(32, 48), 48])
def test_a_picture_is_shown_at_another_size_and_answered_at_its_own(model, size):
    found = answerer(model, scores=True, size=size)(IMAGE)
    shown = np.asarray(Image.fromarray(IMAGE).resize((48, 32 if size != 48 else 33), Image.BILINEAR))
    head = keras.Model(model.inputs, model.get_layer("logits_at_input_size").input[0])
    logits = torch_resized(np.asarray(head(shown[None].astype("float32"), training=False)), IMAGE.shape[:2])
    top = np.sort(logits, -1)
    sure = top[..., -1] - top[..., -2] > 1e-4 * logits.std()
    assert found["label_map"].shape == found["scores"].shape == (61, 90) and found["shown_size"] == shown.shape[:2]
    np.testing.assert_array_equal(found["label_map"][sure], logits.argmax(-1)[sure])


def torch_resized(maps, size):
    """Half-pixel bilinear resizing by its definition, one axis after the other; `(height, width, classes)`."""
    for axis, length in enumerate(size):
        where = ((np.arange(length) + 0.5) * maps.shape[1 + axis] / length - 0.5).clip(0, maps.shape[1 + axis] - 1)
        low = np.floor(where).astype(int)
        high = np.minimum(low + 1, maps.shape[1 + axis] - 1)
        share = (where - low).reshape([1] + [-1 if i == axis else 1 for i in range(2)] + [1])
        maps = maps.take(low, 1 + axis) * (1 - share) + maps.take(high, 1 + axis) * share
    return maps[0]


def test_a_picture_that_is_too_large_is_shrunk_where_nobody_says_how_to_look(model, monkeypatch):
    monkeypatch.setattr(inference, "LARGEST", 61 * 90 // 4)
    found = answerer(model)(IMAGE)
    assert found["label_map"].shape == (61, 90) and found["shown_size"] == (30, 44)
    assert "shown_size" not in answerer(model, size=90)(IMAGE)
    assert "shown_size" not in answerer(model, protocol={})(IMAGE)
    assert "shown_size" not in answerer(model, facts=Facts("x"))(IMAGE)  # scores are of pictures as they are
    asked = []
    served = inference.served_at(lambda image: asked.append(image.shape) or {"label_map": image[..., 0]})
    assert served(IMAGE)["label_map"].shape == (61, 90) and asked == [(30, 44, 3)]


@pytest.mark.parametrize("size", [0, -3, (0, 4), (1, 2, 3), (), 4.5, (4.5, 3), True, "4"])
def test_sizes_that_are_none_are_named(model, size):
    with pytest.raises(ValueError, match=r"expected \(height, width\), or one number for the long side"):
        answerer(model, size=size)


def test_sizes_beside_another_rule_are_refused(model):
    with pytest.raises(ValueError, match="a protocol says how pictures are shown: expected no size"):
        answerer(model, size=64, protocol={"flip": True})
    with pytest.raises(ValueError, match=r"the model sees all pictures at \(32, 64\): expected no size"):
        answerer(hk.HRNetV2W18SmallV1("seg", num_classes=5, input_shape=(32, 64, 3)), size=64)
