"""Published weights by name: what there is, which one a word like `"cityscapes"` means, and how it gets here."""

import functools
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from typing import Any

from hrnet_keras.tasks import PYRAMID, TASKS

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
        task: name of a task, or `None` for a trunk alone.
        representation, width, lineage, head, framework, align_corners: how the builder is to build its net.
        data: data set it was trained on.
        count: classes, joints or points; `None` where only the file says.
        input_size: `(height, width)` it was trained or scored at.
        codec: how its heat maps encode points.
        crop_box: which box its crops of faces were taken from, where it isn't the one around the landmarks.
        crop_ratio, interpolation: of the picture preparation it was scored with (classification). Every net takes RGB
            with ImageNet's mean and standard deviation, which the builders put into the graph.
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
    input_size: tuple[int, int] | None = None
    codec: str | None = None
    crop_box: str | None = None
    crop_ratio: float | None = None
    interpolation: str | None = None
    score: dict[str, float] = field(default_factory=dict)
    note: str = ""
    trunk: bool = False
    url: str | None = None
    page: str | None = None
    sha256: str | None = None

    @property
    def variant(self) -> str | None:
        """Of the task's head: `head` or `framework`."""
        return self.head or self.framework

    @property
    def is_usual(self) -> bool:
        """Whether its head is the task's usual one."""
        return self.task not in TASKS or self.variant == TASKS[self.task].variants[0]

    @property
    def is_built(self) -> bool:
        """Whether this version has its head; a trunk alone has none."""
        return self.task not in TASKS or self.variant in TASKS[self.task].variants

    @property
    def published(self) -> dict[str, Any]:
        """What a model of these weights says of its published score: `score`, `note`, and how it was measured."""
        branch = next((name for name in ("HRNet-OCR", "mmsegmentation") if name in self.source), None)
        measured = {"multi_scale": "multi-scale" in self.note, "flip": "flip" in self.note}
        return {"score": dict(self.score), "note": self.note, "branch": branch, **measured}

    @property
    def path(self) -> str:
        """Where the file lies, or will lie, on this machine."""
        return os.path.join(home(), "weights", self.source.split(" ")[0].replace("/", "_"), self.file)

    @property
    def starts_others(self) -> bool:
        """Whether nets of other tasks start from its trunk."""
        return self.task not in TASKS or TASKS[self.task].starts_others


@functools.cache
def entries() -> tuple[Entry, ...]:
    """All published weights that are known."""
    text = resources.files("hrnet_keras.checkpoints").joinpath("zoo.json").read_text(encoding="utf-8")
    rows = json.loads(text)
    for row in rows:
        if "input_size" in row:
            row["input_size"] = tuple(row["input_size"])
    return tuple(Entry(**row) for row in rows)


def named(name: str) -> Entry | None:
    """The entry of that very name, `None` where there is none."""
    return next((entry for entry in entries() if entry.name == name), None)


def list_weights(task: str | None = None) -> list[dict[str, Any]]:
    """Lists the published weights.

    Args:
        task: only of this task; default: all.

    Returns:
        One dict per file with the fields of `hrnet_keras.checkpoints.zoo.Entry` (`input_size` and `crop_ratio` as
        `input` and `crop`), `aliases` (short names that mean this one in some builder) and `cached` (whether the file
        is on this machine).

    Raises:
        ValueError: no such task.

    Example:
        >>> import hrnet_keras as hk
        >>> [row["name"] for row in hk.list_weights() if "wflw" in row["aliases"]]
        ['hrnetv2_w18_wflw_256x256_dark']
    """
    tasks = sorted({entry.task for entry in entries() if entry.task})
    if task is not None and task not in tasks:
        raise ValueError(f"task={task!r}: expected one of {', '.join(map(repr, tasks))}")
    return [_row(entry) for entry in entries() if task in (None, entry.task)]


def _row(entry: Entry) -> dict[str, Any]:
    row = asdict(entry)
    size = row.pop("input_size")
    row["input"] = None if size is None else list(size)
    row["crop"] = row.pop("crop_ratio")
    return row | {"aliases": _aliases(entry), "cached": os.path.exists(entry.path)}


