"""Checkpoint files of PyTorch -> NumPy arrays, without PyTorch and without running what the file says.

`.pth` and `.pt` hold a pickle, which is a program. Here its opcodes (as `pickletools` of the standard library lists
them) drive a small machine that builds dicts, lists, numbers and tensors; names of Python objects are never looked up,
only compared with the lists below. No kept library reads both formats of `torch.save` under such a list.
"""

import io
import math
import mmap
import os
import pickletools
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import ml_dtypes
import numpy as np

MAX_PICKLE_BYTES = 64 << 20  # the largest published files have 0.5 MB of pickle
MAX_STEPS = 1_000_000  # and 0.1 million of opcodes
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "state_dict_ema", "ema_state_dict", "ema")
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001

_DTYPES = {
    "float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16,
    "int64": np.int64, "int32": np.int32, "int16": np.int16, "int8": np.int8, "uint8": np.uint8, "bool": np.bool_,
}  # fmt: skip
_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "UntypedStorage": "uint8", "_UntypedStorage": "uint8",
}  # fmt: skip
_STORAGE_MODULES = ("torch", "torch.cuda", "torch.storage")

# What published checkpoints carry beside their tensors (scores, configurations, histories). Each becomes a blank:
# neither imported nor called, so even the harmful-looking ones are only words.
_BLANKS = frozenset({
    "numpy.core.multiarray.scalar", "numpy.core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct", "numpy.dtype", "numpy.ndarray", "numpy.dtypes.Float64DType",
    "numpy.dtypes.Int64DType", "_codecs.encode", "argparse.Namespace", "collections.defaultdict", "builtins.set",
    "__builtin__.set", "builtins.object", "__builtin__.object", "builtins.getattr", "__builtin__.getattr",
    "copyreg._reconstructor", "copy_reg._reconstructor", "datetime.datetime", "datetime.timedelta",
    "pathlib.PosixPath", "pathlib.WindowsPath", "torch.device", "collections.Counter", "easydict.EasyDict",
    "mmengine.logging.history_buffer.HistoryBuffer", "mmengine.config.config.ConfigDict",
    "mmcv.utils.config.ConfigDict", "addict.addict.Dict", "yacs.config.CfgNode",
})  # fmt: skip
_CONTAINERS = frozenset({"collections.OrderedDict", "torch.Size", "builtins.dict", "builtins.list", "builtins.tuple"})
_REBUILDERS = frozenset({
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2",
})  # fmt: skip
_INERT_TYPES = frozenset({"torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer"})


class CheckpointError(ValueError):
    """A checkpoint file that can't be read; says which file and why."""


def read_tensors(path):
    """Reads the tensors of a checkpoint file.

    Args:
        path: a file of `torch.save` (the zip format, or the legacy one of before PyTorch 1.6) or of safetensors; told
            from its content.

    Returns:
        `{name: array}` in PyTorch's names and layout; arrays of `.pth` files are read-only views of the mapped file, so
        they take memory only as they are touched. Tensors under `state_dict`, `model` and the like are taken from
        there; what is no tensor is left out.

    Raises:
        CheckpointError: no such file, not a checkpoint, damaged, or naming an object that tensors do not need.

    Source: the formats as `torch.save` of PyTorch 0.4 to 2.13 writes them.
    """
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise CheckpointError(f"{path}: the file is empty")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _read(path, data)
    except CheckpointError as error:
        raise error if str(error).startswith(path) else CheckpointError(f"{path}: {error}") from error.__cause__
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise CheckpointError(f"{path}: claims more memory than there is") from error
    except Exception as error:  # whatever a damaged file provokes, it is the file's fault
        raise CheckpointError(f"{path}: damaged ({type(error).__name__}: {error})") from error


def _read(path, data):
    if data[:4] == b"PK\x03\x04":
        return _tensors(*_open_zip(data))
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data):
        return _read_safetensors(path)
    if data[:1] == b"\x80":
        return _tensors(*_open_legacy(data))
    start = bytes(data[:64]).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise CheckpointError("this is a web page, not a checkpoint: the download went to a form or an error page")
    if data[257:262] == b"ustar" or start.startswith(b"./"):
        raise CheckpointError("a tar archive: expected a file of torch.save or of safetensors; unpack it first")
    raise CheckpointError(f"expected a file of torch.save or of safetensors, found one that begins {start[:12]!r}")


def _read_safetensors(path):
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"not a whole safetensors file ({error})") from error


def _tensors(found, storages):
    """Picks the tensors out of what the pickle built and gives them their numbers."""
    tensors = _find_state_dict(found)
    if not tensors:
        kind = "an empty dict" if found == {} else f"a {_kind(found)}"
        raise CheckpointError(f"expected a dict of tensors, found {kind} without any")
    arrays = {id(storage): None for storage in (tensor.storage for tensor in tensors.values())}
    unique = {id(tensor.storage): tensor.storage for tensor in tensors.values()}
    with ThreadPoolExecutor(2) as pool:  # checking the sums of a zip file's members is most of the work
        arrays.update(zip(unique, pool.map(storages, unique.values()), strict=True))
    return {name: tensor.view(arrays[id(tensor.storage)], name) for name, tensor in tensors.items()}


