"""What an experiment says: dataclasses read from YAML, strict about unknown keys and wrong types."""

import os
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hrnet_keras.recipe.keys import flat, read_file, read_words, set_values


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
    """

    name: str
    task: str = "seg"
    weights: str | None = None
    num_classes: int | None = None
    num_keypoints: int | None = None
    lineage: str | None = None
    align_corners: bool | None = None
    head: str | None = None


@dataclass(frozen=True)
class DataRecipe:
    """The pictures and what happens to them.

    Args:
        name: of the data set.
        root: folder of its files.
        train: split to train on.
        evaluate: split to evaluate on.
        options: further arguments of the data set.
        crop: height and width of the training crops; for points, of the model's input.
        scale: lowest and highest random scale; null for none.
        scale_step: steps between the scales (0.1 in the official recipes); null for any.
        base_size: long side of a picture at scale 1; null for its own.
        flip: probability of a horizontal flip.
        brightness: largest change of brightness, in grey levels.
        contrast: largest relative change of contrast.
        saturation: largest relative change of saturation.
        convention: for points: whose crops, targets and random changes: `official` or `mmlab`.
        codec: for points: how heat maps encode them: `official`, `msra`, `dark` or `udp`; null:
            `official` with the official convention, else `msra`.
        sigma: for points: of the targets, in pixels of the heat maps; null: 1.5 for faces, 2 for persons.
        scaling: for points: largest relative change of a crop's size; null: that of the convention.
        rotation: for points: degrees of the turns, as the convention draw them; null: that of the convention.
        half_body: for poses: how often a person is shown by halves; null: that of the convention.
        shift: for poses, mmlab: how often a crop is moved; null: that of the convention.
        unreadable: what to do about a picture or label map that can't be used: raise, or skip (and count).
        cache: keep decoded pictures in memory; null decides by size.
    """

    name: str
    root: str | None = None
    train: str = "train"
    evaluate: str = "val"
    options: dict[str, Any] = field(default_factory=dict)
    crop: tuple[int, int] = field(default=(512, 1024), metadata={"parts": "height, width"})
    scale: tuple[float, float] | None = field(default=(0.5, 2.1), metadata={"parts": "lowest, highest"})
    scale_step: float | None = 0.1
    base_size: int | None = None
    flip: float = 0.5
    brightness: int = 0
    contrast: float = 0.0
    saturation: float = 0.0
    convention: Literal["official", "mmlab"] = "official"
    codec: Literal["official", "msra", "dark", "udp"] | None = None
    sigma: float | None = None
    scaling: float | None = None
    rotation: float | None = None
    half_body: float | None = None
    shift: float | None = None
    unreadable: Literal["raise", "skip"] = "raise"
    cache: bool | None = None


@dataclass(frozen=True)
class TrainRecipe:
    """The optimisation.

    Args:
        epochs: passes over the training split.
        batch: pictures per step, over all replicas.
        learning_rate: at the start.
        schedule: `poly` (to 0 with power 0.9), `steps` (a tenth after each of `milestones`) or `constant`.
        milestones: epochs after which `steps` lowers the rate.
        warmup_epochs: over which the rate first rises.
        warmup_steps: the same in steps, instead.
        optimizer: `sgd` or `adam` (both with PyTorch's conventions; `adam` without weight decay), or `adamw`.
        momentum: of SGD.
        nesterov: whether SGD looks ahead.
        weight_decay: on every weight.
        rate_factors: beginnings of layer names whose learning rate is so many times the others' (SGD).
        loss: for segmentation `cross_entropy`, `ohem` (hard pixels), `dice` or `lovasz`; for points `mse`,
            `weighted_mse`, `adaptive_wing` or `ohkm` (hard points); null: the first of its task (poses: the second).
        ohem_threshold: probability of the true class below which a pixel is hard.
        ohem_min_kept: about so many pixels are kept at least.
        auxiliary_weight: of the loss of the OCR nets' auxiliary head.
        class_weights: use the data set's weights per class in the loss.
        batch_norm: `batch` statistics; `frozen`: the batch norms stay as they are; `group`: every picture by itself
            over groups of channels (GroupNormalization in their place). The last two are for batches of a few pictures.
        precise_batch_norm: measure the running statistics anew over training batches before every score while steps are
            few (fewer than `10 / (1 - momentum)` of the batch norms).
        precision: of the computation; weights stay float32.
        seed: of everything random.
        evaluate_every: epochs between evaluations.
    """

    epochs: int = 484
    batch: int = 12
    learning_rate: float = 0.01
    schedule: Literal["poly", "steps", "constant"] = "poly"
    milestones: list[int] = field(default_factory=list)
    warmup_epochs: float = 0.0
    warmup_steps: int = 0
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0005
    rate_factors: dict[str, float] = field(default_factory=dict)
    loss: Literal["cross_entropy", "ohem", "dice", "lovasz", "mse", "weighted_mse", "adaptive_wing", "ohkm"] | None = (
        None
    )
    ohem_threshold: float = 0.9
    ohem_min_kept: int = 131072
    auxiliary_weight: float = 0.4
    class_weights: bool = True
    batch_norm: Literal["batch", "frozen", "group"] = "batch"
    precise_batch_norm: bool = True
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: int = 0
    evaluate_every: int = 1


@dataclass(frozen=True)
class Recipe:
    """One experiment.

    Args:
        model: the net.
        data: the pictures.
        train: the optimisation.
        output: folder of checkpoints, logs and scores; default `runs/<name of the recipe file>`.
    """

    model: ModelRecipe
    data: DataRecipe
    train: TrainRecipe = field(default_factory=TrainRecipe)
    output: str | None = None

    @classmethod
    def load(cls, path, **overrides):
        """Reads a recipe.

        Args:
            path: of a YAML file, name of a recipe that comes with the package (`seg/camvid_hrnetv2_w18_small_v1`), or a
                `Recipe`.
            overrides: values that replace the file's; keys are dotted (`{"train.epochs": 3}`) or sections.

        Raises:
            ValueError: unreadable, unknown key, wrong type, or a value out of range; names file and key.
        """
        if isinstance(path, cls):
            values, origin = flat(cls, asdict(path)), path.output or "recipe"
        else:
            values, origin = read_file(cls, path), os.fspath(path)
        return cls._of(values | flat(cls, overrides), origin)

    @classmethod
    def parse(cls, words, *, origin="recipe"):
        """Makes a recipe from command-line words: `--recipe FILE` and `--section.key VALUE`.

        Raises:
            ValueError: as `load`; a word that is no option.
        """
        return cls._of(read_words(cls, words), origin)

    @classmethod
    def _of(cls, values, origin):
        try:
            recipe = set_values(cls, values)
        except ValueError as error:
            raise ValueError(f"recipe {origin}: {error}") from None
        if recipe.output is None:
            name = os.path.splitext(os.path.basename(origin))[0]
            recipe = cls(recipe.model, recipe.data, recipe.train, os.path.join("runs", name))
        recipe.check(origin)
        return recipe

    def check(self, origin="recipe"):
        """Raises `ValueError` where a number is out of its range."""
        train, data = self.train, self.data
        for key, value in {
            "train.epochs": train.epochs, "train.batch": train.batch, "train.learning_rate": train.learning_rate,
            "train.evaluate_every": train.evaluate_every, "data.crop": min(data.crop), "data.base_size": data.base_size,
            "data.scale": data.scale and min(data.scale), "data.scale_step": data.scale_step, "data.sigma": data.sigma,
            "train.milestones": min(train.milestones, default=None),
        }.items():  # fmt: skip
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"recipe {origin}: {key}: expected a number above 0, given {value}")
        for key, value in {
            "train.weight_decay": train.weight_decay, "train.warmup_epochs": train.warmup_epochs,
            "train.warmup_steps": train.warmup_steps, "train.auxiliary_weight": train.auxiliary_weight,
            "train.ohem_min_kept": train.ohem_min_kept, "train.seed": train.seed, "data.brightness": data.brightness,
            "data.contrast": data.contrast, "data.saturation": data.saturation, "data.scaling": data.scaling,
            "data.rotation": data.rotation,
        }.items():  # fmt: skip
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(f"recipe {origin}: {key}: expected 0 or more, given {value}")
        for key, value in {
            "data.flip": data.flip, "data.half_body": data.half_body, "data.shift": data.shift,
            "train.ohem_threshold": train.ohem_threshold,
        }.items():  # fmt: skip
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"recipe {origin}: {key}: expected a probability, given {value}")
        if not 0 <= train.momentum < 1:
            raise ValueError(f"recipe {origin}: train.momentum: expected 0 up to 1, given {train.momentum}")
        if data.scale is not None and data.scale[0] > data.scale[1]:
            raise ValueError(f"recipe {origin}: data.scale: expected lowest before highest, given {list(data.scale)}")
