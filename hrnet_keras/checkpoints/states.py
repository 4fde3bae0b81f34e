"""Which of a file's tensors are the net: people save it under many keys, inside many wrappers and beside much else."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from hrnet_keras.checkpoints.lineages import nets_in, plain_name, prefix_of
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

    keys: tuple
    tensors: dict
    metadata: dict | None = None


@dataclass(frozen=True, eq=False)
class Net:
    """One net in a file.

    Attributes:
        place: where its tensors are.
        prefix: of its plain names.
        others: the keys of other nets in the file, where none was asked for.
    """

    place: Place
    prefix: str = ""
    others: tuple = ()

    @property
    def key(self):
        """What people call it: the keys and the prefix with dots between (`"state_dict.student"`)."""
        return ".".join((*self.place.keys, *filter(None, self.prefix.split("."))))

    def members(self):
        """`{plain name: tensor}` of its own tensors."""
        plain = {plain_name(name): tensor for name, tensor in self.place.tensors.items()}
        return {n.removeprefix(self.prefix): tensor for n, tensor in plain.items() if n.startswith(self.prefix)}


class State(dict):
    """A net's tensors by plain name, with those that stand beside it, and what the file says of them.

    Attributes:
        key: where in the file it was; `""` where nothing is around it.
        others: the keys of other nets in the file, where none was asked for.
        beside: names that are no part of the net, such as loss buffers.
        versions: version numbers that PyTorch noted of its modules, as a set.
        says: what a file of this package says of the net: `lineage`, `align_corners`; of a `.keras` file all its info.
        exact: whether the numbers are as in Keras, whatever the lineage does to scales.
    """

    def __init__(self, tensors=(), **about):
        super().__init__(tensors)
        self.key = about.get("key", "")
        self.others = tuple(about.get("others", ()))
        self.beside = frozenset(about.get("beside", ()))
        self.versions = frozenset(about.get("versions", ()))
        self.says = about.get("says") or {}
        self.exact = about.get("exact", False)

    def without(self, beginnings):
        """The same without the tensors whose names begin so."""
        kept = {name: value for name, value in self.items() if not name.startswith(beginnings)}
        return State(kept, **vars(self))


def places_in(content, is_tensor):
    """Lists the `Place`s of a file's content (dicts, lists and tuples inside each other), the outer ones first.

    What belongs to an optimizer is left out.
    """
    found, seen, waiting = [], set(), deque([((), content)])
    while waiting:
        keys, value = waiting.popleft()
        if id(value) in seen or len(keys) > DEPTH or (keys and keys[-1].startswith("optim")):
            continue
        seen.add(id(value))
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        tensors = {}
        for key, item in items:
            if is_tensor(item) and isinstance(key, str):
                tensors[key] = item
            elif isinstance(item, (Mapping, list, tuple)):
                waiting.append(((*keys, str(key)), item))
        if tensors:
            found.append(Place(keys, tensors, getattr(value, "metadata", None)))
    return found


def choose(places, wanted=None):
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
    nets = _distinct([Net(place, prefix) for place in places for prefix in nets_in(_plain_names(place))])
    if not nets:
        nets = [_largest(places)] if wanted is None else [Net(p, prefix_of(_plain_names(p))) for p in places]
    fitting = nets if wanted is None else _fitting(nets, wanted)
    best = min(map(_rank, fitting))
    leading = [net for net in fitting if _rank(net) == best]
    if len(leading) > 1:
        first = leading[0].key
        raise CheckpointError(
            f"it holds {len(leading)} nets: {_listed(leading)}: choose one: state={first!r} of load_torch_weights or "
            f"convert, --state {first} of hrnet-keras convert"
        )
    chosen = leading[0]
    others = () if wanted is not None else tuple(net.key for net in nets if net is not chosen)
    return Net(chosen.place, chosen.prefix, others)


def state_of(net, arrays, says=None):
    """The `State` of a net from the arrays of its place, by their names in the file.

    Raises:
        CheckpointError: two names that are the same but for their wrappers.
    """
    tensors, beside = {}, set()
    for name, array in arrays.items():
        now = plain_name(name)
        plain = now.removeprefix(net.prefix)
        if plain in tensors:
            raise CheckpointError(f"{plain!r} is there twice, inside a wrapper and outside")
        tensors[plain] = array
        if not now.startswith(net.prefix):
            beside.add(plain)
    versions = _versions(net.place.metadata)
    return State(tensors, key=net.key, others=net.others, beside=beside, versions=versions, says=says)


def _plain_names(place):
    return [plain_name(name) for name in place.tensors]


def _largest(places):
    place = max(places, key=lambda place: len(place.tensors))
    return Net(place, prefix_of(_plain_names(place)))


def _distinct(nets):
    """The nets without those that are the same tensors again under another key."""
    found, seen = [], set()
    for net in sorted(nets, key=_rank):  # so the plainest key stays
        tensors = net.members()
        same = frozenset((name, getattr(tensor, "place", id(tensor))) for name, tensor in tensors.items())
        if same not in seen:
            found.append(net)
        seen.add(same)
    return [net for net in nets if net in found]


def _fitting(nets, wanted):
    exact = [net for net in nets if net.key == wanted]
    fitting = exact or [net for net in nets if wanted and f".{wanted}." in f".{net.key}."]
    if not fitting:
        raise CheckpointError(f"state={wanted!r}: nothing there of that name: expected {_listed(nets)}")
    return fitting


def _rank(net):
    """Small for what is most likely meant."""
    averaged = bool(_AVERAGED & set(re.split(r"[._]", net.key.lower())))
    last = net.place.keys[-1] if net.place.keys else ""
    return averaged, last not in MAIN


def _listed(nets):
    return " and ".join(f"{net.key!r} ({len(net.members())} tensors)" for net in nets[:6])


def _versions(metadata):
    """The version numbers of the normalising modules; PyTorch's own batch norm has 2 since it counts its steps."""
    if not isinstance(metadata, dict):
        return set()
    entries = [entry for name, entry in metadata.items() if str(name).rpartition(".")[2].startswith("bn")]
    return {entry["version"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("version"), int)}
