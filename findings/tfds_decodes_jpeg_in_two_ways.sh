#!/usr/bin/env bash
# tensorflow_datasets decodes the same stored JPEG to other pixels as a tf.data set than as a NumPy source.
#
# Versions: tensorflow-datasets 4.9.10, tensorflow 2.21.0, Pillow 12.2.0, numpy 2.4.6.
# Input: pictures as `coco/2017` stores them (feature Image, JPEG), serialized with the data set's own features:
#   noise, and a smooth picture of stripes.
# Behaviour: `features.deserialize_example` (what `as_dataset` runs) decodes with TensorFlow's default method, which
#   takes libjpeg's faster, less exact transform; `features.deserialize_example_np` (what `as_data_source` runs) decodes
#   with OpenCV or Pillow, as PyTorch's loaders do. The two differ by several grey levels; `tf.io.decode_jpeg` with
#   `dct_method="INTEGER_ACCURATE"` gives Pillow's pixels.
# Where it bites: a model trained on one and scored on the other, stored checksums, comparisons with programs in PyTorch.
# Output seen: below, after "diff": the greatest differences of pixels.
# Exits 0 while this is so, non-zero when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PY'
import io
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

features = tfds.builder("coco/2017", data_dir=sys.argv[1]).info.features
stripes = np.sin(np.arange(64) / 3)[None, :, None] * np.array([90, 60, 30]) + 120 + np.arange(48)[:, None, None]
pictures = {
    "noise": np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8),
    "stripes": stripes.clip(0, 255).astype(np.uint8),
}
for name, picture in pictures.items():
    row = {"image": picture, "image/filename": "a.jpg", "image/id": 1, "objects": []}
    record = features.serialize_example(features.encode_example(row))
    file = tf.train.Example.FromString(record).features.feature["image"].bytes_list.value[0]
    graph = features.deserialize_example(record)["image"].numpy().astype(int)
    source = np.asarray(features.deserialize_example_np(record)["image"]).astype(int)
    pillow = np.asarray(Image.open(io.BytesIO(file))).astype(int)
    exact = tf.io.decode_jpeg(file, dct_method="INTEGER_ACCURATE").numpy().astype(int)
    off = {word: int(np.abs(x - pillow).max()) for word, x in
           (("as_dataset", graph), ("as_data_source", source), ("accurate", exact))}
    print(name, "from Pillow:", off)
PY
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 tensorflow-datasets==4.9.10 importlib_resources pillow==12.2.0 numpy==2.4.6
"$folder/venv/bin/python" "$folder/look.py" "$folder/data" 2> "$folder/errors" | tee "$folder/seen" || { cat "$folder/errors"; exit 1; }
diff "$folder/seen" - <<'SEEN'
noise from Pillow: {'as_dataset': 7, 'as_data_source': 0, 'accurate': 0}
stripes from Pillow: {'as_dataset': 7, 'as_data_source': 0, 'accurate': 0}
SEEN
echo "as described"
