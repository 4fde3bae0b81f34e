"""Checkpoint files of PyTorch -> NumPy arrays, without PyTorch and without running what the file says.

Here are the containers: the zip archives and the legacy files of `torch.save`, and safetensors. What the pickle inside
says is read by `pickled`; which of its tensors are the net is chosen by `states`.
"""

import io
import json
import mmap
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from hrnet_keras.checkpoints import allowed
from hrnet_keras.checkpoints.pickled import CheckpointError, Machine, Storage, Tensor, kind_of
from hrnet_keras.checkpoints.states import Net, State, choose, places_in, state_of

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
CONTAINERS = (dict, list, tuple)
OWN_METADATA = "hrnet_keras"  # key under which a .safetensors file of this package says what its tensors don't
ReadStorage = Callable[[Storage], np.ndarray]  # the numbers of a storage of the file
Contents = tuple[Net, dict[str, np.ndarray], dict[str, Any]]  # the net, its arrays, what the file says of it


def read_tensors(path: str | os.PathLike, *, state: str | None = None) -> dict[str, np.ndarray]:
    """Reads the tensors of a checkpoint file.

    Args:
        path: a file of `torch.save` (the zip format, or the legacy one of before PyTorch 1.6) or of safetensors; told
            from its content.
        state: where in the file, as its keys with dots between (`"state_dict_ema"`); default: where an HRNet is, or
            else the most tensors.

    Returns:
        `{name: array}` in PyTorch's names and layout; arrays of `.pth` files are read-only views of the mapped file, so
        they take memory only as they are touched. What is no tensor is left out.

    Raises:
        CheckpointError: no such file, not a checkpoint, damaged, naming an object that tensors do not need, or with
            several nets and nothing that tells which.

    Source: the formats as `torch.save` of PyTorch 0.4 to 2.13 writes them.
    """
    return _read_file(path, state)[1]


def read_state(path: str | os.PathLike, *, state: str | None = None) -> State:
    """`read_tensors` as a `states.State`: by the names that the net's program has, with what the file says of them."""
    net, arrays, says = _read_file(path, state)
    try:
        return state_of(net, arrays, says)
    except CheckpointError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error}") from error


def _read_file(path: str | os.PathLike, state: str | None) -> Contents:
    """The net that was chosen, its arrays by their names in the file, and what a file of this package says of it."""
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise CheckpointError(f"{path}: the file is empty")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _read(path, data, state)
    except CheckpointError as error:
        if str(error).startswith(path):
            raise
        raise CheckpointError(f"{path}: {error}") from error.__cause__
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise CheckpointError(f"{path}: claims more memory than there is") from error
    except Exception as error:  # whatever a damaged file provokes, it is the file's fault
        raise CheckpointError(f"{path}: damaged ({type(error).__name__}: {error})") from error


def _read(path: str, data: mmap.mmap, state: str | None) -> Contents:
    if data[:4] == b"PK\x03\x04":
        return _chosen(*_open_zip(data), state)
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data):
        return _read_safetensors(path, data, state)
    if data[:1] == b"\x80":
        return _chosen(*_open_legacy(data), state)
    raise CheckpointError(_no_checkpoint(data))


def _no_checkpoint(data: mmap.mmap) -> str:
    """What a file is that is none of the three."""
    start = bytes(data[:64]).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "this is a web page, not a checkpoint: the download went to a form or an error page"
    if start.startswith(b"version https://git-lfs"):
        return "this is a pointer of Git LFS, not the file itself: fetch it with git lfs pull"
    if start.startswith(b"{"):
        return "this is a JSON file, such as the index of a checkpoint in parts: expected the file of the weights"
    if data[257:262] == b"ustar" or start.startswith(b"./"):
        return "a tar archive: expected a file of torch.save or of safetensors; unpack it first"
    return f"expected a file of torch.save or of safetensors, found one that begins {start[:12]!r}"


def _read_safetensors(path: str, data: mmap.mmap, state: str | None) -> Contents:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"not a whole safetensors file ({error})") from error
    net = choose(places_in(arrays, lambda value: hasattr(value, "dtype")), state)
    header = json.loads(bytes(data[8 : 8 + int.from_bytes(data[:8], "little")]))
    return net, arrays, dict(json.loads(header.get("__metadata__", {}).get(OWN_METADATA, "{}")))


def _chosen(content: Any, read: ReadStorage, state: str | None) -> Contents:
    """Chooses the net in what a pickle built and gives its tensors their numbers."""
    places = []
    if isinstance(content, CONTAINERS):
        places = places_in(content, lambda value: isinstance(value, Tensor))
    if not places:
        kind = "an empty dict" if content == {} else f"a {kind_of(content)}"
        raise CheckpointError(f"expected a dict of tensors, found {kind} without any (an optimizer's are no net's)")
    net = choose(places, state)
    tensors = net.place.tensors
    storages = {id(tensor.storage): tensor.storage for tensor in tensors.values()}
    # Checking the sums of a zip file's members is most of the work.
    with ThreadPoolExecutor(2) as pool:
        numbers = dict(zip(storages, pool.map(read, storages.values()), strict=True))
    arrays = {name: tensor.view(numbers[id(tensor.storage)], name) for name, tensor in tensors.items()}
    return net, arrays, {}


# ---- the two containers


