"""From the archives of a data set to its shards."""

import contextlib
import importlib
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hrnet_keras.datasets.prepared.shards import import_tfds

OURS = ("lip", "pascal_context")  # the builders beside this file; TFDS has the others
NAMES = ("cityscapes/semantic_segmentation", "cityscapes/semantic_segmentation_extra", "imagenet2012", *OURS)


def build(name: str, manual_dir: str, data_dir: str, *, overwrite: bool = False) -> Path:
    """Builds the shards of a data set with random access, as `tfds build --file_format=array_record` does.

    Unlike that command, this needs neither `apache-beam` nor `mlcroissant`, and leaves no unpacked archives behind.

    Args:
        name: one of `NAMES`; `cityscapes/semantic_segmentation_extra` has the coarse annotations.
        manual_dir: folder of the archives as they were downloaded.
        data_dir: folder that gets `<name>/<version>`; while it works, it also holds the unpacked archives.
        overwrite: build again what is there.

    Returns:
        `pathlib.Path` of the shards.

    Raises:
        ValueError: unknown name.
        FileNotFoundError, AssertionError: an archive is missing; the message says which, and where to get it.
        ImportError: `tensorflow_datasets` or `array_record` is missing.
    """
    if name not in NAMES:
        raise ValueError(f"name={name!r}: expected one of {', '.join(map(repr, NAMES))}")
    tfds = import_tfds()
    if name in OURS:
        importlib.import_module(f"hrnet_keras.datasets.prepared.{name}.{name}_dataset_builder")
    if overwrite:
        with contextlib.suppress(tfds.core.DatasetNotFoundError):
            shutil.rmtree(tfds.core.read_only_builder.builder_from_files(name, data_dir=data_dir).data_path)
    Path(data_dir).mkdir(parents=True, exist_ok=True)
    builder = tfds.builder(name, data_dir=data_dir, file_format="array_record")
    with tempfile.TemporaryDirectory(prefix="unpacked_", dir=data_dir) as unpacked:
        config = tfds.download.DownloadConfig(manual_dir=manual_dir, extract_dir=unpacked)
        builder.download_and_prepare(download_config=config)
    return Path(builder.data_path)


def grey(contents: bytes) -> bytes:
    """A label map's file as its shard keeps it: unchanged, but one with a palette as a grey PNG of the same ids.

    Args:
        contents: bytes of the file. A file that cannot be read is kept too: who reads it learns of it, as outside.
    """
    try:
        with Image.open(io.BytesIO(contents)) as picture:
            if picture.mode != "P":
                return contents
            picture.load()
    except Exception:  # Pillow's decoders raise OSError, SyntaxError, struct.error and more
        return contents
    return png(picture)


def png(label_map: Any) -> bytes:
    """A picture of ids, Pillow's or uint8 `(height, width)`, as the bytes of a grey PNG."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(label_map)).save(file, "PNG")
    return file.getvalue()
