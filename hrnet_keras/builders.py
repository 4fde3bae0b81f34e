"""Trunk + representation + head -> `keras.Model`: one public name per net and representation."""

import functools
import inspect

import keras

from hrnet_keras import representations
from hrnet_keras.architecture import ARCHITECTURES, LINEAGES, REPRESENTATIONS, conventions
from hrnet_keras.backbone import trunk
from hrnet_keras.checkpoints.model_weights import task_of
from hrnet_keras.checkpoints.starting import start_from
from hrnet_keras.datasets.published import published
from hrnet_keras.layers import Answer, Normalize, Resize
from hrnet_keras.layers.normalization import by_groups
from hrnet_keras.tasks import part

TASKS = {"cls": ("V2",), "seg": ("V1", "V2"), "landmark": ("V1", "V2"), "pose": ("V1", "V2"), None: REPRESENTATIONS}
MIXING_NAMES = {"landmark": "head", "pose": "head", "seg": "last_layer", None: "last_layer"}
HEADS = {"seg": (None, "ocr"), "cls": (None, "ssld")}


def hrnet(
    representation,
    width,
    task=None,
    *,
    num_classes=None,
    num_keypoints=None,
    framework=None,
    input_shape=(None, None, 3),
    weights=None,
    lineage=None,
    align_corners=None,
    head=None,
    include_preprocessing=None,
    output_stride=None,
    name=None,
    plain=False,
):
    """Builds an HRNet as a functional `keras.Model`, channels last.

    Args:
        task: `"cls"`, `"seg"`, `"landmark"`, `"pose"`, or `None` for the representation's feature maps.
        num_classes: cls and seg; default: that of `weights`, else 1000 and 19. With another number than the weights
            have, the last layer stays random.
        num_keypoints: landmark and pose; default: that of `weights`, else 68 and 17.
        framework: of task det, which this version does not have.
        input_shape: `(height, width, 3)`; `None` for any size.
        weights: `None` (random); a published name (`"cityscapes"`, `"imagenet"`, ...: see `list_weights`); the path of
            a checkpoint (`.pth`, `.pt`, `.safetensors`), of a `.keras` file, or of a `.weights.h5` file of the same
            model. Weights of task cls start any other task: its trunk is loaded, its head stays random. A `.keras`
            file of the same task brings all that it says: conventions, head, names and colours, group norms.
        lineage: whose conventions the graph follows: `"official"`, `"official_torch04"`, `"mmlab"`, `"timm"`; default:
            that of `weights`, else official.
        align_corners: seg: `True` for the nets of the official OCR branch that were trained so; default: that of
            `weights`, else `False`.
        head: seg: `None` (the paper's) or `"ocr"`; cls: `None` or `"ssld"` (nets whose head has no biases); default:
            that of `weights`.
        include_preprocessing: `True`: the graph takes RGB 0..255 and normalises itself; `False`: it takes normalised
            input; default: that of a `.keras` file in `weights`, else `True`.
        output_stride: seg: 1 gives logits at input size, 4 the head's own; default: that of a `.keras` file in
            `weights`, else 1.
        name: of the model; default `hrnetv2_w48_seg` and so on.
        plain: builds the mixing of V2 and V2p over the concatenation, as the reference does: the same function and
            weights with up to an eighth more work. For counting and comparing.

    Returns:
        A model whose output is: cls: logits `(batch, num_classes)`; seg: logits
        `(batch, height, width, num_classes)`; landmark and pose: heat maps
        `(batch, height / 4, width / 4, num_keypoints)`; `None`: V1 one map of `width` channels, V2 the mixed map of
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
    _check_names(representation, width, task, lineage or "official", head, framework, output_stride or 1)
    _check_counts(task, num_classes=num_classes, num_keypoints=num_keypoints)
    asked, start, brought = num_classes or num_keypoints, None, {}
    if weights is not None:
        net = {"task": task, "representation": representation, "width": width}
        how = {"lineage": lineage, "head": head, "align_corners": align_corners}
        start = start_from(weights, **net, **how, input_shape=input_shape)
        brought = start.options
    lineage, head = lineage or brought.get("lineage") or "official", head or brought.get("head")
    align_corners = brought.get("align_corners") if align_corners is None else align_corners
    if include_preprocessing is None:
        include_preprocessing = brought.get("include_preprocessing", True)
    output_stride = output_stride or brought.get("output_stride", 1)
    count = asked or brought.get("count")
    how = conventions(lineage, task, representation, align_corners=align_corners, head=head)
    _check_shape(input_shape, how, representation)
    architecture = ARCHITECTURES[width]

    images = keras.Input(input_shape, name="image")
    x = Normalize(unit=_unit(how), normalized=not include_preprocessing, name="normalize")(images)
    maps = trunk(x, architecture, how)
    stack = representations.concatenate(maps, how) if plain and representation != "V1" and _mixes(task, head) else None
    if task is None:
        outputs, facts = _features(representation, maps, how, stack), None
    else:
        features = _task_features(representation, task, maps, how, stack, head)
        outputs, facts = _head(task, features, how, head, count, plain)
    if task == "seg" and output_stride == 1:
        outputs = Resize(align_corners=how.align_corners, dtype="float32", name="logits_at_input_size")(outputs, images)
    if facts is not None:
        facts |= {
            "representation": representation, "width": width, "lineage": lineage,
            "include_preprocessing": include_preprocessing, "output_stride": output_stride if task == "seg" else 4,
        }  # fmt: skip
        facts |= {"head": head} if head else {}
        facts |= {"align_corners": True} if how.align_corners else {}
        if count == brought.get("count"):
            facts |= {key: value for key, value in brought.get("facts", {}).items() if key not in facts}
        outputs = Answer(facts, name="heatmaps" if task in ("landmark", "pose") else "logits")(outputs)
    model = keras.Model(images, outputs, name=name or _model_name(representation, width, task, head))
    if start is not None:
        model = by_groups(model) if start.has_group_norms else model
        start.load(model, count=asked)
        _name_published(model, start.entry)
    return model


def facts_of(model):
    """What a model's numbers mean: the dict its builder (and training) put on its last layer.

    Raises:
        ValueError: the model has no `Answer` layer, so it is no model of a task of this package.
    """
    for layer in model.layers:
        if isinstance(layer, Answer):
            return layer.facts
    raise ValueError(f"model {model.name!r} answers no task: build it with task=..., as hrnet_keras's builders do")


def name_answers(model, data):
    """Writes a data set's names into a model's facts, so that its answers can be read wherever it goes.

    Args:
        model: a model of a task.
        data: the data set's facts: `name` and, for classes, `class_names`, `palette` (RGB per class), `ignore_label`,
            `label_flip_pairs`; for points, `point_names`, `flip_pairs`, `edges`, `crop_box`, `stretch_first`.
    """
    facts = facts_of(model)
    facts["data"] = data.name
    if "num_keypoints" in facts:
        facts["point_names"] = list(data.point_names)
        facts["flip_pairs"] = [list(pair) for pair in data.flip_pairs]
        facts["edges"] = [list(pair) for pair in data.edges]
        facts.setdefault("crop_box", data.crop_box)
        facts["stretch_first"] = data.stretch_first
        return
    facts["class_names"] = list(data.class_names)
    facts["palette"] = [list(map(int, colour)) for colour in data.palette]
    facts["ignore_label"] = data.ignore_label
    facts["label_flip_pairs"] = [list(pair) for pair in data.label_flip_pairs]


def _name_published(model, entry):
    """Writes what is known of published weights into the facts of a model for their task."""
    if entry is None or task_of(model) != entry.task:
        return
    facts = facts_of(model)
    facts["weights"] = entry.name
    known = {word: getattr(entry, word) for word in ("codec", "crop_box", "input", "crop", "interpolation")}
    facts.update({key: value for key, value in known.items() if value is not None})
    names = published(entry.data)
    if entry.score and facts.get("num_classes", facts.get("num_keypoints")) == entry.count:
        facts["published"] = entry.published
    if names is not None and facts.get("num_classes") == len(names.class_names):
        name_answers(model, names)
    elif names is not None and facts.get("num_keypoints") in (len(names.point_names), 3 * len(names.point_names)):
        name_answers(model, names)  # three maps per point: UDP's combined codec


def _features(representation, maps, how, stack):
    if representation == "V1":
        return representations.v1(maps)
    if representation == "V2":
        return representations.v2(maps, how, name=MIXING_NAMES[None], stack=stack)
    return representations.v2p(maps, how, stack=stack)


def _mixes(task, head):
    return task != "cls" and head != "ocr"


def _task_features(representation, task, maps, how, stack, head):
    """What the task's head is built on: the four maps for the heads that aggregate them their own way."""
    if not _mixes(task, head):
        return maps
    if representation == "V1":
        return representations.v1(maps)
    return representations.v2(maps, how, name=MIXING_NAMES[task], stack=stack)


