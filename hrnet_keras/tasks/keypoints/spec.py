"""How a model of points is to be asked: what its weights expect of crops and heat maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hrnet_keras.datasets import DatasetInfo
from hrnet_keras.datasets.published import published
from hrnet_keras.datasets.sides import mirror_pairs
from hrnet_keras.layers.model_info import ModelInfo
from hrnet_keras.tasks.keypoints.flips import average

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class KeypointDefaults:
    """What holds for a task where neither a model nor a protocol says otherwise.

    Attributes:
        size: (height, width) of the input.
        flip: of convention -> whether published scores are measured with the mirrored crop, too.
        symmetric: codecs of the task by which a point and its mirror image get pixels of the map that mirror each
            other, to half a pixel; by the others mirrored maps lie one to the left.
    """

    size: tuple[int, int]
    flip: Mapping[str, bool]
    symmetric: tuple[str, ...]


@dataclass(frozen=True)
class KeypointSpec:
    """What a model's weights expect.

    Attributes:
        convention: whose crops: `"official"` or `"mmlab"`.
        codec: how its heat maps encode points.
        size: (height, width) of its input.
        count: of its points.
        flip: whether the mirrored crop is looked at too.
        flip_pairs: points that change places in the mirror.
        shift: whether maps of the mirrored crop have to be moved by a pixel.
    """

    convention: str
    codec: str
    size: tuple[int, int]
    count: int
    flip: bool
    flip_pairs: Pairs = ()
    shift: bool = False

    @classmethod
    def of(
        cls, info: ModelInfo, input_size: tuple[int | None, int | None], defaults: KeypointDefaults, *,
        data: DatasetInfo | None = None, protocol: Any = None,
    ) -> "KeypointSpec":  # fmt: skip
        """That of a model.

        Args:
            info: of the model. Where it is of no training, convention and codec are those of the model's lineage.
            input_size: (height, width) of the model's input, `None` where it takes any.
            defaults: of the task.
            data: info of the data set that is scored, its points in the model's order, for the pairs where the model
                brings none.
            protocol: what is to be different: a dict with `flip`.

        Raises:
            ValueError: the protocol has another word, or mirroring is asked for and nobody knows the pairs.
        """
        convention = _convention_of(info)
        codec = info.codec
        if codec is None:
            codec = "official" if convention == "official" else "msra"
        height, width = input_size
        if height is None or width is None:
            height, width = info.input_size or defaults.size
        pairs = _flip_pairs(info, data)
        flip = _flip_asked(protocol, pairs)
        if flip is None:
            flip = defaults.flip[convention] and bool(pairs)
        return cls(
            convention=convention,
            codec=codec,
            size=(height, width),
            count=points_of(info.num_keypoints or 0, codec),
            flip=flip,
            flip_pairs=tuple((first, second) for first, second in pairs),
            shift=codec not in defaults.symmetric,
        )

    @property
    def unbiased(self) -> bool:
        """Whether crops and maps match pixel centres (the UDP codecs) and not corners."""
        return self.codec.startswith("udp")

    @property
    def aspect_ratio(self) -> float:
        """Width / height of the input."""
        return self.size[1] / self.size[0]

    def merged(self, maps, mirrored):
        """The mean of heat maps of crops and of the mirrored crops, a tensor of the same shape."""
        return average(maps, mirrored, self.flip_pairs, shift=self.shift, codec=self.codec)


def points_of(maps: int, codec: str | None) -> int:
    """How many points a number of heat maps is for: UDP's combined codec has three of each."""
    return maps // 3 if codec == "udp_combined" else maps


def _convention_of(info: ModelInfo) -> str:
    if info.convention is not None:
        return info.convention
    return "mmlab" if info.lineage == "mmlab" else "official"


def _flip_asked(protocol: Any, pairs: Pairs) -> bool | None:
    """What the protocol says of mirroring; `None` where it says nothing."""
    if protocol is None:
        return None
    if not isinstance(protocol, dict) or not set(protocol) <= {"flip"}:
        raise ValueError(f"protocol={protocol!r}: expected a dict with flip alone where points are looked for")
    flip = protocol.get("flip")
    if flip and not pairs:
        raise ValueError("flip=True: nobody knows which points of this model change places in a mirror")
    return flip


def _flip_pairs(info: ModelInfo, data: DatasetInfo | None) -> Pairs:
    """The model's own pairs, else those of the data set that is scored, of its names, of the set it was trained on."""
    if info.flip_pairs:
        return info.flip_pairs
    if data is not None and data.flip_pairs:
        return data.flip_pairs
    by_name = mirror_pairs(info.point_names)
    if by_name:
        return by_name
    trained_on = published(info.data)
    if trained_on is None or points_of(info.num_keypoints or 0, info.codec) != len(trained_on.point_names):
        return ()
    return trained_on.flip_pairs
