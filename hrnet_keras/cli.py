"""The verbs as a command: `hrnet-keras train|evaluate|predict|export|convert|models|demo`."""

import argparse
import contextlib
import functools
import itertools
import json
import os
import re
import signal
import sys
import textwrap
from typing import Literal

from hrnet_keras import __version__
from hrnet_keras.docstrings import verb_of
from hrnet_keras.logs import plain_lines
from hrnet_keras.recipe import Recipe
from hrnet_keras.recipe.keys import describe
from hrnet_keras.recipe.values import read_text
from hrnet_keras.spelling import did_you_mean
from hrnet_keras.tasks import DEFAULT_TASK, DEMOS

USAGE = """usage: hrnet-keras COMMAND [options]

HRNet for Keras: high-resolution networks for labelling pixels and regions.

commands:
  train      train a model as a recipe says; resumes a run that was cut off
  evaluate   score a model by its task's official protocol
  predict    answer a model's question about pictures and draw the answers
  export     write a SavedModel for TensorFlow Serving
  convert    turn a checkpoint of PyTorch or a .keras file into a .keras, .weights.h5 or .safetensors file
  models     list the published weights
  demo       train, score, export and use a small model on drawn scenes, in five minutes

hrnet-keras COMMAND --help lists a command's options; --debug shows where an error came from; --version is this one's.
"""
INTERRUPTED = 130  # the exit status of a program that Ctrl-C ended

_MODEL = "a .keras file, SavedModel directory, checkpoint or published name"
_SIZE = (
    "show the net pictures at HEIGHT WIDTH, or at one long side (detection: the short and the long side at most); the "
    "answer keeps the picture's own size"
)
_PEOPLE = "for pose without boxes: a detector that looks for the persons (a file, folder or published name)"
_BOXES = "faces or persons: [[left, top, right, bottom], ...], or a JSON file of {picture: such a list}"


def main(arguments=None):
    """Runs the command line; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    # TensorFlow's start-up lines are no news to a user.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not words or words[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if words else 2
    if words[0] == "--version":
        print(f"hrnet-keras {__version__}")
        return 0
    return _ended(words[0], words[1:], debug)


def _ended(name, words, debug):
    """Runs a command; returns the exit status, having said on standard error what went wrong."""
    try:
        _run(name, words, debug)
    except KeyboardInterrupt as error:
        return _fail(_one_line(error) or "stopped", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if debug:
            raise
        return _fail(_one_line(error) or type(error).__name__)
    return 0


def _run(name, words, debug):
    if name not in COMMANDS:
        near = did_you_mean(name, COMMANDS)
        raise ValueError(f"{name!r} is no command: {near}")
    with _terminated_as_interrupted(), plain_lines():
        if name != "models" and not {"-h", "--help"} & set(words):
            _load_tensorflow(quietly=not debug)
        COMMANDS[name](words)
        sys.stdout.flush()


@contextlib.contextmanager
def _terminated_as_interrupted():
    """While it lasts, SIGTERM ends the program as Ctrl-C does: with what is done kept, and said."""

    def interrupt(*_):
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread: whoever called has handlers of their own
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _load_tensorflow(*, quietly):
    """Imports TensorFlow without the lines that it writes past Python's standard error, whatever its log level."""
    if "tensorflow" in sys.modules or not quietly:
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _fail(message, status=1):
    print(f"hrnet-keras: {message}", file=sys.stderr)
    return status


def _one_line(error):
    return " ".join(str(error).split())


TRAIN_USAGE = """usage: hrnet-keras train RECIPE [--section.key VALUE ...]

Trains a model as a recipe (a YAML file) says. The same command goes on where a run was cut off; with a larger
--train.epochs it lengthens a finished one.

every key of a recipe, as an option:"""


def _train(words):
    if "-h" in words or "--help" in words:
        print(TRAIN_USAGE, describe(Recipe), sep="\n")
        raise SystemExit(0)
    if words and not words[0].startswith("-"):
        words = ["--recipe", *words]
    if not words:
        raise ValueError("train: expected the path of a recipe, such as recipes/seg/camvid_hrnetv2_w18_small_v1.yaml")
    origin = words[1] if words[0] == "--recipe" and words[1:] else "recipe"
    recipe = Recipe.parse(words, origin=origin)
    from hrnet_keras.training import train

    train(recipe)
    best, history = (os.path.join(recipe.output, name) for name in ("best.keras", "history.jsonl"))
    print(f"best model: {best}; history: {history}")


