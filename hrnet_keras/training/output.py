"""The folder of a run: the states that it can go on from, and everything else that follows from them."""

import contextlib
import json
import os
import shutil
import zlib
from dataclasses import asdict, dataclass, field

MAY_CHANGE = ("data.root", "data.cache", "train.epochs", "train.evaluate_every", "output")  # where a run goes on
OF_A_RUN = ("best.keras", "last.keras", "history.jsonl")


@dataclass(frozen=True)
class State:
    """What a run had done after an epoch.

    Attributes:
        epoch: how many were done.
        weights: file of the model's weights and the optimizer's state.
        recipe: as in `recipe.json`.
        history: the lines of `history.jsonl`, as dicts.
    """

    epoch: int
    weights: str
    recipe: dict
    history: list = field(default_factory=list)


class Output:
    """An output folder while a run writes into it; as a context it is locked against a second one.

    A state is `backup/epoch_<n>.weights.h5` with `backup/epoch_<n>.json`: recipe, history, and the checksum of the
    weights. It is written beside the others and then renamed, so it is whole or not there; the newest two are kept.
    `recipe.json` and `history.jsonl` are written again from it, whatever became of them. Until there is a state, the
    folder is not claimed: leaving the context takes away what was made there.

    Args:
        recipe: the `Recipe`, with its `output`.

    Raises:
        ValueError: the folder can't be written, another process trains into it, or it holds another experiment, a
            finished one, or one whose states are all damaged.
    """

    def __init__(self, recipe):
        self.recipe = recipe
        self.folder = recipe.output
        self.backup = self.path("backup")
        self.done = 0  # epochs that the run can go on from
        self._made, self._lock = [], None

    def path(self, *names):
        """Path of a file in the folder."""
        return os.path.join(self.folder, *names)

    def __enter__(self):
        try:
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

    def _make(self, folder):
        """Makes a folder with those above it, and remembers which were not there."""
        missing, one = [], os.path.abspath(folder)
        while not os.path.isdir(one) and os.path.dirname(one) != one:
            missing.insert(0, one)
            one = os.path.dirname(one)
        for one in missing:
            try:
                os.mkdir(one)
            except OSError as error:
                reason = "is a file: expected a folder" if os.path.isfile(one) else error.strerror
                raise ValueError(f"output {folder}: {reason}") from error
            self._made.append(one)

    def _take_lock(self):
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
        self._lock, self._had = lock, set(os.listdir(self.folder))

    def _take_away(self, name):
        """Removes a folder of this run that was not there before."""
        if name not in self._had:
            shutil.rmtree(self.path(name), ignore_errors=True)

    def epochs(self):
        """Epochs of which there is a state, damaged or not, newest first."""
        if not os.path.isdir(self.backup):
            return []
        ends = ".weights.h5"
        stems = [name[len("epoch_") : -len(ends)] for name in os.listdir(self.backup) if name.endswith(ends)]
        return sorted((int(stem) for stem in stems if stem.isdigit()), reverse=True)

    def _files(self, epoch):
        return [os.path.join(self.backup, f"epoch_{epoch:04d}{end}") for end in (".weights.h5", ".json")]

    def find_state(self):
        """The newest whole state, `None` for a new run; says where an older one has to do.

        Raises:
            ValueError: as the class.
        """
        broken = []
        for epoch in self.epochs():
            try:
                state = self._read(epoch)
            except (OSError, ValueError, KeyError, TypeError):
                broken.append(self._files(epoch)[0])
                continue
            self._check(state)
            for path in broken:
                print(f"{path}: damaged: goes on from the state before, of epoch {epoch}")
            self.done = epoch
            return state
        if broken:
            raise ValueError(
                f"{', '.join(broken)}: damaged, so the run can't go on: delete the folder {self.folder} to start it "
                "again, or start another from its best epoch with --model.weights best.keras"
            )
        self._check_unclaimed()
        return None

    def _read(self, epoch):
        weights, about = self._files(epoch)
        with open(about, encoding="utf-8") as file:
            said = json.load(file)
        if _checksum(weights) != said["checksum"]:
            raise ValueError(f"{weights}: damaged")
        return State(epoch, weights, dict(said["recipe"]), list(said["history"]))

    def _check(self, state):
        """Raises where a state is not of the recipe, or leaves nothing to do."""
        changed = _changed(state.recipe, _plain(self.recipe))
        if changed:
            raise ValueError(
                f"output {self.folder} holds another experiment ({', '.join(changed)} differ): choose another output "
                "or delete it"
            )
        epochs, planned = self.recipe.train.epochs, state.recipe["train"]["epochs"]
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

    def _check_unclaimed(self):
        """Raises where a folder without a state holds files that a run would replace."""
        there = [name for name in OF_A_RUN if os.path.exists(self.path(name))]
        if there:
            raise ValueError(
                f"output {self.folder} holds {', '.join(there)} but no state in backup/ that a run could go on from: "
                "choose another output or delete it"
            )

    def keep(self, epoch, save_weights, history):
        """Writes the state after an epoch, then `recipe.json`; the two newest states stay.

        Args:
            epoch: how many are done.
            save_weights: function that writes weights and optimizer to the path it is given (`.weights.h5`).
            history: the lines so far, as dicts.

        Raises:
            ValueError: it can't be written; what was there before is still there.
        """
        weights, about = self._files(epoch)
        with writing(weights):
            os.makedirs(self.backup, exist_ok=True)
            part = os.path.join(self.backup, "writing.weights.h5")
            try:
                save_weights(part)
                said = {"recipe": _plain(self.recipe), "history": history, "checksum": _checksum(part)}
                write(about, json.dumps(said))
                os.replace(part, weights)
            except BaseException:
                _forget(part)
                raise
        self.done = epoch
        for old in self.epochs():
            if old > epoch or old < epoch - 1:
                self._remove(old)
        write(self.path("recipe.json"), json.dumps(_plain(self.recipe), indent=1))

    def _remove(self, epoch):
        for path in self._files(epoch):
            _forget(path)

    def how_to_go_on(self):
        """What is kept of the run, and what the same command would do, in a line."""
        if not self.done:
            return f"no epoch is done, so nothing is kept in {self.folder}: the same command starts anew"
        done = f"{self.done} of {self.recipe.train.epochs} epochs"
        return f"{done} are kept in {self.folder}: the same command goes on from there"


