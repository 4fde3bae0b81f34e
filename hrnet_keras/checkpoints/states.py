"""Which of a file's tensors are the net: people save it under many keys, inside many wrappers and beside much else."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hrnet_keras.checkpoints.lineages import nets_in, prefix_of, without_wrappers
from hrnet_keras.checkpoints.pickled import CheckpointError

DEPTH = 8  # of dicts inside dicts; five occur
# Keys under which programs keep the weights that they answer with; others (teacher, discriminator) are further nets.
MAIN = frozenset({
    "", "state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params", "module",
})  # fmt: skip
_AVERAGED = frozenset({"ema", "average", "averaged", "swa"})


@dataclass(frozen=True, eq=False)
class Place:
    """Tensors that stand together in a file.

    Attributes:
        keys: those that lead to them, from the outside to the inside.
        tensors: `{name in the file: tensor}`.
        metadata: what PyTorch noted beside them, or `None`.
    """

    keys: tuple[str, ...]
    tensors: dict[str, Any]
    metadata: Any = None

    def names(self) -> list[str]:
        """The tensors' names without what wrappers put into them."""
        return [without_wrappers(name) for name in self.tensors]


@dataclass(frozen=True, eq=False)
class Net:
    """One net in a file.

    Attributes:
        place: where its tensors are.
        prefix: of its names, without what wrappers put into them.
        others: the keys of other nets in the file, where none was asked for.
    """

    place: Place
    prefix: str = ""
    others: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What people call it: the keys and the prefix with dots between (`"state_dict.student"`)."""
        return ".".join((*self.place.keys, *filter(None, self.prefix.split("."))))

    def members(self) -> dict[str, Any]:
        """`{name: tensor}` of its own tensors, as the program of the net names them."""
        tensors = zip(self.place.names(), self.place.tensors.values(), strict=True)
        return {name.removeprefix(self.prefix): tensor for name, tensor in tensors if name.startswith(self.prefix)}


class State(dict[str, Any]):
    """A net's tensors by name, with those that stand beside it, and what the file says of them.

    Attributes:
        key: where in the file it was; `""` where nothing is around it.
        others: the keys of other nets in the file, where none was asked for.
        beside: names that are no part of the net, such as loss buffers.
        versions: version numbers that PyTorch noted of its modules.
        says: what a file of this package says of the net: `lineage`, `align_corners`.
    """

    def __init__(
        self, tensors: Mapping[str, Any] | None = None, *, key: str = "", others: Iterable[str] = (),
        beside: Iterable[str] = (), versions: Iterable[int] = (), says: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(tensors or {})
        self.key = key
        self.others = tuple(others)
        self.beside = frozenset(beside)
        self.versions = frozenset(versions)
        self.says = says or {}


def places_in(content: Any, is_tensor: Callable[[Any], bool]) -> list[Place]:
    """Lists the `Place`s of a file's content (dicts, lists and tuples inside each other), the outer ones first.

    What belongs to an optimizer is left out.
    """
    places: list[Place] = []
    seen: set[int] = set()
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), content)])
    while waiting:
        keys, container = waiting.popleft()
        # An optimizer's moments have the shapes of weights, and are none.
        of_optimizer = bool(keys) and keys[-1].startswith("optim")
        if id(container) in seen or len(keys) > DEPTH or of_optimizer:
            continue
        seen.add(id(container))
        tensors = {}
        for key, item in _items(container):
            if is_tensor(item) and isinstance(key, str):
                tensors[key] = item
            elif isinstance(item, (Mapping, list, tuple)):
                waiting.append(((*keys, str(key)), item))
        if tensors:
            places.append(Place(keys, tensors, getattr(container, "metadata", None)))
    return places


def _items(container: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(container, Mapping):
        return container.items()
    return enumerate(container)


def choose(places: list[Place], wanted: str | None = None) -> Net:
    """Chooses the net among a file's tensors.

    Plain weights go before averaged ones, and the keys under which programs keep their net before others.

    Args:
        places: those of `places_in`.
        wanted: `Net.key` of the one to take, or a part of it (`"student"` for `"state_dict.student"`).

    Returns:
        The `Net`; where there is no HRNet, the largest place.

    Raises:
        CheckpointError: no tensors, no net of that key, or several and nothing that tells which; all are listed.
    """
    if not places:
        raise CheckpointError("no tensors")
    if wanted is not None:
        return _most_likely(_asked_for(places, wanted))
    nets = _hrnets(places)
    if not nets:
        largest = max(places, key=lambda place: len(place.tensors))
        return Net(largest, prefix_of(largest.names()))
    chosen = _most_likely(nets)
    others = tuple(net.key for net in nets if net is not chosen)
    return Net(chosen.place, chosen.prefix, others)


def _hrnets(places: list[Place]) -> list[Net]:
    """The HRNets, without those that are the same tensors again under another key."""
    nets = [Net(place, prefix) for place in places for prefix in nets_in(place.names())]
    distinct: list[Net] = []
    seen = set()
    for net in sorted(nets, key=_rank_key):  # so the plainest key stays
        tensors = net.members()
        same = frozenset((name, getattr(tensor, "place", id(tensor))) for name, tensor in tensors.items())
        if same not in seen:
            distinct.append(net)
        seen.add(same)
    return [net for net in nets if net in distinct]


def _asked_for(places: list[Place], wanted: str) -> list[Net]:
    nets = _hrnets(places)
    if not nets:
        nets = [Net(place, prefix_of(place.names())) for place in places]
    exact = [net for net in nets if net.key == wanted]
    if exact:
        return exact
    fitting = [net for net in nets if wanted and f".{wanted}." in f".{net.key}."]
    if not fitting:
        raise CheckpointError(f"state={wanted!r}: nothing there of that name: expected {_listed(nets)}")
    return fitting


def _most_likely(nets: list[Net]) -> Net:
    best = min(map(_rank_key, nets))
    leading = [net for net in nets if _rank_key(net) == best]
    if len(leading) > 1:
        first = leading[0].key
        raise CheckpointError(
            f"it holds {len(leading)} nets: {_listed(leading)}: choose one: state={first!r} of load_torch_weights or "
            f"convert, --state {first} of hrnet-keras convert"
        )
    return leading[0]


def state_of(net: Net, arrays: Mapping[str, Any], says: dict[str, Any] | None = None) -> State:
    """The `State` of a net from the arrays of its place, by their names in the file.

    Raises:
        CheckpointError: two names that are the same but for their wrappers.
    """
    tensors: dict[str, Any] = {}
    beside = set()
    for name_in_file, array in arrays.items():
        whole = without_wrappers(name_in_file)
        name = whole.removeprefix(net.prefix)
        if name in tensors:
            raise CheckpointError(f"{name!r} is there twice, inside a wrapper and outside")
        tensors[name] = array
        if not whole.startswith(net.prefix):
            beside.add(name)
    versions = _versions(net.place.metadata)
    return State(tensors, key=net.key, others=net.others, beside=beside, versions=versions, says=says)


def _rank_key(net: Net) -> tuple[bool, bool]:
    """Small for what is most likely meant."""
    words = set(re.split(r"[._]", net.key.lower()))
    last = "".join(net.place.keys[-1:])
    return bool(_AVERAGED & words), last not in MAIN


def _listed(nets: list[Net]) -> str:
    return " and ".join(f"{net.key!r} ({len(net.members())} tensors)" for net in nets[:6])


def _versions(metadata: Any) -> set[int]:
    """The version numbers of the normalising modules; PyTorch's own batch norm has 2 since it counts its steps."""
    versions: set[int] = set()
    if not isinstance(metadata, dict):
        return versions
    for name, entry in metadata.items():
        is_norm = str(name).rpartition(".")[2].startswith("bn")
        if is_norm and isinstance(entry, dict) and isinstance(entry.get("version"), int):
            versions.add(entry["version"])
    return versions
