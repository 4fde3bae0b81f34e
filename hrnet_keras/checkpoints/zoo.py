"""Published weights by name: what there is, which one a word like `"cityscapes"` means, and how it gets here."""

import functools
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from importlib import resources

HOME = "HRNET_KERAS_HOME"
TRIES = 4
PAUSE = 0.5  # seconds before the second try; doubles
CHUNK = 1 << 16
TIMEOUT = 30.0  # seconds without a byte


class DownloadError(OSError):
    """Weights that can't be fetched; the message names address and the path to put the file at by hand."""


@dataclass(frozen=True)
class Entry:
    """One published file of weights.

    Attributes:
        name: what `weights=` takes.
        task: `"cls"`, `"seg"`, `"landmark"`, `"pose"`, `"det"`, or `None` for a trunk alone.
        representation, width, lineage, head, framework, align_corners: how the builder is to build its net.
        data: data set it was trained on.
        count: classes, joints or points; `None` where only the file says.
        input: `(height, width)` it was trained or scored at.
        codec: how its heat maps encode points.
        crop_box: which box its crops of faces were taken from, where it isn't the one around the landmarks.
        crop, interpolation: of the picture preparation it was scored with (classification). Every net takes RGB with
            ImageNet's mean and standard deviation, which the builders put into the graph.
        score: published figures, percent (AP and PCKh as published); `note`: what they were measured under.
        trunk: the file that other tasks start from.
        file: its published file name; ours where only a web form is known.
        url: stable address; `None` where `page` leads to a web form or folder.
        sha256: hexadecimal, or the first digits, as published.
        source: who published it.
        licence: of the publisher's repository.
    """

    name: str
    task: str | None
    representation: str
    width: str
    lineage: str
    file: str
    data: str
    source: str
    licence: str
    head: str | None = None
    framework: str | None = None
    align_corners: bool | None = None
    count: int | None = None
    input: tuple[int, int] | None = None
    codec: str | None = None
    crop_box: str | None = None
    crop: float | None = None
    interpolation: str | None = None
    score: dict = field(default_factory=dict)
    note: str = ""
    trunk: bool = False
    url: str | None = None
    page: str | None = None
    sha256: str | None = None

    @property
    def published(self):
        """What a model of these weights says of its published score: `score`, `note`, and how it was measured."""
        branch = next((name for name in ("HRNet-OCR", "mmsegmentation") if name in self.source), None)
        found = {"score": dict(self.score), "note": self.note, "branch": branch}
        return found | {"multi_scale": "multi-scale" in self.note, "flip": "flip" in self.note}

    @property
    def path(self):
        """Where the file lies, or will lie, on this machine."""
        return os.path.join(home(), "weights", self.source.split(" ")[0].replace("/", "_"), self.file)


@functools.cache
def entries():
    """All published weights that are known, as `Entry`."""
    text = resources.files("hrnet_keras.checkpoints").joinpath("zoo.json").read_text(encoding="utf-8")
    return tuple(Entry(**row) for row in json.loads(text))


def list_weights(task=None):
    """Lists the published weights.

    Args:
        task: only of this task; default: all.

    Returns:
        One dict per file with the fields of `hrnet_keras.checkpoints.zoo.Entry`, `aliases` (short names that mean this
        one in some builder) and `cached` (whether the file is on this machine).

    Raises:
        ValueError: no such task.

    Example:
        >>> import hrnet_keras as hk
        >>> [row["name"] for row in hk.list_weights("landmark") if "wflw" in row["aliases"]]
        ['hrnetv2_w18_wflw_256x256_dark']
    """
    tasks = sorted({entry.task for entry in entries() if entry.task})
    if task is not None and task not in tasks:
        raise ValueError(f"task={task!r}: expected one of {', '.join(map(repr, tasks))}")
    rows = [entry for entry in entries() if task is None or entry.task == task]
    return [asdict(e) | {"aliases": _aliases(e), "cached": os.path.exists(e.path)} for e in rows]


