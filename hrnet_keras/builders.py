"""Trunk + representation + head -> `keras.Model`: one public name per net and representation."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import keras

from hrnet_keras.architecture import ARCHITECTURES, LINEAGES, REPRESENTATIONS, Conventions, bare_conventions
from hrnet_keras.backbone import trunk
from hrnet_keras.checkpoints.checkpoint import Checkpoint
from hrnet_keras.checkpoints.pretrained import load_pretrained, resolve_weights
from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.published import published
from hrnet_keras.layers import ModelInfo, ModelInfoLayer, Normalize
from hrnet_keras.layers.model_info import find_info, info_of, set_info, update_info
from hrnet_keras.layers.normalization import convert_to_group_norm
from hrnet_keras.representations import aggregate
from hrnet_keras.tasks import TASKS, HeadSpec, Task


class Builder(Protocol):
    """A public builder, such as `HRNetV2W48`: `hrnet` with the net filled in; its arguments are described there."""

    __name__: str

    def __call__(
        self,
        task: str | None = None,
        *,
        num_classes: int | None = None,
        num_keypoints: int | None = None,
        framework: str | None = None,
        input_shape: Sequence[int | None] = (None, None, 3),
        weights: Any = None,
        lineage: str | None = None,
        align_corners: bool | None = None,
        head: str | None = None,
        include_preprocessing: bool | None = None,
        output_stride: int | None = None,
        name: str | None = None,
    ) -> keras.Model:
        """Builds the net."""


def hrnet(
    representation: str,
    width: str,
    task: str | None = None,
    *,
    num_classes: int | None = None,
    num_keypoints: int | None = None,
    framework: str | None = None,
    input_shape: Sequence[int | None] = (None, None, 3),
    weights: Any = None,
    lineage: str | None = None,
    align_corners: bool | None = None,
    head: str | None = None,
    include_preprocessing: bool | None = None,
    output_stride: int | None = None,
    name: str | None = None,
    reference_form: bool = False,
) -> keras.Model:
    """Builds an HRNet as a functional `keras.Model`, channels last.

    Args:
        task: `"cls"`, `"seg"`, `"landmark"`, `"pose"`, `"det"`, or `None` for the representation's feature maps.
        num_classes: cls, seg and det; default: that of `weights`, else 1000, 19 and 80. With another number than the
            weights have, the last layer stays random.
        num_keypoints: landmark and pose; default: that of `weights`, else 68 and 17.
        framework: det: `"faster_rcnn"`, `"mask_rcnn"`, `"cascade_rcnn"`, `"cascade_mask_rcnn"`, `"htc"`, `"fcos"`,
            `"fcos_6l"` or `"centernet"`; default: that of `weights`, else `"faster_rcnn"`.
        input_shape: `(height, width, 3)`; `None` for any size.
        weights: `None` (random); a published name (`"cityscapes"`, `"imagenet"`, ...: see `list_weights`); the path of
            a checkpoint (`.pth`, `.pt`, `.safetensors`), of a `.keras` file, or of a `.weights.h5` file of the same
            model. Weights of task cls start any other task: its trunk is loaded, its head stays random. A `.keras`
            file of the same task brings all that it says: conventions, head, names and colours, group norms.
        lineage: whose conventions the graph follows: `"official"`, `"official_torch04"`, `"mmlab"`, `"timm"`; default:
            that of `weights`, else official; det: `"mmlab"` (mmdet 2 and 3), `"official"` is the official fork's and
            mmdet 1's, of fcos HRNet-FCOS's; fcos_6l and centernet are official.
        align_corners: seg: `True` for the nets of the official OCR branch that were trained so; default: that of
            `weights`, else `False`.
        head: seg: `None` (the paper's) or `"ocr"`; cls: `None` or `"ssld"` (nets whose head has no biases); default:
            that of `weights`.
        include_preprocessing: `True`: the graph takes RGB 0..255 and normalises itself; `False`: it takes normalised
            input; default: that of a `.keras` file in `weights`, else `True`.
        output_stride: seg: 1 gives logits at input size, 4 the head's own; default: that of a `.keras` file in
            `weights`, else 1.
        name: of the model; default `hrnetv2_w48_seg` and so on.
        reference_form: aggregates the maps of V2 and V2p over their concatenation, as the reference does: the same
            function and weights with up to an eighth more work. For counting and comparing.

    Returns:
        A model whose output is: cls: logits `(batch, num_classes)`; seg: logits
        `(batch, height, width, num_classes)`; landmark and pose: heat maps
        `(batch, height / 4, width / 4, num_keypoints)`; det: a dict, best first: `boxes` `(batch, 100, 4)` xyxy in
        pixels of the input, `scores` and `labels` `(batch, 100)`, `valid` `(batch,)`, how many of them there are, and
        with masks `masks` `(batch, 100, 28, 28)`, probabilities over the box; pixels below 0 at the right and bottom of
        the input are padding. `None`: V1 one map of `width` channels, V2 the mixed map of
        `15 * width`, V2p a list of five maps of 256, strides 4 to 64.

    Raises:
        ValueError: a name, a combination or a size that does not exist; the message lists what does.

    Source: arXiv:1904.04514, sections 3.1 and 3.2; arXiv:1902.09212 for V1.

    Example:
        >>> import hrnet_keras as hk
        >>> model = hk.HRNetV2W18SmallV1(task="seg", num_classes=11, input_shape=(64, 96, 3))
        >>> model.output_shape
        (None, 64, 96, 11)
    """
    kind = _kind_of(task)
    variant = _variant(kind, head=head, framework=framework)
    _check_names(kind, representation, width, lineage, output_stride)
    _check_counts(kind, num_classes=num_classes, num_keypoints=num_keypoints)
    asked_count = num_classes or num_keypoints
    checkpoint = None
    if weights is not None:
        checkpoint = resolve_weights(
            weights, task=task, representation=representation, width=width, lineage=lineage, head=variant,
            align_corners=align_corners, input_shape=input_shape,
        )  # fmt: skip
    spec = _NetSpec.of(kind, representation, width, variant, checkpoint).asked(
        lineage=lineage, head=variant, align_corners=align_corners, include_preprocessing=include_preprocessing,
        output_stride=output_stride, count=asked_count,
    )  # fmt: skip
    conventions = spec.conventions()
    _check_shape(input_shape, conventions, representation)

    images = keras.Input(input_shape, name="image")
    normalize = Normalize(
        unit=_unit(conventions), normalized=not spec.include_preprocessing,
        marks_padding=kind is not None and kind.marks_padding, pixels=conventions.pixels, name="normalize",
    )  # fmt: skip
    maps = trunk(normalize(images), ARCHITECTURES[width], conventions)
    head_spec = spec.of_head(conventions, reference_form)
    name = name or _model_name(representation, width, task, spec.head)
    if kind is None:
        model = keras.Model(images, aggregate(maps, head_spec), name=name)
    else:
        outputs = kind.build(images, maps, head_spec)
        outputs = ModelInfoLayer(spec.info(kind, conventions), name=kind.output)(outputs)
        model = kind.model_class()(images, outputs, name=name)
    if checkpoint is None:
        return model
    if checkpoint.has_group_norms:
        model = convert_to_group_norm(model)
    load_pretrained(model, checkpoint, count=asked_count)
    _name_published(model, checkpoint.entry)
    return model


@dataclass(frozen=True)
class _NetSpec:
    """What is to be built: what was asked for, else what the weights bring, else the defaults.

    Attributes:
        kind: the `Task`, `None` for feature maps.
        brought: the `ModelInfo` of a `.keras` file in `weights`, `None` without one.
    """

    kind: Task | None
    representation: str
    width: str
    lineage: str = "official"
    head: str | None = None
    align_corners: bool | None = None
    include_preprocessing: bool = True
    output_stride: int = 1
    count: int = 0
    brought: ModelInfo | None = None

    @classmethod
    def of(
        cls, kind: Task | None, representation: str, width: str, variant: str | None, checkpoint: Checkpoint | None
    ) -> "_NetSpec":
        """The defaults of a variant of the head, with what a `Checkpoint` brings, where it is of the very net."""
        if kind is None:
            spec, task = cls(kind, representation, width), None
        else:
            spec = cls(
                kind, representation, width, lineage=kind.default_lineage(variant), head=kind.variants[0],
                count=kind.default_count,
            )  # fmt: skip
            task = kind.name
        if checkpoint is None or not checkpoint.is_for(task):
            return spec
        options = checkpoint.options()
        if kind is None:
            options["head"] = None  # of a detector whose pyramid alone is built
        return spec.asked(brought=checkpoint.info, **options)

    def asked(self, **values: Any) -> "_NetSpec":
        """The same with the values that are not `None`."""
        return replace(self, **{word: value for word, value in values.items() if value is not None})

    def conventions(self) -> Conventions:
        """Of the graph; raises `ValueError` where the lineage has no such nets."""
        if self.kind is not None:
            return self.kind.conventions_of(self.lineage, self.head, align_corners=self.align_corners)
        if self.align_corners is not None:
            raise ValueError(f"align_corners={self.align_corners!r}: feature maps have no such choice")
        return bare_conventions(self.lineage, self.representation)

    def of_head(self, conventions: Conventions, reference_form: bool) -> HeadSpec:
        """What the head is to be."""
        return HeadSpec(
            self.representation, self.head, self.count, conventions, self.output_stride, reference_form, self.lineage,
            self.include_preprocessing,
        )  # fmt: skip

    def info(self, kind: Task, conventions: Conventions) -> ModelInfo:
        """What the built model's numbers mean."""
        said = self.brought
        if said is None or said.count != self.count:  # names of other classes are none
            said = ModelInfo(kind.name)
        counts: dict[str, Any] = {kind.counts: self.count}
        return replace(
            said, task=kind.name, representation=self.representation, width=self.width, lineage=self.lineage,
            head=self.head, align_corners=conventions.align_corners, output_stride=self.output_stride,
            include_preprocessing=self.include_preprocessing, **counts,
        )  # fmt: skip


def name_outputs(model: keras.Model, data: DatasetInfo) -> None:
    """Writes a data set's names into a model's info, so that its answers can be read wherever it goes.

    Args:
        model: a model of a task.
        data: the data set's info: `name` and, for classes, `class_names`, `palette` (RGB per class), `ignore_label`,
            `label_flip_pairs`; for points, `point_names`, `flip_pairs`, `edges`, `crop_box`, `stretch_first`.
    """
    set_info(model, info_of(model).with_dataset(data))


# The fields of a zoo's `Entry` that a model of these weights says of itself.
_PUBLISHED = ("codec", "crop_box", "input_size", "crop_ratio", "interpolation")


def _name_published(model, entry):
    """Writes what is known of published weights into the info of a model for their task."""
    info = find_info(model)
    if entry is None or info is None or info.task != entry.task:
        return
    names = published(entry.data)
    fields = {word: getattr(entry, word) for word in _PUBLISHED if getattr(entry, word) is not None}
    if entry.score and info.count == entry.count:
        fields["published"] = entry.published
    info = update_info(model, weights=entry.name, **fields)
    if names is not None and info.num_classes == len(names.class_names):
        name_outputs(model, names)
    elif names is not None and info.num_keypoints in (len(names.point_names), 3 * len(names.point_names)):
        name_outputs(model, names)  # three maps per point: UDP's combined codec


def _model_name(representation, width, task, head):
    return "_".join(["hrnet" + representation.lower(), width.lower(), *filter(None, (task, head))])


def _one_of(name, value, expected):
    if value not in expected:
        raise ValueError(f"{name}={value!r}: expected one of {', '.join(map(repr, expected))}")


def _kind_of(task: str | None) -> Task | None:
    """The `Task` of that name, `None` for feature maps."""
    if task is None:
        return None
    _one_of("task", task, (*TASKS, None))
    return TASKS[task]


def _variant(kind: Task | None, **asked: str | None) -> str | None:
    """The variant of the head that was asked for by the word that the task has for it; `None`: nobody asked."""
    variant = None
    for word, value in asked.items():
        if kind is None:
            _one_of(f"with task=None, {word}", value, (None,))
        elif word != kind.variant_word:
            _one_of(f"with task={kind.name!r}, {word}", value, (None,))
        elif value is not None:
            _one_of(f"with task={kind.name!r}, {word}", value, kind.variants)
            variant = value
    return variant


def _check_names(kind, representation, width, lineage, output_stride):
    _one_of("representation", representation, REPRESENTATIONS)
    _one_of("width", width, tuple(ARCHITECTURES))
    if lineage is not None:
        _one_of("lineage", lineage, LINEAGES)
    if kind is None:
        _one_of("output_stride", output_stride, (None, 1))
        return
    if representation not in kind.representations:
        known = ", ".join(sorted(kind.representations))
        raise ValueError(f"HRNet{representation} has no task={kind.name!r}: that task exists for {known}")
    if output_stride is not None:
        _one_of("output_stride", output_stride, kind.output_strides)


def _check_counts(kind, **counts):
    for name, value in counts.items():
        if value is None:
            continue
        if kind is None or name != kind.counts:
            raise ValueError(f"{name}={value!r} does not belong to task={None if kind is None else kind.name!r}")
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r}: expected a positive whole number")


