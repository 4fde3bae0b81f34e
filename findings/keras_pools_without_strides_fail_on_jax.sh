#!/usr/bin/env bash
# keras.ops.average_pool(x, size) and max_pool fail on the JAX backend where the strides are left to their default.
#
# Versions: keras 3.15.1, tensorflow 2.21.0 (TensorFlow backend), jax 0.10.2 (JAX backend), numpy 2.4.6.
# Input: x of shape (1, 4, 4, 1), channels last, size 2; the documented default of the strides is the size.
# Behaviour: on JAX the size is first made one number per axis of x, and only then taken for the strides, which get
#   their axes of batch and channels a second time: six strides for four axes. With strides=2 it works, and on
#   TensorFlow it does without. The layers AveragePooling2D and MaxPooling2D are not affected: they say their strides.
# Where it bites: models that pool by keras.ops run on one backend and stop on another.
# Output seen:
#   tensorflow average_pool without strides (1, 2, 2, 1), with (1, 2, 2, 1), max_pool without (1, 2, 2, 1)
#   jax average_pool without strides TypeError, with (1, 2, 2, 1), max_pool without TypeError
# Exits 0 while this is so, non-zero when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 tensorflow==2.21.0 jax==0.10.2 numpy==2.4.6
cat > "$folder/look.py" <<'PY'
import keras
import numpy as np

x = np.ones((1, 4, 4, 1), "float32")


def shape_of(pool, **options):
    try:
        return tuple(pool(x, 2, data_format="channels_last", **options).shape)
    except Exception as error:
        return type(error).__name__


pools = keras.ops.average_pool, keras.ops.max_pool
print(
    f"{keras.backend.backend()} average_pool without strides {shape_of(pools[0])}, with {shape_of(pools[0], strides=2)},"
    f" max_pool without {shape_of(pools[1])}"
)
PY
for backend in tensorflow jax; do
  KERAS_BACKEND=$backend TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/look.py" 2>/dev/null
done | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
tensorflow average_pool without strides (1, 2, 2, 1), with (1, 2, 2, 1), max_pool without (1, 2, 2, 1)
jax average_pool without strides TypeError, with (1, 2, 2, 1), max_pool without TypeError
SEEN
echo "as described"