def find(name, *, task, representation, width, lineage=None, head=None, input_shape=None):
    """Finds the published weights that a name means for a builder.

    Args:
        name: of an entry, or an alias: the data set it was trained on, `"imagenet"` among them. An alias means the
            entry of best score for the same task and net; `"imagenet"` for another task than cls is the trunk that the
            papers start from.
        task, representation, width, lineage, head: of the net; `None` for lineage and head: whatever the weights have.
        input_shape: where its height and width are numbers, entries trained at that size go first.

    Returns:
        The `Entry`.

    Raises:
        ValueError: nothing of that name, or nothing that fits this net; the message lists what does.
    """
    named = next((entry for entry in entries() if entry.name == name), None)
    if named is not None:
        _check_fit(named, task, representation, width, lineage)
        return named
    fitting = [e for e in entries() if e.data == name and _fits(e, task, representation, width, lineage, head)]
    if not fitting and name == "imagenet":
        fitting = [entry for entry in entries() if entry.trunk and entry.width == width]
    if not fitting:
        raise ValueError(_nothing(name, task, representation, width, lineage, head))
    size = tuple(input_shape or ())[:2]
    return max(fitting, key=lambda e: (e.url is not None, tuple(e.input or ()) == size, _merit(e)))


def best(name, *, tasks):
    """The published weights of a name, or, for a data set's name, those of best score over all plain nets.

    Raises:
        ValueError: nothing of that name for these tasks.
    """
    known = [entry for entry in entries() if entry.task in tasks]
    found = [e for e in known if e.name == name or (e.data == name and e.head is None and e.url)]
    if not found:
        words = sorted({entry.data for entry in known})
        raise ValueError(
            f"weights={name!r}: expected a published name for {' or '.join(tasks)}, or one of {', '.join(words)}"
        )
    return max(found, key=_merit)


def fetch(entry):
    """Brings the file of an entry to this machine, unless it is there, and checks it.

    Downloads resume where they were cut off, are moved into place only when whole and right, and wait for another
    process that fetches the same file.

    Returns:
        Path of the file, in the folder that the environment variable `HRNET_KERAS_HOME` names
        (default `~/.cache/hrnet_keras`).

    Raises:
        DownloadError: it can't be had, or is not what was published.
    """
    from filelock import FileLock

    if entry.url is None and not os.path.exists(entry.path):
        raise DownloadError(
            f"{entry.file} has no stable address: get it by hand from {entry.page} and put it at {entry.path}"
        )
    if os.path.exists(entry.path) and os.path.exists(f"{entry.path}.checked"):
        return entry.path
    try:
        os.makedirs(os.path.dirname(entry.path), exist_ok=True)
        with FileLock(f"{entry.path}.lock"):
            if os.path.exists(entry.path):
                _check(entry, entry.path, "put there by hand")
            else:
                _download(entry)
            with open(f"{entry.path}.checked", "w", encoding="utf-8"):
                pass
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(f"can't write {entry.path}: {error.strerror or error}") from error
    return entry.path


def home():
    """The folder of downloads."""
    return os.path.expanduser(os.environ.get(HOME) or os.path.join("~", ".cache", "hrnet_keras"))


def _fits(entry, task, representation, width, lineage, head):
    same = entry.representation == representation and entry.width == width
    asked = entry.task == task or (entry.task == "det" and task is None and representation == "V2p")
    headed = entry.head == head or (head is None and entry.task == "cls")  # of "ssld" nets only biases are another
    return same and asked and headed and lineage in (None, entry.lineage)


def _check_fit(entry, task, representation, width, lineage):
    own = entry.task == task and entry.representation == representation
    start = entry.task in ("cls", "det", None) and task != "cls"
    if entry.width != width or not (own or start) or (own and lineage not in (None, entry.lineage)):
        raise ValueError(
            f"weights={entry.name!r} is an HRNet{entry.representation}{entry.width} for task {entry.task!r}, lineage "
            f"{entry.lineage!r}: it does not fit HRNet{representation}{width} for task {task!r}"
            + (f", lineage {lineage!r}" if lineage else "")
        )


