"""What a task is: everything that the verbs, the builders and the readers of checkpoints need to know of one."""

import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hrnet_keras.architecture import Conventions


@dataclass(frozen=True)
class HeadSpec:
    """What a head is to be.

    Attributes:
        representation: which of the trunk's maps it stands on: `"V1"`, `"V2"` or `"V2p"`.
        variant: of the head, one of the task's `variants`.
        count: of classes or points.
        conventions: of the lineage.
        output_stride: pixels of the input per output, where the task leaves a choice.
        reference_form: mixes the branches over their concatenation, as the references do: the same function, more work.
        lineage: whose conventions it follows beyond those of the graph.
        include_preprocessing: whether the net's input is RGB 0..255.
    """

    representation: str
    variant: str | None
    count: int
    conventions: Conventions
    output_stride: int = 1
    reference_form: bool = False
    lineage: str = "official"
    include_preprocessing: bool = True


@dataclass(frozen=True)
class Naming:
    """How one program names the tensors of its nets.

    Attributes:
        lineage: whose conventions its nets follow.
        variants: of the head that it alone names so; none: all others.
        without_biases: beginnings of the names of layers whose biases its nets lack; ours are 0 then.
        trunk: what stands before the trunk's names.
        parts: our layer -> theirs, for what is not trunk and not named alike.
        marks: beginnings of names; a file with one of them is of this naming. Without any: the names are the official
            ones.
        counters: whether it writes `num_batches_tracked`.
        instead_of: another naming, for which its names would be taken without its own marks.
    """

    lineage: str
    trunk: str = ""
    parts: dict[str, str] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    counters: bool = True
    instead_of: str = ""
    variants: tuple[str, ...] = ()
    without_biases: tuple[str, ...] = ()


