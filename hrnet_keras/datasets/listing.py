"""What lies in a folder, without what operating systems leave there; pictures are known by ending or by content."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hrnet_keras.datasets.reading import HEIC, DataError, FilePath

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".avif",
)  # fmt: skip
EXPECTED = "jpg, png, bmp, gif, webp or tif files"
OTHERS = (".txt", ".json", ".xml", ".csv", ".md", ".yaml", ".yml", ".npy", ".npz", ".mat", ".ini", ".db")
# First bytes of JPEG, PNG and GIF. Not TIFF's: cameras' raw files have them too, and Pillow reads their previews.
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")
LEFT_BY_SYSTEMS = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information")


def is_ours(path: Path) -> bool:
    """Whether a file or folder is the user's: macOS leaves `._name`, `.DS_Store` and `__MACOSX`, others the like."""
    return not path.name.startswith(".") and path.name not in LEFT_BY_SYSTEMS


def files_in(folder: FilePath, pattern: str) -> list[Path]:
    """Sorted paths below a folder that match a pattern of `pathlib` and are the user's own; [] without the folder."""
    folder = Path(folder)
    return sorted(path for path in folder.glob(pattern) if all(map(is_ours, _steps(path, folder))))


def folders_in(folder: FilePath) -> list[Path]:
    """Sorted folders in a folder that are the user's own."""
    return sorted(path for path in Path(folder).iterdir() if is_ours(path) and path.is_dir())


def pictures_in(folder: FilePath) -> list[Path]:
    """Sorted pictures in a folder: by their endings (`SUFFIXES`), and files of unusual ones by their first bytes.

    Raises:
        DataError: the folder can't be listed.
    """
    try:
        return sorted(path for path in Path(folder).iterdir() if is_ours(path) and _is_picture(path))
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror or error})") from error


def told_apart(files: Sequence[Path]) -> list[str]:
    """Names of the pictures of a folder: their stems, or with the endings where two stems are alike (`a.jpg`, `a.png`).

    Upper and lower case count as alike, as on the disks of Windows and macOS: answers are written under these names.
    """
    stems = [file.stem for file in files]
    is_plain = len({stem.lower() for stem in stems}) == len(stems)
    return stems if is_plain else [file.name for file in files]


def _steps(path: Path, top: Path) -> Iterator[Path]:
    """The path and the folders between it and `top`."""
    while path != top:
        yield path
        path = path.parent


def _is_picture(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return True
    if suffix in OTHERS:
        return False
    try:
        with open(path, "rb") as stream:
            start = stream.read(12)
    except OSError:  # a folder, or a file that may not be read
        return False
    if start[:4] == b"RIFF":
        return start[8:] == b"WEBP"
    # HEIC, too, which is then refused by name instead of left out without a word.
    return start.startswith(BEGINNINGS) or start[4:] in HEIC
