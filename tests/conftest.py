"""Fixtures shared by all tests: golden numbers, sample pictures, a quiet TensorFlow."""

import ctypes
import gc
import importlib.util
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

HERE = Path(__file__).parent
GROWTH = 1_000_000_000  # bytes of memory that tests may add before the models they have left are looked for


class _Memory:
    """Frees what tests have left once it is much.

    Keras's models are circles of references with hundreds of megabytes of weights, but few objects, so that Python
    hardly ever looks for them; and what is freed in small pieces the C library keeps.
    """

    base = 0

    @staticmethod
    def resident():
        """Bytes of memory in use, 0 where the system does not say it."""
        try:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        except OSError:
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    @classmethod
    def bound(cls):
        resident = cls.resident()
        cls.base = min(cls.base, resident) or resident
        if resident - cls.base < GROWTH:
            return
        gc.collect()
        if sys.platform == "linux":
            getattr(ctypes.CDLL(None), "malloc_trim", int)(0)  # of glibc alone
        cls.base = cls.resident()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish():
    _Memory.bound()


@pytest.fixture(scope="session")
def golden():
    """`golden(kind, case)` -> the case's description and its arrays (see tests/golden/README.md).

    The small ones are part of the repository; the rest is read from beside the checkout, where it is there.
    """

    def read(kind, case):
        base = HERE / "golden" / kind / case
        if not Path(f"{base}.json").exists():
            base = HERE.parent.parent / "shared" / "golden" / kind / case
        if not Path(f"{base}.json").exists():
            pytest.skip(f"needs the golden {kind}/{case} in shared/ beside the checkout")
        with open(f"{base}.json", encoding="utf-8") as file:
            meta = json.load(file)
        path = Path(f"{base}.npz")
        return meta, dict(np.load(path)) if path.exists() else {}

    return read


@pytest.fixture(scope="session")
def weights_rule():
    """The module that turns names and shapes into the goldens' weights and inputs."""
    spec = importlib.util.spec_from_file_location("weights_rule", HERE / "golden" / "weights_rule.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def samples():
    """Folder of sample pictures beside the checkout; they are not part of the repository."""
    folder = HERE.parent.parent / "shared" / "samples"
    if not folder.is_dir():
        pytest.skip(f"needs the sample pictures in {folder.name}/ beside the checkout")
    return folder
