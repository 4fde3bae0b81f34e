"""Builds the shards of PASCAL-Context from its archives, in the conventions of `tensorflow_datasets`."""

import numpy as np
import tensorflow_datasets as tfds

from hrnet_keras.datasets import pascal_context
from hrnet_keras.datasets.prepared.building import png
from hrnet_keras.datasets.published import published

PICTURES, SHAPES = "VOCtrainval_03-May-2010.tar", "trainval_merged.json"


class Builder(tfds.core.GeneratorBasedBuilder):
    """PASCAL-Context: everyday pictures of VOC2010, every pixel labelled.

    Features: `name`, `image` (uint8 `(height, width, 3)`), `label_map` (uint8 `(height, width, 1)`, 0 is the
    background, then 59 classes) and `position` (of the picture in the annotation file's split).
    Splits: `train` and `validation`.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    manual_dir should contain {PICTURES}, from http://host.robots.ox.ac.uk/pascal/VOC/voc2010/, and {SHAPES}, the
    annotations of PASCAL in Detail, from https://codalabuser.blob.core.windows.net/public/trainval_merged.json.
    """

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="PASCAL-Context, 59 classes and background: everyday pictures, every pixel labelled.",
            features=tfds.features.FeaturesDict(
                {
                    "name": tfds.features.Text(),
                    "image": tfds.features.Image(encoding_format="jpeg"),
                    "label_map": tfds.features.Image(shape=(None, None, 1), encoding_format="png", use_colormap=True),
                    "position": tfds.features.Scalar(np.int64),
                }
            ),
            supervised_keys=("image", "label_map"),
            homepage="https://cs.stanford.edu/~roozbeh/pascal-context/",
            citation="Mottaghi et al.: The Role of Context for Object Detection and Semantic Segmentation in the Wild. "
            "CVPR 2014.",
        )

    def _split_generators(self, dl_manager):
        for name in (PICTURES, SHAPES):
            if not (dl_manager.manual_dir / name).exists():
                asked = " ".join(self.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
                raise FileNotFoundError(f"{dl_manager.manual_dir / name}: no such file. {asked}")
        root = dl_manager.extract(dl_manager.manual_dir / PICTURES) / "VOCdevkit" / "VOC2010"
        shapes = dl_manager.manual_dir / SHAPES
        return {
            "train": self._generate_examples("train", root, shapes),
            "validation": self._generate_examples("val", root, shapes),
        }

    def _generate_examples(self, split, root, shapes):
        found = pascal_context.from_json(published("pascal_context_60"), split, root, shapes, None)
        for i, name in enumerate(found.names):
            label_map = png(found.stored_ids(i))
            yield name, {"name": name, "image": found.image_files[i], "label_map": label_map, "position": i}