@dataclass(frozen=True)
class DemoConfig:
    """What `hrnet-keras demo` does with a task.

    Attributes:
        goal: what is learnt, in words.
        recipe: of toytown, by its name among those of the package.
        prompts: words of an example that say where to look.
        drawing: options of the task's `drawing.draw`.
    """

    goal: str
    recipe: str
    prompts: tuple[str, ...] = ()
    drawing: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One question asked of a picture; each folder of `hrnet_keras.tasks` states its own as `TASK`.

    What is light stands here as a value; what needs TensorFlow or an evaluator is imported when it is asked for
    (`module`), so that building a net costs no more than Keras.

    Attributes:
        name: as users write it (`task="seg"`).
        folder: of `hrnet_keras.tasks`.
        representations: that it can be built on, the paper's first.
        conventions: `{lineage: Conventions}`, the default lineage first.
        variant_conventions: `{variant of the head: {lineage: Conventions}}` where nets of that head have others.
        counts: what the last layer counts: `"num_classes"` or `"num_keypoints"`.
        default_count: where nobody says how many.
        output: name of the layer of raw outputs.
        last_layers: `{variant of the head: names of the layers that depend on the count}`; the usual one is `None`.
        marks: beginnings of tensors' names by which a checkpoint shows that it is for this task.
        augment: dataclass of what a recipe's section `augment` may say, with `check()` and `export_metadata()`.
        loss: dataclass of what its section `loss` may say, with `check()`; the first key is `name`.
        head_layers: beginnings of the names of its head's layers, as the official programs have them.
        variant_of: tells from the names of a checkpoint's tensors which variant of the head it has.
        namings: `{program: Naming}` of the programs that name its tensors otherwise than the official ones, or mean
            others by them.
        extra_outputs: of a last layer (its name), beyond the count: the background of some detectors.
        columns: outputs of a last layer (its name) that belong to classes or points `places`, for a net of a lineage.
        one_order: whether the last layers of all lineages have their outputs in the same order.
        notes_of: what is to be said of the tensors of a checkpoint of a lineage: sentences.
        variant_word: the builders' argument that names the variant: `"head"`, or `"framework"`; the first variant is
            the default.
        has_own_model: whether its models are of a class of their own, `model.Detector`, which `compile` and `fit` train
            without a loss of Keras's.
        marks_padding: whether pixels below 0 are padding, which the net is to know of.
        output_strides: that a model can be built with, the default first.
        may_align_corners: whether nets with aligned corners exist.
        starts_others: whether its weights start nets of other tasks, as ImageNet's do.
        starts_from_any: whether its nets may start from the trunk of any other task.
        variants_alike: whether published weights of all variants answer to the name of their data set, as their nets
            differ in biases alone.
        input_keys: words of an example that its predictor is told beside the picture.
        boxes_of: class of the objects whose boxes it is told, so that a detector can find them; `None`: of none.
        saved_as: ending of the file that a result is saved as (`".png"`, `".json"`), `None` where there is none.
        predict_options: fields of `tasks.processing.PredictOptions` that it has beside `scores` and `protocol`.
        may_lack_classes: whether a data set of some of a model's classes can be scored.
        scored_with: `{data set, as published weights name it: what opens it for this task}` where these differ.
        published_unit: what its published figures are to be multiplied by to be those of its metric.
        demo: what `hrnet-keras demo` does with it, `None` where it has none.
        nothing_found: said of a picture in which things were looked for in vain.
    """

    name: str
    folder: str
    representations: tuple[str, ...]
    conventions: dict[str, Conventions]
    counts: str
    default_count: int
    output: str
    last_layers: dict[str | None, tuple[str, ...]]
    marks: tuple[str, ...]
    augment: type
    loss: type
    head_layers: tuple[str, ...]
    variant_conventions: dict[str | None, dict[str, Conventions]] = field(default_factory=dict)
    variant_of: Callable[[Collection[str]], str | None] = lambda names: None
    namings: dict[str, Naming] = field(default_factory=dict)
    extra_outputs: Callable[[str], int] = lambda layer: 0
    columns: Callable[[str, Sequence[int], str], list[int]] = lambda layer, places, lineage: list(places)
    one_order: bool = True
    notes_of: Callable[[Mapping[str, Any], str], Sequence[str]] = lambda tensors, lineage: ()
    variant_word: str = "head"
    has_own_model: bool = False
    marks_padding: bool = False
    output_strides: tuple[int, ...] = (1,)
    may_align_corners: bool = False
    starts_others: bool = False
    starts_from_any: bool = False
    variants_alike: bool = False
    input_keys: tuple[str, ...] = ()
    boxes_of: str | None = None
    saved_as: str | None = None
    predict_options: tuple[str, ...] = ()
    may_lack_classes: bool = False
    scored_with: Mapping[str, str] = field(default_factory=dict)
    published_unit: float = 1.0
    demo: DemoConfig | None = None
    nothing_found: str | None = None

    @property
    def variants(self) -> tuple[str | None, ...]:
        """The heads it can have, as `variant_word` of the builders takes them; `None` is the paper's."""
        return tuple(self.last_layers)

    def default_lineage(self, variant: str | None = None) -> str:
        """Whose nets of a variant of the head are built where nobody says; `None`: of the usual one."""
        return next(iter(self.variant_conventions.get(variant, self.conventions)))

    @property
    def is_of_points(self) -> bool:
        """Whether it answers points and not classes."""
        return self.counts == "num_keypoints"

    @property
    def names(self) -> str:
        """The field of a `DatasetInfo` or `ModelInfo` that names what is counted."""
        return "point_names" if self.is_of_points else "class_names"

    def module(self, name: str) -> Any:
        """Imports `hrnet_keras.tasks.<folder>.<name>`; the table of these files stands in `hrnet_keras.tasks`."""
        return importlib.import_module(f"hrnet_keras.tasks.{self.folder}.{name}")

    def conventions_of(
        self, lineage: str, variant: str | None = None, *, align_corners: bool | None = None
    ) -> Conventions:
        """What the nets of a lineage expect of the graph around their tensors.

        Args:
            lineage: a key of `conventions`.
            variant: of the head.
            align_corners: whether the net was trained with aligned corners; `None` is the lineage's own answer.

        Raises:
            ValueError: the lineage has no such nets, or `align_corners` is given for a task without such nets.
        """
        of_variant = self.variant_conventions.get(variant, self.conventions)
        if lineage not in of_variant:
            known = ", ".join(map(repr, of_variant))
            nets = f"task={self.name!r}"
            if of_variant is not self.conventions:
                nets += f", {self.variant_word}={variant!r}"
            raise ValueError(f"lineage={lineage!r} has no nets for {nets}: expected one of {known}")
        if align_corners is not None and not self.may_align_corners:
            raise ValueError(f"align_corners={align_corners!r}: nets for task={self.name!r} have no such choice")
        conventions = of_variant[lineage]
        if align_corners is None:
            return conventions
        # Nets with aligned corners come from the OCR branch, which has PyTorch's usual momentum.
        momentum = 0.9 if align_corners else conventions.momentum
        return replace(conventions, align_corners=align_corners, momentum=momentum)

    def model_class(self) -> type:
        """Of its models: `keras.Model`, or its own."""
        import keras

        if self.has_own_model:
            return self.module("model").Detector
        return keras.Model

    def build(self, images: Any, maps: list, spec: HeadSpec) -> Any:
        """Builds the head.

        Args:
            images: the net's input, for outputs of its size.
            maps: the trunk's four maps.
            spec: what it is to be.

        Returns:
            The raw outputs: a tensor, or a dict of them.

        Raises:
            ValueError: a variant that the representation does not carry.
        """
        return self.module("head").build(images, maps, spec)
