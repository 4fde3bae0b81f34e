"""The last layer of a model: it changes no number and says what the numbers mean."""

import json

import keras


@keras.saving.register_keras_serializable("hrnet_keras")
class Answer(keras.layers.Layer):
    """Passes the raw outputs on as float32 and carries the model's facts through saving and loading.

    Args:
        facts: JSON-ready dict: `task`, `representation`, `width`, `lineage` and, once known, `class_names`,
            `palette` and the like. `hrnet_keras.builders.facts_of(model)` reads it.
    """

    def __init__(self, facts, **kwargs):
        kwargs.setdefault("dtype", "float32")  # raw outputs stay float32 under mixed precision
        super().__init__(**kwargs)
        self.facts = dict(facts)

    def call(self, inputs):
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "facts": json.loads(json.dumps(self.facts))}
