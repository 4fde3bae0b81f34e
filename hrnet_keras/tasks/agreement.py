"""A model and a data set that name the same classes or points, each in its own order: which is which."""

from dataclasses import replace

import numpy as np

from hrnet_keras.datasets.matching import difference, places_in, say_nothing
from hrnet_keras.tasks import TASKS
from hrnet_keras.tasks.results import Classes, LabelMap, Objects, Points, Result

KINDS = {"num_classes": ("classes", "class_names"), "num_keypoints": ("points", "point_names")}


def names_of(info):
    """What a model's outputs are called: `"classes"` or `"points"`, how many there are, and their names.

    Args:
        info: of the model.

    Returns:
        The word, the number, and a list of names, empty where nobody gave any.
    """
    what, word = KINDS["num_keypoints" if info.num_classes is None else "num_classes"]
    number = info.count // 3 if info.codec == "udp_combined" else info.count  # three maps of every point
    names = list(getattr(info, word))
    return what, number, names if len(names) == number else []


def places_of(info, data):
    """Where a data set's classes or points stand among a model's, by name.

    Names that differ in upper and lower case and in separators are the same. Where one of the two has no names, or
    names that were made up by counting, only the numbers must agree. For pictures of one class each a data set may lack
    classes of the model.

    Args:
        info: of the model.
        data: info of the data set.

    Returns:
        A list with a place per class or point of the data set; `None` where all stand in their own.

    Raises:
        ValueError: they are others, or another number of them; the message has both lists.
    """
    what, number, own = names_of(info)
    names = getattr(data, dict(KINDS.values())[what])
    mine = "the model"
    yours = f"data set {data.name!r}"
    if say_nothing(own) or say_nothing(names):
        if number != len(names):
            raise ValueError(f"{mine} has {number} {what}, {yours} has {len(names)}")
        return None
    places = places_in(names, own)
    may_lack = TASKS[info.task].may_lack_classes
    if None in places or (len(names) != number and not may_lack):
        numbers = f"{mine} has {number} {what}, {yours} has {len(names)}: " if number != len(names) else ""
        raise ValueError(f"{numbers}{difference(mine, own, yours, names)}: expected the same {what} in both")
    return None if places == list(range(number)) else places


def in_model_order(info, data):
    """The `DatasetInfo` with mirror pairs in the order of a model; arguments and errors as in `places_of`."""
    places = places_of(info, data)
    if places is None:
        return data
    word = {"classes": "label_flip_pairs", "points": "flip_pairs"}[names_of(info)[0]]
    return replace(data, **{word: tuple((places[a], places[b]) for a, b in getattr(data, word))})


def in_data_order(result: Result, places: list[int] | None) -> Result:
    """A model's result with the classes or points of a data set: what is read, scored and saved there.

    Args:
        result: of the model.
        places: as `places_of` gives them. Classes that the data set lacks get ids above its own.
    """
    if places is None:
        return result
    if isinstance(result, Points):
        return replace(result, points=result.points[:, places], scores=result.scores[:, places])
    if isinstance(result, LabelMap):
        return replace(result, label_map=_renamed(result.label_map, places))
    if isinstance(result, Classes | Objects):
        return replace(result, labels=_renamed(result.labels, places))
    raise TypeError(f"{type(result).__name__} has neither classes nor points")


def _renamed(ids, places):
    """Class ids of a model as those of a data set; ids of no class stay."""
    highest = max(int(ids.max(initial=0)), max(places), 255)
    own = {place: i for i, place in enumerate(places)}
    others = [i for i in range(max(places) + 1) if i not in own]
    own |= {other: len(places) + i for i, other in enumerate(others)}
    table = np.array([own.get(i, i) for i in range(highest + 1)])
    return np.where(ids < 0, ids, table[ids]).astype(ids.dtype)
