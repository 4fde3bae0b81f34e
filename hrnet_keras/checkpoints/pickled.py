"""The pickle inside a checkpoint, run without running it: opcodes -> dicts, lists, numbers and places of tensors.

A pickle is a program. Here its opcodes (as `pickletools` of the standard library lists them) drive a small machine;
names of Python objects are never looked up, only compared with the lists below. No kept library reads both formats of
`torch.save` under such a list.
"""

import io
import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from hrnet_keras.checkpoints import allowed

MAX_PICKLE_BYTES = 64 << 20  # the largest published files have 0.5 MB of pickle
MAX_STEPS = 1_000_000  # and 0.1 million of opcodes


class CheckpointError(ValueError):
    """A checkpoint file that can't be read; says which file and why."""


# ---- what pickles build


@dataclass(frozen=True)
class _Name:
    """A name of a Python object that a file mentions."""

    text: str


class _Blank:
    """An object beside the tensors, of which nothing is kept."""


class StateDict(dict):
    """A dict that PyTorch wrote as an `OrderedDict`; `metadata`: `{module: {"version": number}}`, where it has it."""

    metadata: Any = None


@dataclass(frozen=True, eq=False)
class Storage:
    """A run of `count` numbers in the file; `start` where it is a view of a longer one.

    `quantized`: its numbers mean nothing without a scale, so no tensor is made of them.
    """

    key: str
    dtype: np.dtype
    count: int
    start: int = 0
    quantized: bool = False

    def array(self, data: memoryview, order: str) -> np.ndarray:
        """Its numbers, from the bytes of the storage with its key; `order`: `"<"` or `">"`, of their bytes."""
        stop = (self.start + self.count) * self.dtype.itemsize
        if self.start < 0 or self.count < 0 or stop > len(data):
            raise CheckpointError(f"storage {self.key!r} has {len(data)} bytes, the tensors in it need {stop}")
        numbers = np.frombuffer(data, self.dtype, self.count, self.start * self.dtype.itemsize)
        if order == ">" and self.dtype.itemsize > 1:
            return numbers.byteswap()
        return numbers