def _evaluate(words):
    from hrnet_keras.datasets import NAMES
    from hrnet_keras.tasks.segmentation.protocol import MODES

    parser = _Parser(
        "evaluate",
        "hrnet_keras.evaluation.evaluate",
        f"data sets: {', '.join(NAMES)}",
        f"rules of segmentation (--rule): {', '.join(MODES)}. whole: the picture at once; windows and sliding: in"
        " windows of --window; cityscapes: whole, in windows above scale 1; fixed: resized to --window. Default: that"
        " of the weights' published score, else of the data set's",
    )
    parser.take("model", nargs="?", help=_MODEL)
    parser.take("dataset", nargs="?", help="name of a data set, from the list below")
    parser.take("--weights", "--split", "--limit", "--save")
    parser.take("--root", alias="--data")
    parser.take("--option", kind=dict, help="further options of the data set")
    parser.take("--scales", kind=list[float], help="scales whose scores are added")
    parser.add_argument("--flip", action="store_true", default=None, help="also look at the mirrored picture")
    parser.add_argument(
        "--no-flip", dest="flip", action="store_false", help="don't, even where the published score was measured so"
    )
    parser.take("--rule", kind=Literal[MODES], help=f"how pictures are looked at: {', '.join(MODES)}")
    parser.take("--window", kind=tuple[int, int], parts="height, width", help="of the windows")
    parser.take("--base-size", kind=int, help="long side at scale 1")
    parser.take("--json", kind=str, help="file that the result is also written to")
    options = parser.parse_args(words)
    from hrnet_keras.evaluation import evaluate

    protocol = {
        "mode": options.rule, "window": options.window, "base_size": options.base_size, "flip": options.flip,
        "scales": options.scales and tuple(options.scales),
    }  # fmt: skip
    protocol = {key: value for key, value in protocol.items() if value is not None}
    figures = evaluate(
        options.model, options.dataset, weights=options.weights, root=options.root, split=options.split,
        limit=options.limit, protocol=protocol or None, save=options.save, **(options.option or {}),
    )  # fmt: skip
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)


def _predict(words):
    parser = _Parser("predict", "hrnet_keras.prediction_files.write_predictions")
    parser.take("model", help=_MODEL)
    parser.take("images", nargs="+", help="pictures or glob patterns")
    parser.take("--output", default="predictions")
    parser.take("--label-maps")
    parser.take("--boxes", help=_BOXES)
    parser.add_argument("--json", action="store_true", help="also write points, boxes, scores and masks as JSON files")
    parser.take("--size", kind=str, metavar="HEIGHT WIDTH", help=_SIZE)
    parser.take("--min-score")
    parser.take("--people", help=_PEOPLE)
    options = parser.parse_args(_with_one_word(words, "--size"))
    size = None if options.size is None else _size(options.size)
    from hrnet_keras.prediction_files import write_predictions

    files = write_predictions(
        options.model, options.images, options.output, boxes=options.boxes, size=size, label_maps=options.label_maps,
        points=options.json, min_score=options.min_score, people=options.people,
    )  # fmt: skip
    for file in files:
        line = file.path
        if file.remarks:
            line = f"{file.path}: {'; '.join(file.remarks)}"
        print(line, flush=True)


def _with_one_word(words, option):
    """The words with all numbers after an option in one, so that what follows them stands for itself."""
    if option not in words:
        return words
    first = words.index(option) + 1
    last = first + 1  # one word in any case: the option's own check complains of it
    while last < len(words) and words[last].strip("[],").isdecimal():
        last += 1
    return [*words[: first - 1], f"{option}={' '.join(words[first:last])}", *words[last:]]


def _size(text):
    """Height and width, or a long side: `512 1024`, `[512, 1024]`, `1024`."""
    numbers = text.replace("[", " ").replace("]", " ").replace(",", " ").split()
    if len(numbers) not in (1, 2) or not all(word.isdecimal() and int(word) for word in numbers):
        raise ValueError(f"--size {text}: expected HEIGHT WIDTH, or one long side, in pixels")
    return int(numbers[0]) if len(numbers) == 1 else (int(numbers[0]), int(numbers[1]))


def _export(words):
    parser = _Parser("export", "hrnet_keras.exporting.export")
    parser.take("model", help="a .keras file, checkpoint or published name")
    parser.take("directory", metavar="FOLDER")
    parser.take("--version")
    parser.take("--format", default="saved_model")
    parser.take("--compact", action="store_true")
    options = parser.parse_args(words)
    from hrnet_keras.exporting import export

    print(export(**vars(options)))


