"""Dummy archives of published data sets as they are downloaded, and the files that they unpack to."""

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests import published_sets


def pack(archive, root, *folders):
    """A zip of folders, paths counted from `root`, with what macOS's archiver adds."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(path for folder in folders for path in (root / folder).rglob("*") if path.is_file()):
            name = path.relative_to(root)
            file.write(path, name)
            file.writestr(str(Path("__MACOSX") / name.with_name("._" + name.name)), b"Mac OS X")


def cityscapes(root, manual):
    published_sets.cityscapes(root, {"train": 4, "val": 2, "test": 1, "train_extra": 2})
    for kind in ("leftImg8bit", "gtFine"):  # cities whose folders sort otherwise than the names of their pictures
        for file in sorted((root / kind / "train" / "aachen").glob("*_00000[01]_*")):
            city = root / kind / "train" / ("aa-chen" if "_000000_" in file.name else "aa")
            city.mkdir(exist_ok=True)
            file.rename(city / file.name.replace("aachen", city.name))
    for file in sorted((root / "gtFine").rglob("*.png")):
        coarse = Path(str(file).replace("gtFine", "gtCoarse"))
        coarse.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, coarse)
    for kind in ("leftImg8bit", "gtFine"):
        pack(manual / f"{kind}_trainvaltest.zip", root, *(f"{kind}/{split}" for split in ("train", "val", "test")))
    pack(manual / "leftImg8bit_trainextra.zip", root, "leftImg8bit/train_extra")
    pack(manual / "gtCoarse.zip", root, "gtCoarse")


def lip(root, manual):
    published_sets.lip(root, {"train": 3, "val": 2})
    pictures, labels = root / "TrainVal_images", root / "TrainVal_parsing_annotations"
    for old, new in (("0", "77"), ("1", "77-1")):  # with their suffix, they sort the other way round
        (pictures / "train_images" / f"{old}.jpg").rename(pictures / "train_images" / f"{new}.jpg")
        (labels / "train_segmentations" / f"{old}.png").rename(labels / "train_segmentations" / f"{new}.png")
    with_palette = labels / "train_segmentations" / "2.png"
    picture = Image.fromarray(np.array(Image.open(with_palette))).convert("P")
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    picture.save(with_palette)
    pack(manual / "TrainVal_images.zip", root, "TrainVal_images")
    inner = root / "packed" / "TrainVal_parsing_annotations" / "TrainVal_parsing_annotations.zip"
    pack(inner, labels, "train_segmentations", "val_segmentations")
    pack(manual / "TrainVal_parsing_annotations.zip", root / "packed", "TrainVal_parsing_annotations")


def pascal_context(root, manual):
    published_sets.pascal_context_merged(root, {"train": 3, "val": 2})
    manual.mkdir(parents=True)
    with tarfile.open(manual / "VOCtrainval_03-May-2010.tar", "w") as tar:
        tar.add(root / "JPEGImages", "VOCdevkit/VOC2010/JPEGImages")
    shutil.copy(root / "trainval_merged.json", manual)


def imagenet(root, manual):
    """A picture of each synset, and the first five to be scored under the classes that TFDS knows of them."""
    import tensorflow_datasets as tfds

    folder = Path(tfds.__file__).parent / "datasets" / "imagenet2012"
    synsets = (folder / "labels.txt").read_text().split()
    manual.mkdir(parents=True)
    with tarfile.open(manual / "ILSVRC2012_img_train.tar", "w") as tar:
        for i, synset in enumerate(synsets):
            add(tar, f"{synset}.tar", tar_of(root / "train" / synset, {f"{synset}_{i}.JPEG": i}))
    truth = (folder / "validation_labels.txt").read_text().split()
    with tarfile.open(manual / "ILSVRC2012_img_val.tar", "w") as tar:
        for i in (2, 0, 4, 1, 3):
            name = f"ILSVRC2012_val_{i + 1:08}.JPEG"
            add(tar, name, write(root / "val" / truth[i] / name, i))


def write(file, seed):
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (9 + seed % 5, 8, 3), np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    return file.read_bytes()


def add(tar, name, contents):
    info = tarfile.TarInfo(name)
    info.size = len(contents)
    tar.addfile(info, io.BytesIO(contents))


def tar_of(folder, seeds):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, seed in seeds.items():
            add(tar, name, write(folder / name, seed))
    return file.getvalue()


MAKERS = {
    "cityscapes/semantic_segmentation": cityscapes,
    "cityscapes/semantic_segmentation_extra": cityscapes,
    "imagenet2012": imagenet,
    "lip": lip,
    "pascal_context": pascal_context,
}
