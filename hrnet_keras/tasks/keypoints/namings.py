"""How other programs name the heads of nets that find points."""

from hrnet_keras.tasks.task import Naming

NAMINGS = {
    "mmpose": Naming(
        "mmlab",
        trunk="backbone.",
        parts={
            "head.0": "head.conv_layers.0",
            "head.1": "head.conv_layers.1",
            "head.3": "head.final_layer",
            "final_layer": "head.final_layer",
        },
        marks=("head.final_layer.", "head.conv_layers."),
    ),
    "mmpose 0.x": Naming(
        "mmlab",
        trunk="backbone.",
        parts={
            "head.0": "keypoint_head.final_layer.0",
            "head.1": "keypoint_head.final_layer.1",
            "head.3": "keypoint_head.final_layer.3",
            "final_layer": "keypoint_head.final_layer",
        },
        marks=("keypoint_head.",),
    ),
}
