"""The names that a checkpoint's pickle may mention: what tensors need, and harmless objects that stand beside them.

None is ever imported, looked up or called; a name that is not here is refused.
"""

import ml_dtypes
import numpy as np

DTYPES = {
    "float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16,
    "int64": np.int64, "int32": np.int32, "int16": np.int16, "int8": np.int8, "uint8": np.uint8, "bool": np.bool_,
    "uint64": np.uint64, "uint32": np.uint32, "uint16": np.uint16, "complex64": np.complex64,
    "complex128": np.complex128, "float8_e4m3fn": ml_dtypes.float8_e4m3fn, "float8_e5m2": ml_dtypes.float8_e5m2,
    "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "float8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
}  # fmt: skip
STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "UntypedStorage": "uint8", "_UntypedStorage": "uint8",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
}  # fmt: skip
QUANTIZED = {"QUInt8Storage": "uint8", "QInt8Storage": "int8", "QInt32Storage": "int32"}  # numbers without their scale
STORAGE_MODULES = ("torch", "torch.cuda", "torch.storage")

CONTAINERS = frozenset({
    "collections.OrderedDict", "collections.defaultdict", "collections.deque", "torch.Size",
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("dict", "list", "tuple")),
})  # fmt: skip
REBUILDERS = frozenset({
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2",
})  # fmt: skip
INERT_TYPES = frozenset({"torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer"})

_PYTHON = (
    "set", "frozenset", "object", "getattr", "bytearray", "complex", "slice", "range", "xrange", "int", "float", "str",
    "bool", "bytes",
)  # fmt: skip
_TORCH = (
    "device", "strided", "sparse_coo", "sparse_csr", "contiguous_format", "channels_last", "preserve_format",
    "per_tensor_affine", "per_channel_affine", "quint8", "qint8", "qint32", "complex32",
)  # fmt: skip
_SCHEDULERS = (
    "LRScheduler", "_LRScheduler", "LambdaLR", "StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts", "OneCycleLR", "PolynomialLR", "LinearLR", "ConstantLR", "SequentialLR",
    "ReduceLROnPlateau", "Counter",
)  # fmt: skip
_NUMPY = (
    "dtype", "ndarray", "core.multiarray.scalar", "core.multiarray._reconstruct", "_core.multiarray.scalar",
    "_core.multiarray._reconstruct", "core.numeric._frombuffer", "_core.numeric._frombuffer",
    "random._pickle.__randomstate_ctor", "random._pickle.__generator_ctor", "random._pickle.__bit_generator_ctor",
    "random._mt19937.MT19937", "random._pcg64.PCG64", "random.bit_generator.SeedSequence",
    "random.bit_generator.__pyx_unpickle_SeedSequence",
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)), "float16", "float32", "float64",
    "bool_", "str_",
    *(f"dtypes.{kind}{bits}DType" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)), "dtypes.Float16DType",
    "dtypes.Float32DType", "dtypes.Float64DType", "dtypes.BoolDType", "dtypes.StrDType", "dtypes.ObjectDType",
)  # fmt: skip
_LIGHTNING = (
    "pytorch_lightning.utilities.parsing.AttributeDict", "lightning_fabric.utilities.data.AttributeDict",
    "lightning.fabric.utilities.data.AttributeDict", "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
)  # fmt: skip
_CONFIGURATIONS = (
    "argparse.Namespace", "types.SimpleNamespace", "easydict.EasyDict", "addict.addict.Dict", "yacs.config.CfgNode",
    "mmengine.logging.history_buffer.HistoryBuffer", "mmengine.config.config.ConfigDict",
    "mmcv.utils.config.ConfigDict", "omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig",
    "omegaconf.base.ContainerMetadata", "omegaconf.base.Metadata", "omegaconf.base.SCMode", "omegaconf.nodes.AnyNode",
    "omegaconf.nodes.StringNode", "omegaconf.nodes.IntegerNode", "omegaconf.nodes.FloatNode",
    "omegaconf.nodes.BooleanNode", "typing.Any",
)  # fmt: skip

# What people's checkpoints carry beside their tensors: scores, settings, histories, states of random generators, and
# tensors of kinds that no HRNet is made of. Each becomes a blank, so even the harmful-looking ones are only words.
BLANKS = frozenset({
    "_codecs.encode", "collections.Counter", "copyreg._reconstructor", "copy_reg._reconstructor", "random.Random",
    "datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta", "datetime.timezone",
    "decimal.Decimal", "fractions.Fraction", "uuid.UUID", "uuid.SafeUUID",
    *(f"{module}.{flavour}" for module in ("pathlib", "pathlib._local")
      for flavour in ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in _PYTHON),
    *(f"torch.{name}" for name in _TORCH),
    "torch.serialization._get_layout", "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_meta_tensor_no_storage", "torch._utils._rebuild_nested_tensor",
    "torch.torch_version.TorchVersion",
    *(f"torch.optim.{name}" for name in ("sgd.SGD", "adam.Adam", "adamw.AdamW", "rmsprop.RMSprop")),
    *(f"torch.optim.lr_scheduler.{name}" for name in _SCHEDULERS),
    *(f"numpy.{name}" for name in _NUMPY), *_LIGHTNING, *_CONFIGURATIONS,
})  # fmt: skip

_ADVICE = (
    "save its weights alone with PyTorch and the program that wrote it: torch.save(model.state_dict(), 'weights.pth')"
)


def is_allowed(text: str) -> bool:
    """Whether a file may mention a Python object, by its dotted name."""
    module, _, last = text.rpartition(".")
    if text in BLANKS or text in CONTAINERS or text in REBUILDERS or text in INERT_TYPES:
        return True
    if module == "torch" and last in DTYPES:
        return True
    return module in STORAGE_MODULES and (last in STORAGES or last in QUANTIZED)


def refusal(text: str) -> str:
    """Why a name is refused, and what to do about it."""
    text = text[:120]
    if text.startswith("__torch__."):
        return (
            "a TorchScript program: refused. Save its weights alone with PyTorch: "
            "torch.save(torch.jit.load(path).state_dict(), 'weights.pth')"
        )
    if text == "torch.storage._load_from_bytes":
        return f"tensors inside a pickle of Python's own: refused. Load it where it was written and {_ADVICE}"
    if text.startswith(("torch.nn.modules.", "torch.nn.parallel.")):
        return (
            f"the file names {text!r}, so a whole module was saved, which only the program that wrote it can read: "
            f"refused. Load it there and {_ADVICE}"
        )
    return (
        f"the file names {text!r}, which tensors do not need: refused. Where you trust the file, or where a whole "
        f"module was saved, {_ADVICE}"
    )
