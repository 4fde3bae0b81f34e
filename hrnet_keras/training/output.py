"""The folder of a run: the states that it can go on from, and everything else that follows from them."""

import contextlib
import json
import logging
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from hrnet_keras.recipe import Recipe

logger = logging.getLogger(__name__)

# What may differ where a run goes on; anything else makes it another experiment.
RESUMABLE_OVERRIDES = ("data.root", "data.cache", "data.unreadable", "train.epochs", "train.evaluate_every", "output")
ABOUT = "run.json"  # of a state's file
OF_A_RUN = ("best.keras", "last.keras", "history.jsonl")


@dataclass(frozen=True)
class State:
    """What a run had done after an epoch.

    Attributes:
        epoch: how many were done.
        path: of its file.
        recipe: as in `recipe.json`.
        history: the lines of `history.jsonl`, as dicts.
    """

    epoch: int
    path: str
    recipe: dict[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)

    def restore(self, variables: list[Any]) -> None:
        """Gives Keras variables, in the order that they were kept in, their values; raises `ValueError` for others."""
        with np.load(self.path) as file:
            values = [file[name] for name in file.files if name != ABOUT]
        if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
            raise ValueError(f"{self.path}: is of another net than the recipe's: did another version write it?")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


class Output:
    """An output folder while a run writes into it; as a context it is locked against a second one.

    A state is `backup/epoch_<n>.npz`: the variables of model and optimizer, recipe and history, with the checksums of a
    zip file. It is written under another name and then renamed, so it is whole or not there; the newest two are kept.
    (Not HDF5, which takes the process down with it where a disk is full.)
    `recipe.json` and `history.jsonl` are written again from it, whatever became of them. Until there is a state, the
    folder is not claimed: leaving the context takes away what was made there.

    Args:
        recipe: the `Recipe`, with its `output`.
        writes: whether this process may write; of several workers the first one does, the others read alone.

    Raises:
        ValueError: the folder can't be written, another process trains into it, or it holds another experiment, a
            finished one, or one whose states are all damaged.
    """

    def __init__(self, recipe: Recipe, *, writes: bool = True):
        self.recipe = recipe
        self.writes = writes
        self.folder = recipe.output or os.path.join("runs", "recipe")
        self.backup = self.path("backup")
        self.done = 0  # epochs that the run can go on from
        self._made: list[str] = []
        self._lock: Any = None

    def path(self, *names: str) -> str:
        """Path of a file in the folder."""
        return os.path.join(self.folder, *names)

    def __enter__(self):
        try:
            if self.writes:
                self._make(self.folder)
                self._take_lock()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self._lock is not None:
            if not self.epochs():
                self._take_away("tensorboard")
            _forget(self._lock.lock_file)
            self._lock.release()
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):  # holds something by now
                os.rmdir(folder)

    def _make(self, folder: str) -> None:
        """Makes a folder with those above it, and notes which were not there."""
        missing: list[str] = []
        parent = os.path.abspath(folder)
        while not os.path.isdir(parent) and os.path.dirname(parent) != parent:
            missing.insert(0, parent)
            parent = os.path.dirname(parent)
        for path in missing:
            try:
                os.mkdir(path)
            except OSError as error:
                reason = error.strerror
                if os.path.isfile(path):
                    reason = "is a file: expected a folder"
                raise ValueError(f"output {folder}: {reason}") from error
            self._made.append(path)

    def _take_lock(self) -> None:
        from filelock import FileLock, Timeout

        lock = FileLock(os.path.abspath(self.path(".lock")), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise ValueError(
                f"output {self.folder}: another process trains into it: wait for its end or choose another output"
            ) from None
        except NotImplementedError:  # a file system without locks
            return
        except OSError as error:
            raise ValueError(f"output {self.folder}: {error.strerror or error}") from error
        self._lock = lock
        self._had = set(os.listdir(self.folder))

    def _take_away(self, name: str) -> None:
        """Removes a folder of this run that was not there before."""
        if name not in self._had:
            shutil.rmtree(self.path(name), ignore_errors=True)

    def epochs(self) -> list[int]:
        """Epochs of which there is a state, damaged or not, newest first."""
        if not os.path.isdir(self.backup):
            return []
        stems = [name[len("epoch_") : -len(".npz")] for name in os.listdir(self.backup) if name.endswith(".npz")]
        return sorted((int(stem) for stem in stems if stem.isdigit()), reverse=True)

    def _file(self, epoch: int) -> str:
        return os.path.join(self.backup, f"epoch_{epoch:04d}.npz")

    def find_state(self) -> State | None:
        """The newest whole state, `None` for a new run; says where an older one has to do.

        Raises:
            ValueError: as the class.
        """
        broken = []
        for epoch in self.epochs():
            try:
                state = self._read(epoch)
            except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
                broken.append(self._file(epoch))
                continue
            state = replace(state, recipe=self._in_new_words(state.recipe))
            self._check(state)
            for path in broken:
                logger.warning("%s: damaged: goes on from the state before, of epoch %d", path, epoch)
            self.done = epoch
            return state
        if broken:
            raise ValueError(
                f"{', '.join(broken)}: damaged, so the run can't go on: delete the folder {self.folder} to start it "
                "again, or start another from its best epoch with --model.weights best.keras"
            )
        self._check_unclaimed()
        return None

    def _read(self, epoch: int) -> State:
        path = self._file(epoch)
        with zipfile.ZipFile(path) as file:
            if file.testzip() is not None:
                raise ValueError(f"{path}: damaged")
            said = json.loads(file.read(ABOUT))
        return State(epoch, path, dict(said["recipe"]), list(said["history"]))

    def _in_new_words(self, recipe: dict[str, Any]) -> dict[str, Any]:
        """A recipe as this or an earlier version wrote it, with the keys of this one."""
        try:
            return _plain(Recipe.of_run(recipe))
        except ValueError as error:
            raise ValueError(
                f"output {self.folder} holds another experiment ({error}): choose another output or delete it"
            ) from None

    def _check(self, state: State) -> None:
        """Raises where a state is not of the recipe, or leaves nothing to do."""
        changed = _changed(state.recipe, _plain(self.recipe))
        if changed:
            raise ValueError(
                f"output {self.folder} holds another experiment ({', '.join(changed)} differ): choose another output "
                "or delete it"
            )
        epochs = self.recipe.train.epochs
        planned = state.recipe["train"]["epochs"]
        if epochs < state.epoch:
            raise ValueError(
                f"output {self.folder}: {state.epoch} epochs are done, train.epochs={epochs} asks for fewer: expected "
                f"{state.epoch} to end there, or more to go on"
            )
        if epochs == state.epoch == planned and os.path.exists(self.path("last.keras")):
            raise ValueError(
                f"output {self.folder} holds the finished experiment ({epochs} epochs): lengthen it with a larger "
                "train.epochs, choose another output or delete it"
            )

    def _check_unclaimed(self) -> None:
        """Raises where a folder without a state holds files that a run would replace."""
        there = [name for name in OF_A_RUN if os.path.exists(self.path(name))]
        if there:
            raise ValueError(
                f"output {self.folder} holds {', '.join(there)} but no state in backup/ that a run could go on from: "
                "choose another output or delete it"
            )

    def keep(self, epoch: int, variables: list[Any], history: list[dict[str, Any]]) -> None:
        """Writes the state after an epoch, then `recipe.json`; the two newest states stay.

        Args:
            epoch: how many are done.
            variables: of the model and its optimizer, Keras variables.
            history: the lines so far, as dicts.

        Raises:
            WriteError: it can't be written; what was there before is still there.
        """
        path = self._file(epoch)
        said = {"recipe": _plain(self.recipe), "history": history}
        with writing(path):
            os.makedirs(self.backup, exist_ok=True)
            with _replacing(path, os.path.join(self.backup, "writing")) as part:
                _write_state(part, variables, said)
        self.done = epoch
        for old in self.epochs():
            if old > epoch or old < epoch - 1:
                _forget(self._file(old))
        write(self.path("recipe.json"), json.dumps(said["recipe"], indent=1))

    def how_to_go_on(self) -> str:
        """What is kept of the run, and what the same command would do, in a line."""
        if not self.done:
            return f"no epoch is done, so nothing is kept in {self.folder}: the same command starts anew"
        done = f"{self.done} of {self.recipe.train.epochs} epochs"
        return f"{done} are kept in {self.folder}: the same command goes on from there"


class WriteError(ValueError):
    """A file of a run that can't be written: the disk is full, or the folder has gone."""


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Turns the errors of a disk into a `WriteError` that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise WriteError(f"{path}: can't be written: {reason}") from error


def write(path: str, text: str) -> None:
    """Writes a text file that is whole or as it was before; raises `WriteError`."""
    with writing(path), _replacing(path, f"{path}.writing") as part, open(part, "w", encoding="utf-8") as file:
        file.write(text)


def save_whole(model: Any, path: str) -> None:
    """Writes a `.keras` file that is whole or as it was before; raises `WriteError`."""
    with writing(path), _replacing(path, os.path.join(os.path.dirname(path), "writing.keras")) as part:
        model.save(part)


def _write_state(path: str, variables: list[Any], said: dict[str, Any]) -> None:
    import keras

    with zipfile.ZipFile(path, "w") as file:
        for i, variable in enumerate(variables):
            with file.open(f"{i}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, keras.ops.convert_to_numpy(variable), allow_pickle=False)
        file.writestr(ABOUT, json.dumps(said))


@contextlib.contextmanager
def _replacing(path: str, part: str) -> Iterator[str]:
    """Renames what was written at `part` to `path` where all went well, else takes it away."""
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        _forget(part)
        raise


def _forget(path: str) -> None:
    with contextlib.suppress(OSError):
        os.remove(path)


def _plain(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON gives it back: lists in the place of tuples."""
    return json.loads(json.dumps(asdict(recipe)))


def _changed(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """The dotted keys in which two recipes differ, but for those that may."""
    changed: list[str] = []
    for key, value in now.items():
        name = f"{prefix}{key}"
        earlier = before.get(key)
        if isinstance(value, dict) and isinstance(earlier, dict):
            changed += _changed(earlier, value, f"{name}.")
        elif value != earlier and name not in RESUMABLE_OVERRIDES:
            changed.append(name)
    return changed