@dataclass(frozen=True, eq=False)
class Tensor:
    """Where a tensor lies in its storage; `offset` and `strides` count numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype | None = None

    @property
    def place(self) -> tuple:
        """What two tensors have in common that are the same numbers of the file."""
        return self.storage.key, self.storage.start, self.offset, self.shape, self.strides

    def view(self, numbers: np.ndarray, name: str) -> np.ndarray:
        """The tensor as an array, from its storage's numbers.

        Raises:
            CheckpointError: it reaches outside of them.
        """
        if self.dtype is not None:  # an untyped storage
            whole = numbers.nbytes // self.dtype.itemsize * self.dtype.itemsize
            numbers = numbers[:whole].view(self.dtype)
        if not self._is_possible():
            raise CheckpointError(f"tensor {name!r}: impossible shape {self.shape} or strides {self.strides}")
        if not self._fits(len(numbers)):
            raise CheckpointError(f"tensor {name!r}: shape {self.shape} does not fit its {len(numbers)} numbers")
        if math.prod(self.shape) == 0:
            return self._empty(numbers)
        strides = tuple(step * numbers.dtype.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides, writeable=False)

    def _is_possible(self) -> bool:
        if len(self.shape) != len(self.strides):
            return False
        return all(type(number) is int and 0 <= number < 2**62 for number in (*self.shape, *self.strides, self.offset))

    def _fits(self, count: int) -> bool:
        """Whether it lies inside of `count` numbers, and has no more than these: an expanded one could be huge."""
        size = math.prod(self.shape)
        if len(self.shape) > 32 or size > max(count, 1):
            return False
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        return size == 0 or last < count

    def _empty(self, numbers: np.ndarray) -> np.ndarray:
        """An array of no numbers; of its shape where NumPy can hold that."""
        if math.prod(side or 1 for side in self.shape) < 2**62:
            return np.zeros(self.shape, numbers.dtype)
        return numbers[:0]


# ---- the machine

_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK}
_LITERALS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": list, "EMPTY_TUPLE": tuple}
_PLAIN_KEYS = (str, int, float, bool, bytes, type(None))
_Kind = TypeVar("_Kind")


class Machine:
    """Runs the pickles of a file, one per `run`, with a stack and a memo and nothing else.

    Attributes:
        storages: `{key: Storage}` that the pickles so far have asked for.
    """

    def __init__(self, data: memoryview) -> None:
        self.stream = _Window(data)
        self.storages: dict[str, Storage] = {}
        self.steps = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    @property
    def position(self) -> int:
        """Where the last pickle ended."""
        return self.stream.position

    def run(self) -> Any:
        """Runs one pickle; returns what it built."""
        self._stack = []
        self._memo = {}
        for opcode, argument, _ in pickletools.genops(self.stream):  # type: ignore[arg-type]
            self._count(1)
            if opcode.name == "STOP":
                return self._stack.pop()
            if opcode.name in _LITERALS:
                self._stack.append(argument)
            elif opcode.name in _ACTIONS:
                _ACTIONS[opcode.name](self, opcode.name, argument)
            elif opcode.name not in ("PROTO", "FRAME"):  # which say how the pickle was written
                raise CheckpointError(f"the pickle uses the opcode {opcode.name}, which tensors do not need")
        raise CheckpointError("cut off in the middle of the pickle")

    def _count(self, steps: int) -> None:
        """Bounds what a file can make us do and hold."""
        self.steps += steps
        if self.steps > MAX_STEPS or self.stream.position > MAX_PICKLE_BYTES:
            raise CheckpointError(f"a pickle of more than {MAX_STEPS} steps or {MAX_PICKLE_BYTES} bytes")

    # What the opcodes do: `name` is the opcode's, `argument` what the pickle gives it.

    def _memoize(self, name: str, argument: Any) -> None:
        key = len(self._memo) if name == "MEMOIZE" else argument
        self._memo[key] = self._stack[-1]

    def _get(self, name: str, argument: Any) -> None:
        self._stack.append(self._memo[argument])

    def _constant(self, name: str, argument: Any) -> None:
        self._stack.append(_CONSTANTS[name])

    def _empty(self, name: str, argument: Any) -> None:
        self._stack.append(_EMPTY[name]())

    def _collect(self, name: str, argument: Any) -> None:
        self._stack.append(_COLLECTIONS[name](_to_mark(self._stack)))

    def _short_tuple(self, name: str, argument: Any) -> None:
        count = int(name[-1])
        self._stack[-count:] = [tuple(self._stack[-count:])]

    def _set_items(self, name: str, argument: Any) -> None:
        if name == "SETITEM":
            items = [self._stack.pop(-2), self._stack.pop()]
        else:
            items = _to_mark(self._stack)
        _fill(self._stack[-1], items)

    def _append(self, name: str, argument: Any) -> None:
        items = [self._stack.pop()] if name == "APPEND" else _to_mark(self._stack)
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, _Blank):
            raise CheckpointError("the pickle appends to what is no list")

    def _global(self, name: str, argument: Any) -> None:
        self._stack.append(_name(argument.replace(" ", ".", 1)))

    def _stack_global(self, name: str, argument: Any) -> None:
        attribute = self._stack.pop()
        module = self._stack.pop()
        self._stack.append(_name(f"{module}.{attribute}"))

    def _persistent(self, name: str, argument: Any) -> None:
        self._stack.append(self._storage(self._stack.pop()))

    def _reduce(self, name: str, argument: Any) -> None:
        arguments = self._stack.pop()
        function = self._stack.pop()
        self._count(_length(arguments))
        self._stack.append(_call(function, arguments))

    def _build(self, name: str, argument: Any) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        if not isinstance(target, (_Blank, dict, Tensor)):
            raise CheckpointError("the pickle sets the state of what has none")
        if isinstance(target, StateDict) and isinstance(state, dict):
            target.metadata = state.get("_metadata")

    def _pop(self, name: str, argument: Any) -> None:
        self._stack.pop()

    def _pop_mark(self, name: str, argument: Any) -> None:
        _to_mark(self._stack)

    def _duplicate(self, name: str, argument: Any) -> None:
        self._stack.append(self._stack[-1])

    def _storage(self, identity: Any) -> Storage:
        """The storage that a persistent id means: `("storage", type, key, device, count[, view])`."""
        if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
            raise CheckpointError("a reference that is no storage of tensors")
        _, kind, key, _, count, *view = identity
        dtype, quantized = _storage_type(kind, key)
        if not isinstance(key, str) or type(count) is not int:
            raise CheckpointError("a storage without key or length")
        storage = self.storages.setdefault(key, Storage(key, dtype, count, quantized=quantized))
        if (storage.dtype, storage.quantized) != (dtype, quantized):
            raise CheckpointError(f"storage {key!r} is of two types")
        if view and view[0] is not None:
            _, start, length = view[0]
            return Storage(key, dtype, int(length), int(start), quantized)
        return storage


_ACTIONS: dict[str, Callable[[Machine, str, Any], None]] = {
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine._memoize),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine._get),
    **dict.fromkeys(_CONSTANTS, Machine._constant),
    **dict.fromkeys(_EMPTY, Machine._empty),
    **dict.fromkeys(("LIST", "FROZENSET", "TUPLE", "DICT"), Machine._collect),
    **dict.fromkeys(("TUPLE1", "TUPLE2", "TUPLE3"), Machine._short_tuple),
    **dict.fromkeys(("SETITEM", "SETITEMS"), Machine._set_items),
    **dict.fromkeys(("APPEND", "APPENDS", "ADDITEMS"), Machine._append),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), Machine._reduce),
    "POP": Machine._pop, "POP_MARK": Machine._pop_mark, "DUP": Machine._duplicate, "BUILD": Machine._build,
    "GLOBAL": Machine._global, "STACK_GLOBAL": Machine._stack_global, "BINPERSID": Machine._persistent,
}  # fmt: skip


def _storage_type(kind: Any, key: Any) -> tuple[np.dtype, bool]:
    """The type of a storage's numbers, and whether they are quantized; `kind`: the name that the pickle gives."""
    module = ""
    name = ""
    if isinstance(kind, _Name):
        module, _, name = kind.text.rpartition(".")
    stored = allowed.STORAGES.get(name) or allowed.QUANTIZED.get(name)
    if module not in allowed.STORAGE_MODULES or stored is None:
        raise CheckpointError(f"storage {key!r} is of an unknown type")
    return np.dtype(allowed.DTYPES[stored]), name in allowed.QUANTIZED