@dataclass(frozen=True)
class _Net:
    """The net of a builder that weights are looked for; `None` for lineage and head: whatever the weights have."""

    task: str | None
    representation: str
    width: str
    lineage: str | None
    head: str | None

    def is_of(self, entry: Entry) -> bool:
        """Whether an entry's weights are those of this very net."""
        same_net = (entry.representation, entry.width) == (self.representation, self.width)
        if not same_net or self.lineage not in (None, entry.lineage):
            return False
        if self.task is None:  # a trunk, or the pyramid of a detector
            return entry.task in (None, PYRAMID) and entry.head == self.head
        task = TASKS[self.task]
        any_variant = self.head is None and task.variants_alike
        return entry.task == self.task and (any_variant or entry.variant == (self.head or task.variants[0]))

    def __str__(self) -> str:
        text = f"HRNet{self.representation}{self.width} for task {self.task!r}"
        for word in ("lineage", "head"):
            if getattr(self, word):
                text += f", {word} {getattr(self, word)!r}"
        return text


def find(
    name: str, *, task: str | None, representation: str, width: str, lineage: str | None = None,
    head: str | None = None, input_shape: Sequence[int | None] | None = None,
) -> Entry:  # fmt: skip
    """Finds the published weights that a name means for a builder.

    Args:
        name: of an entry, or an alias: the data set it was trained on, `"imagenet"` among them. An alias means the
            entry of best score for the same task and net; `"imagenet"` for a task that starts from others' weights is
            the trunk that the papers start from.
        task, representation, width, lineage: of the net; `None` for the lineage: whatever the weights have.
        head: variant of the task's head; `None`: the usual one, or whatever a published file has that is named.
        input_shape: where its height and width are numbers, entries trained at that size go first.

    Returns:
        The `Entry`.

    Raises:
        ValueError: nothing of that name, or nothing that fits this net; the message lists what does.
    """
    net = _Net(task, representation, width, lineage, head)
    entry = named(name)
    if entry is not None:
        _check_fit(entry, net)
        return entry
    fitting = _trained_on(name, net)
    if not fitting:
        raise ValueError(_nothing(name, net))
    size = tuple(input_shape or ())[:2]
    return max(fitting, key=lambda e: (e.url is not None, tuple(e.input_size or ()) == size, _rank_key(e)))


def _trained_on(data: str, net: _Net) -> list[Entry]:
    """The entries of a data set that fit a net; of ImageNet also the trunks that the papers start from."""
    fitting = [entry for entry in entries() if entry.data == data and net.is_of(entry)]
    if not fitting and data == "imagenet":
        return [entry for entry in entries() if entry.trunk and entry.width == net.width]
    return fitting


def best(name: str, *, tasks: Sequence[str] = tuple(TASKS)) -> Entry:
    """The published weights of a name, or, for a data set's name, those of best score over all plain nets.

    Scores of different tasks can't be compared: of a data set that several of them learn from, as persons and objects
    of COCO, it is the first task's.

    Raises:
        ValueError: nothing of that name for these tasks.
    """
    candidates = [entry for entry in entries() if entry.task in tasks]
    fitting = [
        entry for entry in candidates
        if entry.name == name or (entry.data == name and entry.is_usual and entry.url)
    ]  # fmt: skip
    if not fitting:
        words = sorted({entry.data for entry in candidates})
        raise ValueError(
            f"weights={name!r}: expected a published name for {' or '.join(tasks)}, or one of {', '.join(words)}"
        )
    first = next(task for task in tasks if any(entry.task == task for entry in fitting))
    return max((entry for entry in fitting if entry.task == first), key=_rank_key)


def fetch(entry: Entry) -> str:
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


def home() -> str:
    """The folder of downloads."""
    return os.path.expanduser(os.environ.get(HOME) or os.path.join("~", ".cache", "hrnet_keras"))


def check_built(entry: Entry) -> None:
    """Raises `ValueError` where this version does not have the head of an entry."""
    if entry.is_built:
        return
    task = TASKS[entry.task or ""]
    there = ", ".join(repr(variant) for variant in task.variants)
    raise ValueError(
        f"weights={entry.name!r}: for task {task.name!r} this version has {there}, not {entry.variant!r}; with "
        "task=None the feature maps of these weights can be had"
    )


def _check_fit(entry: Entry, net: _Net) -> None:
    is_own = entry.representation == net.representation and entry.task in (net.task, net.task or PYRAMID)
    fits = entry.width == net.width and (is_own or _may_start(entry, net))
    if is_own and net.lineage not in (None, entry.lineage):
        fits = False
    if not fits:
        wanted = str(replace(net, head=None))
        raise ValueError(
            f"weights={entry.name!r} is an HRNet{entry.representation}{entry.width} for task {entry.task!r}, lineage "
            f"{entry.lineage!r}: it does not fit {wanted}"
        )
    if is_own and net.task is not None:
        check_built(entry)


def _may_start(entry: Entry, net: _Net) -> bool:
    """Whether a net may start from the trunk of an entry of another."""
    if net.task is None:
        return entry.starts_others
    task = TASKS[net.task]
    return task.starts_from_any or (entry.starts_others and not task.starts_others)


