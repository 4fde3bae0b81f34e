"""Where answers go as files: names that tell them apart, inside one folder, over nothing that was given."""

import contextlib
import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any


@contextlib.contextmanager
def whole(path: str | os.PathLike) -> Iterator[str]:
    """A scratch path to write to, which becomes `path` once all is written: nobody ever finds half a file there.

    Raises:
        OSError: the folder can't be written.
    """
    path = os.path.realpath(path)
    # A pipe or a device takes the bytes itself.
    if os.path.exists(path) and not os.path.isfile(path):
        yield path
        return
    folder, name = os.path.split(path)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-", ignore_cleanup_errors=True) as scratch:
        yield os.path.join(scratch, name)
        os.replace(os.path.join(scratch, name), path)


def stems_for(pictures: Sequence[str], output: str, endings: Iterable[str], *, keep: Iterable[str] = ()) -> list[str]:
    """Where the answers about pictures go: the tree below the pictures' common folder, inside `output`.

    Args:
        pictures: paths of different files.
        output: folder of the answers; it need not exist.
        endings: of the files that are written for every picture, such as `(".png", "_labels.png")`.
        keep: files that must not be overwritten, beside the pictures themselves.

    Returns:
        A path per picture, to which the endings are added: `<output>/<folders>/<name>` without the picture's suffix, or
        with it where two answers would else be one file (`a.jpg` and `a.png`).

    Raises:
        ValueError: names that can't be told apart, an answer that would overwrite one of the given files or lie
            outside of `output`; nothing has been written.
    """
    names = _below_common_folder(pictures, os.getcwd())
    stems = [os.path.join(output, stem) for stem in _told_apart(names, pictures, endings, _same_file_name(output))]
    files = list(itertools.chain.from_iterable(_files_of(stems, endings)))
    check_targets(files, output, [*pictures, *keep])
    _check_new_beside(files, pictures)
    return stems


def _told_apart(names, pictures, endings, same):
    """Names without their suffixes, which those keep of whose answers two would else be one file."""
    stems = [os.path.splitext(name)[0] for name in names]
    while clashes := _clashes(stems, endings, same):
        are_final = True
        for i in clashes:
            are_final = are_final and stems[i] == names[i]
            stems[i] = names[i]
        if are_final:
            raise ValueError(
                f"{pictures[clashes[0]]}: its answer would have the name of another picture's: expected names that "
                "differ in more than upper and lower case"
            )
    return stems


def stems_inside(folder: str, names: Sequence[str], ending: str, *, keep: Iterable[Any] = ()) -> list[str]:
    """Where the answers about the examples of a data set go: `<folder>/<name>`.

    Args:
        folder: of the answers; it need not exist.
        names: of the examples, different ones. Where one of them would lead out of the folder (`../x`, `/x`), all are
            taken from their common folder on.
        ending: of the files that are written.
        keep: files that must not be overwritten.

    Returns:
        A path per name, to which the ending is added.

    Raises:
        ValueError: as `stems_for` does.
    """
    names = [os.path.normpath(name) for name in names]
    if any(os.path.isabs(name) or name.split(os.sep)[0] == os.pardir for name in names):
        names = _below_common_folder(names, os.path.join(os.sep, *["_"] * 64))  # `..` ends below the root
    clashes = _clashes(names, (ending,), _same_file_name(folder))
    if clashes:
        raise ValueError(f"{folder}: the answer about {names[clashes[0]]!r} would have the name of another one's")
    stems = [os.path.join(folder, name) for name in names]
    files = itertools.chain.from_iterable(_files_of(stems, (ending,)))
    check_targets(files, folder, keep)
    return stems


def check_targets(files: Iterable[str], folder: str, keep: Iterable[Any]) -> None:
    """Raises `ValueError` where a file to be written is one of `keep`, a folder, or lies outside of `folder`."""
    home = os.path.realpath(folder)
    kept = set(map(os.path.realpath, keep))
    for file in files:
        real = os.path.realpath(file)
        if real in kept:
            raise ValueError(f"{file}: was given and would be overwritten: expected another folder for the answers")
        if os.path.commonpath([real, home]) != home:
            raise ValueError(f"{file}: leads out of {folder} (to {real}): expected another folder for the answers")
        if os.path.isdir(real):
            raise ValueError(f"{file}: is a folder, where an answer would be written: expected another one for them")


def _check_new_beside(files, pictures):
    """Raises `ValueError` where an answer beside the pictures would replace a file: it may be a picture as well."""
    homes = set(map(os.path.realpath, map(os.path.dirname, pictures)))
    for file in files:
        if os.path.realpath(os.path.dirname(file)) in homes and os.path.lexists(file):
            raise ValueError(f"{file}: exists beside the pictures: expected another folder for the answers")


def _below_common_folder(paths, base):
    """Paths, of which relative ones begin at `base`, as seen from the folder that all of them lie in."""
    full = [os.path.normpath(os.path.join(base, path)) for path in paths]
    try:
        common = os.path.commonpath(list(map(os.path.dirname, full)))
    except ValueError:
        raise ValueError(f"{paths[0]} and others lie on several drives: expected pictures of one drive") from None
    return [os.path.relpath(path, common) for path in full]


def _clashes(stems, endings, same):
    """Indices of the stems of which a file has the name of another's file, or of a folder that another needs."""
    files = [list(map(same, own)) for own in _files_of(stems, endings)]
    taken = Counter(itertools.chain.from_iterable(files))
    for folder in set(itertools.chain.from_iterable(map(_folders_above, stems))):
        taken[same(folder)] += 1
    clashes = []
    for i, own in enumerate(files):
        if any(taken[file] > 1 for file in own):
            clashes.append(i)
    return clashes


def _files_of(stems, endings):
    """The files that are written for every stem, a list each."""
    return [[stem + ending for ending in endings] for stem in stems]


def _folders_above(path):
    while path := os.path.dirname(path):
        yield path
        if os.path.dirname(path) == path:
            return


def _same_file_name(folder):
    """The function by whose result names are compared: without case where the folder's file system knows none."""
    folder = os.path.abspath(folder)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    swapped = os.path.join(os.path.dirname(folder), os.path.basename(folder).swapcase())
    ignores_case = swapped != folder and os.path.exists(swapped) and os.path.samefile(folder, swapped)
    return str.casefold if ignores_case else str
