"""Where are the joints of this person? (`pose`)"""

from hrnet_keras.architecture import NEAREST
from hrnet_keras.tasks.keypoints.namings import NAMINGS
from hrnet_keras.tasks.pose.recipe import Augment, Loss
from hrnet_keras.tasks.task import DemoConfig, Task

TASK = Task(
    name="pose",
    folder="pose",
    representations=("V1", "V2"),
    conventions={"official": NEAREST, "mmlab": NEAREST},
    counts="num_keypoints",
    default_count=17,
    output="heatmaps",
    last_layers={None: ("final_layer",)},
    marks=("final_layer.weight", "head.final_layer.", "keypoint_head.final_layer.weight"),
    augment=Augment,
    loss=Loss,
    head_layers=("final_layer.",),
    namings=NAMINGS,
    input_keys=("boxes", "centers", "scales", "box_scores"),
    boxes_of="person",
    saved_as=".json",
    demo=DemoConfig(
        goal="find 17 joints of drawn people", recipe="pose/toytown_hrnet_w18_small_v1", prompts=("boxes",)
    ),
)