def _head(task, features, how, head, count, plain):
    module = part(task, "head")
    if task in ("landmark", "pose"):
        count = count or module.NUM_KEYPOINTS
        return module.build(features, count), {"task": task, "num_keypoints": count}
    count = count or module.NUM_CLASSES
    facts = {"task": task, "num_classes": count}
    if task == "cls":
        return module.build(features, count, how), facts
    if head == "ocr":
        from hrnet_keras.tasks.segmentation import ocr

        return ocr.build(features, count, how, plain=plain), facts
    return module.build(features, count), facts


def _model_name(representation, width, task, head):
    return "_".join(["hrnet" + representation.lower(), width.lower(), *filter(None, (task, head))])


def _one_of(name, value, expected):
    if value not in expected:
        raise ValueError(f"{name}={value!r}: expected one of {', '.join(map(repr, expected))}")


def _check_names(representation, width, task, lineage, head, framework, output_stride):
    _one_of("representation", representation, REPRESENTATIONS)
    _one_of("width", width, tuple(ARCHITECTURES))
    if task == "det" or framework is not None:
        raise ValueError(
            "task='det' is not in this version: HRNetV2p with task=None gives the pyramid that detectors stand on"
        )
    _one_of("task", task, tuple(TASKS))
    _one_of("lineage", lineage, tuple(LINEAGES))
    if representation not in TASKS[task]:
        raise ValueError(f"HRNet{representation} has no task={task!r}: that task exists for {', '.join(TASKS[task])}")
    _one_of(f"with task={task!r}, head", head, HEADS.get(task, (None,)))
    if head == "ocr" and representation != "V2":
        raise ValueError(f"head='ocr' needs all four maps: expected HRNetV2, given HRNet{representation}")
    _one_of("output_stride", output_stride, (1, 4) if task == "seg" else (1,))


