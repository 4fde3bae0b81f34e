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
from concurrent.futures import ThreadPoolExecutor

from hrnet_keras.checkpoints import allowed
from hrnet_keras.checkpoints.pickled import CheckpointError, Machine, Tensor, kind_of
from hrnet_keras.checkpoints.states import choose, places_in, state_of

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
CONTAINERS = (dict, list, tuple)
OWN_METADATA = "hrnet_keras"  # key under which a .safetensors file of this package says what its tensors don't


def read_tensors(path, *, state=None):
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
    return _reading(path, state)[1]


def read_state(path, *, state=None):
    """`read_tensors` as a `states.State`: by plain name, with what the file says of them."""
    net, arrays, says = _reading(path, state)
    try:
        return state_of(net, arrays, says)
    except CheckpointError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error}") from error


def _reading(path, state):
    """The net that was chosen, its arrays by their names in the file, and what a file of this package says of it."""
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise CheckpointError(f"{path}: the file is empty")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _read(path, data, state)
    except CheckpointError as error:
        raise error if str(error).startswith(path) else CheckpointError(f"{path}: {error}") from error.__cause__
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise CheckpointError(f"{path}: claims more memory than there is") from error
    except Exception as error:  # whatever a damaged file provokes, it is the file's fault
        raise CheckpointError(f"{path}: damaged ({type(error).__name__}: {error})") from error


def _read(path, data, state):
    if data[:4] == b"PK\x03\x04":
        return _chosen(*_open_zip(data), state)
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data):
        return _read_safetensors(path, data, state)
    if data[:1] == b"\x80":
        return _chosen(*_open_legacy(data), state)
    raise CheckpointError(_no_checkpoint(data))


def _no_checkpoint(data):
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


def _read_safetensors(path, data, state):
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"not a whole safetensors file ({error})") from error
    net = choose(places_in(arrays, lambda value: hasattr(value, "dtype")), state)
    header = json.loads(bytes(data[8 : 8 + int.from_bytes(data[:8], "little")]))
    return net, arrays, dict(json.loads(header.get("__metadata__", {}).get(OWN_METADATA, "{}")))


def _chosen(content, storages, state):
    """Chooses the net in what a pickle built and gives its tensors their numbers."""
    places = places_in(content, lambda value: isinstance(value, Tensor)) if isinstance(content, CONTAINERS) else []
    if not places:
        kind = "an empty dict" if content == {} else f"a {kind_of(content)}"
        raise CheckpointError(f"expected a dict of tensors, found {kind} without any (an optimizer's are no net's)")
    net = choose(places, state)
    tensors = net.place.tensors
    unique = {id(tensor.storage): tensor.storage for tensor in tensors.values()}
    with ThreadPoolExecutor(2) as pool:  # checking the sums of a zip file's members is most of the work
        arrays = dict(zip(unique, pool.map(storages, unique.values()), strict=True))
    return net, {name: tensor.view(arrays[id(tensor.storage)], name) for name, tensor in tensors.items()}, {}


# ---- the two containers


def _open_zip(data):
    """Returns what the pickle of a zip archive built, and a function from its storages to arrays."""
    members = _members(data)
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise CheckpointError(f"a zip archive with {len(pickles)} members named <name>/data.pkl, expected 1")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in members:
        raise CheckpointError(allowed.refusal("__torch__."))
    order = "<"
    if f"{root}byteorder" in members:
        stated = bytes(_member(data, members[f"{root}byteorder"]))
        if stated not in (b"little", b"big"):
            raise CheckpointError(f"byteorder {stated[:12]!r}: expected b'little' or b'big'")
        order = "<" if stated == b"little" else ">"
    found = Machine(_member(data, members[pickles[0]])).run()

    def storage(wanted):
        name = f"{root}data/{wanted.key}"
        if name not in members:
            raise CheckpointError(f"no member {name!r}, which the pickle asks for")
        return wanted.array(_member(data, members[name]), order)

    return found, storage


def _members(data):
    """`{name: (info, where its bytes begin, whether it has a checksum)}`; PyTorch can write a file without any."""
    with zipfile.ZipFile(_Map(data)) as archive:
        members = {}
        for info in archive.infolist():
            if info.filename in members:
                raise CheckpointError(f"two members named {info.filename!r}")
            members[info.filename] = (info, _start(data, info))
    without_sums = all(info.CRC == 0 for info, _ in members.values() if info.file_size)
    return {name: (info, start, not without_sums) for name, (info, start) in members.items()}


def _start(data, info):
    """Where a member's bytes begin; its own header must name it as the archive's list does."""
    head = data[info.header_offset : info.header_offset + 30]
    name_length, extra_length = struct.unpack("<HH", head[26:30]) if len(head) == 30 else (0, 0)
    begin = info.header_offset + 30
    if head[:4] != b"PK\x03\x04" or data[begin : begin + name_length] != info.orig_filename.encode():
        raise CheckpointError(f"member {info.filename!r} is not where the archive says")
    return begin + name_length + extra_length


def _member(data, member):
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
    machine = Machine(view)
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
