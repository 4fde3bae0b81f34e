"""How poses are scored: by COCO's object keypoint similarity, by MPII's head lengths, or by the length of the box."""

from hrnet_keras.tasks.pose.oks import STATISTICS, Oks
from hrnet_keras.tasks.pose.pckh import Pck, Pckh

KINDS = {"oks": Oks, "pckh": Pckh, "pck": Pck}


class Metric:
    """The figures of the data set's own metric.

    Args:
        info: of the data set: `metric` is `"oks"` (average precision, 0..1; needs `sigmas`), `"pckh"` (MPII's joints,
            percent) or `"pck"` (percent).

    Attributes:
        main: the figure that decides which model is kept: `"AP"`, `"PCKh"` or `"PCK"`.

    Raises:
        ValueError: another `metric`, or info that it cannot work with.
    """

    lower_is_better = False

    def __init__(self, info):
        if info.metric not in KINDS:
            raise ValueError(
                f"data set {info.name!r}: metric={info.metric!r}: expected one of {', '.join(map(repr, KINDS))}"
            )
        self.kind = KINDS[info.metric](info)
        self.main = self.kind.main

    def update(self, result, example):
        """Adds one picture; what it reads is said at `oks.Oks`, `pckh.Pckh` and `pckh.Pck`."""
        self.kind.update(result, example)

    def result(self):
        """Returns a dict of the metric's figures, its main one among them."""
        return self.kind.result()


def table(result):
    """A result as readable text: COCO's figures, or a row per joint, then the means."""
    if "AP" in result:
        rows = [f"{name:<5} {result[name]:6.3f}" for name in STATISTICS]
        return "\n".join([*rows, f"({result['persons']} persons in {result['pictures']} pictures)"])
    figures = {**result.get("points", {}), **{name: value for name, value in result.items() if _is_figure(value)}}
    width = max(map(len, figures))
    rows = [f"{name:<{width}}  {value:6.2f}" for name, value in figures.items()]
    return "\n".join([*rows, f"({result['persons']} persons)"])


def _is_figure(value):
    return isinstance(value, float)
