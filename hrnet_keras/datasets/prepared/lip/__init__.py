"""The builder of LIP's shards, for `tfds build`."""