def _check_counts(task, **counts):
    fitting = {"cls": "num_classes", "seg": "num_classes", "landmark": "num_keypoints", "pose": "num_keypoints"}
    for name, value in counts.items():
        if value is None:
            continue
        if name != fitting.get(task):
            raise ValueError(f"{name}={value!r} does not belong to task={task!r}")
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r}: expected a positive whole number")


def _unit(how):
    """What sizes must be multiples of: upsampling by whole factors meets the finer map only then."""
    return 32 if how.upsampling == "nearest" else 1


def _check_shape(input_shape, how, representation):
    shape = tuple(input_shape)
    if len(shape) != 3 or shape[2] != 3 or any(n is not None and (not isinstance(n, int) or n < 1) for n in shape):
        raise ValueError(f"input_shape={input_shape!r}: expected (height, width, 3) of positive whole numbers or None")
    unit = _unit(how)
    least = 64 if representation == "V2p" else unit
    for side, size in zip(("height", "width"), shape, strict=False):
        if size is not None and (size % unit or size < least):
            raise ValueError(
                f"input_shape={input_shape!r}: {side} {size}, expected a multiple of {unit}, at least {least}"
            )


def _named(representation, width):
    """One public builder: `hrnet` with the net filled in, under its own name, signature and docstring."""

    @functools.wraps(hrnet)
    def build(task=None, **options):
        return hrnet(representation, width, task, **options)

    signature = inspect.signature(hrnet)
    hidden = ("representation", "width", "plain")
    shown = [parameter for key, parameter in signature.parameters.items() if key not in hidden]
    build.__signature__ = signature.replace(parameters=shown)
    build.__name__ = build.__qualname__ = f"HRNet{representation}{width}"
    build.__doc__ = hrnet.__doc__.replace("Builds an HRNet as", f"Builds HRNet{representation}-{width} as", 1)
    del build.__wrapped__
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
