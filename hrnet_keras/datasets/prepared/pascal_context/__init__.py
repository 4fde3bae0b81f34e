"""The builder of PASCAL-Context's shards, for `tfds build`."""
