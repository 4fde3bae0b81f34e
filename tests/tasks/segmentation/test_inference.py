"""Pictures of any size through models of dynamic and of fixed input size."""

import keras
import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras.builders import info_of, name_outputs
from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.published import published
from hrnet_keras.layers import ModelInfoLayer
from hrnet_keras.layers.model_info import ModelInfo, update_info
from hrnet_keras.predictor import open_predictor, predictor_of
from hrnet_keras.tasks.processing import PredictOptions
from hrnet_keras.tasks.segmentation import inference, strips


def predict(model, image, **options):
    return open_predictor(model, PredictOptions(**options)).predict_one(image)


@pytest.mark.parametrize("size", [(61, 75), (32, 100)])
def test_dynamic_model_answers_at_the_pictures_size(size):
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = predict(model, image, scores=True)
    logits = np.asarray(model(image[None].astype(np.float32), training=False))[0]
    assert found.label_map.shape == found.scores.shape == size
    top = np.sort(logits, -1)
    sure = top[..., -1] - top[..., -2] > 1e-4 * logits.std()
    np.testing.assert_array_equal(found.label_map[sure], logits.argmax(-1)[sure])


def test_fixed_model_is_shown_the_picture_resized():
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5, input_shape=(32, 64, 3))
    found = predict(model, np.zeros((50, 70, 3), np.uint8))
    assert found.label_map.shape == (50, 70)


def test_a_model_of_output_stride_4_is_refused():
    model = hk.HRNetV2W18SmallV1("seg", num_classes=5, output_stride=4, input_shape=(32, 64, 3))
    with pytest.raises(ValueError, match="output_stride=1"):
        open_predictor(model)


def net_of(names, **info):
    """One convolution, a logit per class."""
    image = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(len(names), 5, padding="same", use_bias=False)
    logits = layer(image / 255)
    kernel = np.random.default_rng(1).normal(0, 1, (5, 5, 3, len(names)))
    layer.set_weights([kernel - kernel.mean((0, 1, 2))])  # no class is the brightest everywhere
    known = {"task": "seg", "num_classes": len(names), "output_stride": 1, **info}
    return keras.Model(image, ModelInfoLayer(known, name="logits")(logits))


LIP = published("lip")


@pytest.mark.parametrize("known", ["pairs", "names", "data"])
def test_a_mirrored_look_exchanges_the_sides_that_the_model_knows(known):
    """With both looks the answer to the mirrored picture is the mirrored answer, its sides exchanged."""
    model = net_of(LIP.class_names)
    if known == "pairs":
        name_outputs(model, LIP)
        assert info_of(model).label_flip_pairs == ((14, 15), (16, 17), (18, 19))
    else:  # files of earlier versions
        update_info(model, **({"class_names": LIP.class_names} if known == "names" else {"data": "lip"}))
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    both = {"flip": True}
    found, mirrored = (hk.predict(model, x, protocol=both)[0].label_map for x in (image, image[:, ::-1].copy()))
    expected = found[:, ::-1].copy()
    for one, other in ((14, 15), (16, 17), (18, 19)):
        expected[found[:, ::-1] == one], expected[found[:, ::-1] == other] = other, one
    np.testing.assert_array_equal(mirrored, expected)
    assert len(set(found.ravel()) & set(range(14, 20))) > 2, "sides are seen at all"


