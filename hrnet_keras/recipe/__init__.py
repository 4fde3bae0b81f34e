"""What an experiment says: dataclasses read from YAML, strict about unknown keys and wrong types."""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

from hrnet_keras.ranges import above_zero, zero_or_more
from hrnet_keras.recipe.keys import flatten, read_file, read_words, set_values, translated
from hrnet_keras.recipe.renamed import warn_of_old_keys
from hrnet_keras.tasks import DEFAULT_TASK, task_named


@dataclass(frozen=True)
class ModelRecipe:
    """The net.

    Args:
        name: a public builder, such as `HRNetV2W48`.
        task: what it is trained for.
        weights: where it starts from, as in the builder.
        num_classes: default: that of the data set.
        num_keypoints: default: that of the data set.
        lineage: as in the builder.
        align_corners: as in the builder.
        head: as in the builder.
        framework: as in the builder.
    """

    name: str
    task: str = DEFAULT_TASK
    weights: str | None = None
    num_classes: int | None = None
    num_keypoints: int | None = None
    lineage: str | None = None
    align_corners: bool | None = None
    head: str | None = None
    framework: str | None = None

    def check(self) -> None:
        """The builder knows what it can build."""


@dataclass(frozen=True)
class DataRecipe:
    """The pictures.

    Args:
        name: of the data set.
        root: folder of its files.
        train: split to train on.
        evaluate: split to evaluate on.
        options: further arguments of the data set.
        unreadable: what to do about a picture or label map that can't be used: raise, or skip (and count).
        cache: keep decoded pictures in memory; null decides by size.
    """

    name: str
    root: str | None = None
    train: str = "train"
    evaluate: str = "val"
    options: dict[str, Any] = field(default_factory=dict)
    unreadable: Literal["raise", "skip"] = "raise"
    cache: bool | None = None

    def check(self) -> None:
        """The data set knows what it can read."""


@dataclass(frozen=True)
class OptimizerRecipe:
    """The steps along the gradient.

    Args:
        name: `sgd` or `adam` (both with PyTorch's conventions; `adam` without weight decay), or `adamw`.
        learning_rate: at the start.
        momentum: of SGD.
        nesterov: whether SGD looks ahead.
        weight_decay: on every weight.
        rate_factors: beginnings of layer names whose learning rate is so many times the others' (SGD).
        bias_rate: how many times as fast biases learn (SGD); offsets of norms are none.
        bias_decay: how many times the weight decay is that of biases (SGD).
        clip_norm: longest gradient, all weights' together; null: any.
    """

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0005
    rate_factors: dict[str, float] = field(default_factory=dict)
    bias_rate: float = 1.0
    bias_decay: float = 1.0
    clip_norm: float | None = None

    def check(self) -> None:
        """Raises `ValueError` where a number is out of its range."""
        above_zero(learning_rate=self.learning_rate, clip_norm=self.clip_norm, bias_rate=self.bias_rate)
        zero_or_more(weight_decay=self.weight_decay, bias_decay=self.bias_decay)
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum: expected 0 up to 1, given {self.momentum}")


@dataclass(frozen=True)
class ScheduleRecipe:
    """The learning rate over time.

    Args:
        name: `poly` (to 0 with power 0.9), `steps` (a tenth after each of `milestones`) or `constant`.
        milestones: epochs after which `steps` lowers the rate.
        warmup_epochs: over which the rate first rises.
        warmup_steps: the same in steps, instead.
        warmup_start: part of the rate that `steps` rises from.
        warmup: whether the rate rises in a line over these steps or is constant until their end (`steps`).
    """

    name: Literal["poly", "steps", "constant"] = "poly"
    milestones: list[int] = field(default_factory=list)
    warmup_epochs: float = 0.0
    warmup_steps: int = 0
    warmup_start: float = 0.001
    warmup: Literal["linear", "constant"] = "linear"

    def check(self) -> None:
        """Raises `ValueError` where a number is out of its range."""
        above_zero(milestones=min(self.milestones, default=None))
        zero_or_more(
            warmup_epochs=self.warmup_epochs, warmup_steps=self.warmup_steps, warmup_start=self.warmup_start
        )  # fmt: skip


