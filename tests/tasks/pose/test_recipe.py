"""What a model of poses knows of its training."""

from hrnet_keras.tasks.pose.recipe import Augment


def test_what_a_model_knows_of_its_training():
    metadata = Augment(input_size=(256, 192)).export_metadata()
    assert metadata == {"input_size": (256, 192), "convention": "official", "codec": "official"}
    metadata = Augment(input_size=(64, 64), convention="mmlab", codec="udp").export_metadata()
    assert metadata == {"input_size": (64, 64), "convention": "mmlab", "codec": "udp"}
