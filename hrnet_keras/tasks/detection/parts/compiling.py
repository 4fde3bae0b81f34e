"""Whether sizes may depend on values here."""

import keras


def is_compiled() -> bool:
    """Whether XLA compiles what is traced now, so that all sizes must be known: always on JAX, never on PyTorch."""
    if keras.backend.backend() != "tensorflow":
        return keras.backend.backend() == "jax"
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util  # nothing public tells what jit_compile=True compiles

    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
