"""A SavedModel of every framework: what it finds in a photograph, and the people that it finds for a model of poses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import hrnet_keras as hk
from hrnet_keras.layers.model_info import ModelInfo, update_info
from hrnet_keras.prediction import Finder
from tests.tasks.detection.tiny import decided, photograph

MASKS = {"cascade_mask_rcnn", "htc"}
# Mask R-CNN's is looked at in test_inference.py.
FRAMEWORKS = {  # the lineage, and a class of which the untrained net finds something
    "cascade_mask_rcnn": ("mmlab", 1),
    "htc": ("mmlab", 1),
    "fcos": ("mmlab", 1),
    "fcos_6l": ("official", 1),
    "centernet": ("official", 0),
}


@pytest.fixture(scope="module", params=FRAMEWORKS)
def served(request, tmp_path_factory):
    """The framework's name, a model of people and dogs, its export, and what TensorFlow loads of that."""
    lineage, person = FRAMEWORKS[request.param]
    model = decided(request.param, lineage=lineage)
    names = ("person", "dog") if person == 0 else ("dog", "person")
    update_info(model, input_size=(96, 160), class_names=names, data="pets")
    folder = hk.export(model, tmp_path_factory.mktemp(request.param) / "served")
    return request.param, model, folder, tf.saved_model.load(folder)


def test_what_is_found(served):
    """The net is the model's; pictures are resized by TensorFlow's own operations, so a grey level may differ."""
    name, model, _, loaded = served
    assert ("masks" in loaded.signatures) == (name in MASKS)
    image = photograph()
    (here,) = hk.predict(model, image, min_score=0.0)
    found = loaded.signatures["images"](images=image[None])
    count = int(found["valid"][0])
    assert len(here.boxes) and abs(count - len(here.boxes)) <= 5
    assert {int(label) for label in found["labels"][0, :count]} <= {0, 1}
    best = here.boxes[:3]
    distance = np.abs(found["boxes"][0, :count].numpy()[None] - best[:, None]).max(-1)
    assert distance.min(1).max() < 0.5


def test_people_for_a_model_of_poses(served):
    name, model, folder, _ = served
    image = photograph()
    here, there = (Finder.of(detector, ModelInfo("pose"))(image) for detector in (model, folder))
    (objects,) = hk.predict(model, image)
    people = objects.boxes[objects.labels == FRAMEWORKS[name][1]]
    assert len(people)
    np.testing.assert_array_equal(here["boxes"], people)
    np.testing.assert_allclose(there["boxes"], here["boxes"], atol=0.05)


def test_raw(served):
    """The signature without resizing gives the model's own numbers."""
    _, model, _, loaded = served
    image = photograph(96, 160)[None].astype(np.float32)
    expected = keras.tree.map_structure(keras.ops.convert_to_numpy, model(image, training=False))
    found = loaded.signatures["raw"](image=image)
    np.testing.assert_array_equal(found["valid"], expected["valid"])
    for word in ("boxes", "scores"):
        np.testing.assert_allclose(found[word], expected[word], rtol=1e-3, atol=1e-3, err_msg=word)