class _Window(io.RawIOBase):
    """A buffer as `pickletools` reads it: no copies but of what is asked for."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.position = 0

    def tell(self) -> int:
        return self.position

    def read(self, size: int = -1) -> bytes:
        part = bytes(self.data[self.position : self.position + size])
        self.position += len(part)
        return part

    def readline(self, size: int | None = -1) -> bytes:
        line = bytes(self.data[self.position : self.position + 4096])
        end = line.find(b"\n") + 1
        if not end:
            raise CheckpointError("a line of the pickle does not end")
        self.position += end
        return line[:end]


def _name(text: str) -> _Name:
    """A name that a file may mention; any other is refused."""
    if not allowed.is_allowed(text):
        raise CheckpointError(allowed.refusal(text))
    return _Name(text)


def _call(function: Any, arguments: Any) -> Any:
    """What a call with these arguments would build; nothing is called."""
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
        if isinstance(function, _Blank):
            return _Blank()
        raise CheckpointError("the pickle calls what is no name")
    text = function.text
    if text in allowed.BLANKS or text in allowed.INERT_TYPES:
        return _Blank()
    if text in allowed.CONTAINERS:
        return _container(text, arguments)
    if text in allowed.REBUILDERS:
        return _rebuilt(text, arguments)
    raise CheckpointError(f"the pickle calls {text!r}, which is no function")


def _container(text: str, arguments: tuple) -> StateDict | list | tuple:
    """The dict, list or tuple that a call builds."""
    # It is called with what makes its values, and filled afterwards.
    if text == "collections.defaultdict":
        return StateDict()
    items = _expect(arguments[0], (tuple, list)) if arguments else ()
    kind = text.rpartition(".")[2]
    if kind in ("Size", "tuple"):
        return tuple(items)
    if kind in ("list", "deque"):
        return list(items)
    built = StateDict()
    for key, value in items:
        _fill(built, [key, value])
    return built


def _rebuilt(text: str, arguments: tuple) -> Any:
    """The tensor that one of PyTorch's functions would rebuild."""
    if text in ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"):
        if isinstance(arguments[0], _Blank):
            return arguments[0]
        return _expect(arguments[0], Tensor)
    if text == "torch._tensor._rebuild_from_type_v2":
        return _call(_expect(arguments[0], _Name), _expect(arguments[2], tuple))
    storage, offset, shape, strides, *rest = arguments
    dtype = None
    if text == "torch._utils._rebuild_tensor_v3":
        word = _expect(rest[2], _Name).text.removeprefix("torch.")
        if word not in allowed.DTYPES:
            return _Blank()
        dtype = np.dtype(allowed.DTYPES[word])
    if _expect(storage, Storage).quantized:
        raise CheckpointError(f"storage {storage.key!r} is quantized: its numbers mean nothing without a scale")
    shape = tuple(_expect(shape, (tuple, list)))
    strides = tuple(_expect(strides, (tuple, list)))
    return Tensor(storage, offset, shape, strides, dtype)


