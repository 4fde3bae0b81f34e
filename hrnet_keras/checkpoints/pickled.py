"""The pickle inside a checkpoint, run without running it: opcodes -> dicts, lists, numbers and places of tensors.

A pickle is a program. Here its opcodes (as `pickletools` of the standard library lists them) drive a small machine;
names of Python objects are never looked up, only compared with the lists below. No kept library reads both formats of
`torch.save` under such a list.
"""

import io
import math
import pickletools
from dataclasses import dataclass

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

    metadata = None


@dataclass(frozen=True, eq=False)
class _Storage:
    """A run of `count` numbers in the file; `start` where it is a view of a longer one.

    `quantized`: its numbers mean nothing without a scale, so no tensor is made of them.
    """

    key: str
    dtype: np.dtype
    count: int
    start: int = 0
    quantized: bool = False

    def array(self, data, order):
        """Its numbers, from the bytes of the storage with its key."""
        stop = (self.start + self.count) * self.dtype.itemsize
        if self.start < 0 or self.count < 0 or stop > len(data):
            raise CheckpointError(f"storage {self.key!r} has {len(data)} bytes, the tensors in it need {stop}")
        numbers = np.frombuffer(data, self.dtype, self.count, self.start * self.dtype.itemsize)
        swapped = order == ">" and self.dtype.itemsize > 1
        return numbers.byteswap() if swapped else numbers