def _nothing(name, task, representation, width, lineage, head):
    here = [e for e in entries() if _fits(e, task, representation, width, lineage, head)]
    words = sorted({entry.data for entry in here} | {"imagenet"})
    known = sorted({entry.data for entry in entries()})
    what = f"HRNet{representation}{width} for task {task!r}" + "".join(
        f", {key} {value!r}" for key, value in (("lineage", lineage), ("head", head)) if value
    )
    if name in known:
        return f"weights={name!r}: none published for {what}; there is {', '.join(map(repr, words))}"
    return (
        f"weights={name!r}: expected None, the path of a checkpoint, or a published name; for {what}: "
        f"{', '.join(map(repr, words))} (all: hrnet-keras models)"
    )


def _merit(entry):
    """Larger is better; test-set and multi-scale figures are not compared with plain ones."""
    plain = not entry.note
    if "NME" in entry.score:
        return plain, -entry.score["NME"]
    return plain, next((value for key, value in entry.score.items()), 0.0)


def _aliases(entry):
    """The words that mean this entry in the builder of its own net."""
    try:
        net = {"task": None if entry.task == "det" else entry.task, "width": entry.width}
        chosen = find(entry.data, representation=entry.representation, head=entry.head, **net)
    except ValueError:
        return []
    return [entry.data] if chosen is entry or (entry.trunk and entry.data == "imagenet") else []


# ---- getting a file


def _download(entry):
    import requests

    part, reason = f"{entry.path}.part", "?"
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            _continue(entry, part)
            break
        except requests.exceptions.HTTPError as error:
            reason = f"the server answers {error.response.status_code}"
            if error.response.status_code < 500:
                raise _unreachable(entry, reason) from error
        except requests.exceptions.RequestException as error:
            reason = _plain(error)
    else:
        raise _unreachable(entry, reason)
    try:
        _check(entry, part, entry.url)
    except DownloadError:
        os.remove(part)
        raise
    os.replace(part, entry.path)


def _check(entry, path, origin):
    found = sha256_of(path) if entry.sha256 else ""
    if not found.startswith(entry.sha256 or ""):
        raise DownloadError(
            f"{path} ({origin}) is not the published file: its SHA-256 begins {found[: len(entry.sha256)]}, expected "
            f"{entry.sha256}"
        )


def _continue(entry, part):
    """Appends what is missing of a file; raises where the connection breaks before the end."""
    import requests

    have = os.path.getsize(part) if os.path.exists(part) else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(entry.url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416 and have:  # nothing behind what is here, or another file by now
            whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
            if whole == str(have):
                return
            os.remove(part)
            raise requests.exceptions.ConnectionError("the part that is here does not fit the server's file")
        answer.raise_for_status()
        if answer.status_code != 206:
            have = 0
        size = answer.headers.get("Content-Length")
        total = None if size is None else have + int(size)
        with open(part, "ab" if have else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                have += len(chunk)
                _show(entry, have, total)
    if total is not None and have < total:
        raise requests.exceptions.ConnectionError(f"cut off after {have} of {total} bytes")


def _show(entry, have, total):
    import sys

    if sys.stderr.isatty():
        of = f" of {total / 1e6:.0f}" if total else ""
        end = "\n" if have == total else ""
        print(f"\r{entry.file}: {have / 1e6:.0f}{of} MB", end=end, file=sys.stderr, flush=True)


def _unreachable(entry, reason):
    return DownloadError(
        f"can't download {entry.url} ({reason}). Fetch it on another machine and put it at {entry.path}"
    )


def _plain(error):
    kind = type(error).__name__
    known = {"ConnectTimeout": "no answer in time", "ReadTimeout": "no answer in time"}
    return known.get(kind) or (str(error) if "cut off" in str(error) else f"no connection: {kind}")


def sha256_of(path):
    """Hexadecimal SHA-256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            found.update(chunk)
    return found.hexdigest()