def _find_state_dict(found, depth=0):
    if not isinstance(found, dict):
        return {}
    tensors = {name: value for name, value in found.items() if isinstance(value, _Tensor) and isinstance(name, str)}
    if tensors or depth == 3:
        return tensors
    for name in WRAPPERS:
        tensors = _find_state_dict(found.get(name), depth + 1)
        if tensors:
            return tensors
    return {}


def _kind(value):
    return {_Blank: "blank object", _Tensor: "tensor"}.get(type(value), type(value).__name__)


# ---- the two containers


def _open_zip(data):
    """Returns what the pickle of a zip archive built, and a function from its storages to arrays."""
    members = _members(data)
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise CheckpointError(f"a zip archive with {len(pickles)} members named <name>/data.pkl, expected 1")
    root = pickles[0].removesuffix("data.pkl")
    order = "<"
    if f"{root}byteorder" in members:
        stated = bytes(_member(data, members[f"{root}byteorder"]))
        if stated not in (b"little", b"big"):
            raise CheckpointError(f"byteorder {stated[:12]!r}: expected b'little' or b'big'")
        order = "<" if stated == b"little" else ">"
    found = _Machine(_member(data, members[pickles[0]])).run()

    def storage(wanted):
        name = f"{root}data/{wanted.key}"
        if name not in members:
            raise CheckpointError(f"no member {name!r}, which the pickle asks for")
        return wanted.array(_member(data, members[name]), order)

    return found, storage


def _members(data):
    with zipfile.ZipFile(_Map(data)) as archive:
        members = {}
        for info in archive.infolist():
            if info.filename in members:
                raise CheckpointError(f"two members named {info.filename!r}")
            members[info.filename] = (info, _start(data, info))
        return members


def _start(data, info):
    """Where a member's bytes begin; its own header must name it as the archive's list does."""
    head = data[info.header_offset : info.header_offset + 30]
    name_length, extra_length = struct.unpack("<HH", head[26:30]) if len(head) == 30 else (0, 0)
    begin = info.header_offset + 30
    if head[:4] != b"PK\x03\x04" or data[begin : begin + name_length] != info.orig_filename.encode():
        raise CheckpointError(f"member {info.filename!r} is not where the archive says")
    return begin + name_length + extra_length


def _member(data, member):
    """The bytes of a member as a view of the file; its checksum must be right."""
    info, start = member
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
        raise CheckpointError(f"member {info.filename!r} is compressed or encrypted: torch.save stores plainly")
    if start + info.file_size > len(data):
        raise CheckpointError(f"cut off: member {info.filename!r} ends behind the end of the file")
    view = memoryview(data)[start : start + info.file_size]
    if zlib.crc32(view) != info.CRC:
        raise CheckpointError(f"member {info.filename!r} is damaged (wrong checksum)")
    return view


