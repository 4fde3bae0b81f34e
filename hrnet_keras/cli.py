"""The verbs as a command: `hrnet-keras train|evaluate|predict|export|convert|models|demo`."""

import os
import sys
from glob import glob

from jsonargparse import ArgumentParser

from hrnet_keras.recipe import Recipe, one_line, parser_of_recipe

USAGE = """usage: hrnet-keras COMMAND [options]

HRNet for Keras: high-resolution networks for labelling pixels and regions.

commands:
  train      train a model as a recipe says; resumes a run that was cut off
  evaluate   score a model by its task's official protocol
  predict    answer a model's question about pictures and draw the answers
  export     write a SavedModel for TensorFlow Serving
  convert    turn a checkpoint of PyTorch into a .keras, .weights.h5 or .safetensors file
  models     list the published weights
  demo       train, score, export and use a small model on drawn scenes, in five minutes

hrnet-keras COMMAND --help lists a command's options; --debug shows where an error came from.
"""


_MODEL = "a .keras file, SavedModel directory, checkpoint or published name"
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
    name, rest = words[0], words[1:]
    try:
        if name not in COMMANDS:
            raise ValueError(f"{name!r} is no command: expected one of {', '.join(COMMANDS)}")
        if name != "models" and not {"-h", "--help"} & set(rest):
            _load_tensorflow(quietly=not debug)
        COMMANDS[name](rest)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail("stopped")
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        return _fail(one_line(error) or type(error).__name__)
    return 0


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


def _fail(message):
    print(f"hrnet-keras: {message}", file=sys.stderr)
    return 1


def _train(words):
    parser = parser_of_recipe(prog="hrnet-keras train", description="Trains a model as a recipe says.",
                              usage="hrnet-keras train RECIPE [--section.key VALUE ...]")  # fmt: skip
    if words and not words[0].startswith("-"):
        words = ["--recipe", *words]
    if not words:
        raise ValueError("train: expected the path of a recipe, such as recipes/seg/camvid_hrnetv2_w18_small_v1.yaml")
    if "-h" in words or "--help" in words:
        parser.parse_args(["--help"])
    origin = words[1] if words[0] == "--recipe" else "recipe"
    if words[0] == "--recipe" and not os.path.isfile(origin):
        raise ValueError(f"recipe {origin}: no such file")
    recipe = Recipe.parse(words, origin=origin)
    from hrnet_keras.training import train

    train(recipe)
    best, history = (os.path.join(recipe.output, name) for name in ("best.keras", "history.jsonl"))
    print(f"best model: {best}; history: {history}")


def _evaluate(words):
    parser = _parser("evaluate", "Scores a model by its task's official protocol and prints the table.")
    parser.add_argument("model", type=str | None, nargs="?", default=None, help=_MODEL)
    parser.add_argument("dataset", type=str | None, nargs="?", default=None, help="name of a data set: see --help")
    parser.add_argument("--weights", type=str | None, default=None, help="published weights, or a data set's best")
    parser.add_argument("--root", "--data", type=str | None, default=None, help="folder of the data set's files")
    parser.add_argument("--split", type=str | None, default=None, help="default: that of the set's published scores")
    parser.add_argument("--limit", type=int | None, default=None, help="only so many pictures")
    parser.add_argument("--scales", type=list[float] | None, default=None, help="scales whose scores are added")
    parser.add_argument("--flip", action="store_true", help="also look at the mirrored picture")
    parser.add_argument("--no-flip", action="store_true", help="don't, even where the published score was measured so")
    parser.add_argument("--rule", type=str | None, default=None, help="whole, windows, cityscapes or fixed")
    parser.add_argument("--window", type=tuple[int, int] | None, default=None, help="height and width of the windows")
    parser.add_argument("--base-size", type=int | None, default=None, help="long side at scale 1")
    parser.add_argument("--option", type=dict | None, default=None, help="further options of the data set")
    parser.add_argument("--save", type=str | None, default=None, help="folder for the answers, as PNG or JSON files")
    parser.add_argument("--json", type=str | None, default=None, help="also write the result to this file")
    options = parser.parse_args(words)
    model, entry, dataset, split, more = _what_to_score(options)
    from hrnet_keras.evaluation import evaluate

    changes = {"rule": options.rule, "window": options.window, "base_size": options.base_size}
    changes |= {"scales": options.scales and tuple(options.scales), "flip": _yes_or_no(options.flip, options.no_flip)}
    changes = {key: value for key, value in changes.items() if value is not None}
    result = evaluate(model, dataset, root=options.root, split=options.split or split, limit=options.limit,
                      protocol=changes or None, save=options.save, **more)  # fmt: skip
    if entry is not None and dataset == "coco" and "detections" not in more:
        print("on the annotated boxes; the published score is of a detector's: --option '{detections: FILE}'")
    if options.json:
        import json

        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)