def test_predict_and_evaluate_look_alike(tmp_path):
    """The truth is what predict says, so evaluate finds no fault."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    swapped = [*LIP.class_names[:14], *LIP.class_names[19:13:-1]]
    (tmp_path / "classes.txt").write_text("\n".join(swapped))
    model = net_of(LIP.class_names)
    name_outputs(model, LIP)
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    found = hk.predict(model, image, protocol={"flip": True})[0].label_map
    Image.fromarray(image).save(tmp_path / "images" / "a.png")
    ids = np.array([*range(14), *range(19, 13, -1)], np.uint8)  # of the names in classes.txt
    Image.fromarray(ids[found]).save(tmp_path / "labels" / "a.png")
    result = hk.evaluate(model, "folder", root=tmp_path, protocol={"flip": True}, verbose=False)
    assert result["pixel_accuracy"] == 1


@pytest.mark.parametrize("protocol", [None, {"flip": True}, {"scales": (0.5, 1.0), "combine": "softmax"}])
def test_a_diverged_net_answers_no_class_and_is_not_scored(protocol):
    model = net_of(("a", "b"))
    model.layers[-2].kernel.assign(np.full(model.layers[-2].kernel.shape, np.nan))
    found = predict(model, np.zeros((20, 30, 3), np.uint8), scores=True, protocol=protocol)
    assert (found.label_map == 255).all() and (found.scores == 0).all()


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return hk.HRNetV2W18SmallV1("seg", num_classes=5)


IMAGE = np.random.default_rng(0).integers(0, 256, (61, 90, 3), dtype=np.uint8)


def test_large_pictures_are_answered_in_strips_with_the_same_answer(model, monkeypatch):
    at_once = predict(model, IMAGE, scores=True)
    monkeypatch.setattr(strips, "PIXELS", 20 * 90)
    monkeypatch.setattr(strips, "_resized_rows", resized := Called(strips._resized_rows))
    found = predict(model, IMAGE, scores=True)
    assert resized.count == 4 and set(found.to_dict()) == {"label_map", "scores"}
    np.testing.assert_allclose(found.scores, at_once.scores, atol=1e-6)
    sure = at_once.scores > 0.2 + 1e-4  # of five classes
    np.testing.assert_array_equal(found.label_map[sure], at_once.label_map[sure])


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
    found = predict(model, IMAGE, scores=True, size=size)
    shown = np.asarray(Image.fromarray(IMAGE).resize((48, 32 if size != 48 else 33), Image.BILINEAR))
    head = keras.Model(model.inputs, model.get_layer("logits_at_input_size").input[0])
    logits = torch_resized(np.asarray(head(shown[None].astype("float32"), training=False)), IMAGE.shape[:2])
    top = np.sort(logits, -1)
    sure = top[..., -1] - top[..., -2] > 1e-4 * logits.std()
    assert found.label_map.shape == found.scores.shape == (61, 90) and found.shown_size == shown.shape[:2]
    np.testing.assert_array_equal(found.label_map[sure], logits.argmax(-1)[sure])


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
    found = predict(model, IMAGE)
    assert found.label_map.shape == (61, 90) and found.shown_size == (30, 44)
    assert predict(model, IMAGE, size=90).shown_size is None
    assert predict(model, IMAGE, protocol={}).shown_size is None
    data = DatasetInfo("x", class_names=tuple("abcde"))
    assert predict(model, IMAGE, data=data).shown_size is None  # scores are of pictures as they are
    asked = []

    class Exported:
        info, input_size = ModelInfo("seg", num_classes=3), (None, None)

        def __call__(self, batch):
            asked.append(batch.shape)
            return {"logits": np.asarray(batch, np.float32)}

    served = predictor_of(Exported(), PredictOptions()).predict_one(IMAGE)
    assert served.label_map.shape == (61, 90) and asked == [(1, 30, 44, 3)]


@pytest.mark.parametrize("size", [0, -3, (0, 4), (1, 2, 3), (), 4.5, (4.5, 3), True, "4"])
def test_sizes_that_are_none_are_named(model, size):
    with pytest.raises(ValueError, match=r"expected \(height, width\), or one number for the long side"):
        predict(model, IMAGE, size=size)


def test_sizes_beside_another_rule_are_refused(model):
    with pytest.raises(ValueError, match="a protocol says how pictures are shown: expected no size"):
        predict(model, IMAGE, size=64, protocol={"flip": True})
    with pytest.raises(ValueError, match=r"the model sees all pictures at \(32, 64\): expected no size"):
        predict(hk.HRNetV2W18SmallV1("seg", num_classes=5, input_shape=(32, 64, 3)), IMAGE, size=64)