def _unit(conventions):
    """What sizes must be multiples of: upsampling by whole factors meets the finer map only then."""
    return 32 if conventions.upsampling == "nearest" else 1


def _check_shape(input_shape, conventions, representation):
    shape = tuple(input_shape)
    if len(shape) != 3 or shape[2] != 3 or any(n is not None and (not isinstance(n, int) or n < 1) for n in shape):
        raise ValueError(f"input_shape={input_shape!r}: expected (height, width, 3) of positive whole numbers or None")
    unit = _unit(conventions)
    least = max(conventions.least_side, unit) if representation == "V2p" else unit
    for side, size in zip(("height", "width"), shape, strict=False):
        if size is not None and (size % unit or size < least):
            raise ValueError(
                f"input_shape={input_shape!r}: {side} {size}, expected a multiple of {unit}, at least {least}"
            )


def _named(representation: str, width: str) -> Builder:
    """One public builder: `hrnet` with the net filled in, under its own name, signature and docstring."""

    def named(task=None, **options):
        return hrnet(representation, width, task, **options)

    build: Any = named
    signature = inspect.signature(hrnet)
    hidden = ("representation", "width", "reference_form")
    shown = [parameter for key, parameter in signature.parameters.items() if key not in hidden]
    build.__signature__ = signature.replace(parameters=shown)
    build.__name__ = build.__qualname__ = f"HRNet{representation}{width}"
    build.__doc__ = inspect.cleandoc(hrnet.__doc__ or "").replace("an HRNet", f"HRNet{representation}-{width}", 1)
    return build


