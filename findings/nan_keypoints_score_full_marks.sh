#!/usr/bin/env bash
# Keypoints that are not numbers (NaN) get an average precision of 1.0 from pycocotools, 0.0 from faster-coco-eval.
#
# Versions: pycocotools 2.0.11, faster-coco-eval 1.8.0, numpy 2.4.6.
# Input: three pictures with one annotated person each; as results one person a picture whose 17 points are all 0, all
#   infinite, or all NaN (what a network gives once its weights have become NaN). None is near the truth.
# Behaviour: zeros and infinity score 0.0 in both. NaN scores 1.0 in pycocotools: the object keypoint similarity is NaN,
#   and its matching skips a candidate only where the similarity is *less* than the threshold, which NaN never is.
#   faster-coco-eval, meant as a replacement with equal figures, scores it 0.0.
# Where it bites: a training that has diverged reports AP 1.000 and becomes the best checkpoint.
# Output seen: below, after "diff".
# Exits 0 while this is so, non-zero when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pycocotools==2.0.11 faster-coco-eval==1.8.0 numpy==2.4.6
cat > "$folder/look.py" <<'PY'
import contextlib
import io
import warnings

warnings.simplefilter("ignore")
POINTS = [number for i in range(17) for number in (100.0 + 7 * i, 200.0 + 5 * i, 2)]
PERSON = {"category_id": 1, "bbox": [90, 190, 140, 120], "area": 16800, "iscrowd": 0, "num_keypoints": 17}
TRUTH = {
    "info": {},
    "images": [{"id": i, "height": 480, "width": 640} for i in (1, 2, 3)],
    "categories": [{"id": 1, "name": "person"}],
    "annotations": [{**PERSON, "id": i, "image_id": i, "keypoints": POINTS} for i in (1, 2, 3)],
}


def average_precision(library, value):
    if library == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval as Evaluation
    else:
        from faster_coco_eval import COCO, COCOeval_faster as Evaluation
    found = [{"image_id": i, "category_id": 1, "score": 0.9, "keypoints": [value] * 51} for i in (1, 2, 3)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = TRUTH
        truth.createIndex()
        evaluation = Evaluation(truth, truth.loadRes(found), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


for library in ("pycocotools", "faster-coco-eval"):
    print(library, {value: average_precision(library, float(value)) for value in ("0", "inf", "nan")})
PY
"$folder/venv/bin/python" "$folder/look.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
pycocotools {'0': 0.0, 'inf': 0.0, 'nan': 1.0}
faster-coco-eval {'0': 0.0, 'inf': 0.0, 'nan': 0.0}
SEEN
echo "as described"
