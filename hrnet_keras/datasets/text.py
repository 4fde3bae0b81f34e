"""Text files that people write: names, lists, tables. UTF-8, or UTF-16 with its mark; another encoding is named."""

import codecs
from pathlib import Path

from hrnet_keras.datasets.reading import DataError, FilePath

# UTF-32's little-endian mark begins with UTF-16's.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


def read_text(file: FilePath, remedy: str = "") -> str:
    """The text of a file in UTF-8, with or without a byte order mark, or in UTF-16 or UTF-32 with one.

    Another encoding is not guessed, since names would be read wrongly without a word; the error shows what the first
    strange line would be in Windows' Western European one.

    Args:
        file: its path.
        remedy: what to do where it is missing, for the message.

    Raises:
        DataError: missing, not readable, or another encoding.
    """
    try:
        contents = Path(file).read_bytes()
    except FileNotFoundError:
        raise DataError(f"{file}: no such file{': ' if remedy else ''}{remedy}") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error
    encoding = next((name for mark, name in MARKS if contents.startswith(mark)), "utf-8")
    if encoding.startswith("utf-8") and b"\0" in contents:
        raise DataError(
            f"{file}: holds zero bytes: UTF-16 without its byte order mark, or no text at all; save it as UTF-8"
        )
    try:
        return contents.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: {_not_decoded(contents, encoding, error)}") from None


def _not_decoded(contents: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    if encoding != "utf-8":
        return f"begins like text in {encoding.upper().removesuffix('-SIG')} and is none ({error.reason}): cut short?"
    number = contents.count(b"\n", 0, error.start) + 1
    line = contents.split(b"\n")[number - 1].strip().decode("cp1252", "replace")
    return f"not UTF-8 text (line {number}; {line[:60]!r} if it is Windows-1252, cp1252): save it as UTF-8"
