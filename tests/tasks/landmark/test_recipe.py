"""What a model of faces knows of its training."""

from hrnet_keras.tasks.landmark.recipe import Augment


def test_what_a_model_knows_of_its_training():
    metadata = Augment(input_size=(128, 128)).export_metadata()
    assert metadata == {"input_size": (128, 128), "convention": "official", "codec": "official"}
    metadata = Augment(input_size=(128, 96), convention="mmlab").export_metadata()
    assert metadata == {"input_size": (128, 96), "convention": "mmlab", "codec": "msra"}
