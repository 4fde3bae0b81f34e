"""Experiments of Model Garden learn with our backbones, through its own tasks, parsers and trainer."""

import numpy as np
import pytest

NEEDS = "needs tf-models-official: make test-model-garden"
pytest.importorskip("official", reason=NEEDS)
pytest.importorskip("tf_keras", reason=NEEDS)

import tensorflow as tf  # noqa: E402
from official.core import exp_factory, task_factory, train_utils  # noqa: E402
from official.vision import registry_imports  # noqa: E402, F401
from official.vision.dataloaders import tfexample_utils  # noqa: E402
from official.vision.serving import export_saved_model_lib  # noqa: E402

from hrnet_keras import model_garden  # noqa: E402, F401

STEPS = 10
TRAINER = {
    "train_steps": STEPS, "steps_per_loop": STEPS,
    "optimizer_config": {
        "optimizer": {"type": "sgd", "sgd": {"momentum": 0.9}},
        "learning_rate": {"type": "constant", "constant": {"learning_rate": 0.01}},
    },
}  # fmt: skip
NET = {"width": "W18SmallV1"}


def halves(path):
    """Pictures whose left half is dark and of class 0, whose right half is bright and of class 1."""
    random = np.random.default_rng(0)
    with tf.io.TFRecordWriter(str(path)) as file:
        for _ in range(4):
            labels = np.repeat([[0, 1]], 64, 0).repeat(32, 1).astype("uint8")[..., None]
            image = (60 + 120 * labels + random.integers(0, 40, (64, 64, 3))).astype("uint8")
            features = {
                "image/encoded": _bytes(tf.io.encode_png(image).numpy()),
                "image/segmentation/class/encoded": _bytes(tf.io.encode_png(labels).numpy()),
                "image/height": _int(64), "image/width": _int(64),
            }  # fmt: skip
            file.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def _bytes(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int(value):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def learn(config):
    """Ten steps: the trainer, the model's weights before them, the loss."""
    config.validate()
    task = task_factory.get_task(config.task)
    trainer = train_utils.create_trainer(config, task, train=True, evaluate=False)
    before = {weight.name: weight.numpy() for weight in trainer.model.backbone.weights}
    logs = trainer.train(tf.constant(STEPS))
    assert int(trainer.global_step) == STEPS
    return trainer, before, float(logs["training_loss"])


def assert_moved(trainer, before):
    weights = trainer.model.backbone.weights
    assert [weight.name for weight in weights if np.array_equal(before[weight.name], weight)] == []


@pytest.fixture(scope="module")
def segmentation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("halves")
    halves(folder / "halves.tfrecord")
    config = exp_factory.get_exp_config("hrnetv2_semantic_segmentation")
    data = {"input_path": str(folder / "halves.tfrecord"), "output_size": [64, 64], "global_batch_size": 2}
    task = {
        "model": {"num_classes": 2, "input_size": [64, 64, 3], "backbone": {"hrnetv2": NET}},
        "train_data": {**data, "aug_rand_hflip": False}, "losses": {"l2_weight_decay": 1e-4},
    }  # fmt: skip
    config.override({"task": task, "trainer": TRAINER})
    return config, *learn(config)


def test_segmentation_learns(segmentation):
    _, trainer, before, loss = segmentation
    assert np.isfinite(loss)
    assert_moved(trainer, before)
    assert list(trainer.model.head.trainable_variables[0].shape) == [1, 1, 240, 2]


def test_segmentation_is_exported(segmentation, tmp_path):
    config, trainer, _, _ = segmentation
    checkpoint = trainer.checkpoint.save(str(tmp_path / "checkpoint"))
    folder = tmp_path / "saved_model"
    export_saved_model_lib.export_inference_graph("image_tensor", 1, [64, 64], config, checkpoint, str(folder))
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype("uint8")
    logits = tf.saved_model.load(folder).signatures["serving_default"](tf.constant(image))["logits"]
    assert logits.shape == (1, 64, 64, 2)
    mean, std = (np.array(config.task.train_data.image_feature[key]) for key in ("mean", "stddev"))
    expected = trainer.model(((image - mean) / std).astype("float32"), training=False)["logits"]
    expected = tf.image.resize(expected, (64, 64))
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.std(expected))


def test_retinanet_learns(tmp_path):
    examples = [tfexample_utils.create_detection_test_example(128, 128, 3, 2) for _ in range(4)]
    tfexample_utils.dump_to_tfrecord(str(tmp_path / "boxes.tfrecord"), examples)
    config = exp_factory.get_exp_config("hrnetv2p_retinanet")
    data = {"input_path": str(tmp_path / "boxes.tfrecord"), "global_batch_size": 2, "dtype": "float32"}
    task = {
        "model": {
            "num_classes": 3, "input_size": [128, 128, 3], "backbone": {"hrnetv2p": NET},
            "head": {"num_convs": 1, "num_filters": 16},
        },
        "train_data": {**data, "shuffle_buffer_size": 4},
    }  # fmt: skip
    config.override({"task": task, "trainer": TRAINER})
    trainer, before, loss = learn(config)
    assert np.isfinite(loss)
    assert_moved(trainer, before)
