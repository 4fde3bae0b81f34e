#!/usr/bin/env bash
# keras.ops.add(a, b) on the TensorFlow backend adds along the wrong axis where b looks like a bias.
#
# Versions: keras 3.15.1, tensorflow 2.21.0 (TensorFlow backend), jax 0.10.2 (JAX backend), numpy 2.4.6.
# Input: a of shape (2, 3, 4, 3), b of shape (3, 1, 1). By NumPy's broadcasting rules b runs along axis 1 of a.
# Behaviour: on the TensorFlow backend b runs along the last axis instead, without a word, since the last axis of a
#   happens to have as many elements as b: add() squeezes b and calls tf.nn.bias_add. The JAX backend and the operator
#   `a + b` of NumPy add along axis 1. keras.ops.subtract is not affected.
# Where it bites: per-row or per-map offsets of shape (n, 1, 1), when the number of channels happens to be n.
# Output seen:
#   tensorflow add [1. 2. 3.] [1. 2. 3.] subtract [-1. -1. -1.] [-2. -2. -2.]
#   jax add [1. 1. 1.] [2. 2. 2.] subtract [-1. -1. -1.] [-2. -2. -2.]
# Exits 0 while this is so, non-zero when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 tensorflow==2.21.0 jax==0.10.2 numpy==2.4.6
cat > "$folder/look.py" <<'PY'
import keras
import numpy as np

a = np.zeros((2, 3, 4, 3), "float32")
b = np.array([1.0, 2.0, 3.0], "float32").reshape(3, 1, 1)
rows = []
for name in ("add", "subtract"):
    found = keras.ops.convert_to_numpy(getattr(keras.ops, name)(a, b))
    rows.append(f"{name} {found[0, 0, 0]} {found[0, 1, 0]}")
print(keras.backend.backend(), *rows)
PY
for backend in tensorflow jax; do
  KERAS_BACKEND=$backend TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/look.py" 2>/dev/null
done | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
tensorflow add [1. 2. 3.] [1. 2. 3.] subtract [-1. -1. -1.] [-2. -2. -2.]
jax add [1. 1. 1.] [2. 2. 2.] subtract [-1. -1. -1.] [-2. -2. -2.]
SEEN
echo "as described"
