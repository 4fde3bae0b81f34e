"""Experiments of Model Garden learn with our backbones, through its own tasks, parsers and trainer."""

import numpy as np
import pytest

NEEDS = "needs tf-models-official: make test-model-garden"
pytest.importorskip("official", reason=NEEDS)
pytest.importorskip("tf_keras", reason=NEEDS)

import tensorflow as tf  # noqa: E402
from official.core import exp_factory, task_factory, train_utils  # noqa: E402
from official.vision import registry_imports  # noqa: E402, F401
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
SQUARE = {"xmin": 0.25, "ymin": 0.25, "xmax": 0.75, "ymax": 0.75}
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


def squares(path):
    """Noise with a bright square in it, of class 1."""
    random = np.random.default_rng(0)
    with tf.io.TFRecordWriter(str(path)) as file:
        for index in range(4):
            image = random.integers(0, 120, (128, 128, 3)).astype("uint8")
            image[32:96, 32:96] = 255
            box = {f"image/object/bbox/{side}": _float(share) for side, share in SQUARE.items()}
            features = box | {
                "image/encoded": _bytes(tf.io.encode_png(image).numpy()),
                "image/source_id": _bytes(str(index).encode()),
                "image/height": _int(128), "image/width": _int(128), "image/object/class/label": _int(1),
                "image/object/area": _float(64.0 * 64), "image/object/is_crowd": _int(0),
            }  # fmt: skip
            file.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def _bytes(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int(value):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _float(value):
    return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))


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
    feature = config.task.train_data.image_feature
    pixels = ((image - np.array(feature.mean)) / np.array(feature.stddev)).astype("float32")
    expected = tf.image.resize(trainer.model(pixels, training=False)["logits"], (64, 64))
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.std(expected))


def test_retinanet_learns(tmp_path):
    squares(tmp_path / "boxes.tfrecord")
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
