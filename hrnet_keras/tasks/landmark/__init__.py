"""Where are the points of this face? (`landmark`)"""

from hrnet_keras.architecture import OFFICIAL_DENSE, Conventions
from hrnet_keras.tasks.keypoints.namings import NAMINGS
from hrnet_keras.tasks.landmark.recipe import Augment, Loss
from hrnet_keras.tasks.task import DemoConfig, Task

TASK = Task(
    name="landmark",
    folder="landmark",
    representations=("V2", "V1"),
    conventions={"official": OFFICIAL_DENSE, "mmlab": Conventions()},
    counts="num_keypoints",
    default_count=68,
    output="heatmaps",
    last_layers={None: ("head.3",)},
    marks=("head.0.", "head.conv_layers.", "keypoint_head.final_layer.0."),
    augment=Augment,
    loss=Loss,
    head_layers=("head.0.",),
    namings=NAMINGS,
    input_keys=("centers", "scales", "boxes"),
    saved_as=".json",
    predict_options=("refine_iterations", "box_format"),
    nothing_found="no face found",
    demo=DemoConfig(
        goal="find 68 points of drawn faces",
        recipe="landmark/toytown_hrnetv2_w18_small_v1",
        prompts=("centers", "scales"),
    ),
)