def _nothing(name: str, net: _Net) -> str:
    words = ", ".join(map(repr, sorted({entry.data for entry in entries() if net.is_of(entry)} | {"imagenet"})))
    if any(entry.data == name for entry in entries()):
        return f"weights={name!r}: none published for {net}; there is {words}"
    return (
        f"weights={name!r}: expected None, the path of a checkpoint, or a published name; for {net}: "
        f"{words} (all: hrnet-keras models)"
    )


def _rank_key(entry: Entry) -> tuple[bool, float]:
    """Larger is better; test-set and multi-scale figures are not compared with plain ones."""
    score = next(iter(entry.score.values()), 0.0)
    if "NME" in entry.score:  # an error: smaller is better
        score = -entry.score["NME"]
    return not entry.note, score


def _aliases(entry: Entry) -> list[str]:
    """The words that mean this entry in the builder of its own net."""
    net = _Net(None, entry.representation, entry.width, None, None)  # as which it gives feature maps
    if entry.task in TASKS and entry.is_built:
        net = replace(net, task=entry.task, head=entry.variant)
    try:
        chosen = find(entry.data, **asdict(net))
    except ValueError:
        return []
    if chosen is entry or (entry.trunk and entry.data == "imagenet"):
        return [entry.data]
    return []


# ---- getting a file


def _download(entry: Entry) -> None:
    part = f"{entry.path}.part"
    _fetch_part(entry, part)
    try:
        _check(entry, part, str(entry.url))
    except DownloadError:
        os.remove(part)
        raise
    os.replace(part, entry.path)


def _fetch_part(entry: Entry, part: str) -> None:
    """Tries until the whole file is there; an answer that says no (4xx) ends it at once."""
    import requests

    reason = "?"
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            _continue(entry, part)
            return
        except requests.exceptions.HTTPError as error:
            response: Any = error.response
            reason = f"the server answers {response.status_code}"
            if response.status_code < 500:
                raise _unreachable(entry, reason) from error
        except requests.exceptions.RequestException as error:
            reason = _reason(error)
    raise _unreachable(entry, reason)


def _check(entry: Entry, path: str, origin: str) -> None:
    if not entry.sha256:
        return
    digest = sha256_of(path)
    if not digest.startswith(entry.sha256):
        raise DownloadError(
            f"{path} ({origin}) is not the published file: its SHA-256 begins {digest[: len(entry.sha256)]}, expected "
            f"{entry.sha256}"
        )


def _continue(entry: Entry, part: str) -> None:
    """Appends what is missing of a file; raises where the connection breaks before the end."""
    import requests

    start = os.path.getsize(part) if os.path.exists(part) else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    with requests.get(str(entry.url), headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416 and start:
            _check_whole(response, part, start)
            return
        response.raise_for_status()
        if response.status_code != 206:  # the server sends the file from its beginning
            start = 0
        _append(entry, response, part, start)


def _check_whole(response: Any, part: str, size: int) -> None:
    """Nothing is behind the part that is here: it is the whole file, or of another file by now."""
    whole = response.headers.get("Content-Range", "").rpartition("/")[2]
    if whole == str(size):
        return
    import requests

    os.remove(part)
    raise requests.exceptions.ConnectionError("the part that is here does not fit the server's file")


def _append(entry: Entry, response: Any, part: str, start: int) -> None:
    import requests

    length = response.headers.get("Content-Length")
    total = None if length is None else start + int(length)
    size = start
    with open(part, "ab" if start else "wb") as file:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            size += len(chunk)
            _show(entry, size, total)
    if total is not None and size < total:
        raise requests.exceptions.ConnectionError(f"cut off after {size} of {total} bytes")


def _show(entry: Entry, size: int, total: int | None) -> None:
    if not sys.stderr.isatty():
        return
    whole = f" of {total / 1e6:.0f}" if total else ""
    end = "\n" if size == total else ""
    print(f"\r{entry.file}: {size / 1e6:.0f}{whole} MB", end=end, file=sys.stderr, flush=True)


def _unreachable(entry: Entry, reason: str) -> DownloadError:
    return DownloadError(
        f"can't download {entry.url} ({reason}). Fetch it on another machine and put it at {entry.path}"
    )


def _reason(error: Exception) -> str:
    kind = type(error).__name__
    if kind in ("ConnectTimeout", "ReadTimeout"):
        return "no answer in time"
    if "cut off" in str(error):
        return str(error)
    return f"no connection: {kind}"


def sha256_of(path: str) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()
