#!/usr/bin/env bash
# Pillow 13 resizes tall pictures in another order of passes than every version before, so pixels differ.
#
# Versions: Pillow 12.2.0 and 13.0.0, numpy 2.4.6.
# Input: random RGB pictures of 600x100, 100x600 and 300x300 (height x width), made smaller with Image.resize, whose
#   filters are separable: one pass along the width, one along the height, each rounded to 8 bits.
# Behaviour: 12.2.0 always does the width first. 13.0.0 does the height first where that saves work (600x100 to 60x80)
#   and the width first elsewhere. As each pass rounds and clips, the results differ: up to 2 grey levels here.
# Where it bites: "bit-exact" preparation of classifiers (torchvision's resize is Pillow's), stored checksums of
#   prepared pictures, and graphs that imitate Pillow.
# Output seen: below, after "diff": the greatest difference of Image.resize from two explicit passes in either order.
# Exits 0 while this is so, non-zero when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PY'
import numpy as np
import PIL
from PIL import Image

rng = np.random.default_rng(0)


def two_passes(picture, width, height, first):
    middle = (width, picture.height) if first == "width" else (picture.width, height)
    return np.asarray(picture.resize(middle, Image.BICUBIC).resize((width, height), Image.BICUBIC)).astype(int)


for shape, (height, width) in (((600, 100), (60, 80)), ((100, 600), (80, 60)), ((300, 300), (224, 224))):
    picture = Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
    found = np.asarray(picture.resize((width, height), Image.BICUBIC)).astype(int)
    off = {first: int(np.abs(found - two_passes(picture, width, height, first)).max()) for first in ("width", "height")}
    print(PIL.__version__, shape, "to", (height, width), off)
PY
for version in 12.2.0 13.0.0; do
  python3 -m venv "$folder/venv$version"
  "$folder/venv$version/bin/pip" install --quiet pillow==$version numpy==2.4.6
  "$folder/venv$version/bin/python" "$folder/look.py"
done | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
12.2.0 (600, 100) to (60, 80) {'width': 0, 'height': 2}
12.2.0 (100, 600) to (80, 60) {'width': 0, 'height': 2}
12.2.0 (300, 300) to (224, 224) {'width': 0, 'height': 13}
13.0.0 (600, 100) to (60, 80) {'width': 2, 'height': 0}
13.0.0 (100, 600) to (80, 60) {'width': 0, 'height': 2}
13.0.0 (300, 300) to (224, 224) {'width': 0, 'height': 13}
SEEN
echo "as described"
