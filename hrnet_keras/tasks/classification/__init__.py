"""What is in this picture? (`cls`)"""

from hrnet_keras.architecture import NEAREST
from hrnet_keras.tasks.classification.recipe import Augment, Loss
from hrnet_keras.tasks.task import Naming, Task


def _variant_of(names):
    """Nets of SSLD have no biases in their head."""
    return None if "final_layer.0.bias" in names else "ssld"


TASK = Task(
    name="cls",
    folder="classification",
    representations=("V2",),
    conventions={"official": NEAREST, "timm": NEAREST},
    counts="num_classes",
    default_count=1000,
    output="logits",
    last_layers={None: ("classifier",), "ssld": ("classifier",)},
    marks=("classifier.",),
    augment=Augment,
    loss=Loss,
    head_layers=("incre_modules.", "final_layer.", "classifier."),
    variant_of=_variant_of,
    namings={"timm": Naming("timm")},
    starts_others=True,
    variants_alike=True,
    may_lack_classes=True,
)
