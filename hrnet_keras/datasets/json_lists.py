"""Long lists of a json file, read a part at a time and without the deep end of their entries.

COCO's annotations are polygons for nine tenths; whoever asks for boxes need not build a million lists of numbers. Only
brackets and quotes are looked at, by NumPy, to find where entries and their inner lists begin and end; what is left
between them is read by Python's own json. Any json is read: order of keys, white space, escapes, entries of other
shapes make no difference.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrnet_keras.datasets.json_brackets import Brackets, brackets_in
from hrnet_keras.datasets.reading import DataError, FilePath
from hrnet_keras.datasets.text import MARKS, read_text

PART = 1 << 16  # bytes that are looked at together; more leave the caches, and wake the garbage collector
WINDOW = 1 << 12  # bytes in which a key or number is looked for first
SPACE = re.compile(rb"[ \t\r\n]*")
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
SCALAR = re.compile(rb"[^\s,\]}]+")
LIST_END = ord("]")


@dataclass(frozen=True)
class Entries:
    """Some neighbouring entries of a list.

    Attributes:
        values: the entries; lists and objects below their own lists and objects are empty.
        begins, ends: int64 `(n,)`, the bytes of each in the file: the first, and the one after the last.
    """

    values: list[dict]
    begins: np.ndarray
    ends: np.ndarray


class JsonFile:
    """The text of a json file in UTF-8, read by ranges of bytes; another encoding is read as a whole.

    Args:
        path: of the file.
        remedy: what to do where it is missing, for the message.

    Raises:
        DataError: missing, or not readable.
    """

    def __init__(self, path: FilePath, remedy: str = "") -> None:
        self.path = path
        self.place = Path(path).absolute()  # the working folder may change
        self.remedy = remedy
        self.contents: bytes | None = None
        try:
            with open(path, "rb") as stream:
                begin = stream.read(4)
                self.state = _state(os.fstat(stream.fileno()))
        except FileNotFoundError:
            raise DataError(f"{path}: no such file{': ' if remedy else ''}{remedy}") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
        encoding = next((name for mark, name in MARKS if begin.startswith(mark)), "utf-8")
        self.size = self.state[0]
        if not encoding.startswith("utf-8"):
            self.contents = read_text(path, remedy).encode()
            self.size = len(self.contents)
        self.begin = 3 if encoding == "utf-8-sig" else 0

    def read(self, begin: int, end: int) -> bytes:
        """The bytes from `begin` to the one before `end`."""
        return self.ranges([(begin, end)])[0]

    def ranges(self, pairs: list[tuple[int, int]]) -> list[bytes]:
        """The bytes of several ranges; `DataError` where the file is not what it was when it was opened."""
        if self.contents is not None:
            return [self.contents[begin:end] for begin, end in pairs]
        try:
            with open(self.place, "rb", buffering=0) as stream:
                if _state(os.fstat(stream.fileno())) != self.state:
                    raise DataError(f"{self.path}: has changed since it was opened: open the data set again")
                return [_part(stream, begin, end - begin) for begin, end in pairs]
        except FileNotFoundError:
            raise DataError(f"{self.path}: is gone since it was opened: expected it to stay there") from None
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror or error})") from error

    def parsed(self, text: bytes) -> Any:
        """What a piece of the file says."""
        try:
            return json.loads(text.decode())
        except UnicodeDecodeError:
            read_text(self.path, self.remedy)  # says where
            raise
        except (ValueError, RecursionError) as error:
            raise self.error(str(error)) from error

    def error(self, what: str) -> DataError:
        return DataError(f"{self.path}: cut short or no json ({what}): unpack or copy it again")


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _part(stream: Any, begin: int, count: int) -> bytes:
    stream.seek(begin)
    part = stream.read(count)
    while part and len(part) < count:  # a raw read may stop early
        more = stream.read(count - len(part))
        if not more:
            break
        part += more
    return part


class Members:
    """The members of the object that a json file is, in the order of the file; every value is read once or passed over.

    Args:
        file: a `JsonFile`.

    Example:
        members = Members(JsonFile(path))
        for key in members:
            if key == "annotations":
                for entries in members.entries(): ...
            else:
                value = members.value()

    Raises:
        DataError: the file is no json object, or a list that is asked for by entries is none, or not one of objects.
    """

    def __init__(self, file: JsonFile) -> None:
        self.file = file
        self.at = file.begin

    def __iter__(self) -> Iterator[str]:
        self._expect(b"{")
        is_open = self._next() != b"}"
        while is_open:
            key = self.file.parsed(self._matched(STRING, "a key in quotes"))
            self._expect(b":")
            self._next()
            begin = self.at
            yield key
            if self.at == begin:
                self.at = self._end()
            is_open = self._next() != b"}"
            if is_open:
                self._expect(b",")
                self._next()
        self.at += 1
        rest = self.file.read(self.at, self.file.size).strip()
        if rest:
            raise self.file.error(f"{rest[:20].decode(errors='replace')!r} after its end")

    def value(self) -> Any:
        """What the member says whose key came last."""
        begin = self.at
        self.at = self._end()
        return self.file.parsed(self.file.read(begin, self.at))

    def entries(self) -> Iterator[Entries]:
        """The objects of the list that the member is whose key came last."""
        if self._next() != b"[":
            raise DataError(f"{self.file.path}: expected a list of objects, as in COCO's layout")
        self.at += 1
        is_first = True
        size = PART
        while True:
            part = self.file.read(self.at, self.at + size)
            brackets = brackets_in(part)
            if brackets.closed is None and not brackets.ends.size:
                if len(part) < size:
                    raise self.file.error("a list without an end")
                size *= 2
                continue
            if brackets.ends.size:
                yield self._entries(part, brackets, is_first)
                is_first = False
            if brackets.closed is not None:
                self._check_tail(part, brackets)
                self.at += brackets.closed + 1
                return
            self.at += int(brackets.ends[-1])
            size = PART

    def _entries(self, part: bytes, brackets: Brackets, is_first: bool) -> Entries:
        text = brackets.shallow(part)
        if not is_first:
            text = text.lstrip(b" \t\r\n")
            if not text.startswith(b","):
                raise self.file.error("no comma between two entries of a list")
            text = text[1:]
        values = self.file.parsed(b"[" + text + b"]")
        if len(values) != len(brackets.ends) or not all(isinstance(value, dict) for value in values):
            raise DataError(f"{self.file.path}: a list with something else than objects: expected COCO's layout")
        return Entries(values, self.at + brackets.begins, self.at + brackets.ends)

    def _check_tail(self, part: bytes, brackets: Brackets) -> None:
        assert brackets.closed is not None
        last = int(brackets.ends[-1]) if brackets.ends.size else 0
        rest = part[last : brackets.closed].strip()
        if rest:
            raise self.file.error(f"{rest[:20].decode(errors='replace')!r} after the last object of a list")
        if part[brackets.closed] != LIST_END:
            raise self.file.error("a list that ends with another bracket")

    def _next(self) -> bytes:
        """The next byte that is no white space."""
        while True:
            window = self.file.read(self.at, self.at + WINDOW)
            space = len(SPACE.match(window).group())  # type: ignore[union-attr]
            self.at += space
            if space < len(window):
                return window[space : space + 1]
            if not window:
                raise self.file.error("it ends early")

    def _expect(self, byte: bytes) -> None:
        found = self._next()
        if found != byte:
            raise self.file.error(f"{found.decode(errors='replace')!r} at byte {self.at}, expected {byte.decode()!r}")
        self.at += 1

    def _matched(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        """The text at hand that a pattern matches, and passes over it."""
        size = WINDOW
        while True:
            window = self.file.read(self.at, self.at + size)
            match = pattern.match(window)
            is_whole = len(window) < size
            if match and (match.end() < len(window) or is_whole):
                self.at += match.end()
                return match.group()
            if is_whole:
                raise self.file.error(f"at byte {self.at} expected {what}")
            size *= 2

    def _end(self) -> int:
        """The byte after the value at hand."""
        begin, first = self.at, self._next()
        if first not in b"[{":
            self._matched(STRING if first == b'"' else SCALAR, "a value")
            end, self.at = self.at, begin
            return end
        size = WINDOW
        while True:
            part = self.file.read(begin + 1, begin + 1 + size)
            closed = brackets_in(part).closed
            if closed is not None:
                return begin + closed + 2
            if len(part) < size:
                raise self.file.error("a list or object without an end")
            size *= 2