def _convert(words):
    parser = _Parser("convert", "hrnet_keras.converting.convert")
    parser.take("source", "destination")
    parser.take("--task", "--classes", "--lineage", "--state")
    parser.take("--align-corners", help="seg: whether the net was trained so")
    options = parser.parse_args(words)
    from hrnet_keras.converting import convert

    model, report = convert(**vars(options))
    print(f"{options.destination}: {model.name}, {model.count_params():,} numbers")
    print(f"lineage {report.lineage}; {report.summary()}")


def _models(words):
    parser = _Parser("models", "hrnet_keras.checkpoints.zoo.list_weights")
    parser.take("--task")
    parser.add_argument("--json", action="store_true", help="everything that is known of them, as JSON")
    options = parser.parse_args(words)
    from hrnet_keras.checkpoints.zoo import list_weights

    rows = list_weights(options.task)
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(_MODELS_LINE.format("task", "net", "data", "published score", "file", "name = words that mean it"))
    for row in rows:
        score = ", ".join(f"{key} {value:g}" for key, value in row["score"].items()) or "-"
        names = " ".join([row["name"], *(f"= {word!r}" for word in row["aliases"])])
        net = f"{row['representation']}{row['width']}"
        print(_MODELS_LINE.format(row["task"] or "trunk", net, row["data"], score, _place_of(row), names).rstrip())


def _place_of(row):
    """Whether a published file is here, has to be fetched by hand, or neither."""
    if row["cached"]:
        return "here"
    if row["url"] is None:
        return "by hand"
    return ""


_MODELS_LINE = "{:9}{:14}{:18}{:28}{:8}{}"


def _demo(words):
    parser = _Parser("demo", "hrnet_keras.demo.demo")
    parser.take("--task", default=DEFAULT_TASK, help=f"one of {', '.join(DEMOS)}; default: {DEFAULT_TASK}")
    parser.take("--output", default="runs/demo")
    parser.take("--saved-models", default="saved_models")
    options = parser.parse_args(words)
    from hrnet_keras.demo import demo

    demo(**vars(options))


class _Parser(argparse.ArgumentParser):
    """The options of a verb, with what its signature and docstring say of them; mistakes are one line, raised.

    Args:
        command: its name.
        verb: the function, such as `"hrnet_keras.converting.convert"`; it is not imported.
        *more: paragraphs below the options.
    """

    def __init__(self, command, verb, *more):
        self.option_names = ["--help", "-h"]
        self.verb = verb_of(verb)
        paragraphs = [textwrap.fill(text, 100, subsequent_indent="  ") for text in more]
        super().__init__(
            prog=f"hrnet-keras {command}", description=self.verb.summary, allow_abbrev=False,
            epilog="\n\n".join(paragraphs), formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip

    def add_argument(self, *names, **options):
        """As in `argparse`; notes the names of options, for the nearest one to a misspelt one."""
        self.option_names += [name for name in names if name.startswith("-")]
        return super().add_argument(*names, **options)

    def take(self, *names, kind=None, parts="", alias=None, **options):
        """Adds arguments of the verb, or others of a `kind` that is said.

        Args:
            names: as on the command line: `"model"`, `"--align-corners"`.
            kind: a type as in `recipe.values`; default: that of the verb's argument.
            parts: what a tuple's places hold.
            alias: another name of the option.
            options: for `argparse`, in place of what the docstring says.
        """
        for name in names:
            word = name.strip("-").replace("-", "_")
            argument = self.verb.arguments.get(word)
            said = {"help": argument.text if argument else None, **options}
            type_of_values = kind or argument.kind
            if argument and argument.is_switch:
                said["action"] = "store_true"
            else:
                said["type"] = functools.partial(_read_word, kind=type_of_values, parts=parts)
                said.setdefault("metavar", word.upper())
            self.add_argument(*filter(None, (name, alias)), **said)

    def parse_args(self, words):
        for word in itertools.takewhile(lambda word: word != "--", words):
            name = word.partition("=")[0]
            if re.match("--?[a-z]", name) and name not in self.option_names:
                raise ValueError(f"{name}: no such option: {did_you_mean(name, self.option_names[2:])}")
        namespace, rest = self.parse_known_args(words)
        if rest:
            raise ValueError(f"{rest[0]!r} is one word too many")
        return namespace

    def error(self, message):
        message = re.sub("^argument ", "", _one_line(message))
        raise ValueError(message.replace("the following arguments are required:", f"{self.prog.split()[-1]}: expected"))


def _read_word(word, kind, parts):
    try:
        return read_text(word, kind, "", parts)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix(": ")) from None


COMMANDS = {
    "train": _train, "evaluate": _evaluate, "predict": _predict, "export": _export, "convert": _convert,
    "models": _models, "demo": _demo,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
