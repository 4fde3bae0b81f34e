#!/usr/bin/env bash
# tf_keras's BatchNormalization keeps another running variance when it is synchronised, or when its input has no height and width.
#
# Versions: tf_keras 2.20.1, keras 3.15.1, tensorflow 2.20.0, numpy 2.4.6.
# Input: the two numbers 0 and 2 of one channel as a batch (2, 1, 1, 1) and as (2, 1); their variance is 1, by n - 1 it is 2.
#   One call with training=True at momentum 0, so that the running variance becomes the batch's.
# Behaviour: maps (rank 4) on one device go through a fused operation, which keeps the unbiased variance (n / (n - 1) times
#   the batch's). With synchronized=True, also on one device, and for inputs of rank 2 the biased one is kept. The
#   documentation has one formula, var(batch), for all. Keras 3's layer keeps the biased one always.
# Where it bites: small maps or batches (a factor of 2 here, of 1.14 for 8 pictures of pooled features): the same experiment
#   predicts otherwise after use_sync_bn or a move to Keras 3.
# Output seen:
#   tf_keras, (2, 1, 1, 1) 2.0
#   tf_keras, (2, 1, 1, 1), synchronized 1.0
#   tf_keras, (2, 1) 1.0
#   keras, (2, 1, 1, 1) 1.0
# Exits 0 while this is so, non-zero when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tf_keras==2.20.1 keras==3.15.1 tensorflow==2.20.0 numpy==2.4.6
cat > "$folder/look.py" <<'PY'
import keras
import numpy as np
import tf_keras

maps = np.array([0.0, 2.0], "float32").reshape(2, 1, 1, 1)


def look(name, layer, x):
    layer(x, training=True)
    print(name, float(layer.moving_variance.numpy()[0]))


look("tf_keras, (2, 1, 1, 1)", tf_keras.layers.BatchNormalization(momentum=0.0), maps)
look("tf_keras, (2, 1, 1, 1), synchronized", tf_keras.layers.BatchNormalization(momentum=0.0, synchronized=True), maps)
look("tf_keras, (2, 1)", tf_keras.layers.BatchNormalization(momentum=0.0), maps[:, :, 0, 0])
look("keras, (2, 1, 1, 1)", keras.layers.BatchNormalization(momentum=0.0), maps)
PY
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/look.py" 2>/dev/null | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
tf_keras, (2, 1, 1, 1) 2.0
tf_keras, (2, 1, 1, 1), synchronized 1.0
tf_keras, (2, 1) 1.0
keras, (2, 1, 1, 1) 1.0
SEEN
echo "as described"
