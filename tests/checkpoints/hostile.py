"""Classic attacks on readers of pickles and archives. Nothing here does harm by itself: bytes only."""

import io
import pickle
import struct
import zipfile

PROTO, STOP, MARK, TUPLE, REDUCE = b"\x80\x02", b".", b"(", b"t", b"R"


def _global(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def _text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _call(module, name, *arguments):
    return PROTO + _global(module, name) + MARK + b"".join(arguments) + TUPLE + REDUCE + STOP


def pickles():
    """`(name, pickle)` of programs that a naive reader would run, or choke on."""
    yield "os_system", _call("os", "system", _text("touch pwned"))
    yield "posix_system", _call("posix", "system", _text("touch pwned"))
    yield "subprocess", _call("subprocess", "Popen", _text("touch pwned"))
    yield "eval", _call("builtins", "eval", _text("open('pwned', 'w')"))
    yield "eval_python2", _call("__builtin__", "eval", _text("open('pwned', 'w')"))
    yield "exec", _call("builtins", "exec", _text("open('pwned', 'w')"))
    yield "import", _call("builtins", "__import__", _text("antigravity"))
    yield (
        "getattr",
        PROTO + _global("builtins", "getattr") + MARK + _global("os", "path") + _text("x") + TUPLE + REDUCE + STOP,
    )
    yield "torch_load", _call("torch.serialization", "load", _text("/etc/passwd"))
    yield "torch_hub", _call("torch.hub", "load_state_dict_from_url", _text("http://127.0.0.1:9/x"))
    yield "runstring", _call("numpy.testing._private.utils", "runstring", _text("open('pwned','w')"), b"}")
    yield "codecs_open", _call("codecs", "open", _text("pwned"), _text("w"))
    yield "dotted_rebuild", _call("torch._utils", "_rebuild_tensor_v2.__globals__", _text("x"))
    inner = _call("os", "system", _text("touch pwned"))[2:-1]
    yield "nested_reduce", PROTO + _global("collections", "OrderedDict") + MARK + inner + TUPLE + REDUCE + STOP
    yield "stack_global", b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch pwned\x85R."
    yield "inst", b"(X\x0b\x00\x00\x00touch pwnedios\nsystem\n."
    yield "obj", b"(" + _global("os", "system") + _text("touch pwned") + b"o."
    yield "newobj_ex", PROTO + _global("os", "system") + MARK + TUPLE + b"}" + b"\x92" + STOP
    yield (
        "build_state",
        PROTO + _global("collections", "OrderedDict") + b")R}" + _text("__class__") + _text("x") + b"s" + b"b.",
    )
    yield "extension", PROTO + b"\x82\x01" + STOP
    yield "persistent_name", b"Pos.system\n."
    yield "numpy_object", _call("numpy", "load", _text("/etc/passwd"))
    yield "huge_string", PROTO + b"\x8d" + struct.pack("<Q", 2**60) + b"x" + STOP
    yield "huge_bytes", PROTO + b"\x8e" + struct.pack("<Q", 2**62) + b"x" + STOP
    yield "huge_bytearray", b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x" + STOP
    yield "huge_frame", b"\x80\x04\x95" + struct.pack("<Q", 2**63 - 1) + b"}" + STOP
    yield "huge_long", PROTO + b"\x8b" + struct.pack("<i", 2**31 - 1) + b"\x01" + STOP
    yield "negative_long", PROTO + b"\x8b" + struct.pack("<i", -5) + b"\x01" + STOP
    yield "huge_memo", PROTO + b"}" + b"r" + struct.pack("<I", 2**32 - 1) + STOP
    yield "huge_decimal", b"L" + b"9" * 1_000_000 + b"L\n."
    yield "deep_lists", PROTO + b"]" * 500_000 + b"a" * 499_999 + STOP
    yield "deep_tuples", PROTO + b")" + b"\x85" * 900_000 + STOP
    yield "deep_tuple_as_key", PROTO + b"}" + b")" + b"\x85" * 900_000 + b"Ns" + STOP
    yield "deep_tuple_in_set", b"\x80\x04\x8f(" + b")" + b"\x85" * 900_000 + b"\x90" + STOP
    yield "marks", PROTO + b"(" * 1_900_000 + b"t" * 1_900_000 + STOP
    yield "billion_laughs", PROTO + b"]q\x00" + b"".join(b"](" + b"h\x00" * 200 + b"eq\x00" for _ in range(60)) + STOP
    big = PROTO + b"](" + b"N" * 900_000 + b"eq\x00"
    yield "copies_of_a_big_list", big + (_global("torch", "Size") + b"h\x00\x85R") * 50_000 + STOP
    yield "many_steps", PROTO + b"}" * 60_000_000 + STOP
    yield "no_stop", PROTO + b"}"
    yield "pops_of_nothing", PROTO + b"0" * 100 + STOP
    yield "a_number", PROTO + b"K\x01" + STOP
    yield "a_list", PROTO + b"]" + STOP


def _tensor(storage, offset, shape, strides):
    """A dict of one tensor as PyTorch pickles it."""
    kind, count = storage
    persistent = (
        MARK + _text("storage") + _global("torch", kind) + _text("0") + _text("cpu") + _number(count) + TUPLE + b"Q"
    )
    numbers = [MARK + b"".join(map(_number, values)) + TUPLE for values in (shape, strides)]
    built = _global("torch._utils", "_rebuild_tensor_v2") + MARK + persistent + _number(offset) + b"".join(numbers)
    return PROTO + b"}" + _text("a") + built + b"\x89" + _global("collections", "OrderedDict") + b")R" + TUPLE + b"Rs."


def _number(value):
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


def tensors():
    """`(name, pickle)` of tensors that reach outside of their numbers; the storage has 30 of them."""
    yield "behind_the_end", _tensor(("FloatStorage", 30), 0, (31,), (1,))
    yield "offset", _tensor(("FloatStorage", 30), 29, (2,), (1,))
    yield "huge_offset", _tensor(("FloatStorage", 30), 2**61, (1,), (1,))
    yield "negative_offset", _tensor(("FloatStorage", 30), -4, (2,), (1,))
    yield "negative_stride", _tensor(("FloatStorage", 30), 10, (4,), (-1,))
    yield "huge_stride", _tensor(("FloatStorage", 30), 0, (2,), (2**60,))
    yield "expanded_without_end", _tensor(("FloatStorage", 30), 0, (2**40,), (0,))
    yield "huge_shape", _tensor(("FloatStorage", 30), 0, (2**31, 2**31, 2**31), (0, 0, 0))
    yield "many_dimensions", _tensor(("FloatStorage", 30), 0, (1,) * 100, (1,) * 100)
    yield "strides_missing", _tensor(("FloatStorage", 30), 0, (5, 6), (1,))
    yield "more_numbers_than_bytes", _tensor(("FloatStorage", 2**50), 0, (5, 6), (6, 1))
    yield "negative_count", _tensor(("FloatStorage", -30), 0, (5, 6), (6, 1))
    yield "unknown_storage", _tensor(("QUInt8Storage", 30), 0, (5, 6), (6, 1))


def payloads(archive, legacy):
    """`(name, file)` of all attacks, each inside both containers where it can be.

    Args:
        archive, legacy: a good file of either format.
    """
    for name, data in [*pickles(), *tensors()]:
        yield f"{name}_zip", _archive(archive, {"data.pkl": data})
        if len(data) < 1 << 16:
            yield f"{name}_legacy", _legacy(data)
            yield f"{name}_bare", data
    good = zipfile.ZipFile(io.BytesIO(archive))
    pickled = good.read(next(name for name in good.namelist() if name.endswith("data.pkl")))
    yield "compressed", _archive(archive, {}, zipfile.ZIP_DEFLATED)
    yield "bomb", _archive(archive, {"data.pkl": b"\0" * 50_000_000}, zipfile.ZIP_DEFLATED)
    yield "two_pickles", _archive(archive, {"data.pkl": pickled}, again="other/data.pkl")
    yield "parent_folder", _renamed(pickled, "../../data.pkl", "../../data/0")
    yield "absolute", _renamed(pickled, "/etc/data.pkl", "/etc/data/0")
    yield "link", _renamed(pickled, "archive/data.pkl", "archive/data/0", link=True)
    yield "no_storages", _renamed(pickled, "archive/data.pkl", None)
    yield "legacy_without_numbers", legacy[: legacy.rfind(b"]")]


def _archive(good, changes, method=zipfile.ZIP_STORED, again=None):
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(target, "w", method) as new:
        for info in old.infolist():
            leaf = info.filename.rsplit("/", 1)[-1]
            new.writestr(info.filename, changes.get(leaf, old.read(info)))
        if again:
            new.writestr(again, changes["data.pkl"])
    return target.getvalue()


def _renamed(pickled, name, storage, link=False):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(name, pickled)
        if storage:
            info = zipfile.ZipInfo(storage)
            if link:
                info.external_attr = 0o120777 << 16
            archive.writestr(info, "/etc/passwd")
    return target.getvalue()


def _legacy(data):
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    return b"".join([*head, data, pickle.dumps([], 2)])
