"""How published files name the tensors that our layers (named as in the official state dicts) hold.

How a program names the head of a task stands with the task (`Task.namings`); here is what all tasks have in common.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable

from hrnet_keras.architecture import LINEAGES
from hrnet_keras.tasks import PYRAMID, TASKS, Naming

TRUNK = (
    "conv1", "bn1", "conv2", "bn2", "layer1", "transition1", "transition2", "transition3", "stage2", "stage3", "stage4",
)  # fmt: skip
COUNTER = "num_batches_tracked"
# Every program's names, by what we call the program.
NAMINGS: dict[str, Naming] = {"official": Naming("official")}
for _task in TASKS.values():
    NAMINGS |= _task.namings


# What wrappers put into names, at any place (DataParallel, torch.compile, sharding): no net has a part of that name.
_TRANSPARENT = frozenset({
    "module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module",
})  # fmt: skip
_HRNET = re.compile(r"(?:^|(?<=\.))(?:stage[234]\.\d+\.(?:branches|fuse_layers)|transition[123]\.\d+)\.")
_BACKBONES = ("backbone.body.", "backbone.")  # what frameworks put before the trunk, with the head outside


def identify(names: Iterable[str]) -> tuple[str, str | None]:
    """Tells whose names these are and for which task.

    A trunk alone is `"official"` or `"mmdet"`. Where two programs name their nets alike, these are the official ones,
    unless the step counters that only one of them writes are missing.

    Returns:
        A key of `NAMINGS`, and the name of a task, or `None` for a trunk alone.

    Raises:
        ValueError: no HRNet's names, or those of two programs.
    """
    names = set(names)
    program = _program_of(names)
    task = _task_of(names)
    if program != "official" or task not in TASKS or any(name.endswith(COUNTER) for name in names):
        return program, task
    for key, naming in TASKS[task].namings.items():
        if not naming.marks and not naming.counters:
            return key, task
    return program, task


def _program_of(names: Collection[str]) -> str:
    programs = ["official"] if any(map(is_trunk, names)) else []
    programs += [key for key, naming in NAMINGS.items() if _any_begins(names, naming.marks)]
    replaced = {NAMINGS[key].instead_of for key in programs}
    # Marks of a naming that stands in for another may be those of a third one, too: then it is that third one.
    programs = [key for key in programs if NAMINGS[key].instead_of in ("", *programs) and key not in replaced]
    if len(programs) > 1:
        raise ValueError(f"the names fit {' and '.join(map(repr, programs))}: expected those of one program")
    if programs:
        return programs[0]
    if _any_begins(names, ("backbone.conv1.",)):
        return "mmdet"
    some = ", ".join(sorted(names)[:4])
    raise ValueError(f"none of the {len(names)} tensors is named as in an HRNet: found {some or 'nothing'}")


def _task_of(names: Collection[str]) -> str | None:
    for task in (TASKS[PYRAMID], *TASKS.values()):
        if _any_begins(names, task.marks):
            return task.name
    return None


def _any_begins(names: Iterable[str], beginnings: tuple[str, ...]) -> bool:
    return any(name.startswith(beginnings) for name in names)


def check_lineage_name(lineage: str) -> None:
    """Raises `ValueError` where there is no such lineage."""
    if lineage not in LINEAGES:
        raise ValueError(f"lineage={lineage!r}: expected one of {', '.join(map(repr, LINEAGES))}")


def naming_for(lineage: str, task: str | None, variant: str | None = None) -> str:
    """The key of `NAMINGS` under which a lineage writes a task's nets.

    Args:
        lineage: a key of `LINEAGES`.
        task: `None` for what has no head.
        variant: of the head.
    """
    own = TASKS[task].namings if task in TASKS else {}
    fitting = {key: naming for key, naming in (own | NAMINGS).items() if naming.lineage == lineage}
    for key, naming in fitting.items():
        if variant in naming.variants:
            return key
    return next(key for key, naming in fitting.items() if not naming.variants)


def to_torch_name(layer_name: str, program: str) -> str:
    """Turns the name of one of our layers into the beginning of its tensors' names under a key of `NAMINGS`."""
    naming = NAMINGS[program]
    if layer_name in naming.parts:
        return naming.parts[layer_name]
    if is_trunk(layer_name):
        return naming.trunk + layer_name
    return layer_name


def is_trunk(name: str) -> bool:
    """Whether a layer's or tensor's name, in our own naming, belongs to the trunk."""
    return name.split(".")[0] in TRUNK


def without_wrappers(name: str) -> str:
    """A tensor's name without what wrappers put into it at any place, such as `module.` and `_orig_mod.`."""
    return ".".join(word for word in name.split(".") if word not in _TRANSPARENT)


def nets_in(names: Collection[str]) -> list[str]:
    """Finds the HRNets among names without wrappers: the beginnings of their names (`""`, `"model."`, ...).

    A framework's `backbone.` belongs to the names of its nets, not to what stands before them.
    """
    matches = [_HRNET.search(name) for name in names]
    prefixes = dict.fromkeys(match.string[: match.start()] for match in matches if match)
    return [_without_backbone(prefix, names) for prefix in prefixes]


def prefix_of(names: Collection[str]) -> str:
    """What stands before the names of a single net, of which perhaps only a few are there; `""` where there is none."""
    nets = nets_in(names)
    if nets:
        return nets[0]
    prefixes: Counter[str] = Counter()
    for name in names:
        words = name.split(".")
        for i, word in enumerate(words):
            if word in TRUNK:
                prefixes["".join(f"{before}." for before in words[:i])] += 1
                break
    if not prefixes:
        return ""
    ((commonest, _),) = prefixes.most_common(1)
    return _without_backbone(commonest, names)


def _without_backbone(prefix: str, names: Iterable[str]) -> str:
    """The prefix of a net, from that of its trunk: a net of its own inside of `backbone.` has its head there too."""
    backbone = next((word for word in _BACKBONES if f".{prefix}".endswith(f".{word}")), None)
    if backbone is None:
        return prefix
    heads = tuple(prefix + layer for task in TASKS.values() for layer in task.head_layers)
    if _any_begins(names, heads):
        return prefix
    return prefix.removesuffix(backbone)
