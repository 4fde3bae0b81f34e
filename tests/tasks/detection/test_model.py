"""The detector as a Keras model: fitted, saved, padded, shared by replicas."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import hrnet_keras as hk
from hrnet_keras.layers.model_info import info_of
from tests.tasks.detection.tiny import learner_of, scene, tiny

OF_BOXES = {"loss_rpn_cls", "loss_rpn_bbox"}
OF_STAGES = {f"s{k}.loss_{part}" for k in range(3) for part in ("cls", "bbox")}
OF_MASKS = {f"s{k}.loss_mask" for k in range(3)}
LOSSES = {
    "mask_rcnn": OF_BOXES | {"loss_cls", "loss_bbox", "loss_mask"},
    "cascade_rcnn": OF_BOXES | OF_STAGES,
    "cascade_mask_rcnn": OF_BOXES | OF_STAGES | OF_MASKS,
    "htc": OF_BOXES | OF_STAGES | OF_MASKS | {"loss_semantic_seg"},
    "fcos": {"loss_cls", "loss_bbox", "loss_centerness"},
    "fcos_6l": {"loss_cls", "loss_bbox", "loss_centerness"},
    "centernet": {"loss_heat", "loss_pull", "loss_push", "loss_offset"},
}
# Up to a minute of tracing; the others tell most of it.
TRACED = [pytest.param(name, marks=pytest.mark.slow) for name in ("htc", "fcos", "centernet")]


@pytest.mark.parametrize(("name", "lineage"), [("cascade_mask_rcnn", "official"), ("htc", "mmlab")])
def test_cascades_of_both_lineages_learn(name, lineage):
    """A step, without tracing: every head gets its share of it."""
    model = tiny(name, lineage=lineage)
    learner = learner_of(model)
    learner.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    heads = {layer.name: layer.kernel for layer in model.layers if layer.name.startswith(("rpn_head", "roi_head"))
             if layer.weights}  # fmt: skip
    before = {word: np.array(kernel) for word, kernel in heads.items()}
    logs = learner.train_on_batch(*scene(masks=True, semantic=True), return_dict=True)
    assert set(logs) >= LOSSES[name] and np.isfinite(list(logs.values())).all()
    still = [word for word, kernel in heads.items() if np.array_equal(before[word], kernel)]
    assert len(heads) == {"cascade_mask_rcnn": 3 + 12 + 18, "htc": 3 + 12 + 20 + 11}[name] and not still


@pytest.mark.parametrize(("name", "lineage"), [("fcos", "mmlab"), ("fcos_6l", "official"), ("centernet", "official")])
def test_detectors_without_proposals_learn(name, lineage):
    """A step, without tracing: all of the head gets its share of it."""
    model = tiny(name, lineage=lineage)
    learner = learner_of(model)
    learner.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    head = {v.path: np.array(v) for v in model.trainable_variables if v.path.startswith("bbox_head")}
    logs = learner.train_on_batch(*scene(), return_dict=True)
    assert set(logs) >= LOSSES[name] and np.isfinite(list(logs.values())).all()
    still = [v.path for v in model.trainable_variables if v.path in head and np.array_equal(head[v.path], v)]
    levels = {"fcos": 5, "fcos_6l": 6, "centernet": 0}[name]
    if levels:
        assert len(head) == 8 * (4 if lineage == "official" else 3) + 6 + levels
    # No object is of the size that coarse levels are for, so their scales stay.
    assert set(still) <= {f"bbox_head.scales.{i}/scale" for i in range(1, levels)}


def test_what_is_learnt_from_has_to_be_there():
    for name, word in (("cascade_mask_rcnn", "masks"), ("htc", "semantic")):
        model = tiny(name)
        learner = learner_of(model)
        learner.compile("sgd", run_eagerly=True)
        with pytest.raises(ValueError, match=f"the targets have no '{word}', .* expected augment.{word}: true"):
            learner.train_on_batch(*scene(masks=word != "masks"))


@pytest.mark.parametrize("name", ["mask_rcnn", *TRACED])
def test_compile_and_fit(name, tmp_path):
    model = tiny(name)
    images, targets = scene(masks="mask" in str(LOSSES[name]), semantic=name == "htc")
    with pytest.raises(ValueError, match="a detector brings its own losses"):
        model.compile("adam", loss="mse")
    model.compile(keras.optimizers.Adam(1e-3))
    data = tf.data.Dataset.from_tensors((images, targets)).repeat()
    history = model.fit(data, steps_per_epoch=4, epochs=3, validation_data=data, validation_steps=1, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert set(history) >= LOSSES[name] and np.isfinite(history["val_loss"]).all()
    model.save(tmp_path / "detector.keras")
    again = hk.load(tmp_path / "detector.keras")
    before, after = model.predict(images, verbose=0), again.predict(images, verbose=0)
    assert before["labels"].dtype == np.int32
    for word, values in before.items():
        np.testing.assert_array_equal(values, after[word], err_msg=word)
    assert info_of(again).head == name


def test_padding_is_known_by_its_pixels():
    """A picture alone and the same one in a wider batch: boxes stay inside, and detections are alike."""
    model = tiny()
    images, _ = scene()
    alone = model.predict(images[1:, :, :64], verbose=0)
    padded = model.predict(images[1:], verbose=0)
    count = int(padded["valid"][0])
    assert count and padded["boxes"][0, :count, 2].max() <= 64
    assert alone["boxes"][0, : int(alone["valid"][0]), 2].max() <= 64
    assert not padded["boxes"][0, count:].any()
    sizes = keras.Model(model.input, model.get_layer("picture_sizes").output)
    np.testing.assert_array_equal(sizes.predict(images, verbose=0), [[64, 96], [64, 64]])


REPLICAS = """
import sys, keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.tasks.detection.tiny import learner_of, scene, tiny
RATES = {"centernet": 1e-6}  # with more it explodes, as its batch norms have no statistics here
data = tf.data.Dataset.from_tensors(scene(masks=True, semantic=True)).unbatch().batch(2).repeat()
devices = [device.name for device in tf.config.list_logical_devices("CPU")]
results = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(devices)):
    with strategy.scope():
        model = tiny(sys.argv[1])
        for layer in model.layers:
            layer.keeps_statistics = True
        # Nothing is drawn; a picture for each, of different numbers of objects.
        learner = learner_of(model)
        learner.compile(optimizer=keras.optimizers.SGD(RATES.get(sys.argv[1], 1e-3)))
    start = [np.array(v) for v in model.trainable_variables]
    losses = learner.fit(data, steps_per_epoch=2, epochs=2, verbose=0).history["loss"]
    results.append((losses, [np.asarray(v) for v in model.trainable_variables]))
