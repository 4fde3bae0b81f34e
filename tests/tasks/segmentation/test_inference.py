"""Pictures of any size through models of dynamic and of fixed input size."""

import keras
import numpy as np
import pytest
from PIL import Image

import hrnet_keras as hk
from hrnet_keras.builders import facts_of, name_answers
from hrnet_keras.datasets.published import published
from hrnet_keras.layers import Answer
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


def net_of(names, **facts):
    """One convolution, a logit per class."""
    image = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(len(names), 5, padding="same", use_bias=False)
    logits = layer(image / 255)
    kernel = np.random.default_rng(1).normal(0, 1, (5, 5, 3, len(names)))
    layer.set_weights([kernel - kernel.mean((0, 1, 2))])  # no class is the brightest everywhere
    known = {"task": "seg", "num_classes": len(names), "output_stride": 1, **facts}
    return keras.Model(image, Answer(known, name="logits")(logits))


LIP = published("lip")


@pytest.mark.parametrize("known", ["pairs", "names", "data"])
def test_a_mirrored_look_exchanges_the_sides_that_the_model_knows(known):
    """With both looks the answer to the mirrored picture is the mirrored answer, its sides exchanged."""
    model = net_of(LIP.class_names)
    if known == "pairs":
        name_answers(model, LIP)
        assert facts_of(model)["label_flip_pairs"] == [[14, 15], [16, 17], [18, 19]]
    else:  # files of earlier versions
        facts_of(model).update({"class_names": list(LIP.class_names)} if known == "names" else {"data": "lip"})
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
    name_answers(model, LIP)
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
    found = answerer(model, scores=True, protocol=protocol)(np.zeros((20, 30, 3), np.uint8))
    assert (found["label_map"] == 255).all() and (found["scores"] == 0).all()
