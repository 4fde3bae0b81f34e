#!/usr/bin/env bash
# Model Garden's makers of test examples fail with the NumPy that pip installs beside it.
#
# Versions: tf-models-official 2.20.0, tensorflow 2.20.0, numpy 2.4.6 (what pip chooses beside it).
# Input: official.vision.dataloaders.tfexample_utils.create_detection_test_example(128, 128, 3, 2), as its docstring has it.
# Behaviour: TypeError, since fake_feature_generator calls np.reshape(..., newshape=...), a name that NumPy 2.1 deprecated
#   and 2.4 no longer has. tf-models-official asks for numpy>=1.20 without an upper bound.
# Where it bites: tests of one's own tasks and input pipelines, which the module's docstring recommends it for.
# Output seen:
#   TypeError: reshape() got an unexpected keyword argument 'newshape'
# Exits 0 while this is so, non-zero when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tf-models-official==2.20.0 tensorflow==2.20.0 numpy==2.4.6
cat > "$folder/look.py" <<'PY'
from official.vision.dataloaders import tfexample_utils

try:
    tfexample_utils.create_detection_test_example(128, 128, 3, 2)
except TypeError as error:
    print(f"TypeError: {error}")
PY
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/look.py" 2>/dev/null | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
TypeError: reshape() got an unexpected keyword argument 'newshape'
SEEN
echo "as described"