(one, weights), (two, others) = results
np.testing.assert_allclose(one, two, rtol=1e-4)
for value, other in zip(weights, others, strict=True):
    np.testing.assert_allclose(value, other, atol=3e-6)
moved = max(np.abs(value - first).max() for value, first in zip(weights, start, strict=True))
assert moved > 1e-4, moved  # far more than what may differ
print("ALIKE", len(devices), one, moved)
"""


@pytest.mark.parametrize("name", ["mask_rcnn", *TRACED])
def test_two_replicas_learn_what_one_does(name):
    command = [sys.executable, "-c", REPLICAS, name]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert done.stdout.startswith("ALIKE 2"), done.stderr[-3000:]


def test_pictures_of_many_sizes_cost_few_traces():
    model = tiny()
    rng = np.random.default_rng(0)
    for i in range(8):
        size = (64 + 32 * (i % 4), 64 + 32 * (i % 3))
        model.predict(rng.uniform(0, 255, (1, *size, 3)).astype(np.float32), verbose=0)
    assert model.predict_function.experimental_get_tracing_count() <= 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"framework": "yolo"}, "with task='det', framework='yolo': expected one of 'faster_rcnn', 'mask_rcnn', 'ca"),
        ({"head": "ocr"}, "with task='det', head='ocr': expected one of None"),
        ({"lineage": "timm"}, "lineage='timm' has no nets for task='det'"),
        ({"num_keypoints": 3}, "num_keypoints=3 does not belong to task='det'"),
    ],
)
def test_wrong_combinations(options, message):
    with pytest.raises(ValueError, match=message):
        hk.HRNetV2pW18(task="det", **options)
    with pytest.raises(ValueError, match="HRNetV1 has no task='det'"):
        hk.HRNetV1W18(task="det")


def test_mixed_precision():
    """Layers with weights compute in bfloat16; boxes, scores and losses stay float32, and it learns."""
    images, targets = scene(masks=True)
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = tiny("mask_rcnn")
        learner = learner_of(model)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert model.get_layer("roi_head.bbox_head.shared_fcs.0").compute_dtype == "bfloat16"
    assert model.get_layer("fpn_convs.0").variable_dtype == "float32"
    found = model(images)
    assert {word: keras.backend.standardize_dtype(value.dtype) for word, value in found.items()} == {
        "boxes": "float32", "scores": "float32", "labels": "int32", "valid": "int32", "masks": "float32",
    }  # fmt: skip
    learner.compile(keras.optimizers.SGD(1e-2), run_eagerly=True)
    losses = [learner.train_on_batch(images, targets, return_dict=True)["loss"] for _ in range(3)]
    assert losses[-1] < losses[0]