class _Map(io.RawIOBase):
    """A mapped file as `zipfile` wants it."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def seekable(self):
        return True

    def readable(self):
        return True

    def tell(self):
        return self.position

    def seek(self, offset, whence=io.SEEK_SET):
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: len(self.data)}[whence]
        self.position = max(0, base + offset)
        return self.position

    def read(self, size=-1):
        end = len(self.data) if size is None or size < 0 else self.position + size
        found = self.data[self.position : end]
        self.position += len(found)
        return found


def _open_legacy(data):
    """The same for the format of before PyTorch 1.6: five pickles in a row, then the storages."""
    view = memoryview(data)
    machine = _Machine(view)
    magic, protocol, system = machine.run(), machine.run(), machine.run()
    if magic != LEGACY_MAGIC:
        raise CheckpointError("a pickle, but not one of torch.save")
    if protocol != LEGACY_PROTOCOL:
        raise CheckpointError(f"protocol {protocol!r}: expected {LEGACY_PROTOCOL}")
    if not isinstance(system, dict):
        raise CheckpointError("the description of the writing machine is no dict")
    order = "<" if system.get("little_endian", True) else ">"
    found, keys = machine.run(), machine.run()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise CheckpointError("expected a list of storages behind the tensors")
    position, places = machine.position, {}
    for key in keys:
        if position + 8 > len(data) or key not in machine.storages:
            raise CheckpointError(f"cut off: storage {key!r} is not there")
        (count,) = struct.unpack(f"{order}q", view[position : position + 8])
        size = machine.storages[key].dtype.itemsize * count
        if count < 0 or position + 8 + size > len(data):
            raise CheckpointError(f"cut off: storage {key!r} of {count} numbers ends behind the end of the file")
        places[key] = view[position + 8 : position + 8 + size]
        position += 8 + size
    if position != len(data):
        raise CheckpointError(f"{len(data) - position} bytes too many behind the last storage")

    def storage(wanted):
        if wanted.key not in places:
            raise CheckpointError(f"storage {wanted.key!r} is not in the file")
        return wanted.array(places[wanted.key], order)

    return found, storage


# ---- what pickles build


@dataclass(frozen=True)
class _Name:
    """A name of a Python object that a file mentions."""

    text: str


class _Blank:
    """An object beside the tensors, of which nothing is kept."""


@dataclass(frozen=True, eq=False)
class _Storage:
    """A run of `count` numbers in the file; `start` where it is a view of a longer one."""

    key: str
    dtype: np.dtype
    count: int
    start: int = 0

    def array(self, data, order):
        """Its numbers, from the bytes of the storage with its key."""
        stop = (self.start + self.count) * self.dtype.itemsize
        if self.start < 0 or self.count < 0 or stop > len(data):
            raise CheckpointError(f"storage {self.key!r} has {len(data)} bytes, the tensors in it need {stop}")
        numbers = np.frombuffer(data, self.dtype, self.count, self.start * self.dtype.itemsize)
        swapped = order == ">" and self.dtype.itemsize > 1
        return numbers.byteswap() if swapped else numbers


@dataclass(frozen=True, eq=False)
class _Tensor:
    """Where a tensor lies in its storage; `offset` and `strides` count numbers."""

    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple
    dtype: np.dtype | None = None

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
    "BINBYTES8",
})  # fmt: skip
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": list, "EMPTY_TUPLE": tuple}
_PLAIN_KEYS = (str, int, float, bool, bytes, type(None))


class _Machine:
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
            stack.pop()
            if not isinstance(stack[-1], (_Blank, dict, _Tensor)):
                raise CheckpointError("the pickle sets the state of what has none")
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
        if module not in _STORAGE_MODULES or name not in _STORAGES:
            raise CheckpointError(f"storage {key!r} is of an unknown type")
        if not isinstance(key, str) or type(count) is not int:
            raise CheckpointError("a storage without key or length")
        dtype = np.dtype(_DTYPES[_STORAGES[name]])
        known = self.storages.setdefault(key, _Storage(key, dtype, count))
        if known.dtype != dtype:
            raise CheckpointError(f"storage {key!r} is of two types")
        if view and view[0] is not None:
            _, start, length = view[0]
            return _Storage(key, dtype, int(length), int(start))
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
    module, _, last = text.rpartition(".")
    known = text in _BLANKS or text in _CONTAINERS or text in _REBUILDERS or text in _INERT_TYPES
    known = known or (module in _STORAGE_MODULES and last in _STORAGES) or (module == "torch" and last in _DTYPES)
    if not known:
        raise CheckpointError(
            f"the file names {text[:120]!r}, which tensors do not need: refused. Where you trust the file, save its "
            "state_dict alone with PyTorch"
        )
    return _Name(text)


def _call(what, arguments):
    """What a call with these arguments would build; nothing is called."""
    if not isinstance(what, _Name) or not isinstance(arguments, tuple):
        if isinstance(what, _Blank):
            return _Blank()
        raise CheckpointError("the pickle calls what is no name")
    text = what.text
    if text in _BLANKS or text in _INERT_TYPES:
        return _Blank()
    if text in _CONTAINERS:
        items = _expect(arguments[0], (tuple, list)) if arguments else ()
        if text in ("torch.Size", "builtins.tuple"):
            return tuple(items)
        if text == "builtins.list":
            return list(items)
        found = {}
        for key, value in items:
            _fill(found, [key, value])
        return found
    if text in ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"):
        return _expect(arguments[0], _Tensor)
    if text == "torch._tensor._rebuild_from_type_v2":
        return _call(_expect(arguments[0], _Name), _expect(arguments[2], tuple))
    if text in _REBUILDERS:
        storage, offset, shape, strides, *more = arguments
        dtype = None
        if text == "torch._utils._rebuild_tensor_v3":
            dtype = np.dtype(_DTYPES[_expect(more[2], _Name).text.removeprefix("torch.")])
        shape, strides = tuple(_expect(shape, (tuple, list))), tuple(_expect(strides, (tuple, list)))
        return _Tensor(_expect(storage, _Storage), offset, shape, strides, dtype)
    raise CheckpointError(f"the pickle calls {text!r}, which is no function")


def _length(arguments):
    """How many items a call copies."""
    if not isinstance(arguments, tuple):
        return 0
    return sum(len(value) for value in arguments if isinstance(value, (tuple, list, dict)))


def _expect(value, kind):
    if not isinstance(value, kind):
        wanted = kind[0] if isinstance(kind, tuple) else kind
        raise CheckpointError(f"expected a {wanted.__name__.strip('_').lower()}, found a {_kind(value)}")
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
