"""Work on pictures inside `tf.data`: small functions on tensors, the random numbers given by the caller."""
