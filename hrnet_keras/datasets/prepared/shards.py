"""Files inside the shards of a prepared data set, and the list that finds them in the order of the files outside."""

import io
import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

CHUNK = 64  # records that are read at a time to list their names


def import_tfds() -> ModuleType:
    """The package `tensorflow_datasets`; raises `ImportError` with the remedy where it or `array_record` is missing."""
    try:
        import array_record  # noqa: F401
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(f"prepared data needs {error.name}: pip install 'hrnet-keras[data]'") from error
    return tensorflow_datasets


@dataclass(frozen=True, slots=True)
class Stored:
    """A file inside shards: stands where a data set read from files has a path, and is read anew each time.

    Attributes:
        shards: where it lies.
        record: number of its record there.
        feature: of the record.
        name: of the example, for messages.
        suffix: that the file has outside, with the dot.
    """

    shards: "Shards"
    record: int
    feature: str
    name: str
    suffix: str

    def read(self) -> bytes:
        """The bytes of the file; makes Pillow take this for an open one."""
        return self.shards.features(self.record)[self.feature]

    def read_bytes(self) -> bytes:
        """The bytes of the file, as a path gives them."""
        return self.read()

    def open(self, mode: str = "rb") -> io.BytesIO:
        """A stream of the bytes, as a path gives it."""
        return io.BytesIO(self.read())

    def __str__(self) -> str:
        return f"{self.shards.folder}: {self.feature} of {self.name!r}"


class Shards:
    """The records of one split; a thread keeps its last one, as picture and label map are asked for by turns."""

    def __init__(self, builder: Any, split: str, files: tuple[str, ...]) -> None:
        tfds = import_tfds()
        undecoded = {feature: tfds.decode.SkipDecoding() for feature in files if feature}
        self.source = builder.as_data_source(split, decoders=undecoded)
        self.folder = Path(builder.data_path)
        self.split = split
        self.classes = getattr(dict(builder.info.features).get("label"), "names", None)
        self._last = threading.local()

    def features(self, record: int) -> dict[str, Any]:
        """The features of a record, undecoded."""
        if getattr(self._last, "record", None) != record:
            self._last.features = self.source[record]
            self._last.record = record
        return self._last.features


def listed(shards: Shards, entry: Callable[[dict, Any], tuple[Any, str, int | None]]) -> list:
    """`(record, name, class or None)` of all records in the order of the files, listed once and kept beside them.

    Args:
        shards: the `Shards`.
        entry: features of a record, names of the classes -> (what it is sorted by, name, class or None).
    """
    file = shards.folder / f"order-{shards.split}.json"
    if file.is_file():
        rows = json.loads(file.read_text(encoding="utf-8"))
        if len(rows) == len(shards.source):
            return rows
    entries = []
    for first in range(0, len(shards.source), CHUNK):
        chunk = range(first, min(first + CHUNK, len(shards.source)))
        for record, features in zip(chunk, shards.source.__getitems__(chunk), strict=True):
            key, name, label = entry(features, shards.classes)
            entries.append((key, record, name, label))
        _show(shards, chunk.stop)
    rows = [row for _, *row in sorted(entries)]
    try:
        # Two processes may list at the same time.
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(rows), encoding="utf-8")
        os.replace(draft, file)
    except OSError:  # shards that may only be read are listed each time
        pass
    return rows


def _show(shards: Shards, done: int) -> None:
    if sys.stderr.isatty():
        count = len(shards.source)
        end = "\n" if done == count else ""
        print(f"\r{shards.folder}: listed {done} of {count} in {shards.split}", end=end, file=sys.stderr, flush=True)