def _what_to_score(options):
    """Model, its entry among the published weights or `None`, and of the data set: name, customary split, options."""
    from hrnet_keras.checkpoints.zoo import best, entries
    from hrnet_keras.datasets.published import scored_on

    if options.weights is None:
        entry = next((entry for entry in entries() if entry.name == options.model), None)
    elif options.model is None:
        entry = best(options.weights, tasks=("cls", "seg", "landmark", "pose"))
    else:
        raise ValueError("evaluate: expected a model or --weights, not both")
    model, data = (options.model, None) if entry is None else (entry.name, entry.data)
    data = options.dataset or data
    if model is None or data is None:
        raise ValueError("evaluate: expected MODEL and DATASET, or --weights NAME")
    lineage = None if entry is None else entry.lineage
    if entry is None and not os.path.isdir(model):
        from hrnet_keras.builders import facts_of
        from hrnet_keras.prediction import load_model

        model = load_model(model)
        facts = facts_of(model)
        lineage = facts.get("rules") or facts.get("lineage")
    dataset, split, own = scored_on(data, lineage)  # where lineages read a set differently: as the model learnt it
    return model, entry, dataset, split, own | (options.option or {})


def _yes_or_no(yes, no):
    return True if yes else False if no else None


def _predict(words):
    parser = _parser("predict", "Answers a model's question about pictures and writes the drawn answers.")
    parser.add_argument("model", type=str, help=_MODEL)
    parser.add_argument("images", type=str, nargs="+", help="pictures or glob patterns")
    parser.add_argument("--output", type=str, default="predictions", help="folder of the drawings")
    parser.add_argument("--label-maps", action="store_true", help="also write the class ids as grey PNG files")
    parser.add_argument("--boxes", type=str | None, default=None, help=_BOXES)
    parser.add_argument("--json", action="store_true", help="also write points, their scores and boxes as JSON files")
    options = parser.parse_args(words)
    from hrnet_keras.prediction import load_model, open_model, predict
    from hrnet_keras.tasks import part

    model = options.model if os.path.isdir(options.model) else load_model(options.model)
    if options.label_maps or options.json or options.boxes is not None:
        _check_answers(options, open_model(model)[1]["task"])
    images, boxes = options.images, None
    if options.boxes is not None:
        from hrnet_keras.datasets.boxes import boxes_for

        images = [
            path for word in images for path in ([word] if os.path.isfile(word) else sorted(glob(word)) or [word])
        ]
        boxes = boxes_for(images, options.boxes)
    os.makedirs(options.output, exist_ok=True)
    for found in predict(model, images, boxes=boxes):
        stem = os.path.join(options.output, os.path.splitext(os.path.basename(found.path))[0])
        print(found.save(f"{stem}.png"))
        if options.label_maps:
            from PIL import Image

            Image.fromarray(found.label_map).save(f"{stem}_labels.png")
            print(f"{stem}_labels.png")
        if options.json:
            answer = {"points": found.points, "scores": found.scores, "boxes": found.boxes}
            part(found.facts["task"], "inference").write(answer, stem)
            print(f"{stem}.json")