HRNetV1W18 = _named("V1", "W18")
HRNetV1W30 = _named("V1", "W30")
HRNetV1W32 = _named("V1", "W32")
HRNetV1W40 = _named("V1", "W40")
HRNetV1W44 = _named("V1", "W44")
HRNetV1W48 = _named("V1", "W48")
HRNetV1W64 = _named("V1", "W64")
HRNetV1W18SmallV1 = _named("V1", "W18SmallV1")
HRNetV1W18SmallV2 = _named("V1", "W18SmallV2")
HRNetV2W18 = _named("V2", "W18")
HRNetV2W30 = _named("V2", "W30")
HRNetV2W32 = _named("V2", "W32")
HRNetV2W40 = _named("V2", "W40")
HRNetV2W44 = _named("V2", "W44")
HRNetV2W48 = _named("V2", "W48")
HRNetV2W64 = _named("V2", "W64")
HRNetV2W18SmallV1 = _named("V2", "W18SmallV1")
HRNetV2W18SmallV2 = _named("V2", "W18SmallV2")
HRNetV2pW18 = _named("V2p", "W18")
HRNetV2pW30 = _named("V2p", "W30")
HRNetV2pW32 = _named("V2p", "W32")
HRNetV2pW40 = _named("V2p", "W40")
HRNetV2pW44 = _named("V2p", "W44")
HRNetV2pW48 = _named("V2p", "W48")
HRNetV2pW64 = _named("V2p", "W64")
HRNetV2pW18SmallV1 = _named("V2p", "W18SmallV1")
HRNetV2pW18SmallV2 = _named("V2p", "W18SmallV2")
