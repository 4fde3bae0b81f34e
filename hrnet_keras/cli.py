"""The verbs as a command: `hrnet-keras train|evaluate|predict|export|convert|models|demo`."""

import argparse
import contextlib
import functools
import itertools
import os
import re
import signal
import sys
import textwrap
from typing import Literal

from hrnet_keras import __version__
from hrnet_keras.logs import plain_lines
from hrnet_keras.recipe import Recipe
from hrnet_keras.recipe.keys import describe
from hrnet_keras.recipe.values import read_text
from hrnet_keras.spelling import did_you_mean

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
_SIZE = "show the net segmented pictures at HEIGHT WIDTH, or at one long side; the answer keeps the picture's own size"
_BOXES = "faces or persons: [[left, top, right, bottom], ...], or a JSON file of {picture: such a list}"


def main(arguments=None):
    """Runs the command line; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines are no news to a user
    if not words or words[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if words else 2
    if words[0] == "--version":
        print(f"hrnet-keras {__version__}")
        return 0
    try:
        with _terminated_as_interrupted(), plain_lines():
            _run(words[0], words[1:], debug)
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        return _fail(_one_line(error) or "stopped", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        return _fail(_one_line(error) or type(error).__name__)
    return 0


def _run(name, words, debug):
    if name not in COMMANDS:
        near = did_you_mean(name, COMMANDS)
        raise ValueError(f"{name!r} is no command: {near}")
    if name != "models" and not {"-h", "--help"} & set(words):
        _load_tensorflow(quietly=not debug)
    COMMANDS[name](words)


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
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
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

    parser = _parser(
        "evaluate",
        "Scores a model by its task's official protocol and prints the table.",
        f"data sets: {', '.join(NAMES)}",
        f"rules of segmentation (--rule): {', '.join(MODES)}. whole: the picture at once; windows and sliding: in"
        " windows of --window; cityscapes: whole, in windows above scale 1; fixed: resized to --window. Default: that"
        " of the weights' published score, else of the data set's",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", type=str, nargs="?", help=_MODEL)
    add("dataset", metavar="DATASET", type=str, nargs="?", help="name of a data set, from the list below")
    add("--weights", metavar="NAME", type=str, help="published weights, or a data set's best")
    add("--root", "--data", metavar="FOLDER", type=str, help="of the data set's files")
    add("--split", metavar="NAME", type=str, help="default: that of the set's published scores")
    add("--limit", metavar="COUNT", type=int, help="only so many pictures, from the front")
    add("--scales", metavar="[SCALE,...]", type=list[float], help="scales whose scores are added")
    add("--flip", action="store_true", help="also look at the mirrored picture")
    add("--no-flip", action="store_true", help="don't, even where the published score was measured so")
    add("--rule", metavar="RULE", type=Literal[MODES], help=f"how pictures are looked at: {', '.join(MODES)}")
    add("--window", metavar="[HEIGHT,WIDTH]", type=tuple[int, int], parts="height, width", help="of the windows")
    add("--base-size", metavar="PIXELS", type=int, help="long side at scale 1")
    add("--option", metavar="{NAME: VALUE,...}", type=dict, help="further options of the data set")
    add("--save", metavar="FOLDER", type=str, help="for the answers, as PNG or JSON files")
    add("--json", metavar="FILE", type=str, help="also write the result to this file")
    options = parser.parse_args(words)
    from hrnet_keras.evaluation import evaluate

    changes = {"mode": options.rule, "window": options.window, "base_size": options.base_size}
    changes |= {"scales": options.scales and tuple(options.scales), "flip": _yes_or_no(options.flip, options.no_flip)}
    changes = {key: value for key, value in changes.items() if value is not None}
    result = evaluate(options.model, options.dataset, weights=options.weights, root=options.root,
                      split=options.split, limit=options.limit,
                      protocol=changes or None, save=options.save, **(options.option or {}))  # fmt: skip
    if options.json:
        import json

        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)


def _yes_or_no(yes, no):
    return True if yes else False if no else None


def _predict(words):
    parser = _parser("predict", "Answers a model's question about pictures and writes the drawn answers.")
    parser.add_argument("model", type=str, help=_MODEL)
    parser.add_argument("images", type=str, nargs="+", help="pictures or glob patterns")
    parser.add_argument("--output", type=str, default="predictions", help="folder of the drawings; of one, a file")
    parser.add_argument("--label-maps", action="store_true", help="also write the class ids as grey PNG files")
    parser.add_argument("--boxes", type=str | None, default=None, help=_BOXES)
    parser.add_argument("--json", action="store_true", help="also write points, their scores and boxes as JSON files")
    parser.add_argument("--size", type=str | None, default=None, metavar="HEIGHT WIDTH", help=_SIZE)
    options = parser.parse_args(_with_one_word(words, "--size"))
    size = None if options.size is None else _size(options.size)
    from hrnet_keras.prediction_files import write_predictions

    files = write_predictions(options.model, options.images, options.output, boxes=options.boxes, size=size,
                              label_maps=options.label_maps, points=options.json)  # fmt: skip
    for file in files:
        remarks = f": {'; '.join(file.remarks)}" if file.remarks else ""
        print(f"{file.path}{remarks}", flush=True)


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
    parser = _parser("export", "Writes a SavedModel for TensorFlow Serving.")
    add = parser.add_argument
    add("model", metavar="MODEL", type=str, help="a .keras file, checkpoint or published name")
    add("directory", metavar="FOLDER", type=str, help="of the model in the model base, such as saved_models/street")
    add("--version", metavar="NUMBER", type=int, help="default: one above the highest there")
    options = parser.parse_args(words)
    from hrnet_keras.exporting import export

    print(export(options.model, options.directory, version=options.version))


def _convert(words):
    parser = _parser("convert", "Turns a checkpoint of PyTorch, or a .keras file, into one that another program reads.")
    add = parser.add_argument
    add("source", metavar="SOURCE", type=str, help="a .pth, .pt, .safetensors or .keras file")
    add("destination", metavar="DESTINATION", type=str, help="a .keras, .weights.h5 or .safetensors file")
    add("--task", metavar="TASK", type=str, help="check that it is of this task")
    add("--classes", metavar="NAME", type=str, help="data set, or file, that names its classes")
    add("--lineage", metavar="NAME", type=str, help="whose net it is, where its names don't tell")
    add("--align-corners", metavar="true|false", type=bool, help="seg: whether it was trained so")
    add("--state", metavar="KEYS", type=str, help="of several nets in it: where the one to take is")
    options = vars(parser.parse_args(words))
    from hrnet_keras.converting import convert

    model, report = convert(options["source"], options["destination"], **{
        key: options[key] for key in ("task", "classes", "lineage", "align_corners", "state")})  # fmt: skip
    print(f"{options['destination']}: {model.name}, {model.count_params():,} numbers")
    print(f"lineage {report.lineage}; {report.summary()}")


def _models(words):
    parser = _parser("models", "Lists the published weights: what weights= of a builder takes.")
    add = parser.add_argument
    add("--task", metavar="TASK", type=str, help="only of this one: cls, seg, landmark, pose or det")
    add("--json", action="store_true", help="everything that is known of them, as JSON")
    options = parser.parse_args(words)
    from hrnet_keras.checkpoints.zoo import list_weights

    rows = list_weights(options.task)
    if options.json:
        import json

        print(json.dumps(rows, indent=1))
        return
    print(_MODELS_LINE.format("task", "net", "data", "published score", "file", "name = words that mean it"))
    for row in rows:
        score = ", ".join(f"{key} {value:g}" for key, value in row["score"].items()) or "-"
        state = "here" if row["cached"] else "by hand" if row["url"] is None else ""
        net = f"{row['representation']}{row['width']}"
        alias = " ".join(f"= {word!r}" for word in row["aliases"])
        print(
            _MODELS_LINE.format(
                row["task"] or "trunk", net, row["data"], score, state, f"{row['name']} {alias}"
            ).rstrip()
        )


_MODELS_LINE = "{:9}{:14}{:18}{:28}{:8}{}"


def _demo(words):
    parser = _parser("demo", "Trains, scores, exports and uses a small model on drawn scenes.")
    add = parser.add_argument
    add("--task", metavar="TASK", type=str, default="seg", help="seg (default), landmark or pose")
    add("--output", metavar="FOLDER", type=str, default="runs/demo", help="of checkpoints, logs and pictures")
    add("--saved-models", metavar="FOLDER", type=str, default="saved_models", help="model base that the export goes to")
    options = parser.parse_args(words)
    from hrnet_keras.demo import demo

    demo(options.task, output=options.output, saved_models=options.saved_models)


class _Parser(argparse.ArgumentParser):
    """A parser that reads values by their kind, and whose mistakes are one line, raised."""

    def __init__(self, **options):
        self.options = []
        super().__init__(**options)

    def add_argument(self, *names, type=None, parts="", **options):
        """As in `argparse`, with `type` a kind as in `recipe.values`, and `parts` what a tuple's places hold."""
        self.options += [name for name in names if name.startswith("-")]
        if type is not None:
            options["type"] = functools.partial(_read_word, kind=type, parts=parts)
        return super().add_argument(*names, **options)

    def parse_args(self, words):
        for word in itertools.takewhile(lambda word: word != "--", words):
            name = word.partition("=")[0]
            if re.match("--?[a-z]", name) and name not in self.options:
                raise ValueError(f"{name}: no such option: {did_you_mean(name, self.options)}")
        namespace, more = self.parse_known_args(words)
        if more:
            raise ValueError(f"{more[0]!r} is one word too many")
        return namespace

    def error(self, message):
        message = re.sub("^argument ", "", _one_line(message))
        raise ValueError(message.replace("the following arguments are required:", f"{self.prog.split()[-1]}: expected"))


def _read_word(word, kind, parts):
    try:
        return read_text(word, kind, "", parts)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix(": ")) from None


def _parser(name, description, *more):
    paragraphs = "\n\n".join(textwrap.fill(text, 100, subsequent_indent="  ") for text in more)
    return _Parser(
        prog=f"hrnet-keras {name}", description=description, epilog=paragraphs, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip


COMMANDS = {
    "train": _train, "evaluate": _evaluate, "predict": _predict, "export": _export, "convert": _convert,
    "models": _models, "demo": _demo,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