def _length(arguments: Any) -> int:
    """How many items a call copies."""
    if not isinstance(arguments, tuple):
        return 0
    return sum(len(value) for value in arguments if isinstance(value, (tuple, list, dict)))


def kind_of(value: Any) -> str:
    """What to call a value in messages."""
    if isinstance(value, dict):
        return "dict"
    return {_Blank: "blank object", Tensor: "tensor"}.get(type(value), type(value).__name__)


def _expect(value: Any, kind: type[_Kind] | tuple[type[_Kind], ...]) -> _Kind:
    if isinstance(value, kind):
        return value
    wanted = kind[0] if isinstance(kind, tuple) else kind
    raise CheckpointError(f"expected a {wanted.__name__.strip('_').lower()}, found a {kind_of(value)}")


def _to_mark(stack: list[Any]) -> list[Any]:
    """Takes everything above the last mark off the stack, and the mark."""
    for i in range(len(stack) - 1, -1, -1):
        if stack[i] is _MARK:
            items = stack[i + 1 :]
            del stack[i:]
            return items
    raise CheckpointError("the pickle looks for a mark that is not there")


def _fill(target: Any, items: list[Any]) -> None:
    """Puts keys and values, one after the other, into a dict."""
    if isinstance(target, _Blank):
        return
    if not isinstance(target, dict):
        raise CheckpointError("the pickle puts items into what is no dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Tensors are named by strings; other keys are of no use here.
        if isinstance(key, _PLAIN_KEYS):
            target[key] = value


def _as_dict(items: list[Any]) -> dict[Any, Any]:
    built: dict[Any, Any] = {}
    _fill(built, items)
    return built


_COLLECTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "LIST": list, "FROZENSET": list, "TUPLE": tuple, "DICT": _as_dict,
}  # fmt: skip