@dataclass(frozen=True)
class TrainRecipe:
    """The run.

    Args:
        epochs: passes over the training split.
        batch: pictures per step, over all replicas.
        batch_norm: `batch` statistics; `running`: those that the weights bring, while scales and offsets learn (as
            detectors are trained from published trunks); `frozen`: the batch norms stay as they are; `group`: every
            picture by itself over groups of channels (GroupNormalization in their place). The last three are for
            batches of a few pictures.
        precise_batch_norm: measure the running statistics anew over training batches before every score while steps are
            few (fewer than `10 / (1 - momentum)` of the batch norms).
        precision: of the computation; weights stay float32.
        seed: of everything random.
        evaluate_every: epochs between evaluations.
    """

    epochs: int = 484
    batch: int = 12
    batch_norm: Literal["batch", "running", "frozen", "group"] = "batch"
    precise_batch_norm: bool = True
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: int = 0
    evaluate_every: int = 1

    def check(self) -> None:
        """Raises `ValueError` where a number is out of its range."""
        above_zero(epochs=self.epochs, batch=self.batch, evaluate_every=self.evaluate_every)
        zero_or_more(seed=self.seed)


@dataclass(frozen=True)
class Recipe:
    """One experiment.

    Args:
        model: the net.
        data: the pictures.
        augment: what happens to them on the way to the net, as the task has it; null: the task's defaults.
        loss: what is minimised, as the task has it; null: the task's defaults.
        optimizer: the steps along the gradient.
        schedule: the learning rate over time.
        train: the run.
        output: folder of checkpoints, logs and scores; default `runs/<name of the recipe file>`.

    Raises:
        ValueError: there is no such task.
    """

    model: ModelRecipe
    data: DataRecipe
    augment: Any = field(default=None, metadata={"of_task": True})
    loss: Any = field(default=None, metadata={"of_task": True})
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    schedule: ScheduleRecipe = field(default_factory=ScheduleRecipe)
    train: TrainRecipe = field(default_factory=TrainRecipe)
    output: str | None = None

    def __post_init__(self) -> None:
        task = task_named(self.model.task)
        for section in ("augment", "loss"):
            if getattr(self, section) is None:
                object.__setattr__(self, section, getattr(task, section)())

    @classmethod
    def load(cls, path: "str | os.PathLike[str] | Recipe", **overrides: Any) -> "Recipe":
        """Reads a recipe.

        Args:
            path: of a YAML file, name of a recipe that comes with the package (`seg/camvid_hrnetv2_w18_small_v1`), or a
                `Recipe`.
            overrides: values that replace the file's; keys are dotted (`{"train.epochs": 3}`) or sections.

        Raises:
            ValueError: unreadable, unknown key, wrong type, or a value out of range; names file and key.
        """
        if isinstance(path, Recipe):
            origin = path.output or "recipe"
            said = asdict(path)
        else:
            origin = os.fspath(path)
            said = read_file(cls, path)
        try:
            return cls._of([said, overrides], origin)
        except ValueError as error:
            raise ValueError(f"recipe {origin}: {error}") from None

    @classmethod
    def parse(cls, words: Iterable[str], *, origin: str = "recipe") -> "Recipe":
        """Makes a recipe from command-line words: `--recipe FILE` and `--section.key VALUE`.

        Raises:
            ValueError: as `load`; a word that is no option.
        """
        said, options = read_words(cls, words)
        try:
            return cls._of([said, options], origin)
        except ValueError as error:
            raise ValueError(f"recipe {origin}: {error}") from None

    @classmethod
    def of_run(cls, said: dict[str, Any]) -> "Recipe":
        """The recipe that a run was started with, from its state or `recipe.json` of this or an earlier version.

        Raises:
            ValueError: it says what no version of this package has written.
        """
        return cls._of([said], "recipe", of_run=True)

    @classmethod
    def _of(cls, sources: list[dict[str, Any]], origin: str, *, of_run: bool = False) -> Self:
        """The recipe of some sources, the later of which replace values of the earlier ones."""
        flat = [flatten(cls, source) for source in sources]
        task = DEFAULT_TASK
        for source in flat:
            task = source.get("model.task", task)
        values: dict[str, Any] = {}
        old_keys: dict[str, str] = {}
        for source in flat:
            renamed, of_source = translated(cls, source, task_named(task), of_run=of_run)
            values |= renamed
            old_keys |= of_source
        recipe = set_values(cls, values, task_named(task))
        if recipe.output is None:
            name = os.path.splitext(os.path.basename(origin))[0]
            recipe = replace(recipe, output=os.path.join("runs", name))
        recipe._check()
        if not of_run:
            warn_of_old_keys(old_keys)
        return recipe

    def check(self, origin: str = "recipe") -> None:
        """Raises `ValueError` where a number is out of its range; `origin` is said in its message."""
        try:
            self._check()
        except ValueError as error:
            raise ValueError(f"recipe {origin}: {error}") from None

    def _check(self) -> None:
        for name, section in vars(self).items():
            if name == "output":
                continue
            try:
                section.check()
            except ValueError as error:
                raise ValueError(f"{name}.{error}") from None
