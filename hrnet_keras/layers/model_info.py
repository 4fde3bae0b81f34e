"""What a model's numbers mean (`ModelInfo`), and the layer that carries it through saving and loading."""

import json
from dataclasses import dataclass, fields, replace
from typing import Any

import keras

VERSION = 2  # of the dict that `ModelInfo.to_dict` makes; 1 had no version and other words for some fields
_OLD_WORDS = {"rules": "convention", "input": "input_size", "crop": "crop_ratio"}
_OLD_VALUES = {("codec", "classic"): "msra"}


@dataclass(frozen=True)
class ModelInfo:
    """What a model answers, how pictures are to be shown to it, and what its classes or points are called.

    Args:
        task: `"cls"`, `"seg"`, `"landmark"`, `"pose"`, ...
        representation: `"V1"`, `"V2"` or `"V2p"`.
        width: a key of `architecture.ARCHITECTURES`.
        lineage: whose conventions its graph follows, a key of `architecture.LINEAGES`.
        num_classes: of its logits, where it labels pictures, pixels or boxes.
        num_keypoints: of its heat maps, where it finds points.
        head: the variant of the task's head, `None` for the usual one; of a detector its framework.
        align_corners: whether its graph keeps corners in place where it resizes.
        include_preprocessing: whether its graph takes RGB 0..255 and normalises itself.
        output_stride: pixels of the input per logit.
        data: name of the data set that it was trained on.
        class_names: in the order of the class ids; empty where nobody named them.
        palette: RGB 0..255 of every class.
        ignore_label: id in a label map that is neither trained on nor scored.
        label_flip_pairs: class ids that change places in a mirrored picture; `None`: nobody said.
        point_names: in the order of the points.
        flip_pairs: points that change places in a mirrored picture.
        edges: pairs of points joined by a line in a drawing.
        convention: whose crops its points were learnt from: `"official"` or `"mmlab"`; `None`: that of its lineage.
        codec: how its heat maps encode points; `None`: that of its convention.
        crop_box: which box of a face its crops are made of (`tasks.landmark.faces.BOXES`); `None`: nobody said.
        stretch_first: whether the official crop of a face stretches the grey levels of a large picture before it
            shrinks it.
        input_size: `(height, width)` that it was trained at, where its graph takes any; of detectors the bounds of the
            (short, long) side.
        crop_ratio: classification: share of the resized picture's short side that the crop has.
        interpolation: classification: `"bilinear"` or `"bicubic"`.
        weights: name of the published weights that it has.
        published: what was published of their score: `score`, `note`, `branch`, `multi_scale`, `flip`.
        name: of the model, in an export.
    """

    task: str
    representation: str = "V2"
    width: str = ""
    lineage: str = "official"
    num_classes: int | None = None
    num_keypoints: int | None = None
    head: str | None = None
    align_corners: bool = False
    include_preprocessing: bool = True
    output_stride: int = 1
    data: str | None = None
    class_names: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    ignore_label: int = 255
    label_flip_pairs: tuple[tuple[int, int], ...] | None = None
    point_names: tuple[str, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    convention: str | None = None
    codec: str | None = None
    crop_box: str | None = None
    stretch_first: bool = True
    input_size: tuple[int, int] | None = None
    crop_ratio: float | None = None
    interpolation: str | None = None
    weights: str | None = None
    published: dict | None = None
    name: str | None = None

    @property
    def count(self) -> int | None:
        """Of the classes or heat maps that its last layer has."""
        return self.num_keypoints if self.num_classes is None else self.num_classes

    def with_dataset(self, data: Any) -> "ModelInfo":
        """The same with the names of a data set.

        Args:
            data: a `DatasetInfo` of as many classes or points.
        """
        if self.num_classes is None:
            return replace(
                self, data=data.name, point_names=tuple(data.point_names), flip_pairs=tuple(data.flip_pairs),
                edges=tuple(data.edges), crop_box=self.crop_box or data.crop_box, stretch_first=data.stretch_first,
            )  # fmt: skip
        palette = tuple((int(red), int(green), int(blue)) for red, green, blue in data.palette)
        return replace(
            self, data=data.name, class_names=tuple(data.class_names), palette=palette, ignore_label=data.ignore_label,
            label_flip_pairs=tuple(data.label_flip_pairs),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """A dict that JSON can hold: `version`, and every field that is not at its default."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        said = {one.name: said[one.name] for one in fields(self) if said[one.name] != one.default}
        return json.loads(json.dumps({"version": VERSION, **said}))

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> "ModelInfo":
        """Reads what `to_dict` wrote, also of earlier versions; words that this version does not know are left out.

        Raises:
            ValueError: it was written by a later version that this one can't read, or states no task.
        """
        if said.get("version", 1) > VERSION:
            raise ValueError(f"model info of version {said['version']}: this hrnet_keras reads up to {VERSION}")
        if "task" not in said:
            raise ValueError("model info without a task")
        said = {_OLD_WORDS.get(word, word): value for word, value in said.items()}
        known = {one.name for one in fields(cls)}
        return cls(**{word: _read(word, value) for word, value in said.items() if word in known})


def _read(word, value):
    """A value as the field holds it: tuples where JSON has lists."""
    if word == "published":
        return value
    value = _OLD_VALUES.get((word, value), value) if isinstance(value, str) else value
    return _as_tuples(value)


def _as_tuples(value):
    return tuple(map(_as_tuples, value)) if isinstance(value, (list, tuple)) else value


@keras.saving.register_keras_serializable("hrnet_keras")
class ModelInfoLayer(keras.layers.Layer):
    """Passes the raw outputs on as float32 and carries the `ModelInfo` through saving and loading.

    Args:
        info: a `ModelInfo`, or the dict of one.
        facts: what files of version 1 call it.
    """

    def __init__(self, info=None, *, facts=None, **kwargs):
        # Raw outputs stay float32 under mixed precision.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        said = info if facts is None else facts
        self.info = said if isinstance(said, ModelInfo) else ModelInfo.from_dict(said)

    def call(self, inputs):
        return inputs

    def compute_output_spec(self, inputs):
        return keras.tree.map_structure(_passed_on, inputs)

    def get_config(self):
        return {**super().get_config(), "info": self.info.to_dict()}


def _passed_on(tensor):
    """A symbolic tensor as the layer passes it on: whole numbers stay what they are."""
    is_float = "float" in keras.backend.standardize_dtype(tensor.dtype)
    return keras.KerasTensor(tensor.shape, dtype="float32" if is_float else tensor.dtype)


keras.saving.get_custom_objects()["hrnet_keras>Answer"] = ModelInfoLayer  # what files of version 1 call the layer


def info_layer(model: keras.Model) -> ModelInfoLayer | None:
    """The `ModelInfoLayer` of a model, `None` where it has none."""
    return next((layer for layer in model.layers if isinstance(layer, ModelInfoLayer)), None)


def find_info(model: keras.Model) -> ModelInfo | None:
    """The `ModelInfo` of a model of a task, `None` for feature maps."""
    layer = info_layer(model)
    return None if layer is None else layer.info


def info_of(model: keras.Model) -> ModelInfo:
    """What a model's numbers mean: the `ModelInfo` that its builder (and training) put on its last layer.

    Raises:
        ValueError: the model is no model of a task of this package.
    """
    info = find_info(model)
    if info is None:
        raise ValueError(f"model {model.name!r} answers no task: build it with task=..., as hrnet_keras's builders do")
    return info


def set_info(model: keras.Model, info: ModelInfo) -> ModelInfo:
    """Puts another info into a model of a task, which goes wherever the model goes; returns it."""
    layer = info_layer(model)
    if layer is None:
        raise ValueError(f"model {model.name!r} answers no task")
    layer.info = info
    return info


def update_info(model: keras.Model, **changes: Any) -> ModelInfo:
    """Puts other values into a model's info; returns the new `ModelInfo`."""
    return set_info(model, replace(info_of(model), **changes))
