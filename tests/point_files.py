"""Dummy files in the layouts in which data sets with points unpack, and the sample pictures brought into them."""

import csv
import json
import shutil

import numpy as np
from PIL import Image

COUNTS = {"300w": 68, "wflw": 98, "aflw": 19, "cofw": 29}


def picture(file, size=(120, 160), seed=0):
    """A noisy picture of `size` `(height, width)`; a png gets a palette, as those of 300W have."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    (image.quantize(64) if file.suffix == ".png" else image).save(file)


def face_points(count, seed, size=(120, 160)):
    """Points `(count, 2)` spread over the middle of a picture, none at whole pixels."""
    rng = np.random.default_rng((count, seed))
    return np.round(rng.uniform(0.2, 0.8, (count, 2)) * [size[1], size[0]], 3) + 0.0007


def replaced(cells, column, value):
    """A row with another value in one column."""
    return [*cells[:column], value, *cells[column + 1 :]]


def tight(points):
    """Centre and scale by the rule written out: the box at whole pixels around all points."""
    low, high = [min(p) for p in zip(*points, strict=True)], [max(p) for p in zip(*points, strict=True)]
    left, top = (int(np.floor(v)) for v in low)
    right, bottom = (int(np.ceil(v)) for v in high)
    return ((left + right) / 2, (top + bottom) / 2), max(right - left, bottom - top) / 200


def face_row(name, path, points, center=None, scale=None):
    """A row of the official csv files."""
    around, size = tight(points)
    center, scale = center or around, scale or size
    lead = [path, scale, *([200 * scale] if name == "aflw" else []), *center]
    return [*lead, *np.ravel(points).tolist()]


def write_csv(file, rows, header=True):
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", newline="") as stream:
        writer = csv.writer(stream)
        if header:
            writer.writerow(["image_name", *(f"column_{i}" for i in range(1, len(rows[0])))])
        writer.writerows(rows)
    return file


def write_json(file, whole):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(whole))
    return file


def face_csv(name, spelt=None):
    """A maker of csv files of `name` and their pictures: `(root, {split: number of pictures}) -> root`."""

    def make(root, counts):
        for split, count in counts.items():
            files = [f"part/{split}_{i}.{'png' if i % 2 else 'jpg'}" for i in range(count)]
            for i, file in enumerate(files):
                picture(root / "images" / file, seed=i)
            rows = [face_row(name, file, face_points(COUNTS[name], i)) for i, file in enumerate(files)]
            write_csv(root / f"face_landmarks_{name}_{(spelt or {}).get(split, split)}.csv", rows)
        return root

    return make


def wflw_lists(root, faces, part="test"):
    """The raw list of WFLW of `faces`: list of `(path, points, flags)`."""
    lines = []
    for path, points, flags in faces:
        box = [int(points[:, 0].min()), int(points[:, 1].min()), int(points[:, 0].max()), int(points[:, 1].max())]
        lines.append(" ".join([*(f"{v:.6f}" for v in np.ravel(points)), *map(str, box), *map(str, flags), path]))
        if not (root / "WFLW_images" / path).is_file():
            picture(root / "WFLW_images" / path)
    folder = root / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"list_98pt_rect_attr_{part}.txt").write_text("\n".join(lines) + "\n")
    return root


def cofw_mat(file, images, marks, boxes):
    """A MATLAB 7.3 file as COFW's: cells of pictures, points N x 87, boxes N x 4, all axes reversed as in HDF5."""
    import h5py

    file.parent.mkdir(parents=True, exist_ok=True)
    names = ("IsTr", "phisTr", "bboxesTr") if "train" in file.name else ("IsT", "phisT", "bboxesT")
    with h5py.File(file, "w") as store:
        cells = store.create_dataset(names[0], (1, len(images)), h5py.ref_dtype)
        for i, image in enumerate(images):
            cells[0, i] = store.create_dataset(f"#refs#/{i}", data=image.T).ref
        store[names[1]], store[names[2]] = np.asarray(marks, np.float64).T, np.asarray(boxes, np.float64).T
    return file


