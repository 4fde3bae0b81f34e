"""Names of classes in pictures: a font that has their letters, or their ids where no font here has them."""

import functools
import os
import sys
import unicodedata
from pathlib import Path

from PIL import ImageFont, features

# Where systems keep their fonts.
FOLDERS = {
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": (os.path.join(os.environ.get("WINDIR", "C:/Windows"), "Fonts"), "~/AppData/Local/Microsoft/Windows/Fonts"),
}
LINUX_FOLDERS = ("~/.local/share/fonts", "~/.fonts", "/usr/local/share/fonts", "/usr/share/fonts")
PLAIN = ("DejaVuSans", "NotoSans-Regular", "NotoSansCJK-Regular", "Arial", "Arial Unicode")  # looked at first
NOWHERE = "\U0010fffe"  # no character, and none to be: fonts draw what they draw for letters that they lack


def lettering(name, number, size):
    """How the name of a class can be written.

    Args:
        name: of the class.
        number: its id.
        size: of the letters, in pixels.

    Returns:
        A font of Pillow and the text to write with it: the name, in Pillow's own font or one of this machine that has
        all its letters; where there is none, `class <id>`.
    """
    plain = ImageFont.load_default(size)
    letters = "".join(sorted(set(name)))
    if _has(plain, letters):
        return plain, name
    path = _font_with(letters)
    return (plain, f"class {number}") if path is None else (ImageFont.truetype(path, size), name)


@functools.cache
def _font_with(letters):
    """Path of the first font of this machine that has all letters, or `None`."""
    if not _in_order(letters):
        return None
    for path in _fonts():
        try:
            if _has(ImageFont.truetype(path, 16), letters):
                return path
        except OSError:  # a damaged font, or one of a kind that FreeType can't scale
            continue
    return None


@functools.cache
def _fonts():
    """Paths of the fonts of this machine, plain ones first."""
    folders = [Path(folder).expanduser() for folder in FOLDERS.get(sys.platform, LINUX_FOLDERS)]
    files = [
        file for folder in folders for file in folder.rglob("*") if file.suffix.lower() in (".ttf", ".otf", ".ttc")
    ]
    rank = {name: i for i, name in enumerate(PLAIN)}
    files.sort(key=lambda file: (rank.get(file.stem, len(PLAIN)), "Regular" not in file.stem, file))
    return [str(file) for file in files]


def _in_order(letters):
    """Whether Pillow can put the letters in their order and shape: from right to left and joined ones need Raqm."""
    joined = any(
        unicodedata.bidirectional(c) in ("R", "AL") or unicodedata.category(c) in ("Mn", "Mc") for c in letters
    )
    return not joined or features.check("raqm")


def _has(font, letters):
    """Whether a font has a picture of its own for every letter."""
    missing = _picture(font, NOWHERE)
    return all(letter.isspace() or _picture(font, letter) != missing for letter in letters)


def _picture(font, letter):
    mask = font.getmask(letter)
    return mask.size, bytes(mask)
