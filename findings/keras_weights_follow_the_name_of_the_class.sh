#!/usr/bin/env bash
# A renamed Keras layer class opens old .keras files without their weights, although its old registered name is known.
#
# Versions: keras 3.15.1, jax 0.10.2 (JAX backend), numpy 2.4.6.
# Input: a .keras file with a layer of a custom class OldName, registered as mine>OldName; then the same class under the
#   name NewName, which the custom objects know as mine>OldName, too.
# Behaviour: the class is found and the layer made, whose own name has not changed; but inside the file weights lie
#   under the snake-case __name__ of the class (layers/old_name), not under the layer's name, so load_model raises that
#   one object could not be loaded. Files of load_weights are alike. With the old __name__ on the new class all is well.
# Where it bites: renaming a layer class of a library whose users have files; custom_objects alone do not help.
# Output seen:
#   the renamed class: A total of 1 objects could not be loaded.
#   with the old __name__: [7.0]
# Exits 0 while this is so, non-zero when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 numpy==2.4.6
cat > "$folder/look.py" <<'PY'
import keras
import numpy as np


def scaler(name):
    """A layer of one weight, of a class with this name, registered under it."""

    class Layer(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, x):
            return x * self.scale

    Layer.__name__ = name
    return keras.saving.register_keras_serializable("mine")(Layer)


Old = scaler("OldName")
image = keras.Input((1,))
model = keras.Model(image, Old(name="same_layer_name")(image))
model.set_weights([np.float32(7.0)])
model.save("net.keras")

New = scaler("NewName")
keras.saving.get_custom_objects()["mine>OldName"] = New  # the file's class is found
try:
    keras.saving.load_model("net.keras")
    print("loaded")
except ValueError as error:
    print("the renamed class:", str(error).split("Example")[0].strip())
New.__name__ = "OldName"
print("with the old __name__:", [float(w) for w in keras.saving.load_model("net.keras").get_weights()])
PY
cd "$folder"
KERAS_BACKEND=jax "$folder/venv/bin/python" look.py 2>/dev/null | tee seen
diff seen - <<'SEEN'
the renamed class: A total of 1 objects could not be loaded.
with the old __name__: [7.0]
SEEN
echo "as described"