def _check_answers(options, task):
    """Raises `ValueError` where other answers are asked for than a model of the task gives."""
    of_points = task in ("landmark", "pose")
    if options.label_maps and task != "seg":
        more = ": --json writes its points" if of_points else ""
        raise ValueError(f"--label-maps: a model of task {task!r} answers none{more}")
    if options.json and not of_points:
        raise ValueError(f"--json: writes points, a model of task {task!r} answers none")
    if options.boxes is not None and not of_points:
        raise ValueError(f"--boxes: a model of task {task!r} looks at whole pictures: expected none")


def _export(words):
    parser = _parser("export", "Writes a SavedModel for TensorFlow Serving.")
    parser.add_argument("model", type=str, help="a .keras file, checkpoint or published name")
    parser.add_argument("directory", type=str, help="of the model in the model base, such as saved_models/street")
    parser.add_argument("--version", type=int | None, default=None, help="default: one above the highest there")
    options = parser.parse_args(words)
    from hrnet_keras.exporting import export
    from hrnet_keras.prediction import load_model

    print(export(load_model(options.model), options.directory, version=options.version))


def _convert(words):
    parser = _parser("convert", "Turns a checkpoint of PyTorch into a file that Keras or another program reads.")
    parser.add_argument("source", type=str, help="a .pth, .pt or .safetensors file")
    parser.add_argument("destination", type=str, help="a .keras, .weights.h5 or .safetensors file")
    parser.add_argument("--task", type=str | None, default=None, help="check that it is of this task")
    parser.add_argument("--classes", type=str | None, default=None, help="data set, or file, that names its classes")
    parser.add_argument("--lineage", type=str | None, default=None, help="whose net it is, where its names don't tell")
    parser.add_argument("--align-corners", type=bool | None, default=None, help="seg: whether it was trained so")
    parser.add_argument("--state", type=str | None, default=None, help="of several nets in it: keys of the one to take")
    options = vars(parser.parse_args(words))
    from hrnet_keras.converting import convert

    model, report = convert(options["source"], options["destination"], **{
        key: options[key] for key in ("task", "classes", "lineage", "align_corners", "state")})  # fmt: skip
    print(f"{options['destination']}: {model.name}, {model.count_params():,} numbers")
    print(f"lineage {report.lineage}; {report.summary()}")


def _models(words):
    parser = _parser("models", "Lists the published weights: what weights= of a builder takes.")
    parser.add_argument("--task", type=str | None, default=None, help="cls, seg, landmark, pose or det")
    parser.add_argument("--json", action="store_true", help="everything that is known of them, as JSON")
    options = parser.parse_args(words)
    from hrnet_keras.checkpoints.zoo import list_weights

    rows = list_weights(options.task)
    if options.json:
        import json

        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        score = ", ".join(f"{key} {value:g}" for key, value in row["score"].items()) or "-"
        state = "here" if row["cached"] else "by hand" if row["url"] is None else ""
        net = f"{row['representation']}{row['width']}"
        alias = " ".join(f"= {word!r}" for word in row["aliases"])
        print(f"{row['task'] or 'trunk':9}{net:14}{row['data']:18}{score:28}{state:8}{row['name']} {alias}".rstrip())


def _demo(words):
    parser = _parser("demo", "Trains, scores, exports and uses a small model on drawn scenes.")
    parser.add_argument("--task", type=str, default="seg", help="seg")
    parser.add_argument("--output", type=str, default="runs/demo", help="folder of checkpoints, logs and pictures")
    parser.add_argument("--saved-models", type=str, default="saved_models", help="model base that the export goes to")
    options = parser.parse_args(words)
    from hrnet_keras.demo import demo

    demo(options.task, output=options.output, saved_models=options.saved_models)


class _Parser(ArgumentParser):
    """A parser whose mistakes are one line, raised."""

    def error(self, message, ex=None):
        raise ValueError(one_line(message)) from ex


def _parser(name, description):
    return _Parser(prog=f"hrnet-keras {name}", description=description, allow_abbrev=False)


COMMANDS = {
    "train": _train, "evaluate": _evaluate, "predict": _predict, "export": _export, "convert": _convert,
    "models": _models, "demo": _demo,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