class WriteError(ValueError):
    """A file of a run that can't be written: the disk is full, or the folder has gone."""


@contextlib.contextmanager
def writing(path):
    """Turns the errors of a disk into a `WriteError` that names the file."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # HDF5 raises the latter
        reason = getattr(error, "strerror", None) or _one_line(error)
        raise WriteError(f"{path}: can't be written: {reason}") from error


def write(path, text):
    """Writes a text file that is whole or as it was before; raises `WriteError`."""
    part = f"{path}.writing"
    with writing(path):
        try:
            with open(part, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            _forget(part)
            raise


def save_whole(model, path):
    """Writes a `.keras` file that is whole or as it was before; raises `WriteError`."""
    part = os.path.join(os.path.dirname(path), "writing.keras")
    with writing(path):
        try:
            model.save(part)
            os.replace(part, path)
        except BaseException:
            _forget(part)
            raise


def _forget(path):
    with contextlib.suppress(OSError):
        os.remove(path)


def _one_line(error):
    return " ".join(str(error).split())


def _checksum(path):
    """CRC-32 of a file's bytes."""
    total = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            total = zlib.crc32(block, total)
    return total


def _plain(recipe):
    """A recipe as JSON gives it back: lists in the place of tuples."""
    return json.loads(json.dumps(asdict(recipe)))


def _changed(before, now, prefix=""):
    found = []
    for key in now:
        name = f"{prefix}{key}"
        if isinstance(now[key], dict) and isinstance(before.get(key), dict):
            found += _changed(before[key], now[key], f"{name}.")
        elif now[key] != before.get(key) and name not in MAY_CHANGE:
            found.append(name)
    return found