def cofw(root, counts):
    for split, count in counts.items():
        images = [np.random.default_rng(i).integers(0, 256, (90, 120, 3), dtype=np.uint8) for i in range(count)]
        points = [face_points(29, i, (90, 120)) + 1 for i in range(count)]
        marks = [np.concatenate([p.T.ravel(), np.arange(29) % 2]) for p in points]
        cofw_mat(root / f"COFW_{split}_color.mat", images, marks, [[10, 12, 80, 60]] * count)
    return root


def person(number, image, points, visible, **more):
    """An entry of COCO's "annotations"."""
    points, visible = np.asarray(points, float), np.asarray(visible)
    low, high = points[visible > 0].min(0) - 3, points[visible > 0].max(0) + 3
    flat = np.concatenate([np.where(visible[:, None] > 0, points, 0), visible[:, None]], 1)
    return {
        "id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "keypoints": flat.ravel().tolist(),
        "num_keypoints": int((visible > 0).sum()), "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": float(np.prod(high - low)), **more,
    }  # fmt: skip


def coco_json(pictures, annotations, category=None):
    """`pictures`: `{id: (file, (height, width))}`."""
    images = [{"id": i, "file_name": f, "height": h, "width": w} for i, (f, (h, w)) in pictures.items()]
    return {"images": images, "annotations": annotations, "categories": [category or {"id": 1, "name": "person"}]}


def coco(root, counts):
    for split, count in counts.items():
        pictures = {i + 1: (f"{i + 1:012}.jpg", (120, 160)) for i in range(count)}
        for file, size in pictures.values():
            picture(root / "images" / f"{split}2017" / file, size)
        people = [
            person(10 * i + j, i, face_points(17, 10 * i + j), [2] * 12 + [1] * 5) for i in pictures for j in (0, 1)
        ]
        write_json(root / "annotations" / f"person_keypoints_{split}2017.json", coco_json(pictures, people))
    return root


def mpii(root, counts):
    from scipy.io import savemat

    for split, count in counts.items():
        persons = []
        for i in range(2 * count):
            points, seen = face_points(16, i) + 1, np.array([0] + [1] * 15)
            joints = np.where(seen[:, None] > 0, points, -1)
            persons.append({"image": f"{i % count:09}.jpg", "center": [81.0, 61.0], "scale": 0.5,
                            "joints": joints.tolist(), "joints_vis": seen.tolist()})  # fmt: skip
            picture(root / "images" / f"{i % count:09}.jpg")
        write_json(root / "annot" / f"{split}.json", persons)
        if split == "valid":
            heads = np.tile(np.array([[10.0, 20.0], [40.0, 60.0]])[..., None], 2 * count)
            truth = np.array([one["joints"] for one in persons]).transpose(1, 2, 0)
            missing = np.array([[1 - v for v in one["joints_vis"]] for one in persons]).T
            savemat(root / "annot" / "gt_valid.mat", {
                "pos_gt_src": truth, "jnt_missing": missing, "headboxes_src": heads,
            })  # fmt: skip
    return root


def points_csv(root, counts):
    for split, count in counts.items():
        rows = []
        for i in range(count):
            picture(root / "images" / f"{split}_{i}.jpg", seed=i)
            rows.append([f"{split}_{i}.jpg", *face_points(4, i).ravel().tolist()])
        write_csv(root / f"{split}.csv", rows, header=False)
    return root


MAKERS = {
    "300w": face_csv("300w", {"common": "valid_common", "challenge": "valid_challenge"}),
    "wflw": face_csv("wflw"), "aflw": face_csv("aflw"), "cofw": cofw, "coco": coco, "mpii": mpii, "points": points_csv,
}  # fmt: skip


def from_samples(samples, name, root):
    """Sample pictures and json of a set, laid out as mmpose (faces: the test split) or COCO's archives have them."""
    source = samples / "mmpose" / name
    images = root / "images" / ("val2017" if name == "coco" else "")
    images.mkdir(parents=True)
    for file in source.iterdir():
        if file.suffix != ".json":
            shutil.copy(file, images)
    target = {"coco": "person_keypoints_val2017.json", "cofw": "cofw_test.json"}
    (root / "annotations").mkdir()
    place = root / "annotations" / target.get(name, f"face_landmarks_{name}_test.json")
    shutil.copyfile(source / f"test_{name}.json", place)
    return root
