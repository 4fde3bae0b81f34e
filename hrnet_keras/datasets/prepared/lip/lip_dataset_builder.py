"""Builds the shards of LIP from its archives, in the conventions of `tensorflow_datasets`."""

import zipfile
from pathlib import Path, PurePosixPath

import tensorflow_datasets as tfds

from hrnet_keras.datasets.listing import is_ours
from hrnet_keras.datasets.prepared.building import grey

PICTURES, LABEL_MAPS = "TrainVal_images.zip", "TrainVal_parsing_annotations.zip"


class Builder(tfds.core.GeneratorBasedBuilder):
    """LIP: single people, every pixel labelled as one of 20 parts of body and clothes.

    Features: `name`, `image` (uint8 `(height, width, 3)`) and `label_map` (uint8 `(height, width, 1)`, ids 0..19).
    Splits: `train` (30462 pictures) and `validation` (10000).
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    manual_dir should contain {PICTURES} and {LABEL_MAPS}, as they are downloaded, from "Single Person" at
    https://lip.sysuhcp.com/overview.php.
    """

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="LIP (Look Into Person), 20 classes: single people and their clothes.",
            features=tfds.features.FeaturesDict(
                {
                    "name": tfds.features.Text(),
                    "image": tfds.features.Image(encoding_format="jpeg"),
                    "label_map": tfds.features.Image(shape=(None, None, 1), encoding_format="png", use_colormap=True),
                }
            ),
            supervised_keys=("image", "label_map"),
            homepage="https://lip.sysuhcp.com/",
            citation="Gong, Liang, Zhang, Shen, Lin: Look into Person. CVPR 2017, arXiv:1703.05446.",
        )

    def _split_generators(self, dl_manager):
        pictures, label_maps = (_unpacked(dl_manager, name) for name in (PICTURES, LABEL_MAPS))
        return {
            "train": self._generate_examples(_files(pictures, "train_images", ".jpg"),
                                             _files(label_maps, "train_segmentations", ".png")),
            "validation": self._generate_examples(_files(pictures, "val_images", ".jpg"),
                                                  _files(label_maps, "val_segmentations", ".png")),
        }  # fmt: skip

    def _generate_examples(self, pictures, label_maps):
        for name, picture in pictures.items():
            if name not in label_maps:
                raise FileNotFoundError(f"{picture}: has no label map: expected {name}.png in {LABEL_MAPS}")
            yield name, {"name": name, "image": picture.read_bytes(), "label_map": grey(label_maps[name].read_bytes())}


def _unpacked(dl_manager, name):
    archive = dl_manager.manual_dir / name
    if not archive.exists():
        raise FileNotFoundError(f"{archive}: no such file. {' '.join(Builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())}")
    return Path(dl_manager.extract(archive))  # TFDS's own paths refuse to search at any depth


def _files(top, folder, suffix):
    """`{stem: path}` of the files in folders of that name, at any depth: copies of the archives differ above it.

    The archive of the label maps holds another one of the same name, which TFDS would not extract a second time; its
    files are read from inside.
    """
    paths = list(top.rglob(f"{folder}/*{suffix}"))
    for inner in filter(is_ours, top.rglob("*.zip")):
        archive = zipfile.ZipFile(inner)
        members = [name for name in archive.namelist() if PurePosixPath(name).match(f"{folder}/*{suffix}")]
        paths += [zipfile.Path(archive, name) for name in members]
    files = {path.name.removesuffix(suffix): path for path in filter(is_ours, paths)}
    if not files:
        raise FileNotFoundError(f"{top}: holds no {folder}/*{suffix}: fetch the archive again")
    return files