def _open_zip(data: mmap.mmap) -> tuple[Any, ReadStorage]:
    """Returns what the pickle of a zip archive built, and a function from its storages to arrays."""
    members = _members(data)
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise CheckpointError(f"a zip archive with {len(pickles)} members named <name>/data.pkl, expected 1")
    root = pickles[0].removesuffix("data.pkl")
    # torch.jit.save writes this member; such an archive holds code.
    if f"{root}constants.pkl" in members:
        raise CheckpointError(allowed.refusal("__torch__."))
    # Older files do not state the order: they are taken for little-endian.
    order = b"little"
    if f"{root}byteorder" in members:
        order = bytes(_member(data, members[f"{root}byteorder"]))
    if order not in _BYTE_ORDERS:
        raise CheckpointError(f"byteorder {order[:12]!r}: expected b'little' or b'big'")
    content = Machine(_member(data, members[pickles[0]])).run()

    def read(storage: Storage) -> np.ndarray:
        name = f"{root}data/{storage.key}"
        if name not in members:
            raise CheckpointError(f"no member {name!r}, which the pickle asks for")
        return storage.array(_member(data, members[name]), _BYTE_ORDERS[order])

    return content, read


_BYTE_ORDERS = {b"little": "<", b"big": ">"}
_Member = tuple[zipfile.ZipInfo, int, bool]  # what the archive says, where its bytes begin, whether it has a checksum


def _members(data: mmap.mmap) -> dict[str, _Member]:
    """The members of an archive by name; PyTorch can write a file without any checksum."""
    with zipfile.ZipFile(_Map(data)) as archive:
        infos = archive.infolist()
    has_sums = any(info.CRC != 0 for info in infos if info.file_size)
    members: dict[str, _Member] = {}
    for info in infos:
        if info.filename in members:
            raise CheckpointError(f"two members named {info.filename!r}")
        members[info.filename] = (info, _start(data, info), has_sums)
    return members


def _start(data: mmap.mmap, info: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin; its own header must name it as the archive's list does."""
    head = data[info.header_offset : info.header_offset + 30]
    begin = info.header_offset + len(head)
    if len(head) == 30 and head[:4] == b"PK\x03\x04":
        name_length, extra_length = struct.unpack("<HH", head[26:])
        if data[begin : begin + name_length] == info.orig_filename.encode():
            return begin + name_length + extra_length
    raise CheckpointError(f"member {info.filename!r} is not where the archive says")


def _member(data: mmap.mmap, member: _Member) -> memoryview:
    """The bytes of a member as a view of the file; its checksum must be right where there are any."""
    info, start, has_sum = member
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
        raise CheckpointError(f"member {info.filename!r} is compressed or encrypted: torch.save stores plainly")
    if start + info.file_size > len(data):
        raise CheckpointError(f"cut off: member {info.filename!r} ends behind the end of the file")
    view = memoryview(data)[start : start + info.file_size]
    if has_sum and zlib.crc32(view) != info.CRC:
        raise CheckpointError(f"member {info.filename!r} is damaged (wrong checksum)")
    return view


class _Map(io.RawIOBase):
    """A mapped file as `zipfile` wants it."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.position = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: len(self.data)}[whence]
        self.position = max(0, base + offset)
        return self.position

    def read(self, size: int | None = -1) -> bytes:
        end = len(self.data)
        if size is not None and size >= 0:
            end = self.position + size
        part = self.data[self.position : end]
        self.position += len(part)
        return part


def _open_legacy(data: mmap.mmap) -> tuple[Any, ReadStorage]:
    """The same for the format of before PyTorch 1.6: five pickles in a row, then the storages."""
    view = memoryview(data)
    machine = Machine(view)
    order = _legacy_order(machine)
    content = machine.run()
    keys = machine.run()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise CheckpointError("expected a list of storages behind the tensors")
    parts = _legacy_storages(view, machine, keys, order)

    def read(storage: Storage) -> np.ndarray:
        if storage.key not in parts:
            raise CheckpointError(f"storage {storage.key!r} is not in the file")
        return storage.array(parts[storage.key], order)

    return content, read


def _legacy_order(machine: Machine) -> str:
    """Reads what stands before the tensors: magic number, protocol, description of the machine; the bytes' order."""
    # torch.save before version 1.6 wrote these three as pickles of their own.
    magic, protocol, system = (machine.run() for _ in range(3))
    if magic != LEGACY_MAGIC:
        raise CheckpointError("a pickle, but not one of torch.save")
    if protocol != LEGACY_PROTOCOL:
        raise CheckpointError(f"protocol {protocol!r}: expected {LEGACY_PROTOCOL}")
    if not isinstance(system, dict):
        raise CheckpointError("the description of the writing machine is no dict")
    return "<" if system.get("little_endian", True) else ">"


def _legacy_storages(view: memoryview, machine: Machine, keys: list[str], order: str) -> dict[str, memoryview]:
    """`{key: bytes}` of the storages behind the pickles, each after the count of its numbers; nothing may follow."""
    parts: dict[str, memoryview] = {}
    position = machine.position
    for key in keys:
        start = position + 8
        if start > len(view) or key not in machine.storages:
            raise CheckpointError(f"cut off: storage {key!r} is not there")
        (count,) = struct.unpack(f"{order}q", view[position:start])
        position = start + machine.storages[key].dtype.itemsize * count
        if count < 0 or position > len(view):
            raise CheckpointError(f"cut off: storage {key!r} of {count} numbers ends behind the end of the file")
        parts[key] = view[start:position]
    if position != len(view):
        raise CheckpointError(f"{len(view) - position} bytes too many behind the last storage")
    return parts