@dataclass(frozen=True, eq=False)
class Tensor:
    """Where a tensor lies in its storage; `offset` and `strides` count numbers."""

    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple
    dtype: np.dtype | None = None

    @property
    def place(self):
        """What two tensors have in common that are the same numbers of the file."""
        return self.storage.key, self.storage.start, self.offset, self.shape, self.strides

    def view(self, numbers, name):
        """The tensor as an array, from its storage's numbers."""
        if self.dtype is not None:  # an untyped storage
            numbers = numbers[: numbers.nbytes // self.dtype.itemsize * self.dtype.itemsize].view(self.dtype)
        whole = (*self.shape, *self.strides, self.offset)
        if not all(type(n) is int and 0 <= n < 2**62 for n in whole) or len(self.shape) != len(self.strides):
            raise CheckpointError(f"tensor {name!r}: impossible shape {self.shape} or strides {self.strides}")
        size = math.prod(self.shape)
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if len(self.shape) > 32 or (size and last >= len(numbers)) or size > max(len(numbers), 1):
            raise CheckpointError(f"tensor {name!r}: shape {self.shape} does not fit its {len(numbers)} numbers")
        if not size:
            return np.zeros(self.shape, numbers.dtype) if math.prod(n or 1 for n in self.shape) < 2**62 else numbers[:0]
        strides = tuple(step * numbers.dtype.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides, writeable=False)


# ---- the machine

_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": list, "EMPTY_TUPLE": tuple}
_PLAIN_KEYS = (str, int, float, bool, bytes, type(None))


class Machine:
    """Runs the pickles of a file, one per `run`, with a stack and a memo and nothing else."""

    def __init__(self, data):
        self.stream = _Window(data)
        self.storages = {}
        self.steps = 0

    @property
    def position(self):
        """Where the last pickle ended."""
        return self.stream.position

    def run(self):
        """Runs one pickle; returns what it built."""
        stack, memo = [], {}
        for opcode, value, _ in pickletools.genops(self.stream):
            self._count(1)
            name = opcode.name
            if name in _LITERALS:
                stack.append(value)
            elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
                memo[value] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET", "GET"):
                stack.append(memo[value])
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name == "MARK":
                stack.append(_MARK)
            elif name in _CONSTANTS:
                stack.append(_CONSTANTS[name])
            elif name in _EMPTY:
                stack.append(_EMPTY[name]())
            elif name == "STOP":
                return stack.pop()
            elif name not in ("PROTO", "FRAME"):
                self._act(name, value, stack)
        raise CheckpointError("cut off in the middle of the pickle")

    def _count(self, steps):
        """Bounds what a file can make us do and hold."""
        self.steps += steps
        if self.steps > MAX_STEPS or self.stream.position > MAX_PICKLE_BYTES:
            raise CheckpointError(f"a pickle of more than {MAX_STEPS} steps or {MAX_PICKLE_BYTES} bytes")

    def _act(self, name, value, stack):
        if name in ("TUPLE", "LIST", "DICT", "FROZENSET"):
            items = _to_mark(stack)
            stack.append(_as_dict(items) if name == "DICT" else tuple(items) if name == "TUPLE" else items)
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            stack[-int(name[-1]) :] = [tuple(stack[-int(name[-1]) :])]
        elif name in ("SETITEM", "SETITEMS"):
            items = _to_mark(stack) if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            _fill(stack[-1], items)
        elif name in ("APPEND", "APPENDS", "ADDITEMS"):
            items = _to_mark(stack) if name != "APPEND" else [stack.pop()]
            if isinstance(stack[-1], list):
                stack[-1].extend(items)
            elif not isinstance(stack[-1], _Blank):
                raise CheckpointError("the pickle appends to what is no list")
        elif name == "GLOBAL":
            stack.append(_name(value.replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(_name(f"{module}.{attribute}"))
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, what = stack.pop(), stack.pop()
            self._count(_length(arguments))
            stack.append(_call(what, arguments))
        elif name == "BUILD":
            state = stack.pop()
            if not isinstance(stack[-1], (_Blank, dict, Tensor)):
                raise CheckpointError("the pickle sets the state of what has none")
            if isinstance(stack[-1], StateDict) and isinstance(state, dict):
                stack[-1].metadata = state.get("_metadata")
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            _to_mark(stack)
        elif name == "DUP":
            stack.append(stack[-1])
        else:
            raise CheckpointError(f"the pickle uses the opcode {name}, which tensors do not need")

    def _storage(self, identity):
        if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
            raise CheckpointError("a reference that is no storage of tensors")
        _, kind, key, _, count, *view = identity
        module, _, name = kind.text.rpartition(".") if isinstance(kind, _Name) else ("", "", "")
        stored = allowed.STORAGES.get(name) or allowed.QUANTIZED.get(name)
        if module not in allowed.STORAGE_MODULES or stored is None:
            raise CheckpointError(f"storage {key!r} is of an unknown type")
        if not isinstance(key, str) or type(count) is not int:
            raise CheckpointError("a storage without key or length")
        dtype, quantized = np.dtype(allowed.DTYPES[stored]), name in allowed.QUANTIZED
        known = self.storages.setdefault(key, _Storage(key, dtype, count, quantized=quantized))
        if (known.dtype, known.quantized) != (dtype, quantized):
            raise CheckpointError(f"storage {key!r} is of two types")
        if view and view[0] is not None:
            _, start, length = view[0]
            return _Storage(key, dtype, int(length), int(start), quantized)
        return known


class _Window(io.RawIOBase):
    """A buffer as `pickletools` reads it: no copies but of what is asked for."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def tell(self):
        return self.position

    def read(self, size=-1):
        found = bytes(self.data[self.position : self.position + size])
        self.position += len(found)
        return found

    def readline(self, size=-1):
        line = bytes(self.data[self.position : self.position + 4096])
        end = line.find(b"\n") + 1
        if not end:
            raise CheckpointError("a line of the pickle does not end")
        self.position += end
        return line[:end]


def _name(text):
    """A name that a file may mention; any other is refused."""
    if not allowed.is_allowed(text):
        raise CheckpointError(allowed.refusal(text))
    return _Name(text)


def _call(what, arguments):
    """What a call with these arguments would build; nothing is called."""
    if not isinstance(what, _Name) or not isinstance(arguments, tuple):
        if isinstance(what, _Blank):
            return _Blank()
        raise CheckpointError("the pickle calls what is no name")
    text = what.text
    if text in allowed.BLANKS or text in allowed.INERT_TYPES:
        return _Blank()
    if text in allowed.CONTAINERS:
        return _container(text, arguments)
    if text in ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"):
        return arguments[0] if isinstance(arguments[0], _Blank) else _expect(arguments[0], Tensor)
    if text == "torch._tensor._rebuild_from_type_v2":
        return _call(_expect(arguments[0], _Name), _expect(arguments[2], tuple))
    if text in allowed.REBUILDERS:
        return _rebuilt(text, arguments)
    raise CheckpointError(f"the pickle calls {text!r}, which is no function")


def _container(text, arguments):
    """The dict, list or tuple that a call builds."""
    if text == "collections.defaultdict":  # called with what makes its values, and filled afterwards
        return StateDict()
    items = _expect(arguments[0], (tuple, list)) if arguments else ()
    kind = text.rpartition(".")[2]
    if kind in ("Size", "tuple"):
        return tuple(items)
    if kind in ("list", "deque"):
        return list(items)
    found = StateDict()
    for key, value in items:
        _fill(found, [key, value])
    return found


def _rebuilt(text, arguments):
    """The tensor that one of PyTorch's functions would rebuild."""
    storage, offset, shape, strides, *more = arguments
    dtype = None
    if text == "torch._utils._rebuild_tensor_v3":
        word = _expect(more[2], _Name).text.removeprefix("torch.")
        if word not in allowed.DTYPES:
            return _Blank()
        dtype = np.dtype(allowed.DTYPES[word])
    if _expect(storage, _Storage).quantized:
        raise CheckpointError(f"storage {storage.key!r} is quantized: its numbers mean nothing without a scale")
    shape, strides = tuple(_expect(shape, (tuple, list))), tuple(_expect(strides, (tuple, list)))
    return Tensor(storage, offset, shape, strides, dtype)


def _length(arguments):
    """How many items a call copies."""
    if not isinstance(arguments, tuple):
        return 0
    return sum(len(value) for value in arguments if isinstance(value, (tuple, list, dict)))


def kind_of(value):
    """What to call a value in messages."""
    if isinstance(value, dict):
        return "dict"
    return {_Blank: "blank object", Tensor: "tensor"}.get(type(value), type(value).__name__)


def _expect(value, kind):
    if not isinstance(value, kind):
        wanted = kind[0] if isinstance(kind, tuple) else kind
        raise CheckpointError(f"expected a {wanted.__name__.strip('_').lower()}, found a {kind_of(value)}")
    return value


def _to_mark(stack):
    """Takes everything above the last mark off the stack, and the mark."""
    for i in range(len(stack) - 1, -1, -1):
        if stack[i] is _MARK:
            items = stack[i + 1 :]
            del stack[i:]
            return items
    raise CheckpointError("the pickle looks for a mark that is not there")


def _fill(target, items):
    if isinstance(target, _Blank):
        return
    if not isinstance(target, dict):
        raise CheckpointError("the pickle puts items into what is no dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if isinstance(key, _PLAIN_KEYS):  # tensors are named by strings; other keys are of no use here
            target[key] = value


def _as_dict(items):
    found = {}
    _fill(found, items)
    return found
